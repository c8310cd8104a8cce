package ovsdb

import (
	"encoding/binary"
	"encoding/hex"
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

// Append appends the text form to dst.
func (u UUID) Append(dst []byte) []byte {
	var b [36]byte
	hex.Encode(b[0:8], u[0:4])
	b[8] = '-'
	hex.Encode(b[9:13], u[4:6])
	b[13] = '-'
	hex.Encode(b[14:18], u[6:8])
	b[18] = '-'
	hex.Encode(b[19:23], u[8:10])
	b[23] = '-'
	hex.Encode(b[24:36], u[10:16])
	return append(dst, b[:]...)
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
