package userspace

import (
	"sync/atomic"

	"weir/internal/numa"
)

// perf is what a thread measured of itself; only it writes. Times are in ns.
type perf struct {
	iterations, busyIterations, sleepIterations atomic.Uint64
	busy, idle, asleep                          atomic.Uint64
	upcalls, upcallTime                         atomic.Uint64
	interval                                    atomic.Int64 // busy since the load interval began
	detail                                      atomic.Pointer[detail]
}

// iteration notes a pass over the queues that took used, not counting what it
// waited before.
func (p *perf) iteration(packets int, used, waited int64, l *PerfLog) {
	p.iterations.Add(1)
	p.idle.Add(uint64(waited))
	if packets == 0 {
		p.idle.Add(uint64(used))
	} else {
		p.busyIterations.Add(1)
		p.busy.Add(uint64(used))
		p.interval.Add(used)
	}
	if d := p.detail.Load(); d != nil {
		d.iteration(p, packets, used, l)
	}
}

// slept notes that the thread slept by its own choice.
func (p *perf) slept(ns int64) {
	p.sleepIterations.Add(1)
	p.asleep.Add(uint64(ns))
}

// WorkerStats is what one thread, or the goroutines outside of threads
// together, counted. Times are in ns.
type WorkerStats struct {
	// Thread says which one it is; nil is what ran outside of threads.
	Thread *numa.Core `json:"-"`

	Received      uint64 `json:"received"`
	Recirculated  uint64 `json:"recirculated"`
	CacheHits     uint64 `json:"cache_hits"`
	SignatureHits uint64 `json:"signature_hits"`
	MegaflowHits  uint64 `json:"megaflow_hits"`
	MaskHits      uint64 `json:"mask_hits"`
	Missed        uint64 `json:"missed"`
	Lost          uint64 `json:"lost"`
	OutPackets    uint64 `json:"out_packets"`
	OutBatches    uint64 `json:"out_batches"`

	Iterations      uint64 `json:"iterations"`
	BusyIterations  uint64 `json:"busy_iterations"`
	SleepIterations uint64 `json:"sleep_iterations"`
	Busy            uint64 `json:"busy_cycles"`
	Idle            uint64 `json:"idle_cycles"`
	Asleep          uint64 `json:"sleep_cycles"`
	UpcallTime      uint64 `json:"upcall_cycles"`
	Since           int64  `json:"-"` // Ticks when the counting began

	// Detail is there where other_config:pmd-perf-metrics asks for it.
	Detail *Metrics `json:"detail,omitempty"`
}

func (s *WorkerStats) add(w *worker) {
	c, p := &w.counters, &w.perf
	s.Received += c.received.Load()
	s.Recirculated += c.recirc.Load()
	s.CacheHits += c.cacheHit.Load()
	s.SignatureHits += c.signatureHit.Load()
	s.MegaflowHits += c.megaHit.Load()
	s.MaskHits += c.maskHit.Load()
	s.Missed += c.miss.Load()
	s.Lost += c.lost.Load()
	s.OutPackets += c.outPackets.Load()
	s.OutBatches += c.outBatches.Load()
	s.Iterations += p.iterations.Load()
	s.BusyIterations += p.busyIterations.Load()
	s.SleepIterations += p.sleepIterations.Load()
	s.Busy += p.busy.Load()
	s.Idle += p.idle.Load()
	s.Asleep += p.asleep.Load()
	s.UpcallTime += p.upcallTime.Load()
}

func (s *WorkerStats) sub(o *WorkerStats) {
	s.Received -= o.Received
	s.Recirculated -= o.Recirculated
	s.CacheHits -= o.CacheHits
	s.SignatureHits -= o.SignatureHits
	s.MegaflowHits -= o.MegaflowHits
	s.MaskHits -= o.MaskHits
	s.Missed -= o.Missed
	s.Lost -= o.Lost
	s.OutPackets -= o.OutPackets
	s.OutBatches -= o.OutBatches
	s.Iterations -= o.Iterations
	s.BusyIterations -= o.BusyIterations
	s.SleepIterations -= o.SleepIterations
	s.Busy -= o.Busy
	s.Idle -= o.Idle
	s.Asleep -= o.Asleep
	s.UpcallTime -= o.UpcallTime
	s.Since = o.Since
}

// stats are the counters of some workers without what baseline says.
func (d *DP) stats(baseline *WorkerStats, ws ...*worker) WorkerStats {
	var s WorkerStats
	for _, w := range ws {
		s.add(w)
	}
	s.sub(baseline)
	return s
}

// WorkerStats are the counters since they were last cleared: the threads', by
// core, and last what ran outside of them.
func (d *DP) WorkerStats() []WorkerStats {
	d.conf.Lock()
	defer d.conf.Unlock()
	var out []WorkerStats
	for _, w := range *d.workers.Load() {
		s := d.stats(&w.baseline, w)
		core := w.poller.core
		s.Thread = &core
		if dt := w.perf.detail.Load(); dt != nil {
			s.Detail = dt.snapshot()
		}
		out = append(out, s)
	}
	return append(out, d.stats(&d.mainBaseline, d.spare.list()...))
}

// ClearWorkerStats starts the counters of WorkerStats from zero; of one core
// only where core isn't negative.
func (d *DP) ClearWorkerStats(core int, now int64) {
	d.conf.Lock()
	defer d.conf.Unlock()
	for _, w := range *d.workers.Load() {
		if core >= 0 && w.poller.core.ID != core {
			continue
		}
		w.baseline = d.stats(&WorkerStats{}, w)
		w.baseline.Since = now
		if w.perf.detail.Load() != nil {
			w.perf.detail.Store(newDetail(&w.perf))
		}
	}
	if core < 0 {
		d.mainBaseline = d.stats(&WorkerStats{}, d.spare.list()...)
		d.mainBaseline.Since = now
	}
}
