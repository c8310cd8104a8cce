package program

import (
	"errors"
	"os"
	"strings"
	"testing"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/rlimit"

	"weir/test/alone"
)

func TestMain(m *testing.M) { alone.Main(m) }

// newSet makes a small data path, or skips the test where the kernel won't let
// it.
func newSet(t testing.TB, cfg Config) *Set {
	t.Helper()
	if os.Getuid() != 0 {
		t.Skip("loading eBPF programs needs root")
	}
	if err := rlimit.RemoveMemlock(); err != nil {
		t.Fatal(err)
	}
	if cfg.MaxFlows == 0 {
		cfg.MaxFlows = 4096
	}
	cfg.Kernel = Kernel{RedirectPeer: true, CsumIPv6: true}
	s, err := New(cfg)
	if err != nil {
		verifierLog(t, err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

// verifierLog fails the test with the end of what the verifier says.
func verifierLog(t testing.TB, err error) {
	t.Helper()
	if ve := (*ebpf.VerifierError)(nil); errors.As(err, &ve) {
		log := ve.Log
		if len(log) > 60 {
			log = log[len(log)-60:]
		}
		t.Fatalf("%v\n%s", err, strings.Join(log, "\n"))
	}
	t.Fatal(err)
}

// The memory of small data paths and of those of the usual size, in which single
// regions are tens of megabytes, is to be had, and programs for it are accepted.
func TestLoad(t *testing.T) {
	for _, flows := range []int{64, 200_000} {
		newSet(t, Config{MaxFlows: flows})
	}
}
