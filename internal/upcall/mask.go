package upcall

import (
	"sync"

	"weir/internal/flow"
)

// dpKey is the part of a key, or of a mask, that a data path looks at.
type dpKey [flow.NumWords - flow.FirstDatapathWord]uint64

func dpPart(k *flow.Key) *dpKey { return (*dpKey)(k.Words()[flow.FirstDatapathWord:]) }

// options are those of a key or a mask of a data path, as they stand in its
// memory; nil where there are none, or none counts.
type options [flow.FirstDatapathWord - flow.FirstOptionWord]uint64

func optionsOf(k *flow.Key) *options {
	if k.TunMetaPresent == 0 {
		return nil
	}
	o := options(k.Words()[flow.FirstOptionWord:])
	return &o
}

// firstWord is that of the words of a mask that may not be zero: options count with
// their length, or not at all.
func firstWord(m *flow.Mask) int {
	if m.TunMetaPresent != 0 {
		return flow.FirstOptionWord
	}
	return flow.FirstDatapathWord
}

// whole is the key with options, whose other part is zero.
func (d *dpKey) whole(o *options) (k flow.Key) {
	*dpPart(&k) = *d
	if o != nil {
		copy(k.Words()[flow.FirstOptionWord:], o[:])
	}
	return k
}

// maskID is a mask as something to compare; options is "" where none count.
type maskID struct {
	part    dpKey
	options string
}

func maskIDOf(m *flow.Mask) maskID {
	id := maskID{part: *dpPart(m)}
	if m.TunMetaPresent != 0 {
		id.options = string(m.TunMeta[:])
	}
	return id
}

// sameMask compares what counts to a data path.
func sameMask(a, b *flow.Mask) bool {
	return *dpPart(a) == *dpPart(b) && a.TunMetaPresent == b.TunMetaPresent && (a.TunMetaPresent == 0 || a.TunMeta == b.TunMeta)
}

// sharedMask is a mask that many flows have. users belongs to the pool.
type sharedMask struct {
	mask  flow.Mask
	users int
}

// maskPool holds each mask once: there are many flows and few masks.
type maskPool struct {
	mu  sync.Mutex
	all map[maskID]*sharedMask
}

// get finds or makes a mask, for one more flow. likely is one that it may be,
// or nil.
func (p *maskPool) get(m *flow.Mask, likely *sharedMask) *sharedMask {
	p.mu.Lock()
	defer p.mu.Unlock()
	if likely != nil && likely.users > 0 && sameMask(&likely.mask, m) {
		likely.users++
		return likely
	}
	id := maskIDOf(m)
	s := p.all[id]
	if s == nil {
		if p.all == nil {
			p.all = map[maskID]*sharedMask{}
		}
		s = &sharedMask{mask: id.part.whole(optionsOf(m))}
		p.all[id] = s
	}
	s.users++
	return s
}

// put ends the use of a mask by one flow.
func (p *maskPool) put(s *sharedMask) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if s.users--; s.users == 0 {
		delete(p.all, maskIDOf(&s.mask))
	}
}
