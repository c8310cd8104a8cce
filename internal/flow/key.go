// Package flow says what a packet is to the switch: the Key extracted from it,
// Masks and Matches over keys, the one table of match fields that parsing,
// printing and wire codecs share, and the text form of matches.
package flow

import (
	"unsafe"

	"weir/internal/packet"
)

// Sizes of the repeated parts of a Key.
const (
	NumRegs       = 32 // 32-bit registers (16 before Open vSwitch 3.7)
	NumTunMeta    = 64 // tun_metadata fields
	TunMetaBytes  = 256
	MaxVLANs      = 2 // VLAN tags kept in a Key
	MaxMPLSLabels = 3 // MPLS label stack entries kept in a Key
)

// VLANPresent is the CFI bit of a TCI; in a Key it says that the tag exists
// (a TCI of zero means "no tag").
const VLANPresent = 0x1000

// VLAN is one 802.1Q or 802.1ad tag, both members in host order.
type VLAN struct {
	TPID uint16
	TCI  uint16 // with VLANPresent set when the tag exists
}

// Tunnel is the outer header of a packet that came in, or is to go out,
// through a tunnel. All zero means "no tunnel". Integers are in host order.
type Tunnel struct {
	ID         uint64
	Src, Dst   uint32 // IPv4
	IPv6Src    [16]byte
	IPv6Dst    [16]byte
	Flags      uint16 // TunnelDF, TunnelCsum, TunnelKey, TunnelOAM
	TOS, TTL   uint8
	TpSrc      uint16
	TpDst      uint16
	GBPID      uint16
	GBPFlags   uint8
	ERSPANVer  uint8
	ERSPANIdx  uint32
	ERSPANDir  uint8
	ERSPANHwid uint8
	GTPUFlags  uint8
	GTPUMsg    uint8
	pad        uint32
}

// NSH is the Network Service Header (RFC 8300).
type NSH struct {
	Flags, TTL, MDType, NP uint8
	PathHdr                uint32 // SPI in the high 24 bits, SI in the low 8
	Context                [4]uint32
}

// Key is everything that OpenFlow can match on. Integers are in host order.
// A Mask has the same layout, one bits where a bit of the key counts.
//
// Layout: the members before the tunnel's options exist only in translation; the
// rest, from word FirstDatapathWord on, is what a data path extracts and
// looks up, and before it, from FirstOptionWord on, the options of those packets
// that have some. Within the datapath part, members stand in the order of the
// classifier's stages: metadata, L2, L3, L4. The struct has no padding, so it
// is comparable word by word (Words) and hashing never sees an undefined byte.
type Key struct {
	// Translation only.
	Regs         [NumRegs]uint32
	Metadata     uint64
	ActsetOutput uint32
	ConjID       uint32

	// Options of the tunnel. In translation and in OpenFlow matches, the values of
	// tun_metadata fields where a [TLVTable] has put them, and which of them there
	// are, a bit each. Inside a data path, the options as they stand in the header
	// (Options, SetOptions), and how many bytes they are.
	TunMetaPresent uint64
	TunMeta        [TunMetaBytes]byte

	// Stage metadata; the datapath part starts here.
	Tunnel      Tunnel
	SkbPriority uint32
	PktMark     uint32
	DPHash      uint32
	RecircID    uint32
	// InPort is an OpenFlow port in translation and in OpenFlow matches, a
	// datapath port inside a data path.
	InPort     uint32
	PacketType uint32 // namespace in the high 16 bits; 0 is Ethernet
	CTState    uint8
	CTNwProto  uint8
	CTZone     uint16
	CTMark     uint32
	CTLabel    [16]byte // network order: byte 0 most significant

	// Stage L2.
	EthDst  packet.MAC
	EthSrc  packet.MAC
	EthType uint16
	pad0    uint16
	VLANs   [MaxVLANs]VLAN // outermost first
	MPLS    [MaxMPLSLabels]uint32
	pad1    uint32

	// Stage L3.
	IPSrc, IPDst     uint32 // IPv4, and ARP spa/tpa
	IPv6Src, IPv6Dst [16]byte
	CTIPSrc, CTIPDst uint32 // original direction tuple
	CTIPv6Src        [16]byte
	CTIPv6Dst        [16]byte
	IPv6Label        uint32
	NwFrag           uint8 // FragAny, FragLater
	NwTOS            uint8
	NwTTL            uint8
	NwProto          uint8 // IP protocol, or the low 8 bits of the ARP opcode
	// Stage L4, with what else stands behind the network header.
	NDTarget       [16]byte
	ARPSHA, ARPTHA packet.MAC // ARP, or ND source and target link-layer address
	TCPFlags       uint16
	NDOptionsType  uint8
	pad2           uint8
	NDReserved     uint32
	pad3           uint32
	NSH            NSH

	TpSrc, TpDst     uint16 // TCP, UDP, SCTP ports, or ICMP type and code
	CTTpSrc, CTTpDst uint16
}

// L3PacketType is the packet type of packets without Ethernet header that begin with
// the header of an EtherType.
func L3PacketType(ethType uint16) uint32 { return 1<<16 | uint32(ethType) }

// Mask is a Key whose one bits say which bits of a Key count.
type Mask = Key

// Bits of Key.NwFrag and of the nw_frag field.
const (
	FragAny   = 1 // a fragment
	FragLater = 2 // not the first fragment
)

// Bits of Tunnel.Flags.
const (
	TunnelOAM  = 1 << 0
	TunnelDF   = 1 << 1
	TunnelCsum = 1 << 2
	TunnelKey  = 1 << 3
)

// Bits of Key.CTState (ovs-fields(7), ct_state).
const (
	CTNew  = 0x01
	CTEst  = 0x02
	CTRel  = 0x04
	CTRpl  = 0x08
	CTInv  = 0x10
	CTTrk  = 0x20
	CTSNAT = 0x40
	CTDNAT = 0x80
)

// Word positions in [Key.Words]. Stage i of a classifier looks at words
// [StageStart[i], StageStart[i+1]).
const (
	NumWords          = int(unsafe.Sizeof(Key{}) / 8)
	FirstDatapathWord = int(unsafe.Offsetof(Key{}.Tunnel) / 8)
	FirstOptionWord   = int(unsafe.Offsetof(Key{}.TunMetaPresent) / 8)
	firstL2Word       = int(unsafe.Offsetof(Key{}.EthDst) / 8)
	firstL3Word       = int(unsafe.Offsetof(Key{}.IPSrc) / 8)
	firstL4Word       = int(unsafe.Offsetof(Key{}.NDTarget) / 8)
)

// StageStart holds the first word of each stage, and the end.
var StageStart = [5]int{0, firstL2Word, firstL3Word, firstL4Word, NumWords}

// The compiler refuses these when a member breaks the alignment.
const (
	_ = -(unsafe.Sizeof(Key{}) % 8)
	_ = -(unsafe.Offsetof(Key{}.NDTarget) % 8)
	_ = -(unsafe.Offsetof(Key{}.Tunnel) % 8)
	_ = -(unsafe.Offsetof(Key{}.TunMetaPresent) % 8)
	_ = -(unsafe.Offsetof(Key{}.EthDst) % 8)
	_ = -(unsafe.Offsetof(Key{}.IPSrc) % 8)
	_ = -(unsafe.Offsetof(Key{}.TpSrc) % 8)
)

// Options are those of a data path's key, as they stand in a header, in the key's
// memory; empty if there are none.
func (k *Key) Options() []byte { return k.TunMeta[:min(k.TunMetaPresent, TunMetaBytes)] }

// SetOptions makes b, at most TunMetaBytes long, the options of a data path's key.
func (k *Key) SetOptions(b []byte) {
	if k.TunMetaPresent == 0 && len(b) == 0 {
		return
	}
	n := copy(k.TunMeta[:], b)
	clear(k.TunMeta[n:])
	k.TunMetaPresent = uint64(n)
}

// Words views the key as machine words, for masking and hashing.
func (k *Key) Words() *[NumWords]uint64 { return (*[NumWords]uint64)(unsafe.Pointer(k)) }
