package ebpf

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"math/rand/v2"
	"os"
	"runtime"
	"slices"
	"testing"
	"time"

	"weir/internal/datapath"
	"weir/internal/flow"
	"weir/internal/netdev"
	"weir/internal/netdev/linux"
)

// soakLength is how long TestSoak runs; WEIR_SOAK=10m makes it long.
func soakLength(t *testing.T) time.Duration {
	text := os.Getenv("WEIR_SOAK")
	if text == "" {
		return 3 * time.Second
	}
	d, err := time.ParseDuration(text)
	if err != nil {
		t.Fatalf("WEIR_SOAK: %v", err)
	}
	return d
}

// soak is a data path under random changes, and what must be true of it. Flows
// match a group of destinations, 10.G.0.0/16, by masks of different lengths and
// fields, and send to a set of ports.
type soak struct {
	t      *testing.T
	d      *DP
	host   *linux.Host
	rng    *rand.Rand
	cables map[datapath.PortNo]*cable
	flows  map[int]*soakFlow // by group
	sent   uint64            // number of the last packet
	steady uint64            // packets of the steady stream so far
	came   uint64
}

type soakFlow struct {
	flow *datapath.Flow
	outs []datapath.PortNo
	hits uint64
}

const (
	soakGroups = 200
	soakPorts  = 6
	steadyIn   = datapath.PortNo(1) // the steady stream's ports stay
	steadyOut  = datapath.PortNo(2)
)

// TestSoak changes flows, masks, actions and ports at random under traffic. Each
// packet must come out where the flows say at that moment, unchanged and once;
// a steady stream between two ports must lose nothing; nothing may leak.
func TestSoak(t *testing.T) {
	host := linux.NewHost()
	t.Run("first", func(t *testing.T) { // what is opened once
		newDP(t)
		newCable(t, host, "first")
	})
	before := descriptors(t)
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	s := &soak{t: t, host: host, rng: rand.New(rand.NewPCG(seed, 1)), cables: map[datapath.PortNo]*cable{}, flows: map[int]*soakFlow{}}
	t.Run("run", func(t *testing.T) {
		s.t = t
		s.d = newDP(t)
		s.run(soakLength(t))
	})
	for _, c := range s.cables {
		_ = c.port.Close()
		_ = c.far.Close()
	}
	runtime.GC()
	if after := descriptors(t); after > before {
		t.Errorf("%d descriptors are open, %d were before", after, before)
	}
}

// descriptors is how many this process has open.
func descriptors(t *testing.T) int {
	t.Helper()
	names, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	return len(names)
}

func (s *soak) run(length time.Duration) {
	for no := steadyIn; no <= steadyOut+2; no++ {
		s.addPort(no)
	}
	putFlow(s.t, s.d, fmt.Sprintf("recirc_id(0),in_port(%d),packet_type(ns=0,id=0),eth_type(0x0800),ipv4(dst=9.9.9.9,frag=no)", steadyIn), fmt.Sprint(steadyOut))
	ops := []func(){s.addFlow, s.addFlow, s.addFlow, s.removeFlow, s.changeFlow, s.changePort}
	start, steps := time.Now(), 0
	memory, open := uint64(0), 0
	for time.Since(start) < length && !s.t.Failed() {
		ops[s.rng.IntN(len(ops))]()
		s.stream(3)
		for range 4 {
			s.check()
		}
		steps++
		if steps == 500 || steps%5000 == 0 {
			memory, open = s.steadyMemory(memory), s.steadyDescriptors(open)
		}
	}
	s.t.Logf("%d changes, %d packets, %d of the steady stream, %d flows", steps, s.sent, s.steady, len(s.flows))
}

// steadyMemory checks that the heap has not grown much since the first time.
func (s *soak) steadyMemory(was uint64) uint64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	if was != 0 && m.HeapAlloc > was+was/2+32<<20 {
		s.t.Errorf("the heap has %d MB, it had %d", m.HeapAlloc>>20, was>>20)
	}
	return max(was, m.HeapAlloc)
}

func (s *soak) steadyDescriptors(was int) int {
	now := descriptors(s.t)
	if was != 0 && now > was+4*soakPorts {
		s.t.Errorf("%d descriptors are open, there were %d", now, was)
	}
	return max(was, now)
}

func (s *soak) addPort(no datapath.PortNo) {
	c := newCable(s.t, s.host, fmt.Sprint("k", no))
	if _, err := s.d.PortAdd(c.port, "system", no); err != nil {
		s.t.Fatal(err)
	}
	s.cables[no] = c
}

// changePort takes a port away or brings one.
func (s *soak) changePort() {
	if s.rng.IntN(4) != 0 { // devices are slow to make
		return
	}
	no := steadyOut + 1 + datapath.PortNo(s.rng.IntN(soakPorts-2))
	c := s.cables[no]
	if c == nil {
		s.addPort(no)
		return
	}
	if err := s.d.PortDel(no); err != nil {
		s.t.Error(err)
	}
	_ = c.port.Close()
	_ = c.far.Close()
	// The test's cleanup holds on to the cable, but need not to its buffers.
	c.far, c.rx = netdev.NewVirtual("gone", "dummy"), nil
	delete(s.cables, no)
}

func (s *soak) outs() (outs []datapath.PortNo) {
	for no := steadyOut + 1; no <= soakPorts; no++ {
		if s.rng.IntN(2) == 0 {
			outs = append(outs, no)
		}
	}
	return outs
}

func outputs(outs []datapath.PortNo) (actions []datapath.Action) {
	for _, no := range outs {
		actions = append(actions, &datapath.Output{Port: no})
	}
	return actions
}

// addFlow installs the flow of a group, by one of many masks.
func (s *soak) addFlow() {
	group := s.rng.IntN(soakGroups)
	if s.flows[group] != nil {
		return
	}
	prefix := 16 + group%8
	text := fmt.Sprintf("recirc_id(0),in_port(%d),packet_type(ns=0,id=0),eth_type(0x0800),ipv4(dst=10.%d.0.0/%s,frag=no", steadyIn, group, prefixMask(prefix))
	if group%3 == 0 {
		text = fmt.Sprintf("recirc_id(0),in_port(%d),packet_type(ns=0,id=0),eth(src=00:00:00:00:00:01),eth_type(0x0800),ipv4(dst=10.%d.0.0/%s,frag=no", steadyIn, group, prefixMask(prefix))
	}
	k, m, err := datapath.ParseKey(text+")", nil)
	if err != nil {
		s.t.Fatal(err)
	}
	f := &soakFlow{outs: s.outs()}
	f.flow = &datapath.Flow{UFID: datapath.UFID{1, byte(group)}, Key: *k, Mask: *m, Actions: outputs(f.outs)}
	if err := s.d.FlowPut(f.flow, datapath.PutCreate); err != nil {
		s.t.Fatal(err)
	}
	s.flows[group] = f
}

func prefixMask(n int) string {
	v := ^uint32(0) << (32 - n)
	return fmt.Sprintf("%d.%d.%d.%d", v>>24, v>>16&255, v>>8&255, v&255)
}

func (s *soak) pick() (int, *soakFlow) {
	groups := slices.Sorted(maps.Keys(s.flows))
	if len(groups) == 0 {
		return 0, nil
	}
	g := groups[s.rng.IntN(len(groups))]
	return g, s.flows[g]
}

// removeFlow removes a flow, whose statistics must be exact.
func (s *soak) removeFlow() {
	group, f := s.pick()
	if f == nil {
		return
	}
	stats, err := s.d.FlowDel(f.flow.UFID, nil)
	if err != nil || stats.Packets != f.hits {
		s.t.Errorf("flow of group %d counted %d packets (%v), want %d", group, stats.Packets, err, f.hits)
	}
	if _, err := s.d.FlowGet(f.flow.UFID, nil); !errors.Is(err, fs.ErrNotExist) {
		s.t.Errorf("the flow is still there: %v", err)
	}
	delete(s.flows, group)
}

func (s *soak) changeFlow() {
	_, f := s.pick()
	if f == nil {
		return
	}
	f.outs = s.outs()
	f.flow.Actions = outputs(f.outs)
	if err := s.d.FlowPut(f.flow, datapath.PutModify); err != nil {
		s.t.Error(err)
	}
}

// packet composes one with a number of its own.
func (s *soak) packet(dst uint32) []byte {
	k, _, err := datapath.ParseKey("eth(src=00:00:00:00:00:01,dst=00:00:00:00:00:02),eth_type(0x0800),ipv4(src=10.0.0.1,dst=1.1.1.1,proto=17,tos=0,ttl=64,frag=no),udp(src=1,dst=2)", nil)
	if err != nil {
		s.t.Fatal(err)
	}
	s.sent++
	k.IPDst, k.TpSrc = dst, uint16(s.rng.Uint32())
	return flow.Compose(k, binary.BigEndian.AppendUint64(nil, s.sent))
}

func (s *soak) inject(frame []byte) {
	p := netdev.PacketOf(frame)
	if n, err := s.cables[steadyIn].far.Send(0, []*netdev.Packet{&p}); n != 1 || err != nil {
		s.t.Fatalf("sent %d packets: %v", n, err)
	}
	s.came++
}

// stream sends some packets of the steady stream; each must arrive.
func (s *soak) stream(n int) {
	for range n {
		frame := s.packet(0x09090909)
		s.inject(frame)
		s.expect(steadyOut, frame, true)
		s.steady++
	}
}

// check sends a packet to a group and looks where it comes out.
func (s *soak) check() {
	group := s.rng.IntN(soakGroups)
	frame := s.packet(10<<24 | uint32(group)<<16)
	s.inject(frame)
	settle(s.t, s.d, s.came)
	f := s.flows[group]
	if f != nil {
		f.hits++
	}
	for no := range s.cables {
		s.expect(no, frame, f != nil && slices.Contains(f.outs, no))
	}
}

// expect takes what came out of a port: one frame, or none.
func (s *soak) expect(no datapath.PortNo, frame []byte, one bool) {
	var got []netdev.Packet
	for end := time.Now().Add(2 * time.Second); ; time.Sleep(50 * time.Microsecond) {
		if got = append(got, s.cables[no].take(s.t)...); len(got) > 0 || !one || time.Now().After(end) {
			break
		}
	}
	switch {
	case !one && len(got) > 0:
		s.t.Errorf("packet %d came out of port %d, where no flow sends it", s.sent, no)
	case one && (len(got) != 1 || !slices.Equal(got[0].Data(), frame)):
		s.t.Errorf("packet %d should come out of port %d once, %d packets did", s.sent, no, len(got))
	}
}
