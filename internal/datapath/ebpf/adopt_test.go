package ebpf

import (
	"errors"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"github.com/cilium/ebpf"
	"github.com/google/go-cmp/cmp"

	"weir/internal/clock"
	"weir/internal/datapath"
	"weir/internal/flow"
	"weir/internal/netdev"
	"weir/internal/netdev/linux"
)

// keptDP opens the data path of a run directory.
func keptDP(t *testing.T, dir string, flows int) *DP {
	t.Helper()
	d, err := New(Config{Type: "ebpf", Name: "kept", RunDir: dir, Clock: clock.New(), MaxFlows: flows})
	if err != nil {
		t.Fatal(err)
	}
	d.Start()
	return d
}

func putFlow(t *testing.T, d *DP, key, actions string) {
	t.Helper()
	k, m, err := datapath.ParseKey(key, nil)
	if err != nil {
		t.Fatal(err)
	}
	a, err := datapath.ParseActions(actions, nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := d.FlowPut(&datapath.Flow{Key: *k, Mask: *m, Actions: a}, datapath.PutCreate); err != nil {
		t.Fatal(err)
	}
}

func dump(d *DP) (out []string) {
	d.FlowDump(func(f *datapath.Flow) bool {
		out = append(out, datapath.FormatUFID(f.UFID)+" "+datapath.FormatKey(&f.Key, &f.Mask, false, nil)+" "+datapath.FormatActions(f.Actions, nil))
		return true
	})
	return out
}

// send lets n frames come in on a cable and counts what comes out of another,
// where so many should.
func (c *cable) send(t *testing.T, to *cable, frame []byte, n, want int) int {
	t.Helper()
	for range n {
		p := netdev.PacketOf(frame)
		if sent, err := c.far.Send(0, []*netdev.Packet{&p}); sent != 1 || err != nil {
			t.Fatalf("sent %d packets: %v", sent, err)
		}
	}
	return len(to.takeAll(t, want))
}

// keptBetween is a data path with cables at ports 5 and up.
func keptBetween(t *testing.T, dir string, cables ...*cable) *DP {
	t.Helper()
	d := keptDP(t, dir, 4096)
	for i, c := range cables {
		if _, err := d.PortAdd(c.port, "system", datapath.PortNo(5+i)); err != nil {
			t.Fatal(err)
		}
	}
	return d
}

// TestTwoOfOneName has a second switch of the same directory come while the first
// goes on, as containers have it that share a network namespace and the bpf file
// system: neither disturbs the other.
func TestTwoOfOneName(t *testing.T) {
	needRoot(t)
	dir, host := t.TempDir(), linux.NewHost()
	a, b := newCable(t, host, "a"), newCable(t, host, "b")
	d := keptBetween(t, dir, a, b)
	putFlow(t, d, "recirc_id(0),in_port(5),packet_type(ns=0,id=0),eth_type(0x0800),ipv4(frag=no)", "6")
	d.mirror.do("commit", d.set.Commit)
	second := keptDP(t, dir, 4096)
	if second.pins != "" {
		t.Errorf("the second data path has taken %s from the first", second.pins)
	}
	second.Settle()
	if err := second.Destroy(); err != nil {
		t.Error(err)
	}
	if err := Discard("kept", dir); !errors.Is(err, errTaken) {
		t.Errorf("discarding what the first is using: %v, want %v", err, errTaken)
	}
	if n := a.send(t, b, composed(t), 5, 5); n != 5 {
		t.Errorf("%d packets arrived of 5", n)
	}
	if err := d.Destroy(); err != nil {
		t.Error(err)
	}
	if left, ok := findPinDir("kept", dir); ok {
		t.Errorf("%s is left", left)
	}
}

// TestAdoption ends a data path and opens it again: packets are forwarded
// between the two, and the second has flows, statistics and ports of the first.
func TestAdoption(t *testing.T) {
	needRoot(t)
	dir, host := t.TempDir(), linux.NewHost()
	a, b := newCable(t, host, "a"), newCable(t, host, "b")
	d := keptBetween(t, dir, a, b)
	putFlow(t, d, "recirc_id(0),in_port(5),packet_type(ns=0,id=0),eth_type(0x0800),ipv4(frag=no)", "6")
	putFlow(t, d, "recirc_id(0),in_port(6),packet_type(ns=0,id=0),eth_type(0x0800),ipv4(dst=10.0.0.0/255.0.0.0,frag=no)", "push_vlan(vid=5,pcp=0),5,userspace(pid=0,slow_path(cfm))")
	putFlow(t, d, "recirc_id(0),in_port(6),packet_type(ns=0,id=0),eth_type(0x0806)", "drop")
	d.mirror.do("commit", d.set.Commit)
	frame := composed(t)
	if n := a.send(t, b, frame, 3, 3); n != 3 {
		t.Fatalf("%d packets arrived before, want 3", n)
	}
	before := dump(d)
	if err := d.Close(); err != nil {
		t.Fatal(err)
	}
	if n := a.send(t, b, frame, 4, 4); n != 4 {
		t.Errorf("%d packets arrived while no process was there, want 4", n)
	}

	d = keptDP(t, dir, 4096)
	if n := a.send(t, b, frame, 5, 5); n != 5 {
		t.Errorf("%d packets arrived after adoption, want 5", n)
	}
	if diff := cmp.Diff(sorted(before), sorted(dump(d))); diff != "" {
		t.Errorf("flows, -before +after:\n%s", diff)
	}
	if no, err := d.PortAdd(b.port, "system", datapath.PortNone); no != 6 || err != nil {
		t.Errorf("the port has number %d (%v), want its old 6", no, err)
	}
	d.Settle() // a is claimed by nobody
	if n := a.send(t, b, frame, 1, 0); n != 0 {
		t.Errorf("%d packets arrived of a port that is no more", n)
	}
	k, _, _ := datapath.ParseKey("recirc_id(0),in_port(5),packet_type(ns=0,id=0),eth_type(0x0800)", nil)
	f, err := d.FlowGet(datapath.UFID{}, k)
	if err != nil || f.Stats.Packets != 12 || f.Stats.Used.IsZero() {
		t.Errorf("flow counts %+v (%v), want 12 packets", f.Stats, err)
	}
	if err := d.Close(); err != nil {
		t.Fatal(err)
	}

	// Of other dimensions: nothing but the ports can be taken over.
	d = keptDP(t, dir, 8192)
	if got := dump(d); got != nil {
		t.Errorf("flows of a smaller data path: %v", got)
	}
	if no, err := d.PortAdd(b.port, "system", datapath.PortNone); no != 6 || err != nil {
		t.Errorf("the port has number %d (%v), want its old 6", no, err)
	}
	if err := d.Destroy(); err != nil {
		t.Fatal(err)
	}
	if dir, ok := findPinDir("kept", dir); ok {
		t.Errorf("%s is left behind", dir)
	}
}

// forwarder answers every miss with a flow to one port.
type forwarder struct{ to datapath.PortNo }

func (f forwarder) HandleUpcall(u *datapath.Upcall) datapath.Verdict {
	mask := new(flow.Mask)
	mask.InPort, mask.RecircID, mask.PacketType, mask.EthType = ^uint32(0), ^uint32(0), ^uint32(0), 0xffff
	return datapath.Verdict{Actions: []datapath.Action{&datapath.Output{Port: f.to}}, Mask: mask, UFID: datapath.UFID{1}, Install: true}
}

func (forwarder) Installed(*datapath.Upcall, *datapath.Verdict, error) {}

func (forwarder) Removed(any, datapath.Stats) {}

// TestUpgrade ends a data path and opens it by a program with another layout of
// the memory: the old programs forward until the new data path is ready, and no
// packet is lost or doubled.
func TestUpgrade(t *testing.T) {
	needRoot(t)
	dir, host := t.TempDir(), linux.NewHost()
	a, b := newCable(t, host, "a"), newCable(t, host, "b")
	open := func() *DP {
		d := keptDP(t, dir, 4096)
		for i, c := range []*cable{a, b} {
			if no, err := d.PortAdd(c.port, "system", datapath.PortNone); no != datapath.PortNo(1+i) || err != nil {
				t.Fatalf("port %d, %v", no, err)
			}
		}
		return d
	}
	d := open()
	d.Settle()
	putFlow(t, d, "recirc_id(0),in_port(1),packet_type(ns=0,id=0),eth_type(0x0800),ipv4(frag=no)", "2")
	d.mirror.do("commit", d.set.Commit)
	pins := d.pins
	stop, done := make(chan struct{}), make(chan int)
	var came atomic.Int64
	frame := composed(t)
	go func() {
		sent := 0
		defer func() { done <- sent }()
		for ; ; time.Sleep(20 * time.Microsecond) {
			select {
			case <-stop:
				return
			default:
			}
			p := netdev.PacketOf(frame)
			// No more under way than queues hold while their reader stands still.
			if int64(sent)-came.Load() < queueLength/2 {
				if n, _ := a.far.Send(0, []*netdev.Packet{&p}); n == 1 {
					sent++
				}
			}
			came.Add(int64(len(b.take(t))))
		}
	}()
	pass := func() {
		t.Helper()
		enough := came.Load() + 300
		until(t, "packets pass", func() bool { return came.Load() >= enough })
	}
	pass()
	if err := d.Close(); err != nil {
		t.Fatal(err)
	}
	otherVersion(t, pins)
	pass()
	d = open()
	if got := dump(d); got != nil {
		t.Errorf("flows of another layout: %v", got)
	}
	pass() // by the old programs
	if c := d.set.Counters(); c.Hits+c.Misses != 0 {
		t.Errorf("packets came to the new programs before their time: %+v", c)
	}
	d.SetUpcallHandler(forwarder{to: 2})
	d.Settle()
	until(t, "the new programs forward", func() bool { return d.set.Counters().Hits > 0 })
	pass()
	close(stop)
	sent := <-done
	got := int(came.Load())
	got += len(b.takeAll(t, sent-got))
	t.Logf("%d packets sent over the upgrade, %d came", sent, got)
	if got != sent {
		t.Errorf("%d packets of %d came", got, sent)
	}
	if err := d.Destroy(); err != nil {
		t.Fatal(err)
	}
}

// otherVersion makes pinned memory that of another version.
func otherVersion(t *testing.T, pins pinDir) {
	t.Helper()
	m, err := ebpf.LoadPinnedMap(pins.path("header"), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	header, err := m.LookupBytes(uint32(0))
	if err != nil {
		t.Fatal(err)
	}
	header[4]++ // the version
	if err := m.Put(uint32(0), header); err != nil {
		t.Fatal(err)
	}
}

func sorted(s []string) []string { return slices.Sorted(slices.Values(s)) }

// composed is a TCP packet.
func composed(t *testing.T) []byte {
	t.Helper()
	k, _, err := datapath.ParseKey("eth(src=00:00:00:00:00:01,dst=00:00:00:00:00:02),eth_type(0x0800),ipv4(src=10.0.0.1,dst=10.0.0.2,proto=6,tos=0,ttl=64,frag=no),tcp(src=1,dst=2),tcp_flags(ack)", nil)
	if err != nil {
		t.Fatal(err)
	}
	return flow.Compose(k, []byte("payload!"))
}
