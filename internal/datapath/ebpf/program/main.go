package program

import (
	"github.com/cilium/ebpf/asm"
)

// assembleMain is the program that looks packets up under masks.
func (s *Set) assembleMain(masks []rankedMask) asm.Instructions {
	b := &builder{}
	b.emit(asm.Mov.Reg(asm.R6, asm.R1))
	if len(masks) > 0 {
		l := &lookup{builder: b, set: s, masks: masks}
		var union words
		for _, m := range masks {
			for i, w := range m.idx {
				union[w] |= m.bits[i]
			}
		}
		l.union = newMask(&union)
		p := &parser{builder: b, set: s, want: &union, vlanLimit: s.cfg.VLANLimit}
		p.parse()
		l.emitLookup()
	}
	b.label("miss")
	b.upcall(s, ReasonMiss, func() { b.countPacket(s, cMisses, asm.R9) })
	if len(masks) > 0 {
		b.label("odd")
		b.upcall(s, ReasonOdd, func() { b.countPacket(s, cSlow, asm.R9) })
		b.pull(s, progMain)
		b.deep(s)
		b.label("found")
		b.count(s, len(masks) >= hintFrom)
		b.act(s)
	}
	b.lost(s)
	return b.insns
}

// pull makes the headers linear and starts a program again; if that has been done, the
// packet is odd.
func (b *builder) pull(s *Set, program int) {
	b.label("pull")
	b.emit(
		asm.LoadMem(asm.R1, asm.R6, cbState, asm.Word),
		asm.Mov.Reg(asm.R2, asm.R1),
		asm.And.Imm(asm.R2, statePulled),
		asm.JNE.Imm(asm.R2, 0, "odd"),
		asm.Or.Imm(asm.R1, statePulled),
		asm.StoreMem(asm.R6, cbState, asm.R1, asm.Word),
		asm.LoadMem(asm.R2, asm.R6, skbLen, asm.Word),
		asm.JLE.Imm(asm.R2, MaxHeader, "pull.all"),
		asm.Mov.Imm(asm.R2, MaxHeader),
	)
	b.label("pull.all")
	b.emit(asm.Mov.Reg(asm.R1, asm.R6), asm.FnSkbPullData.Call())
	b.tailCall(s, program)
	b.emit(asm.Ja.Label("lost"))
}

// deep has program deep read the headers behind the IPv6 header at offset R9
// and start main again.
func (b *builder) deep(s *Set) {
	b.label("deep")
	b.emit(
		asm.LoadMem(asm.R1, asm.R6, cbState, asm.Word),
		asm.And.Imm(asm.R1, stateKeep|statePulled),
		asm.And.Imm(asm.R9, 1<<stateL3Bits-1),
		asm.Or.Reg(asm.R1, asm.R9),
		asm.StoreMem(asm.R6, cbState, asm.R1, asm.Word),
	)
	b.tailCall(s, progDeep)
	b.emit(asm.Ja.Label("lost"))
}

// Places in the counters of a CPU.
const (
	cHits = 8 * iota
	cHintHits
	cProbes
	cMisses
	cActions
	cSlow
	cNoPort
	cLost
	counterBytes
)

// cpu puts this CPU's number, less than the number that regions have room
// for, into R0. It is a call: R1 to R5 are lost.
func (b *builder) cpu(s *Set) {
	ok := b.fresh("cpu")
	b.emit(
		asm.FnGetSmpProcessorId.Call(),
		asm.JLT.Imm(asm.R0, int32(s.cpus), ok),
		asm.Mov.Imm(asm.R0, 0),
	)
	b.label(ok)
}

// countPacket adds one to a counter of the CPU; dst is left pointing to them.
// R0 to R5 are lost, but for R0, which is the CPU.
func (b *builder) countPacket(s *Set, counter int, dst asm.Register) {
	b.cpu(s)
	b.address(dst, s.counters, 0)
	b.emit(asm.Mov.Reg(asm.R1, asm.R0), asm.LSh.Imm(asm.R1, counterShift), asm.Add.Reg(dst, asm.R1))
	b.increment(dst, counter, asm.R2)
}

// count adds the packet to the statistics of the flow whose entry is at R9,
// and remembers its mask, of rank R8.
func (b *builder) count(s *Set, hinted bool) {
	b.join(asm.R8, localRank, asm.Half)
	if hinted {
		b.emit(
			asm.Mov.Imm(asm.R7, 1), // the hint was right
			asm.LoadMem(asm.R1, asm.R10, localHinted, asm.Half),
			asm.JEq.Reg(asm.R1, asm.R8, "hint.right"),
			asm.Mov.Imm(asm.R7, 0),
			asm.LoadMem(asm.R1, asm.R10, localHint, asm.DWord),
			asm.JGT.Imm(asm.R1, 2*(hintCount-1), "hint.right"),
		)
		b.address(asm.R2, s.hints, 0)
		b.emit(asm.Add.Reg(asm.R2, asm.R1), asm.StoreMem(asm.R2, 0, asm.R8, asm.Half))
		b.label("hint.right")
	}
	b.cpu(s)
	b.address(asm.R1, s.counters, 0)
	b.emit(asm.Mov.Reg(asm.R2, asm.R0), asm.LSh.Imm(asm.R2, counterShift), asm.Add.Reg(asm.R1, asm.R2))
	b.increment(asm.R1, cHits, asm.R2)
	if hinted {
		b.emit(
			asm.LoadMem(asm.R2, asm.R1, cHintHits, asm.DWord),
			asm.Add.Reg(asm.R2, asm.R7),
			asm.StoreMem(asm.R1, cHintHits, asm.R2, asm.DWord),
			asm.JEq.Imm(asm.R7, 0, "count.scan"),
			asm.Mov.Imm(asm.R8, 0),
		)
		b.label("count.scan")
	}
	b.emit(
		asm.Add.Imm(asm.R8, 1),
		asm.LoadMem(asm.R2, asm.R1, cProbes, asm.DWord),
		asm.Add.Reg(asm.R2, asm.R8),
		asm.StoreMem(asm.R1, cProbes, asm.R2, asm.DWord),
		// The flow's statistics.
		asm.LoadMem(asm.R1, asm.R9, 4, asm.Word),
		asm.JGE.Imm(asm.R1, int32(s.cfg.MaxFlows), "lost"),
		asm.Mul.Imm(asm.R0, int32(s.cfg.MaxFlows)),
		asm.Add.Reg(asm.R0, asm.R1),
		asm.LSh.Imm(asm.R0, 5),
	)
	b.address(asm.R7, s.stats, 0)
	b.emit(
		asm.Add.Reg(asm.R7, asm.R0),
		asm.FnKtimeGetCoarseNs.Call(),
		asm.StoreMem(asm.R7, 16, asm.R0, asm.DWord),
	)
	b.increment(asm.R7, 0, asm.R1)
	b.length(asm.R2, asm.R1)
	b.emit(
		asm.LoadMem(asm.R1, asm.R7, 8, asm.DWord),
		asm.Add.Reg(asm.R1, asm.R2),
		asm.StoreMem(asm.R7, 8, asm.R1, asm.DWord),
		asm.LoadMem(asm.R1, asm.R10, localFlags, asm.DWord),
		asm.JEq.Imm(asm.R1, 0, "count.done"),
		asm.LoadMem(asm.R2, asm.R7, 24, asm.DWord),
		asm.Or.Reg(asm.R1, asm.R2),
		asm.JEq.Reg(asm.R1, asm.R2, "count.done"),
		asm.StoreMem(asm.R7, 24, asm.R1, asm.DWord),
	)
	b.label("count.done")
}

// length puts the packet's length, with a tag that the kernel took out, into
// dst.
func (b *builder) length(dst, tmp asm.Register) {
	done := b.fresh("length")
	b.emit(
		asm.LoadMem(dst, asm.R6, skbLen, asm.Word),
		asm.LoadMem(tmp, asm.R6, skbVLANPresent, asm.Word),
		asm.JEq.Imm(tmp, 0, done),
		asm.Add.Imm(dst, 4),
	)
	b.label(done)
}

// act does what the entry at R9 says.
func (b *builder) act(s *Set) {
	b.emit(
		asm.LoadMem(asm.R1, asm.R9, 8, asm.DWord),
		asm.Mov.Reg(asm.R2, asm.R1),
		asm.RSh.Imm(asm.R2, 32),
		asm.JLT.Imm(asm.R2, int32(s.cfg.MaxPorts), "output"),
		asm.LoadImm(asm.R3, noPort, asm.DWord),
		asm.JNE.Reg(asm.R2, asm.R3, "drop"),
		asm.StoreMem(asm.R6, cbCode, asm.R1, asm.Word),
		asm.LoadMem(asm.R1, asm.R6, cbState, asm.Word),
		asm.And.Imm(asm.R1, stateKeep|statePulled|stateDeep),
		asm.LoadMem(asm.R2, asm.R10, localL3, asm.Byte),
		asm.Or.Reg(asm.R1, asm.R2),
		asm.LoadMem(asm.R2, asm.R10, localL4, asm.Half),
		asm.And.Imm(asm.R2, stateL4Mask),
		asm.LSh.Imm(asm.R2, stateL4Shift),
		asm.Or.Reg(asm.R1, asm.R2),
		asm.StoreMem(asm.R6, cbState, asm.R1, asm.Word),
	)
	b.tailCall(s, progActions)
	b.emit(asm.Ja.Label("lost"))
	b.label("drop")
	b.drop()
	b.label("output")
	b.output(s)
}

// output sends the packet, at its end, out of port R2, which is less than
// MaxPorts.
func (b *builder) output(s *Set) {
	b.address(asm.R3, s.ports, 0)
	b.emit(
		asm.Mov.Reg(asm.R9, asm.R2),
		asm.LSh.Imm(asm.R9, 4), // of a Port, a PortCount and PortDrops
		asm.Add.Reg(asm.R3, asm.R9),
		asm.LoadMem(asm.R1, asm.R3, 0, asm.Word),
		asm.JEq.Imm(asm.R1, 0, "noport"),
		asm.LoadMem(asm.R4, asm.R3, 4, asm.Word),
	)
	b.fits(s, asm.R9, "drop")
	b.emit(asm.Mov.Imm(asm.R2, 0))
	if s.cfg.Kernel.RedirectPeer {
		b.emit(
			asm.Mov.Reg(asm.R5, asm.R4),
			asm.And.Imm(asm.R5, int32(PortPeer)),
			asm.JNE.Imm(asm.R5, 0, "output.peer"),
		)
	}
	b.label("output.redirect")
	b.emit(
		asm.And.Imm(asm.R4, int32(PortToStack)), // which is BPF_F_INGRESS
		asm.Or.Reg(asm.R2, asm.R4),
		asm.FnRedirect.Call(),
		asm.Return(),
	)
	if s.cfg.Kernel.RedirectPeer {
		b.label("output.peer")
		b.emit(
			asm.LoadMem(asm.R5, asm.R6, cbState, asm.Word),
			asm.And.Imm(asm.R5, stateEgress),
			asm.JNE.Imm(asm.R5, 0, "output.redirect"),
			asm.Mov.Reg(asm.R8, asm.R1),
		)
		b.cpu(s)
		b.address(asm.R3, s.portStats, 0)
		b.emit(
			asm.Mul.Imm(asm.R0, int32(s.cfg.MaxPorts)),
			asm.LSh.Imm(asm.R0, 4),
			asm.Add.Reg(asm.R3, asm.R9),
			asm.Add.Reg(asm.R3, asm.R0),
		)
		b.increment(asm.R3, 0, asm.R1)
		b.length(asm.R2, asm.R1)
		b.emit(
			asm.LoadMem(asm.R1, asm.R3, 8, asm.DWord),
			asm.Add.Reg(asm.R1, asm.R2),
			asm.StoreMem(asm.R3, 8, asm.R1, asm.DWord),
			asm.Mov.Reg(asm.R1, asm.R8),
			asm.Mov.Imm(asm.R2, 0),
			asm.FnRedirectPeer.Call(),
			asm.Return(),
		)
	}
	b.label("noport")
	b.countPacket(s, cNoPort, asm.R9)
	b.drop()
}

// lost is where packets end that can't be handed on.
func (b *builder) lost(s *Set) {
	b.label("lost")
	b.countPacket(s, cLost, asm.R9)
	b.drop()
}
