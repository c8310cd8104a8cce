package flow

import (
	"math/big"
	"strconv"
	"strings"
)

// Operations on values of more than 128 bits, which only tun_metadata has.

func combine(v, w Value, op func(a, b byte) byte) Value {
	var a, b [MaxValueLen]byte
	v.PutBytes(a[:])
	w.PutBytes(b[:])
	for i := range a {
		a[i] = op(a[i], b[i])
	}
	return ValueFromBytes(a[:])
}

func onesWide(n int) Value {
	b := make([]byte, (n+7)/8)
	for i := range b {
		b[i] = 0xff
	}
	b[0] >>= uint(8*len(b) - n)
	return ValueFromBytes(b)
}

func (v Value) big() *big.Int {
	var b [MaxValueLen]byte
	v.PutBytes(b[:])
	return new(big.Int).SetBytes(b[:])
}

// valueFromBig takes the low bits of n that the longest value has.
func valueFromBig(n *big.Int) Value {
	b := n.Bytes()
	if len(b) > MaxValueLen {
		b = b[len(b)-MaxValueLen:]
	}
	return ValueFromBytes(b)
}

func shlWide(v Value, n int) Value { return valueFromBig(new(big.Int).Lsh(v.big(), uint(n))) }

func shrWide(v Value, n int) Value { return valueFromBig(new(big.Int).Rsh(v.big(), uint(n))) }

// ParseNumber reads a number as strtoull(3) does with base 0: in decimal, in
// hexadecimal after 0x (nothing after it is 0) or in octal after 0, where a
// sign counts within 64 bits. Hexadecimal ones may have up to the width of the
// longest field; fits is false beyond.
func ParseNumber(s string) (v Value, fits, ok bool) {
	s = strings.TrimSpace(s)
	negative := strings.HasPrefix(s, "-")
	if negative || strings.HasPrefix(s, "+") {
		s = s[1:]
	}
	digits, base := s, 10
	switch {
	case len(s) >= 2 && s[0] == '0' && s[1]|0x20 == 'x':
		if digits, base = s[2:], 16; digits == "" {
			return Value{}, true, true
		}
	case len(s) > 1 && s[0] == '0':
		digits, base = s[1:], 8
	}
	if n, err := strconv.ParseUint(digits, base, 64); err == nil {
		if negative {
			n = -n
		}
		return V(n), true, true
	}
	if digits == "" || digits[0] == '+' || digits[0] == '-' {
		return Value{}, false, false
	}
	n, ok := new(big.Int).SetString(digits, base)
	if !ok || negative || n.BitLen() > 8*MaxValueLen {
		return Value{}, false, ok
	}
	return valueFromBig(n), true, true
}
