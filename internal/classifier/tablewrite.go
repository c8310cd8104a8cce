package classifier

import "slices"

// The writer's part of a table. An index names only lines that are written, and a
// line loses its rule only when no index names it.

// add gives a rule, which lookups see from version v on, a line that nothing names yet.
func (t *ruleTable[V]) add(r *Rule[V], v Version) {
	s := t.state.Load()
	switch {
	case s == nil:
		s = &tableState[V]{index: make([]bucket, 1), stride: strideOf(len(r.mask.words))}
		s.chunks = []chunk[V]{newChunk[V](1, s.stride)}
		t.state.Store(s)
	case t.next-t.rules > t.rules+maxDead:
		s = t.compact()
	}
	if c := t.next >> chunkBits; c == len(s.chunks) || t.next%chunkLines >= len(s.chunks[c].rules) {
		s = t.grow(s)
	}
	c, i := &s.chunks[t.next>>chunkBits], t.next%chunkLines
	at := c.fill(i, s.stride, r)
	at.setBorn(v, r.conj != nil)
	c.show(i, r, at)
	r.no = uint32(t.next)
	t.next++
	t.rules++
}

// grow makes room for another line: by a chunk, or by a larger only chunk.
func (t *ruleTable[V]) grow(s *tableState[V]) *tableState[V] {
	n := *s
	if len(s.chunks) == 1 && len(s.chunks[0].rules) < chunkLines {
		old := s.chunks[0].rules
		only := newChunk[V](2*len(old), s.stride)
		for i := range old {
			if r := old[i].Load(); r != nil {
				only.put(i, s.stride, r)
			}
		}
		copy(only.named, s.chunks[0].named)
		n.chunks = []chunk[V]{only}
	} else {
		n.chunks = append(s.chunks, newChunk[V](chunkLines, s.stride))
	}
	t.state.Store(&n)
	return &n
}

// compact numbers the lines anew, without those of rules that have gone.
func (t *ruleTable[V]) compact() *tableState[V] {
	old := t.state.Load()
	n := &tableState[V]{index: make([]bucket, bucketsFor(t.keys)), stride: old.stride}
	lines := 1
	for lines < min(t.rules+1, chunkLines) {
		lines *= 2
	}
	t.next, t.spilled = 0, 0
	old.each(func(r *Rule[V]) bool {
		c := t.next >> chunkBits
		if c == len(n.chunks) {
			n.chunks = append(n.chunks, newChunk[V](lines, n.stride))
		}
		n.chunks[c].put(t.next%chunkLines, n.stride, r)
		named := *old.named(r.no)
		r.no = uint32(t.next)
		t.next++
		if *n.named(r.no) = named; named {
			t.spilled += n.place(r.line.Load().hash, r.no)
		}
		return true
	})
	t.state.Store(n)
	return n
}

// enter has the index name a rule that was added, the only one of its values.
func (t *ruleTable[V]) enter(r *Rule[V]) {
	s := t.state.Load()
	if 10*t.keys >= fullBuckets*len(s.index) || t.spilled > t.keys/2+maxSpilled {
		s = t.reindex(s)
	}
	t.keys++
	t.spilled += s.place(r.line.Load().hash, r.no)
	*s.named(r.no) = true
}

// named is whether the index names a line.
func (s *tableState[V]) named(no uint32) *bool { return &s.chunks[no>>chunkBits].named[no%chunkLines] }

// bucketsFor is how many buckets a new index has for n keys.
func bucketsFor(n int) int { return n*10/freshBuckets + 1 }

// reindex makes a new index, of the size that the keys need.
func (t *ruleTable[V]) reindex(s *tableState[V]) *tableState[V] {
	n := *s
	n.index = make([]bucket, bucketsFor(t.keys))
	t.spilled = 0
	for c := range s.chunks {
		for i, named := range s.chunks[c].named {
			if named {
				t.spilled += n.place(lineAt(s.chunks[c].words, i*s.stride).hash, uint32(c<<chunkBits+i))
			}
		}
	}
	t.state.Store(&n)
	return &n
}

// place has the first bucket with a free place name a line. It gives 1 when that
// isn't the first that a search asks, else 0.
func (s *tableState[V]) place(h, no uint32) (spilled int) {
	for i := s.at(h); ; i = s.after(i) {
		b := &s.index[i]
		for j := range b.lines {
			if b.tag(j) == 0 {
				b.lines[j].Store(no)
				b.setTag(j, tag16(h))
				return spilled
			}
		}
		b.tags[2].Store(b.tags[2].Load() | spillBit(h))
		spilled = 1
	}
}

// locate finds the place in the index of the line that is the wanted one, whose
// tag is h; nil where there is none.
func (t *ruleTable[V]) locate(h uint32, wanted func(no uint32) bool) (b *bucket, place int) {
	s := t.state.Load()
	if s == nil {
		return nil, 0
	}
	for i, n := s.at(h), 0; n < len(s.index); i, n = s.after(i), n+1 {
		b := &s.index[i]
		for j := range b.lines {
			if b.tag(j) == tag16(h) && wanted(b.lines[j].Load()) {
				return b, j
			}
		}
		if b.tags[2].Load()&spillBit(h) == 0 {
			break
		}
	}
	return nil, 0
}

// findVals is findKey by the masked words. Only the writer may call it.
func (t *ruleTable[V]) findVals(h uint32, vals []uint64) (found *Rule[V]) {
	s := t.state.Load()
	t.locate(h, func(no uint32) bool {
		l, r := s.line(no)
		if slices.Equal(l.vals(len(vals)), vals) {
			found = r
		}
		return found != nil
	})
	return found
}

// replace has the index name another rule of the same values in the place of r.
func (t *ruleTable[V]) replace(r, by *Rule[V]) {
	b, i := t.locate(r.line.Load().hash, func(no uint32) bool { return no == r.no })
	b.lines[i].Store(by.no)
	s := t.state.Load()
	*s.named(r.no), *s.named(by.no) = false, true
}

// forget takes the only rule of its values out of the index.
func (t *ruleTable[V]) forget(r *Rule[V]) {
	b, i := t.locate(r.line.Load().hash, func(no uint32) bool { return no == r.no })
	b.setTag(i, 0)
	*t.state.Load().named(r.no) = false
	t.keys--
}

// drop takes the line, which no index names, from a rule.
func (t *ruleTable[V]) drop(r *Rule[V]) {
	s := t.state.Load()
	s.chunks[r.no>>chunkBits].rules[r.no%chunkLines].Store(nil)
	if t.rules--; t.rules == 0 {
		t.state.Store(nil)
		t.next, t.spilled = 0, 0
	} else if t.next > chunkLines && t.rules < t.next/8 {
		t.compact()
	}
}

// tag is the tag at a place.
func (b *bucket) tag(i int) uint64 { return b.tags[i/4].Load() >> (i % 4 * 16) & 0xffff }

// each visits the rules in the order of their lines.
func (s *tableState[V]) each(yield func(*Rule[V]) bool) bool {
	for i := range s.chunks {
		rules := s.chunks[i].rules
		for j := range rules {
			if r := rules[j].Load(); r != nil && !yield(r) {
				return false
			}
		}
	}
	return true
}
