package userspace

import (
	"math"
	"slices"
	"sync"
)

// bins of a histogram; the last one takes what is above all limits.
const bins = 32

// Histogram counts samples by size. Limits are the upper bounds of the bins,
// one less than there are bins.
type Histogram struct {
	Limits [bins - 1]uint64
	Counts [bins]uint64
	Sum    uint64
}

// logarithmic makes bins whose limits grow by a factor, from least to most.
func logarithmic(least, most uint64) Histogram {
	var h Histogram
	for i := range h.Limits {
		h.Limits[i] = max(uint64(float64(least)*math.Pow(float64(most)/float64(least), float64(i)/(bins-2))), least+uint64(i))
	}
	return h
}

// linear makes bins of one width, from least to most.
func linear(least, most uint64) Histogram {
	var h Histogram
	for i := range h.Limits {
		h.Limits[i] = least + uint64(i)*(most-least)/(bins-2)
	}
	return h
}

func (h *Histogram) add(v uint64) {
	i, _ := slices.BinarySearch(h.Limits[:], v)
	h.Counts[i]++
	h.Sum += v
}

// Samples is how many there are.
func (h *Histogram) Samples() uint64 {
	var n uint64
	for _, c := range h.Counts {
		n += c
	}
	return n
}

// Iteration is what one pass over the queues, or the passes of one millisecond
// together, brought. Times are in ns.
type Iteration struct {
	Stamp   uint64 // number of the iteration, or the millisecond
	Passes  uint64
	Time    uint64
	Busy    uint64 // time of those passes that had packets
	Packets uint64
	Upcalls uint64
}

// historyLen is how many iterations, and milliseconds, are remembered.
const historyLen = 1000

// Metrics are the histograms of a thread, and its last iterations and
// milliseconds, the latest first.
type Metrics struct {
	Time, Packets, TimePerPacket, Upcalls, TimePerUpcall Histogram
	Iterations, Millis                                   []Iteration
}

// detail collects Metrics. The mutex is taken once for an iteration, if
// pmd-perf-metrics asks for it at all.
type detail struct {
	mu         sync.Mutex
	m          Metrics // but for its histories
	its, ms    [historyLen]Iteration
	nits, nms  int
	upcalls    uint64 // as last seen
	upcallTime uint64

	// The suspicious iterations to be logged with those from one up to another.
	suspects    []string
	from, until int
}

func newDetail(p *perf) *detail {
	return &detail{upcalls: p.upcalls.Load(), upcallTime: p.upcallTime.Load(), m: Metrics{
		Time: logarithmic(500, 24000000), Packets: logarithmic(1, 1000), TimePerPacket: linear(100, 30000),
		Upcalls: linear(0, 30), TimePerUpcall: logarithmic(1000, 1000000),
	}}
}

func (d *detail) iteration(p *perf, packets int, used int64, l *PerfLog) {
	if text := d.note(p, packets, used, l); text != "" {
		perfLog.WarnRL(&perfRL, "%s", text)
	}
}

func (d *detail) note(p *perf, packets int, used int64, l *PerfLog) string {
	upcalls, upcallTime := p.upcalls.Load(), p.upcallTime.Load()
	stamp := p.iterations.Load()
	d.mu.Lock()
	defer d.mu.Unlock()
	it := Iteration{Stamp: stamp, Passes: 1, Time: uint64(used), Packets: uint64(packets)}
	if it.Upcalls = upcalls - d.upcalls; it.Upcalls > 0 {
		d.m.TimePerUpcall.add((upcallTime - d.upcallTime) / it.Upcalls)
	}
	d.upcalls, d.upcallTime = upcalls, upcallTime
	d.m.Time.add(it.Time)
	d.m.Packets.add(it.Packets)
	d.m.Upcalls.add(it.Upcalls)
	if packets > 0 {
		it.Busy = it.Time
		d.m.TimePerPacket.add(it.Time / it.Packets)
	}
	d.its[d.nits%historyLen] = it
	d.nits++
	d.millisecond(&it, p.total()/1e6)
	if l == nil {
		return ""
	}
	return d.suspect(l, &it)
}

// millisecond adds an iteration to the millisecond in which it ended.
func (d *detail) millisecond(it *Iteration, stamp uint64) {
	if d.nms == 0 || d.ms[(d.nms-1)%historyLen].Stamp != stamp {
		d.ms[d.nms%historyLen] = Iteration{Stamp: stamp}
		d.nms++
	}
	m := &d.ms[(d.nms-1)%historyLen]
	m.Passes++
	m.Time += it.Time
	m.Busy += it.Busy
	m.Packets += it.Packets
	m.Upcalls += it.Upcalls
}

// total is how long the thread has run.
func (p *perf) total() uint64 { return p.busy.Load() + p.idle.Load() + p.asleep.Load() }

func (d *detail) snapshot() *Metrics {
	d.mu.Lock()
	defer d.mu.Unlock()
	m := d.m
	for i := range min(d.nits, historyLen) {
		m.Iterations = append(m.Iterations, d.its[(d.nits-1-i)%historyLen])
	}
	for i := range min(d.nms, historyLen) {
		m.Millis = append(m.Millis, d.ms[(d.nms-1-i)%historyLen])
	}
	return &m
}
