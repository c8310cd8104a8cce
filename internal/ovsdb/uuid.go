package ovsdb

import (
	"encoding/binary"
	"math/bits"
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
	n := len(dst)
	dst = append(dst, "00000000-0000-0000-0000-000000000000"...)
	b := (*[36]byte)(dst[n:])
	put := binary.LittleEndian.PutUint64
	put(b[:], hex(binary.BigEndian.Uint32(u[:])))
	middle, end := hex(binary.BigEndian.Uint32(u[4:])), hex(binary.BigEndian.Uint32(u[8:]))
	binary.LittleEndian.PutUint32(b[9:], uint32(middle))
	binary.LittleEndian.PutUint32(b[14:], uint32(middle>>32))
	binary.LittleEndian.PutUint32(b[19:], uint32(end))
	binary.LittleEndian.PutUint32(b[24:], uint32(end>>32))
	put(b[28:], hex(binary.BigEndian.Uint32(u[12:])))
	return dst
}

// hex returns the eight hexadecimal digits of x, the first one in the lowest byte.
func hex(x uint32) uint64 {
	v := uint64(bits.ReverseBytes32(x)) // a byte for each digit: first spread the bytes
	v = (v | v<<16) & 0x0000ffff0000ffff
	v = (v | v<<8) & 0x00ff00ff00ff00ff
	v = v>>4&0x000f000f000f000f | v&0x000f000f000f000f<<8
	letter := (v + 0x0606060606060606) >> 4 & 0x0101010101010101 // 1 from ten on
	return v + 0x3030303030303030 + letter*('a'-'0'-10)
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
