package flow

import (
	"iter"
	"math/bits"
)

// fieldBits is a set of fields, a bit each by FieldID.
type fieldBits [(NumFields + 63) / 64]uint64

// fieldsByWord has, for every word of a key, the fields that have a bit there.
// The places of tun_metadata fields are a TLVTable's business.
var fieldsByWord = indexWords()

func indexWords() (byWord [NumWords]fieldBits) {
	for i := range Fields {
		p := &Fields[i].place
		if p.kind == placeUnbound {
			continue
		}
		first, last := int(p.off)/8, (int(p.off)+p.size()-1)/8
		for w := first; w <= last; w++ {
			byWord[w][i/64] |= 1 << (i % 64)
		}
	}
	return byWord
}

// size is the number of bytes of a key that hold the field.
func (p *place) size() int {
	switch p.kind {
	case placeU8:
		return 1
	case placeU16, placeVID, placePCP, placeLow8:
		return 2
	case placeU32, placePort16:
		return 4
	case placeBytes:
		return int(p.n)
	case placeQuad:
		return 16
	}
	return 8
}

// candidates are the fields that may have a bit in m: those that share a word
// with one that has.
func candidates(m *Mask) (s fieldBits) {
	for w, bits := range m.Words() {
		if bits != 0 {
			for i, b := range fieldsByWord[w] {
				s[i] |= b
			}
		}
	}
	return s
}

// each visits the fields of a set in the order of the table.
func (s *fieldBits) each(yield func(*Field) bool) {
	for i, b := range s {
		for ; b != 0; b &= b - 1 {
			if !yield(&Fields[64*i+bits.TrailingZeros64(b)]) {
				return
			}
		}
	}
}

// FieldsOf lists the fields of which a mask covers a bit, in the order of the
// table. Fields that share their place are all listed.
func FieldsOf(m *Mask) iter.Seq[*Field] {
	return func(yield func(*Field) bool) {
		s := candidates(m)
		s.each(func(f *Field) bool { return f.IsWild(m) || yield(f) })
	}
}
