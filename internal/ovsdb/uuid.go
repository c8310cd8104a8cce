package ovsdb

import (
	"encoding/binary"
	"math/rand/v2"
)

// UUID is the identity of a row, its bytes in the order they are printed.
type UUID [16]byte

// NewUUID returns a random (version 4) UUID, RFC 4122 section 4.4.
func NewUUID() UUID {
	var u UUID
	binary.LittleEndian.PutUint64(u[:8], rand.Uint64())
	binary.LittleEndian.PutUint64(u[8:], rand.Uint64())
	u[6] = u[6]&0x0f | 0x40
	u[8] = u[8]&0x3f | 0x80
	return u
}

// IsZero reports whether u is all zeros, the default of a UUID column.
func (u UUID) IsZero() bool { return u == UUID{} }

// String returns the form 550e8400-e29b-41d4-a716-446655440000.
func (u UUID) String() string { return string(u.Append(nil)) }

// hexPairs are the two digits of each byte.
const hexPairs = "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f" +
	"202122232425262728292a2b2c2d2e2f303132333435363738393a3b3c3d3e3f" +
	"404142434445464748494a4b4c4d4e4f505152535455565758595a5b5c5d5e5f" +
	"606162636465666768696a6b6c6d6e6f707172737475767778797a7b7c7d7e7f" +
	"808182838485868788898a8b8c8d8e8f909192939495969798999a9b9c9d9e9f" +
	"a0a1a2a3a4a5a6a7a8a9aaabacadaeafb0b1b2b3b4b5b6b7b8b9babbbcbdbebf" +
	"c0c1c2c3c4c5c6c7c8c9cacbcccdcecfd0d1d2d3d4d5d6d7d8d9dadbdcdddedf" +
	"e0e1e2e3e4e5e6e7e8e9eaebecedeeeff0f1f2f3f4f5f6f7f8f9fafbfcfdfeff"

// Append appends the text form to dst.
func (u UUID) Append(dst []byte) []byte {
	n := len(dst)
	dst = append(dst, "00000000-0000-0000-0000-000000000000"...)
	b := (*[36]byte)(dst[n:])
	at := 0
	for i, v := range u {
		b[at], b[at+1] = hexPairs[2*int(v)], hexPairs[2*int(v)+1]
		at += 2
		if i == 3 || i == 5 || i == 7 || i == 9 {
			at++
		}
	}
	return dst
}

// ParseUUID parses the text form, whose digits may be in either case.
func ParseUUID[T string | []byte](s T) (UUID, bool) {
	var u UUID
	if len(s) != 36 || UUIDPrefixLen(s) != 36 {
		return u, false
	}
	n := 0
	for i := 0; i < 36; i++ {
		if s[i] == '-' {
			continue
		}
		d := hexValue(s[i])
		if n%2 == 0 {
			u[n/2] = d << 4
		} else {
			u[n/2] |= d
		}
		n++
	}
	return u, true
}

// UUIDPrefixLen returns how many bytes at the beginning of s look like the
// beginning of a UUID's text form: 36 for a whole UUID.
func UUIDPrefixLen[T string | []byte](s T) int {
	for i := 0; i < len(s); i++ {
		switch {
		case i == 36:
			return 36
		case i == 8 || i == 13 || i == 18 || i == 23:
			if s[i] != '-' {
				return i
			}
		case hexValue(s[i]) > 15:
			return i
		}
	}
	return len(s)
}

func hexValue(c byte) byte {
	switch {
	case c >= '0' && c <= '9':
		return c - '0'
	case c >= 'a' && c <= 'f':
		return c - 'a' + 10
	case c >= 'A' && c <= 'F':
		return c - 'A' + 10
	}
	return 255
}
