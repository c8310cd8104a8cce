package packet

import (
	"encoding/binary"
	"math/bits"
)

// Sum adds the 16-bit big-endian words of b to a one's complement sum
// (RFC 1071) that [Fold] finishes. An odd last byte is padded with zero, so
// only the last piece of a packet may have an odd length.
func Sum(b []byte, sum uint64) uint64 {
	for len(b) >= 8 {
		var c uint64
		sum, c = bits.Add64(sum, binary.BigEndian.Uint64(b), 0)
		sum += c
		b = b[8:]
	}
	var rest uint64
	if len(b) >= 4 {
		rest += uint64(Be32(b))
		b = b[4:]
	}
	if len(b) >= 2 {
		rest += uint64(Be16(b))
		b = b[2:]
	}
	if len(b) == 1 {
		rest += uint64(b[0]) << 8
	}
	s, c := bits.Add64(sum, rest, 0)
	return s + c
}

// Fold reduces a sum to the 16 bits that stand in a checksum field: it folds
// the carries and complements.
func Fold(sum uint64) uint16 { return ^fold(sum) }

func fold(sum uint64) uint16 {
	sum = sum>>32 + sum&0xffffffff
	sum = sum>>32 + sum&0xffffffff
	sum = sum>>16 + sum&0xffff
	sum = sum>>16 + sum&0xffff
	return uint16(sum>>16 + sum&0xffff)
}

// Checksum is the Internet checksum of b.
func Checksum(b []byte) uint16 { return Fold(Sum(b, 0)) }

// PseudoIPv4 is the sum of the IPv4 pseudo header of TCP and UDP.
func PseudoIPv4(src, dst uint32, proto uint8, length int) uint64 {
	return uint64(src) + uint64(dst) + uint64(proto) + uint64(length)
}

// PseudoIPv6 is the sum of the IPv6 pseudo header (RFC 8200, 8.1).
func PseudoIPv6(src, dst []byte, proto uint8, length int) uint64 {
	return Sum(dst[:16], Sum(src[:16], uint64(proto)+uint64(length)))
}

// Update16 is the checksum csum after a 16-bit word of the data changed from
// old to new (RFC 1624, equation 3).
func Update16(csum, old, new uint16) uint16 {
	return Fold(uint64(^csum) + uint64(^old) + uint64(new))
}

// UpdateBytes is [Update16] for two slices of equal even length that start at
// an even offset of the data.
func UpdateBytes(csum uint16, old, new []byte) uint16 {
	o := fold(Sum(old, 0))
	n := fold(Sum(new, 0))
	return Update16(csum, o, n)
}

// UpdateUDP is [Update16] for UDP, where zero means "no checksum": an absent
// checksum stays absent, and a sum of zero is sent as 0xffff.
func UpdateUDP(csum, old, new uint16) uint16 {
	if csum == 0 {
		return 0
	}
	if csum = Update16(csum, old, new); csum == 0 {
		return 0xffff
	}
	return csum
}
