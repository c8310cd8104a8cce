package userspace

import "sync/atomic"

const (
	// cacheSize is the number of lines of the exact-match cache, signatureSize
	// that of the signature match cache; both are powers of two.
	cacheSize     = 8192
	signatureSize = 1 << 18
)

// cacheEntry is a line of a cache: the flow that a key of this hash was last
// seen to match.
type cacheEntry struct {
	hash uint64
	flow *entry
}

func (c *cacheEntry) match(h uint64, k *words) *entry {
	if e := c.flow; e != nil && c.hash == h && !e.dead.Load() && e.matches(k) {
		return e
	}
	return nil
}

// caching is what the settings say about caches, for workers to read.
type caching struct {
	invert     atomic.Uint32 // emc-insert-inv-prob
	signatures atomic.Bool   // smc-enable
}

// lookup finds the megaflow of a key, first in the caches.
func (w *worker) lookup(k *words) *entry {
	s := w.dp.cls.snapshot.Load()
	h := s.union.hash(k, w.dp.cls.seed)
	if !w.uncached {
		if e := w.cache[h&(cacheSize-1)].match(h, k); e != nil {
			w.cacheHit.Add(1)
			return e
		}
	}
	if w.dp.caching.signatures.Load() {
		if e := w.signature(h, k); e != nil {
			w.signatureHit.Add(1)
			w.remember(h, e)
			return e
		}
	}
	e, probes := w.dp.cls.find(s, k)
	w.maskHit.Add(uint64(probes))
	if w.lookups++; w.lookups%sortEvery == 0 && len(s.tables) > 1 && w.dp.mu.TryLock() {
		w.dp.cls.sort()
		w.dp.mu.Unlock()
	}
	if e == nil {
		return nil
	}
	w.megaHit.Add(1)
	w.remember(h, e)
	if w.signatures != nil {
		w.signatures[h&(signatureSize-1)] = cacheEntry{h, e}
	}
	return e
}

// remember puts a flow into the exact-match cache, as often as
// emc-insert-inv-prob says.
func (w *worker) remember(h uint64, e *entry) {
	if w.uncached {
		return
	}
	if n := w.dp.caching.invert.Load(); n != 1 && (n == 0 || w.random()%n != 0) {
		return
	}
	w.cache[h&(cacheSize-1)] = cacheEntry{h, e}
}

// signature looks into the second cache, which it makes if there is none.
func (w *worker) signature(h uint64, k *words) *entry {
	if w.signatures == nil {
		w.signatures = make([]cacheEntry, signatureSize)
	}
	return w.signatures[h&(signatureSize-1)].match(h, k)
}
