// Package packet holds header views over raw frames, addresses, checksums,
// packet builders, batches and the pcap format. It knows nothing of flows or
// switches; every higher floor builds on it.
package packet

import "net/netip"

// MAC is an Ethernet address in transmission order. It is comparable, so it
// can be a map key.
type MAC [6]byte

// Broadcast is ff:ff:ff:ff:ff:ff.
var Broadcast = MAC{0xff, 0xff, 0xff, 0xff, 0xff, 0xff}

// IsMulticast reports whether the group bit is set (IEEE 802-2014, 8.2.2);
// broadcast counts as multicast.
func (m MAC) IsMulticast() bool { return m[0]&1 != 0 }

// IsZero reports whether every byte is zero.
func (m MAC) IsZero() bool { return m == MAC{} }

// String gives the usual form, 00:11:22:aa:bb:cc.
func (m MAC) String() string {
	var b [17]byte
	return string(m.AppendTo(b[:0]))
}

// AppendTo appends what String gives.
func (m MAC) AppendTo(b []byte) []byte {
	const digits = "0123456789abcdef"
	for i, c := range m {
		if i > 0 {
			b = append(b, ':')
		}
		b = append(b, digits[c>>4], digits[c&15])
	}
	return b
}

// Uint64 gives the address as a 48-bit number, first byte most significant.
func (m MAC) Uint64() uint64 {
	return uint64(m[0])<<40 | uint64(m[1])<<32 | uint64(m[2])<<24 | uint64(m[3])<<16 | uint64(m[4])<<8 | uint64(m[5])
}

// MACFromUint64 is the inverse of [MAC.Uint64]; bits above 48 are ignored.
func MACFromUint64(v uint64) MAC {
	return MAC{byte(v >> 40), byte(v >> 32), byte(v >> 24), byte(v >> 16), byte(v >> 8), byte(v)}
}

// ParseMAC reads the usual form of an Ethernet address. Digits may be of
// either case and a byte may have one digit.
func ParseMAC(s string) (MAC, bool) {
	var m MAC
	n, digits := 0, 0
	for i := 0; i < len(s); i++ {
		c := s[i]
		switch {
		case c == ':' && digits > 0 && n < 5:
			n, digits = n+1, 0
			continue
		case c >= '0' && c <= '9':
			c -= '0'
		case c|0x20 >= 'a' && c|0x20 <= 'f':
			c = c | 0x20 - 'a' + 10
		default:
			return MAC{}, false
		}
		if digits++; digits > 2 {
			return MAC{}, false
		}
		m[n] = m[n]<<4 | c
	}
	return m, n == 5 && digits > 0
}

// IsReserved reports whether the address is in 01:80:c2:00:00:0x, which
// bridges don't forward (IEEE 802.1Q-2014, 8.6.3).
func (m MAC) IsReserved() bool {
	return m[0] == 1 && m[1] == 0x80 && m[2] == 0xc2 && m[3] == 0 && m[4] == 0 && m[5] < 0x10
}

// Addr4 is an IPv4 address in host byte order, as keys have it.
func Addr4(v uint32) netip.Addr {
	var b [4]byte
	PutBe32(b[:], v)
	return netip.AddrFrom4(b)
}
