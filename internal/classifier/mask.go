package classifier

import (
	"slices"

	"weir/internal/flow"
)

// sparseMask holds the words of a mask that are not zero. It is immutable.
type sparseMask struct {
	words []uint16 // positions in flow.Key.Words, ascending
	masks []uint64
	// end[i] is the number of words in stages 0 to i.
	end  [numStages]uint8
	hash uint64
}

const numStages = len(flow.StageStart) - 1

func newSparseMask(mask *flow.Mask) *sparseMask {
	m := &sparseMask{hash: hashMask(mask)}
	n := 0
	mw := mask.Words()
	for _, x := range mw {
		if x != 0 {
			n++
		}
	}
	m.words, m.masks = make([]uint16, 0, n), make([]uint64, 0, n)
	for w, x := range mw {
		if x == 0 {
			continue
		}
		m.words = append(m.words, uint16(w))
		m.masks = append(m.masks, x)
	}
	for s := range m.end {
		for m.end[s] < uint8(n) && int(m.words[m.end[s]]) < flow.StageStart[s+1] {
			m.end[s]++
		}
		if s+1 < numStages {
			m.end[s+1] = m.end[s]
		}
	}
	return m
}

func hashMask(mask *flow.Mask) uint64 {
	h := uint64(hashInit)
	for w, x := range mask.Words() {
		if x != 0 {
			h = hashStep(hashStep(h, uint64(w)), x)
		}
	}
	return h
}

// is reports whether m is the sparse form of mask.
func (m *sparseMask) is(mask *flow.Mask) bool {
	i := 0
	for w, x := range mask.Words() {
		if x == 0 {
			continue
		}
		if i == len(m.words) || int(m.words[i]) != w || m.masks[i] != x {
			return false
		}
		i++
	}
	return i == len(m.words)
}

func (m *sparseMask) equal(o *sparseMask) bool {
	return m == o || m.hash == o.hash && slices.Equal(m.words, o.words) && slices.Equal(m.masks, o.masks)
}

// word gives the mask's bits in one word of the key.
func (m *sparseMask) word(w uint16) uint64 {
	if i, ok := slices.BinarySearch(m.words, w); ok {
		return m.masks[i]
	}
	return 0
}

// fold adds words [from, to) of the mask, counted in its own words, to wc.
func (m *sparseMask) fold(wc *[flow.NumWords]uint64, from, to uint8) {
	for i := from; i < to; i++ {
		wc[m.words[i]] |= m.masks[i]
	}
}

const hashInit = 0x9e3779b97f4a7c15

// hashStep mixes one word into a hash. The multiplier is odd, so no step
// loses information of h; the shift brings high bits down.
func hashStep(h, x uint64) uint64 {
	h = (h ^ x) * 0xff51afd7ed558ccd
	return h ^ h>>32
}

// hashKey continues h over words [from, to) of the mask.
func (m *sparseMask) hashKey(h uint64, kw *[flow.NumWords]uint64, from, to uint8) uint64 {
	for i := from; i < to; i++ {
		h = hashStep(h, kw[m.words[i]]&m.masks[i])
	}
	return h
}

func hashVals(h uint64, vals []uint64) uint64 {
	for _, v := range vals {
		h = hashStep(h, v)
	}
	return h
}

// tag is what tables keep of a hash: 32 bits, never zero.
func tag(h uint64) uint32 { return max(uint32(h), 1) }
