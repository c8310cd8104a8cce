package program

import (
	"github.com/cilium/ebpf/asm"

	"weir/internal/packet"
)

// opPushMPLS puts a label stack entry before the network header: room is made
// at the front, and what is before the network header moves there.
func (b *builder) opPushMPLS(*Set) {
	b.noSuperPacket() // its segments would be cut from what isn't IP any more
	b.emit(
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
			asm.Mov.Reg(asm.R3, asm.R10),
			asm.Add.Imm(asm.R3, stepOld),
			asm.Mov.Imm(asm.R4, n),
			asm.FnSkbLoadBytes.Call(),
			asm.JNE.Imm(asm.R0, 0, last),
			asm.Mov.Reg(asm.R1, asm.R6),
			asm.Mov.Imm(asm.R2, to),
			asm.Mov.Reg(asm.R3, asm.R10),
			asm.Add.Imm(asm.R3, stepOld),
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
	)
	b.label("mpls.l4")
	b.emit(
		// The kernel goes on taking the packet for what it was: who receives it
		// must look for himself, as a device does.
		asm.Or.Imm(asm.R2, stateEgress),
		asm.StoreMem(asm.R6, cbState, asm.R2, asm.Word),
		asm.And.Imm(asm.R2, 1<<stateL3Bits-1),
		asm.Sub.Imm(asm.R2, 2), // the type
		asm.Mov.Reg(asm.R1, asm.R8),
		asm.RSh.Imm(asm.R1, 16),
		asm.StoreMem(asm.R10, stepOld, asm.R1, asm.DWord), // type and entry, in the packet's order
		asm.Mov.Reg(asm.R1, asm.R6),
		asm.Mov.Reg(asm.R3, asm.R10),
		asm.Add.Imm(asm.R3, stepOld),
		asm.Mov.Imm(asm.R4, 6),
		asm.Mov.Imm(asm.R5, 0),
		asm.FnSkbStoreBytes.Call(),
		// The sum of the whole packet, if the device gave one.
		asm.RSh.Imm(asm.R8, 32),
		asm.StoreMem(asm.R10, stepOld, asm.R8, asm.DWord),
		asm.Mov.Imm(asm.R1, 0),
		asm.Mov.Imm(asm.R2, 0),
		asm.Mov.Reg(asm.R3, asm.R10),
		asm.Add.Imm(asm.R3, stepOld),
		asm.Mov.Imm(asm.R4, 4),
		asm.Mov.Imm(asm.R5, 0),
		asm.FnCsumDiff.Call(),
		asm.Mov.Reg(asm.R1, asm.R6),
		asm.Mov.Reg(asm.R2, asm.R0),
		asm.FnCsumUpdate.Call(),
	)
	b.next()
}

// opPopMPLS removes the label stack entry behind the Ethernet header. No helper
// takes bytes out of a packet that is not IP, but for that which pops a tag: so
// type, entry and new type are made to look like a tag and a type. The helper
// only looks into the frame when it believes that the outermost tag stands there,
// which pushing a tag and popping it again brings about.
//
//	dst src 8847 entry payload     with tag T outside, which may be made up
//	dst src 8100 0 type payload    T
//	dst src T 8100 0 type payload  made up
//	dst src 8100 0 type payload    T
//	dst src type payload           8100 0
//	dst src type payload
func (b *builder) opPopMPLS(*Set) {
	const recompute = 1 // BPF_F_RECOMPUTE_CSUM
	b.noSuperPacket()
	b.emit(
		asm.LoadMem(asm.R1, asm.R6, cbState, asm.Word),
		asm.And.Imm(asm.R1, 1<<stateL3Bits-1),
		asm.JNE.Imm(asm.R1, packet.EthLen, "op.resume"), // a tag in the frame, or SNAP
		asm.LoadMem(asm.R1, asm.R6, skbLen, asm.Word),
		asm.JLT.Imm(asm.R1, packet.EthLen+packet.MPLSLen, "op.resume"),
		// The tag, to put it back.
		asm.LoadMem(asm.R1, asm.R6, skbVLANPresent, asm.Word),
		asm.StoreMem(asm.R10, stepOld, asm.R1, asm.DWord),
		asm.JNE.Imm(asm.R1, 0, "mpls.tagged"),
	)
	push := func() {
		b.emit(
			asm.Mov.Reg(asm.R1, asm.R6),
			asm.Mov.Imm(asm.R2, packet.EtherTypeVLAN),
			asm.HostTo(asm.BE, asm.R2, asm.Half),
			asm.Mov.Imm(asm.R3, 0),
			asm.FnSkbVlanPush.Call(),
			asm.JNE.Imm(asm.R0, 0, "lost.step"),
		)
	}
	push()
	b.label("mpls.tagged")
	store := func(offset, n int32, flags int32) {
		b.emit(
			asm.Mov.Reg(asm.R1, asm.R6),
			asm.Mov.Imm(asm.R2, offset),
			asm.Mov.Reg(asm.R3, asm.R10),
			asm.Add.Imm(asm.R3, stepTemp),
			asm.Mov.Imm(asm.R4, n),
			asm.Mov.Imm(asm.R5, flags),
			asm.FnSkbStoreBytes.Call(),
			asm.JNE.Imm(asm.R0, 0, "lost.step"),
		)
	}
	b.emit(
		asm.LoadMem(asm.R1, asm.R6, skbVLANProto, asm.Word),
		asm.LSh.Imm(asm.R1, 32),
		asm.LoadMem(asm.R2, asm.R6, skbVLANTCI, asm.Word),
		asm.Or.Reg(asm.R1, asm.R2),
		asm.StoreMem(asm.R10, stepNew, asm.R1, asm.DWord),
		asm.Mov.Imm(asm.R1, packet.EtherTypeVLAN),
		asm.HostTo(asm.BE, asm.R1, asm.Half),
		asm.StoreMem(asm.R10, stepTemp, asm.R1, asm.DWord),
	)
	store(packet.EthLen-2, 2, 0)
	b.emit(
		asm.Mov.Reg(asm.R1, asm.R8),
		asm.And.Imm(asm.R1, -1<<16),
		asm.StoreMem(asm.R10, stepTemp, asm.R1, asm.DWord), // TCI 0, and aux, the type
	)
	store(packet.EthLen, 4, recompute)
	push()
	for range 3 {
		b.emit(asm.Mov.Reg(asm.R1, asm.R6), asm.FnSkbVlanPop.Call(), asm.JNE.Imm(asm.R0, 0, "lost.step"))
	}
	b.emit(
		// The layer-4 header, if it is behind a label of our own.
		asm.LoadMem(asm.R1, asm.R6, cbState, asm.Word),
		asm.Mov.Reg(asm.R2, asm.R1),
		asm.And.Imm(asm.R2, stateL4Mask<<stateL4Shift),
		asm.JEq.Imm(asm.R2, 0, "mpls.popped"),
		asm.Sub.Imm(asm.R1, packet.MPLSLen<<stateL4Shift),
		asm.StoreMem(asm.R6, cbState, asm.R1, asm.Word),
	)
	b.label("mpls.popped")
	b.emit(
		asm.LoadMem(asm.R1, asm.R10, stepOld, asm.DWord),
		asm.JEq.Imm(asm.R1, 0, "next"),
		asm.LoadMem(asm.R2, asm.R10, stepNew+4, asm.Word),
		asm.LoadMem(asm.R3, asm.R10, stepNew, asm.Word),
		asm.Mov.Reg(asm.R1, asm.R6),
		asm.FnSkbVlanPush.Call(),
		asm.JNE.Imm(asm.R0, 0, "lost.step"),
	)
	b.next()
}
