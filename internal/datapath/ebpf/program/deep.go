package program

import (
	"github.com/cilium/ebpf/asm"

	"weir/internal/flow"
	"weir/internal/packet"
)

// What program deep leaves in a CPU's scratch memory, behind the upcall header.
const (
	deepOK     = UpcallLen      // byte: 0 if the extension headers are malformed
	deepProto  = UpcallLen + 1  // byte: what follows them
	deepFrag   = UpcallLen + 2  // byte: flow.Key.NwFrag
	deepND     = UpcallLen + 3  // byte: 1 for a sound solicitation or advertisement
	deepLength = UpcallLen + 4  // 2 bytes: from the IPv6 header to what follows
	deepOption = UpcallLen + 6  // byte: flow.Key.NDOptionsType
	deepSLL    = UpcallLen + 8  // 6 bytes and two zeros
	deepTLL    = UpcallLen + 16 // 6 bytes and two zeros
)

// maxExtensions is how many IPv6 extension headers are read.
const maxExtensions = 6

// extensionProtos are the headers that walk past, the fragment header last.
var extensionProtos = []int32{packet.ProtoHopOpts, packet.ProtoRouting, packet.ProtoDstOpts, packet.ProtoAH, packet.ProtoFragment}

// The stack of deep.
const (
	deepScratch = -16 // pointer to the CPU's scratch memory
	deepSum     = -24 // byte: NwFrag so far
)

// assembleDeep reads the extension headers of an IPv6 packet, and the options
// of a neighbour discovery message, for main: that is long for the verifier,
// rare in packets, and the same whatever the masks. The network header is where
// cbState says.
func (s *Set) assembleDeep() asm.Instructions {
	b := &builder{frame: newFrame(&words{})}
	p := &parser{builder: b, set: s}
	b.emit(asm.Mov.Reg(asm.R6, asm.R1))
	b.scratch(s, asm.R1)
	b.emit(
		asm.StoreMem(asm.R10, deepScratch, asm.R1, asm.DWord),
		asm.Mov.Imm(asm.R0, 0),
		asm.StoreMem(asm.R1, deepOK, asm.R0, asm.DWord),
		asm.StoreMem(asm.R1, deepSLL, asm.R0, asm.DWord),
		asm.StoreMem(asm.R1, deepTLL, asm.R0, asm.DWord),
		asm.StoreMem(asm.R10, deepSum, asm.R0, asm.Byte),
		asm.LoadMem(asm.R9, asm.R6, cbState, asm.Word),
		asm.Mov.Reg(asm.R1, asm.R9),
		asm.Or.Imm(asm.R1, stateDeep),
		asm.StoreMem(asm.R6, cbState, asm.R1, asm.Word),
		asm.And.Imm(asm.R9, 1<<stateL3Bits-1),
		asm.LoadMem(asm.R7, asm.R6, skbData, asm.Word),
		asm.LoadMem(asm.R8, asm.R6, skbDataEnd, asm.Word),
		asm.Mov.Reg(asm.R1, asm.R7),
		asm.Add.Reg(asm.R1, asm.R9),
	)
	b.need(asm.R1, packet.IPv6Len)
	b.be(asm.R5, asm.R1, 4, asm.Half) // main has seen that the packet is that long
	b.emit(asm.LoadMem(asm.R3, asm.R1, 6, asm.Byte), asm.Mov.Imm(asm.R4, packet.IPv6Len))
	for range maxExtensions {
		p.extension()
	}
	for _, proto := range extensionProtos {
		b.emit(asm.JEq.Imm(asm.R3, proto, "odd"))
	}
	b.label("chain")
	b.emit(
		asm.LoadMem(asm.R1, asm.R10, deepScratch, asm.DWord),
		asm.Mov.Imm(asm.R2, 1),
		asm.StoreMem(asm.R1, deepOK, asm.R2, asm.Byte),
		asm.StoreMem(asm.R1, deepProto, asm.R3, asm.Byte),
		asm.LoadMem(asm.R2, asm.R10, deepSum, asm.Byte),
		asm.StoreMem(asm.R1, deepFrag, asm.R2, asm.Byte),
		asm.StoreMem(asm.R1, deepLength, asm.R4, asm.Half),
		asm.JGT.Imm(asm.R2, flow.FragAny, "done"),
		asm.JNE.Imm(asm.R3, packet.ProtoICMPv6, "done"),
		asm.Add.Reg(asm.R9, asm.R4),
	)
	p.options()
	// Where the linear part ends before the packet, it is made longer.
	b.label("short")
	b.emit(
		asm.Sub.Reg(asm.R8, asm.R7),
		asm.LoadMem(asm.R1, asm.R6, skbLen, asm.Word),
		asm.JLT.Reg(asm.R8, asm.R1, "pull"),
	)
	b.label("done")
	b.tailCall(s, progMain)
	b.emit(asm.Ja.Label("lost"))
	b.pull(s, progMain)
	b.label("odd")
	b.upcall(s, ReasonOdd, func() { b.countPacket(s, cSlow, asm.R9) })
	b.lost(s)
	return b.insns
}

// scratch points dst to this CPU's scratch memory. It is a call.
func (b *builder) scratch(s *Set, dst asm.Register) {
	b.cpu(s)
	b.address(dst, s.scratchRegion, 0)
	b.emit(asm.Mul.Imm(asm.R0, scratchBytes), asm.Add.Reg(dst, asm.R0))
}

// extension reads one extension header, if R3 is one, else goes to
// "chain". R4 is its offset from the IPv6 header, R5 the length of the
// packet from it on.
func (p *parser) extension() {
	id := p.fresh("")
	name := func(s string) string { return s + id }
	p.emit(
		asm.JEq.Imm(asm.R3, packet.ProtoFragment, name("fragment")),
		asm.JEq.Imm(asm.R3, packet.ProtoHopOpts, name("extension")),
		asm.JEq.Imm(asm.R3, packet.ProtoRouting, name("extension")),
		asm.JEq.Imm(asm.R3, packet.ProtoDstOpts, name("extension")),
		asm.JNE.Imm(asm.R3, packet.ProtoAH, "chain"),
	)
	p.label(name("extension"))
	p.extensionAt()
	p.emit(
		asm.LoadMem(asm.R0, asm.R2, 1, asm.Byte),
		asm.JEq.Imm(asm.R3, packet.ProtoAH, name("ah")),
		asm.Add.Imm(asm.R0, 1),
		asm.LSh.Imm(asm.R0, 3),
		asm.Ja.Label(name("length")),
	)
	p.label(name("ah"))
	p.emit(asm.Add.Imm(asm.R0, 2), asm.LSh.Imm(asm.R0, 2))
	p.label(name("length"))
	p.emit(
		asm.JGT.Reg(asm.R0, asm.R5, "done"),
		asm.LoadMem(asm.R3, asm.R2, 0, asm.Byte),
		asm.Add.Reg(asm.R4, asm.R0),
		asm.Sub.Reg(asm.R5, asm.R0),
		asm.Ja.Label(name("next")),
	)
	p.label(name("fragment"))
	p.extensionAt()
	p.emit(
		asm.LoadMem(asm.R3, asm.R2, 0, asm.Byte), // the next header
		asm.Add.Imm(asm.R4, packet.FragLen),
		asm.Sub.Imm(asm.R5, packet.FragLen),
	)
	p.be(asm.R0, asm.R2, 2, asm.Half)
	p.emit(
		asm.Mov.Reg(asm.R2, asm.R0),
		asm.And.Imm(asm.R2, 0xfff9),
		asm.JEq.Imm(asm.R2, 0, name("next")),
		asm.Mov.Imm(asm.R2, flow.FragAny),
		asm.And.Imm(asm.R0, 0xfff8),
		asm.JEq.Imm(asm.R0, 0, name("first")),
		// A later fragment: its protocol is the fragment header's own.
		asm.Mov.Imm(asm.R3, packet.ProtoFragment),
		asm.Mov.Imm(asm.R2, flow.FragAny|flow.FragLater),
		asm.StoreMem(asm.R10, deepSum, asm.R2, asm.Byte),
		asm.Ja.Label("chain"),
	)
	p.label(name("first"))
	p.emit(asm.StoreMem(asm.R10, deepSum, asm.R2, asm.Byte))
	p.label(name("next"))
	p.join(asm.R4, localJoin, asm.Half)
	p.emit(asm.JGT.Imm(asm.R4, MaxHeader, "odd"))
}

// extensionAt points R2 to the header at R4 and sees to it that its first 8
// bytes are there.
func (p *parser) extensionAt() {
	p.emit(
		asm.JLT.Imm(asm.R5, 8, "done"),
		asm.Mov.Reg(asm.R2, asm.R7),
		asm.Add.Reg(asm.R2, asm.R9),
		asm.Add.Reg(asm.R2, asm.R4),
	)
	p.need(asm.R2, 8)
}
