package userspace

// WorkerStats is what one thread, or the goroutines outside of threads
// together, counted.
type WorkerStats struct {
	// Core numbers the polling threads from 0; -1 is what ran elsewhere.
	Core                              int
	Received, Recirculated            uint64
	CacheHits, MegaflowHits, MaskHits uint64
	Missed, Lost                      uint64
	OutPackets, OutBatches            uint64
	Queues                            []QueueRef
}

// QueueRef is one receive queue that a thread polls.
type QueueRef struct {
	Port  string
	Queue int
}

func (s *WorkerStats) add(c *counters) {
	s.Received += c.received.Load()
	s.Recirculated += c.recirc.Load()
	s.CacheHits += c.cacheHit.Load()
	s.MegaflowHits += c.megaHit.Load()
	s.MaskHits += c.maskHit.Load()
	s.Missed += c.miss.Load()
	s.Lost += c.lost.Load()
	s.OutPackets += c.outPackets.Load()
	s.OutBatches += c.outBatches.Load()
}

func (s *WorkerStats) sub(o *WorkerStats) {
	s.Received -= o.Received
	s.Recirculated -= o.Recirculated
	s.CacheHits -= o.CacheHits
	s.MegaflowHits -= o.MegaflowHits
	s.MaskHits -= o.MaskHits
	s.Missed -= o.Missed
	s.Lost -= o.Lost
	s.OutPackets -= o.OutPackets
	s.OutBatches -= o.OutBatches
}

func (d *DP) readWorkers() []WorkerStats {
	var out []WorkerStats
	for i, w := range d.workers {
		s := WorkerStats{Core: i}
		s.add(&w.counters)
		for _, q := range *w.poller.queues.Load() {
			s.Queues = append(s.Queues, QueueRef{q.port.dev.Name(), q.q})
		}
		out = append(out, s)
	}
	main := WorkerStats{Core: -1}
	d.spare.each(func(w *worker) { main.add(&w.counters) })
	return append(out, main)
}

// WorkerStats are the counters since they were last cleared: the threads', and
// last what ran elsewhere.
func (d *DP) WorkerStats() []WorkerStats {
	out := d.readWorkers()
	d.mu.Lock()
	defer d.mu.Unlock()
	for i := range d.cleared {
		out[i].sub(&d.cleared[i])
	}
	return out
}

// ClearWorkerStats starts the counters of WorkerStats from zero.
func (d *DP) ClearWorkerStats() {
	now := d.readWorkers()
	d.mu.Lock()
	d.cleared = now
	d.mu.Unlock()
}
