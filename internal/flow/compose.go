package flow

import (
	"weir/internal/packet"
)

// composePayload is the length of the payload of composed packets that carry
// one and for which the caller gave none.
const composePayload = 64

// Compose builds a frame that [Extract] reads back as k, as far as a frame can
// say it: for packets that people describe by their fields. A nil payload
// stands for 64 bytes counting up from 0, but nothing where TCP begins or ends
// a connection. Checksums are right.
func Compose(k *Key, payload []byte) []byte {
	const noData = packet.TCPSyn | packet.TCPFin | packet.TCPRst
	isTCP := k.NwProto == packet.ProtoTCP && (k.EthType == packet.EtherTypeIPv4 || k.EthType == packet.EtherTypeIPv6)
	if payload == nil && !(isTCP && k.TCPFlags&noData != 0) {
		payload = make([]byte, composePayload)
		for i := range payload {
			payload[i] = byte(i)
		}
	}
	c := composer{k: k, payload: payload}
	if k.PacketType == 0 {
		c.ethernet()
	}
	switch k.EthType {
	case packet.EtherTypeIPv4:
		c.ipv4()
	case packet.EtherTypeIPv6:
		c.ipv6()
	case packet.EtherTypeARP, packet.EtherTypeRARP:
		c.arp()
	case packet.EtherTypeMPLS, packet.EtherTypeMPLSM:
		c.mpls()
	case packet.EtherTypeNSH:
		c.nsh()
	case packet.EtherTypeNone:
		if k.PacketType == 0 {
			n := len(c.b)
			packet.PutBe16(c.b[n-2:], uint16(n))
		}
	}
	return c.b
}

// composer builds one frame in b.
type composer struct {
	k       *Key
	payload []byte
	b       []byte
}

func (c *composer) u8(v ...byte)       { c.b = append(c.b, v...) }
func (c *composer) u16(v uint16)       { c.b = append(c.b, byte(v>>8), byte(v)) }
func (c *composer) u32(v uint32)       { c.u16(uint16(v >> 16)); c.u16(uint16(v)) }
func (c *composer) put(v []byte)       { c.b = append(c.b, v...) }
func (c *composer) zeros(n int)        { c.b = append(c.b, make([]byte, n)...) }
func (c *composer) since(n int) []byte { return c.b[n:] }

func (c *composer) ethernet() {
	c.put(c.k.EthDst[:])
	c.put(c.k.EthSrc[:])
	for i, v := range c.k.VLANs {
		if v.TCI&VLANPresent == 0 {
			break
		}
		tpid := v.TPID
		if tpid == 0 {
			tpid = packet.EtherTypeVLAN
			if i == 0 && c.k.VLANs[1].TCI&VLANPresent != 0 {
				tpid = packet.EtherTypeQinQ
			}
		}
		c.u16(tpid)
		c.u16(v.TCI &^ VLANPresent)
	}
	c.u16(c.k.EthType)
}

func (c *composer) ipv4() {
	start := len(c.b)
	c.u8(0x45, c.k.NwTOS)
	c.u16(0)
	c.u16(0)
	switch {
	case c.k.NwFrag&FragLater != 0:
		c.u16(packet.IPv4MF | 100)
	case c.k.NwFrag&FragAny != 0:
		c.u16(packet.IPv4MF)
	default:
		c.u16(0)
	}
	c.u8(c.k.NwTTL, c.k.NwProto)
	c.u16(0)
	c.u32(c.k.IPSrc)
	c.u32(c.k.IPDst)
	l4 := len(c.b)
	csum := c.l4()
	n := len(c.b) - l4
	h := packet.IPv4(c.since(start))
	packet.PutBe16(h[2:], uint16(len(h)))
	h.SetChecksum(packet.Checksum(h[:packet.IPv4Len]))
	c.checksum(l4, csum, packet.PseudoIPv4(c.k.IPSrc, c.k.IPDst, c.k.NwProto, n))
}

func (c *composer) ipv6() {
	start := len(c.b)
	c.u32(6<<28 | uint32(c.k.NwTOS)<<20 | c.k.IPv6Label&0xfffff)
	c.u16(0)
	c.u8(c.k.NwProto, c.k.NwTTL)
	c.put(c.k.IPv6Src[:])
	c.put(c.k.IPv6Dst[:])
	l4 := len(c.b)
	csum := c.l4()
	n := len(c.b) - l4
	packet.PutBe16(c.b[start+4:], uint16(n))
	c.checksum(l4, csum, packet.PseudoIPv6(c.k.IPv6Src[:], c.k.IPv6Dst[:], c.k.NwProto, n))
}

// checksum fills the 16 bits at offset off of the header at l4; off is 0 where
// there is no checksum to fill. ICMP and IGMP have no pseudo header.
func (c *composer) checksum(l4, off int, pseudo uint64) {
	if off == 0 {
		return
	}
	if c.k.NwProto == packet.ProtoICMP || c.k.NwProto == packet.ProtoIGMP {
		pseudo = 0
	}
	s := packet.Fold(packet.Sum(c.b[l4:], pseudo))
	if s == 0 && c.k.NwProto == packet.ProtoUDP {
		s = 0xffff
	}
	packet.PutBe16(c.b[l4+off:], s)
}

// l4 writes the transport header and the payload; it returns where in the
// header the checksum stands.
func (c *composer) l4() int {
	if c.k.NwFrag&FragLater != 0 {
		return 0
	}
	v6 := c.k.EthType == packet.EtherTypeIPv6
	switch p := c.k.NwProto; {
	case p == packet.ProtoTCP:
		c.ports()
		c.zeros(8)
		c.u16(5<<12 | c.k.TCPFlags&0xfff)
		c.zeros(6)
		if c.k.TCPFlags&(packet.TCPSyn|packet.TCPFin|packet.TCPRst) == 0 {
			c.put(c.payload) // segments that open or end a connection are empty
		}
		return 16
	case p == packet.ProtoUDP:
		c.ports()
		c.u16(uint16(packet.UDPLen + len(c.payload)))
		c.u16(0)
		c.put(c.payload)
		return 6
	case p == packet.ProtoSCTP:
		c.ports()
		c.zeros(8)
	case p == packet.ProtoICMP && !v6:
		c.u8(byte(c.k.TpSrc), byte(c.k.TpDst))
		c.zeros(6)
		if c.k.TpSrc == packet.ICMPEchoReply || c.k.TpSrc == packet.ICMPEcho {
			c.put(c.payload)
		}
		return 2
	case p == packet.ProtoIGMP && !v6:
		c.u8(byte(c.k.TpSrc), byte(c.k.TpDst))
		c.zeros(6)
		return 2
	case p == packet.ProtoICMPv6 && v6:
		c.icmpv6()
		return 2
	}
	return 0
}

func (c *composer) ports() {
	c.u16(c.k.TpSrc)
	c.u16(c.k.TpDst)
}

func (c *composer) icmpv6() {
	k := c.k
	c.u8(byte(k.TpSrc), byte(k.TpDst))
	c.u16(0)
	if k.TpDst != 0 || k.TpSrc != packet.ICMPv6NeighborSolicit && k.TpSrc != packet.ICMPv6NeighborAdvert {
		c.u32(0)
		if k.TpSrc == packet.ICMPv6Echo || k.TpSrc == packet.ICMPv6EchoReply {
			c.put(c.payload)
		}
		return
	}
	c.u32(k.NDReserved)
	c.put(k.NDTarget[:])
	if k.TpSrc == packet.ICMPv6NeighborSolicit && !k.ARPSHA.IsZero() {
		c.u8(packet.NDOptSourceLinkAddress, 1)
		c.put(k.ARPSHA[:])
	}
	if k.TpSrc == packet.ICMPv6NeighborAdvert && !k.ARPTHA.IsZero() {
		c.u8(packet.NDOptTargetLinkAddress, 1)
		c.put(k.ARPTHA[:])
	}
}

func (c *composer) arp() {
	c.put([]byte{0, 1, 8, 0, 6, 4, 0, c.k.NwProto})
	c.put(c.k.ARPSHA[:])
	c.u32(c.k.IPSrc)
	c.put(c.k.ARPTHA[:])
	c.u32(c.k.IPDst)
}

func (c *composer) mpls() {
	for _, lse := range c.k.MPLS {
		c.u32(lse)
		if lse&0x100 != 0 {
			break
		}
	}
}

func (c *composer) nsh() {
	n := &c.k.NSH
	words := byte(2)
	if n.MDType == 1 {
		words = 6
	}
	c.u8(n.Flags<<4&0x30|n.TTL>>2&0xf, n.TTL<<6|words, n.MDType&0xf, n.NP)
	c.u32(n.PathHdr)
	if n.MDType == 1 {
		for _, w := range n.Context {
			c.u32(w)
		}
	}
}
