package program

import "github.com/cilium/ebpf/asm"

// fits looks whether the packet may go to the Port at R3, whose Ifindex is in R1
// and whose Flags are in R4; at is 16 times the port's number. One that is too
// long is counted and goes to tooLong. One for a device that is down is counted
// and goes on: should the device have come up meanwhile, it takes the packet. R0,
// R2 and R5 are lost; R3 points to the Port still.
func (b *builder) fits(s *Set, at asm.Register, tooLong string) {
	ok, down := b.fresh("fits"), b.fresh("down")
	b.emit(
		asm.LoadMem(asm.R5, asm.R3, 12, asm.Word), // Port.MaxLen
		asm.LoadMem(asm.R2, asm.R6, skbLen, asm.Word),
		asm.JLE.Reg(asm.R2, asm.R5, ok),
		asm.JEq.Imm(asm.R5, 0, ok),
		asm.Mov.Reg(asm.R2, asm.R4),
		asm.And.Imm(asm.R2, int32(PortDown)),
		asm.JNE.Imm(asm.R2, 0, down),
		asm.LoadMem(asm.R2, asm.R6, skbGSOSize, asm.Word),
		asm.JNE.Imm(asm.R2, 0, ok),
	)
	b.countDrop(s, at, 0)
	b.emit(asm.Ja.Label(tooLong))
	b.label(down)
	b.countDrop(s, at, 8)
	b.address(asm.R3, s.ports, 0)
	b.emit(
		asm.Add.Reg(asm.R3, at),
		asm.LoadMem(asm.R1, asm.R3, 0, asm.Word),
		asm.LoadMem(asm.R4, asm.R3, 4, asm.Word),
	)
	b.label(ok)
}

// countDrop adds one to the member at an offset of the port's PortDrops. R0 to R5
// are lost.
func (b *builder) countDrop(s *Set, at asm.Register, member int) {
	b.cpu(s)
	b.address(asm.R3, s.portDrops, 0)
	b.emit(
		asm.Mul.Imm(asm.R0, int32(s.cfg.MaxPorts)),
		asm.LSh.Imm(asm.R0, 4),
		asm.Add.Reg(asm.R3, at),
		asm.Add.Reg(asm.R3, asm.R0),
	)
	b.increment(asm.R3, member, asm.R1)
}
