package userspace

import (
	"math/bits"
	"math/rand/v2"
	"slices"
	"sync/atomic"

	"weir/internal/flow"
)

const (
	// dpWords is the number of words of a key that a data path looks at: those of
	// options, and from headWord on those that every packet has.
	dpWords  = flow.NumWords - flow.FirstOptionWord
	headWord = flow.FirstDatapathWord - flow.FirstOptionWord
)

// words is the data path's part of a key. Of options, the words beyond their
// length are undefined, as are all in the key of a packet without any but the
// first, their length: 0. No mask looks at them.
type words = [dpWords]uint64

// headWords is the part that every packet has.
type headWords = [dpWords - headWord]uint64

// keyWords views the data path's part of a key.
func keyWords(k *flow.Key) *words { return (*words)(k.Words()[flow.FirstOptionWord:]) }

// clearKey makes the data path's part of a key zero.
func clearKey(k *flow.Key) {
	k.TunMetaPresent = 0
	clear(k.Words()[flow.FirstDatapathWord:])
}

// copyKey copies the data path's part of a key.
func copyKey(to, from *flow.Key) {
	if to.TunMetaPresent = from.TunMetaPresent; to.TunMetaPresent != 0 {
		to.TunMeta = from.TunMeta
	}
	copy(to.Words()[flow.FirstDatapathWord:], from.Words()[flow.FirstDatapathWord:])
}

// used is the index of the first word of a mask that may not be zero: options
// count with their length, or not at all.
func used(w *words) int {
	if w[0] != 0 {
		return 0
	}
	return headWord
}

// mask is the words of a flow.Mask that are not zero.
type mask struct {
	idx  []uint8
	bits []uint64
}

func newMask(w *words) mask {
	var m mask
	for i := used(w); i < dpWords; i++ {
		if b := w[i]; b != 0 {
			m.idx = append(m.idx, uint8(i))
			m.bits = append(m.bits, b)
		}
	}
	return m
}

// is reports whether m is the mask of these words.
func (m *mask) is(w *words) bool {
	i := 0
	for x := used(w); x < dpWords; x++ {
		b := w[x]
		if b == 0 {
			continue
		}
		if i == len(m.idx) || int(m.idx[i]) != x || m.bits[i] != b {
			return false
		}
		i++
	}
	return i == len(m.idx)
}

// expand is the mask as a flow.Mask.
func (m *mask) expand(out *flow.Mask) {
	w := keyWords(out)
	for i, x := range m.idx {
		w[x] = m.bits[i]
	}
}

// hash is that of the masked words of k.
func (m *mask) hash(k *words, seed uint64) uint64 {
	h := seed
	b := m.bits
	for i, x := range m.idx {
		hi, lo := bits.Mul64(h^(k[x]&b[i]), 0x9e3779b97f4a7c15)
		h = hi ^ lo
	}
	hi, lo := bits.Mul64(h, 0xd6e8feb86659fd93)
	return hi ^ lo
}

// subtable holds the flows of one mask in an open-addressed hash table. Its
// writer is the holder of the data path's mutex; readers need no lock.
type subtable struct {
	mask  mask
	table atomic.Pointer[[]atomic.Pointer[entry]] // length a power of two
	hits  atomic.Uint64
	last  uint64 // hits when last sorted
	count int    // live entries
	used  int    // live entries and tombstones
}

// tombstone stands where an entry was removed.
var tombstone = &entry{}

const minTable = 16

func newSubtable(m mask) *subtable {
	s := &subtable{mask: m}
	t := make([]atomic.Pointer[entry], minTable)
	s.table.Store(&t)
	return s
}

// lookup finds the entry that matches k, whose masked hash is h.
func (s *subtable) lookup(k *words, h uint64) *entry {
	t := *s.table.Load()
	n := uint64(len(t) - 1)
	for i := h & n; ; i = (i + 1) & n {
		e := t[i].Load()
		if e == nil {
			return nil
		}
		if e.hash == h && e.matches(k) {
			return e
		}
	}
}

func (s *subtable) insert(e *entry) {
	t := *s.table.Load()
	if 4*(s.used+1) > 3*len(t) {
		t = s.rebuild()
	}
	if place(t, e) {
		s.used++
	}
	s.count++
}

// place stores e in its first free place; true says that it was empty.
func place(t []atomic.Pointer[entry], e *entry) bool {
	n := uint64(len(t) - 1)
	for i := e.hash & n; ; i = (i + 1) & n {
		switch t[i].Load() {
		case nil:
			t[i].Store(e)
			return true
		case tombstone:
			t[i].Store(e)
			return false
		}
	}
}

// rebuild makes a table without tombstones, at most half full.
func (s *subtable) rebuild() []atomic.Pointer[entry] {
	size := minTable
	for size < 2*(s.count+1) {
		size *= 2
	}
	t := make([]atomic.Pointer[entry], size)
	for i := range *s.table.Load() {
		if e := (*s.table.Load())[i].Load(); e != nil && e != tombstone {
			place(t, e)
		}
	}
	s.used = s.count
	s.table.Store(&t)
	return t
}

func (s *subtable) remove(e *entry) {
	t := *s.table.Load()
	n := uint64(len(t) - 1)
	for i := e.hash & n; ; i = (i + 1) & n {
		switch t[i].Load() {
		case nil:
			return
		case e:
			t[i].Store(tombstone)
			s.count--
			return
		}
	}
}

// snapshot is the subtables as readers see them, most hit first, and the union
// of their masks, by which the exact-match cache is keyed: fields that no flow
// looks at don't split its entries.
type snapshot struct {
	tables []*subtable
	union  mask
}

// classifier is the megaflows of a data path. The holder of the data path's
// mutex is its only writer.
type classifier struct {
	seed     uint64
	snapshot atomic.Pointer[snapshot]
}

func (c *classifier) init() {
	c.seed = rand.Uint64()
	c.snapshot.Store(&snapshot{})
}

// find looks for a flow that matches k; probes counts the subtables visited.
func (c *classifier) find(s *snapshot, k *words) (e *entry, probes int) {
	for i, t := range s.tables {
		if e := t.lookup(k, t.mask.hash(k, c.seed)); e != nil {
			t.hits.Add(1)
			return e, i + 1
		}
	}
	return nil, len(s.tables)
}

// subtable finds or makes the subtable of a mask.
func (c *classifier) subtable(w *words) *subtable {
	s := c.snapshot.Load()
	for _, t := range s.tables {
		if t.mask.is(w) {
			return t
		}
	}
	t := newSubtable(newMask(w))
	c.publish(append(slices.Clone(s.tables), t))
	return t
}

func (c *classifier) publish(tables []*subtable) {
	var union words
	for _, t := range tables {
		for i, x := range t.mask.idx {
			union[x] |= t.mask.bits[i]
		}
	}
	c.snapshot.Store(&snapshot{tables: tables, union: newMask(&union)})
}

// remove takes e out, and its subtable with its last entry.
func (c *classifier) remove(e *entry) {
	e.sub.remove(e)
	if e.sub.count == 0 {
		c.publish(slices.DeleteFunc(slices.Clone(c.snapshot.Load().tables), func(t *subtable) bool { return t == e.sub }))
	}
}

// sort puts the subtables that were hit most since the last time first.
func (c *classifier) sort() {
	s := c.snapshot.Load()
	tables := slices.Clone(s.tables)
	delta := make(map[*subtable]uint64, len(tables))
	for _, t := range tables {
		h := t.hits.Load()
		delta[t], t.last = h-t.last, h
	}
	slices.SortStableFunc(tables, func(a, b *subtable) int {
		switch {
		case delta[a] > delta[b]:
			return -1
		case delta[a] < delta[b]:
			return 1
		}
		return 0
	})
	c.snapshot.Store(&snapshot{tables: tables, union: s.union})
}
