package packet

import "encoding/binary"

// The header types are views: slices of a frame that begin at the header.
// Callers check lengths before they look; accessors index without checking
// again, so a view shorter than its header panics.

// Be16 and its like read and write network byte order.
func Be16(b []byte) uint16 { return binary.BigEndian.Uint16(b) }

// Be32 reads 32 bits in network byte order.
func Be32(b []byte) uint32 { return binary.BigEndian.Uint32(b) }

// Be64 reads 64 bits in network byte order.
func Be64(b []byte) uint64 { return binary.BigEndian.Uint64(b) }

// PutBe16 writes 16 bits in network byte order.
func PutBe16(b []byte, v uint16) { binary.BigEndian.PutUint16(b, v) }

// PutBe32 writes 32 bits in network byte order.
func PutBe32(b []byte, v uint32) { binary.BigEndian.PutUint32(b, v) }

// Ethernet is an Ethernet II header.
type Ethernet []byte

// Dst is the destination address.
func (h Ethernet) Dst() MAC { return MAC(h[0:6]) }

// Src is the source address.
func (h Ethernet) Src() MAC { return MAC(h[6:12]) }

// Type is the type or length that follows the addresses; a VLAN tag's TPID
// where the frame is tagged.
func (h Ethernet) Type() uint16 { return Be16(h[12:14]) }

// SetDst sets the destination address.
func (h Ethernet) SetDst(m MAC) { copy(h[0:6], m[:]) }

// SetSrc sets the source address.
func (h Ethernet) SetSrc(m MAC) { copy(h[6:12], m[:]) }

// SetType sets the type.
func (h Ethernet) SetType(t uint16) { PutBe16(h[12:14], t) }

// IPv4 is an IPv4 header (RFC 791).
type IPv4 []byte

// Version is 4 in a sound header.
func (h IPv4) Version() int { return int(h[0] >> 4) }

// HeaderLen is the length with options, in bytes.
func (h IPv4) HeaderLen() int { return int(h[0]&0xf) * 4 }

// TOS is DSCP and ECN.
func (h IPv4) TOS() uint8 { return h[1] }

// TotalLen is the length of header and payload.
func (h IPv4) TotalLen() int { return int(Be16(h[2:4])) }

// ID is the identification.
func (h IPv4) ID() uint16 { return Be16(h[4:6]) }

// FragOff is the word of flags and fragment offset.
func (h IPv4) FragOff() uint16 { return Be16(h[6:8]) }

// TTL is the time to live.
func (h IPv4) TTL() uint8 { return h[8] }

// Proto is the protocol of the payload.
func (h IPv4) Proto() uint8 { return h[9] }

// Checksum is the header checksum.
func (h IPv4) Checksum() uint16 { return Be16(h[10:12]) }

// SetChecksum sets the header checksum.
func (h IPv4) SetChecksum(c uint16) { PutBe16(h[10:12], c) }

// Src is the source address in host order.
func (h IPv4) Src() uint32 { return Be32(h[12:16]) }

// Dst is the destination address in host order.
func (h IPv4) Dst() uint32 { return Be32(h[16:20]) }

// Bits of IPv4.FragOff.
const (
	IPv4DF      = 0x4000
	IPv4MF      = 0x2000
	IPv4OffMask = 0x1fff
)

// IPv6 is the fixed IPv6 header (RFC 8200).
type IPv6 []byte

// VersionClassLabel is the first word: version, traffic class, flow label.
func (h IPv6) VersionClassLabel() uint32 { return Be32(h[0:4]) }

// Version is 6 in a sound header.
func (h IPv6) Version() int { return int(h[0] >> 4) }

// TrafficClass is DSCP and ECN.
func (h IPv6) TrafficClass() uint8 { return h[0]<<4 | h[1]>>4 }

// FlowLabel is the 20-bit flow label.
func (h IPv6) FlowLabel() uint32 { return Be32(h[0:4]) & 0xfffff }

// PayloadLen is the length of all that follows the fixed header.
func (h IPv6) PayloadLen() int { return int(Be16(h[4:6])) }

// NextHeader is the type of the first header after this one.
func (h IPv6) NextHeader() uint8 { return h[6] }

// HopLimit is the hop limit.
func (h IPv6) HopLimit() uint8 { return h[7] }

// Src is the source address.
func (h IPv6) Src() [16]byte { return [16]byte(h[8:24]) }

// Dst is the destination address.
func (h IPv6) Dst() [16]byte { return [16]byte(h[24:40]) }

// TCP is a TCP header (RFC 9293).
type TCP []byte

// SrcPort is the source port.
func (h TCP) SrcPort() uint16 { return Be16(h[0:2]) }

// DstPort is the destination port.
func (h TCP) DstPort() uint16 { return Be16(h[2:4]) }

// Seq is the sequence number.
func (h TCP) Seq() uint32 { return Be32(h[4:8]) }

// HeaderLen is the length with options, in bytes.
func (h TCP) HeaderLen() int { return int(h[12]>>4) * 4 }

// Flags are the low 12 bits of the word of data offset and flags.
func (h TCP) Flags() uint16 { return Be16(h[12:14]) & 0xfff }

// Checksum is the checksum.
func (h TCP) Checksum() uint16 { return Be16(h[16:18]) }

// SetChecksum sets the checksum.
func (h TCP) SetChecksum(c uint16) { PutBe16(h[16:18], c) }

// UDP is a UDP header (RFC 768).
type UDP []byte

// SrcPort is the source port.
func (h UDP) SrcPort() uint16 { return Be16(h[0:2]) }

// DstPort is the destination port.
func (h UDP) DstPort() uint16 { return Be16(h[2:4]) }

// Len is the length of header and payload.
func (h UDP) Len() int { return int(Be16(h[4:6])) }

// Checksum is the checksum; 0 means none in IPv4.
func (h UDP) Checksum() uint16 { return Be16(h[6:8]) }

// SetChecksum sets the checksum.
func (h UDP) SetChecksum(c uint16) { PutBe16(h[6:8], c) }

// ARP is an ARP packet for IPv4 over Ethernet (RFC 826).
type ARP []byte

// Op is the opcode.
func (h ARP) Op() uint16 { return Be16(h[6:8]) }

// SHA is the sender's hardware address.
func (h ARP) SHA() MAC { return MAC(h[8:14]) }

// SPA is the sender's protocol address.
func (h ARP) SPA() uint32 { return Be32(h[14:18]) }

// THA is the target's hardware address.
func (h ARP) THA() MAC { return MAC(h[18:24]) }

// TPA is the target's protocol address.
func (h ARP) TPA() uint32 { return Be32(h[24:28]) }

// IsEthernetIPv4 reports whether the packet resolves IPv4 to Ethernet
// addresses, the only kind that the accessors can read.
func (h ARP) IsEthernetIPv4() bool {
	return Be16(h[0:2]) == 1 && Be16(h[2:4]) == EtherTypeIPv4 && h[4] == 6 && h[5] == 4
}
