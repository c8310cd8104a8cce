package patch

import (
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"

	"weir/internal/netdev"
	"weir/internal/packet"
)

func TestOptions(t *testing.T) {
	open := Provider().Open
	for _, options := range []map[string]string{nil, {}, {"peer": ""}} {
		if _, err := open("p0", options); !errors.Is(err, ErrNoPeer) {
			t.Errorf("options %v: error %v", options, err)
		}
	}
	if _, err := open("p0", map[string]string{"peer": "p0"}); err == nil {
		t.Error("a patch port became its own peer")
	}
	dev, err := open("p0", map[string]string{"peer": "p1"})
	if err != nil {
		t.Fatal(err)
	}
	d := dev.(*Device)
	before := d.Changes()
	if err := d.SetOptions(map[string]string{"peer": "p1"}); err != nil || d.Changes() != before {
		t.Errorf("nothing changed, but %d became %d (%v)", before, d.Changes(), err)
	}
	if err := d.SetOptions(map[string]string{"peer": "p2"}); err != nil || d.Peer() != "p2" || d.Changes() == before {
		t.Errorf("peer %q (%v)", d.Peer(), err)
	}
	if err := d.SetOptions(nil); err == nil || d.Peer() != "p2" {
		t.Errorf("a refused option changed the peer to %q", d.Peer())
	}
}

// A patch port has an address and counters, and no packets of its own.
func TestDevice(t *testing.T) {
	dev, err := Provider().Open("p0", map[string]string{"peer": "p1"})
	if err != nil {
		t.Fatal(err)
	}
	d := dev.(*Device)
	mac := packet.MAC{2, 0, 0, 0, 0, 1}
	before := d.Changes()
	if err := d.SetMAC(mac); err != nil || d.MAC() != mac || d.Changes() == before {
		t.Errorf("address %v (%v)", d.MAC(), err)
	}
	d.AddStats(1, 100, 2, 300)
	d.AddStats(1, 10, 0, 0)
	stats, err := d.Stats()
	if err != nil {
		t.Fatal(err)
	}
	got := [4]uint64{stats.RxPackets, stats.RxBytes, stats.TxPackets, stats.TxBytes}
	if diff := cmp.Diff([4]uint64{2, 110, 2, 300}, got); diff != "" {
		t.Error(diff)
	}
	if n, err := d.Send(0, []*netdev.Packet{{}}); n != 0 || !errors.Is(err, errors.ErrUnsupported) {
		t.Errorf("sent %d (%v)", n, err)
	}
	if err := d.SetMTU(1400); !errors.Is(err, errors.ErrUnsupported) {
		t.Errorf("an MTU was set (%v)", err)
	}
	if d.NumRxQueues() != 0 || d.RecvFD(0) != -1 {
		t.Error("a patch port has something to poll")
	}
}
