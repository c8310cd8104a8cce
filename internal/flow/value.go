package flow

import (
	"encoding/binary"
	"math/bits"
	"strings"
)

// Value is the value or mask of a field, right-aligned. All but tun_metadata
// fields fit 128 bits; what those have above is out of line, so that a Value
// stays small and comparable.
type Value struct {
	Hi, Lo uint64
	// wide holds the bytes above the low 16, most significant first, without
	// leading zeros.
	wide string
}

// MaxValueLen is the length of the longest value in bytes: that of a Geneve
// option's body.
const MaxValueLen = 124

// V makes a value of up to 64 bits.
func V(lo uint64) Value { return Value{Lo: lo} }

// Ones is the value whose low n bits are one.
func Ones(n int) Value {
	switch {
	case n > 128:
		return onesWide(n)
	case n == 128:
		return Value{Hi: ^uint64(0), Lo: ^uint64(0)}
	case n > 64:
		return Value{Hi: 1<<(n-64) - 1, Lo: ^uint64(0)}
	case n == 64:
		return Value{Lo: ^uint64(0)}
	}
	return Value{Lo: 1<<n - 1}
}

// And is the bitwise and.
func (v Value) And(w Value) Value {
	if v.wide != "" && w.wide != "" {
		return combine(v, w, func(a, b byte) byte { return a & b })
	}
	return Value{Hi: v.Hi & w.Hi, Lo: v.Lo & w.Lo}
}

// AndNot clears the bits of w.
func (v Value) AndNot(w Value) Value {
	if v.wide != "" {
		return combine(v, w, func(a, b byte) byte { return a &^ b })
	}
	return Value{Hi: v.Hi &^ w.Hi, Lo: v.Lo &^ w.Lo}
}

// Or is the bitwise or.
func (v Value) Or(w Value) Value {
	if v.wide != "" || w.wide != "" {
		return combine(v, w, func(a, b byte) byte { return a | b })
	}
	return Value{Hi: v.Hi | w.Hi, Lo: v.Lo | w.Lo}
}

// Shl shifts left by n bits.
func (v Value) Shl(n int) Value {
	switch {
	case v.Len()+n > 128 && !v.IsZero():
		return shlWide(v, n)
	case n >= 64:
		return Value{Hi: v.Lo << (n - 64)}
	}
	return Value{Hi: v.Hi<<n | v.Lo>>(64-n), Lo: v.Lo << n}
}

// Shr shifts right by n bits.
func (v Value) Shr(n int) Value {
	switch {
	case v.wide != "":
		return shrWide(v, n)
	case n >= 64:
		return Value{Lo: v.Hi >> (n - 64)}
	}
	return Value{Hi: v.Hi >> n, Lo: v.Lo>>n | v.Hi<<(64-n)}
}

// IsZero reports whether all bits are zero.
func (v Value) IsZero() bool { return v.Hi|v.Lo == 0 && v.wide == "" }

// Bit reports bit i.
func (v Value) Bit(i int) bool { return v.Shr(i).Lo&1 != 0 }

// Len is the number of bits up to the highest that is one.
func (v Value) Len() int {
	switch {
	case v.wide != "":
		return 128 + 8*(len(v.wide)-1) + bits.Len8(v.wide[0])
	case v.Hi != 0:
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
		if m := len(v.wide); m > n {
			copy(b, v.wide[m-n:])
		} else {
			copy(b[n-m:], v.wide)
		}
		b = b[n:]
	}
	copy(b, w[16-len(b):])
}

// ValueFromBytes reads bytes, most significant first.
func ValueFromBytes(b []byte) Value {
	var v Value
	if n := len(b) - 16; n > 0 {
		v.wide = strings.TrimLeft(string(b[:n]), "\x00")
		b = b[n:]
	}
	var w [16]byte
	copy(w[16-len(b):], b)
	v.Hi, v.Lo = binary.BigEndian.Uint64(w[0:]), binary.BigEndian.Uint64(w[8:])
	return v
}
