package classifier

import (
	"math/bits"
	"sync/atomic"
	"unsafe"

	"weir/internal/flow"
)

// ruleTable is the rules of one mask: their lines, numbered in the order in which
// they came, and an index of those by their values' hashes. Of rules with the same
// values the index has the first; the others hang from it. One writer changes the
// table beside lock-free readers.
//
// What a lookup waits for is memory. So the index is small enough for the
// processor's caches where the rules aren't: six bytes a rule, ten rules in a
// bucket of one cache line, which also says that a key isn't there. And a rule is
// known by its line, before it is touched itself.
type ruleTable[V any] struct {
	state atomic.Pointer[tableState[V]] // nil for an empty table

	// The writer's own: rules, the next free line, keys in the index, and how many of
	// them since it was made found their bucket full.
	rules, next   int
	keys, spilled int
}

// tableState is what a reader works on. Numbers of lines stay what they are for as
// long as the state is there; those that are not in its chunks are of a later one.
// Lines that were copied to a later state say no more from which version on a rule
// is hidden, but readers that are still here asked for an earlier one.
type tableState[V any] struct {
	index  []bucket // never empty
	chunks []chunk[V]
	stride int
}

// bucket is a cache line of the index. A place is taken by the number of its line
// and then its tag. Readers of a tag may meet the line of other values, for the
// place may have been given away.
type bucket struct {
	// tags are ten of 16 bits, 0 where the place is free, and then the spillBit of
	// each key that found this bucket full and went to the next. These stay until
	// the index is made anew.
	tags  [3]atomic.Uint64
	lines [bucketKeys]atomic.Uint32
}

const (
	// bucketKeys is how many keys a bucket holds.
	bucketKeys = 10
	// fullBuckets is how many keys ten buckets hold when the index must grow, and
	// freshBuckets how many after that.
	fullBuckets, freshBuckets = 88, 70
	// maxSpilled is how many keys may find their bucket full in an index of any size.
	maxSpilled = 16
	// maxDead is how many lines of rules that have gone a table of any size may have.
	maxDead = 16
)

// A bucket is 64 bytes.
const _ = -(unsafe.Sizeof(bucket{}) - 64)

// Ones and highest bits of four tags, and the highest bits of the last two.
const (
	tagOnes  = 0x0001000100010001
	tagHighs = tagOnes << 15
	lastTags = tagHighs & (1<<32 - 1)
)

// tag16 is what a bucket keeps of a hash's tag.
func tag16(h uint32) uint64 { return max(uint64(h&0xffff), 1) }

// spillBit is one bit of the upper half of a word, by the tag.
func spillBit(h uint32) uint64 { return 1 << (32 + h%32) }

// tagged has the highest bit of each of the four tags of a word that is the one
// that x repeats.
func tagged(word, x uint64) uint64 {
	word ^= x
	return ^(word&^tagHighs + ^uint64(tagHighs) | word) & tagHighs
}

// candidates has a bit for each place that has a tag, which x repeats; [place] says
// for which. last is the last word of the tags.
func (b *bucket) candidates(x, last uint64) uint64 {
	return tagged(b.tags[0].Load(), x)>>15 | tagged(b.tags[1].Load(), x)>>14 | tagged(last, x)&lastTags>>13
}

// mayHave reports whether the index may have a key, whose first bucket this is.
func (b *bucket) mayHave(h uint32) bool {
	last := b.tags[2].Load()
	return b.candidates(tag16(h)*tagOnes, last)|last&spillBit(h) != 0
}

// place is the number of the first of some candidates.
func place(candidates uint64) int {
	n := bits.TrailingZeros64(candidates)
	return n/16 + n%16*4
}

// setTag gives a place a tag.
func (b *bucket) setTag(i int, tag uint64) {
	w, shift := &b.tags[i/4], i%4*16
	w.Store(w.Load()&^(0xffff<<shift) | tag<<shift)
}

// at is the number of the bucket where the search for a hash's tag begins. A larger
// index has hashes in the same order.
func (s *tableState[V]) at(h uint32) int { return int(uint64(h) * uint64(len(s.index)) >> 32) }

// after is the number of the bucket after the i-th.
func (s *tableState[V]) after(i int) int {
	if i++; i < len(s.index) {
		return i
	}
	return 0
}

// line gives a line and its rule: nil, nil for one of a later state, and no rule
// where it has gone.
func (s *tableState[V]) line(no uint32) (*line, *Rule[V]) {
	c, i := int(no>>chunkBits), int(no%chunkLines)
	if c >= len(s.chunks) || i >= len(s.chunks[c].rules) {
		return nil, nil
	}
	return lineAt(s.chunks[c].words, i*s.stride), s.chunks[c].rules[i].Load()
}

// first is the bucket where a search for a tag begins; nil in an empty table.
func (t *ruleTable[V]) first(h uint32) *bucket {
	s := t.state.Load()
	if s == nil {
		return nil
	}
	return &s.index[s.at(h)]
}

// far reports whether the table is large.
func (t *ruleTable[V]) far() bool { s := t.state.Load(); return s != nil && len(s.index) >= farTable }

// findKey finds the first rule of a key, whose hash's tag is h, and its line; nil
// for none.
func (t *ruleTable[V]) findKey(h uint32, m *sparseMask, kw *[flow.NumWords]uint64) (*line, *Rule[V]) {
	for {
		s := t.state.Load()
		if s == nil {
			return nil, nil
		}
		if l, r, again := s.find(h, m, kw); !again {
			return l, r
		}
	}
}

// find is findKey in one state. With again, the index changed meanwhile.
func (s *tableState[V]) find(h uint32, m *sparseMask, kw *[flow.NumWords]uint64) (l *line, r *Rule[V], again bool) {
	x := tag16(h) * tagOnes
	for i, n := s.at(h), 0; n < len(s.index); i, n = s.after(i), n+1 {
		b := &s.index[i]
		last := b.tags[2].Load()
		for c := b.candidates(x, last); c != 0; c &= c - 1 {
			l, r := s.line(b.lines[place(c)].Load())
			if r == nil {
				return nil, nil, true
			}
			if m.has(l.vals(len(m.words)), kw) {
				return l, r, false
			}
		}
		if last&spillBit(h) == 0 {
			break
		}
	}
	return nil, nil, false
}

// has reports whether a key has the values under the mask.
func (m *sparseMask) has(vals []uint64, kw *[flow.NumWords]uint64) bool {
	for j, v := range vals {
		if kw[m.words[j]]&m.masks[j] != v {
			return false
		}
	}
	return true
}
