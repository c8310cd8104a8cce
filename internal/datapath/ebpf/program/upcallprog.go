package program

import (
	"github.com/cilium/ebpf/asm"
)

// scratchBytes is what a CPU has of the scratch region: the upcall header, and
// what program deep found.
const scratchBytes = 128

// describe fills in the CPU's upcall header for the packet in hand and leaves
// h, a register that outlives calls, pointing to it. Code and Arg are zero. It
// uses tunnelKeySpace bytes of the stack at key.
func (b *builder) describe(s *Set, reason Reason, h asm.Register, key int16) {
	b.scratch(s, h)
	put := func(from, to int16) {
		b.emit(asm.LoadMem(asm.R1, asm.R6, from, asm.Word), asm.StoreMem(h, to, asm.R1, asm.Word))
	}
	b.emit(
		asm.Mov.Imm(asm.R1, int32(reason)),
		asm.StoreMem(h, upReason, asm.R1, asm.Word), // and the flags
	)
	put(cbInPort, upInPort)
	put(cbRecirc, upRecirc)
	put(cbHash, upHash)
	put(skbMark, upMark)
	put(skbPriority, upPrio)
	none := b.fresh("describe.none")
	b.emit(
		asm.Mov.Imm(asm.R1, 0),
		asm.StoreMem(h, upCode, asm.R1, asm.Word),
		asm.StoreMem(h, upArg, asm.R1, asm.Word),
		asm.LoadMem(asm.R2, asm.R6, cbState, asm.Word),
		asm.And.Imm(asm.R2, stateTunnel),
		asm.JEq.Imm(asm.R2, 0, none),
	)
	for i := range upTunnelLen / 8 {
		b.emit(asm.StoreMem(h, upTunnel+int16(8*i), asm.R1, asm.DWord))
	}
	b.readTunnel(h, upTunnel, key, none)
	b.emit(asm.Mov.Imm(asm.R1, upHasTunnel), asm.StoreMem(h, upFlags, asm.R1, asm.Byte))
	b.label(none)
	// The magic number says to the upcall program that the header is for the
	// next packet on an upcall device on this CPU.
	b.emit(asm.Mov.Imm(asm.R1, upcallMagic), asm.StoreMem(h, upMagic, asm.R1, asm.Word))
}

// upcallDevice puts the index of the device that takes the packet to user
// space into R1; if there is none it goes to lost.
func (b *builder) upcallDevice(s *Set, lost string) {
	b.emit(
		asm.LoadMem(asm.R2, asm.R6, cbInPort, asm.Word),
		asm.JGE.Imm(asm.R2, int32(s.cfg.MaxPorts), lost),
		asm.LSh.Imm(asm.R2, 4),
	)
	b.address(asm.R1, s.ports, 0)
	b.emit(
		asm.Add.Reg(asm.R1, asm.R2),
		asm.LoadMem(asm.R1, asm.R1, 8, asm.Word),
		asm.JEq.Imm(asm.R1, 0, lost),
	)
}

// upcall ends the program and hands the packet to user space. count emits what
// counts it.
func (b *builder) upcall(s *Set, reason Reason, count func()) {
	count()
	b.describe(s, reason, asm.R9, b.idle-tunnelKeySpace)
	b.upcallDevice(s, "lost")
	b.emit(asm.Mov.Imm(asm.R2, 0), asm.FnRedirect.Call(), asm.Return())
}

// assembleUpcall is the program at the egress of the upcall devices: it puts
// the header before the packet. A packet that no program sent is dropped.
func (s *Set) assembleUpcall() asm.Instructions {
	b := &builder{}
	b.emit(asm.Mov.Reg(asm.R6, asm.R1))
	b.scratch(s, asm.R9)
	b.emit(
		asm.LoadMem(asm.R1, asm.R9, upMagic, asm.Word),
		asm.JNE.Imm(asm.R1, upcallMagic, "foreign"),
		asm.LoadMem(asm.R1, asm.R6, skbVLANPresent, asm.Word),
		asm.JEq.Imm(asm.R1, 0, "untagged"),
		asm.LoadMem(asm.R1, asm.R9, upFlags, asm.Byte),
		asm.Or.Imm(asm.R1, upHasTag),
		asm.StoreMem(asm.R9, upFlags, asm.R1, asm.Byte),
	)
	b.label("untagged")
	b.emit(
		asm.Mov.Reg(asm.R1, asm.R6),
		asm.Mov.Imm(asm.R2, UpcallLen),
		asm.Mov.Imm(asm.R3, 0),
		asm.FnSkbChangeHead.Call(),
		asm.JNE.Imm(asm.R0, 0, "lost"),
		asm.Mov.Reg(asm.R1, asm.R6),
		asm.Mov.Imm(asm.R2, 0),
		asm.Mov.Reg(asm.R3, asm.R9),
		asm.Mov.Imm(asm.R4, UpcallLen),
		asm.Mov.Imm(asm.R5, 0),
		asm.FnSkbStoreBytes.Call(),
		asm.JNE.Imm(asm.R0, 0, "lost"),
		asm.Mov.Imm(asm.R1, 0),
		asm.StoreMem(asm.R9, upMagic, asm.R1, asm.Word),
		asm.Mov.Imm(asm.R0, tcxNext),
		asm.Return(),
	)
	b.lost(s)
	b.label("foreign")
	b.drop()
	return b.insns
}

// assembleEntry is the program of a port: it notes where the packet came in
// and jumps to main.
func (s *Set) assembleEntry(port uint32, state int32) asm.Instructions {
	b := &builder{}
	b.emit(
		asm.Mov.Reg(asm.R6, asm.R1),
		asm.Mov.Imm(asm.R2, int32(port)),
		asm.StoreMem(asm.R6, cbInPort, asm.R2, asm.Word),
		asm.Mov.Imm(asm.R2, 0),
		asm.StoreMem(asm.R6, cbRecirc, asm.R2, asm.Word),
		asm.StoreMem(asm.R6, cbHash, asm.R2, asm.Word),
		asm.Mov.Imm(asm.R2, state),
		asm.StoreMem(asm.R6, cbState, asm.R2, asm.Word),
	)
	b.tailCall(s, progMain)
	b.drop()
	return b.insns
}
