package userspace

import (
	"fmt"
	"maps"
	"math"
	"sync/atomic"

	"weir/internal/coverage"
	"weir/internal/datapath"
)

var dropMeter = coverage.New("datapath_drop_meter")

// meter is a meter of the data path. Workers use it without a lock.
type meter struct {
	packets bool
	in      meterCount
	bands   []meterBand
}

type meterCount struct{ packets, bytes atomic.Uint64 }

func (c *meterCount) add(bytes int) {
	c.packets.Add(1)
	c.bytes.Add(uint64(bytes))
}

func (c *meterCount) get() datapath.MeterCount {
	return datapath.MeterCount{Packets: c.packets.Load(), Bytes: c.bytes.Load()}
}

// meterBand is a token bucket in the form of the generic cell rate algorithm
// (ITU-T I.371, annex A): full is the time at which the bucket will be full
// again. A packet that costs t nanoseconds at the band's rate may pass if that
// puts the time at most burst ahead of now.
type meterBand struct {
	full    atomic.Int64
	unit    float64 // nanoseconds a packet, or a bit
	burst   int64   // nanoseconds
	dropped meterCount
}

func newMeter(c *datapath.MeterConfig) *meter {
	m := &meter{packets: c.Packets, bands: make([]meterBand, len(c.Bands))}
	scale := 1000.0 // bits in a kilobit
	if c.Packets {
		scale = 1
	}
	for i, b := range c.Bands {
		burst := b.Burst
		if burst == 0 {
			burst = b.Rate
		}
		band := &m.bands[i]
		if b.Rate == 0 {
			band.unit = math.Inf(1)
			continue
		}
		band.unit = 1e9 / (float64(b.Rate) * scale)
		band.burst = int64(math.Round(float64(burst) * scale * band.unit))
	}
	return m
}

// pass takes the cost of a packet out of the bucket; false says that there
// isn't enough in it.
func (b *meterBand) pass(now int64, units int) bool {
	cost := float64(units) * b.unit
	if cost > float64(b.burst) {
		return false
	}
	for {
		old := b.full.Load()
		full := max(old, now) + int64(cost)
		if full-now > b.burst {
			return false
		}
		if b.full.CompareAndSwap(old, full) {
			return true
		}
	}
}

// pass says whether a packet may go on. One that exceeds several bands counts
// as dropped by the one with the highest rate.
func (m *meter) pass(now int64, bytes int) bool {
	m.in.add(bytes)
	units := 8 * bytes
	if m.packets {
		units = 1
	}
	var by *meterBand
	for i := range m.bands {
		if b := &m.bands[i]; !b.pass(now, units) && (by == nil || b.unit < by.unit) {
			by = b
		}
	}
	if by == nil {
		return true
	}
	by.dropped.add(bytes)
	dropMeter.Inc()
	return false
}

// metered runs a Meter action. A meter that isn't there lets packets pass.
func (w *worker) metered(st *state, id uint32) bool {
	if pass := w.dp.cfg.Meter; pass != nil {
		if pass(id, st.pkt.Len) {
			return true
		}
		dropMeter.Inc()
		return false
	}
	m := (*w.dp.meters.Load())[id]
	return m == nil || m.pass(w.now, st.pkt.Len)
}

func meterError(id uint32) error { return fmt.Errorf("meter %d: %w", id, errNotExist) }

// MeterSet makes or changes a meter.
func (d *DP) MeterSet(id uint32, config datapath.MeterConfig) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	meters := maps.Clone(*d.meters.Load())
	meters[id] = newMeter(&config)
	d.meters.Store(&meters)
	return nil
}

// MeterDel removes a meter.
func (d *DP) MeterDel(id uint32) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	meters := maps.Clone(*d.meters.Load())
	if meters[id] == nil {
		return meterError(id)
	}
	delete(meters, id)
	d.meters.Store(&meters)
	return nil
}

// MeterStats are a meter's counters.
func (d *DP) MeterStats(id uint32) (datapath.MeterStats, error) {
	m := (*d.meters.Load())[id]
	if m == nil {
		return datapath.MeterStats{}, meterError(id)
	}
	s := datapath.MeterStats{In: m.in.get()}
	for i := range m.bands {
		s.Bands = append(s.Bands, m.bands[i].dropped.get())
	}
	return s, nil
}
