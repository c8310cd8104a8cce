package classifier

import (
	"math"

	"weir/internal/flow"
)

// Scratch is the working memory of lookups, so that they allocate nothing.
// Each goroutine has its own.
type Scratch[V any] struct {
	soft    []*Rule[V]
	clauses []clause
	key     flow.Key
}

// Lookup finds the rule of highest priority that matches key in version v, or
// nil. When wc is not nil, it adds to wc the bits of key that the result
// depends on: every key that equals this one in those bits has the same
// result in version v. A match through conjunctions returns the rule that
// matches on the conjunction's conj_id; the bits of conj_id in wc then mean
// nothing.
func (c *Classifier[V]) Lookup(v Version, key *flow.Key, wc *flow.Mask, s *Scratch[V]) *Rule[V] {
	st := c.state.Load()
	s.soft = s.soft[:0]
	hard := st.search(v, key, wc, s, true)
	if len(s.soft) == 0 {
		return hard
	}
	return st.resolve(v, key, wc, s, hard)
}

// trieResult caches what a trie says about the key of one lookup.
type trieResult struct {
	done bool
	lens prefix
	need uint8
}

// best is the best rule that a search has found, and its priority; the lowest
// there is without one.
type best[V any] struct {
	rule     *Rule[V]
	priority int32
}

// search goes through the subtables for the best rule that is no clause. With
// conj, clauses of higher priority than it end up in s.soft; without, they
// are passed over.
func (st *state[V]) search(v Version, key *flow.Key, wc *flow.Mask, s *Scratch[V], conj bool) *Rule[V] {
	var (
		tries [maxTries]trieResult
		hard  = best[V]{priority: math.MinInt32}
		kw    = key.Words()
		ww    *[flow.NumWords]uint64
	)
	if wc != nil {
		ww = wc.Words()
	}
	var lists [maxTries]*prefixList
	if ww != nil {
		for i, t := range st.tries {
			lists[i] = t.leaf(kw)
		}
	}
	for from := 0; from < len(st.entries); from += batch {
		entries := st.entries[from:min(from+batch, len(st.entries))]
		if entries[0].max <= hard.priority {
			break
		}
		var p probes
		if ww == nil {
			start(&p, entries, kw)
		} else {
			startStaged(&p, entries, kw)
			if from == 0 {
				for _, l := range lists {
					l.touch()
				}
			}
		}
		for i := range entries {
			e := &entries[i]
			if e.max <= hard.priority {
				return hard.rule
			}
			var l *line
			var r *Rule[V]
			switch h, m := p.hashes[i%batch], e.st.mask; {
			case ww != nil:
				l, r = st.searchStaged(e, kw, ww, &tries)
			case h == 0:
				l, r = e.st.rules.findKey(tag(m.hashKey(hashInit, kw, 0, uint8(len(m.words)))), m, kw)
			case p.buckets[i%batch].mayHave(h):
				l, r = e.st.rules.findKey(h, m, kw)
			}
			if r != nil {
				s.take(&hard, l, r, v, conj)
			}
		}
	}
	return hard.rule
}

// take has hard be the best rule, visible in version v, of the list that starts at
// r, whose line is l, and that is no clause, if it is better. Clauses before it are
// gathered, with conj.
func (s *Scratch[V]) take(hard *best[V], l *line, r *Rule[V], v Version, conj bool) {
	for l.priority > hard.priority {
		if l.visibleIn(v) {
			if !l.clause() {
				*hard = best[V]{r, l.priority}
				return
			}
			if conj {
				s.soft = append(s.soft, r)
			}
		}
		if r = r.next.Load(); r == nil {
			return
		}
		l = r.line.Load()
	}
}

// searchStaged looks a key up in one subtable stage by stage and adds to ww
// only what it had to look at.
func (st *state[V]) searchStaged(e *entry[V], kw, ww *[flow.NumWords]uint64, tries *[maxTries]trieResult) (*line, *Rule[V]) {
	sub := e.st
	m := sub.mask
	h := uint64(hashInit)
	from, word := uint8(0), 0
	for s, idx := range sub.index {
		if idx == nil {
			continue
		}
		to := m.end[s]
		if st.triesRefuse(e, kw, ww, tries, word, flow.StageStart[s+1]) {
			m.fold(ww, 0, from)
			return nil, nil
		}
		h = m.hashKey(h, kw, from, to)
		if !idx.has(tag(h)) {
			m.fold(ww, 0, to)
			return nil, nil
		}
		from, word = to, flow.StageStart[s+1]
	}
	if st.triesRefuse(e, kw, ww, tries, word, flow.NumWords) {
		m.fold(ww, 0, from)
		return nil, nil
	}
	total := m.end[numStages-1]
	l, r := sub.rules.findKey(tag(m.hashKey(h, kw, from, total)), m, kw)
	if r == nil && sub.ports != nil {
		if pm, ok := sub.ports.miss(kw[portsWord]); ok {
			// What else the last stage looks at counts, too.
			before := ww[portsWord]
			m.fold(ww, 0, total)
			ww[portsWord] = before | ww[portsWord]&^wordOfPorts(^uint32(0)) | pm
			return nil, nil
		}
	}
	m.fold(ww, 0, total)
	return l, r
}

// triesRefuse reports whether a prefix trie proves that the subtable has no
// match, for the fields that stand in words [from, to); ww then has the bits
// that prove it. It never un-wildcards more of a field than the subtable's
// own mask would.
func (st *state[V]) triesRefuse(e *entry[V], kw, ww *[flow.NumWords]uint64, tries *[maxTries]trieResult, from, to int) bool {
	for i, t := range st.tries {
		n := e.len[i]
		if w := int(t.field.ofs / 8); n == 0 || w < from || w >= to {
			continue
		}
		res := &tries[i]
		if !res.done {
			res.done = true
			if t.field.applies(kw) {
				res.lens, res.need = t.lookup(t.field.get(kw))
			} else {
				res.lens = ones(128)
			}
		}
		if res.lens.bit(n-1) != 0 {
			continue
		}
		need := ones(res.need)
		if res.need <= n {
			t.field.or(ww, res.need)
			return true
		}
		have := t.field.get(ww)
		if have.hi&need.hi == need.hi && have.lo&need.lo == need.lo {
			return true
		}
	}
	return false
}

// resolve finds the conjunctive match of highest priority, above hard's, of
// which the soft matches complete all clauses and whose id some rule matches.
func (st *state[V]) resolve(v Version, key *flow.Key, wc *flow.Mask, s *Scratch[V], hard *Rule[V]) *Rule[V] {
	soft := s.soft
	if hard != nil {
		soft = keepAbove(soft, hard.priority)
	}
	for len(soft) > 0 {
		top := soft[0].priority
		for _, r := range soft[1:] {
			top = max(top, r.priority)
		}
		if r := st.completeAt(v, key, wc, s, soft, top); r != nil {
			return r
		}
		soft = keepBelow(soft, top)
	}
	return hard
}

// clause gathers the clauses of one conjunction that were met.
type clause struct {
	id   uint32
	n    uint8
	seen uint64
}

// completeAt tries the conjunctions whose clauses all stand in soft at one
// priority, in the order in which they become complete.
func (st *state[V]) completeAt(v Version, key *flow.Key, wc *flow.Mask, s *Scratch[V], soft []*Rule[V], prio int32) *Rule[V] {
	met := s.clauses[:0]
	for _, r := range soft {
		if r.priority != prio {
			continue
		}
		for _, cj := range *r.conj {
			i := 0
			for i < len(met) && (met[i].id != cj.ID || met[i].n != cj.N) {
				i++
			}
			if i == len(met) {
				met = append(met, clause{id: cj.ID, n: cj.N})
				s.clauses = met
			}
			before := met[i].seen
			met[i].seen |= 1 << cj.Clause
			if all := uint64(1)<<cj.N - 1; met[i].seen != all || before == all {
				continue
			}
			s.key = *key
			s.key.ConjID = cj.ID
			if hit := st.search(v, &s.key, wc, s, false); hit != nil {
				return hit
			}
		}
	}
	return nil
}

func keepAbove[V any](rs []*Rule[V], prio int32) []*Rule[V] {
	out := rs[:0]
	for _, r := range rs {
		if r.priority > prio {
			out = append(out, r)
		}
	}
	return out
}

func keepBelow[V any](rs []*Rule[V], prio int32) []*Rule[V] {
	out := rs[:0]
	for _, r := range rs {
		if r.priority < prio {
			out = append(out, r)
		}
	}
	return out
}

// applies reports whether the packet has the field at all: a key's address
// words are zero in packets of other protocols.
func (f PrefixField) applies(kw *[flow.NumWords]uint64) bool {
	key := (*flow.Key)(kwPointer(kw))
	switch f.Name {
	case "nw_src", "nw_dst":
		return key.EthType == 0x0800 || key.EthType == 0x0806 || key.EthType == 0x8035
	case "ipv6_src", "ipv6_dst", "ipv6_label":
		return key.EthType == 0x86dd
	default:
		return true
	}
}
