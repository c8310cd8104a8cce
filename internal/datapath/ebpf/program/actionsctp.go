package program

import (
	"hash/crc32"

	"github.com/cilium/ebpf/asm"

	"weir/internal/packet"
)

// The CRC32c of an SCTP packet (RFC 9260, 6.8) is linear: what a change of the
// ports, at its beginning, changes in it depends on how and on the packet's
// length alone. It is the change taken as a CRC and advanced over as many zeros
// as the packet is long. crcTables advance over 2^k zeros, k from 0 to 15, by a
// table for each byte of a CRC.
type crcTables [16][4][256]uint32

const crcTablesBytes = 16 * 4 * 256 * 4

func (t *crcTables) fill() {
	one := crc32.MakeTable(crc32.Castagnoli)
	for lane := range 4 {
		for i := range 256 {
			v := uint32(i) << (8 * lane)
			t[0][lane][i] = one[byte(v)] ^ v>>8
		}
	}
	for k := 1; k < len(t); k++ {
		for lane := range 4 {
			for i := range 256 {
				t[k][lane][i] = t.over(k-1, t[k-1][lane][i])
			}
		}
	}
}

// over advances a CRC over 2^k zeros.
func (t *crcTables) over(k int, v uint32) uint32 {
	return t[k][0][byte(v)] ^ t[k][1][byte(v>>8)] ^ t[k][2][byte(v>>16)] ^ t[k][3][byte(v>>24)]
}

// newCRC makes the region of the tables.
func newCRC() (*region, error) {
	r, err := newRegion("crc32c", crcTablesBytes)
	if err == nil {
		view[crcTables](r, 1)[0].fill()
	}
	return r, err
}

// opSCTP changes ports and keeps a right checksum right, a wrong one wrong.
// Where the device is to make the checksum, which nothing here can tell but that
// it is 0, user space does it.
func (b *builder) opSCTP(s *Set) {
	load := func(frame int32, n int32, fail string) {
		b.emit(
			asm.Mov.Reg(asm.R1, asm.R6),
			asm.Mov.Reg(asm.R3, asm.R10),
			asm.Add.Imm(asm.R3, frame),
			asm.Mov.Imm(asm.R4, n),
			asm.FnSkbLoadBytes.Call(),
			asm.JNE.Imm(asm.R0, 0, fail),
		)
	}
	b.noSuperPacket()
	b.emit(
		asm.LoadMem(asm.R2, asm.R6, cbState, asm.Word),
		asm.Mov.Reg(asm.R1, asm.R2),
		asm.RSh.Imm(asm.R1, stateL4Shift),
		asm.And.Imm(asm.R1, stateL4Mask),
		asm.JEq.Imm(asm.R1, 0, "next"),
		asm.StoreMem(asm.R10, stepOffset, asm.R1, asm.DWord),
		asm.And.Imm(asm.R2, 1<<stateL3Bits-1),
		asm.Add.Imm(asm.R2, 2), // where the length is in IPv4, 4 in IPv6
		asm.Mov.Reg(asm.R1, asm.R8),
		asm.And.Imm(asm.R1, 2<<16), // of 4 and 6
		asm.RSh.Imm(asm.R1, 16),
		asm.Add.Reg(asm.R2, asm.R1),
	)
	load(stepTemp, 2, "next")
	b.emit(
		asm.LoadMem(asm.R1, asm.R10, stepTemp, asm.Half),
		asm.HostTo(asm.BE, asm.R1, asm.Half),
		asm.LoadMem(asm.R2, asm.R6, cbState, asm.Word),
		asm.And.Imm(asm.R2, 1<<stateL3Bits-1),
		asm.Add.Reg(asm.R1, asm.R2), // the packet's end
		asm.Mov.Reg(asm.R2, asm.R8),
		asm.And.Imm(asm.R2, 2<<16),
		asm.JEq.Imm(asm.R2, 0, "sctp.end"),
		asm.Add.Imm(asm.R1, packet.IPv6Len),
	)
	b.label("sctp.end")
	b.emit(
		asm.LoadMem(asm.R3, asm.R6, skbLen, asm.Word),
		asm.JLE.Reg(asm.R1, asm.R3, "sctp.whole"),
		asm.Mov.Reg(asm.R1, asm.R3),
	)
	b.label("sctp.whole")
	b.emit(
		asm.LoadMem(asm.R2, asm.R10, stepOffset, asm.DWord),
		asm.Sub.Reg(asm.R1, asm.R2),
		asm.JSLT.Imm(asm.R1, packet.SCTPLen, "next"),
		asm.StoreMem(asm.R10, stepLength, asm.R1, asm.DWord),
		asm.Add.Imm(asm.R2, 8),
	)
	load(stepSum, 4, "next")
	b.emit(asm.LoadMem(asm.R2, asm.R10, stepOffset, asm.DWord))
	load(stepOld, 4, "next")
	b.emit(
		asm.LoadMem(asm.R1, asm.R10, stepSum, asm.Word),
		asm.JEq.Imm(asm.R1, 0, "op.resume"),
	)
	b.merge(16)
	b.emit(
		asm.Mov.Reg(asm.R1, asm.R3),
		asm.Xor.Reg(asm.R1, asm.R4), // what changes
		asm.JEq.Imm(asm.R1, 0, "next"),
		asm.LoadMem(asm.R2, asm.R10, stepLength, asm.DWord),
	)
	b.advanceCRC(s)
	b.emit(
		asm.LoadMem(asm.R2, asm.R10, stepSum, asm.Word),
		asm.Xor.Reg(asm.R1, asm.R2),
		asm.StoreMem(asm.R10, stepOld, asm.R1, asm.DWord),
	)
	store := func(frame, offset int32) {
		const recompute = 1 // BPF_F_RECOMPUTE_CSUM
		b.emit(
			asm.LoadMem(asm.R2, asm.R10, stepOffset, asm.DWord),
			asm.Add.Imm(asm.R2, offset),
			asm.Mov.Reg(asm.R1, asm.R6),
			asm.Mov.Reg(asm.R3, asm.R10),
			asm.Add.Imm(asm.R3, frame),
			asm.Mov.Imm(asm.R4, 4),
			asm.Mov.Imm(asm.R5, recompute),
			asm.FnSkbStoreBytes.Call(),
			asm.JNE.Imm(asm.R0, 0, "lost.step"),
		)
	}
	store(stepNew, 0)
	store(stepOld, 8)
	b.next()
}

// advanceCRC advances the CRC in R1 over as many zeros as R2 says, less than
// 65,536. It uses R0 and R3 to R5.
func (b *builder) advanceCRC(s *Set) {
	for k := range 16 {
		skip := b.fresh("crc")
		b.emit(
			asm.Mov.Reg(asm.R3, asm.R2),
			asm.And.Imm(asm.R3, 1<<k),
			asm.JEq.Imm(asm.R3, 0, skip),
			asm.Mov.Imm(asm.R0, 0),
		)
		b.address(asm.R3, s.crc, k*crcTablesBytes/16)
		for lane := range 4 {
			b.emit(
				asm.Mov.Reg(asm.R4, asm.R1),
				asm.RSh.Imm(asm.R4, int32(8*lane)),
				asm.And.Imm(asm.R4, 0xff),
				asm.LSh.Imm(asm.R4, 2),
				asm.Add.Reg(asm.R4, asm.R3),
				asm.LoadMem(asm.R5, asm.R4, int16(1024*lane), asm.Word),
				asm.Xor.Reg(asm.R0, asm.R5),
			)
		}
		b.emit(asm.Mov.Reg(asm.R1, asm.R0))
		b.label(skip)
		b.emit(asm.Mov.Reg32(asm.R1, asm.R1))
	}
}
