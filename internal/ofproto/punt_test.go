package ofproto

import (
	"testing"

	"weir/internal/openflow"
	"weir/internal/trace"
)

// A trace of a packet sends it to the controllers that it would come to, and
// nowhere else; one of a flow alone sends nothing.
func TestTracedPacketsReachControllers(t *testing.T) {
	r := newRig(t)
	r.bridge("br0", 2, true)
	p := r.connect("br0", openflow.V13)
	p.send(&openflow.SetConfig{SwitchConfig: openflow.SwitchConfig{MissSendLen: 0xffff}})
	p.send(addFlow("in_port=1", &openflow.SetEthSrc{MAC: [6]byte{2, 0, 0, 0, 0, 9}}, &openflow.Output{Port: openflow.PortController, MaxLen: 0xffff}, &openflow.Output{Port: 2}))
	p.sync()
	for _, args := range [][]string{{"br0", "in_port=1,tcp"}, {"br0", "in_port=2,tcp", "-generate"}, {"br0", "in_port=1,tcp", "-generate"}} {
		report, err := trace.Run(&trace.Env{Config: r.be.Snapshot(), Now: r.clk.Now(), Punt: r.be.Punt}, args)
		if err != nil {
			t.Fatal(err)
		}
		report.Release()
	}
	said := p.sync()
	if len(said) != 1 {
		t.Fatalf("%d packets came", len(said))
	}
	in, ok := said[0].(*openflow.PacketIn)
	if !ok || in.Metadata.Key.InPort != 1 || len(in.Data) < 12 || in.Data[11] != 9 {
		t.Errorf("%+v", said[0])
	}
	if n := r.sent("p2"); n != 0 {
		t.Errorf("%d packets were sent on", n)
	}
}
