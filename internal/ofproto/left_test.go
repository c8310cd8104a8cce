package ofproto

import "testing"

// Packets that came in on a port before it was removed, and are counted after that,
// don't have their source learned there: packets to it would go nowhere.
func TestNothingIsLearnedOnPortsThatLeft(t *testing.T) {
	r := newRig(t)
	b := r.bridge("br0", 2, false)
	r.receive("p1", hostA)
	r.receive("p2", hostB)
	r.receive("p2", hostB) // by the flow
	b.DelBundle("p2")
	r.be.Engine().Revalidate()
	for _, e := range b.macs.Entries() {
		if l, ok := e.Owner.(*bundle); !ok || l.Left() {
			t.Errorf("%s is on a port that is gone", e.MAC)
		}
	}
	if n, _, _ := b.macs.Len(); n != 1 {
		t.Errorf("%d addresses are known, want 1", n)
	}
}
