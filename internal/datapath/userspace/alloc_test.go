package userspace

import (
	"encoding/binary"
	"fmt"
	"testing"

	"weir/internal/clock"
	"weir/internal/datapath"
	"weir/internal/flow"
	"weir/internal/netdev"
	"weir/internal/netdev/patch"
)

// source is a device that always has a full batch of packets and swallows what
// it is sent. Each packet has another source port.
type source struct {
	*patch.Device
	frames [][]byte
	next   int
}

func (s *source) NumRxQueues() int { return 1 }

func (s *source) Recv(_ int, batch []netdev.Packet) (int, error) {
	for i := range batch {
		batch[i].SetFrame(s.frames[s.next])
		if s.next++; s.next == len(s.frames) {
			s.next = 0
		}
	}
	return len(batch), nil
}

func (s *source) Send(_ int, batch []*netdev.Packet) (int, error) { return len(batch), nil }

func newSource(tb testing.TB, name string, flows int) *source {
	dev, err := patch.Provider().Open(name, map[string]string{"peer": "none"})
	if err != nil {
		tb.Fatal(err)
	}
	s := &source{Device: dev.(*patch.Device)}
	for i := range flows {
		k, _, err := datapath.ParseKey(fmt.Sprintf("eth(src=00:00:00:00:00:01,dst=00:00:00:00:00:02),eth_type(0x0800),ipv4(src=10.0.0.1,dst=10.0.0.2,proto=17,tos=0,ttl=64,frag=no),udp(src=%d,dst=%d)", i&0xffff, i>>16), nil)
		if err != nil {
			tb.Fatal(err)
		}
		s.frames = append(s.frames, flow.Compose(k, make([]byte, 18)))
	}
	return s
}

// rig is a data path with two sources and a worker that polls the first.
func rig(tb testing.TB, flows int, keys []string, actions string) (*worker, *port) {
	d, err := New(Config{Type: "dummy", Synchronous: true, Clock: clock.New()})
	if err != nil {
		tb.Fatal(err)
	}
	for i, name := range []string{"p1", "p2", "p3"} {
		if _, err := d.PortAdd(newSource(tb, name, flows), "dummy", datapath.PortNo(i+1)); err != nil {
			tb.Fatal(err)
		}
	}
	a, err := datapath.ParseActions(actions, nil)
	if err != nil {
		tb.Fatal(err)
	}
	for _, key := range keys {
		k, m, err := datapath.ParseKey(key, nil)
		if err != nil {
			tb.Fatal(err)
		}
		if err := d.FlowPut(&datapath.Flow{Key: *k, Mask: *m, Actions: a}, datapath.PutCreate); err != nil {
			tb.Fatal(err)
		}
	}
	return d.spare.get(d), d.ports.Load().get(1)
}

const anyIP = "recirc_id(0),in_port(1),packet_type(ns=0,id=0),eth_type(0x0800),ipv4(frag=no)"

// discard is an upcall handler that does nothing.
type discard struct{}

func (discard) HandleUpcall(*datapath.Upcall) datapath.Verdict       { return datapath.Verdict{} }
func (discard) Installed(*datapath.Upcall, *datapath.Verdict, error) {}
func (discard) Removed(any, datapath.Stats)                          {}

// TestNoAllocations pins that no action list makes the forwarding path allocate.
func TestNoAllocations(t *testing.T) {
	for _, actions := range []string{
		"2", "2,3", "push_vlan(vid=5,pcp=0),2", "2,push_vlan(vid=5,pcp=0),pop_vlan,3", "drop",
		"set(eth(src=00:00:00:00:00:09)),set(ipv4(src=1.2.3.4,ttl=9)),set(udp(src=5)),2",
		"clone(push_vlan(vid=1,pcp=0),2),3", "sample(sample=50.0%,actions(2)),3", "trunc(20),2",
		"hash(l4(0)),recirc(0x1)", "userspace(pid=0,slow_path(action)),2",
		"push_mpls(label=1,tc=0,ttl=3,bos=1,eth_type=0x8847),2", "check_pkt_len(size=9,gt(2),le(3))",
	} {
		w, p := rig(t, 1000, []string{anyIP, "recirc_id(0x1),in_port(1),packet_type(ns=0,id=0),eth_type(0x0800),ipv4(frag=no)"}, actions)
		w.dp.SetUpcallHandler(discard{})
		w.poll(p, 0)
		if n := testing.AllocsPerRun(50, func() { w.poll(p, 0) }); n != 0 {
			t.Errorf("%s: %v allocations per batch of %d packets", actions, n, batchSize)
		}
	}
}

// TestWatchAllocatesNothing pins that packets nobody wants to see cost no memory
// while others are watched for.
func TestWatchAllocatesNothing(t *testing.T) {
	w, p := rig(t, 1000, []string{anyIP}, "2")
	defer watchNothing(t, w.dp)()
	w.poll(p, 0)
	if n := testing.AllocsPerRun(50, func() { w.poll(p, 0) }); n != 0 {
		t.Errorf("%v allocations per batch of %d packets", n, batchSize)
	}
}

// watchNothing watches for packets of which there are none.
func watchNothing(tb testing.TB, d *DP) (stop func()) {
	m, err := flow.ParseMatch("tcp,nw_dst=10.9.9.9", nil)
	if err != nil {
		tb.Fatal(err)
	}
	return d.Watch(&datapath.Watch{Match: m, C: make(chan *datapath.Sighting, 1)})
}

// BenchmarkForwardWatched is BenchmarkForward of 1,000 flows while somebody
// watches for other packets.
func BenchmarkForwardWatched(b *testing.B) {
	w, p := rig(b, 1000, binaryKeys(1), "2")
	defer watchNothing(b, w.dp)()
	b.ReportAllocs()
	b.ResetTimer()
	for i := 0; i < b.N; i += batchSize {
		w.poll(p, 0)
	}
}

func binaryKeys(n int) []string {
	var keys []string
	for i := range n - 1 {
		var b [4]byte
		binary.BigEndian.PutUint32(b[:], 0xffffffff<<(i+1))
		keys = append(keys, fmt.Sprintf("recirc_id(0),in_port(1),packet_type(ns=0,id=0),eth_type(0x0800),ipv4(src=200.%d.0.0/%d.%d.%d.%d,frag=no)", i, b[0], b[1], b[2], b[3]))
	}
	return append(keys, anyIP)
}

// BenchmarkForward is the cost of one packet from Recv to Send without any
// system call: extraction, lookup and output.
func BenchmarkForward(b *testing.B) {
	for _, bm := range []struct {
		name         string
		flows, masks int
	}{{"1flow", 1, 1}, {"1000flows", 1000, 1}, {"100000flows", 100000, 1}, {"1000flows16masks", 1000, 16}, {"100000flows16masks", 100000, 16}} {
		b.Run(bm.name, func(b *testing.B) {
			w, p := rig(b, bm.flows, binaryKeys(bm.masks), "2")
			b.ReportAllocs()
			b.ResetTimer()
			for i := 0; i < b.N; i += batchSize {
				w.poll(p, 0)
			}
		})
	}
}
