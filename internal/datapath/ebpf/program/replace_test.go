package program

import (
	"slices"
	"testing"

	"weir/internal/datapath"
	"weir/internal/netdev"
	"weir/internal/packet"
)

// Masks are tried in the order of their packets, counted piece by piece, and main is
// replaced only where that order changes.
func TestReorder(t *testing.T) {
	n := newTapnet(t, Config{MaxFlows: 2 * rankPiece})
	frame, k := udp(t, 1, 2)
	wide := *l2Mask()
	other, k2 := k, k
	k2.EthDst[0] = 6
	code, _ := n.set.Compile(&k, &wide, []datapath.Action{&datapath.Output{Port: outPort}})
	for i := range rankPiece + 10 {
		other.EthDst = packet.MACFromUint64(uint64(0x0400_0000_0000 + i))
		if _, err := n.set.Put(&other, &wide, datapath.UFID{}, code); err != nil {
			t.Fatal(err)
		}
	}
	n.install(t, &k2, &wide, "1")
	narrow := wide
	narrow.EthSrc = packet.MAC{}
	n.install(t, &k, &narrow, "2")
	order := func() []uint32 { return slices.Clone(n.set.flows.order) }
	before := order()
	if m := n.set.PrepareReordered(); m != nil {
		t.Error("a new main although no order changed")
	}
	n.send(t, frame, netdev.Offload{})
	pieces := 1
	for !n.set.Rank() {
		pieces++
	}
	if pieces != 2 {
		t.Errorf("%d flows were looked at in %d pieces, want 2", rankPiece+12, pieces)
	}
	if err := n.set.Reorder(); err != nil {
		t.Fatal(err)
	}
	after := order()
	slices.Reverse(after)
	if len(before) != 2 || !slices.Equal(before, after) {
		t.Errorf("masks were tried in the order %v, and %v after a packet of the last", before, order())
	}
	if m := n.set.PrepareReordered(); m != nil {
		t.Error("a new main although the order is the same")
	}
	n.send(t, frame, netdev.Offload{})
	if out := len(n.drain(n.out[outPort])); out != 2 {
		t.Errorf("%d packets went out, want 2", out)
	}
}
