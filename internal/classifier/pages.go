package classifier

import "sync/atomic"

// bigTrie is how many prefixes a trie must have before pages pay.
const bigTrie = 16384

// prefixPages tracks prefixes as trie does, for many of them: the first 16 bits
// are two steps in tables, where a trie takes a node, and with it a miss of the
// caches, for each bit. One writer changes it beside lock-free readers.
type prefixPages struct {
	top   pageBits
	pages [256]atomic.Pointer[prefixPage]
}

// prefixPage is the second step: the prefixes of the same first eight bits.
type prefixPage struct {
	pageBits
	leaves [256]prefixLeaf
}

// prefixLeaf has the prefixes of more than 16 bits that share these. Each is in
// few or in rest; lookups ask both.
type prefixLeaf struct {
	few  atomic.Pointer[prefixList]
	rest atomic.Pointer[trieNode]
}

// steps are the bits that the two levels of pages take.
func (p prefix) steps() (uint8, uint8) { return uint8(p.hi >> 56), uint8(p.hi >> 48) }

// insert counts the prefix of the first n bits of p some times more; n is not 0.
func (t *prefixPages) insert(p prefix, n uint8, times uint32) {
	a, b := p.steps()
	if n <= 8 {
		t.top.add(heapAt(a, n), times)
		return
	}
	g := t.pages[a].Load()
	if g == nil {
		g = new(prefixPage)
		t.pages[a].Store(g)
	}
	if n <= 16 {
		g.add(heapAt(b, n-8), times)
	} else {
		g.leaves[b].insert(p, n, times)
		g.mark(heapAt(b, 8))
	}
	t.top.mark(heapAt(a, 8))
}

// remove undoes an insert of one.
func (t *prefixPages) remove(p prefix, n uint8) {
	a, b := p.steps()
	g := t.pages[a].Load()
	switch {
	case n <= 8:
		t.top.drop(heapAt(a, n), n == 8 && g != nil)
		return
	case n <= 16:
		g.drop(heapAt(b, n-8), n == 16 && !g.leaves[b].empty())
	default:
		g.leaves[b].remove(p, n)
		g.unmark(heapAt(b, 8), !g.leaves[b].empty())
	}
	if !g.used.has(1) {
		t.pages[a].Store(nil)
		t.top.unmark(heapAt(a, 8), false)
	}
}

// lookup is [trie.lookup].
func (t *prefixPages) lookup(v prefix) (lens prefix, need uint8) {
	a, b := v.steps()
	need, deeper := t.top.walk(a, 0, &lens)
	if g := t.pages[a].Load(); deeper && g != nil {
		if need, deeper = g.walk(b, 8, &lens); deeper {
			need = max(need, g.leaves[b].lookup(v, &lens))
		}
	}
	return lens, need
}

// list is the list on the way of v, nil for none.
func (t *prefixPages) list(v prefix) *prefixList {
	a, b := v.steps()
	if g := t.pages[a].Load(); g != nil {
		return g.leaves[b].few.Load()
	}
	return nil
}

func (l *prefixLeaf) empty() bool { return l.few.Load() == nil && l.rest.Load() == nil }

func (l *prefixLeaf) insert(p prefix, n uint8, times uint32) {
	if n <= 32 {
		few := l.few.Load()
		fresh := few == nil
		if fresh {
			few = new(prefixList)
		}
		if few.add(p.word(0), n, times) {
			if fresh {
				l.few.Store(few)
			}
			return
		}
	}
	insertAt(&l.rest, p, 16, n, times)
}

func (l *prefixLeaf) remove(p prefix, n uint8) {
	if few := l.few.Load(); few == nil || n > 32 || !few.drop(p.word(0), n) {
		removeAt(&l.rest, p, n)
	} else if few.empty() {
		l.few.Store(nil)
	}
}

func (l *prefixLeaf) lookup(v prefix, lens *prefix) (need uint8) {
	if few := l.few.Load(); few != nil {
		need = few.lookup(v.word(0), lens)
	}
	if nd := l.rest.Load(); nd != nil {
		more := uint8(0)
		*lens, more = nd.lookup(v, *lens)
		need = max(need, more)
	}
	return need
}

// prefixList is some prefixes of at most 32 bits, in two cache lines. An entry
// has the bits in the high half, then how often the prefix is there, and its
// length in the low byte. The list ends at a zero; entries that are there no
// more stay, with no times.
type prefixList [16]atomic.Uint64

const (
	timesShift = 8
	maxTimes   = 1<<24 - 1
)

// times is how often the prefix of an entry is there.
func times(e uint64) uint32 { return uint32(e) >> timesShift }

// add reports whether there was room.
func (l *prefixList) add(bits uint32, n uint8, more uint32) bool {
	free := -1
	for i := range l {
		e := l[i].Load()
		switch {
		case times(e) == 0:
			if free < 0 {
				free = i
			}
		case uint32(e>>32) == bits && uint8(e) == n:
			if times(e)+more > maxTimes {
				return false
			}
			l[i].Store(e + uint64(more)<<timesShift)
			return true
		}
		if e == 0 {
			break
		}
	}
	if free < 0 || more > maxTimes {
		return false
	}
	l[free].Store(uint64(bits)<<32 | uint64(more)<<timesShift | uint64(n))
	return true
}

// drop takes a prefix out once, and reports whether it was here.
func (l *prefixList) drop(bits uint32, n uint8) bool {
	for i := range l {
		e := l[i].Load()
		if uint32(e>>32) == bits && uint8(e) == n && times(e) > 0 {
			l[i].Store(e - 1<<timesShift)
			return true
		}
	}
	return false
}

// touch reads the list's cache lines; l may be nil.
func (l *prefixList) touch() {
	if l != nil {
		l[0].Load()
		l[len(l)/2].Load()
	}
}

func (l *prefixList) empty() bool {
	for i := range l {
		if times(l[i].Load()) > 0 {
			return false
		}
	}
	return true
}

func (l *prefixList) lookup(v uint32, lens *prefix) (need uint8) {
	for i := range l {
		e := l[i].Load()
		if e == 0 {
			break
		}
		if times(e) == 0 {
			continue
		}
		n := uint8(e)
		if c := sharedBits(uint32(e>>32), v); c < n {
			need = max(need, c+1)
			continue
		}
		lens.setBit(n - 1)
		need = max(need, n)
	}
	return need
}
