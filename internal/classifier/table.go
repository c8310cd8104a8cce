package classifier

import (
	"slices"
	"sync/atomic"

	"weir/internal/flow"
)

// ruleTable is an open hash table of the rules of one mask by their masked
// keys, which one writer changes beside lock-free readers. A slot holds the
// first of the rules of one key; the others hang from it.
type ruleTable[V any] struct {
	slots atomic.Pointer[ruleSlots[V]]
	// The writer's own: keys, and slots in use, of which some are dead.
	live, used int
	dead       *Rule[V]
}

// ruleSlots is as many slots as a power of two.
type ruleSlots[V any] []ruleSlot[V]

// ruleSlot has a tag of its rule, so that a search touches hardly a rule but
// the one it finds. It is taken by its rule and then its tag, and is never given
// to another key.
type ruleSlot[V any] struct {
	rule atomic.Pointer[Rule[V]]
	tag  atomic.Uint32
}

// first is the slot where a search for a tag begins; nil in an empty table.
func (t *ruleTable[V]) first(h uint32) *ruleSlot[V] {
	p := t.slots.Load()
	if p == nil {
		return nil
	}
	s := *p
	return &s[h&uint32(len(s)-1)]
}

// far reports whether the table is large.
func (t *ruleTable[V]) far() bool {
	p := t.slots.Load()
	return p != nil && len(*p) >= farTable
}

// findKey finds the first rule of a key, whose hash's tag is h; nil for none.
func (t *ruleTable[V]) findKey(h uint32, m *sparseMask, kw *[flow.NumWords]uint64) *Rule[V] {
	p := t.slots.Load()
	if p == nil {
		return nil
	}
	s := *p
	bits := uint32(len(s) - 1)
next:
	for i := h & bits; ; i = (i + 1) & bits {
		switch s[i].tag.Load() {
		case h:
		case 0:
			return nil
		default:
			continue
		}
		r := s[i].rule.Load()
		if r.hash != h {
			continue // dead
		}
		for j, v := range r.valsOf(len(m.words)) {
			if kw[m.words[j]]&m.masks[j] != v {
				continue next
			}
		}
		return r
	}
}

// findVals is findKey by the masked words.
func (t *ruleTable[V]) findVals(h uint32, vals []uint64) *Rule[V] {
	p := t.slots.Load()
	if p == nil {
		return nil
	}
	s := *p
	bits := uint32(len(s) - 1)
	for i := h & bits; ; i = (i + 1) & bits {
		switch s[i].tag.Load() {
		case h:
		case 0:
			return nil
		default:
			continue
		}
		if r := s[i].rule.Load(); r.hash == h && slices.Equal(r.valsOf(len(vals)), vals) {
			return r
		}
	}
}

// insert adds the rule of a key that has none yet.
func (t *ruleTable[V]) insert(r *Rule[V]) {
	if t.dead == nil {
		t.dead = &Rule[V]{} // of a hash that no rule has
	}
	if s := t.slots.Load(); s == nil || 3*(t.used+1) > 2*len(*s) {
		t.rebuild()
	}
	t.slots.Load().place(r)
	t.live++
	t.used++
}

func (s ruleSlots[V]) place(r *Rule[V]) {
	bits := uint32(len(s) - 1)
	i := r.hash & bits
	for s[i].tag.Load() != 0 {
		i = (i + 1) & bits
	}
	s[i].rule.Store(r)
	s[i].tag.Store(r.hash)
}

// rebuild makes room for more keys and sweeps out removed ones.
func (t *ruleTable[V]) rebuild() {
	size := tableSize(t.live + 1)
	s := make(ruleSlots[V], size)
	t.each(func(r *Rule[V]) bool {
		s.place(r)
		return true
	})
	t.used = t.live
	t.slots.Store(&s)
}

// tableSize is the number of slots for n keys and as many to come before it
// must grow again: less than two thirds are in use.
func tableSize(n int) int {
	size := 4
	for 2*size < 5*n {
		size *= 2
	}
	return size
}

func (s ruleSlots[V]) slotOf(r *Rule[V]) *atomic.Pointer[Rule[V]] {
	bits := uint32(len(s) - 1)
	i := r.hash & bits
	for s[i].rule.Load() != r {
		i = (i + 1) & bits
	}
	return &s[i].rule
}

// replace puts another first rule of the same key in the place of r.
func (t *ruleTable[V]) replace(r, by *Rule[V]) { t.slots.Load().slotOf(r).Store(by) }

// remove takes out the only rule of a key.
func (t *ruleTable[V]) remove(r *Rule[V]) {
	t.slots.Load().slotOf(r).Store(t.dead) // keeps chains of probes whole
	if t.live--; t.live == 0 {
		t.slots.Store(nil)
		t.used = 0
	}
}

func (t *ruleTable[V]) each(yield func(first *Rule[V]) bool) bool {
	s := t.slots.Load()
	if s == nil {
		return true
	}
	for i := range *s {
		if r := (*s)[i].rule.Load(); r != nil && r != t.dead && !yield(r) {
			return false
		}
	}
	return true
}

// hashCounts is a multiset of tags of hashes, which one writer changes beside
// lock-free readers. A slot has the tag in its high half and how often it is
// there in the low half; a zero slot is free.
type hashCounts struct {
	slots atomic.Pointer[[]atomic.Uint64]
	// The writer's own: tags that are there, and slots in use.
	live, used int
}

// has reports whether the tag is there.
func (c *hashCounts) has(h uint32) bool {
	s := c.find(h)
	return s != nil && uint32(s.Load()) != 0
}

// find gives the slot of a tag, nil for none.
func (c *hashCounts) find(h uint32) *atomic.Uint64 {
	p := c.slots.Load()
	if p == nil {
		return nil
	}
	slots := *p
	bits := uint32(len(slots) - 1)
	for i := h & bits; ; i = (i + 1) & bits {
		switch v := slots[i].Load(); {
		case v == 0:
			return nil
		case uint32(v>>32) == h:
			return &slots[i]
		}
	}
}

// first is the slot where a search for a tag begins; nil in an empty table.
func (c *hashCounts) first(h uint32) *atomic.Uint64 {
	p := c.slots.Load()
	if p == nil {
		return nil
	}
	s := *p
	return &s[h&uint32(len(s)-1)]
}

func (c *hashCounts) add(h uint32) {
	if s := c.find(h); s != nil {
		if uint32(s.Add(1)) == 1 {
			c.live++
		}
		return
	}
	if p := c.slots.Load(); p == nil || 3*(c.used+1) > 2*len(*p) {
		c.rebuild()
	}
	placeCount(*c.slots.Load(), uint64(h)<<32|1)
	c.live++
	c.used++
}

func (c *hashCounts) drop(h uint32) {
	if s := c.find(h); uint32(s.Add(^uint64(0))) == 0 {
		c.live--
	}
}

func (c *hashCounts) rebuild() {
	slots := make([]atomic.Uint64, tableSize(c.live+1))
	if p := c.slots.Load(); p != nil {
		for i := range *p {
			if v := (*p)[i].Load(); uint32(v) != 0 {
				placeCount(slots, v)
			}
		}
	}
	c.used = c.live
	c.slots.Store(&slots)
}

func placeCount(slots []atomic.Uint64, v uint64) {
	bits := uint32(len(slots) - 1)
	i := uint32(v>>32) & bits
	for slots[i].Load() != 0 {
		i = (i + 1) & bits
	}
	slots[i].Store(v)
}
