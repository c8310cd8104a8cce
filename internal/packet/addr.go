// Package packet holds header views over raw frames, addresses, checksums,
// packet builders, batches and the pcap format. It knows nothing of flows or
// switches; every higher floor builds on it.
package packet

import "fmt"

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
	return fmt.Sprintf("%02x:%02x:%02x:%02x:%02x:%02x", m[0], m[1], m[2], m[3], m[4], m[5])
}

// Uint64 gives the address as a 48-bit number, first byte most significant.
func (m MAC) Uint64() uint64 {
	return uint64(m[0])<<40 | uint64(m[1])<<32 | uint64(m[2])<<24 | uint64(m[3])<<16 | uint64(m[4])<<8 | uint64(m[5])
}

// MACFromUint64 is the inverse of [MAC.Uint64]; bits above 48 are ignored.
func MACFromUint64(v uint64) MAC {
	return MAC{byte(v >> 40), byte(v >> 32), byte(v >> 24), byte(v >> 16), byte(v >> 8), byte(v)}
}
