package program

import (
	"github.com/cilium/ebpf/asm"
)

// skipWords goes on with the operation that aux words further on begins.
func (b *builder) skipWords() {
	b.emit(
		asm.RSh.Imm(asm.R8, 16),
		asm.And.Imm(asm.R8, 0xffff),
		asm.LoadMem(asm.R1, asm.R6, cbCode, asm.Word),
		asm.Add.Reg(asm.R1, asm.R8),
		asm.StoreMem(asm.R6, cbCode, asm.R1, asm.Word),
	)
	b.next()
}

func (b *builder) opSample(*Set) {
	b.emit(
		asm.FnGetPrandomU32.Call(),
		asm.Mov.Reg(asm.R1, asm.R8),
		asm.RSh.Imm(asm.R1, 32),
		asm.Mov.Reg32(asm.R0, asm.R0),
		asm.JLE.Reg(asm.R0, asm.R1, "next"),
	)
	b.skipWords()
}

func (b *builder) opLonger(*Set) {
	b.length(asm.R2, asm.R1)
	b.emit(
		asm.Mov.Reg(asm.R1, asm.R8),
		asm.RSh.Imm(asm.R1, 32),
		asm.JGT.Reg(asm.R2, asm.R1, "next"),
	)
	b.skipWords()
}

func (b *builder) opJump(*Set) { b.skipWords() }

func (b *builder) opRecirc(*Set) {
	b.emit(
		asm.Mov.Reg(asm.R1, asm.R8),
		asm.RSh.Imm(asm.R1, 32),
		asm.StoreMem(asm.R6, cbRecirc, asm.R1, asm.Word),
		asm.LoadMem(asm.R1, asm.R6, cbState, asm.Word),
		asm.And.Imm(asm.R1, stateKeep),
		asm.StoreMem(asm.R6, cbState, asm.R1, asm.Word),
	)
	b.leave(progMain)
}

// opHash has program hash compute the hash and come back for what follows.
func (b *builder) opHash(*Set) { b.leave(progHash) }

// leave ends the loop; another program goes on.
func (b *builder) leave(program int32) {
	b.emit(
		asm.Mov.Imm(asm.R1, leave+program),
		asm.StoreMem(asm.R9, frameOutcome, asm.R1, asm.Word),
		asm.Ja.Label("stop"),
	)
}
