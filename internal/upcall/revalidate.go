package upcall

import (
	"reflect"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"weir/internal/datapath"
	"weir/internal/xlate"
)

// pass is one revalidation of all flows.
type pass struct {
	gen     uint64
	now     time.Time
	maxIdle time.Duration
	flows   int64 // seen in the data path
	known   int64 // of them, those with a record
	// due are the flows to be translated again or removed.
	due []*megaflow
	// strangers have no record: somebody else installed them.
	strangers []*datapath.Flow
}

// Revalidate makes one pass over all flows of the data path: it pushes their
// statistics, and deletes or mends those that idled or are no longer right.
// When it returns, what happened in the data path before it was called has had
// its effects.
func (e *Engine) Revalidate() {
	if e.paused.Load() || e.held.Load() {
		return
	}
	e.passMu.Lock()
	defer e.passMu.Unlock()
	began := e.clock.Now()
	e.noteMACs()
	e.pass++
	e.markStale()
	p := &pass{gen: e.gen.Load(), now: began, maxIdle: e.maxIdle()}
	e.visitAll(p)
	for _, f := range p.strangers {
		e.welcome(p, f)
	}
	e.settle(p)
	e.average = (e.average + p.flows) / 2
	if p.known != e.count.Load() {
		e.sweep()
	}
	e.duration = max(e.clock.Now().Sub(began), time.Millisecond)
	e.adjustLimit(p.flows)
}

// maxIdle is how long a flow may stay unused; less while there are too many.
func (e *Engine) maxIdle() time.Duration {
	idle := e.conf.Load().MaxIdle
	switch n, limit := e.count.Load(), e.limit.Load(); {
	case n > 2*limit:
		return 0
	case n > limit:
		return min(idle, 100*time.Millisecond)
	}
	return idle
}

// visitAll looks at the statistics of all flows.
func (e *Engine) visitAll(p *pass) {
	d, ok := e.dp.(datapath.StatsDumper)
	if !ok {
		e.dp.FlowDump(func(f *datapath.Flow) bool {
			p.flows++
			if m := e.find(f.UFID); m != nil {
				e.visit(p, m, &f.Stats)
			} else {
				p.strangers = append(p.strangers, f)
			}
			return true
		})
		return
	}
	if e.count.Load() < manyFlows {
		var seen []sighting
		d.DumpStats(func(ufid *datapath.UFID, stats *datapath.Stats) bool {
			seen = append(seen, sighting{*ufid, *stats})
			return true
		})
		// What packets cause, such as learning, happens in their order.
		slices.SortStableFunc(seen, func(a, b sighting) int { return a.stats.Used.Compare(b.stats.Used) })
		for i := range seen {
			e.sight(p, &seen[i])
		}
		return
	}
	e.visitMany(p, d)
}

// sighting is what a dump of statistics shows of one flow.
type sighting struct {
	ufid  datapath.UFID
	stats datapath.Stats
}

// sight finds the record of a flow and visits it.
func (e *Engine) sight(p *pass, s *sighting) {
	p.flows++
	if m := e.find(s.ufid); m != nil {
		e.visit(p, m, &s.stats)
	} else if f, err := e.dp.FlowGet(s.ufid, nil); err == nil {
		p.strangers = append(p.strangers, f)
	}
}

// manyFlows is how many flows are visited by more than one goroutine.
const manyFlows = 8192

// visitMany has the flows visited while the dump goes on.
func (e *Engine) visitMany(p *pass, d datapath.StatsDumper) {
	const size = 512
	batches := make(chan []sighting, 2*runtime.GOMAXPROCS(0))
	spare := make(chan []sighting, cap(batches)+runtime.GOMAXPROCS(0))
	parts := make([]pass, max(1, runtime.GOMAXPROCS(0)-1))
	var wg sync.WaitGroup
	for i := range parts {
		parts[i] = pass{gen: p.gen, now: p.now, maxIdle: p.maxIdle}
		wg.Go(func() {
			for b := range batches {
				for j := range b {
					e.sight(&parts[i], &b[j])
				}
				select {
				case spare <- b[:0]:
				default:
				}
			}
		})
	}
	b := make([]sighting, 0, size)
	d.DumpStats(func(ufid *datapath.UFID, stats *datapath.Stats) bool {
		if b = append(b, sighting{*ufid, *stats}); len(b) < size {
			return true
		}
		batches <- b
		select {
		case b = <-spare:
		default:
			b = make([]sighting, 0, size)
		}
		return true
	})
	batches <- b
	close(batches)
	wg.Wait()
	for i := range parts {
		p.add(&parts[i])
	}
}

// add takes over what another goroutine found in its part of the pass.
func (p *pass) add(o *pass) {
	p.flows += o.flows
	p.known += o.known
	p.due = append(p.due, o.due...)
	p.strangers = append(p.strangers, o.strangers...)
}

// welcome makes a record of a flow that somebody else installed; it is kept if
// it is right.
func (e *Engine) welcome(p *pass, f *datapath.Flow) {
	coverRevalidate.Inc()
	m := &megaflow{ufid: f.UFID, key: *dpPart(&f.Key), mask: e.masks.get(dpPart(&f.Mask)), created: p.now, actions: f.Actions}
	if !e.insert(m) {
		e.masks.put(m.mask)
		return
	}
	e.visit(p, m, &f.Stats)
}

// noteMACs has the flows looked at that depend on MAC tables, when one changed.
// Without flows nobody has use for a snapshot, which costs as much as there are
// ports.
func (e *Engine) noteMACs() {
	if e.count.Load() == 0 {
		return
	}
	for name, b := range e.opts.Snapshot().Bridges {
		if g := b.MACs.Generation(); e.macGens[name] != g {
			e.macGens[name] = g
			e.index.changedMAC()
		}
	}
}

// visit credits the traffic of one flow, and notes whether more is due to it.
func (e *Engine) visit(p *pass, m *megaflow, stats *datapath.Stats) {
	p.known++
	m.mu.Lock()
	m.dumped = e.pass
	stale := m.stale || m.gen != p.gen
	same := stats.Packets == m.stats.Packets && stats.TCPFlags == m.stats.TCPFlags
	m.mu.Unlock()
	used := stats.Used
	if used.Before(m.created) {
		used = m.created
	}
	switch {
	case p.now.Sub(used) >= p.maxIdle:
		e.remove(m) // which pushes what is left
		p.known--
		return
	case !same:
		e.push(m, *stats)
	}
	if stale {
		p.due = append(p.due, m)
	}
}

// parallelFrom is how many flows are translated again by more than one
// goroutine.
const parallelFrom = 512

// settle translates the flows again that are due, on all processors if they
// are many.
func (e *Engine) settle(p *pass) {
	if len(p.due) < parallelFrom {
		p.known -= e.settleSome(p, p.due)
		return
	}
	var next, removed atomic.Int64
	var wg sync.WaitGroup
	for range runtime.GOMAXPROCS(0) {
		wg.Go(func() {
			for {
				end := int(next.Add(parallelFrom / 4))
				from := end - parallelFrom/4
				if from >= len(p.due) {
					return
				}
				removed.Add(e.settleSome(p, p.due[from:min(end, len(p.due))]))
			}
		})
	}
	wg.Wait()
	p.known -= removed.Load()
}

// settleSome returns how many of the flows it removed.
func (e *Engine) settleSome(p *pass, due []*megaflow) (removed int64) {
	tr := e.translator()
	defer e.release(tr)
	for _, m := range due {
		if !e.revalidate(tr, m, p.gen) {
			e.remove(m)
			removed++
		}
	}
	return removed
}

// push credits what the flow's packets have added since the last time.
func (e *Engine) push(m *megaflow, now datapath.Stats) {
	m.mu.Lock()
	t := xlate.Traffic{Used: now.Used, TCPFlags: now.TCPFlags}
	if now.Packets >= m.stats.Packets && now.Bytes >= m.stats.Bytes {
		t.Packets, t.Bytes = now.Packets-m.stats.Packets, now.Bytes-m.stats.Bytes
	}
	newFlags := now.TCPFlags &^ m.stats.TCPFlags
	m.stats = now
	effects := m.effects
	m.mu.Unlock()
	if t.Packets > 0 || newFlags != 0 {
		effects.Push(t, e.clock.Now())
	}
}

// remove deletes a flow from the data path, with a last push of its statistics.
func (e *Engine) remove(m *megaflow) {
	if m.isGone() {
		return // another may have its name
	}
	key := m.key.whole()
	if stats, err := e.dp.FlowDel(m.ufid, &key); err == nil {
		e.push(m, stats)
	}
	e.drop(m)
}

// revalidate translates a flow again. It says false when the flow must go,
// because another translation needs other bits of the key than the flow has.
func (e *Engine) revalidate(tr *translator, m *megaflow, gen uint64) bool {
	key, seq := m.key.whole(), e.index.now()
	in := &tr.in
	if !e.input(e.opts.Snapshot(), &key, in, &tr.key) {
		return false
	}
	res := tr.Translate(in)
	if res.Err == xlate.ErrNoRecirc || !within(dpPart(&res.Mask), dpPart(&m.mask.mask)) {
		return false
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.gone {
		return true
	}
	if m.stillIs(res) {
		m.gen, m.stale = gen, false
		e.index.recheck(m, seq)
		return true
	}
	actions := installed(in, res)
	if !sameActions(actions, m.actions) {
		if err := e.dp.FlowPut(m.flow(actions), datapath.PutModify); err != nil {
			return false
		}
	}
	old := m.recircs
	m.adopt(in, res)
	m.actions = actions
	m.gen, m.stale = gen, false
	e.ref(m.recircs)
	e.unref(old)
	deps, entry := depsOf(&tr.key, res)
	e.index.put(m, deps, entry, seq)
	return true
}

// within reports whether a translation depends on no bit that mask lacks.
func within(need, mask *dpKey) bool {
	for i := range need {
		if need[i]&^mask[i] != 0 {
			return false
		}
	}
	return true
}

// stillIs reports whether a translation found what the record has already, as
// most do that were made once more.
func (m *megaflow) stillIs(res *xlate.Result) bool {
	return res.Slow == 0 && res.Err == xlate.ErrNone && m.normal == res.HasNormal && slices.Equal(m.effects, res.Effects) &&
		slices.Equal(m.recircs, res.Recircs) && sameActions(m.actions, res.Actions)
}

func sameActions(a, b []datapath.Action) bool {
	return slices.EqualFunc(a, b, func(x, y datapath.Action) bool { return x == y || reflect.DeepEqual(x, y) })
}

// sweep drops the records of flows that are no longer in the data path.
func (e *Engine) sweep() {
	for i := range e.shards {
		s := &e.shards[i]
		var lost []*megaflow
		s.mu.Lock()
		for _, m := range s.flows {
			m.mu.Lock()
			// One that came during the pass has not had its turn.
			if m.dumped == e.pass || m.dumped == 0 {
				if m.dumped == 0 {
					m.dumped = e.pass
				}
			} else {
				lost = append(lost, m)
			}
			m.mu.Unlock()
		}
		s.mu.Unlock()
		for _, m := range lost {
			e.drop(m)
		}
	}
}

// adjustLimit lowers the number of flows allowed when a pass over them takes
// long, and raises it again when it doesn't.
func (e *Engine) adjustLimit(n int64) {
	limit := e.limit.Load()
	switch d := e.duration.Milliseconds(); {
	case d > 2000:
		limit /= d / 1000
	case d > 1300:
		limit = limit * 3 / 4
	case d < 1000 && n > 2000 && limit < n*1000/d:
		limit += 1000
	}
	e.limit.Store(min(max(limit, 1000), int64(e.conf.Load().FlowLimit)))
}

// Purge deletes all flows of the data path.
func (e *Engine) Purge() {
	e.passMu.Lock()
	defer e.passMu.Unlock()
	for i := range e.shards {
		s := &e.shards[i]
		s.mu.Lock()
		all := make([]*megaflow, 0, len(s.flows))
		for _, m := range s.flows {
			all = append(all, m)
		}
		s.mu.Unlock()
		for _, m := range all {
			e.remove(m)
		}
	}
	_ = e.dp.FlowFlush()
}
