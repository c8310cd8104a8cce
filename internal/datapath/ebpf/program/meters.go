package program

import (
	"fmt"
	"io/fs"
	"math"
	"sync/atomic"
	"unsafe"

	"github.com/cilium/ebpf/asm"

	"weir/internal/datapath"
)

// maxBands is how many bands a meter may have, noBand none of them.
const (
	maxBands = 8
	noBand   = 0xff
)

// meterSlot is a meter in memory. Its bands are token buckets in the form of
// the generic cell rate algorithm (ITU-T I.371, annex A): full is the time,
// CLOCK_MONOTONIC in nanoseconds, at which the bucket will be full again.
type meterSlot struct {
	bands          uint32 // one more than it has; 0: no such meter, packets pass
	perPacket      uint32 // 1 if units are packets, else bits
	packets, bytes uint64
	band           [maxBands]bandSlot
	_              uint64
}

type bandSlot struct {
	full           uint64
	unit           uint64 // 2^-16 nanoseconds a unit
	burst          uint64 // nanoseconds
	packets, bytes uint64 // dropped
}

const (
	meterBytes = int(unsafe.Sizeof(meterSlot{}))
	bandBytes  = int16(unsafe.Sizeof(bandSlot{}))
	unitShift  = 16
)

func (s *Set) meter(id uint32) (*meterSlot, error) {
	if int(id) >= s.cfg.MaxMeters {
		return nil, fmt.Errorf("meter %d: the eBPF data path has room for numbers below %d", id, s.cfg.MaxMeters)
	}
	return &view[meterSlot](s.meters, s.cfg.MaxMeters)[id], nil
}

// SetMeter makes or changes a meter; its counters start from zero.
func (s *Set) SetMeter(id uint32, c datapath.MeterConfig) error {
	m, err := s.meter(id)
	if err != nil {
		return err
	}
	if len(c.Bands) > maxBands {
		return fmt.Errorf("meter %d: %d bands, the eBPF data path takes at most %d", id, len(c.Bands), maxBands)
	}
	atomic.StoreUint32(&m.bands, 0)
	*m = meterSlot{}
	scale := 1000.0 // bits in a kilobit
	if c.Packets {
		m.perPacket, scale = 1, 1
	}
	for i, b := range c.Bands {
		burst := b.Burst
		if burst == 0 {
			burst = b.Rate
		}
		if b.Rate == 0 {
			m.band[i].unit = 1 << unitShift // no packet fits a burst of 0
			continue
		}
		unit := 1e9 / (float64(b.Rate) * scale)
		m.band[i].unit = max(uint64(math.Round(unit*(1<<unitShift))), 1)
		m.band[i].burst = uint64(math.Round(float64(burst) * scale * unit))
	}
	atomic.StoreUint32(&m.bands, 1+uint32(len(c.Bands)))
	return nil
}

// DelMeter removes a meter: packets of flows that name it pass.
func (s *Set) DelMeter(id uint32) error {
	m, err := s.meter(id)
	if err != nil {
		return err
	}
	if m.bands == 0 {
		return fmt.Errorf("meter %d: %w", id, fs.ErrNotExist)
	}
	atomic.StoreUint32(&m.bands, 0)
	return nil
}

// MeterStats are a meter's counters. It may be called from any goroutine.
func (s *Set) MeterStats(id uint32) (datapath.MeterStats, error) {
	m, err := s.meter(id)
	if err != nil {
		return datapath.MeterStats{}, err
	}
	n := atomic.LoadUint32(&m.bands)
	if n == 0 {
		return datapath.MeterStats{}, fmt.Errorf("meter %d: %w", id, fs.ErrNotExist)
	}
	count := func(packets, bytes *uint64) datapath.MeterCount {
		return datapath.MeterCount{Packets: atomic.LoadUint64(packets), Bytes: atomic.LoadUint64(bytes)}
	}
	st := datapath.MeterStats{In: count(&m.packets, &m.bytes)}
	for i := range n - 1 {
		st.Bands = append(st.Bands, count(&m.band[i].packets, &m.band[i].bytes))
	}
	return st, nil
}

// Offsets in a meterSlot.
const (
	meterPerPacket = 4
	meterPackets   = 8
	meterLength    = 16
	meterBand      = 24
	bandUnit       = 8
	bandBurst      = 16
	bandPackets    = 24
	bandLength     = 32
)

// opMeter lets the packet pass if all bands of the meter do. One that exceeds
// several counts as dropped by the one with the highest rate.
func (b *builder) opMeter(s *Set) {
	const (
		units = stepTemp
		now   = stepOld
		// The worst band's number, or noBand. At an odd place the verifier doesn't
		// keep track of it, and of all ways to get there.
		worst  = stepNew + 1
		length = stepLength
	)
	b.emit(
		asm.RSh.Imm(asm.R8, 32),
		asm.JGE.Imm(asm.R8, int32(s.cfg.MaxMeters), "next"),
		asm.Mul.Imm(asm.R8, int32(meterBytes)),
	)
	b.address(asm.R7, s.meters, 0)
	b.emit(asm.Add.Reg(asm.R7, asm.R8), asm.LoadMem(asm.R8, asm.R7, 0, asm.Word), asm.JEq.Imm(asm.R8, 0, "next"))
	b.length(asm.R2, asm.R1)
	b.emit(asm.StoreMem(asm.R10, length, asm.R2, asm.DWord))
	b.addAtomic(asm.R7, meterPackets, meterLength)
	b.emit(
		asm.LSh.Imm(asm.R2, 3), // bits
		asm.LoadMem(asm.R1, asm.R7, meterPerPacket, asm.Word),
		asm.JEq.Imm(asm.R1, 0, "meter.units"),
		asm.Mov.Imm(asm.R2, 1),
	)
	b.label("meter.units")
	b.emit(
		asm.StoreMem(asm.R10, units, asm.R2, asm.DWord),
		asm.FnKtimeGetNs.Call(),
		asm.StoreMem(asm.R10, now, asm.R0, asm.DWord),
		asm.Mov.Imm(asm.R0, noBand),
		asm.StoreMem(asm.R10, worst, asm.R0, asm.Byte),
	)
	for i := range maxBands {
		b.emit(asm.JLE.Imm(asm.R8, int32(i)+1, "meter.done"))
		b.band(i, units, now, worst)
	}
	b.label("meter.done")
	b.emit(
		asm.LoadMem(asm.R1, asm.R10, worst, asm.Byte), // noBand is not below maxBands
		asm.JGE.Imm(asm.R1, maxBands, "next"),
		asm.Mul.Imm(asm.R1, int32(bandBytes)),
		asm.Add.Reg(asm.R7, asm.R1),
		asm.LoadMem(asm.R2, asm.R10, length, asm.DWord),
	)
	b.addAtomic(asm.R7, meterBand+bandPackets, meterBand+bandLength)
	b.emit(asm.Ja.Label("stop")) // with the verdict that drops
}

// addAtomic adds one packet of R2 bytes to counters at ptr. R1 is lost.
func (b *builder) addAtomic(ptr asm.Register, packets, bytes int16) {
	b.emit(
		asm.Mov.Imm(asm.R1, 1),
		asm.AddAtomic.Mem(ptr, asm.R1, asm.DWord, packets),
		asm.AddAtomic.Mem(ptr, asm.R2, asm.DWord, bytes),
	)
}

// band takes the packet's cost out of a band's bucket; if there isn't enough in
// it, and its rate is the highest so far, it is the worst. When others keep
// changing the bucket, the packet passes.
func (b *builder) band(i int, units, now, worst int16) {
	at := meterBand + int16(i)*bandBytes
	over, passed := b.fresh("band.over"), b.fresh("band.passed")
	b.emit(
		asm.LoadMem(asm.R1, asm.R10, units, asm.DWord),
		asm.LoadMem(asm.R2, asm.R7, at+bandUnit, asm.DWord),
		asm.Mul.Reg(asm.R1, asm.R2),
		asm.RSh.Imm(asm.R1, unitShift), // the cost
		asm.LoadMem(asm.R3, asm.R7, at+bandBurst, asm.DWord),
		asm.JGT.Reg(asm.R1, asm.R3, over),
		asm.LoadMem(asm.R4, asm.R10, now, asm.DWord),
		asm.Add.Reg(asm.R3, asm.R4), // how far full may go
	)
	for range 2 {
		early := b.fresh("band.early")
		b.emit(
			asm.LoadMem(asm.R0, asm.R7, at, asm.DWord),
			asm.Mov.Reg(asm.R2, asm.R0),
			asm.JGE.Reg(asm.R2, asm.R4, early),
			asm.Mov.Reg(asm.R2, asm.R4),
		)
		b.label(early)
		b.emit(
			asm.Add.Reg(asm.R2, asm.R1),
			asm.JGT.Reg(asm.R2, asm.R3, over),
			asm.Mov.Reg(asm.R5, asm.R0),
			compareExchange(asm.R7, asm.R2, at),
			asm.JEq.Reg(asm.R0, asm.R5, passed),
		)
	}
	b.emit(asm.Ja.Label(passed))
	b.label(over)
	// The highest rate is the smallest unit.
	first := b.fresh("band.first")
	b.emit(
		asm.LoadMem(asm.R1, asm.R10, worst, asm.Byte),
		asm.JEq.Imm(asm.R1, noBand, first),
		asm.JGE.Imm(asm.R1, maxBands, passed),
		asm.Mul.Imm(asm.R1, int32(bandBytes)),
		asm.Mov.Reg(asm.R2, asm.R7),
		asm.Add.Reg(asm.R2, asm.R1),
		asm.LoadMem(asm.R2, asm.R2, meterBand+bandUnit, asm.DWord),
		asm.LoadMem(asm.R1, asm.R7, at+bandUnit, asm.DWord),
		asm.JGE.Reg(asm.R1, asm.R2, passed),
	)
	b.label(first)
	b.emit(asm.Mov.Imm(asm.R1, int32(i)), asm.StoreMem(asm.R10, worst, asm.R1, asm.Byte))
	b.label(passed)
}

// compareExchange stores src at ptr if R0 is what stands there; R0 becomes what
// stood there. The assembler takes the kind of an atomic operation from its
// constant, and sets that for addition only.
func compareExchange(ptr, src asm.Register, offset int16) asm.Instruction {
	in := asm.CmpXchg.Mem(ptr, src, asm.DWord, offset)
	in.Constant = int64(asm.CmpXchg >> 8)
	return in
}
