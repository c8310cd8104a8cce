package program

import (
	"unsafe"

	"github.com/cilium/ebpf/asm"

	"weir/internal/datapath"
	"weir/internal/flow"
	"weir/internal/packet"
)

// assembleHash computes dp_hash of the packet as it now is, as the executor in
// user space does, for the operation before the one that cbCode names, and
// goes back to program actions.
//
// The hash folds three words by 128-bit products; the instruction set has no
// high half of a product, so that it is put together from 32-bit ones.
func (s *Set) assembleHash() asm.Instructions {
	want := hashWords()
	b := &builder{}
	p := &parser{builder: b, set: s, want: want, vlanLimit: s.cfg.VLANLimit}
	b.emit(asm.Mov.Reg(asm.R6, asm.R1))
	p.parse()
	b.emit(
		// R8: the operation; R9: what stands for the protocol.
		asm.LoadMem(asm.R1, asm.R6, cbCode, asm.Word),
		asm.JEq.Imm(asm.R1, 0, "lost"),
		asm.Sub.Imm(asm.R1, 1),
		asm.JGT.Imm(asm.R1, int32((len(s.codes.mem)-maxOpLen)/8), "lost"),
		asm.LSh.Imm(asm.R1, 3),
	)
	b.address(asm.R2, s.codes, 0)
	b.emit(asm.Add.Reg(asm.R2, asm.R1), asm.LoadMem(asm.R8, asm.R2, 0, asm.DWord))
	b.hashOperands()
	b.emit(
		asm.Mov.Reg(asm.R3, asm.R8),
		asm.RSh.Imm(asm.R3, 32),
		asm.LoadImm(asm.R1, -0x61c8864680b583eb, asm.DWord), // 0x9e3779b97f4a7c15
		asm.Add.Reg(asm.R3, asm.R1),
		asm.LoadImm(asm.R5, 0xd6e8feb8, asm.DWord),
		asm.LoadImm(asm.R4, 0x6659fd93, asm.DWord),
	)
	for _, local := range []int16{hashSrc, hashDst, hashPorts} {
		b.fold(local)
	}
	b.emit(
		asm.Mov.Reg(asm.R1, asm.R3),
		asm.RSh.Imm(asm.R1, 32),
		asm.Xor.Reg(asm.R3, asm.R1),
		asm.Mov.Reg32(asm.R3, asm.R3),
		asm.JNE.Imm(asm.R3, 0, "hash.done"),
		asm.Mov.Imm(asm.R3, 1),
	)
	b.label("hash.done")
	b.emit(asm.StoreMem(asm.R6, cbHash, asm.R3, asm.Word))
	b.label("odd") // headers that can't be read have no hash
	b.tailCall(s, progActions)
	b.emit(asm.Ja.Label("lost"))
	b.pull(s, progHash)
	b.label("deep") // main has read them
	b.emit(asm.Ja.Label("lost"))
	b.lost(s)
	return b.insns
}

// The operands of the hash, on the stack above the locals of the parser that
// are free after it.
const (
	hashSrc   = localFlags
	hashDst   = localHint
	hashPorts = stackLocal
)

// hashWords are the words of the key that hashes look at.
func hashWords() *words {
	var k flow.Key
	ones := ^uint32(0)
	k.EthSrc, k.EthDst, k.EthType = packet.MACFromUint64(1<<48-1), packet.MACFromUint64(1<<48-1), 0xffff
	k.VLANs[0].TCI = 0xffff
	k.IPSrc, k.IPDst = ones, ones
	for i := range k.IPv6Src {
		k.IPv6Src[i], k.IPv6Dst[i] = 0xff, 0xff
	}
	k.NwProto, k.TpSrc, k.TpDst = 0xff, 0xffff, 0xffff
	w := *keyWords(&k)
	return &w
}

// hashOperands puts source, destination, and ports with protocol on the stack;
// the symmetric algorithm combines both directions first.
func (b *builder) hashOperands() {
	key := func(dst asm.Register, offset uintptr, size asm.Size) {
		b.emit(asm.LoadMem(dst, asm.R10, b.word(wordOf(offset))+int16(offset%8), size))
	}
	var k flow.Key
	key(asm.R1, unsafe.Offsetof(k.IPSrc), asm.Word)
	key(asm.R2, unsafe.Offsetof(k.IPDst), asm.Word)
	key(asm.R3, unsafe.Offsetof(k.EthType), asm.Half)
	b.emit(asm.JNE.Imm(asm.R3, packet.EtherTypeIPv6, "hash.ip"))
	for _, a := range []struct {
		dst asm.Register
		at  uintptr
	}{{asm.R1, unsafe.Offsetof(k.IPv6Src)}, {asm.R2, unsafe.Offsetof(k.IPv6Dst)}} {
		key(a.dst, a.at, asm.DWord)
		key(asm.R3, a.at+8, asm.DWord)
		b.emit(asm.Xor.Reg(a.dst, asm.R3), asm.HostTo(asm.BE, a.dst, asm.DWord))
	}
	b.label("hash.ip")
	key(asm.R3, unsafe.Offsetof(k.TpSrc), asm.Half)
	key(asm.R4, unsafe.Offsetof(k.TpDst), asm.Half)
	b.emit(
		asm.Mov.Reg(asm.R5, asm.R8),
		asm.RSh.Imm(asm.R5, 16),
		asm.And.Imm(asm.R5, 0xffff),
		asm.JNE.Imm(asm.R5, datapath.HashSymL4, "hash.ready"),
		asm.Xor.Reg(asm.R1, asm.R2),
		asm.Xor.Reg(asm.R3, asm.R4),
	)
	key(asm.R4, unsafe.Offsetof(k.VLANs)+unsafe.Offsetof(flow.VLAN{}.TCI), asm.Half)
	// The addresses as numbers of 48 bits: the first byte is the highest.
	dst := unsafe.Offsetof(k.EthDst)
	key(asm.R2, dst, asm.DWord)
	b.emit(asm.HostTo(asm.BE, asm.R2, asm.DWord), asm.RSh.Imm(asm.R2, 16))
	key(asm.R5, dst+8, asm.DWord)
	b.emit(
		asm.HostTo(asm.BE, asm.R5, asm.DWord), // source from its third byte on
		asm.RSh.Imm(asm.R5, 32),
		asm.Xor.Reg(asm.R2, asm.R5),
	)
	key(asm.R5, dst+6, asm.Half)
	b.emit(
		asm.HostTo(asm.BE, asm.R5, asm.Half),
		asm.LSh.Imm(asm.R5, 32),
		asm.Xor.Reg(asm.R2, asm.R5),
	)
	b.label("hash.ready")
	b.emit(
		asm.StoreMem(asm.R10, hashSrc, asm.R1, asm.DWord),
		asm.StoreMem(asm.R10, hashDst, asm.R2, asm.DWord),
		asm.LSh.Imm(asm.R3, 32),
		asm.LSh.Imm(asm.R4, 8),
		asm.Or.Reg(asm.R3, asm.R4),
	)
	key(asm.R4, unsafe.Offsetof(k.NwProto), asm.Byte)
	b.emit(asm.Or.Reg(asm.R3, asm.R4), asm.StoreMem(asm.R10, hashPorts, asm.R3, asm.DWord))
}

// fold mixes the word at a local into the hash in R3: it becomes the high half
// of (R3 ^ word) * C, xor the low half, where R5 and R4 are the halves of C.
func (b *builder) fold(local int16) {
	b.emit(
		asm.LoadMem(asm.R0, asm.R10, local, asm.DWord),
		asm.Xor.Reg(asm.R3, asm.R0),
		asm.Mov.Reg(asm.R1, asm.R3), // high half of the factor
		asm.RSh.Imm(asm.R1, 32),
		asm.Mov.Reg32(asm.R2, asm.R3), // low half
		asm.Mov.Reg(asm.R7, asm.R2),
		asm.Mul.Reg(asm.R7, asm.R4), // low by low
		asm.Mov.Reg(asm.R0, asm.R1),
		asm.Mul.Reg(asm.R0, asm.R4), // high by low
		asm.Mul.Reg(asm.R2, asm.R5), // low by high
		asm.Mul.Reg(asm.R1, asm.R5), // high by high
		// R9: the low half of the product.
		asm.Mov.Reg(asm.R9, asm.R0),
		asm.Add.Reg(asm.R9, asm.R2),
		asm.LSh.Imm(asm.R9, 32),
		asm.Add.Reg(asm.R9, asm.R7),
		// R1: the high half: what carries out of the middle.
		asm.RSh.Imm(asm.R7, 32),
		asm.Mov.Reg32(asm.R3, asm.R0),
		asm.Add.Reg(asm.R7, asm.R3),
		asm.Mov.Reg32(asm.R3, asm.R2),
		asm.Add.Reg(asm.R7, asm.R3),
		asm.RSh.Imm(asm.R7, 32),
		asm.RSh.Imm(asm.R0, 32),
		asm.RSh.Imm(asm.R2, 32),
		asm.Add.Reg(asm.R1, asm.R0),
		asm.Add.Reg(asm.R1, asm.R2),
		asm.Add.Reg(asm.R1, asm.R7),
		asm.Mov.Reg(asm.R3, asm.R1),
		asm.Xor.Reg(asm.R3, asm.R9),
	)
}
