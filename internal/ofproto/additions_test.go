package ofproto

import (
	"encoding/binary"
	"fmt"
	"testing"
	"time"

	"weir/internal/openflow"
)

// Flow mods that come in one piece are taken together: those that are refused
// are answered in their order and leave no trace, the others are in force
// before anything that comes after them.
func TestManyFlowModsAtOnce(t *testing.T) {
	r := newRig(t)
	b := r.bridge("br0", 2, true)
	p := r.connect("br0", openflow.V13)
	ask[*openflow.BarrierReply](p, &openflow.BarrierRequest{})

	overlapping := addFlow("in_port=1,reg0=3")
	overlapping.Flags |= openflow.FlowCheckOverlap
	remove := addFlow("reg0=5")
	remove.Command = openflow.FlowDelete
	remove.TableID = openflow.TableAny
	var msgs []openflow.Message
	for i := range 8 {
		msgs = append(msgs, addFlow(fmt.Sprintf("reg0=%d", i), &openflow.Output{Port: 1}))
	}
	msgs = append(msgs,
		overlapping, // 9: overlaps with reg0=3
		addFlow("reg0=20", &openflow.Group{ID: 7}),   // 10: no such group
		addFlow("reg0=2", &openflow.Output{Port: 2}), // replaces one of the same piece
		remove, // one of the same piece
		addFlow("reg0=21", &openflow.Output{Port: 0xffffff10}), // 13: no such port
		&openflow.BarrierRequest{})                             // 14
	var piece []byte
	for i, m := range msgs {
		raw, err := openflow.Encode(p.p, uint32(1000+i+1), m)
		if err != nil {
			t.Fatal(err)
		}
		piece = append(piece, raw...)
	}
	if _, err := p.c.Write(piece); err != nil {
		t.Fatal(err)
	}
	_ = p.c.SetReadDeadline(time.Now().Add(time.Minute))
	for _, want := range []uint32{1009, 1010, 1013, 1014} {
		m, err := readMessage(p.c)
		if err != nil {
			t.Fatal(err)
		}
		if got := binary.BigEndian.Uint32(m[4:]); got != want {
			t.Fatalf("an answer to %d, want one to %d", got, want)
		}
	}
	if n := b.pipe.Active(0); n != 7 {
		t.Errorf("%d flows, want 7", n)
	}
	for _, rule := range b.pipe.Table(0).Rules(b.pipe.Version()) {
		want := "output:1"
		if rule.Match().String() == "reg0=0x2" {
			want = "output:2"
		}
		if got := openflow.FormatActions(rule.Actions(), nil); got != want {
			t.Errorf("%s: %s, want %s", rule.Match(), got, want)
		}
	}
}
