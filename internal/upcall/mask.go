package upcall

import (
	"sync"

	"weir/internal/flow"
)

// dpKey is the part of a key, or of a mask, that a data path looks at.
type dpKey [flow.NumWords - flow.FirstDatapathWord]uint64

func dpPart(k *flow.Key) *dpKey { return (*dpKey)(k.Words()[flow.FirstDatapathWord:]) }

// whole is the key, whose other part is zero.
func (d *dpKey) whole() (k flow.Key) {
	*dpPart(&k) = *d
	return k
}

// sharedMask is a mask that many flows have. users belongs to the pool.
type sharedMask struct {
	mask  flow.Mask
	users int
}

// maskPool holds each mask once: there are many flows and few masks.
type maskPool struct {
	mu  sync.Mutex
	all map[dpKey]*sharedMask
}

// get finds or makes a mask, for one more flow. likely is one that it may be,
// or nil.
func (p *maskPool) get(m *dpKey, likely *sharedMask) *sharedMask {
	p.mu.Lock()
	defer p.mu.Unlock()
	if likely != nil && likely.users > 0 && *dpPart(&likely.mask) == *m {
		likely.users++
		return likely
	}
	s := p.all[*m]
	if s == nil {
		if p.all == nil {
			p.all = map[dpKey]*sharedMask{}
		}
		s = &sharedMask{mask: m.whole()}
		p.all[*m] = s
	}
	s.users++
	return s
}

// put ends the use of a mask by one flow.
func (p *maskPool) put(s *sharedMask) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if s.users--; s.users == 0 {
		delete(p.all, *dpPart(&s.mask))
	}
}
