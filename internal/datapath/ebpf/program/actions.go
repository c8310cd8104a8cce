package program

import (
	"github.com/cilium/ebpf/asm"
	"github.com/cilium/ebpf/btf"
)

// The stack of actions, which its loop's body sees, too. Offsets from R10.
const (
	actionFrame  = 80
	frameCtx     = 0  // the packet's context
	frameVerdict = 8  // what to return
	frameTail    = 16 // one more than the program to go to, 0 for none
	framePlace   = 24 // place of the next operation
	frameTemp    = 32 // for one operation
	frameOld     = 40 // for opSet: bytes as they were, as they become
	frameNew     = 48
	frameOffset  = 56 // where they are
	frameIPSum   = 64 // where the network header is
	frameND      = 72 // where the address in an option is, 0 for nowhere
)

// assembleActions is the interpreter of action lists: a bounded loop over
// operations. R6 is the packet, R7 the operation, R8 its first word, R9 the
// frame.
func (s *Set) assembleActions() asm.Instructions {
	b := &builder{}
	b.emit(btf.WithFuncMetadata(asm.Mov.Reg(asm.R6, asm.R1).WithSymbol("actions"), function("actions", "skb")))
	at := func(offset int16) int16 { return offset - actionFrame }
	b.emit(
		asm.StoreMem(asm.R10, at(frameCtx), asm.R6, asm.DWord),
		asm.Mov.Imm(asm.R1, tcActShot),
		asm.StoreMem(asm.R10, at(frameVerdict), asm.R1, asm.DWord),
		asm.Mov.Imm(asm.R1, 0),
		asm.StoreMem(asm.R10, at(frameTail), asm.R1, asm.DWord),
	)
	for f := int16(frameTemp); f < actionFrame; f += 8 {
		b.emit(asm.StoreMem(asm.R10, at(f), asm.R1, asm.DWord))
	}
	b.emit(
		asm.LoadMem(asm.R1, asm.R6, cbCode, asm.Word),
		asm.StoreMem(asm.R10, at(framePlace), asm.R1, asm.DWord),
		asm.Mov.Imm(asm.R1, maxOps),
		asm.LoadImm(asm.R2, -1, asm.DWord).WithReference("step"),
		asm.Mov.Reg(asm.R3, asm.R10),
		asm.Add.Imm(asm.R3, -actionFrame),
		asm.Mov.Imm(asm.R4, 0),
		asm.FnLoop.Call(),
		asm.LoadMem(asm.R1, asm.R10, at(frameTail), asm.DWord),
		asm.JEq.Imm(asm.R1, 1+progMain, "tail.main"),
		asm.JEq.Imm(asm.R1, 1+progHash, "tail.hash"),
		asm.LoadMem(asm.R0, asm.R10, at(frameVerdict), asm.DWord),
		asm.Return(),
	)
	for i := range b.insns {
		if b.insns[i].Reference() == "step" {
			b.insns[i].Src = asm.PseudoFunc
		}
	}
	b.label("tail.hash")
	b.emit(asm.LoadMem(asm.R1, asm.R10, at(framePlace), asm.DWord), asm.StoreMem(asm.R6, cbCode, asm.R1, asm.Word))
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
		asm.LoadMem(asm.R1, asm.R9, framePlace, asm.DWord),
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
		asm.StoreMem(asm.R9, framePlace, asm.R1, asm.DWord),
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
	b.emit(asm.StoreMem(asm.R9, frameVerdict, asm.R0, asm.DWord), asm.Ja.Label("stop"))
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
		asm.StoreMem(asm.R9, frameTemp, asm.R1, asm.DWord),
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
		asm.StoreMem(asm.R9, frameTemp, asm.R1, asm.DWord),
		asm.Mov.Reg(asm.R1, asm.R6),
		asm.FnSkbVlanPop.Call(),
		asm.JNE.Imm(asm.R0, 0, "lost.step"),
	)
	b.moved()
	b.next()
}

// moved corrects where headers are after the packet's length has changed from
// what frameTemp says, by bytes before them.
func (b *builder) moved() {
	none := b.fresh("moved")
	b.emit(
		asm.LoadMem(asm.R1, asm.R6, skbLen, asm.Word),
		asm.LoadMem(asm.R2, asm.R9, frameTemp, asm.DWord),
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
	b.emit(asm.LoadMem(asm.R1, asm.R7, 8, asm.DWord), asm.StoreMem(asm.R9, frameTemp, asm.R1, asm.DWord))
	b.countPacket(s, counter, asm.R7)
	b.describe(s, reason, asm.R7, -tunnelKeySpace)
	b.emit(
		asm.LoadMem(asm.R1, asm.R9, frameTemp, asm.DWord),
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
