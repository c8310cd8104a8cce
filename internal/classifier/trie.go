package classifier

import (
	"math/bits"
	"sync/atomic"

	"weir/internal/flow"
)

// prefixTrie tracks the prefixes that the rules of a classifier match in one
// field: in a trie, and in pages once there were many. One writer changes it
// beside lock-free readers.
type prefixTrie struct {
	field PrefixField
	small atomic.Pointer[trie]        // nil once there are pages, and no more changed then
	pages atomic.Pointer[prefixPages] // nil while small isn't
	n     int                         // the writer's own: prefixes
}

func (t *prefixTrie) insert(p prefix, n uint8) {
	t.n++
	if small := t.small.Load(); small != nil && t.n <= bigTrie {
		small.insert(p, n)
		return
	}
	t.toPages()
	t.pages.Load().insert(p, n, 1)
}

func (t *prefixTrie) remove(p prefix, n uint8) {
	t.n--
	if small := t.small.Load(); small != nil {
		small.remove(p, n)
		return
	}
	t.pages.Load().remove(p, n)
}

// toPages puts pages in the place of the trie. Lookups that are in it may end there.
func (t *prefixTrie) toPages() {
	if small := t.small.Load(); small != nil {
		t.pages.Store(small.paged())
		t.small.Store(nil)
	}
}

// lookup is [trie.lookup].
func (t *prefixTrie) lookup(v prefix) (lens prefix, need uint8) {
	if small := t.small.Load(); small != nil {
		return small.lookup(v)
	}
	return t.pages.Load().lookup(v)
}

// leaf is the list of the pages that a lookup of the key will read, nil when
// none is known.
func (t *prefixTrie) leaf(kw *[flow.NumWords]uint64) *prefixList {
	pages := t.pages.Load()
	if pages == nil || !t.field.applies(kw) {
		return nil
	}
	return pages.list(t.field.get(kw))
}

func newTries(fields []PrefixField) []*prefixTrie {
	var tries []*prefixTrie
	for _, f := range fields {
		if len(tries) < maxTries {
			t := &prefixTrie{field: f}
			t.small.Store(new(trie))
			tries = append(tries, t)
		}
	}
	return tries
}

// trie is a path-compressed binary trie of prefixes with how often each is
// there. One writer changes it beside lock-free readers: each change becomes
// visible by the store of one link.
type trie struct {
	root [2]atomic.Pointer[trieNode] // by the first bit
}

// trieNode stands for the leading end bits of the prefixes below it, of which
// its parent knows the first. It spans bits of one 32-bit word only, so that
// long addresses are chains of nodes.
type trieNode struct {
	kids  [2]atomic.Pointer[trieNode] // by the bit at end
	bits  uint32                      // the word that has bit end-1; bits from end on don't count
	rules atomic.Uint32               // prefixes of exactly this length
	end   uint8                       // at least 1
}

// common counts the leading bits up to nd.end that p shares with nd, where
// they share those of the words before.
func (nd *trieNode) common(p prefix) uint8 {
	w := (nd.end - 1) / 32
	return min(32*w+uint8(bits.LeadingZeros32(p.word(w)^nd.bits)), nd.end)
}

// bit is a bit of the node's word.
func (nd *trieNode) bit(i uint8) uint32 { return nd.bits >> (31 - i%32) & 1 }

// insert counts the prefix of the first n bits of p once more; n is not 0.
func (t *trie) insert(p prefix, n uint8) { insertAt(&t.root[p.bit(0)], p, 0, n, 1) }

// insertAt inserts a prefix some times below a link that stands for its first
// ofs bits, fewer than n.
func insertAt(link *atomic.Pointer[trieNode], p prefix, ofs, n uint8, times uint32) {
	for {
		nd := link.Load()
		if nd == nil {
			link.Store(chain(p, ofs, n, times))
			return
		}
		stop := min(nd.common(p), n)
		if stop < nd.end {
			fork := &trieNode{bits: p.word((stop - 1) / 32), end: stop}
			fork.kids[nd.bit(stop)].Store(nd)
			if stop == n {
				fork.rules.Store(times)
			} else {
				fork.kids[p.bit(stop)].Store(chain(p, stop, n, times))
			}
			link.Store(fork)
			return
		}
		if stop == n {
			nd.rules.Add(times)
			return
		}
		ofs, link = stop, &nd.kids[p.bit(stop)]
	}
}

// chain makes the nodes for bits [ofs, n) of p, which is there some times.
func chain(p prefix, ofs, n uint8, times uint32) *trieNode {
	end := min(n, ofs/32*32+32)
	nd := &trieNode{bits: p.word((end - 1) / 32), end: end}
	if end == n {
		nd.rules.Store(times)
	} else {
		nd.kids[p.bit(end)].Store(chain(p, end, n, times))
	}
	return nd
}

// remove undoes an insert.
func (t *trie) remove(p prefix, n uint8) { removeAt(&t.root[p.bit(0)], p, n) }

func removeAt(link *atomic.Pointer[trieNode], p prefix, n uint8) {
	nd := link.Load()
	if nd == nil || nd.end > n {
		return
	}
	if nd.end == n {
		nd.rules.Add(^uint32(0))
	} else {
		removeAt(&nd.kids[p.bit(nd.end)], p, n)
	}
	if nd.rules.Load() == 0 {
		link.Store(nd.without())
	}
}

// without is what stands in the place of a node that no prefix ends at: the
// node itself where it forks, or where what follows is in another word.
func (nd *trieNode) without() *trieNode {
	a, b := nd.kids[0].Load(), nd.kids[1].Load()
	switch {
	case a == nil && b == nil:
		return nil
	case a != nil && b != nil || nd.end%32 == 0:
		return nd
	case a == nil:
		return b
	}
	return a
}

// lookup walks along v. lens has bit n-1 set when a prefix of v of n bits is
// there; need is the number of leading bits that any value must share with v
// to get the same lens.
func (t *trie) lookup(v prefix) (lens prefix, need uint8) {
	b := v.bit(0)
	nd := t.root[b].Load()
	if nd == nil {
		if t.root[1-b].Load() != nil {
			need = 1
		}
		return lens, need
	}
	return nd.lookup(v, lens)
}

// lookup walks on from a node, the shorter prefixes being in lens.
func (nd *trieNode) lookup(v, lens prefix) (prefix, uint8) {
	for {
		if c := nd.common(v); c < nd.end {
			return lens, c + 1
		}
		if nd.rules.Load() > 0 {
			lens.setBit(nd.end - 1)
		}
		if nd.kids[0].Load() == nil && nd.kids[1].Load() == nil || nd.end == 128 {
			return lens, nd.end
		}
		end := nd.end
		if nd = nd.kids[v.bit(end)].Load(); nd == nil {
			return lens, end + 1
		}
	}
}

// paged makes pages with the prefixes of t.
func (t *trie) paged() *prefixPages {
	out := &prefixPages{}
	for i := range t.root {
		if nd := t.root[i].Load(); nd != nil {
			nd.each(prefix{}, func(p prefix, n uint8, times uint32) { out.insert(p, n, times) })
		}
	}
	return out
}

// each visits the prefixes of a node, whose words before its own are in p, and
// of those below.
func (nd *trieNode) each(p prefix, yield func(p prefix, n uint8, times uint32)) {
	p = p.withWord((nd.end-1)/32, nd.bits).and(ones(nd.end))
	if n := nd.rules.Load(); n > 0 {
		yield(p, nd.end, n)
	}
	for i := range nd.kids {
		if kid := nd.kids[i].Load(); kid != nil {
			kid.each(p, yield)
		}
	}
}
