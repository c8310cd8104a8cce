package flow

import (
	"math/big"
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

// ParseNumber reads a number in decimal, or in hexadecimal after 0x, of up to
// the width of the longest value. fits is false for a longer one.
func ParseNumber(s string) (v Value, fits, ok bool) {
	n, ok := new(big.Int).SetString(s, 0)
	if !ok || n.Sign() < 0 || strings.Contains(s, "_") {
		return Value{}, false, false
	}
	if n.BitLen() > 8*MaxValueLen {
		return Value{}, false, true
	}
	return valueFromBig(n), true, true
}
