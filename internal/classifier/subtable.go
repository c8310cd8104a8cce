package classifier

import (
	"slices"
	"sync/atomic"

	"weir/internal/flow"
)

// sparseMask holds the words of a mask that are not zero. It is immutable.
type sparseMask struct {
	words []uint16 // positions in flow.Key.Words, ascending
	masks []uint64
	// end[i] is the number of words in stages 0 to i.
	end  [numStages]uint8
	hash uint64
}

const numStages = len(flow.StageStart) - 1

func newSparseMask(mask *flow.Mask) *sparseMask {
	m := &sparseMask{hash: hashInit}
	n := 0
	mw := mask.Words()
	for _, x := range mw {
		if x != 0 {
			n++
		}
	}
	m.words, m.masks = make([]uint16, 0, n), make([]uint64, 0, n)
	for w, x := range mw {
		if x == 0 {
			continue
		}
		m.words = append(m.words, uint16(w))
		m.masks = append(m.masks, x)
		m.hash = hashStep(hashStep(m.hash, uint64(w)), x)
	}
	for s := range m.end {
		for m.end[s] < uint8(n) && int(m.words[m.end[s]]) < flow.StageStart[s+1] {
			m.end[s]++
		}
		if s+1 < numStages {
			m.end[s+1] = m.end[s]
		}
	}
	return m
}

func (m *sparseMask) equal(o *sparseMask) bool {
	return m == o || m.hash == o.hash && slices.Equal(m.words, o.words) && slices.Equal(m.masks, o.masks)
}

// word gives the mask's bits in one word of the key.
func (m *sparseMask) word(w uint16) uint64 {
	if i, ok := slices.BinarySearch(m.words, w); ok {
		return m.masks[i]
	}
	return 0
}

// fold adds words [from, to) of the mask, counted in its own words, to wc.
func (m *sparseMask) fold(wc *[flow.NumWords]uint64, from, to uint8) {
	for i := from; i < to; i++ {
		wc[m.words[i]] |= m.masks[i]
	}
}

const hashInit = 0x9e3779b97f4a7c15

// hashStep mixes one word into a hash. The multiplier is odd, so no step
// loses information of h; the shift brings high bits down.
func hashStep(h, x uint64) uint64 {
	h = (h ^ x) * 0xff51afd7ed558ccd
	return h ^ h>>32
}

// hashKey continues h over words [from, to) of the mask.
func (m *sparseMask) hashKey(h uint64, kw *[flow.NumWords]uint64, from, to uint8) uint64 {
	for i := from; i < to; i++ {
		h = hashStep(h, kw[m.words[i]]&m.masks[i])
	}
	return h
}

func hashVals(h uint64, vals []uint64) uint64 {
	for _, v := range vals {
		h = hashStep(h, v)
	}
	return h
}

// subtable holds the rules of one mask.
type subtable[V any] struct {
	mask  *sparseMask
	rules hashTable[V]
	// index[s] has the hashes of all rules over stages 0 to s. A stage that
	// adds no word, or after which no word comes, has none.
	index [numStages - 1]*hashTable[V]
	ports *portTrie

	// The writer's own.
	n     int
	prios map[int32]int // rules of each priority
	max   int32
}

func newSubtable[V any](m *sparseMask) *subtable[V] {
	st := &subtable[V]{mask: m, prios: map[int32]int{}}
	total := m.end[numStages-1]
	prev := uint8(0)
	for s := range st.index {
		if m.end[s] > prev && m.end[s] < total {
			st.index[s] = &hashTable[V]{}
			prev = m.end[s]
		}
	}
	if pm := portsOf(m.word(portsWord)); pm != 0 {
		st.ports = &portTrie{mask: pm}
	}
	return st
}

func (st *subtable[V]) maxPriority() int32 { return st.max }

func (st *subtable[V]) recomputeMax() {
	first := true
	for p := range st.prios {
		if first || p > st.max {
			st.max, first = p, false
		}
	}
}

func (st *subtable[V]) insert(r *Rule[V]) {
	h := hashVals(hashInit, r.vals)
	nd := st.rules.findVals(h, r.vals)
	if nd == nil {
		nd = &node[V]{hash: h, vals: r.vals}
		nd.head.Store(r)
		r.node = nd
		for s, idx := range st.index {
			if idx != nil {
				idx.addRef(hashVals(hashInit, r.vals[:st.mask.end[s]]))
			}
		}
		if st.ports != nil {
			st.ports.insert(portsOf(st.wordOf(r, portsWord)))
		}
		st.rules.insert(nd)
	} else {
		r.node, r.vals = nd, nd.vals
		link := &nd.head
		for o := link.Load(); o != nil && o.priority > r.priority; o = link.Load() {
			link = &o.next
		}
		r.next.Store(link.Load())
		link.Store(r)
	}
	if st.n == 0 || r.priority > st.max {
		st.max = r.priority
	}
	st.n++
	st.prios[r.priority]++
}

func (st *subtable[V]) remove(r *Rule[V]) {
	nd := r.node
	link := &nd.head
	for o := link.Load(); o != r; o = link.Load() {
		link = &o.next
	}
	// r.next stays for readers that stand on r.
	link.Store(r.next.Load())
	if nd.head.Load() == nil {
		st.rules.remove(nd)
		for s, idx := range st.index {
			if idx != nil {
				idx.dropRef(hashVals(hashInit, r.vals[:st.mask.end[s]]))
			}
		}
		if st.ports != nil {
			st.ports.remove(portsOf(st.wordOf(r, portsWord)))
		}
	}
	r.node = nil
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
		return r.vals[i]
	}
	return 0
}

// each visits the rules until yield returns false, and says whether it did not.
func (st *subtable[V]) each(yield func(*Rule[V]) bool) bool {
	return st.rules.each(func(nd *node[V]) bool {
		for r := nd.head.Load(); r != nil; r = r.next.Load() {
			if !yield(r) {
				return false
			}
		}
		return true
	})
}

// node is one distinct masked key with its rules by descending priority, or,
// in an index, a hash with the number of keys that have it.
type node[V any] struct {
	hash uint64
	vals []uint64
	head atomic.Pointer[Rule[V]]
	refs int // the writer's own
}

// hashTable is an open hash table that one writer changes beside lock-free
// readers. Readers load slots; nodes are never reused.
type hashTable[V any] struct {
	slots atomic.Pointer[[]atomic.Pointer[node[V]]]
	// The writer's own: nodes, and slots that are not nil.
	live, used int
	dead       *node[V]
}

func (t *hashTable[V]) findKey(h uint64, m *sparseMask, kw *[flow.NumWords]uint64) *node[V] {
	p := t.slots.Load()
	if p == nil {
		return nil
	}
	slots := *p
	bits := uint64(len(slots) - 1)
next:
	for i := h; ; i++ {
		nd := slots[i&bits].Load()
		if nd == nil {
			return nil
		}
		if nd.hash != h || nd.vals == nil {
			continue
		}
		for j, v := range nd.vals {
			if kw[m.words[j]]&m.masks[j] != v {
				continue next
			}
		}
		return nd
	}
}

func (t *hashTable[V]) findVals(h uint64, vals []uint64) *node[V] {
	p := t.slots.Load()
	if p == nil {
		return nil
	}
	for i := h; ; i++ {
		nd := (*p)[i&uint64(len(*p)-1)].Load()
		if nd == nil || nd.hash == h && nd.vals != nil && slices.Equal(nd.vals, vals) {
			return nd
		}
	}
}

// hasHash is for indexes: whether any key has the hash.
func (t *hashTable[V]) hasHash(h uint64) bool { return t.ref(h) != nil }

func (t *hashTable[V]) ref(h uint64) *node[V] {
	p := t.slots.Load()
	if p == nil {
		return nil
	}
	for i := h; ; i++ {
		nd := (*p)[i&uint64(len(*p)-1)].Load()
		if nd == nil || nd.hash == h && nd != t.dead {
			return nd
		}
	}
}

func (t *hashTable[V]) addRef(h uint64) {
	nd := t.ref(h)
	if nd == nil {
		nd = &node[V]{hash: h}
		t.insert(nd)
	}
	nd.refs++
}

func (t *hashTable[V]) dropRef(h uint64) {
	nd := t.ref(h)
	if nd.refs--; nd.refs == 0 {
		t.remove(nd)
	}
}

func (t *hashTable[V]) insert(nd *node[V]) {
	if t.dead == nil {
		t.dead = &node[V]{}
	}
	if p := t.slots.Load(); p == nil || 2*(t.used+1) > len(*p) {
		t.rebuild()
	}
	t.place(*t.slots.Load(), nd)
	t.live++
	t.used++
}

func (t *hashTable[V]) place(slots []atomic.Pointer[node[V]], nd *node[V]) {
	for i := nd.hash; ; i++ {
		if s := &slots[i&uint64(len(slots)-1)]; s.Load() == nil {
			s.Store(nd)
			return
		}
	}
}

// rebuild makes room for more nodes and sweeps out removed ones.
func (t *hashTable[V]) rebuild() {
	size := 4
	for size < 4*(t.live+1) {
		size *= 2
	}
	slots := make([]atomic.Pointer[node[V]], size)
	t.each(func(nd *node[V]) bool {
		t.place(slots, nd)
		return true
	})
	t.used = t.live
	t.slots.Store(&slots)
}

func (t *hashTable[V]) remove(nd *node[V]) {
	slots := *t.slots.Load()
	for i := nd.hash; ; i++ {
		if s := &slots[i&uint64(len(slots)-1)]; s.Load() == nd {
			s.Store(t.dead) // keeps chains of probes whole
			t.live--
			break
		}
	}
	if t.live == 0 {
		t.slots.Store(nil)
		t.used = 0
	}
}

func (t *hashTable[V]) each(yield func(*node[V]) bool) bool {
	p := t.slots.Load()
	if p == nil {
		return true
	}
	for i := range *p {
		if nd := (*p)[i].Load(); nd != nil && nd != t.dead && !yield(nd) {
			return false
		}
	}
	return true
}
