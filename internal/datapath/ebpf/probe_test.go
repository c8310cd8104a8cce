package ebpf

import (
	"os"
	"testing"
)

// TestProbes requires what Linux 6.6 has: a machine whose probes fail there has
// probes that are wrong.
func TestProbes(t *testing.T) {
	needRoot(t)
	var p Probes
	for _, f := range p.All() {
		t.Logf("%s: %v", f.Name, f.Err)
	}
	if err := p.Available(); err != nil {
		t.Error(err)
	}
}

func needRoot(t testing.TB) {
	t.Helper()
	if os.Geteuid() != 0 {
		if os.Getenv("CI") != "" {
			t.Fatal("needs root, and CI should have it")
		}
		t.Skip("needs root")
	}
}
