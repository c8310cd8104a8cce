package flow

import (
	"encoding/binary"
	"math/bits"
)

// PackedMatch is a Match in little memory, comparable: equal for equal matches
// (of the same TLV table, which it leaves out).
type PackedMatch string

// bitmapWords is the number of 64-bit words of a bitmap of a mask's words.
const bitmapWords = (NumWords + 63) / 64

// AppendPacked appends the packed form of a match: a bitmap of the words of the
// mask that are not zero, and for each of them the mask and the key. Bits of
// the key outside the mask are left out.
func (m *Match) AppendPacked(dst []byte) []byte {
	at := len(dst)
	dst = append(dst, make([]byte, 8*bitmapWords)...)
	k, w := m.Key.Words(), m.Mask.Words()
	var set [bitmapWords]uint64
	for i, bits := range w {
		if bits != 0 {
			set[i/64] |= 1 << (i % 64)
			dst = binary.NativeEndian.AppendUint64(dst, bits)
			dst = binary.NativeEndian.AppendUint64(dst, k[i]&bits)
		}
	}
	for i, b := range set {
		binary.NativeEndian.PutUint64(dst[at+8*i:], b)
	}
	return dst
}

// Unpack writes the match to m, but for its TLV table.
func (p PackedMatch) Unpack(m *Match) {
	m.Key, m.Mask = Key{}, Mask{}
	k, w := m.Key.Words(), m.Mask.Words()
	b := []byte(p)
	values := b[8*bitmapWords:]
	for i := range bitmapWords {
		for set := binary.NativeEndian.Uint64(b[8*i:]); set != 0; set &= set - 1 {
			at := 64*i + bits.TrailingZeros64(set)
			w[at] = binary.NativeEndian.Uint64(values)
			k[at] = binary.NativeEndian.Uint64(values[8:])
			values = values[16:]
		}
	}
}

// Identity is the packed form of a match whose tunnel options may have another
// place in a match that says the same: they stand in it by number, with value
// and mask, and no mask where all of an option counts. It can't be unpacked.
func (m *Match) Identity() PackedMatch {
	if m.Mask.TunMetaPresent == 0 {
		return PackedMatch(m.AppendPacked(nil))
	}
	bare := *m
	var options []byte
	for i := range NumTunMeta {
		f := m.TLV.Field(i)
		if f == nil || !f.Present(&m.Mask) {
			continue
		}
		options = append(options, byte(i))
		options = append(options, hexText(f.Get(&m.Key))...)
		if mask := f.Get(&m.Mask); mask != f.exact || f.HasMask() {
			options = append(append(options, '/'), hexText(mask)...)
		}
		bare.Clear(f)
	}
	return PackedMatch(append(bare.AppendPacked(nil), options...))
}
