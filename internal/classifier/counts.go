package classifier

import "sync/atomic"

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

// tableSize is the number of slots for n tags and as many to come before the
// table must grow again: less than two thirds are in use.
func tableSize(n int) int {
	size := 4
	for 2*size < 5*n {
		size *= 2
	}
	return size
}
