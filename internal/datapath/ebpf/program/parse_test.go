package program

import (
	"encoding/binary"
	"encoding/hex"
	"slices"
	"testing"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/asm"
	"pgregory.net/rapid"

	"weir/internal/datapath"
	"weir/internal/flow"
	"weir/internal/packet"
)

// Verdicts of the probe.
const (
	probeParsed = 1
	probeOdd    = 2
	probePull   = 3
)

// probe is main's parser alone: it leaves the key, and after it the locals, in
// a region.
type probe struct {
	prog *ebpf.Program
	out  *region
}

// newProbe assembles one; taken has the kernel take the outer tag out of the
// frame first, as it does on receive.
func newProbe(t testing.TB, vlanLimit int, want *words) *probe {
	t.Helper()
	s := newSet(t, Config{VLANLimit: vlanLimit})
	out, err := newRegion("probe", keyBytes+64)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(out.close)
	b := &builder{}
	b.emit(
		asm.Mov.Reg(asm.R6, asm.R1),
		// BPF_PROG_TEST_RUN refuses short IP packets: skb->priority holds what
		// stands where the type does.
		asm.LoadMem(asm.R1, asm.R6, skbPriority, asm.Word),
		asm.JEq.Imm(asm.R1, 0, "again"), // program deep has been here
		asm.StoreMem(asm.R10, -8, asm.R1, asm.Half),
		asm.Mov.Reg(asm.R1, asm.R6),
		asm.Mov.Imm(asm.R2, 12),
		asm.Mov.Reg(asm.R3, asm.R10),
		asm.Add.Imm(asm.R3, -8),
		asm.Mov.Imm(asm.R4, 2),
		asm.Mov.Imm(asm.R5, 0),
		asm.FnSkbStoreBytes.Call(),
		asm.Mov.Imm(asm.R1, 0),
		asm.StoreMem(asm.R6, skbPriority, asm.R1, asm.Word),
		// skb->mark says which tag to push beforehand: type and TCI.
		asm.LoadMem(asm.R3, asm.R6, skbMark, asm.Word),
		asm.JEq.Imm(asm.R3, 0, "begin"),
		asm.Mov.Reg(asm.R2, asm.R3),
		asm.RSh.Imm(asm.R2, 16),
		asm.HostTo(asm.BE, asm.R2, asm.Half),
		asm.And.Imm(asm.R3, 0xffff),
		asm.Mov.Reg(asm.R1, asm.R6),
		asm.FnSkbVlanPush.Call(),
		asm.Mov.Imm(asm.R1, 0),
		asm.StoreMem(asm.R6, skbMark, asm.R1, asm.Word),
	)
	b.label("begin")
	b.emit(asm.Mov.Imm(asm.R1, 0))
	for i := range 5 {
		b.emit(asm.StoreMem(asm.R6, skbCB+int16(4*i), asm.R1, asm.Word))
	}
	b.label("again")
	p := &parser{builder: b, set: s, want: want, vlanLimit: vlanLimit}
	p.parse()
	b.address(asm.R1, out, 0)
	for w, m := range want {
		if m != 0 {
			b.emit(asm.LoadMem(asm.R2, asm.R10, b.word(w), asm.DWord), asm.StoreMem(asm.R1, int16(8*w), asm.R2, asm.DWord))
		}
	}
	b.emit(
		asm.LoadMem(asm.R2, asm.R10, localL4, asm.Half),
		asm.StoreMem(asm.R1, int16(keyBytes), asm.R2, asm.DWord),
		asm.LoadMem(asm.R2, asm.R10, localFlags, asm.DWord),
		asm.StoreMem(asm.R1, int16(keyBytes)+8, asm.R2, asm.DWord),
		asm.Mov.Imm(asm.R0, probeParsed),
		asm.Return(),
	)
	b.label("odd")
	b.emit(asm.Mov.Imm(asm.R0, probeOdd), asm.Return())
	b.deep(s)
	b.lost(s)
	b.label("pull")
	b.emit(asm.Mov.Imm(asm.R0, probePull), asm.Return())
	prog, err := s.program("probe", b.insns)
	if err != nil {
		verifierLog(t, err)
	}
	t.Cleanup(func() { prog.Close() })
	if err := s.programs.Put(uint32(progMain), prog); err != nil { // where program deep goes back to
		t.Fatal(err)
	}
	info, err := prog.Info()
	if err == nil {
		n, _ := info.VerifiedInstructions()
		t.Logf("parser: %d instructions, %d verified", len(b.insns), n)
	}
	return &probe{prog, out}
}

func all() *words {
	var w words
	for i := range w {
		w[i] = ^uint64(0)
	}
	return &w
}

// run parses a frame; tag is the outer tag that the kernel took out of it.
func (p *probe) run(t interface{ Fatalf(string, ...any) }, frame []byte, tag flow.VLAN) (verdict uint32, key words, l4, flags uint64) {
	ctx := make([]byte, 192)
	if tag.TCI != 0 {
		binary.LittleEndian.PutUint32(ctx[skbMark:], uint32(tag.TPID)<<16|uint32(tag.TCI))
	}
	binary.LittleEndian.PutUint32(ctx[skbPriority:], uint32(binary.LittleEndian.Uint16(frame[12:]))|1<<16)
	frame = slices.Clone(frame)
	frame[12], frame[13] = 0xff, 0xff
	verdict, err := p.prog.Run(&ebpf.RunOptions{Data: frame, Context: ctx, Repeat: 1})
	if err != nil {
		t.Fatalf("%x: %v", frame, err)
	}
	tail := view[uint64](p.out, dpWords+2)[dpWords:]
	return verdict, view[words](p.out, 1)[0], tail[0], tail[1]
}

// genFrame draws frames of all kinds: sound, truncated, with bytes changed,
// with options and extension headers.
func genFrame(t *rapid.T) []byte {
	k := genKey(t)
	var payload []byte
	if rapid.Bool().Draw(t, "payload?") {
		payload = rapid.SliceOfN(rapid.Byte(), 0, 80).Draw(t, "payload")
	}
	frame := flow.Compose(&k, payload)
	if k.EthType == packet.EtherTypeIPv6 && rapid.Bool().Draw(t, "extend?") {
		frame = extend(t, frame)
	}
	if rapid.IntRange(0, 3).Draw(t, "snap?") == 0 {
		frame = snap(frame)
	}
	for range rapid.IntRange(0, 2).Draw(t, "changes") {
		i := rapid.IntRange(12, max(12, min(len(frame)-1, 80))).Draw(t, "at")
		if i < len(frame) {
			frame[i] = rapid.OneOf(rapid.Byte(), rapid.SampledFrom([]byte{0, 1, 0x40, 0x45, 6, 17, 44, 60, 0x81, 0x88, 0xa8})).Draw(t, "byte")
		}
	}
	switch rapid.IntRange(0, 3).Draw(t, "length") {
	case 0:
		frame = frame[:rapid.IntRange(packet.EthLen, len(frame)).Draw(t, "cut")]
	case 1:
		frame = append(frame, make([]byte, rapid.IntRange(0, 20).Draw(t, "pad"))...)
	}
	for len(frame) < packet.EthLen+1+packet.VLANLen { // the least that BPF_PROG_TEST_RUN takes, of which a tag may be taken out
		frame = append(frame, 0)
	}
	return frame
}

// snap puts an LLC and SNAP header before an untagged frame's type.
func snap(frame []byte) []byte {
	out := append([]byte{}, frame[:12]...)
	out = append(out, 0, byte(len(frame)-6), 0xaa, 0xaa, 3, 0, 0, 0)
	return append(out, frame[12:]...)
}

// extend puts extension headers into an untagged IPv6 frame.
func extend(t *rapid.T, frame []byte) []byte {
	at := 12
	for packet.Be16(frame[at:]) == packet.EtherTypeVLAN || packet.Be16(frame[at:]) == packet.EtherTypeQinQ {
		at += 4
	}
	at += 2
	next := frame[at+6]
	var chain []byte
	for range rapid.IntRange(1, 5).Draw(t, "extensions") {
		kind := rapid.SampledFrom([]byte{0, 43, 44, 51, 60, 59, 135}).Draw(t, "kind")
		n := rapid.IntRange(0, 2).Draw(t, "units")
		h := make([]byte, 8+8*n)
		switch kind {
		case 44:
			h = h[:8]
			packet.PutBe16(h[2:], rapid.SampledFrom([]uint16{0, 0, 0, 1, 8, 9, 0x100, 6}).Draw(t, "fragment"))
		case 51:
			h[1] = byte(2 * n)
		default:
			h[1] = byte(n)
		}
		h[0] = next
		next = kind
		chain = append(append([]byte{}, h...), chain...)
	}
	frame[at+6] = next
	packet.PutBe16(frame[at+4:], packet.Be16(frame[at+4:])+uint16(len(chain)))
	out := append([]byte{}, frame[:at+40]...)
	return append(append(out, chain...), frame[at+40:]...)
}

// The parser reads from every frame what flow.Extract does.
func TestParserAgreesWithExtract(t *testing.T) {
	for limit := 1; limit <= 2; limit++ {
		flow.SetVLANLimit(limit)
		defer flow.SetVLANLimit(1)
		p := newProbe(t, limit, all())
		odd, parsed := 0, 0
		rapid.Check(t, func(t *rapid.T) {
			frame := genFrame(t)
			inside, tag := frame, flow.VLAN{}
			if tpid := packet.Be16(frame[12:]); len(frame) >= 18 && (tpid == packet.EtherTypeVLAN || tpid == packet.EtherTypeQinQ) && packet.Be16(frame[14:]) != 0 && rapid.Bool().Draw(t, "taken out") {
				tag = flow.VLAN{TPID: tpid, TCI: packet.Be16(frame[14:])}
				inside = append(append([]byte{}, frame[:12]...), frame[16:]...)
			}
			verdict, got, l4, flags := p.run(t, inside, tag)
			if verdict == probeOdd {
				odd++
				return
			}
			parsed++
			if verdict != probeParsed {
				t.Fatalf("%x: verdict %d", frame, verdict)
			}
			var want flow.Key
			o := flow.ExtractOffsets(frame, &want)
			var have flow.Key
			*keyWords(&have) = got
			if have != want {
				t.Fatalf("%s tag %x\nprogram %s\nextract %s", hex.EncodeToString(frame), tag, datapath.FormatKey(&have, nil, false, nil), datapath.FormatKey(&want, nil, false, nil))
			}
			wantL4 := uint64(0)
			if o.L4 >= 0 {
				wantL4 = uint64(o.L4 - (len(frame) - len(inside)))
			}
			if l4 != wantL4 || flags != uint64(want.TCPFlags) {
				t.Fatalf("%x: layer 4 at %d, want %d; flags %x, want %x", frame, l4, wantL4, flags, want.TCPFlags)
			}
		})
		if odd > parsed/5 {
			t.Errorf("%d of %d frames are odd", odd, odd+parsed)
		}
	}
}
