package dptest

import (
	"bytes"
	"fmt"
	"testing"
	"time"

	"weir/internal/datapath"
	"weir/internal/flow"
)

// testWatchAll checks that packets of flows with the same actions are told apart.
func testWatchAll(t *testing.T, h *Harness) {
	d, ok := h.DP.(datapath.Watcher)
	if !ok {
		t.Fatal("the data path can't show packets")
	}
	in, out := h.AddPort(t, "p1"), h.AddPort(t, "p2")
	const flows = 3
	ufids := map[datapath.UFID]uint16{}
	for i := range flows {
		f := put(t, h.DP, fmt.Sprintf("recirc_id(0),in_port(%d),packet_type(ns=0,id=0),eth(),eth_type(0x0800),ipv4(proto=17,frag=no),udp(src=%d)", in, i+1), fmt.Sprint(out))
		got, err := h.DP.FlowGet(datapath.UFID{}, &f.Key)
		if err != nil {
			t.Fatal(err)
		}
		ufids[got.UFID] = uint16(i + 1)
	}
	m, err := flow.ParseMatch("udp", nil)
	if err != nil {
		t.Fatal(err)
	}
	w := &datapath.Watch{Match: m, Every: time.Millisecond, C: make(chan *datapath.Sighting, 64)}
	defer d.Watch(w)()
	seen := map[uint16]bool{}
	for end := time.Now().Add(30 * time.Second); len(seen) < flows; {
		if time.Now().After(end) {
			t.Fatalf("shown are only packets of the flows %v", seen)
		}
		for i := range flows {
			h.Inject(t, in, frame(t, fmt.Sprintf("eth(src=00:00:00:00:00:01,dst=00:00:00:00:00:02),eth_type(0x0800),ipv4(src=10.0.0.1,dst=10.0.0.2,proto=17,ttl=64),udp(src=%d,dst=9)", i+1)))
		}
		select {
		case s := <-w.C:
			if ufids[s.UFID] != s.Key.TpSrc {
				t.Fatalf("a packet from port %d is shown as one of the flow of port %d", s.Key.TpSrc, ufids[s.UFID])
			}
			seen[s.Key.TpSrc] = true
		case <-time.After(2 * time.Millisecond):
		}
	}
}

// sighted has inject inject packets, whose number it returns, until one of them is
// shown. It returns that one, and how many were injected.
func (h *Harness) sighted(t *testing.T, w *datapath.Watch, inject func() int) (seen *datapath.Sighting, sent int) {
	t.Helper()
	for end := time.Now().Add(30 * time.Second); seen == nil; {
		if time.Now().After(end) {
			t.Fatal("no packet is shown")
		}
		sent += inject()
		select {
		case seen = <-w.C:
		case <-time.After(5 * time.Millisecond):
		}
	}
	return seen, sent
}

// onlyFlow checks that the data path has one flow, which is as it was put and has
// counted that many packets.
func (h *Harness) onlyFlow(t *testing.T, ufid datapath.UFID, actions string, packets int) {
	t.Helper()
	n := 0
	h.DP.FlowDump(func(f *datapath.Flow) bool {
		n++
		if f.UFID != ufid || datapath.FormatActions(f.Actions, nil) != actions {
			t.Errorf("the flow is %s with actions %s; seen was one of %s", datapath.FormatUFID(f.UFID),
				datapath.FormatActions(f.Actions, nil), datapath.FormatUFID(ufid))
		}
		if f.Stats.Packets != uint64(packets) {
			t.Errorf("the flow counted %d packets, %d came", f.Stats.Packets, packets)
		}
		return true
	})
	if n != 1 {
		t.Errorf("%d flows, want 1", n)
	}
}

// testWatch checks that packets are shown as they came in, that they go on
// meanwhile, and that nothing remains of it.
func testWatch(t *testing.T, h *Harness) {
	d, ok := h.DP.(datapath.Watcher)
	if !ok {
		t.Fatal("the data path can't show packets")
	}
	in, out := h.AddPort(t, "p1"), h.AddPort(t, "p2")
	key := fmt.Sprintf("recirc_id(0),in_port(%d),packet_type(ns=0,id=0),eth(),eth_type(0x0800),ipv4(proto=17,frag=no)", in)
	actions := fmt.Sprintf("push_vlan(vid=5,pcp=0),%d", out)
	put(t, h.DP, key, actions)
	packet := func(port int) []byte {
		return frame(t, fmt.Sprintf("eth(src=00:00:00:00:00:01,dst=00:00:00:00:00:02),eth_type(0x0800),ipv4(src=10.0.0.1,dst=10.0.0.2,proto=17,ttl=64),udp(src=%d,dst=9)", port))
	}
	m, err := flow.ParseMatch("udp,tp_src=7", nil)
	if err != nil {
		t.Fatal(err)
	}
	w := &datapath.Watch{Match: m, Ports: map[datapath.PortNo]bool{in: true}, Every: time.Millisecond, C: make(chan *datapath.Sighting, 8)}
	stop := d.Watch(w)
	seen, sent := h.sighted(t, w, func() int {
		h.Inject(t, in, packet(6)) // of the same flow, and not asked for
		h.Inject(t, in, packet(7))
		return 2
	})
	stop()
	if !bytes.Equal(seen.Frame, packet(7)) || seen.Len != len(packet(7)) {
		t.Errorf("shown is %x, want %x", seen.Frame, packet(7))
	}
	if seen.Key.TpSrc != 7 || seen.Key.InPort != uint32(in) {
		t.Errorf("its key is %s", datapath.FormatKey(&seen.Key, nil, false, nil))
	}
	h.Inject(t, in, packet(7))
	sent++
	h.onlyFlow(t, seen.UFID, actions, sent)
	// Harnesses whose ports hold few frames may have lost some of many.
	if got := len(h.Transmitted(t, out, 1)); got == 0 || got > sent {
		t.Errorf("%d packets left, %d came", got, sent)
	}
	for len(w.C) > 0 {
		<-w.C
	}
	h.Inject(t, in, packet(7))
	if len(w.C) != 0 {
		t.Error("packets are shown after the end")
	}

	// A miss is shown, too, and what the watch's port excludes is not.
	w.Ports = map[datapath.PortNo]bool{out: true}
	stop = d.Watch(w)
	defer stop()
	h.Inject(t, in, packet(7))
	h.Inject(t, out, packet(7))
	select {
	case s := <-w.C:
		if s.UFID != (datapath.UFID{}) || s.Key.InPort != uint32(out) {
			t.Errorf("%+v", s)
		}
	case <-time.After(5 * time.Second):
		t.Error("a packet that no flow matches isn't shown")
	}
}
