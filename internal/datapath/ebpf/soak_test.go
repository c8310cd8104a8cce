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
	"weir/internal/tunnel"
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
// fields, and send to a set of ports, straight or through a VXLAN tunnel that
// ends at the same data path again.
type soak struct {
	t       *testing.T
	d       *DP
	host    *linux.Host
	rng     *rand.Rand
	cables  map[datapath.PortNo]*cable
	tunnels map[datapath.PortNo]netdev.Device
	flows   map[int]*soakFlow // by group
	objects *kernelObjects
	sent    uint64 // number of the last packet
	steady  uint64 // packets of the steady stream so far
	came    uint64 // to the programs, those out of tunnels too
	through uint64 // tunnels
}

type soakFlow struct {
	flow *datapath.Flow
	hits uint64
	outs []datapath.PortNo // where its packets come out, those of inner if there is a tunnel
	via  datapath.PortNo   // the tunnel that it sends through, 0 for none
	// inner is the flow of what comes out of the tunnel.
	inner     *datapath.Flow
	innerHits uint64
}

const (
	soakGroups = 200
	soakPorts  = 6
	steadyIn   = datapath.PortNo(1) // the steady stream's ports stay
	steadyOut  = datapath.PortNo(2)
	// firstTunnel and the next are ports of VXLAN devices, at UDP ports that
	// nothing else has.
	firstTunnel   = datapath.PortNo(21)
	soakTunnels   = 2
	soakUDPPort   = 34789
	firstCount    = 100 // changes before what there is is first counted
	soakWaitCount = 60  // for what the kernel frees after a grace period, in seconds
)

// TestSoak changes flows, masks, actions, ports and tunnels at random under
// traffic. Each packet must come out where the flows say at that moment,
// unchanged and once; a steady stream between two ports must lose nothing; of
// maps, programs, links, pins, descriptors and memory nothing may be left.
func TestSoak(t *testing.T) {
	needRoot(t)
	host := linux.NewHost()
	t.Run("first", func(t *testing.T) { // what is opened once
		newDP(t)
		newCable(t, host, "first")
	})
	dir, before, heap := t.TempDir(), descriptors(t), heapSize()
	seed := uint64(1) // what fails in `make unit` is a change's doing
	if os.Getenv("WEIR_SOAK") != "" {
		seed = uint64(time.Now().UnixNano())
	}
	t.Logf("seed %d", seed)
	s := &soak{
		t: t, host: host, rng: rand.New(rand.NewPCG(seed, 1)), cables: map[datapath.PortNo]*cable{},
		tunnels: map[datapath.PortNo]netdev.Device{}, flows: map[int]*soakFlow{}, objects: newKernelObjects(t),
	}
	t.Run("run", func(t *testing.T) {
		s.t = t
		s.d = keptDP(t, dir, 4096)
		t.Cleanup(func() {
			if err := s.d.Destroy(); err != nil {
				t.Error(err)
			}
			for _, d := range s.tunnels {
				_ = d.Close()
			}
		})
		s.run(soakLength(t))
	})
	if left, ok := findPinDir("kept", dir); ok {
		t.Errorf("%s is left", left)
	}
	s.d, s.cables, s.tunnels = nil, nil, nil
	after := descriptors(t)
	for end := time.Now().Add(patience); len(after) > len(before) && time.Now().Before(end); time.Sleep(10 * time.Millisecond) {
		after = descriptors(t) // some are closed by goroutines that end
	}
	if len(after) > len(before) {
		t.Errorf("%d descriptors are open, %d were before: %v, %v", len(after), len(before), after, before)
	}
	s.objects.gone(t)
	const more = 8 << 20
	size := heapSize()
	for end := time.Now().Add(patience); size > heap+more && time.Now().Before(end); time.Sleep(10 * time.Millisecond) {
		size = heapSize() // what has a finalizer takes more than one collection
	}
	if size > heap+more {
		t.Errorf("the heap has %d KB, it had %d before", size>>10, heap>>10)
	}
}

// descriptors are what this process has open, by number.
func descriptors(t *testing.T) (open map[string]string) {
	t.Helper()
	names, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	open = map[string]string{}
	for _, n := range names {
		open[n.Name()], _ = os.Readlink("/proc/self/fd/" + n.Name())
	}
	return open
}

// heapSize is what is in use after a collection.
func heapSize() uint64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

func (s *soak) run(length time.Duration) {
	for no := steadyIn; no <= steadyOut+2; no++ {
		s.addPort(no)
	}
	s.addTunnel(firstTunnel)
	putFlow(s.t, s.d, fmt.Sprintf("recirc_id(0),in_port(%d),packet_type(ns=0,id=0),eth_type(0x0800),ipv4(dst=9.9.9.9,frag=no)", steadyIn), fmt.Sprint(steadyOut))
	ops := []func(){s.addFlow, s.addFlow, s.addFlow, s.removeFlow, s.changeFlow, s.changePort}
	start, steps := time.Now(), 0
	var limit levels
	for (steps <= firstCount || time.Since(start) < length) && !s.t.Failed() {
		ops[s.rng.IntN(len(ops))]()
		s.stream(3)
		for range 4 {
			s.check()
		}
		if steps++; steps%500 == firstCount {
			s.objects.note(s.t)
			limit = s.level().check(s.t, limit, s)
		}
	}
	s.t.Logf("%d changes, %d packets, %d of the steady stream, %d through tunnels, %d flows; %d kernel objects in all; %+v",
		steps, s.sent, s.steady, s.through, len(s.flows), len(s.objects.seen), s.level())
}

func (s *soak) addPort(no datapath.PortNo) {
	c := newCable(s.t, s.host, fmt.Sprint("k", no))
	if _, err := s.d.PortAdd(c.port, "system", no); err != nil {
		s.t.Fatal(err)
	}
	s.cables[no] = c
}

// changePort takes a port or a tunnel away or brings one.
func (s *soak) changePort() {
	switch s.rng.IntN(8) {
	case 0, 1:
	case 2:
		s.changeTunnel()
		return
	default: // devices are slow to make
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

// addTunnel adds the port of a VXLAN device of the kernel's.
func (s *soak) addTunnel(no datapath.PortNo) {
	c := &tunnel.Config{Kind: tunnel.KindOf("vxlan"), DstPort: soakUDPPort + uint16(no)}
	dev, err := s.host.OpenCollector(c, "")
	if err != nil {
		s.t.Fatal(err)
	}
	if _, err := s.d.PortAdd(dev, "vxlan", no); err != nil {
		s.t.Fatal(err)
	}
	s.tunnels[no] = dev
}

func (s *soak) changeTunnel() {
	no := firstTunnel + datapath.PortNo(s.rng.IntN(soakTunnels))
	dev := s.tunnels[no]
	if dev == nil {
		s.addTunnel(no)
		return
	}
	if err := errors.Join(s.d.PortDel(no), dev.Close()); err != nil {
		s.t.Error(err)
	}
	delete(s.tunnels, no)
}

// tunnelID is what tells a group's packets apart on their way through a tunnel.
func tunnelID(group int) uint64 { return uint64(group)*257 + 1 }

// aim makes the flow's actions: to ports, or through a tunnel to this machine.
func (s *soak) aim(f *soakFlow, group int) {
	f.outs, f.via = s.outs(), 0
	f.flow.Actions = outputs(f.outs)
	if s.rng.IntN(3) != 0 {
		return
	}
	const localhost = 127<<24 | 1
	f.via = firstTunnel + datapath.PortNo(s.rng.IntN(soakTunnels))
	f.flow.Actions = []datapath.Action{
		&datapath.SetTunnel{Tunnel: flow.Tunnel{ID: tunnelID(group), Src: localhost, Dst: localhost, TTL: 64, Flags: flow.TunnelKey}},
		&datapath.Output{Port: f.via},
	}
}

// install puts the flow, and that of what comes out of its tunnel.
func (s *soak) install(f *soakFlow, group int, mode datapath.PutMode) {
	if err := s.d.FlowPut(f.flow, mode); err != nil {
		s.t.Fatal(err)
	}
	if f.via == 0 {
		return
	}
	text := fmt.Sprintf("recirc_id(0),tunnel(tun_id=%#x,src=127.0.0.1,dst=127.0.0.1,flags(+key)),in_port(%d),packet_type(ns=0,id=0),eth_type(0x0800),ipv4(frag=no)", tunnelID(group), f.via)
	k, m, err := datapath.ParseKey(text, nil)
	if err != nil {
		s.t.Fatal(err)
	}
	f.inner = &datapath.Flow{UFID: datapath.UFID{2, byte(group)}, Key: *k, Mask: *m, Actions: outputs(f.outs)}
	if err := s.d.FlowPut(f.inner, datapath.PutCreate); err != nil {
		s.t.Fatal(err)
	}
}

// removeInner removes the flow of what comes out of a tunnel.
func (s *soak) removeInner(f *soakFlow) {
	if f.inner != nil {
		s.remove(f.inner, f.innerHits)
	}
	f.inner, f.innerHits = nil, 0
}

// remove removes a flow, whose statistics must be exact.
func (s *soak) remove(f *datapath.Flow, hits uint64) {
	stats, err := s.d.FlowDel(f.UFID, nil)
	if err != nil || stats.Packets != hits {
		s.t.Errorf("flow %v counted %d packets (%v), want %d", f.UFID, stats.Packets, err, hits)
	}
	if _, err := s.d.FlowGet(f.UFID, nil); !errors.Is(err, fs.ErrNotExist) {
		s.t.Errorf("flow %v is still there: %v", f.UFID, err)
	}
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
	f := &soakFlow{flow: &datapath.Flow{UFID: datapath.UFID{1, byte(group)}, Key: *k, Mask: *m}}
	s.aim(f, group)
	s.install(f, group, datapath.PutCreate)
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

// removeFlow removes a group's flows.
func (s *soak) removeFlow() {
	group, f := s.pick()
	if f == nil {
		return
	}
	s.remove(f.flow, f.hits)
	s.removeInner(f)
	delete(s.flows, group)
}

func (s *soak) changeFlow() {
	group, f := s.pick()
	if f == nil {
		return
	}
	s.removeInner(f)
	s.aim(f, group)
	s.install(f, group, datapath.PutModify)
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
	f := s.flows[group]
	arrives := f != nil
	if f != nil {
		f.hits++
	}
	if f != nil && f.via != 0 {
		if arrives = s.tunnels[f.via] != nil; arrives { // comes in again
			s.came++
			s.through++
			f.innerHits++
		}
	}
	settle(s.t, s.d, s.came)
	for no := range s.cables {
		s.expect(no, frame, arrives && slices.Contains(f.outs, no))
	}
}

// expect takes what came out of a port: one frame, or none.
func (s *soak) expect(no datapath.PortNo, frame []byte, one bool) {
	var got []netdev.Packet
	for end := time.Now().Add(patience); ; time.Sleep(50 * time.Microsecond) {
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
