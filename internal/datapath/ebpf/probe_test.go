package ebpf

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"testing"

	"golang.org/x/sys/unix"

	"weir/internal/clock"
	"weir/internal/datapath/dptest"
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

// errDenied is what tests answer for the kernel.
var errDenied = fmt.Errorf("denied by the test: %w", unix.EOPNOTSUPP)

// without are probes that find all but some features.
func without(names ...string) *Probes {
	return &Probes{Deny: func(feature string) error {
		if slices.Contains(names, feature) {
			return errDenied
		}
		return nil
	}}
}

// TestEachFeatureMissing takes one feature after the other away: without one that
// is required there is no data path, but an error that names it; without any
// other there is.
func TestEachFeatureMissing(t *testing.T) {
	needRoot(t)
	for _, pr := range probes {
		t.Run(pr.name, func(t *testing.T) {
			before := len(descriptors(t))
			d, err := New(Config{Type: "ebpf", Name: "test", Clock: clock.New(), MaxFlows: 64, Temporary: true, Probes: without(pr.name)})
			if !pr.required {
				if err != nil {
					t.Fatalf("no data path without what is not required: %v", err)
				}
				if i := slices.IndexFunc(d.Probed(), func(f Feature) bool { return f.Name == pr.name && errors.Is(f.Err, errDenied) }); i < 0 {
					t.Errorf("%s is not among what the data path says is missing: %v", pr.name, d.Probed())
				}
				if err := d.Close(); err != nil {
					t.Error(err)
				}
				return
			}
			var missing *FeatureError
			if !errors.As(err, &missing) || missing.Feature != pr.name || missing.Needs == "" || !errors.Is(err, unix.EOPNOTSUPP) {
				t.Errorf("the error is %v, want a FeatureError of %s", err, pr.name)
			}
			if d != nil {
				t.Error("there is a data path all the same")
			}
			if after := len(descriptors(t)); after > before {
				t.Errorf("%d descriptors are open, %d were before", after, before)
			}
		})
	}
}

// TestConformanceWithoutOptional runs the conformance suite by programs for a
// kernel that has only what is required.
func TestConformanceWithoutOptional(t *testing.T) {
	var optional []string
	for _, pr := range probes {
		if !pr.required {
			optional = append(optional, pr.name)
		}
	}
	dptest.Run(t, func(t *testing.T) *dptest.Harness { return harnessOf(t, newDPWith(t, without(optional...))) })
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
