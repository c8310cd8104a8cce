package program

import (
	"fmt"

	"github.com/cilium/ebpf/asm"
)

// builder collects the instructions of a program. Labels are names; label
// places one before the next instruction.
//
// Registers by convention: R6 the packet's context, R7 where its data begins,
// R8 where its linear part ends, R9 a pointer or offset that outlives calls;
// R0 to R5 are scratch.
type builder struct {
	frame
	insns  asm.Instructions
	labels []string // for the next instruction
	unique int
}

// emit appends instructions.
func (b *builder) emit(insns ...asm.Instruction) {
	for _, in := range insns {
		if len(b.labels) > 0 {
			in = in.WithSymbol(b.labels[0])
			for range b.labels[1:] {
				panic("program: two labels at one place")
			}
			b.labels = nil
		}
		b.insns = append(b.insns, in)
	}
}

// label names the next instruction. A second label at the same place gets a
// jump to it.
func (b *builder) label(name string) {
	if len(b.labels) > 0 {
		b.emit(asm.Ja.Label(name))
	}
	b.labels = append(b.labels, name)
}

// fresh is a label name that nothing else has.
func (b *builder) fresh(name string) string {
	b.unique++
	return fmt.Sprintf("%s.%d", name, b.unique)
}

// address loads the address of a place in a region.
func (b *builder) address(dst asm.Register, r *region, offset int) {
	b.emit(asm.LoadMapValue(dst, r.m.FD(), uint32(offset)))
}

// constant loads a 64-bit constant.
func (b *builder) constant(dst asm.Register, v uint64) {
	if int64(v) == int64(int32(v)) {
		b.emit(asm.Mov.Imm(dst, int32(v)))
		return
	}
	b.emit(asm.LoadImm(dst, int64(v), asm.DWord))
}

// and masks dst with m; tmp is clobbered if m is wide.
func (b *builder) and(dst asm.Register, m uint64, tmp asm.Register) {
	switch {
	case m == ^uint64(0):
	case int64(m) == int64(int32(m)):
		b.emit(asm.And.Imm(dst, int32(m)))
	case m == 0xffffffff:
		b.emit(asm.Mov.Reg32(dst, dst))
	case m>>32 == 0:
		b.emit(asm.And.Imm32(dst, int32(uint32(m))))
	default:
		b.emit(asm.LoadImm(tmp, int64(m), asm.DWord), asm.And.Reg(dst, tmp))
	}
}

// be loads an unsigned integer in network order.
func (b *builder) be(dst, src asm.Register, offset int, size asm.Size) {
	b.emit(asm.LoadMem(dst, src, int16(offset), size))
	if size != asm.Byte {
		b.emit(asm.HostTo(asm.BE, dst, size))
	}
}

// add adds one to a counter in memory that only this CPU writes; tmp is clobbered.
func (b *builder) increment(ptr asm.Register, offset int, tmp asm.Register) {
	b.emit(
		asm.LoadMem(tmp, ptr, int16(offset), asm.DWord),
		asm.Add.Imm(tmp, 1),
		asm.StoreMem(ptr, int16(offset), tmp, asm.DWord),
	)
}

// need jumps away unless n bytes at ptr, a packet pointer, are there.
func (b *builder) need(ptr asm.Register, n int32) {
	b.emit(
		asm.Mov.Reg(asm.R0, ptr),
		asm.Add.Imm(asm.R0, n),
		asm.JGT.Reg(asm.R0, asm.R8, "short"),
	)
}

// join makes a register's value unknown to the verifier but for its size, so
// that it needn't follow each of the ways here on its own. It keeps track of what
// is stored at multiples of 8.
func (b *builder) join(r asm.Register, local int16, size asm.Size) {
	if local%8 == 0 {
		panic("program: a join where the verifier knows the value")
	}
	b.emit(asm.StoreMem(asm.R10, local, r, size), asm.LoadMem(r, asm.R10, local, size))
}

// tailCall jumps to a program; what follows runs if there is none.
func (b *builder) tailCall(s *Set, index int) {
	b.emit(
		asm.Mov.Reg(asm.R1, asm.R6),
		asm.LoadMapPtr(asm.R2, s.programs.FD()),
		asm.Mov.Imm(asm.R3, int32(index)),
		asm.FnTailCall.Call(),
	)
}

// drop ends the program and the packet.
func (b *builder) drop() {
	b.emit(asm.Mov.Imm(asm.R0, tcActShot), asm.Return())
}

// Verdicts of a TCX program.
const (
	tcxNext   = -1 // the device goes on with the packet
	tcActShot = 2
)

// Offsets in struct __sk_buff (linux/bpf.h).
const (
	skbLen          = 0
	skbMark         = 8
	skbQueueMapping = 12
	skbVLANPresent  = 20
	skbVLANTCI      = 24
	skbVLANProto    = 28
	skbPriority     = 32
	skbIfindex      = 40
	skbTCIndex      = 44
	skbCB           = 48 // five words
	skbData         = 76
	skbDataEnd      = 80
	skbGSOSize      = 176
)

// What the control block carries between programs.
const (
	cbInPort = skbCB
	cbRecirc = skbCB + 4
	cbHash   = skbCB + 8
	cbCode   = skbCB + 12 // place of the next operation, in units of 8 bytes
	cbState  = skbCB + 16 // see below
)

// The word at cbState: where headers are, counted from the start of the data,
// and flags.
const (
	stateL3Bits  = 8 // bits 0 to 7: the network header, or the label stack
	stateL4Shift = 8 // bits 8 to 17: the layer-4 header, 0 for none
	stateL4Mask  = 0x3ff
	stateEgress  = 1 << 20 // came in at an egress hook: no redirection to peers
	stateTunnel  = 1 << 21 // came in through a tunnel
	statePulled  = 1 << 22 // the headers have been made linear
	stateDeep    = 1 << 23 // the scratch region says what stands behind the IPv6 header
	stateScan    = 1 << 24 // all masks are being tried from the first on
	stateKeep    = stateEgress | stateTunnel
)

// Programs in the array.
const (
	progMain = iota
	progDeep
	progActions
	progHash
	numPrograms
)
