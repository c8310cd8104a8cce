// Package classifier finds the rule of highest priority that matches a key, and
// says which bits of the key decided it.
//
// It is a tuple space search (Srinivasan, Suri, Varghese, SIGCOMM 1999): rules
// with the same mask share a subtable, a hash table on the masked key. Subtables
// are searched by descending maximum priority. Three refinements of Pfaff et
// al. (NSDI 2015, section 5) keep the bits that a lookup must un-wildcard few:
// staged lookup, prefix tries and a trie of transport ports. Rules carry a
// range of versions in which lookups see them, so that a set of changes
// becomes visible at one instant.
package classifier

import (
	"slices"
	"sync/atomic"

	"weir/internal/flow"
)

// Version numbers the states of a classifier. A rule is seen by lookups in
// versions [added, removed).
type Version uint64

// Versions with a meaning of their own.
const (
	MinVersion Version = 1
	MaxVersion Version = 1<<63 - 1
	// NotRemoved is the removal version of a rule that stays.
	NotRemoved Version = 1<<64 - 1
)

// Conj says that a rule is clause Clause (from 0) of the N clauses of the
// conjunctive match ID (ovs-fields(7), "Conjunctive Match Fields").
type Conj struct {
	ID        uint32
	Clause, N uint8
}

// Rule is a match with a priority and the value that a lookup returns. Make it
// with [NewRule] or [Classifier.Init]; it may be in one classifier at a time
// and must not be copied. The links belong to the writer of its classifier and
// are read by lookups without a lock.
type Rule[V any] struct {
	Value    V
	line     atomic.Pointer[line]    // what lookups read of it
	conj     *[]Conj                 // nil: no clause
	next     atomic.Pointer[Rule[V]] // same match, lower priority or older
	mask     *sparseMask
	st       *subtable[V] // nil: in no classifier
	priority int32
	no       uint32 // of the line in the subtable's table
}

// vals are the key's words under the mask.
func (r *Rule[V]) vals() []uint64 { return r.line.Load().vals(len(r.mask.words)) }

// NewRule makes a rule that matches the bits of key that mask has; other bits
// of key are ignored. conj, which the rule keeps, makes it a clause of
// conjunctive matches.
func NewRule[V any](key *flow.Key, mask *flow.Mask, priority int, conj []Conj, value V) *Rule[V] {
	r := new(Rule[V])
	r.init(key, newSparseMask(mask), newLine, priority, conj, value)
	return r
}

// Init makes r, a zero Rule within a larger value, what [NewRule] makes. It
// shares the mask of rules that c has. Only c's writer may call it.
func (c *Classifier[V]) Init(r *Rule[V], key *flow.Key, mask *flow.Mask, priority int, conj []Conj, value V) {
	m := c.sharedMask(mask)
	if m == nil {
		m = newSparseMask(mask)
	}
	r.init(key, m, newLine, priority, conj, value)
}

// Masks shares the masks, and memory for a while, of rules that are made outside a
// classifier. It belongs to one goroutine; its zero value is ready to use.
type Masks struct {
	byHash map[uint64]*sparseMask
	words  []uint64 // for lines
}

// slabWords is for how many words of lines memory is taken at once.
const slabWords = 512

// newLine is newLine from memory that lines share.
func (s *Masks) newLine(n int) *line {
	size := max(lineWords+n, minStride)
	if len(s.words) < size {
		s.words = make([]uint64, max(slabWords, size))
	}
	l := lineAt(s.words, 0)
	s.words = s.words[size:]
	return l
}

// maxMasks bounds a Masks; when it is full, it starts anew.
const maxMasks = 1024

// InitWith makes r, a zero Rule within a larger value, what [NewRule] makes, with
// a mask that is shared by rules made with the same Masks.
func (r *Rule[V]) InitWith(s *Masks, key *flow.Key, mask *flow.Mask, priority int, conj []Conj, value V) {
	h := hashMask(mask)
	m := s.byHash[h]
	if m == nil || !m.is(mask) {
		if s.byHash == nil || len(s.byHash) >= maxMasks {
			s.byHash = map[uint64]*sparseMask{}
		}
		m = newSparseMask(mask)
		s.byHash[h] = m
	}
	r.init(key, m, s.newLine, priority, conj, value)
}

// InitLike makes r, a zero Rule, a rule of the same match and priority as o.
func (r *Rule[V]) InitLike(o *Rule[V], conj []Conj, value V) {
	r.Value, r.priority, r.mask = value, o.priority, o.mask
	r.setConj(conj)
	n := len(r.mask.words)
	l, from := newLine(n), o.line.Load()
	l.hash, l.priority = from.hash, from.priority
	copy(l.vals(n), from.vals(n))
	r.line.Store(l)
}

func (r *Rule[V]) init(key *flow.Key, m *sparseMask, newLine func(int) *line, priority int, conj []Conj, value V) {
	r.Value, r.priority, r.mask = value, int32(priority), m
	r.setConj(conj)
	l := newLine(len(m.words))
	vals, kw := l.vals(len(m.words)), key.Words()
	for i, w := range m.words {
		vals[i] = kw[w] & m.masks[i]
	}
	l.hash, l.priority = tag(hashVals(hashInit, vals)), r.priority
	r.line.Store(l)
}

func (r *Rule[V]) setConj(conj []Conj) {
	if conj != nil {
		r.conj = &conj
	}
}

// Priority is the rule's priority.
func (r *Rule[V]) Priority() int { return int(r.priority) }

// Conjunctions lists the conjunctive matches of which the rule is a clause.
func (r *Rule[V]) Conjunctions() []Conj {
	if r.conj == nil {
		return nil
	}
	return *r.conj
}

// VisibleIn reports whether lookups in version v see the rule.
func (r *Rule[V]) VisibleIn(v Version) bool {
	return r.line.Load().visibleIn(v)
}

// Removed is the version from which the rule is not seen, or NotRemoved.
func (r *Rule[V]) Removed() Version { return Version(r.line.Load().gone.Load()) }

// HideFrom makes the rule invisible from version v on. NotRemoved undoes it.
func (r *Rule[V]) HideFrom(v Version) { r.line.Load().gone.Store(uint64(v)) }

// Expand writes the rule's match to key and mask; unmatched bits are zero.
func (r *Rule[V]) Expand(key *flow.Key, mask *flow.Mask) {
	*key, *mask = flow.Key{}, flow.Mask{}
	kw, mw, vals := key.Words(), mask.Words(), r.vals()
	for i, w := range r.mask.words {
		kw[w], mw[w] = vals[i], r.mask.masks[i]
	}
}

// Mask writes only the rule's mask.
func (r *Rule[V]) Mask(mask *flow.Mask) {
	*mask = flow.Mask{}
	mw := mask.Words()
	for i, w := range r.mask.words {
		mw[w] = r.mask.masks[i]
	}
}

// Matches reports whether key matches the rule.
func (r *Rule[V]) Matches(key *flow.Key) bool {
	kw, vals := key.Words(), r.vals()
	for i, w := range r.mask.words {
		if kw[w]&r.mask.masks[i] != vals[i] {
			return false
		}
	}
	return true
}

// SameMatch reports whether both rules match the same keys.
func (r *Rule[V]) SameMatch(o *Rule[V]) bool {
	return r.mask.equal(o.mask) && slices.Equal(r.vals(), o.vals())
}

// Classifier is a set of rules. One writer at a time may change it (its owner
// provides the lock); lookups and iteration run beside the writer without a
// lock.
type Classifier[V any] struct {
	state atomic.Pointer[state[V]]

	// The writer's own.
	byMask map[uint64][]*subtable[V]
	n      int
}

// state is what a lookup works on. It is never changed in place, but the
// subtables and tries that it points to are.
type state[V any] struct {
	entries []entry[V] // by descending maximum priority
	tries   []*prefixTrie
}

// entry is a subtable with what a lookup must know before it touches it.
type entry[V any] struct {
	st  *subtable[V]
	max int32           // the highest priority in the subtable
	len [maxTries]uint8 // prefix length that the mask has on each trie's field; 0: none
}

// New makes an empty classifier that tracks prefixes of the given fields.
func New[V any](prefixes ...PrefixField) *Classifier[V] {
	c := &Classifier[V]{byMask: map[uint64][]*subtable[V]{}}
	c.state.Store(&state[V]{tries: newTries(prefixes)})
	return c
}

// Len is the number of rules, visible or not.
func (c *Classifier[V]) Len() int { return c.n }

// Subtables is the number of distinct masks.
func (c *Classifier[V]) Subtables() int { return len(c.state.Load().entries) }

// SetPrefixes changes the prefix fields that are tracked; more than four are
// left out.
func (c *Classifier[V]) SetPrefixes(fields ...PrefixField) {
	old := c.state.Load()
	next := &state[V]{tries: newTries(fields)}
	for _, e := range old.entries {
		e.st.measure(next.tries)
		next.entries = append(next.entries, e.st.entry())
		e.st.each(func(r *Rule[V]) bool {
			e.st.track(next.tries, r.vals())
			return true
		})
	}
	c.state.Store(next)
}

// Insert adds a rule that lookups see from version v on. Where a rule of the
// same match and priority is there, the new one stands before it: a lookup in a
// version that sees both gets the new one.
func (c *Classifier[V]) Insert(r *Rule[V], v Version) {
	tries := c.state.Load().tries
	st := c.findSubtable(r.mask)
	fresh := st == nil
	if fresh {
		st = newSubtable[V](r.mask)
		st.measure(tries)
		c.byMask[r.mask.hash] = append(c.byMask[r.mask.hash], st)
	}
	r.mask, r.st = st.mask, st // share one mask
	st.track(tries, r.vals())
	before := st.max
	st.insert(r, v)
	c.n++
	if fresh || r.priority > before {
		c.publish(st)
	}
}

// Remove takes a rule out, for all versions.
func (c *Classifier[V]) Remove(r *Rule[V]) {
	st := r.st
	if st == nil {
		return
	}
	before := st.max
	st.remove(r)
	c.n--
	if st.n == 0 || st.max < before {
		c.publish(st)
	}
	st.untrack(c.state.Load().tries, r.vals())
	r.st = nil
	if st.n == 0 {
		h := st.mask.hash
		c.byMask[h] = slices.DeleteFunc(c.byMask[h], func(o *subtable[V]) bool { return o == st })
		if len(c.byMask[h]) == 0 {
			delete(c.byMask, h)
		}
	}
}

// Inserted reports whether the rule is in a classifier.
func (r *Rule[V]) Inserted() bool { return r.st != nil }

// sharedMask finds the form of a mask that the rules here have, nil for none.
func (c *Classifier[V]) sharedMask(mask *flow.Mask) *sparseMask {
	for _, st := range c.byMask[hashMask(mask)] {
		if st.mask.is(mask) {
			return st.mask
		}
	}
	return nil
}

func (c *Classifier[V]) findSubtable(m *sparseMask) *subtable[V] {
	for _, st := range c.byMask[m.hash] {
		if st.mask.equal(m) {
			return st
		}
	}
	return nil
}

// publish shows lookups the new place of st: where its maximum priority puts
// it, nowhere when it is empty. Subtables of equal priority keep the order in
// which they came to it.
func (c *Classifier[V]) publish(st *subtable[V]) {
	old := c.state.Load()
	next := &state[V]{tries: old.tries, entries: make([]entry[V], 0, len(old.entries)+1)}
	for _, e := range old.entries {
		if e.st != st {
			next.entries = append(next.entries, e)
		}
	}
	if st.n > 0 {
		e := st.entry()
		i := 0
		for i < len(next.entries) && next.entries[i].max >= e.max {
			i++
		}
		next.entries = slices.Insert(next.entries, i, e)
	}
	c.state.Store(next)
}
