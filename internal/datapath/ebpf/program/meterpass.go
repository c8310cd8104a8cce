package program

import "sync/atomic"

// PassMeter applies a meter to a packet of that length which programs left to
// user space: its cost comes out of the same buckets, by the same rules, as that
// of packets which programs forward (see opMeter). now is nanoseconds of
// CLOCK_MONOTONIC. A meter that isn't there lets packets pass. It may be called
// from any goroutine.
func (s *Set) PassMeter(id uint32, now uint64, length int) bool {
	m, err := s.meter(id)
	if err != nil {
		return true
	}
	n := atomic.LoadUint32(&m.bands)
	if n == 0 {
		return true
	}
	atomic.AddUint64(&m.packets, 1)
	atomic.AddUint64(&m.bytes, uint64(length))
	units := 8 * uint64(length)
	if m.perPacket != 0 {
		units = 1
	}
	var worst *bandSlot
	for i := range min(n-1, maxBands) {
		b := &m.band[i]
		if !b.pass(now, units) && (worst == nil || b.unit < worst.unit) {
			worst = b
		}
	}
	if worst == nil {
		return true
	}
	atomic.AddUint64(&worst.packets, 1)
	atomic.AddUint64(&worst.bytes, uint64(length))
	return false
}

// pass takes the packet's cost out of the bucket; false says that there isn't
// enough in it.
func (b *bandSlot) pass(now, units uint64) bool {
	cost := units * b.unit >> unitShift
	if cost > b.burst {
		return false
	}
	for {
		old := atomic.LoadUint64(&b.full)
		full := max(old, now) + cost
		if full > now+b.burst {
			return false
		}
		if atomic.CompareAndSwapUint64(&b.full, old, full) {
			return true
		}
	}
}
