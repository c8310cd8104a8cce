package vswitchd

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"weir/internal/clock"
	"weir/internal/datapath/ebpf"
	"weir/internal/datapath/userspace"
	"weir/internal/netdev/linux"
)

// leave leaves a data path in the kernel as a process that was killed does.
func leave(t *testing.T, c *composer, typ string) {
	t.Helper()
	before := len(pinned())
	d, err := ebpf.New(ebpf.Config{Type: typ, Name: "ovs-" + typ, RunDir: c.opts.RunDir, Clock: c.opts.Clock, MaxFlows: 64})
	if err != nil {
		t.Fatal(err)
	}
	if err := d.Close(); err != nil {
		t.Fatal(err)
	}
	if len(pinned()) == before {
		t.Fatal("nothing is left of a data path that was closed")
	}
}

// pinned are the data paths that are pinned.
func pinned() []string {
	dirs, _ := filepath.Glob("/sys/fs/bpf/weir/ovs-*")
	return dirs
}

// TestFallback takes each feature that eBPF data paths need away from the
// kernel: the types "system" and "ebpf" are served by user space then, and the
// reason names the feature.
func TestFallback(t *testing.T) {
	if os.Geteuid() != 0 {
		if os.Getenv("CI") != "" {
			t.Fatal("needs root, and CI should have it")
		}
		t.Skip("needs root")
	}
	required := 0
	for _, f := range new(ebpf.Probes).All() {
		if !f.Required {
			continue
		}
		required++
		t.Run(f.Name, func(t *testing.T) {
			probes := &ebpf.Probes{Deny: func(name string) error {
				if name == f.Name {
					return fmt.Errorf("denied by the test: %w", unix.EOPNOTSUPP)
				}
				return nil
			}}
			c := &composer{
				opts: &Options{Clock: clock.New(), RunDir: t.TempDir()}, host: linux.NewHost(), probes: probes,
				fallen: map[string]string{}, sw: &Switch{},
			}
			for _, typ := range []string{"system", "ebpf"} {
				var p provider
				before := len(pinned())
				if required == 1 {
					leave(t, c, typ)
				}
				if err := c.choose(typ, &p); err != nil {
					t.Fatal(err)
				}
				defer p.dp.(interface{ Close() error }).Close()
				if _, ok := p.dp.(*userspace.DP); !ok || p.dp.Type() != typ {
					t.Errorf("type %s has a %T of type %s, want one in user space", typ, p.dp, p.dp.Type())
				}
				var text strings.Builder
				doc := map[string]string{}
				showProbes(p.probed, &text, doc)
				if want := "eBPF: " + f.Name + ": No (needs "; !strings.Contains(text.String(), want) || !strings.Contains(doc["ebpf: "+f.Name], "denied by the test") {
					t.Errorf("dpif/show-dp-features says of a denied feature:\n%s%v", text.String(), doc)
				}
				if len(pinned()) != before {
					t.Errorf("type %s: what an earlier process left forwards on: %v", typ, pinned())
				}
				if p.chosen.kind != "userspace" || !strings.Contains(p.chosen.reason, f.Name) || !strings.Contains(p.chosen.reason, "needs ") {
					t.Errorf("type %s was chosen as %+v, want the reason to name %s", typ, p.chosen, f.Name)
				}
			}
		})
	}
	if required == 0 {
		t.Error("no feature is required")
	}
}
