package upcall

import (
	"slices"
	"sync"
	"sync/atomic"
	"unsafe"

	"weir/internal/flow"
	"weir/internal/pipeline"
	"weir/internal/xlate"
)

// index finds the records that a change of the tables may have made wrong, by
// what their translations met: the rules that they matched and the tables that
// they looked up. mu guards all of it, and deps and entry of the records. Who
// holds it takes no other lock.
type index struct {
	seq  atomic.Uint64 // moves with each change; written with mu held
	mu   sync.Mutex
	on   map[dep]*dependents
	todo map[*megaflow]struct{} // that changes may have made wrong
}

// dep is what a record depends on, by its address: a rule, a table, or the MAC
// tables.
type dep unsafe.Pointer

// dependents are the records that depend on one thing. Records that went, or
// depend on it no more, are swept out when they are many.
type dependents struct {
	flows []*megaflow
	dead  int
}

func newIndex() index {
	return index{on: map[dep]*dependents{}, todo: map[*megaflow]struct{}{}}
}

// now is the number of the last change. Who reads it and then translates finds
// by [index.put] whether something changed meanwhile.
func (x *index) now() uint64 { return x.seq.Load() }

// recheck is [index.put] of a translation that found what the record has.
func (x *index) recheck(m *megaflow, seq uint64) {
	if x.seq.Load() != seq {
		x.mu.Lock()
		defer x.mu.Unlock()
		x.todo[m] = struct{}{}
	}
}

// put enters what a record depends on, in place of what it did before. seq is
// that of before its translation.
func (x *index) put(m *megaflow, deps []dep, entry dep, seq uint64) {
	x.mu.Lock()
	defer x.mu.Unlock()
	if seq != x.seq.Load() {
		x.todo[m] = struct{}{}
	}
	m.entry = entry
	if slices.Equal(m.deps, deps) {
		return
	}
	old := m.deps
	m.deps = deps
	for _, d := range old {
		if !slices.Contains(deps, d) {
			x.leave(d)
		}
	}
	for _, d := range deps {
		if slices.Contains(old, d) {
			continue
		}
		s := x.on[d]
		if s == nil {
			s = new(dependents)
			x.on[d] = s
		}
		s.flows = append(s.flows, m)
	}
}

// remove forgets a record.
func (x *index) remove(m *megaflow) {
	x.mu.Lock()
	defer x.mu.Unlock()
	delete(x.todo, m)
	old := m.deps
	m.deps = nil
	for _, d := range old {
		x.leave(d)
	}
}

// leave notes that a record depends on d no more.
func (x *index) leave(d dep) {
	s := x.on[d]
	if s.dead++; 2*s.dead < len(s.flows) {
		return
	}
	s.flows = slices.DeleteFunc(s.flows, func(m *megaflow) bool { return !slices.Contains(m.deps, d) })
	// One that left and came back may be there twice.
	s.dead = 0
	if len(s.flows) == 0 {
		delete(x.on, d)
	}
}

// take gives the records that changes since the last time may have made wrong.
func (x *index) take() []*megaflow {
	x.mu.Lock()
	defer x.mu.Unlock()
	if len(x.todo) == 0 {
		return nil
	}
	out := make([]*megaflow, 0, len(x.todo))
	for m := range x.todo {
		out = append(out, m)
	}
	clear(x.todo)
	return out
}

// all has the records that depend on d looked at.
func (x *index) all(d dep) {
	if s := x.on[d]; s != nil {
		for _, m := range s.flows {
			x.todo[m] = struct{}{}
		}
	}
}

// changedMAC notes that a MAC table changed.
func (x *index) changedMAC() {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.seq.Add(1)
	x.all(anyMAC)
}

// anyMAC stands for the MAC tables of all bridges.
var anyMAC = dep(new(byte))

// fewAdditions is how many new rules of one change are compared with each flow
// that looked up their table; of more, all of these are looked at.
const fewAdditions = 16

// changed notes what a transaction did to the tables of a pipeline.
func (x *index) changed(p *pipeline.Pipeline, events []pipeline.Event) {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.seq.Add(1)
	var added map[uint8][]*pipeline.Rule
	whole := map[uint8]bool{}
	for i := range events {
		e := &events[i]
		gone := e.Old
		if e.Kind == pipeline.Deleted {
			gone = e.Rule
		}
		switch {
		case gone.IsClause() || e.Rule.IsClause():
			// A flow that matched through it matched another rule.
			whole[e.Rule.Table] = true
		case gone != nil:
			x.all(dep(gone))
		default:
			if added == nil {
				added = map[uint8][]*pipeline.Rule{}
			}
			added[e.Rule.Table] = append(added[e.Rule.Table], e.Rule)
		}
	}
	for id, rules := range added {
		if whole[id] || len(rules) > fewAdditions {
			whole[id] = true
			continue
		}
		for _, r := range rules {
			x.added(dep(p.Table(id)), r)
		}
	}
	for id := range whole {
		x.all(dep(p.Table(id)))
	}
}

// added has the records looked at whose packets a new rule may match.
func (x *index) added(table dep, r *pipeline.Rule) {
	s := x.on[table]
	if s == nil {
		return
	}
	need := demandsOf(r)
	for _, m := range s.flows {
		if m.entry != table || need.mayMeet(m) {
			x.todo[m] = struct{}{}
		}
	}
}

// demands are the words of a packet's key that a rule matches on.
type demands []struct {
	word       int
	mask, want uint64
}

func demandsOf(r *pipeline.Rule) (out demands) {
	match := r.Match()
	match.Mask.InPort = 0 // the data path has other numbers
	k, w := dpPart(&match.Key), dpPart(&match.Mask)
	for i := range w {
		if w[i] != 0 {
			out = append(out, struct {
				word       int
				mask, want uint64
			}{i, w[i], k[i]})
		}
	}
	return out
}

// mayMeet reports whether a packet of the flow may match.
func (d demands) mayMeet(m *megaflow) bool {
	mask := dpPart(&m.mask.mask)
	for i := range d {
		w := d[i].word
		if (m.key[w]^d[i].want)&d[i].mask&mask[w] != 0 {
			return false
		}
	}
	return true
}

// depsOf lists what a translation met. entry is the table that it looked up
// with the key that packets come with, nil where that isn't certain.
func depsOf(key *flow.Key, res *xlate.Result) (deps []dep, entry dep) {
	var room [16]dep
	found := room[:0]
	note := func(d dep) {
		if !slices.Contains(found, d) {
			found = append(found, d)
		}
	}
	for i := range res.Effects {
		e := &res.Effects[i]
		switch e.Kind {
		case xlate.EffectRule:
			note(dep(e.Rule))
		case xlate.EffectMatched, xlate.EffectMissed:
			switch {
			case len(found) == 0 && key.RecircID == 0 && key.NwFrag == 0:
				entry = dep(e.Table)
			case dep(e.Table) == entry:
				entry = nil // again, perhaps of a changed packet
			}
			note(dep(e.Table))
		}
	}
	if res.HasNormal {
		note(anyMAC)
	}
	return slices.Clone(found), entry
}

// Changed says what a transaction did to a pipeline, nil for more than changes
// of flows: the flows of the data path that it may have made wrong are looked at
// soon. It doesn't wait.
func (e *Engine) Changed(p *pipeline.Pipeline, events []pipeline.Event) {
	if events == nil {
		e.Wake()
		return
	}
	e.index.changed(p, events)
	e.poke()
}

// markStale marks the records that changes may have made wrong, and gives them.
func (e *Engine) markStale() []*megaflow {
	stale := e.index.take()
	for _, m := range stale {
		m.mu.Lock()
		m.stale = true
		m.mu.Unlock()
	}
	return stale
}

// mend translates the flows again that changes of the tables may have made
// wrong.
func (e *Engine) mend() {
	if e.paused.Load() || e.held.Load() {
		return
	}
	e.passMu.Lock()
	defer e.passMu.Unlock()
	e.noteMACs()
	due := e.markStale()
	if len(due) > 0 {
		e.settle(&pass{gen: e.gen.Load(), now: e.clock.Now(), due: due})
	}
}
