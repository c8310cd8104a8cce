package classifier

import "slices"

// subtable holds the rules of one mask.
type subtable[V any] struct {
	mask  *sparseMask
	rules ruleTable[V]
	// index[s] counts the hashes of all distinct keys over stages 0 to s. A
	// stage that adds no word, or after which no word comes, has none.
	index [numStages - 1]*hashCounts
	ports *portTrie

	// The writer's own.
	n     int
	lens  [maxTries]uint8 // prefix length that the mask has on each trie's field; 0: none
	prios map[int32]int   // rules of each priority
	max   int32           // the highest priority
}

func newSubtable[V any](m *sparseMask) *subtable[V] {
	st := &subtable[V]{mask: m, prios: map[int32]int{}}
	total := m.end[numStages-1]
	prev := uint8(0)
	for s := range st.index {
		if m.end[s] > prev && m.end[s] < total {
			st.index[s] = &hashCounts{}
			prev = m.end[s]
		}
	}
	if pm := portsOf(m.word(portsWord)); pm != 0 {
		st.ports = &portTrie{mask: pm}
	}
	return st
}

// entry is the subtable as lookups see it.
func (st *subtable[V]) entry() entry[V] { return entry[V]{st: st, max: st.max, len: st.lens} }

// measure notes what tries the mask takes part in.
func (st *subtable[V]) measure(tries []*prefixTrie) {
	st.lens = [maxTries]uint8{}
	for i, t := range tries {
		st.lens[i] = t.field.prefixLen(st.mask)
	}
}

// track enters a rule's prefixes in the tries.
func (st *subtable[V]) track(tries []*prefixTrie, vals []uint64) {
	for i, t := range tries {
		if n := st.lens[i]; n > 0 {
			t.insert(t.field.sparse(st.mask, vals), n)
		}
	}
}

func (st *subtable[V]) untrack(tries []*prefixTrie, vals []uint64) {
	for i, t := range tries {
		if n := st.lens[i]; n > 0 {
			t.remove(t.field.sparse(st.mask, vals), n)
		}
	}
}

func (st *subtable[V]) recomputeMax() {
	first := true
	for p := range st.prios {
		if first || p > st.max {
			st.max, first = p, false
		}
	}
}

// insert adds a rule that lookups see from version v on.
func (st *subtable[V]) insert(r *Rule[V], v Version) {
	vals := r.vals()
	head := st.rules.findVals(r.line.Load().hash, vals)
	st.rules.add(r, v)
	if head == nil {
		for s, idx := range st.index {
			if idx != nil {
				idx.add(tag(hashVals(hashInit, vals[:st.mask.end[s]])))
			}
		}
		if st.ports != nil {
			st.ports.insert(portsOf(st.wordOf(r, portsWord)))
		}
		r.next.Store(nil)
		st.rules.enter(r)
	} else {
		st.link(head, r)
	}
	if st.n == 0 || r.priority > st.max {
		st.max = r.priority
	}
	st.n++
	st.prios[r.priority]++
}

// link puts r into the list of rules of its match, before those of its priority.
func (st *subtable[V]) link(head, r *Rule[V]) {
	if head.priority <= r.priority {
		r.next.Store(head)
		st.rules.replace(head, r)
		return
	}
	prev := head
	next := prev.next.Load()
	for ; next != nil && next.priority > r.priority; next = prev.next.Load() {
		prev = next
	}
	r.next.Store(next)
	prev.next.Store(r)
}

func (st *subtable[V]) remove(r *Rule[V]) {
	// r.next stays for readers that stand on r.
	vals := r.vals()
	head, next := st.rules.findVals(r.line.Load().hash, vals), r.next.Load()
	switch {
	case head != r:
		prev := head
		for prev.next.Load() != r {
			prev = prev.next.Load()
		}
		prev.next.Store(next)
	case next != nil:
		st.rules.replace(r, next)
	default:
		st.rules.forget(r)
		for s, idx := range st.index {
			if idx != nil {
				idx.drop(tag(hashVals(hashInit, vals[:st.mask.end[s]])))
			}
		}
		if st.ports != nil {
			st.ports.remove(portsOf(st.wordOf(r, portsWord)))
		}
	}
	st.rules.drop(r)
	st.n--
	if st.prios[r.priority]--; st.prios[r.priority] == 0 {
		delete(st.prios, r.priority)
		if r.priority == st.max {
			st.recomputeMax()
		}
	}
}

func (st *subtable[V]) wordOf(r *Rule[V], w uint16) uint64 {
	if i, ok := slices.BinarySearch(st.mask.words, w); ok {
		return r.vals()[i]
	}
	return 0
}

// each visits the rules until yield returns false, and says whether it did not.
func (st *subtable[V]) each(yield func(*Rule[V]) bool) bool {
	s := st.rules.state.Load()
	return s == nil || s.each(yield)
}
