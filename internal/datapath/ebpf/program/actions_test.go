package program

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"weir/internal/clock"
	"weir/internal/datapath"
	"weir/internal/datapath/userspace"
	"weir/internal/flow"
	"weir/internal/netdev"
	"weir/internal/netdev/dummy"
	"weir/internal/packet"
)

// sink is a device that keeps what is sent to it.
type sink struct {
	*dummy.Device
	mu   sync.Mutex
	sent []netdev.Packet
}

func (s *sink) Send(_ int, batch []*netdev.Packet) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, p := range batch {
		c := *p
		c.Buf, c.Off = slices.Clone(p.Data()), 0
		s.sent = append(s.sent, c)
	}
	return len(batch), nil
}

func (s *sink) take() []netdev.Packet {
	s.mu.Lock()
	defer s.mu.Unlock()
	out := s.sent
	s.sent = nil
	return out
}

// executor is the data path in user space, as the oracle.
type executor struct {
	dp  *userspace.DP
	out map[datapath.PortNo]*sink
}

func newExecutor(t *testing.T) *executor {
	dp, err := userspace.New(userspace.Config{Type: "dummy", Name: "ovs-dummy", Synchronous: true, Clock: clock.New()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { dp.Close() })
	e := &executor{dp, map[datapath.PortNo]*sink{}}
	devices := dummy.NewSet(clock.New())
	for _, no := range []datapath.PortNo{outPort, altPort} {
		dev, err := devices.Provider("dummy").Open(fmt.Sprintf("p%d", no), nil)
		if err != nil {
			t.Fatal(err)
		}
		e.out[no] = &sink{Device: dev.(*dummy.Device)}
		if got, err := dp.PortAdd(e.out[no], "dummy", no); err != nil || got != no {
			t.Fatal(got, err)
		}
	}
	return e
}

// sent is a packet that left, in words that two data paths agree about.
type sent struct {
	Frame              string
	Partial            bool
	CsumStart, CsumOff uint16
	GSOType            uint8
	GSOSize            uint16
}

// summary of packets of which the cut ones don't keep what they were to have
// done by the device: it can't be done right.
func summary(pkts []netdev.Packet, cut int) []sent {
	var all []sent
	for _, p := range pkts {
		s := sent{Frame: fmt.Sprintf("%x", p.Data()), GSOType: p.Offload.GSOType, GSOSize: p.Offload.GSOSize}
		if p.Offload.Flags&1 != 0 && p.Len != cut {
			s.Partial, s.CsumStart, s.CsumOff = true, p.Offload.CsumStart, p.Offload.CsumOff
		}
		all = append(all, s)
	}
	return all
}

// genSet draws a set action that fits a key.
func genSet(t *rapid.T, k *flow.Key) datapath.Action {
	mac := func(n string) packet.MAC { return genMAC(t, n) }
	mac0 := func(n string) packet.MAC {
		return rapid.SampledFrom([]packet.MAC{{}, packet.MACFromUint64(1<<48 - 1), packet.MACFromUint64(0xff00ff00ff)}).Draw(t, n)
	}
	u8, u16, u32 := rapid.Uint8(), rapid.Uint16(), rapid.Uint32()
	m8 := rapid.SampledFrom([]uint8{0, 0xff, 0xfc})
	m16 := rapid.SampledFrom([]uint16{0, 0xffff, 0xff0})
	m32 := rapid.SampledFrom([]uint32{0, 0xffffffff, 0xff0000})
	m128 := rapid.SampledFrom([][16]byte{{}, [16]byte(bytes.Repeat([]byte{255}, 16)), {0, 0, 255, 255, 255, 0, 15}})
	eth := &datapath.SetEthernet{Src: mac("src"), SrcMask: mac0("src mask"), Dst: mac("dst"), DstMask: mac0("dst mask")}
	options := []datapath.Action{eth}
	switch k.EthType {
	case packet.EtherTypeIPv4:
		a := &datapath.SetIPv4{Src: u32.Draw(t, "s"), SrcMask: m32.Draw(t, "sm"), Dst: u32.Draw(t, "d"), DstMask: m32.Draw(t, "dm"),
			TOS: u8.Draw(t, "tos"), TOSMask: m8.Draw(t, "tosm"), TTL: u8.Draw(t, "ttl"), TTLMask: m8.Draw(t, "ttlm")}
		options = append(options, a, a)
	case packet.EtherTypeIPv6:
		a := &datapath.SetIPv6{Src: gen16(t, "s"), SrcMask: m128.Draw(t, "sm"), Dst: gen16(t, "d"), DstMask: m128.Draw(t, "dm"),
			Label: rapid.Uint32Range(0, 0xfffff).Draw(t, "label"), LabelMask: rapid.SampledFrom([]uint32{0, 0xfffff, 0xff}).Draw(t, "lm"),
			TClass: u8.Draw(t, "tc"), TClassMask: m8.Draw(t, "tcm"), Hlimit: u8.Draw(t, "hl"), HlimitMask: m8.Draw(t, "hlm")}
		options = append(options, a, a)
	case packet.EtherTypeARP, packet.EtherTypeRARP:
		a := &datapath.SetARP{SPA: u32.Draw(t, "spa"), SPAMask: m32.Draw(t, "spam"), TPA: u32.Draw(t, "tpa"), TPAMask: m32.Draw(t, "tpam"),
			Op: u16.Draw(t, "op"), OpMask: m16.Draw(t, "opm"), SHA: mac("sha"), SHAMask: mac0("sham"), THA: mac("tha"), THAMask: mac0("tham")}
		options = append(options, a, a)
	case packet.EtherTypeMPLS, packet.EtherTypeMPLSM:
		options = append(options, &datapath.SetMPLS{LSE: u32.Draw(t, "lse"), Mask: m32.Draw(t, "lsem")})
	}
	if k.EthType == packet.EtherTypeIPv4 || k.EthType == packet.EtherTypeIPv6 {
		switch p := k.NwProto; {
		case p == packet.ProtoTCP, p == packet.ProtoUDP, p == packet.ProtoSCTP, p == packet.ProtoICMP && k.EthType == packet.EtherTypeIPv4, p == packet.ProtoICMPv6 && k.EthType == packet.EtherTypeIPv6 && k.NDOptionsType == 0:
			// Of another type it would be no neighbor discovery for a later set of that:
			// no flow can ask for both.
			a := &datapath.SetL4{Proto: k.NwProto, Src: u16.Draw(t, "ps"), SrcMask: m16.Draw(t, "psm"), Dst: u16.Draw(t, "pd"), DstMask: m16.Draw(t, "pdm")}
			options = append(options, a, a)
		}
		if k.NDOptionsType != 0 {
			options = append(options, &datapath.SetND{Target: gen16(t, "nd"), TargetMask: m128.Draw(t, "ndm"),
				SLL: mac("sll"), SLLMask: mac0("sllm"), TLL: mac("tll"), TLLMask: mac0("tllm")})
		}
	}
	return rapid.SampledFrom(options).Draw(t, "set")
}

// genActions draws a list that ends in output.
func genActions(t *rapid.T, k *flow.Key) []datapath.Action {
	var list []datapath.Action
	port := rapid.SampledFrom([]datapath.PortNo{outPort, altPort})
	tags := 0
	for _, v := range k.VLANs {
		if v.TCI != 0 {
			tags++
		}
	}
	for range rapid.IntRange(0, 5).Draw(t, "actions") {
		switch rapid.IntRange(0, 5).Draw(t, "kind") {
		case 0:
			if tags < 2 {
				tags++
				list = append(list, &datapath.PushVLAN{TPID: rapid.SampledFrom([]uint16{0x8100, 0x88a8}).Draw(t, "tpid"), TCI: rapid.Uint16().Draw(t, "tci") | flow.VLANPresent})
			}
		case 1:
			if tags > 0 {
				tags--
				list = append(list, &datapath.PopVLAN{})
			}
		case 2:
			list = append(list, &datapath.Output{Port: port.Draw(t, "port")})
		case 3:
			list = append(list, genNested(t, k, 0))
		default:
			list = append(list, genSet(t, k))
		}
	}
	switch rapid.IntRange(0, 9).Draw(t, "end") {
	case 0, 1:
		list = append(list, &datapath.Trunc{MaxLen: uint32(rapid.IntRange(60, 120).Draw(t, "cut"))})
	case 2: // a copy that changes, moved to the end
		return append(list, &datapath.Clone{Actions: []datapath.Action{genSet(t, k), &datapath.Output{Port: outPort}}}, &datapath.Output{Port: altPort})
	case 3:
		if k.EthType >= packet.EtherTypeMin && tags < 2 {
			list = append(list, &datapath.PushMPLS{LSE: rapid.Uint32().Draw(t, "pushed"), EthType: rapid.SampledFrom([]uint16{packet.EtherTypeMPLS, packet.EtherTypeMPLSM}).Draw(t, "mpls")})
			for range rapid.IntRange(0, 1).Draw(t, "pop it?") {
				list = append(list, &datapath.PopMPLS{EthType: k.EthType})
			}
		}
	case 4, 5:
		for range rapid.IntRange(0, 2).Draw(t, "pops") {
			list = append(list, &datapath.PopMPLS{EthType: rapid.SampledFrom([]uint16{packet.EtherTypeMPLS, packet.EtherTypeIPv4, packet.EtherTypeIPv6}).Draw(t, "popped")})
		}
	}
	return append(list, &datapath.Output{Port: port.Draw(t, "last")})
}

// genNested draws an action with a list that leaves the packet alone.
func genNested(t *rapid.T, k *flow.Key, depth int) datapath.Action {
	inner := func(name string) []datapath.Action {
		list := []datapath.Action{}
		for range rapid.IntRange(0, 2).Draw(t, name) {
			if depth < 2 && rapid.IntRange(0, 3).Draw(t, "deeper?") == 0 {
				list = append(list, genNested(t, k, depth+1))
			} else {
				list = append(list, &datapath.Output{Port: rapid.SampledFrom([]datapath.PortNo{outPort, altPort}).Draw(t, "nested")})
			}
		}
		return list
	}
	switch rapid.IntRange(0, 2).Draw(t, "nested kind") {
	case 0:
		return &datapath.Clone{Actions: inner("clone")}
	case 1:
		return &datapath.Sample{Probability: rapid.SampledFrom([]uint32{0, 1<<32 - 1}).Draw(t, "probability"), Actions: inner("sample")}
	}
	return &datapath.CheckPktLen{Size: uint16(rapid.IntRange(50, 150).Draw(t, "size")), Greater: inner("greater"), LessEqual: inner("less")}
}

// sumPartially makes the layer-4 checksum the device's to complete, as the
// kernel does for what its own sockets send; big makes it a super-packet.
func sumPartially(t *rapid.T, frame []byte, k *flow.Key) (netdev.Offload, bool) {
	var probe flow.Key
	o := flow.ExtractOffsets(frame, &probe)
	if k.NwFrag != 0 || o.L4 < 0 || o.L7 < 0 || k.NwProto != packet.ProtoTCP && k.NwProto != packet.ProtoUDP {
		return netdev.Offload{}, false
	}
	at := 16
	if k.NwProto == packet.ProtoUDP {
		at = 6
	}
	n := o.Len - o.L4
	sum := packet.PseudoIPv4(k.IPSrc, k.IPDst, k.NwProto, n)
	if k.EthType == packet.EtherTypeIPv6 {
		sum = packet.PseudoIPv6(k.IPv6Src[:], k.IPv6Dst[:], k.NwProto, n)
	}
	packet.PutBe16(frame[o.L4+at:], ^packet.Fold(sum))
	off := netdev.Offload{Flags: 1, CsumStart: uint16(o.L4), CsumOff: uint16(at)}
	if k.NwProto == packet.ProtoTCP && len(frame) > o.L7+60 && rapid.Bool().Draw(t, "super-packet?") {
		off.GSOType, off.GSOSize, off.HdrLen = 1, 40, uint16(o.L7)
		if k.EthType == packet.EtherTypeIPv6 {
			off.GSOType = 4
		}
	}
	return off, true
}

// mayResume says that user space may have to go on at an action: a packet can't
// be cut within its headers, nor a super-packet get or lose a label.
func mayResume(a datapath.Action, actions []datapath.Action, key *flow.Key, pkt *netdev.Packet) bool {
	switch a := a.(type) {
	case *datapath.Trunc:
		return true
	case *datapath.PushMPLS:
		return pkt.Offload.GSOType != 0
	case *datapath.PopMPLS: // a tag in the frame, beside the one that the kernel takes out
		return pkt.Offload.GSOType != 0 || key.VLANs[1].TCI != 0 || hadTags(actions)
	case *datapath.SetL4:
		return a.Proto == packet.ProtoSCTP && sctpChecksum(pkt.Data()) == 0
	case *datapath.Clone:
		return slices.ContainsFunc(a.Actions, func(a datapath.Action) bool { return mayResume(a, actions, key, pkt) })
	}
	return false
}

// hadTags says that actions push tags.
func hadTags(actions []datapath.Action) bool {
	return slices.ContainsFunc(actions, func(a datapath.Action) bool { _, ok := a.(*datapath.PushVLAN); return ok })
}

// sctpChecksum is that of a frame.
func sctpChecksum(frame []byte) uint32 {
	var k flow.Key
	return packet.Be32(frame[flow.ExtractOffsets(frame, &k).L4+8:])
}

// exactMask is a mask that looks at all that a frame has.
func exactMask() *flow.Mask {
	var m flow.Mask
	*keyWords(&m) = *all()
	return &m
}

// What the programs make of a packet is what the executor in user space makes
// of it: with partial checksums, super-packets, tags inside and outside.
func TestActionsAgreeWithExecutor(t *testing.T) { actionsAgree(t, genKey, genActions, 0) }

// The same for what is rare among all the others: labels that go, SCTP, and
// the options of neighbour discovery.
func TestRareActionsAgreeWithExecutor(t *testing.T) {
	actionsAgree(t, func(t *rapid.T) flow.Key {
		k := genKey(t)
		switch rapid.IntRange(0, 2).Draw(t, "rare") {
		case 0:
			k.VLANs[1] = flow.VLAN{}
			k.EthType = rapid.SampledFrom([]uint16{packet.EtherTypeMPLS, packet.EtherTypeMPLSM}).Draw(t, "label")
			k.MPLS = [flow.MaxMPLSLabels]uint32{rapid.Uint32().Draw(t, "lse") &^ 0x100, 0x100}
		case 1:
			k = flow.Key{EthSrc: k.EthSrc, EthDst: k.EthDst, VLANs: k.VLANs, NwProto: packet.ProtoSCTP, NwTTL: 3, TpSrc: 4, TpDst: 5,
				EthType: rapid.SampledFrom([]uint16{packet.EtherTypeIPv4, packet.EtherTypeIPv6}).Draw(t, "version")}
		case 2:
			k = flow.Key{EthSrc: k.EthSrc, EthDst: k.EthDst, VLANs: k.VLANs, NwProto: packet.ProtoICMPv6, NwTTL: 255, EthType: packet.EtherTypeIPv6,
				TpSrc: packet.ICMPv6NeighborSolicit, NDTarget: gen16(t, "target"), ARPSHA: genMAC(t, "sll"), NDOptionsType: 1}
			if rapid.Bool().Draw(t, "advertisement?") {
				k.TpSrc, k.ARPSHA, k.ARPTHA, k.NDOptionsType = packet.ICMPv6NeighborAdvert, packet.MAC{}, genMAC(t, "tll"), 2
			}
		}
		return k
	}, func(t *rapid.T, k *flow.Key) (list []datapath.Action) {
		switch k.EthType {
		case packet.EtherTypeMPLS, packet.EtherTypeMPLSM:
			for range rapid.IntRange(1, 2).Draw(t, "pops") {
				list = append(list, &datapath.PopMPLS{EthType: packet.EtherTypeMPLS})
			}
		default:
			list = append(list, genSet(t, k))
		}
		return append(list, &datapath.Output{Port: outPort})
	}, 0.8)
}

// actionsAgree checks that, for packets and lists that are drawn. At least that
// part of the lists must not need user space.
func actionsAgree(t *testing.T, genKey func(*rapid.T) flow.Key, genActions func(*rapid.T, *flow.Key) []datapath.Action, part float64) {
	flow.SetVLANLimit(2)
	defer flow.SetVLANLimit(1)
	n := newTapnet(t, Config{VLANLimit: 2})
	oracle := newExecutor(t)
	slow, all := 0, 0
	var current Ref
	var before flow.Key
	rapid.Check(t, func(t *rapid.T) {
		all++
		k := genKey(t)
		var payload []byte
		if rapid.Bool().Draw(t, "long?") {
			payload = bytes.Repeat([]byte{7, 9, 200}, rapid.IntRange(20, 60).Draw(t, "payload"))
		}
		frame := flow.Compose(&k, payload)
		for len(frame) < 60 {
			frame = append(frame, 0)
		}
		pkt := netdev.NewPacket(len(frame))
		pkt.Len = len(frame)
		if rapid.Bool().Draw(t, "partial?") {
			pkt.Offload, _ = sumPartially(t, frame, &k)
		}
		copy(pkt.Data(), frame)
		var key flow.Key
		if o := flow.ExtractOffsets(frame, &key); key.NwProto == packet.ProtoSCTP && o.L4 >= 0 && o.L4+packet.SCTPLen <= len(frame) {
			packet.PutBe32(frame[o.L4+8:], rapid.Uint32().Draw(t, "checksum"))
			copy(pkt.Data(), frame)
		}
		key.InPort = inPort
		actions := genActions(t, &key)

		m := exactMask()
		m.RecircID = 0
		code, why := n.set.Compile(&key, m, actions)
		if why != nil {
			hidden := key.EthType == packet.EtherTypeVLAN || key.EthType == packet.EtherTypeQinQ // a tag beyond the limit
			if why.Why != SlowNotLast && !(hidden && why.Why == SlowMatch) {
				t.Fatalf("%s needs user space: %s", datapath.FormatActions(actions, nil), why)
			}
			slow++
			return
		}
		key.SkbPriority, key.PktMark = 0, 0
		if current != 0 && key == before {
			n.set.Delete(current)
			current = 0
		}
		r, err := n.set.Put(&key, m, datapath.UFID{}, code)
		if errors.Is(err, ErrFull) && n.set.Reclaim() == nil {
			r, err = n.set.Put(&key, m, datapath.UFID{}, code)
		}
		if err != nil {
			t.Fatal(err)
		}
		if current != 0 { // after the other, so that main keeps the mask
			n.set.Delete(current)
		}
		current, before = r, key
		if err := n.set.Commit(); err != nil {
			t.Fatal(err)
		}
		if err := n.inject(&pkt); err != nil {
			t.Fatal(err)
		}
		copied := pkt
		copied.Buf = slices.Clone(pkt.Buf)
		if err := oracle.dp.Execute(&copied, &key, actions); err != nil {
			t.Fatal(err)
		}
		if ups := n.drain(n.up); len(ups) > 0 {
			var u Upcall
			_, err := ParseUpcall(ups[0].Data(), &u)
			have, ok := n.set.Code(u.Code)
			if err != nil || u.Reason != ReasonResume || !ok || !mayResume(have[u.Arg], have, &key, &pkt) {
				t.Fatalf("upcall %+v of %x, actions %s: %v", u, frame, datapath.FormatActions(actions, nil), err)
			}
			for no, dev := range n.out {
				n.drain(dev)
				oracle.out[no].take()
			}
			slow++
			return
		}
		cut := -1
		if i := len(actions) - 2; i >= 0 {
			if a, ok := actions[i].(*datapath.Trunc); ok {
				cut = int(a.MaxLen)
			}
		}
		for no, dev := range n.out {
			got, want := summary(n.drain(dev), cut), summary(oracle.out[no].take(), cut)
			if diff := cmp.Diff(want, got); diff != "" {
				t.Fatalf("port %d, %s on %x offload %+v:\n%s", no, datapath.FormatActions(actions, nil), frame, pkt.Offload, diff)
			}
		}
		if s := n.set.Stats(r); s.Packets != 1 || s.Bytes != uint64(len(frame)) {
			t.Fatalf("statistics %+v of a packet of %d bytes", s, len(frame))
		}
	})
	if t.Logf("%d lists of %d needed user space", slow, all); float64(all-slow) < part*float64(all) {
		t.Errorf("%d lists of %d needed user space", slow, all)
	}
}

// misses keeps the keys of the oracle's misses.
type misses struct{ keys []flow.Key }

func (m *misses) HandleUpcall(u *datapath.Upcall) datapath.Verdict {
	m.keys = append(m.keys, *u.Key)
	return datapath.Verdict{}
}

func (m *misses) Installed(*datapath.Upcall, *datapath.Verdict, error) {}

func (*misses) Removed(any, datapath.Stats) {}

// Recirculation keeps the hash, which is the executor's, of the packet as the
// actions before left it.
func TestHashAgreesWithExecutor(t *testing.T) {
	flow.SetVLANLimit(2)
	defer flow.SetVLANLimit(1)
	n := newTapnet(t, Config{VLANLimit: 2})
	oracle := newExecutor(t)
	var got misses
	oracle.dp.SetUpcallHandler(&got)
	m := &flow.Mask{InPort: ^uint32(0), RecircID: ^uint32(0), EthType: 0xffff, NwFrag: 3, NwProto: 0xff}
	rapid.Check(t, func(t *rapid.T) {
		frame := genFrame(t)
		if len(frame) < 60 {
			t.Skip()
		}
		key := flow.Key{InPort: inPort}
		flow.Extract(frame, &key)
		key.InPort = inPort
		alg := rapid.Uint32Range(0, 1).Draw(t, "algorithm")
		actions := []datapath.Action{&datapath.Hash{Alg: alg, Basis: rapid.Uint32().Draw(t, "basis")}, &datapath.Recirc{ID: 77}}
		if rapid.Bool().Draw(t, "set?") {
			set := genSet(t, &key)
			if l4, ok := set.(*datapath.SetL4); ok && l4.Proto == packet.ProtoSCTP {
				t.Skip("user space may have to do it")
			}
			actions = append([]datapath.Action{set}, actions...)
		}
		code, why := n.set.Compile(&key, exactMask(), actions)
		if why != nil {
			t.Skip(why)
		}
		r, err := n.set.Put(&key, m, datapath.UFID{}, code)
		if err != nil {
			t.Fatal(err)
		}
		defer func() {
			n.set.Delete(r)
			n.set.flows.dirty = false // the mask will be back
			if err := n.set.Reclaim(); err != nil {
				t.Fatal(err)
			}
		}()
		if err := n.set.Commit(); err != nil {
			t.Fatal(err)
		}
		pkt := netdev.NewPacket(len(frame))
		pkt.Len = len(frame)
		copy(pkt.Data(), frame)
		if err := n.inject(&pkt); err != nil {
			t.Fatal(err)
		}
		got.keys = nil
		if err := oracle.dp.Execute(&pkt, &key, actions); err != nil {
			t.Fatal(err)
		}
		ups := n.drain(n.up)
		if len(ups) != 1 || len(got.keys) != 1 {
			t.Fatalf("%x: %d upcalls, %d of the oracle's", frame, len(ups), len(got.keys))
		}
		var u Upcall
		off, err := ParseUpcall(ups[0].Data(), &u)
		if err != nil {
			t.Fatal(err)
		}
		if u.Reason == ReasonOdd {
			t.Skip("headers that the programs don't read")
		}
		if want := got.keys[0]; u.Reason != ReasonMiss || u.RecircID != 77 || u.DPHash != want.DPHash || u.InPort != inPort {
			t.Fatalf("%x: %+v, want hash %#x", frame, u, want.DPHash)
		}
		if diff := cmp.Diff(fmt.Sprintf("%x", pkt.Data()), fmt.Sprintf("%x", ups[0].Data()[off:])); diff != "" {
			t.Fatalf("the frame came up changed:\n%s", diff)
		}
	})
}
