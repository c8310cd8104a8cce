package program

import (
	"github.com/cilium/ebpf/asm"

	"weir/internal/packet"
)

// maxNDOptions is how many options of a neighbour discovery message are read.
const maxNDOptions = 6

// ndFixed is where the options of a solicitation or advertisement begin.
const ndFixed = packet.ICMPLen + 16

// neighbour stores the fields of the neighbour solicitation or advertisement
// at R1 that program deep has found sound (RFC 4861, 4.3 and 4.4).
func (p *parser) neighbour() {
	p.emit(asm.JSLT.Imm(asm.R5, ndFixed, "parsed"))
	p.scratch(p.set, asm.R4)
	p.emit(
		asm.LoadMem(asm.R1, asm.R4, deepND, asm.Byte),
		asm.JEq.Imm(asm.R1, 0, "parsed"),
		asm.LoadMem(asm.R9, asm.R10, localL4, asm.Half),
		asm.JGT.Imm(asm.R9, MaxHeader, "odd"),
		asm.Mov.Reg(asm.R1, asm.R7),
		asm.Add.Reg(asm.R1, asm.R9),
	)
	p.need(asm.R1, ndFixed)
	for i := range 2 {
		if p.want[wNDTarget+i] != 0 {
			p.emit(asm.LoadMem(asm.R2, asm.R1, int16(packet.ICMPLen+8*i), asm.DWord))
			p.store(wNDTarget+i, asm.R2)
		}
	}
	if p.want[wNDRsv] != 0 {
		p.be(asm.R2, asm.R1, 4, asm.Word)
		p.store(wNDRsv, asm.R2)
	}
	p.emit(
		asm.LoadMem(asm.R2, asm.R4, deepSLL, asm.DWord),
		asm.LoadMem(asm.R3, asm.R4, deepTLL, asm.DWord),
		asm.Mov.Reg(asm.R1, asm.R3),
		asm.LSh.Imm(asm.R1, 48),
		asm.Or.Reg(asm.R2, asm.R1), // SLL, and the first two bytes of TLL
		asm.RSh.Imm(asm.R3, 16),
		asm.LoadMem(asm.R1, asm.R4, deepOption, asm.Byte),
		asm.LSh.Imm(asm.R1, 48),
		asm.Or.Reg(asm.R3, asm.R1), // the rest of TLL, no TCP flags, the option
	)
	p.store(wARP, asm.R2)
	p.store(wARP+1, asm.R3)
}

// options reads the options of the ICMPv6 message at offset R9, of R5 bytes,
// if it is a solicitation or advertisement. A malformed or repeated option
// makes it have no fields at all: deepND stays 0.
func (p *parser) options() {
	p.emit(
		asm.JSLT.Imm(asm.R5, ndFixed, "done"),
		asm.JGT.Imm(asm.R9, MaxHeader, "odd"),
		asm.Mov.Reg(asm.R1, asm.R7),
		asm.Add.Reg(asm.R1, asm.R9),
	)
	p.need(asm.R1, ndFixed)
	p.emit(
		asm.LoadMem(asm.R3, asm.R1, 0, asm.Byte), // type
		asm.LoadMem(asm.R2, asm.R1, 1, asm.Byte),
		asm.JNE.Imm(asm.R2, 0, "done"),
		asm.JLT.Imm(asm.R3, packet.ICMPv6NeighborSolicit, "done"),
		asm.JGT.Imm(asm.R3, packet.ICMPv6NeighborAdvert, "done"),
		asm.Mov.Imm(asm.R4, ndFixed),
	)
	for range maxNDOptions {
		p.option()
	}
	p.emit(
		asm.Mov.Reg(asm.R0, asm.R5),
		asm.Sub.Reg(asm.R0, asm.R4),
		asm.JSGE.Imm(asm.R0, packet.NDOptLen, "odd"),
	)
	p.label("sound")
	p.emit(
		asm.LoadMem(asm.R1, asm.R10, deepScratch, asm.DWord),
		asm.Mov.Imm(asm.R2, 1),
		asm.StoreMem(asm.R1, deepND, asm.R2, asm.Byte),
		asm.Ja.Label("done"),
	)
}

// option reads the option at offset R4 from the message at offset R9, of
// which R5 bytes are left; R3 is the message's type.
func (p *parser) option() {
	next, store, tll := p.fresh("nd.next"), p.fresh("nd.store"), p.fresh("nd.tll")
	p.emit(
		asm.Mov.Reg(asm.R1, asm.R5),
		asm.Sub.Reg(asm.R1, asm.R4), // length of what remains
		asm.JSLT.Imm(asm.R1, packet.NDOptLen, "sound"),
		asm.Mov.Reg(asm.R2, asm.R7),
		asm.Add.Reg(asm.R2, asm.R9),
		asm.Add.Reg(asm.R2, asm.R4),
	)
	p.need(asm.R2, packet.NDOptLen)
	p.emit(
		asm.LoadMem(asm.R0, asm.R2, 1, asm.Byte),
		asm.LSh.Imm(asm.R0, 3),
		asm.JEq.Imm(asm.R0, 0, "done"),
		asm.JSGT.Reg(asm.R0, asm.R1, "done"),
		asm.Add.Reg(asm.R4, asm.R0),
		asm.JNE.Imm(asm.R0, packet.NDOptLen, next),
		asm.LoadMem(asm.R0, asm.R2, 0, asm.Byte),
		asm.LoadMem(asm.R2, asm.R2, 0, asm.DWord),
		asm.RSh.Imm(asm.R2, 16), // the address
		asm.JEq.Imm(asm.R0, packet.NDOptTargetLinkAddress, tll),
		asm.JNE.Imm(asm.R0, packet.NDOptSourceLinkAddress, next),
		asm.JNE.Imm(asm.R3, packet.ICMPv6NeighborSolicit, next),
		asm.LoadMem(asm.R1, asm.R10, deepScratch, asm.DWord),
		asm.LoadMem(asm.R8, asm.R1, deepSLL, asm.DWord),
		asm.JNE.Imm(asm.R8, 0, "done"),
		asm.StoreMem(asm.R1, deepSLL, asm.R2, asm.DWord),
		asm.Ja.Label(store),
	)
	p.label(tll)
	p.emit(
		asm.JNE.Imm(asm.R3, packet.ICMPv6NeighborAdvert, next),
		asm.LoadMem(asm.R1, asm.R10, deepScratch, asm.DWord),
		asm.LoadMem(asm.R8, asm.R1, deepTLL, asm.DWord),
		asm.JNE.Imm(asm.R8, 0, "done"),
		asm.StoreMem(asm.R1, deepTLL, asm.R2, asm.DWord),
	)
	p.label(store)
	p.emit(asm.StoreMem(asm.R1, deepOption, asm.R0, asm.Byte), asm.LoadMem(asm.R8, asm.R6, skbDataEnd, asm.Word))
	p.label(next)
	p.join(asm.R4, localJoin, asm.Half)
	p.emit(asm.JGT.Imm(asm.R4, MaxHeader, "odd"))
}
