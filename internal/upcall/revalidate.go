package upcall

import (
	"reflect"
	"time"

	"weir/internal/datapath"
	"weir/internal/flow"
	"weir/internal/xlate"
)

// seen is what a pass remembers of a flow in the data path.
type seen struct {
	ufid  datapath.UFID
	stats datapath.Stats
	flow  *datapath.Flow // of flows without a record
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
	gen := e.gen.Load()
	flows := e.dump()
	n := int64(len(flows))
	e.average = (e.average + n) / 2
	maxIdle := e.conf.Load().MaxIdle
	switch limit := e.limit.Load(); {
	case n > 2*limit:
		maxIdle = 0
	case n > limit:
		maxIdle = min(maxIdle, 100*time.Millisecond)
	}
	tr := e.translator()
	defer e.release(tr)
	for i := range flows {
		e.visit(tr, &flows[i], gen, maxIdle)
	}
	e.sweep()
	e.duration = max(e.clock.Now().Sub(began), time.Millisecond)
	e.adjustLimit(n)
}

// dump lists the flows of the data path.
func (e *Engine) dump() []seen {
	out := make([]seen, 0, e.count.Load())
	e.dp.FlowDump(func(f *datapath.Flow) bool {
		s := seen{ufid: f.UFID, stats: f.Stats}
		if e.find(f.UFID) == nil {
			c := *f
			s.flow = &c
			coverRevalidate.Inc()
		}
		out = append(out, s)
		return true
	})
	return out
}

// noteMACs moves the generation when a MAC table changed so that flows may
// have become wrong.
func (e *Engine) noteMACs() {
	for name, b := range e.opts.Snapshot().Bridges {
		if g := b.MACs.Generation(); e.macGens[name] != g {
			e.macGens[name] = g
			e.gen.Add(1)
		}
	}
}

// visit does what is due to one flow.
func (e *Engine) visit(tr *xlate.Translator, s *seen, gen uint64, maxIdle time.Duration) {
	m := e.find(s.ufid)
	if m == nil {
		if s.flow == nil {
			return
		}
		// A flow that somebody else installed is kept if it is right.
		m = &megaflow{ufid: s.ufid, key: s.flow.Key, mask: s.flow.Mask, created: e.clock.Now(), actions: s.flow.Actions}
		if !e.insert(m) {
			return
		}
	}
	m.mu.Lock()
	m.dumped = e.pass
	stale := m.gen != gen
	m.mu.Unlock()
	used := s.stats.Used
	if used.Before(m.created) {
		used = m.created
	}
	if e.clock.Now().Sub(used) >= maxIdle {
		e.remove(m)
		return
	}
	e.push(m, s.stats)
	if stale && !e.revalidate(tr, m, gen) {
		e.remove(m)
	}
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
	if stats, err := e.dp.FlowDel(m.ufid, &m.key); err == nil {
		e.push(m, stats)
	}
	e.drop(m)
}

// revalidate translates a flow again. It says false when the flow must go,
// because another translation needs other bits of the key than the flow has.
func (e *Engine) revalidate(tr *xlate.Translator, m *megaflow, gen uint64) bool {
	var in xlate.Input
	var of flow.Key
	if !e.input(e.opts.Snapshot(), &m.key, &in, &of) {
		return false
	}
	res := tr.Translate(&in)
	if res.Err == xlate.ErrNoRecirc || !within(&res.Mask, &m.mask) {
		return false
	}
	actions := installed(&in, res)
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.gone {
		return true
	}
	if !sameActions(actions, m.actions) {
		f := &datapath.Flow{UFID: m.ufid, Key: m.key, Mask: m.mask, Actions: actions}
		if err := e.dp.FlowPut(f, datapath.PutModify); err != nil {
			return false
		}
	}
	old := m.recircs
	m.adopt(&in, res)
	m.actions = actions
	m.gen = gen
	e.ref(m.recircs)
	e.unref(old)
	return true
}

// within reports whether a translation depends on no bit that mask lacks.
func within(need, mask *flow.Mask) bool {
	a, b := need.Words(), mask.Words()
	for i := flow.FirstDatapathWord; i < flow.NumWords; i++ {
		if a[i]&^b[i] != 0 {
			return false
		}
	}
	return true
}

func sameActions(a, b []datapath.Action) bool {
	return len(a) == 0 && len(b) == 0 || reflect.DeepEqual(a, b)
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
