package program

import (
	"fmt"
	"testing"
	"time"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/asm"
	"pgregory.net/rapid"

	"weir/internal/datapath"
	"weir/internal/flow"
	"weir/internal/packet"
)

// entryFor loads the program of a port.
func entryFor(t testing.TB, s *Set, no datapath.PortNo) *ebpf.Program {
	t.Helper()
	p, err := s.Entry(no, Ingress, 0)
	if err != nil {
		verifierLog(t, err)
	}
	t.Cleanup(func() { p.Close() })
	return p
}

// genMask draws a mask that looks at some fields, in_port always.
func genMask(t *rapid.T) flow.Mask {
	m := flow.Mask{InPort: ^uint32(0), RecircID: ^uint32(0), EthType: 0xffff}
	bit := func(name string) bool { return rapid.IntRange(0, 2).Draw(t, name) == 0 }
	if bit("dst?") {
		m.EthDst = packet.MACFromUint64(1<<48 - 1)
	}
	if bit("src?") {
		m.EthSrc = packet.MACFromUint64(0xffffff000000)
	}
	if bit("ip?") {
		m.NwFrag, m.NwProto = 3, 0xff
		m.IPDst = ^uint32(0) << rapid.IntRange(0, 31).Draw(t, "prefix")
	}
	if bit("ipv6?") {
		copy(m.IPv6Dst[:], []byte{255, 255, 255, 255, 255, 255, 255, 255, byte(rapid.Uint8().Draw(t, "bits"))})
	}
	if bit("tos?") {
		m.NwTOS = 0xfc
	}
	if bit("ports?") {
		m.TpDst = 0xffff
	}
	if bit("tags?") {
		m.VLANs[0] = flow.VLAN{TPID: 0xffff, TCI: 0x1fff}
	}
	if bit("flags?") {
		m.TCPFlags = 0xfff
	}
	return m
}

// What main finds is what a search through all flows finds; statistics are of
// that flow.
func TestLookupAgreesWithSearch(t *testing.T) {
	s := newSet(t, Config{MaxFlows: 256})
	entries := []*ebpf.Program{entryFor(t, s, 1), entryFor(t, s, 2)}
	type installed struct {
		ref       Ref
		key, mask flow.Key
		packets   uint64
		bytes     uint64
		flags     uint16
	}
	rapid.Check(t, func(t *rapid.T) {
		var flows []*installed
		defer func() {
			for _, f := range flows {
				s.Delete(f.ref)
			}
			if err := s.Reclaim(); err != nil {
				t.Fatal(err)
			}
		}()
		find := func(k *flow.Key) *installed {
			for _, f := range flows {
				hit := true
				for w := range dpWords {
					hit = hit && keyWords(k)[w]&keyWords(&f.mask)[w] == keyWords(&f.key)[w]&keyWords(&f.mask)[w]
				}
				if hit {
					return f
				}
			}
			return nil
		}
		overlap := func(k, m *flow.Key) bool {
			for _, f := range flows {
				both := true
				for w := range dpWords {
					both = both && (keyWords(k)[w]^keyWords(&f.key)[w])&keyWords(m)[w]&keyWords(&f.mask)[w] == 0
				}
				if both {
					return true
				}
			}
			return false
		}
		code, _ := s.Compile(&flow.Key{}, &flow.Mask{}, []datapath.Action{&datapath.Output{Port: 7}})
		masks := rapid.SliceOfN(rapid.Custom(genMask), 1, 8).Draw(t, "masks")
		frames := rapid.SliceOfN(rapid.Custom(genFrame), 1, 12).Draw(t, "frames")
		keys := make([]flow.Key, len(frames))
		for i, f := range frames {
			flow.Extract(f, &keys[i])
			keys[i].InPort = uint32(1 + rapid.IntRange(0, 1).Draw(t, "port"))
			if !rapid.Bool().Draw(t, "install") {
				continue
			}
			m := rapid.SampledFrom(masks).Draw(t, "mask")
			if overlap(&keys[i], &m) {
				continue
			}
			r, err := s.Put(&keys[i], &m, datapath.UFID{byte(i)}, code)
			if err != nil {
				t.Fatal(err)
			}
			flows = append(flows, &installed{ref: r, key: keys[i], mask: m})
		}
		if err := s.Commit(); err != nil {
			t.Fatal(err)
		}
		for round := range 2 { // the second finds by hints
			before := s.Counters()
			misses := uint64(0)
			for i, frame := range frames {
				if tooShort(frame) {
					continue
				}
				if _, err := entries[keys[i].InPort-1].Run(&ebpf.RunOptions{Data: frame, Repeat: 1}); err != nil {
					t.Fatal(err)
				}
				if f := find(&keys[i]); f != nil {
					f.packets++
					f.bytes += uint64(len(frame))
					f.flags |= keys[i].TCPFlags
				} else {
					misses++
				}
			}
			after := s.Counters()
			if odd := after.Slow - before.Slow; odd > 0 {
				t.Skip("odd frames are user space's")
			}
			if got := after.Misses - before.Misses; got != misses {
				t.Fatalf("round %d: %d misses, want %d", round, got, misses)
			}
			for i, f := range flows {
				got := s.Stats(f.ref)
				want := Stats{f.packets, f.bytes, got.Used, f.flags}
				if got != want || (got.Used != 0) != (f.packets != 0) {
					t.Fatalf("flow %d: %+v, want %+v", i, got, want)
				}
			}
		}
	})
}

// tooShort says that BPF_PROG_TEST_RUN refuses a frame.
func tooShort(frame []byte) bool {
	n := len(frame) - packet.EthLen
	switch packet.Be16(frame[12:]) {
	case packet.EtherTypeIPv4:
		return n < packet.IPv4Len
	case packet.EtherTypeIPv6:
		return n < packet.IPv6Len
	}
	return n < 1
}

// benchSet has n masks, of which the frame's flow is under the last.
func benchSet(b testing.TB, n int) (*Set, *ebpf.Program, []byte) {
	s := newSet(b, Config{MaxMasks: 256})
	k := flow.Key{InPort: 1, EthType: packet.EtherTypeIPv4, NwProto: packet.ProtoUDP, NwTTL: 64, IPSrc: 0x0a000001, IPDst: 0x0a000002, TpSrc: 1000, TpDst: 2000,
		EthSrc: packet.MACFromUint64(1), EthDst: packet.MACFromUint64(2)}
	code, _ := s.Compile(&k, &k, nil)
	put := func(key flow.Key, bits int) {
		m := flow.Mask{InPort: ^uint32(0), RecircID: ^uint32(0), EthType: 0xffff, NwFrag: 3, EthSrc: packet.MACFromUint64(1<<48 - 1), EthDst: packet.MACFromUint64(1<<48 - 1)}
		m.IPDst = ^uint32(0) << (bits % 32)
		m.TpDst = ^uint16(0) << (bits / 32)
		if _, err := s.Put(&key, &m, datapath.UFID{}, code); err != nil {
			b.Fatal(err)
		}
	}
	for i := range n - 1 {
		other := k
		other.EthDst = packet.MACFromUint64(uint64(100 + i))
		put(other, i+1)
	}
	put(k, 0)
	if err := s.Commit(); err != nil {
		verifierLog(b, err)
	}
	return s, entryFor(b, s, 1), flow.Compose(&k, make([]byte, 22))
}

// BenchmarkLookup is the whole way of a packet whose flow drops it, in the
// kernel: the least of several runs, since the machine does other things, too.
// "nothing" is a program that returns at once.
func BenchmarkLookup(b *testing.B) {
	measure := func(b *testing.B, p *ebpf.Program, frame []byte) {
		best := time.Hour
		for b.Loop() {
			_, d, err := p.Benchmark(frame, 200_000, nil)
			if err != nil {
				b.Fatal(err)
			}
			best = min(best, d)
		}
		b.ReportMetric(float64(best.Nanoseconds()), "ns/packet")
	}
	b.Run("nothing", func(b *testing.B) {
		s, _, frame := benchSet(b, 1)
		p, err := s.program("nothing", asm.Instructions{asm.Mov.Imm(asm.R0, tcActShot), asm.Return()})
		if err != nil {
			b.Fatal(err)
		}
		defer p.Close()
		measure(b, p, frame)
	})
	for _, n := range []int{1, 2, 4, 16, 64, 128} {
		b.Run(fmt.Sprintf("masks=%d", n), func(b *testing.B) {
			_, p, frame := benchSet(b, n)
			measure(b, p, frame)
		})
	}
}

// BenchmarkPut is a flow's life in user space: compiled, installed, removed.
func BenchmarkPut(b *testing.B) {
	s := newSet(b, Config{MaxFlows: 200_000})
	k := flow.Key{InPort: 1, EthType: packet.EtherTypeIPv4, NwProto: packet.ProtoUDP}
	m := flow.Mask{InPort: ^uint32(0), RecircID: ^uint32(0), EthType: 0xffff, NwFrag: 3, NwProto: 0xff, IPSrc: ^uint32(0), IPDst: ^uint32(0), TpSrc: 0xffff, TpDst: 0xffff}
	actions := []datapath.Action{&datapath.Output{Port: 2}}
	refs := make([]Ref, 0, 100_000)
	b.ReportAllocs()
	for b.Loop() {
		if len(refs) == cap(refs) {
			for _, r := range refs {
				s.Delete(r)
			}
			if err := s.Reclaim(); err != nil {
				b.Fatal(err)
			}
			refs = refs[:0]
		}
		k.IPSrc++
		code, _ := s.Compile(&k, &m, actions)
		r, err := s.Put(&k, &m, datapath.UFID{}, code)
		if err != nil {
			b.Fatal(err)
		}
		refs = append(refs, r)
	}
}
