package upcall

import (
	"slices"
	"sync"
	"sync/atomic"
	"unsafe"

	"weir/internal/pipeline"
)

// index holds the outcomes of translations, each once, with the records that
// share it, and finds the records that a change of the tables may have made
// wrong, by what their translations met: the rules that they matched and the
// tables that they looked up. mu guards all of it, what the outcomes say it
// does, and at and out of the records. Who holds it takes no other lock.
type index struct {
	seq  atomic.Uint64 // moves with each change; written with mu held
	mu   sync.Mutex
	all  map[uint64]*outcome // by hash
	on   map[dep]*dependents
	todo []*megaflow // that changes may have made wrong
}

// dep is what a record depends on, by its address: a rule, a table, or the MAC
// tables.
type dep unsafe.Pointer

// dependents are the outcomes that depend on one thing. Those that nobody
// shares any more are swept out when they are many.
type dependents struct {
	outcomes []*outcome
	dead     int
}

func newIndex() index {
	return index{all: map[uint64]*outcome{}, on: map[dep]*dependents{}}
}

// now is the number of the last change. Who reads it and then translates finds
// by [index.join] whether something changed meanwhile.
func (x *index) now() uint64 { return x.seq.Load() }

// recheck is [index.join] of a translation that found what the record has.
func (x *index) recheck(m *megaflow, seq uint64) {
	if x.seq.Load() != seq {
		x.mu.Lock()
		defer x.mu.Unlock()
		x.queue(m)
	}
}

// maxSame is how many outcomes of one hash are compared; of more, records have
// their own.
const maxSame = 8

// join makes a record share an outcome. seq is that of before its translation.
// fresh says that nobody had that outcome before.
func (x *index) join(m *megaflow, f *findings, seq uint64) (o *outcome, fresh bool) {
	x.mu.Lock()
	defer x.mu.Unlock()
	if seq != x.seq.Load() {
		x.queue(m)
	}
	n := 0
	for o = x.all[f.hash]; o != nil && n < maxSame && !o.is(&f.outcome); o = o.next {
		n++
	}
	if o == nil || n == maxSame {
		o, fresh = f.keep(), true
		o.next = x.all[o.hash]
		x.all[o.hash] = o
		for _, d := range o.deps {
			s := x.on[d]
			if s == nil {
				s = new(dependents)
				x.on[d] = s
			}
			s.outcomes = append(s.outcomes, o)
		}
	}
	m.out, m.at = o, int32(len(o.flows))
	o.flows = append(o.flows, m)
	return o, fresh
}

// leave ends that a record shares an outcome. last says that nobody does any
// more.
func (x *index) leave(m *megaflow, o *outcome) (last bool) {
	x.mu.Lock()
	defer x.mu.Unlock()
	n := len(o.flows) - 1
	o.flows[m.at] = o.flows[n]
	o.flows[m.at].at = m.at
	o.flows[n] = nil
	o.flows = o.flows[:n]
	if n > 0 {
		return false
	}
	x.forget(o)
	return true
}

// forget takes out an outcome that nobody shares.
func (x *index) forget(o *outcome) {
	if first := x.all[o.hash]; first != o {
		for first.next != o {
			first = first.next
		}
		first.next = o.next
	} else if o.next != nil {
		x.all[o.hash] = o.next
	} else {
		delete(x.all, o.hash)
	}
	for _, d := range o.deps {
		s := x.on[d]
		if s.dead++; 2*s.dead < len(s.outcomes) {
			continue
		}
		s.outcomes = slices.DeleteFunc(s.outcomes, func(o *outcome) bool { return len(o.flows) == 0 })
		if s.dead = 0; len(s.outcomes) == 0 {
			delete(x.on, d)
		}
	}
}

// queue has a record looked at.
func (x *index) queue(m *megaflow) {
	if !m.stale.Swap(true) {
		x.todo = append(x.todo, m)
	}
}

// again has a record looked at that is stale already.
func (x *index) again(m *megaflow) {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.todo = append(x.todo, m)
}

// take gives the records that have become stale since the last time; some may
// have gone, and some not be stale any more.
func (x *index) take() []*megaflow {
	x.mu.Lock()
	defer x.mu.Unlock()
	out := x.todo
	x.todo = nil
	return out
}

// each calls fn for the outcomes that depend on d.
func (x *index) each(d dep, fn func(*outcome)) {
	if s := x.on[d]; s != nil {
		for _, o := range s.outcomes {
			fn(o)
		}
	}
}

// queueAll has the records that depend on d looked at.
func (x *index) queueAll(d dep) {
	x.each(d, func(o *outcome) {
		for _, m := range o.flows {
			x.queue(m)
		}
	})
}

// changedMAC notes that a MAC table changed.
func (x *index) changedMAC() {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.seq.Add(1)
	x.queueAll(anyMAC)
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
			x.queueAll(dep(gone))
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
		x.queueAll(dep(p.Table(id)))
	}
}

// added has the records looked at whose packets a new rule may match.
func (x *index) added(table dep, r *pipeline.Rule) {
	need := demandsOf(r)
	x.each(table, func(o *outcome) {
		for _, m := range o.flows {
			if o.entry != table || need.mayMeet(m) {
				x.queue(m)
			}
		}
	})
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

// Changed says what a transaction did to a pipeline, nil for more than changes
// of flows: the flows of the data path that it may have made wrong are looked at
// soon. It doesn't wait.
func (e *Engine) Changed(p *pipeline.Pipeline, events []pipeline.Event) {
	coverFlowTable.Inc()
	if events == nil {
		e.Wake()
		return
	}
	e.index.changed(p, events)
	e.poke()
}

// mend translates the flows again that changes of the tables may have made
// wrong. passMu is held.
func (e *Engine) mend() {
	e.noteMACs()
	if due := e.index.take(); len(due) > 0 {
		e.settle(e.gen.Load(), due)
	}
}
