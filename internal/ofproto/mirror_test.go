package ofproto

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

// A mirror copies what the bridge forwards, also what the data path forwards
// alone, counts it, and comes into force when its output port comes.
func TestMirror(t *testing.T) {
	r := newRig(t)
	b := r.bridge("br0", 2, false)
	cfg := Config{Name: "br0", Mirrors: []MirrorConfig{{ID: "m", Name: "m0", SelectAll: true, OutPort: "span"}}}
	if err := b.Configure(cfg); err != nil {
		t.Fatal(err)
	}
	r.receive("p1", hostA)
	if d := cmp.Diff(map[string]MirrorStats{"m": {}}, b.MirrorStats()); d != "" {
		t.Fatal("without its port: ", d)
	}
	r.add(b, "span", "dummy", 0)
	r.be.Engine().Revalidate()
	r.receive("p2", hostB)
	for range 3 {
		r.receive("p1", hostA)
	}
	r.be.Engine().Revalidate()
	if n := r.sent("span"); n != 4 {
		t.Fatalf("%d copies of 4 packets", n)
	}
	if d := cmp.Diff(map[string]MirrorStats{"m": {Packets: 4, Bytes: 4 * 106}}, b.MirrorStats()); d != "" {
		t.Fatal(d)
	}
	cfg.Mirrors = nil
	if err := b.Configure(cfg); err != nil {
		t.Fatal(err)
	}
	r.be.Engine().Revalidate()
	r.receive("p1", hostA)
	if n := r.sent("span"); n != 4 {
		t.Fatalf("%d copies without a mirror", n-4)
	}
}
