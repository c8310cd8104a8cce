package classifier

import (
	"sync/atomic"

	"weir/internal/flow"
)

// batch is how many subtables' hash tables are asked at once.
const batch = 8

// farTable is how many slots make a table one that the caches likely don't hold.
const farTable = 512

// probes are the searches for one key in the hash tables of a batch of
// subtables, for those that are large. The first slots of all are read before
// any is looked at, so that the processor waits for the misses of its caches
// together.
type probes[V any] struct {
	hashes, tags [batch]uint32 // hashes: 0 when not asked; tags: of the first slots, 0 where there is no rule
	slots        [batch]*ruleSlot[V]
}

func (p *probes[V]) start(entries []entry[V], kw *[flow.NumWords]uint64) {
	for i := range entries {
		sub := entries[i].st
		if !sub.rules.far() {
			continue
		}
		m := sub.mask
		h := tag(m.hashKey(hashInit, kw, 0, uint8(len(m.words))))
		p.hashes[i%batch], p.slots[i%batch] = h, sub.rules.first(h)
	}
	p.read(len(entries))
}

func (p *probes[V]) read(n int) {
	for i := range n {
		if s := p.slots[i%batch]; s != nil {
			p.tags[i%batch] = s.tag.Load()
		}
	}
}

// startStaged is start for staged searches. It reads the slots of the stages'
// indexes, too.
func (p *probes[V]) startStaged(entries []entry[V], kw *[flow.NumWords]uint64) {
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
		p.slots[i%batch] = sub.rules.first(tag(m.hashKey(h, kw, from, uint8(len(m.words)))))
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
