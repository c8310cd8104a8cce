package program

import (
	"github.com/cilium/ebpf/asm"
)

// skipWords goes on with the operation that aux words further on begins.
func (b *builder) skipWords() {
	b.emit(
		asm.RSh.Imm(asm.R8, 16),
		asm.And.Imm(asm.R8, 0xffff),
		asm.LoadMem(asm.R1, asm.R9, framePlace, asm.DWord),
		asm.Add.Reg(asm.R1, asm.R8),
		asm.StoreMem(asm.R9, framePlace, asm.R1, asm.DWord),
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
		asm.Mov.Imm(asm.R1, 1+program),
		asm.StoreMem(asm.R9, frameTail, asm.R1, asm.DWord),
		asm.Ja.Label("stop"),
	)
}

// opPushMPLS puts a label stack entry before the network header: room is made
// at the front, and what is before the network header moves there.
func (b *builder) opPushMPLS(*Set) {
	b.emit(
		// A super-packet's segments would be cut from what isn't IP any more.
		asm.LoadMem(asm.R1, asm.R6, skbGSOSize, asm.Word),
		asm.JNE.Imm(asm.R1, 0, "op.resume"),
		asm.LoadMem(asm.R1, asm.R6, cbState, asm.Word),
		asm.And.Imm(asm.R1, 1<<stateL3Bits-1),
		asm.JGT.Imm(asm.R1, 22, "op.resume"), // two tags, or one and SNAP
		asm.Mov.Reg(asm.R1, asm.R6),
		asm.Mov.Imm(asm.R2, 4),
		asm.Mov.Imm(asm.R3, 0),
		asm.FnSkbChangeHead.Call(),
		asm.JNE.Imm(asm.R0, 0, "op.resume"),
	)
	move := func(from, to, n int32, last string) {
		b.emit(
			asm.Mov.Reg(asm.R1, asm.R6),
			asm.Mov.Imm(asm.R2, from),
			asm.Mov.Reg(asm.R3, asm.R9),
			asm.Add.Imm(asm.R3, frameOld),
			asm.Mov.Imm(asm.R4, n),
			asm.FnSkbLoadBytes.Call(),
			asm.JNE.Imm(asm.R0, 0, last),
			asm.Mov.Reg(asm.R1, asm.R6),
			asm.Mov.Imm(asm.R2, to),
			asm.Mov.Reg(asm.R3, asm.R9),
			asm.Add.Imm(asm.R3, frameOld),
			asm.Mov.Imm(asm.R4, n),
			asm.Mov.Imm(asm.R5, 0),
			asm.FnSkbStoreBytes.Call(),
		)
	}
	move(4, 0, 12, "lost.step")
	b.emit(
		// A tag in the frame moves, too.
		asm.LoadMem(asm.R1, asm.R6, cbState, asm.Word),
		asm.And.Imm(asm.R1, 1<<stateL3Bits-1),
		asm.JLT.Imm(asm.R1, 18, "mpls.put"),
	)
	move(16, 12, 4, "lost.step")
	b.emit(
		asm.LoadMem(asm.R1, asm.R6, cbState, asm.Word),
		asm.And.Imm(asm.R1, 1<<stateL3Bits-1),
		asm.JLT.Imm(asm.R1, 22, "mpls.put"),
	)
	move(20, 16, 4, "lost.step")
	b.label("mpls.put")
	b.emit(
		asm.LoadMem(asm.R2, asm.R6, cbState, asm.Word),
		// The layer-4 header is where it was before the entry, and 4 further.
		asm.Mov.Reg(asm.R1, asm.R2),
		asm.And.Imm(asm.R1, stateL4Mask<<stateL4Shift),
		asm.JEq.Imm(asm.R1, 0, "mpls.l4"),
		asm.Add.Imm(asm.R2, 4<<stateL4Shift),
		asm.StoreMem(asm.R6, cbState, asm.R2, asm.Word),
	)
	b.label("mpls.l4")
	b.emit(
		asm.And.Imm(asm.R2, 1<<stateL3Bits-1),
		asm.Sub.Imm(asm.R2, 2), // the type
		asm.Mov.Reg(asm.R1, asm.R8),
		asm.RSh.Imm(asm.R1, 16),
		asm.StoreMem(asm.R9, frameOld, asm.R1, asm.DWord), // type and entry, in the packet's order
		asm.Mov.Reg(asm.R1, asm.R6),
		asm.Mov.Reg(asm.R3, asm.R9),
		asm.Add.Imm(asm.R3, frameOld),
		asm.Mov.Imm(asm.R4, 6),
		asm.Mov.Imm(asm.R5, 0),
		asm.FnSkbStoreBytes.Call(),
		// The sum of the whole packet, if the device gave one.
		asm.RSh.Imm(asm.R8, 32),
		asm.StoreMem(asm.R9, frameOld, asm.R8, asm.DWord),
		asm.Mov.Imm(asm.R1, 0),
		asm.Mov.Imm(asm.R2, 0),
		asm.Mov.Reg(asm.R3, asm.R9),
		asm.Add.Imm(asm.R3, frameOld),
		asm.Mov.Imm(asm.R4, 4),
		asm.Mov.Imm(asm.R5, 0),
		asm.FnCsumDiff.Call(),
		asm.Mov.Reg(asm.R1, asm.R6),
		asm.Mov.Reg(asm.R2, asm.R0),
		asm.FnCsumUpdate.Call(),
	)
	b.next()
}
