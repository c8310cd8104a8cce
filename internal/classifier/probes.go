package classifier

import (
	"sync/atomic"

	"weir/internal/flow"
)

// batch is how many subtables' hash tables are asked at once.
const batch = 8

// farTable is how many buckets make a table one that the caches likely don't hold.
const farTable = 64

// probes are the searches for one key in the hash tables of a batch of
// subtables, for those that are large. The buckets of all are read before any is
// looked at, so that the processor waits for the misses of its caches together.
type probes struct {
	hashes  [batch]uint32 // 0 when not asked
	buckets [batch]*bucket
}

// start hashes the key for the tables.
func start[V any](p *probes, entries []entry[V], kw *[flow.NumWords]uint64) {
	for i := range entries {
		sub := entries[i].st
		if !sub.rules.far() {
			continue
		}
		m := sub.mask
		h := tag(m.hashKey(hashInit, kw, 0, uint8(len(m.words))))
		p.hashes[i%batch], p.buckets[i%batch] = h, sub.rules.first(h)
	}
	p.read(len(entries))
}

func (p *probes) read(n int) {
	for i := range n {
		if b := p.buckets[i%batch]; b != nil {
			b.tags[2].Load()
		}
	}
}

// startStaged is start for staged searches. It reads the slots of the stages'
// indexes, too.
func startStaged[V any](p *probes, entries []entry[V], kw *[flow.NumWords]uint64) {
	var stages [batch][numStages - 1]*atomic.Uint64
	for i := range entries {
		sub := entries[i].st
		if !sub.rules.far() {
			continue
		}
		m, h, from := sub.mask, uint64(hashInit), uint8(0)
		for s, idx := range sub.index {
			if idx != nil {
				h = m.hashKey(h, kw, from, m.end[s])
				from = m.end[s]
				stages[i%batch][s] = idx.first(tag(h))
			}
		}
		p.buckets[i%batch] = sub.rules.first(tag(m.hashKey(h, kw, from, uint8(len(m.words)))))
	}
	for i := range entries {
		for _, slot := range stages[i%batch] {
			if slot != nil {
				slot.Load()
			}
		}
	}
	p.read(len(entries))
}
