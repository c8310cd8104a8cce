package classifier

import (
	"slices"
	"unsafe"

	"weir/internal/flow"
)

func kwPointer(kw *[flow.NumWords]uint64) unsafe.Pointer { return unsafe.Pointer(kw) }

// Each visits all rules, also those not visible now, until yield returns false.
// Rules that come or go meanwhile may or may not be seen.
func (c *Classifier[V]) Each(yield func(*Rule[V]) bool) {
	for _, e := range c.state.Load().entries {
		if !e.st.each(yield) {
			return
		}
	}
}

// EachWithin visits the rules visible in version v whose match lies within the
// given one: that match at least its bits, with the same values. This is what
// the loose flow-mod and the statistics requests select.
func (c *Classifier[V]) EachWithin(v Version, key *flow.Key, mask *flow.Mask, yield func(*Rule[V]) bool) {
	target := newSparseMask(mask)
	kw := key.Words()
	for _, e := range c.state.Load().entries {
		if !e.st.mask.covers(target) {
			continue
		}
		if !e.st.each(func(r *Rule[V]) bool {
			return !r.VisibleIn(v) || !r.agrees(target, kw) || yield(r)
		}) {
			return
		}
	}
}

// covers reports whether m has every bit of o.
func (m *sparseMask) covers(o *sparseMask) bool {
	for i, w := range o.words {
		if m.word(w)&o.masks[i] != o.masks[i] {
			return false
		}
	}
	return true
}

// agrees reports whether the rule's values equal kw in the bits that both the
// rule and m have.
func (r *Rule[V]) agrees(m *sparseMask, kw *[flow.NumWords]uint64) bool {
	i, j, vals := 0, 0, r.vals()
	for i < len(r.mask.words) && j < len(m.words) {
		switch a, b := r.mask.words[i], m.words[j]; {
		case a < b:
			i++
		case a > b:
			j++
		default:
			if (vals[i]^kw[a])&r.mask.masks[i]&m.masks[j] != 0 {
				return false
			}
			i++
			j++
		}
	}
	return true
}

// FindExact finds the rule with exactly this match and priority that is
// visible in version v, or nil.
func (c *Classifier[V]) FindExact(v Version, key *flow.Key, mask *flow.Mask, priority int) *Rule[V] {
	hash := hashMask(mask)
	for _, e := range c.state.Load().entries {
		m := e.st.mask
		if m.hash != hash || !m.is(mask) {
			continue
		}
		kw := key.Words()
		h := tag(m.hashKey(hashInit, kw, 0, uint8(len(m.words))))
		for _, r := e.st.rules.findKey(h, m, kw); r != nil; r = r.next.Load() {
			if int(r.priority) == priority && r.VisibleIn(v) {
				return r
			}
		}
		return nil
	}
	return nil
}

// FindSame finds the rule with the match and priority of r, which need not be
// in the classifier, that is visible in version v, or nil. Only the writer may
// call it.
func (c *Classifier[V]) FindSame(v Version, r *Rule[V]) *Rule[V] {
	st := c.findSubtable(r.mask)
	if st == nil {
		return nil
	}
	for o := st.rules.findVals(r.line.Load().hash, r.vals()); o != nil && o.priority >= r.priority; o = o.next.Load() {
		if o.priority == r.priority && o.VisibleIn(v) {
			return o
		}
	}
	return nil
}

// Overlapping finds a rule visible in version v of the same priority that
// some key matches together with the given match (OFPFF_CHECK_OVERLAP).
func (c *Classifier[V]) Overlapping(v Version, key *flow.Key, mask *flow.Mask, priority int) *Rule[V] {
	m := newSparseMask(mask)
	kw := key.Words()
	var found *Rule[V]
	for _, e := range c.state.Load().entries {
		if int(e.max) < priority {
			break
		}
		e.st.each(func(r *Rule[V]) bool {
			if int(r.priority) == priority && r.VisibleIn(v) && r.agrees(m, kw) {
				found = r
			}
			return found == nil
		})
		if found != nil {
			break
		}
	}
	return found
}

// Rules lists the rules visible in version v, by descending priority.
func (c *Classifier[V]) Rules(v Version) []*Rule[V] {
	var out []*Rule[V]
	c.Each(func(r *Rule[V]) bool {
		if r.VisibleIn(v) {
			out = append(out, r)
		}
		return true
	})
	slices.SortStableFunc(out, func(a, b *Rule[V]) int { return int(b.priority) - int(a.priority) })
	return out
}

// Within reports whether the rule's match lies within the given one, as in
// [Classifier.EachWithin].
func (r *Rule[V]) Within(key *flow.Key, mask *flow.Mask) bool {
	m := newSparseMask(mask)
	return r.mask.covers(m) && r.agrees(m, key.Words())
}
