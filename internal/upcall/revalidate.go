package upcall

import (
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"weir/internal/datapath"
	"weir/internal/flow"
	"weir/internal/tunnel"
	"weir/internal/xlate"
)

// pass is one revalidation of all flows.
type pass struct {
	gen     uint64
	now     time.Time
	maxIdle time.Duration
	// minPPS is not zero when passes take so long that slower flows are not worth
	// another translation; since is when the pass before this one began, ns.
	minPPS uint64
	since  int64
	flows  int64 // seen in the data path
	// due are the flows to be translated again or removed.
	due []*megaflow
	// strangers have no record: somebody else installed them.
	strangers []datapath.UFID
}

// Revalidate makes one pass over all flows of the data path: it pushes their
// statistics, and deletes or mends those that idled or are no longer right.
// When it returns, what happened in the data path before it was called has had
// its effects.
func (e *Engine) Revalidate() {
	e.passMu.Lock()
	defer e.passMu.Unlock()
	if !e.paused.Load() && !e.held.Load() {
		e.pass()
	}
}

// pass is Revalidate with passMu held.
func (e *Engine) pass() {
	began := e.clock.Now()
	e.noteMACs()
	e.index.take() // the pass finds them as they are stale
	p := &pass{gen: e.gen.Load(), now: began, maxIdle: e.maxIdle(), since: e.passed}
	e.passed = began.UnixNano()
	if c := e.conf.Load(); time.Duration(e.duration.Load()) > c.MaxRevalidate/2 {
		p.minPPS = uint64(c.MinPPS)
	}
	e.visitAll(p)
	for _, u := range p.strangers {
		e.welcome(p, u)
	}
	e.settle(p.gen, p.due)
	e.average.Store((e.average.Load() + p.flows) / 2)
	if len(p.strangers) > 0 {
		e.allowAll()
		return // the time that it took to meet them says nothing of passes to come
	}
	e.duration.Store(int64(max(e.clock.Now().Sub(began), time.Millisecond)))
	e.adjustLimit(p.flows)
}

// allowAll has as many flows allowed as there are, at most those of the configuration:
// that an earlier process had set so many up says that they aren't too many.
func (e *Engine) allowAll() {
	e.limit.Store(max(e.limit.Load(), min(e.count.Load(), int64(e.conf.Load().FlowLimit))))
}

// maxIdle is how long a flow may stay unused; less while there are too many.
func (e *Engine) maxIdle() time.Duration {
	idle := e.conf.Load().MaxIdle
	switch n, limit := e.count.Load(), e.limit.Load(); {
	case n > 2*limit:
		coverLimitKill.Inc()
		return 0
	case n > limit:
		return min(idle, 100*time.Millisecond)
	}
	return idle
}

// batchSize is how many flows' statistics are looked at together.
const batchSize = 512

// manyFlows is how many flows are visited by more than one goroutine, and not
// in the order in which they were used.
const manyFlows = 8192

// visitAll looks at the statistics of all flows.
func (e *Engine) visitAll(p *pass) {
	if e.count.Load() >= manyFlows {
		e.visitMany(p)
		return
	}
	var seen []datapath.FlowStats
	e.dp.DumpStats(make([]datapath.FlowStats, batchSize), func(batch []datapath.FlowStats) bool {
		seen = append(seen, batch...)
		return true
	})
	// What packets cause, such as learning, happens in their order.
	slices.SortStableFunc(seen, func(a, b datapath.FlowStats) int { return a.Stats.Used.Compare(b.Stats.Used) })
	e.visitBatch(p, seen)
}

func (e *Engine) visitBatch(p *pass, batch []datapath.FlowStats) {
	p.flows += int64(len(batch))
	for i := range batch {
		b := &batch[i]
		if m, ok := b.Owner.(*megaflow); ok {
			e.visit(p, m, &b.Stats)
		} else {
			p.strangers = append(p.strangers, b.UFID)
		}
	}
}

// visitMany has the flows visited while the dump goes on.
func (e *Engine) visitMany(p *pass) {
	workers := runtime.GOMAXPROCS(0) - 1
	if workers == 0 {
		e.dp.DumpStats(make([]datapath.FlowStats, batchSize), func(batch []datapath.FlowStats) bool {
			e.visitBatch(p, batch)
			return true
		})
		return
	}
	full := make(chan []datapath.FlowStats, 2*workers)
	spare := make(chan []datapath.FlowStats, 4*workers)
	for range cap(spare) {
		spare <- make([]datapath.FlowStats, 0, batchSize)
	}
	parts := make([]pass, workers)
	var wg sync.WaitGroup
	for i := range parts {
		parts[i] = pass{gen: p.gen, now: p.now, maxIdle: p.maxIdle, minPPS: p.minPPS, since: p.since}
		wg.Go(func() {
			for b := range full {
				e.visitBatch(&parts[i], b)
				spare <- b
			}
		})
	}
	e.dp.DumpStats(make([]datapath.FlowStats, batchSize), func(batch []datapath.FlowStats) bool {
		full <- append((<-spare)[:0], batch...)
		return true
	})
	close(full)
	wg.Wait()
	for i := range parts {
		p.add(&parts[i])
	}
}

// add takes over what another goroutine found in its part of the pass.
func (p *pass) add(o *pass) {
	p.flows += o.flows
	p.due = append(p.due, o.due...)
	p.strangers = append(p.strangers, o.strangers...)
}

// welcome makes a record of a flow that somebody else installed; it is kept if
// it is right.
func (e *Engine) welcome(p *pass, u datapath.UFID) {
	f, err := e.dp.FlowGet(u, nil)
	if err != nil {
		return
	}
	coverRevalidate.Inc()
	m := &megaflow{ufid: f.UFID, key: *dpPart(&f.Key), options: optionsOf(&f.Key), mask: e.masks.get(&f.Mask, nil), created: p.now.UnixNano()}
	m.stale.Store(true)
	// It stays as it is until it has been translated, with no effects.
	e.enter(m, &findings{outcome{actions: f.Actions}}, e.index.now())
	if _, err := e.dp.FlowOwn(u, m); err != nil {
		e.drop(m)
		return
	}
	m.there.Store(true)
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
			coverMACs.Inc()
			e.index.changedMAC()
		}
	}
}

// visit credits the traffic of one flow, and notes whether more is due to it.
func (e *Engine) visit(p *pass, m *megaflow, stats *datapath.Stats) {
	m.mu.Lock()
	stale := m.stale.Load() || m.gen != p.gen
	same := stats.Packets == m.pushed.packets && stats.TCPFlags == m.pushed.flags
	worth := !stale || p.worth(m.created, stats.Packets-m.pushed.packets)
	m.mu.Unlock()
	used := m.created
	if !stats.Used.IsZero() {
		used = max(used, stats.Used.UnixNano())
	}
	switch {
	case p.now.UnixNano()-used >= int64(p.maxIdle), !worth:
		e.remove(m) // which pushes what is left
		return
	case !same:
		e.push(m, stats)
	}
	if stale {
		p.due = append(p.due, m)
	}
}

// worth reports whether a flow, made at a time and with so many packets since
// the pass before, is worth another translation; one that no pass has seen yet
// always is.
func (p *pass) worth(created int64, packets uint64) bool {
	elapsed := p.now.UnixNano() - p.since
	return p.minPPS == 0 || created > p.since || packets*uint64(time.Second) >= p.minPPS*uint64(max(elapsed, 0))
}

// parallelFrom is how many flows are translated again by more than one
// goroutine.
const parallelFrom = 512

// settle translates the flows again that are due, on all processors if they
// are many. gen is that of the tables.
func (e *Engine) settle(gen uint64, due []*megaflow) {
	if len(due) < parallelFrom {
		e.settleSome(gen, due)
		return
	}
	var next atomic.Int64
	var wg sync.WaitGroup
	for range runtime.GOMAXPROCS(0) {
		wg.Go(func() {
			for {
				end := int(next.Add(parallelFrom / 4))
				from := end - parallelFrom/4
				if from >= len(due) {
					return
				}
				e.settleSome(gen, due[from:min(end, len(due))])
			}
		})
	}
	wg.Wait()
}

func (e *Engine) settleSome(gen uint64, due []*megaflow) {
	tr := e.translator()
	defer e.release(tr)
	for _, m := range due {
		if !e.revalidate(tr, m, gen) {
			m.stale.Store(true) // the data path may not have it yet
			e.remove(m)
		}
	}
}

// push credits what the flow's packets have added since the last time.
func (e *Engine) push(m *megaflow, now *datapath.Stats) {
	m.mu.Lock()
	t := xlate.Traffic{Used: now.Used, TCPFlags: now.TCPFlags}
	if now.Packets >= m.pushed.packets && now.Bytes >= m.pushed.bytes {
		t.Packets, t.Bytes = now.Packets-m.pushed.packets, now.Bytes-m.pushed.bytes
	}
	newFlags := now.TCPFlags &^ m.pushed.flags
	m.pushed = pushed{now.Packets, now.Bytes, now.TCPFlags}
	effects, wants := m.out.effects, m.out.wants
	m.mu.Unlock()
	if t.Packets > 0 || newFlags != 0 {
		effects.Push(t, e.clock.Now())
	}
	if wants && t.Packets > 0 {
		e.Solicit(e.opts.Snapshot(), effects.Solicits(e.clock.Now()))
	}
}

// remove deletes a flow from the data path, which then says that it has gone.
func (e *Engine) remove(m *megaflow) {
	if !m.there.Load() || m.isGone() {
		return // another may have its name
	}
	key := m.whole()
	_, _ = e.dp.FlowDel(m.ufid, &key)
}

// revalidate translates a flow again. It says false when the flow must go,
// because another translation needs other bits of the key than the flow has, or
// when the data path doesn't have it yet and would get the wrong actions.
func (e *Engine) revalidate(tr *translator, m *megaflow, gen uint64) bool {
	m.stale.Store(false) // before the tables are read: what changes meanwhile counts
	key, seq := m.whole(), e.index.now()
	in := &tr.in
	if !e.input(e.opts.Snapshot(), &key, in, &tr.key) {
		return false
	}
	res := tr.Translate(in)
	need := res.Mask
	tunnel.OptionsMask(&need, &key, in.Bridge.Pipeline.TLV())
	if res.Err == xlate.ErrNoRecirc || !within(&key, need, &m.mask.mask) {
		return false
	}
	tr.found.find(in, res)
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.gone {
		return true
	}
	old := m.out
	if old.is(&tr.found.outcome) {
		m.gen = gen
		e.index.recheck(m, seq)
		return true
	}
	if !sameActions(tr.found.actions, old.actions) {
		if !m.there.Load() {
			return false
		}
		if err := e.dp.FlowPut(m.flow(slices.Clone(tr.found.actions)), datapath.PutModify); err != nil {
			return false
		}
	}
	m.gen = gen
	// What the translation named stays referenced until the next one.
	e.leave(m, old)
	e.join(m, &tr.found, seq)
	return true
}

// within reports whether a translation of a packet with the key, which depended
// on the bits of need, depends on no bit that mask lacks. That a packet has no
// tag says all of the tag.
func within(key *flow.Key, need flow.Mask, mask *flow.Mask) bool {
	for i := range need.VLANs {
		if w := &need.VLANs[i]; w.TCI&flow.VLANPresent != 0 && key.VLANs[i].TCI == 0 {
			w.TCI = flow.VLANPresent
		}
	}
	n, has := need.Words(), mask.Words()
	for i := firstWord(&need); i < flow.NumWords; i++ {
		if n[i]&^has[i] != 0 {
			return false
		}
	}
	return true
}

// adjustLimit lowers the number of flows allowed when a pass over them takes
// long, and raises it again when it doesn't.
func (e *Engine) adjustLimit(n int64) {
	limit := e.limit.Load()
	switch d := time.Duration(e.duration.Load()).Milliseconds(); {
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
	_ = e.dp.FlowFlush()
}
