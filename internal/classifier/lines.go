package classifier

import (
	"sync/atomic"
	"unsafe"
)

// line is what a lookup reads of a rule, apart from the rule so that it is one
// cache line and its memory dense. The rule's values follow it: the words of its
// key under the mask.
type line struct {
	hash     uint32 // tag of the values' hash, never 0
	priority int32
	born     uint64        // the version from which lookups see the rule, doubled; odd for a clause
	gone     atomic.Uint64 // the version from which they don't
}

// lineWords is the size of a line without values.
const lineWords = int(unsafe.Sizeof(line{}) / 8)

// newLine makes a line of n values that belongs to no table.
func newLine(n int) *line { return lineAt(make([]uint64, max(lineWords+n, minStride)), 0) }

func lineAt(words []uint64, i int) *line { return (*line)(unsafe.Pointer(&words[i])) }

// vals are the line's values, of which the mask says that there are n.
func (l *line) vals(n int) []uint64 {
	return unsafe.Slice((*uint64)(unsafe.Add(unsafe.Pointer(l), unsafe.Sizeof(line{}))), n)
}

func (l *line) visibleIn(v Version) bool { return l.born>>1 <= uint64(v) && uint64(v) < l.gone.Load() }

func (l *line) clause() bool { return l.born&1 != 0 }

// setBorn notes from which version on lookups see the rule.
func (l *line) setBorn(v Version, clause bool) {
	l.born = uint64(v) << 1
	if clause {
		l.born |= 1
	}
	l.gone.Store(uint64(NotRemoved))
}

const (
	chunkBits = 10
	// chunkLines is how many lines a chunk has, but for the only chunk of a small
	// table.
	chunkLines = 1 << chunkBits
	// minStride makes sure that a line has a word after its head.
	minStride = lineWords + 1
)

// strideOf is how many words the lines of a mask of n words take: up to five
// values make a cache line of 64 bytes.
func strideOf(n int) int {
	switch {
	case n <= 1:
		return minStride
	case n <= 8-lineWords:
		return 8
	}
	return lineWords + n
}

// chunk is memory of lines, and the rules that they belong to. A place is used
// once: it stays as it is when its rule, but for that, has gone.
type chunk[V any] struct {
	words []uint64
	rules []atomic.Pointer[Rule[V]]
	named []bool // the writer's own: whether the index names the line
}

func newChunk[V any](lines, stride int) chunk[V] {
	return chunk[V]{make([]uint64, lines*stride), make([]atomic.Pointer[Rule[V]], lines), make([]bool, lines)}
}

// put copies the line of a rule to a place, and makes it the rule's own.
func (c *chunk[V]) put(i, stride int, r *Rule[V]) { c.show(i, r, c.fill(i, stride, r)) }

// show makes a line, that of a place, the rule's own. From then on others read it.
func (c *chunk[V]) show(i int, r *Rule[V], at *line) {
	r.line.Store(at)
	c.rules[i].Store(r)
}

// fill copies the line of a rule to a place.
func (c *chunk[V]) fill(i, stride int, r *Rule[V]) *line {
	old, at := r.line.Load(), lineAt(c.words, i*stride)
	at.hash, at.priority, at.born = old.hash, old.priority, old.born
	at.gone.Store(old.gone.Load())
	n := len(r.mask.words)
	copy(at.vals(n), old.vals(n))
	return at
}
