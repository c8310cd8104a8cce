package program

import (
	"github.com/cilium/ebpf/asm"

	"weir/internal/packet"
)

// opNDOption looks for the option of a type with a link-layer address in a
// neighbour discovery message (RFC 4861, 4.6.1) and keeps where its address is.
// A message with two of them, or more options than are read, is user space's.
func (b *builder) opNDOption(*Set) {
	b.emit(
		asm.Mov.Imm(asm.R1, noOption),
		asm.StoreMem(asm.R9, frameOption, asm.R1, asm.Half),
		asm.LoadMem(asm.R2, asm.R6, cbState, asm.Word),
		asm.RSh.Imm(asm.R2, stateL4Shift),
		asm.And.Imm(asm.R2, stateL4Mask),
		asm.JEq.Imm(asm.R2, 0, "next"),
		asm.Add.Imm(asm.R2, ndFixed),
		asm.StoreMem(asm.R10, stepOffset, asm.R2, asm.DWord),
	)
	for i := range maxNDOptions + 1 {
		another := b.fresh("nd.option")
		b.emit(
			asm.LoadMem(asm.R2, asm.R10, stepOffset, asm.DWord),
			asm.Mov.Reg(asm.R3, asm.R2),
			asm.Add.Imm(asm.R3, packet.NDOptLen),
			asm.LoadMem(asm.R1, asm.R6, skbLen, asm.Word),
			asm.JGT.Reg(asm.R3, asm.R1, "next"),
			asm.Mov.Reg(asm.R1, asm.R6),
			asm.Mov.Reg(asm.R3, asm.R10),
			asm.Add.Imm(asm.R3, stepOld),
			asm.Mov.Imm(asm.R4, 2),
			asm.FnSkbLoadBytes.Call(),
			asm.JNE.Imm(asm.R0, 0, "next"),
			asm.LoadMem(asm.R3, asm.R10, stepOld+1, asm.Byte), // length in units of 8
			asm.JEq.Imm(asm.R3, 0, "next"),
		)
		if i == maxNDOptions {
			b.emit(asm.Ja.Label("op.resume"))
			break
		}
		b.emit(
			asm.LoadMem(asm.R2, asm.R10, stepOffset, asm.DWord),
			asm.Mov.Reg(asm.R4, asm.R3),
			asm.LSh.Imm(asm.R4, 3),
			asm.Add.Reg(asm.R4, asm.R2),
			asm.StoreMem(asm.R10, stepOffset, asm.R4, asm.DWord),
			asm.JNE.Imm(asm.R3, 1, another),
			asm.LoadMem(asm.R1, asm.R10, stepOld, asm.Byte),
			asm.Mov.Reg(asm.R3, asm.R8),
			asm.RSh.Imm(asm.R3, 32),
			asm.JNE.Reg(asm.R1, asm.R3, another),
			asm.LoadMem(asm.R1, asm.R9, frameOption, asm.Half),
			asm.JNE.Imm(asm.R1, noOption, "op.resume"),
			asm.Add.Imm(asm.R2, 2),
			asm.StoreMem(asm.R9, frameOption, asm.R2, asm.Half),
		)
		b.label(another)
	}
}
