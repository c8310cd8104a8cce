package program

import (
	"github.com/cilium/ebpf/asm"
	"github.com/cilium/ebpf/btf"
)

// The frame is what outlives an operation: on the stack of actions, for its loop's
// body to see. Verifiers follow the loop anew for each set of values that they know
// in it, to the limit of their patience. So they are to know none: they keep track
// of what is stored at multiples of 8, and of zeros, not of anything else, nor of the
// packet's control block, where the place of the next operation is.
const (
	frameBytes   = 16
	frameCtx     = 0  // 8 bytes: the packet's context
	frameOption  = 10 // 2 bytes: where the address in an option is, or noOption
	frameOutcome = 12 // 4 bytes: the verdict to return, or leave and the program to go on
)

const (
	noOption = 0xffff
	leave    = 1 << 8 // plus the number of a program
)

// The stack of the loop's body, as offsets from R10: what one operation works with.
const (
	stepTemp   = -8
	stepOld    = -16 // bytes to set as they were
	stepNew    = -24 // as they become
	stepOffset = -32 // where they are
	stepLength = -40 // of the packet, of SCTP's part of it
	stepSum    = -48 // the checksum of SCTP
	stepKey    = -48 - tunnelKeySpace
)

// assembleActions is the interpreter of action lists: a bounded loop over
// operations. R6 is the packet, R7 the operation, R8 its first word, R9 the
// frame.
func (s *Set) assembleActions() asm.Instructions {
	b := &builder{}
	at := func(offset int16) int16 { return offset - frameBytes }
	b.emit(
		btf.WithFuncMetadata(asm.Mov.Reg(asm.R6, asm.R1).WithSymbol("actions"), function("actions", "skb")),
		asm.StoreMem(asm.R10, at(frameCtx), asm.R6, asm.DWord),
		asm.Mov.Imm(asm.R1, noOption),
		asm.StoreMem(asm.R10, at(frameOption), asm.R1, asm.Half),
		asm.Mov.Imm(asm.R1, tcActShot),
		asm.StoreMem(asm.R10, at(frameOutcome), asm.R1, asm.Word),
		asm.Mov.Imm(asm.R1, maxOps),
		asm.LoadImm(asm.R2, -1, asm.DWord).WithReference("step"),
		asm.Mov.Reg(asm.R3, asm.R10),
		asm.Add.Imm(asm.R3, -frameBytes),
		asm.Mov.Imm(asm.R4, 0),
		asm.FnLoop.Call(),
		asm.LoadMem(asm.R0, asm.R10, at(frameOutcome), asm.Word),
		asm.JEq.Imm(asm.R0, leave+progMain, "tail.main"),
		asm.JEq.Imm(asm.R0, leave+progHash, "tail.hash"),
		asm.Return(),
	)
	for i := range b.insns {
		if b.insns[i].Reference() == "step" {
			b.insns[i].Src = asm.PseudoFunc
		}
	}
	b.label("tail.hash")
	b.tailCall(s, progHash)
	b.emit(asm.Ja.Label("lost"))
	b.label("tail.main")
	b.tailCall(s, progMain)
	b.lost(s)
	b.step(s)
	return b.insns
}

// function is the type information that the kernel wants of a program's
// functions.
func function(name string, params ...string) *btf.Func {
	u64 := &btf.Int{Name: "long", Size: 8}
	proto := &btf.FuncProto{Return: &btf.Int{Name: "int", Size: 4, Encoding: btf.Signed}}
	for _, p := range params {
		proto.Params = append(proto.Params, btf.FuncParam{Name: p, Type: u64})
	}
	return &btf.Func{Name: name, Type: proto, Linkage: btf.StaticFunc}
}

// step is the loop's body: one operation. It returns 0 to go on.
func (b *builder) step(s *Set) {
	b.emit(btf.WithFuncMetadata(asm.Mov.Reg(asm.R9, asm.R2).WithSymbol("step"), function("step", "index", "frame")))
	b.emit(
		asm.LoadMem(asm.R6, asm.R9, frameCtx, asm.DWord),
		asm.LoadMem(asm.R1, asm.R6, cbCode, asm.Word),
		asm.JGT.Imm(asm.R1, int32((len(s.codes.mem)-maxOpLen)/8), "stop"),
		asm.Mov.Reg(asm.R2, asm.R1),
		asm.LSh.Imm(asm.R2, 3),
	)
	b.address(asm.R7, s.codes, 0)
	b.emit(
		asm.Add.Reg(asm.R7, asm.R2),
		asm.LoadMem(asm.R8, asm.R7, 0, asm.DWord),
		asm.Mov.Reg(asm.R2, asm.R8),
		asm.RSh.Imm(asm.R2, 8),
		asm.And.Imm(asm.R2, 0xff),
		asm.Add.Reg(asm.R1, asm.R2),
		asm.StoreMem(asm.R6, cbCode, asm.R1, asm.Word),
		asm.Mov.Reg(asm.R1, asm.R8),
		asm.And.Imm(asm.R1, 0xff),
	)
	ops := []struct {
		code opcode
		emit func(*Set)
	}{
		{opOutput, b.opOutput},
		{opLast, b.opLast},
		{opSet, b.opSet},
		{opPushVLAN, b.opPushVLAN},
		{opPopVLAN, b.opPopVLAN},
		{opUser, b.opUser},
		{opCut, b.opCut},
		{opPriority, func(*Set) { b.opMetadata(skbPriority) }},
		{opMark, func(*Set) { b.opMetadata(skbMark) }},
		{opRecirc, b.opRecirc},
		{opHash, b.opHash},
		{opTunnel, b.opTunnel},
		{opMeter, b.opMeter},
		{opSample, b.opSample},
		{opLonger, b.opLonger},
		{opJump, b.opJump},
		{opPushMPLS, b.opPushMPLS},
		{opPopMPLS, b.opPopMPLS},
		{opSCTP, b.opSCTP},
		{opNDOption, b.opNDOption},
	}
	for i, o := range ops {
		b.emit(asm.JEq.Imm(asm.R1, int32(o.code), "op."+string(rune('a'+i))))
	}
	b.emit(asm.JEq.Imm(asm.R1, int32(opResume), "op.resume"))
	b.label("stop")
	b.emit(asm.Mov.Imm(asm.R0, 1), asm.Return())
	for i, o := range ops {
		b.label("op." + string(rune('a'+i)))
		o.emit(s)
	}
	b.label("op.resume")
	b.opResume(s)
	b.label("next")
	b.emit(asm.Mov.Imm(asm.R0, 0), asm.Return())
	b.label("noport")
	b.countPacket(s, cNoPort, asm.R7)
	b.emit(asm.Ja.Label("next"))
	b.label("lost.step")
	b.countPacket(s, cLost, asm.R7)
	b.emit(asm.Ja.Label("next"))
}

// next goes on with the next operation.
func (b *builder) next() { b.emit(asm.Ja.Label("next")) }

// stop ends the list with the verdict in R0.
func (b *builder) stop() {
	b.emit(asm.StoreMem(asm.R9, frameOutcome, asm.R0, asm.Word), asm.Ja.Label("stop"))
}

// portOf puts the device of the port that the operation's arg names into R1
// and the port's flags into R4; if there is none it goes to "noport", and
// if the packet is too long for it to "next". R7 is lost.
func (b *builder) portOf(s *Set) {
	b.emit(
		asm.Mov.Reg(asm.R7, asm.R8),
		asm.RSh.Imm(asm.R7, 32),
		asm.JGE.Imm(asm.R7, int32(s.cfg.MaxPorts), "noport"),
		asm.LSh.Imm(asm.R7, 4),
	)
	b.address(asm.R3, s.ports, 0)
	b.emit(
		asm.Add.Reg(asm.R3, asm.R7),
		asm.LoadMem(asm.R1, asm.R3, 0, asm.Word),
		asm.JEq.Imm(asm.R1, 0, "noport"),
		asm.LoadMem(asm.R4, asm.R3, 4, asm.Word),
	)
	b.fits(s, asm.R7, "next")
}

// noSuperPacket leaves super-packets to user space. R1 is lost.
func (b *builder) noSuperPacket() {
	b.emit(
		asm.LoadMem(asm.R1, asm.R6, skbGSOSize, asm.Word),
		asm.JNE.Imm(asm.R1, 0, "op.resume"),
	)
}

func (b *builder) opOutput(s *Set) {
	b.portOf(s)
	b.emit(
		asm.Mov.Reg(asm.R2, asm.R1),
		asm.Mov.Reg(asm.R3, asm.R4),
		asm.And.Imm(asm.R3, int32(PortToStack)), // which is BPF_F_INGRESS
		asm.Mov.Reg(asm.R1, asm.R6),
		asm.FnCloneRedirect.Call(),
	)
	b.next()
}

func (b *builder) opLast(s *Set) {
	b.portOf(s)
	b.emit(asm.Mov.Reg(asm.R2, asm.R4), asm.And.Imm(asm.R2, int32(PortToStack)), asm.FnRedirect.Call())
	b.stop()
}

func (b *builder) opCut(s *Set) {
	b.emit(
		asm.Mov.Reg(asm.R2, asm.R8),
		asm.RSh.Imm(asm.R2, 16),
		asm.And.Imm(asm.R2, 0xffff),
	)
	b.length(asm.R3, asm.R1)
	b.emit(
		asm.JLE.Reg(asm.R3, asm.R2, "cut.whole"),
		// A tag that the kernel took out counts.
		asm.LoadMem(asm.R4, asm.R6, skbLen, asm.Word),
		asm.Sub.Reg(asm.R3, asm.R4),
		asm.Sub.Reg(asm.R2, asm.R3),
		asm.Mov.Reg(asm.R1, asm.R6),
		asm.Mov.Imm(asm.R3, 0),
		asm.FnSkbChangeTail.Call(),
		// A packet can't be cut within what its checksum's place asks for.
		asm.JNE.Imm(asm.R0, 0, "op.resume"),
	)
	b.label("cut.whole")
	b.opLast(s)
}

func (b *builder) opPushVLAN(*Set) {
	b.emit(
		asm.LoadMem(asm.R1, asm.R6, skbLen, asm.Word),
		asm.StoreMem(asm.R10, stepTemp, asm.R1, asm.DWord),
		asm.Mov.Reg(asm.R2, asm.R8),
		asm.RSh.Imm(asm.R2, 16),
		asm.HostTo(asm.BE, asm.R2, asm.Half), // takes the low 16 bits
		asm.Mov.Reg(asm.R3, asm.R8),
		asm.RSh.Imm(asm.R3, 32),
		asm.Mov.Reg(asm.R1, asm.R6),
		asm.FnSkbVlanPush.Call(),
		asm.JNE.Imm(asm.R0, 0, "lost.step"),
	)
	b.moved()
	b.next()
}

func (b *builder) opPopVLAN(*Set) {
	b.emit(
		asm.LoadMem(asm.R1, asm.R6, skbLen, asm.Word),
		asm.StoreMem(asm.R10, stepTemp, asm.R1, asm.DWord),
		asm.Mov.Reg(asm.R1, asm.R6),
		asm.FnSkbVlanPop.Call(),
		asm.JNE.Imm(asm.R0, 0, "lost.step"),
	)
	b.moved()
	b.next()
}

// moved corrects where headers are after the packet's length has changed from
// what stepTemp says, by bytes before them.
func (b *builder) moved() {
	none := b.fresh("moved")
	b.emit(
		asm.LoadMem(asm.R1, asm.R6, skbLen, asm.Word),
		asm.LoadMem(asm.R2, asm.R10, stepTemp, asm.DWord),
		asm.Sub.Reg(asm.R1, asm.R2),
		asm.LoadMem(asm.R2, asm.R6, cbState, asm.Word),
		asm.Mov.Reg(asm.R3, asm.R1),
		asm.LSh.Imm(asm.R3, stateL4Shift),
		asm.Add.Reg(asm.R2, asm.R1),
		asm.Mov.Reg(asm.R4, asm.R2),
		asm.And.Imm(asm.R4, stateL4Mask<<stateL4Shift),
		asm.JEq.Imm(asm.R4, 0, none),
		asm.Add.Reg(asm.R2, asm.R3),
	)
	b.label(none)
	b.emit(asm.StoreMem(asm.R6, cbState, asm.R2, asm.Word))
}

// opMetadata changes a word of the packet's context by the value and mask that
// follow.
func (b *builder) opMetadata(field int16) {
	b.emit(
		asm.LoadMem(asm.R1, asm.R6, field, asm.Word),
		asm.LoadMem(asm.R2, asm.R7, 12, asm.Word), // mask
		asm.Xor.Imm(asm.R2, -1),
		asm.And.Reg(asm.R1, asm.R2),
		asm.LoadMem(asm.R2, asm.R7, 8, asm.Word),
		asm.Or.Reg(asm.R1, asm.R2),
		asm.StoreMem(asm.R6, field, asm.R1, asm.Word),
	)
	b.next()
}

// describeStep describes the packet for user space, with the code and arg in
// the operation's second word, and puts the upcall device into R1.
func (b *builder) describeStep(s *Set, reason Reason, counter int) {
	b.emit(asm.LoadMem(asm.R1, asm.R7, 8, asm.DWord), asm.StoreMem(asm.R10, stepTemp, asm.R1, asm.DWord))
	b.countPacket(s, counter, asm.R7)
	b.describe(s, reason, asm.R7, stepKey)
	b.emit(
		asm.LoadMem(asm.R1, asm.R10, stepTemp, asm.DWord),
		asm.StoreMem(asm.R7, upCode, asm.R1, asm.Word),
		asm.RSh.Imm(asm.R1, 32),
		asm.StoreMem(asm.R7, upArg, asm.R1, asm.Word),
	)
	b.upcallDevice(s, "lost.step")
}

func (b *builder) opUser(s *Set) {
	b.describeStep(s, ReasonAction, cActions)
	b.emit(
		asm.Mov.Reg(asm.R2, asm.R1),
		asm.Mov.Reg(asm.R1, asm.R6),
		asm.Mov.Imm(asm.R3, 0),
		asm.FnCloneRedirect.Call(),
	)
	b.next()
}

func (b *builder) opResume(s *Set) {
	b.describeStep(s, ReasonResume, cSlow)
	b.emit(asm.Mov.Imm(asm.R2, 0), asm.FnRedirect.Call())
	b.stop()
}
