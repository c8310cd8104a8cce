package ofproto

import (
	"testing"

	"weir/internal/openflow"
)

// A bundle with a change of a port that isn't there leaves the flow tables alone.
func TestBundledPortMod(t *testing.T) {
	r := newRig(t)
	b := r.bridge("br0", 2, true)
	p := r.connect("br0", openflow.V14)
	ctl := func(typ openflow.BundleCtrlType) *openflow.BundleControl {
		return &openflow.BundleControl{ID: 1, Type: typ, Flags: openflow.BundleAtomic}
	}
	ask[*openflow.BundleControl](p, ctl(openflow.BundleOpenRequest))
	for _, m := range []openflow.Message{addFlow("reg0=1", &openflow.Output{Port: 1}), &openflow.PortMod{PortNo: 99}} {
		raw, err := openflow.Encode(p.p, 99, m)
		if err != nil {
			t.Fatal(err)
		}
		p.send(&openflow.BundleAdd{ID: 1, Flags: openflow.BundleAtomic, Raw: raw})
	}
	p.send(ctl(openflow.BundleCommitRequest))
	for _, want := range []openflow.ErrCode{openflow.ErrPMFCBadPort, openflow.ErrBFCMsgFailed} {
		if e, ok := p.recv().(*openflow.Error); !ok || e.Code != want {
			t.Fatalf("got %v, want %s", e, want)
		}
	}
	if n := b.pipe.Active(0); n != 0 {
		t.Errorf("%d flows of a bundle that failed", n)
	}
}
