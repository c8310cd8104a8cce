package program

import (
	"github.com/cilium/ebpf/asm"

	"weir/internal/packet"
)

// opSet is the operation of that name; see its constants.
func (b *builder) opSet(*Set) {
	const (
		fNoBase   = "set.base"
		recompute = 1 // BPF_F_RECOMPUTE_CSUM
	)
	flag := func(f int32, otherwise string) {
		b.emit(
			asm.Mov.Reg(asm.R1, asm.R8),
			asm.RSh.Imm(asm.R1, 16),
			asm.And.Imm(asm.R1, f),
			asm.JEq.Imm(asm.R1, 0, otherwise),
		)
	}
	b.emit(
		// The offset: of the header and within it.
		asm.LoadMem(asm.R3, asm.R6, cbState, asm.Word),
		asm.Mov.Imm(asm.R2, 0),
	)
	flag(setL3|setL4, fNoBase)
	b.emit(
		asm.Mov.Reg(asm.R2, asm.R3),
		asm.And.Imm(asm.R2, 1<<stateL3Bits-1),
		// A packet that ends within its IP header is left alone.
		asm.Mov.Reg(asm.R4, asm.R8),
		asm.RSh.Imm(asm.R4, 16),
		asm.And.Imm(asm.R4, setSumIP|setIPv6),
		asm.JEq.Imm(asm.R4, 0, "set.l4base"),
		asm.Mov.Reg(asm.R5, asm.R2),
		asm.Add.Imm(asm.R5, packet.IPv4Len),
		asm.JEq.Imm(asm.R4, setSumIP, "set.room"),
		asm.Add.Imm(asm.R5, packet.IPv6Len-packet.IPv4Len),
	)
	b.label("set.room")
	b.emit(
		asm.LoadMem(asm.R4, asm.R6, skbLen, asm.Word),
		asm.JGT.Reg(asm.R5, asm.R4, "next"),
	)
	b.label("set.l4base")
	b.emit(
		asm.And.Imm(asm.R1, setL4),
		asm.JEq.Imm(asm.R1, 0, fNoBase),
		asm.Mov.Reg(asm.R2, asm.R3),
		asm.RSh.Imm(asm.R2, stateL4Shift),
		asm.And.Imm(asm.R2, stateL4Mask),
		asm.JEq.Imm(asm.R2, 0, "next"), // no such header
	)
	b.label(fNoBase)
	flag(setND, "set.at")
	b.emit(
		asm.LoadMem(asm.R2, asm.R9, frameOption, asm.Half),
		asm.JEq.Imm(asm.R2, noOption, "next"), // no such option
	)
	b.label("set.at")
	b.emit(
		asm.Mov.Reg(asm.R1, asm.R8),
		asm.RSh.Imm(asm.R1, 32),
		asm.And.Imm(asm.R1, 0xff),
		asm.Add.Reg(asm.R2, asm.R1),
		asm.StoreMem(asm.R10, stepOffset, asm.R2, asm.DWord),
		asm.Mov.Imm(asm.R1, 0),
		asm.StoreMem(asm.R10, stepOld, asm.R1, asm.DWord),
	)
	b.setSize(asm.R4)
	b.emit(
		asm.Mov.Reg(asm.R1, asm.R6),
		asm.Mov.Reg(asm.R3, asm.R10),
		asm.Add.Imm(asm.R3, stepOld),
		asm.FnSkbLoadBytes.Call(),
		asm.JNE.Imm(asm.R0, 0, "next"), // the packet is too short
	)
	b.merge(8)
	b.emit(asm.JEq.Reg(asm.R3, asm.R4, "next"))
	flag(setSumIP, "set.l4")
	b.emit(
		asm.LoadMem(asm.R2, asm.R6, cbState, asm.Word),
		asm.And.Imm(asm.R2, 1<<stateL3Bits-1),
		asm.Add.Imm(asm.R2, 10),
	)
	b.setSize(asm.R5)
	b.emit(asm.Mov.Reg(asm.R1, asm.R6), asm.FnL3CsumReplace.Call())
	b.label("set.l4")
	flag(setSumL4, "set.store")
	b.emit(
		asm.LoadMem(asm.R2, asm.R6, cbState, asm.Word),
		asm.RSh.Imm(asm.R2, stateL4Shift),
		asm.And.Imm(asm.R2, stateL4Mask),
		asm.JEq.Imm(asm.R2, 0, "set.store"),
		asm.Mov.Reg(asm.R1, asm.R8),
		asm.RSh.Imm(asm.R1, 40),
		asm.And.Imm(asm.R1, 0xff),
		asm.Add.Reg(asm.R2, asm.R1),
		asm.LoadMem(asm.R3, asm.R10, stepOld, asm.Word),
		asm.LoadMem(asm.R4, asm.R10, stepNew, asm.Word),
		asm.Mov.Reg(asm.R5, asm.R8),
		asm.RSh.Imm(asm.R5, 48),
		asm.Mov.Reg(asm.R1, asm.R6),
		asm.FnL4CsumReplace.Call(),
	)
	b.label("set.store")
	b.emit(
		asm.Mov.Reg(asm.R5, asm.R8),
		asm.RSh.Imm(asm.R5, 16),
		asm.And.Imm(asm.R5, setRaw),
		asm.JEq.Imm(asm.R5, 0, "set.plain"),
		asm.Mov.Imm(asm.R5, recompute),
	)
	b.label("set.plain")
	b.setSize(asm.R4)
	b.emit(
		asm.LoadMem(asm.R2, asm.R10, stepOffset, asm.DWord),
		asm.Mov.Reg(asm.R1, asm.R6),
		asm.Mov.Reg(asm.R3, asm.R10),
		asm.Add.Imm(asm.R3, stepNew),
		asm.FnSkbStoreBytes.Call(),
	)
	b.next()
}

// setSize puts the number of bytes that the operation in R8 sets into dst: 2,
// or 4 with setLong.
func (b *builder) setSize(dst asm.Register) {
	b.emit(
		asm.Mov.Reg(dst, asm.R8),
		asm.RSh.Imm(dst, 16),
		asm.And.Imm(dst, setLong),
		asm.LSh.Imm(dst, 1),
		asm.Add.Imm(dst, 2),
	)
}

// merge puts into R3 what stepOld holds, and into R4 and stepNew that with the
// value at R7+at in the bits of the mask behind it. R1 is lost.
func (b *builder) merge(at int16) {
	b.emit(
		asm.LoadMem(asm.R3, asm.R10, stepOld, asm.Word),
		asm.Mov.Reg(asm.R4, asm.R3),
		asm.LoadMem(asm.R1, asm.R7, at+4, asm.Word),
		asm.Xor.Imm(asm.R1, -1),
		asm.And.Reg(asm.R4, asm.R1),
		asm.LoadMem(asm.R1, asm.R7, at, asm.Word),
		asm.Or.Reg(asm.R4, asm.R1),
		asm.Mov.Reg32(asm.R4, asm.R4),
		asm.StoreMem(asm.R10, stepNew, asm.R4, asm.DWord),
	)
}
