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

// matched are the fields of which a bit counts in m.
func matched(m *Mask) (s fieldBits) {
	w := m.Words()
	for i, bits := range w {
		if bits != 0 {
			for j, b := range fieldsByWord[i] {
				s[j] |= b
			}
		}
	}
	for i := range s {
		for b := s[i]; b != 0; b &= b - 1 {
			id := 64*i + bits.TrailingZeros64(b)
			wild := false
			if o := &oneWord[id]; o.mask != 0 {
				wild = w[o.word]&o.mask == 0
			} else {
				wild = Fields[id].IsWild(m)
			}
			if wild {
				s[i] &^= b & -b
			}
		}
	}
	return s
}

// oneWord has, for fields within one word of a key, the word and their bits
// there.
var oneWord = indexOneWord()

func indexOneWord() (out [NumFields]struct {
	word int
	mask uint64
}) {
	for i := range Fields {
		p := &Fields[i].place
		word := int(p.off) / 8
		if p.kind == placeUnbound || p.kind == placePair || p.kind == placeQuad || (int(p.off)+p.size()-1)/8 != word {
			continue
		}
		var m Mask
		if p.kind == placeBytes {
			for j := range p.bytes(&m) {
				p.bytes(&m)[j] = 0xff
			}
		} else {
			p.setRaw(&m, p.mask)
		}
		out[i].word, out[i].mask = word, m.Words()[word]
	}
	return out
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
		s := matched(m)
		s.each(yield)
	}
}
