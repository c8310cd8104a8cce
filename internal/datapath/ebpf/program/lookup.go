package program

import (
	"math/bits"
	"strconv"

	"github.com/cilium/ebpf/asm"
)

// mask is the words of a flow.Mask that are not zero.
type mask struct {
	idx  []uint8
	bits []uint64
}

func newMask(w *words) mask {
	var m mask
	for i, b := range w {
		if b != 0 {
			m.idx = append(m.idx, uint8(i))
			m.bits = append(m.bits, b)
		}
	}
	return m
}

// The hash mixes the masked words in two independent lanes, for speed, and then
// the lanes. hashPrime is 2^64 by the golden ratio.
const hashPrime = 0x9e3779b97f4a7c15

// hash is what programs compute of a masked key; seed goes with the mask.
func hash(seed uint64, masked func(i int) uint64, n int) uint64 {
	lane := [2]uint64{seed, bits.RotateLeft64(seed, 32)}
	for i := range n {
		h := (lane[i&1] ^ masked(i)) * hashPrime
		lane[i&1] = h ^ h>>32
	}
	h := (lane[0] + lane[1]<<1) * hashPrime
	return h ^ h>>32
}

// maskSeed makes equal words hash differently under each mask.
func maskSeed(seed uint64, number uint32) uint64 {
	return (seed ^ uint64(number)) * hashPrime
}

// altBucket is the other bucket of an entry: of each the other is the other.
func altBucket(bucket, tag, mask uint32) uint32 { return (bucket ^ tag*altPrime) & mask }

const altPrime = 0x5bd1e995

// hashKey leaves the hash of the masked key on the stack in R1. It uses R0 to
// R4.
func (b *builder) hashKey(m *mask, seed uint64) {
	b.constant(asm.R0, hashPrime)
	lane := [2]asm.Register{asm.R1, asm.R2}
	b.constant(lane[0], seed)
	b.constant(lane[1], bits.RotateLeft64(seed, 32))
	for i, w := range m.idx {
		h := lane[i&1]
		b.emit(asm.LoadMem(asm.R3, asm.R10, b.word(int(w)), asm.DWord))
		b.and(asm.R3, m.bits[i], asm.R4)
		b.emit(
			asm.Xor.Reg(h, asm.R3),
			asm.Mul.Reg(h, asm.R0),
			asm.Mov.Reg(asm.R3, h),
			asm.RSh.Imm(asm.R3, 32),
			asm.Xor.Reg(h, asm.R3),
		)
	}
	b.emit(
		asm.LSh.Imm(asm.R2, 1),
		asm.Add.Reg(asm.R1, asm.R2),
		asm.Mul.Reg(asm.R1, asm.R0),
		asm.Mov.Reg(asm.R2, asm.R1),
		asm.RSh.Imm(asm.R2, 32),
		asm.Xor.Reg(asm.R1, asm.R2),
	)
}

// lookup emits the search for the flow of the key on the stack, mask by mask.
// It goes to "found" with R9 pointing to the entry and R8 the rank of its mask
// in masks, or falls through. With hints, it begins at the mask that the hint of
// the key names and, if neither that nor one after it has the flow, starts main
// again for all: so the verifier goes through each mask once.
type lookup struct {
	*builder
	set   *Set
	masks []rankedMask
	union mask
}

// rankedMask is a mask with its number; masks are tried in their order.
type rankedMask struct {
	mask
	number uint32
}

// hintFrom is the number of masks from which on hints are worth their cost.
const hintFrom = 3

func (l *lookup) hinted() bool { return len(l.masks) >= hintFrom }

func (l *lookup) emitLookup() {
	if l.hinted() {
		l.hint()
	}
	for i := range l.masks {
		l.try(i)
	}
	l.label(tryLabel(len(l.masks)))
	if l.hinted() {
		l.emit(
			asm.LoadMem(asm.R1, asm.R6, cbState, asm.Word),
			asm.Mov.Reg(asm.R2, asm.R1),
			asm.And.Imm(asm.R2, stateScan),
			asm.JNE.Imm(asm.R2, 0, "miss"),
			asm.Or.Imm(asm.R1, stateScan),
			asm.StoreMem(asm.R6, cbState, asm.R1, asm.Word),
		)
		l.tailCall(l.set, progMain)
		l.emit(asm.Ja.Label("lost"))
	}
}

func tryLabel(rank int) string { return "mask." + strconv.Itoa(rank) }

// hint reads which mask the key had last and goes there.
func (l *lookup) hint() {
	l.hashKey(&l.union, l.set.seed)
	l.emit(
		asm.And.Imm(asm.R1, hintCount-1),
		asm.LSh.Imm(asm.R1, 1),
		asm.StoreMem(asm.R10, localHint, asm.R1, asm.DWord),
	)
	l.address(asm.R2, l.set.hints, 0)
	l.emit(
		asm.Add.Reg(asm.R2, asm.R1),
		asm.LoadMem(asm.R1, asm.R2, 0, asm.Half),
		asm.StoreMem(asm.R10, localHinted, asm.R1, asm.Half),
		asm.LoadMem(asm.R2, asm.R6, cbState, asm.Word),
		asm.Mov.Reg(asm.R3, asm.R2),
		asm.And.Imm(asm.R3, stateScan),
		asm.JNE.Imm(asm.R3, 0, "scan"),
	)
	l.branch(1, len(l.masks))
	l.label("scan") // R2 is the state
	l.emit(asm.Or.Imm(asm.R2, stateScan), asm.StoreMem(asm.R6, cbState, asm.R2, asm.Word))
}

// branch goes to the mask, of those in [low, high), whose rank is in R1. If
// there is none it goes to "scan", which follows the last branch.
func (l *lookup) branch(low, high int) {
	if high-low == 1 {
		l.emit(asm.JEq.Imm(asm.R1, int32(low), tryLabel(low)))
		return
	}
	mid := (low + high) / 2
	right := l.fresh("branch")
	l.emit(asm.JGE.Imm(asm.R1, int32(mid), right))
	l.branch(low, mid)
	l.emit(asm.Ja.Label("scan"))
	l.label(right)
	l.branch(mid, high)
}

// try looks the key up under one mask, or goes to the next.
func (l *lookup) try(rank int) {
	m := &l.masks[rank]
	fail, check := l.fresh("fail"), l.fresh("check")
	l.label(tryLabel(rank))
	l.hashKey(&m.mask, maskSeed(l.set.seed, m.number))
	bucketMask := int32(l.set.buckets - 1)
	l.emit(
		asm.Mov.Reg(asm.R2, asm.R1),
		asm.RSh.Imm(asm.R2, 32), // tag
		asm.And.Imm(asm.R1, bucketMask),
		asm.Mov.Reg(asm.R3, asm.R1),
		asm.LSh.Imm(asm.R3, 5),
	)
	l.address(asm.R4, l.set.bucketRegion, 0)
	l.emit(asm.Add.Reg(asm.R3, asm.R4))
	l.probe(check)
	l.emit(
		asm.Mov.Reg(asm.R3, asm.R2),
		asm.Mul.Imm32(asm.R3, altPrime),
		asm.Xor.Reg(asm.R3, asm.R1),
		asm.And.Imm(asm.R3, bucketMask),
		asm.LSh.Imm(asm.R3, 5),
		asm.Add.Reg(asm.R3, asm.R4),
	)
	l.probe(check)
	l.label(fail)
	l.emit(asm.Ja.Label(tryLabel(rank + 1)))
	l.label(check)
	l.check(m, rank, fail)
}

// probe compares the tag in R2 with the slots of the bucket at R3.
func (l *lookup) probe(check string) {
	for i := range bucketSlots {
		l.emit(
			asm.LoadMem(asm.R5, asm.R3, int16(8*i), asm.DWord),
			asm.Mov.Reg(asm.R0, asm.R5),
			asm.RSh.Imm(asm.R0, 32),
			asm.JEq.Reg(asm.R0, asm.R2, check),
		)
	}
}

// check compares the whole masked key with the entry that the slot in R5 names.
func (l *lookup) check(m *rankedMask, rank int, fail string) {
	l.emit(
		asm.Mov.Reg32(asm.R5, asm.R5),
		asm.JGT.Imm(asm.R5, int32(l.set.lastUnit), fail),
		asm.LSh.Imm(asm.R5, 5),
	)
	l.address(asm.R9, l.set.entries, 0)
	l.emit(
		asm.Add.Reg(asm.R9, asm.R5),
		asm.LoadMem(asm.R1, asm.R9, 0, asm.Word),
		asm.JNE.Imm(asm.R1, int32(m.number), fail),
	)
	for i, w := range m.idx {
		l.emit(asm.LoadMem(asm.R3, asm.R10, l.word(int(w)), asm.DWord))
		l.and(asm.R3, m.bits[i], asm.R4)
		l.emit(
			asm.LoadMem(asm.R1, asm.R9, int16(entryBytes+8*i), asm.DWord),
			asm.JNE.Reg(asm.R1, asm.R3, fail),
		)
	}
	l.emit(asm.Mov.Imm(asm.R8, int32(rank)), asm.Ja.Label("found"))
}
