package flow

import (
	"encoding/binary"
	"math/bits"
)

// Value is the value or mask of a field of up to 128 bits, right-aligned.
// tun_metadata fields longer than 128 bits are not representable in it.
type Value struct{ Hi, Lo uint64 }

// V makes a value of up to 64 bits.
func V(lo uint64) Value { return Value{Lo: lo} }

// Ones is the value whose low n bits are one.
func Ones(n int) Value {
	switch {
	case n >= 128:
		return Value{^uint64(0), ^uint64(0)}
	case n > 64:
		return Value{1<<(n-64) - 1, ^uint64(0)}
	case n == 64:
		return Value{0, ^uint64(0)}
	}
	return Value{0, 1<<n - 1}
}

// And is the bitwise and.
func (v Value) And(w Value) Value { return Value{v.Hi & w.Hi, v.Lo & w.Lo} }

// AndNot clears the bits of w.
func (v Value) AndNot(w Value) Value { return Value{v.Hi &^ w.Hi, v.Lo &^ w.Lo} }

// Or is the bitwise or.
func (v Value) Or(w Value) Value { return Value{v.Hi | w.Hi, v.Lo | w.Lo} }

// Shl shifts left by n bits.
func (v Value) Shl(n int) Value {
	if n >= 64 {
		return Value{v.Lo << (n - 64), 0}
	}
	return Value{v.Hi<<n | v.Lo>>(64-n), v.Lo << n}
}

// Shr shifts right by n bits.
func (v Value) Shr(n int) Value {
	if n >= 64 {
		return Value{0, v.Hi >> (n - 64)}
	}
	return Value{v.Hi >> n, v.Lo>>n | v.Hi<<(64-n)}
}

// IsZero reports whether all bits are zero.
func (v Value) IsZero() bool { return v.Hi|v.Lo == 0 }

// Bit reports bit i.
func (v Value) Bit(i int) bool { return v.Shr(i).Lo&1 != 0 }

// Len is the number of bits up to the highest that is one.
func (v Value) Len() int {
	if v.Hi != 0 {
		return 64 + bits.Len64(v.Hi)
	}
	return bits.Len64(v.Lo)
}

// PutBytes writes the low len(b) bytes, most significant first.
func (v Value) PutBytes(b []byte) {
	var w [16]byte
	binary.BigEndian.PutUint64(w[0:], v.Hi)
	binary.BigEndian.PutUint64(w[8:], v.Lo)
	if n := len(b) - 16; n > 0 {
		clear(b[:n])
		b = b[n:]
	}
	copy(b, w[16-len(b):])
}

// ValueFromBytes reads up to 16 bytes, most significant first; of more, the
// last 16 count.
func ValueFromBytes(b []byte) Value {
	var w [16]byte
	if len(b) > 16 {
		b = b[len(b)-16:]
	}
	copy(w[16-len(b):], b)
	return Value{binary.BigEndian.Uint64(w[0:]), binary.BigEndian.Uint64(w[8:])}
}
