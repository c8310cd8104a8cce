package ebpf

import (
	"sync"
	"testing"
	"time"

	"weir/internal/datapath"
	"weir/internal/netdev"
	"weir/internal/netdev/linux"
)

// answers is an UpcallHandler that may be slow.
type answers struct {
	mu     sync.Mutex
	calls  map[uint32]int // by port
	ahead  int            // calls for port 1 before the last for port 2
	hold   chan struct{}  // nil: answer at once; else after it is closed
	pause  time.Duration
	answer func(*datapath.Upcall) datapath.Verdict
}

func (a *answers) HandleUpcall(u *datapath.Upcall) datapath.Verdict {
	a.mu.Lock()
	if a.calls == nil {
		a.calls = map[uint32]int{}
	}
	a.calls[u.Key.InPort]++
	if u.Key.InPort == 2 {
		a.ahead = a.calls[1]
	}
	a.mu.Unlock()
	if a.hold != nil {
		<-a.hold
	}
	time.Sleep(a.pause)
	return a.answer(u)
}

func (a *answers) Installed(*datapath.Upcall, *datapath.Verdict, error) {}

func (*answers) Removed(any, datapath.Stats) {}

func (a *answers) count(port uint32) int {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.calls[port]
}

// sendMany lets n equal frames come in.
func (c *cable) sendMany(t *testing.T, frame []byte, n int) {
	t.Helper()
	for n > 0 {
		batch := make([]*netdev.Packet, min(n, 64))
		for i := range batch {
			p := netdev.PacketOf(frame)
			batch[i] = &p
		}
		sent, err := c.far.Send(0, batch)
		if err != nil {
			t.Fatal(err)
		}
		n -= sent
	}
}

func until(t *testing.T, what string, done func() bool) {
	t.Helper()
	for end := time.Now().Add(patience); !done(); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("never: %s", what)
		}
	}
}

// TestOneAnswerForManyMisses lets packets of one flow pile up while the switch
// thinks about the first: it is asked once, and all arrive.
func TestOneAnswerForManyMisses(t *testing.T) {
	d, host := newDP(t), linux.NewHost()
	a, b := newCable(t, host, "a"), newCable(t, host, "b")
	for _, c := range []*cable{a, b} {
		if _, err := d.PortAdd(c.port, "system", datapath.PortNone); err != nil {
			t.Fatal(err)
		}
	}
	_, mask, err := datapath.ParseKey("recirc_id(0),in_port(1),packet_type(ns=0,id=0),eth_type(0)", nil)
	if err != nil {
		t.Fatal(err)
	}
	h := &answers{hold: make(chan struct{}), answer: func(*datapath.Upcall) datapath.Verdict {
		return datapath.Verdict{Actions: []datapath.Action{&datapath.Output{Port: 2}}, Mask: mask, UFID: datapath.UFID{7}, Install: true}
	}}
	d.SetUpcallHandler(h)
	const packets = 300
	a.sendMany(t, composed(t), packets)
	until(t, "the first is asked about", func() bool { return h.count(1) > 0 })
	close(h.hold)
	got := 0
	until(t, "all arrive", func() bool { got += len(b.take(t)); return got >= packets })
	if h.count(1) != 1 {
		t.Errorf("the switch was asked %d times, want once", h.count(1))
	}
}

// TestFloodStarvesNobody floods one port with misses that are answered slowly:
// those of another port are answered meanwhile, and what waits is bounded.
func TestFloodStarvesNobody(t *testing.T) {
	d, host := newDP(t), linux.NewHost()
	a, b := newCable(t, host, "a"), newCable(t, host, "b")
	for _, c := range []*cable{a, b} {
		if _, err := d.PortAdd(c.port, "system", datapath.PortNone); err != nil {
			t.Fatal(err)
		}
	}
	h := &answers{hold: make(chan struct{}), pause: 300 * time.Microsecond, answer: func(*datapath.Upcall) datapath.Verdict { return datapath.Verdict{} }}
	d.SetUpcallHandler(h)
	frame := composed(t)
	const flood = 20 * queueLength
	for n := 64; n <= flood; n += 64 {
		a.sendMany(t, frame, 64)
		until(t, "the kernel keeps up", func() bool { return d.set.Counters().Misses >= uint64(n) })
	}
	b.sendMany(t, frame, 3)
	until(t, "the other port's packets come in", func() bool { return d.set.Counters().Misses >= flood+3 })
	close(h.hold) // all that came has either a place in a queue or none
	until(t, "the other port's packets are answered", func() bool { return h.count(2) == 3 })
	if h.ahead > queueLength {
		t.Errorf("%d packets of the flood went first", h.ahead)
	}
	until(t, "the flood ends", func() bool { n := h.count(1); time.Sleep(50 * time.Millisecond); return n == h.count(1) })
	if n := h.count(1); n >= flood/2 {
		t.Errorf("%d of %d packets of the flood had waited, want at most some %d", n, flood, queueLength)
	}
}
