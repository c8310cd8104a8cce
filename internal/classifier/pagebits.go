package classifier

import "sync/atomic"

// pageBits tells which prefixes of up to eight bits are there. One writer
// changes it beside lock-free readers.
type pageBits struct {
	here  atomic.Uint32 // prefixes of exactly their bits
	used  bitHeap       // there is a prefix of these bits or more
	exact bitHeap       // there is a prefix of exactly these bits
	// The writer's own: how often each exact prefix is there.
	counts map[uint32]uint32
}

// bitHeap is a bit for each string of up to eight bits: the string's bits after
// a leading one are its number, so that halving it takes the last bit away.
type bitHeap [8]atomic.Uint64

func (h *bitHeap) has(i uint32) bool { return h[i/64%8].Load()>>(i%64)&1 != 0 }
func (h *bitHeap) set(i uint32)      { h[i/64].Or(1 << (i % 64)) }
func (h *bitHeap) clear(i uint32)    { h[i/64].And(^uint64(1 << (i % 64))) }

// heapAt is the number of the first n bits of b.
func heapAt(b, n uint8) uint32 { return 1<<n | uint32(b)>>(8-n) }

// mark notes that there is a prefix at i or below.
func (g *pageBits) mark(i uint32) {
	for ; i > 0 && !g.used.has(i); i /= 2 {
		g.used.set(i)
	}
}

// unmark notes that a prefix at i or below went away. more says that there are
// longer ones of the eight bits that i stands for.
func (g *pageBits) unmark(i uint32, more bool) {
	if more {
		return
	}
	for ; i > 0 && !g.exact.has(i); i /= 2 {
		if i < 256 && (g.used.has(2*i) || g.used.has(2*i+1)) {
			return
		}
		g.used.clear(i)
	}
}

func (g *pageBits) add(i, times uint32) {
	if g.counts == nil {
		g.counts = map[uint32]uint32{}
	}
	g.counts[i] += times
	g.here.Store(uint32(len(g.counts)))
	g.exact.set(i)
	g.mark(i)
}

// drop undoes an add of one; more is as in unmark.
func (g *pageBits) drop(i uint32, more bool) {
	if g.counts[i]--; g.counts[i] > 0 {
		return
	}
	delete(g.counts, i)
	g.exact.clear(i)
	g.here.Store(uint32(len(g.counts)))
	g.unmark(i, more)
}

// walk follows the eight bits b, which come after ofs others. It adds the
// prefixes on the way to lens and gives how many bits decide what they are,
// as [trie.lookup] does. With deeper, longer prefixes may have a say.
func (g *pageBits) walk(b, ofs uint8, lens *prefix) (need uint8, deeper bool) {
	leaf := heapAt(b, 8)
	if g.here.Load() > 0 {
		for n := uint8(1); n <= 8; n++ {
			if g.exact.has(leaf >> (8 - n)) {
				lens.setBit(ofs + n - 1)
			}
		}
	}
	if g.used.has(leaf) {
		return ofs + 8, true
	}
	for n := uint8(7); ; n-- {
		switch i := leaf >> (8 - n); {
		case g.used.has(i) && g.used.has(leaf>>(7-n)^1):
			return ofs + n + 1, false
		case g.used.has(i) || n == 0:
			return ofs + n, false
		}
	}
}
