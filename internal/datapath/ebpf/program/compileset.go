package program

import (
	"encoding/binary"

	"weir/internal/datapath"
	"weir/internal/flow"
	"weir/internal/packet"
)

// opSet changes two or four bytes of a header, keeping checksums right. Its
// aux is the flags below; its arg is, from the lowest bits, the offset from the
// header that the flags name (8 bits), the offset of the checksum from the
// layer-4 header (8) and the flags of bpf_l4_csum_replace (16). Word 1 is value
// and mask, each as it stands in the packet.
const (
	setLong  = 1 << 0 // four bytes, else two
	setL3    = 1 << 1 // counted from the network header
	setL4    = 1 << 2 // counted from the layer-4 header
	setSumIP = 1 << 3 // the IPv4 header's checksum covers it
	setSumL4 = 1 << 4 // the layer-4 checksum covers it
	setRaw   = 1 << 5 // no checksum in the packet covers it, only that of the whole packet
	setND    = 1 << 6 // counted from the address in the option that opNDOption found
	setIPv6  = 1 << 7 // only if the packet has a whole IPv6 header; setSumIP, an IPv4 header
)

// Flags of bpf_l4_csum_replace (linux/bpf.h).
const (
	csumPseudo   = 1 << 4 // BPF_F_PSEUDO_HDR
	csumMangled0 = 1 << 5 // BPF_F_MARK_MANGLED_0
	csumIPv6     = 1 << 7 // BPF_F_IPV6
)

// place says where bytes to set are and which checksums cover them.
type place struct {
	flags   uint16
	offset  int
	csum    int // offset of the layer-4 checksum, with setSumL4
	l4flags uint16
}

// set adds what changes the masked bytes of a field, which begins and ends at
// an even offset.
func (c *compiler) set(p place, value, mask []byte) {
	for i := 0; i < len(mask); {
		n, flags := 2, p.flags
		if i+4 <= len(mask) {
			n, flags = 4, p.flags|setLong
		}
		var v, m [4]byte
		copy(v[:n], value[i:])
		copy(m[:n], mask[i:])
		for j := range v {
			v[j] &= m[j]
		}
		if m != [4]byte{} {
			arg := uint32(p.offset+i) | uint32(p.csum)<<8 | uint32(p.l4flags|uint16(n))<<16
			c.add(op(opSet, 2, flags, arg), uint64(binary.LittleEndian.Uint32(v[:]))|uint64(binary.LittleEndian.Uint32(m[:]))<<32)
		}
		i += n
	}
}

// exact says that the flow's mask pins a member of the key.
func exact[T uint8 | uint16](mask T) bool { return mask == ^T(0) }

// onlyType says that all packets of the flow are of an EtherType, with their
// network header where extraction found it.
func (c *compiler) onlyType(types ...uint16) bool {
	if !exact(c.mask.EthType) || c.moved {
		return false
	}
	for _, t := range types {
		if c.key.EthType == t {
			return true
		}
	}
	return false
}

// l4Known says that all packets of the flow have the same protocol and none is
// a later fragment, or all are; l4 is false for these.
func (c *compiler) l4Known() (l4, known bool) {
	m := c.mask
	if !exact(m.NwProto) || m.NwFrag&flow.FragLater == 0 {
		return false, false
	}
	return c.key.NwFrag&flow.FragLater == 0, true
}

// pseudo says which checksum covers a pseudo header with the IP addresses.
func (c *compiler) pseudo(p *place) SlowWhy {
	l4, known := c.l4Known()
	if !known {
		return SlowMatch
	}
	if !l4 {
		return 0
	}
	v6 := c.key.EthType == packet.EtherTypeIPv6
	p.l4flags = csumPseudo
	switch c.key.NwProto {
	case packet.ProtoTCP:
		p.csum = 16
	case packet.ProtoUDP:
		p.csum, p.l4flags = 6, csumPseudo|csumMangled0
	case packet.ProtoICMPv6:
		if !v6 {
			return 0
		}
		p.csum = 2
	default:
		return 0
	}
	if v6 {
		if !c.kernel.CsumIPv6 {
			return SlowKernel
		}
		p.l4flags |= csumIPv6
	}
	p.flags |= setSumL4
	return 0
}

func (c *compiler) setEthernet(a *datapath.SetEthernet) {
	value := append(a.Dst[:len(a.Dst):len(a.Dst)], a.Src[:]...)
	mask := append(a.DstMask[:len(a.DstMask):len(a.DstMask)], a.SrcMask[:]...)
	c.set(place{}, value, mask)
}

func (c *compiler) setIPv4(a *datapath.SetIPv4) SlowWhy {
	if !c.onlyType(packet.EtherTypeIPv4) {
		return SlowMatch
	}
	p := place{flags: setL3 | setSumIP}
	c.set(p, []byte{0, a.TOS}, []byte{0, a.TOSMask})
	p.offset = 8
	c.set(p, []byte{a.TTL, 0}, []byte{a.TTLMask, 0})
	if a.SrcMask|a.DstMask == 0 {
		return 0
	}
	p.offset = 12
	if why := c.pseudo(&p); why != 0 {
		return why
	}
	be := binary.BigEndian.AppendUint32
	c.set(p, be(be(nil, a.Src), a.Dst), be(be(nil, a.SrcMask), a.DstMask))
	return 0
}

func (c *compiler) setIPv6(a *datapath.SetIPv6) SlowWhy {
	if !c.onlyType(packet.EtherTypeIPv6) {
		return SlowMatch
	}
	p := place{flags: setL3 | setRaw | setIPv6}
	be := binary.BigEndian.AppendUint32
	c.set(p, be(nil, uint32(a.TClass)<<20|a.Label&0xfffff), be(nil, uint32(a.TClassMask)<<20|a.LabelMask&0xfffff))
	p.offset = 6
	c.set(p, []byte{0, a.Hlimit}, []byte{0, a.HlimitMask})
	if a.SrcMask == [16]byte{} && a.DstMask == [16]byte{} {
		return 0
	}
	p = place{flags: setL3 | setIPv6, offset: 8}
	if why := c.pseudo(&p); why != 0 {
		return why
	}
	if p.flags&setSumL4 == 0 {
		p.flags |= setRaw
	}
	c.set(p, append(a.Src[:len(a.Src):len(a.Src)], a.Dst[:]...), append(a.SrcMask[:len(a.SrcMask):len(a.SrcMask)], a.DstMask[:]...))
	return 0
}

func (c *compiler) setL4(a *datapath.SetL4) SlowWhy {
	l4, known := c.l4Known()
	if !c.onlyType(packet.EtherTypeIPv4, packet.EtherTypeIPv6) || !known {
		return SlowMatch
	}
	if !l4 || c.key.NwProto != a.Proto {
		return 0
	}
	be := binary.BigEndian.AppendUint16
	value, mask := be(be(nil, a.Src), a.Dst), be(be(nil, a.SrcMask), a.DstMask)
	p := place{flags: setL4 | setSumL4}
	switch a.Proto {
	case packet.ProtoTCP:
		p.csum = 16
	case packet.ProtoUDP:
		p.csum, p.l4flags = 6, csumMangled0
	case packet.ProtoICMP, packet.ProtoICMPv6:
		if (a.Proto == packet.ProtoICMPv6) != (c.key.EthType == packet.EtherTypeIPv6) {
			return SlowMatch // whatever that is
		}
		p.csum = 2
		value, mask = []byte{byte(a.Src), byte(a.Dst)}, []byte{byte(a.SrcMask), byte(a.DstMask)}
	case packet.ProtoSCTP:
		le := binary.LittleEndian.Uint32
		for i := range value {
			value[i] &= mask[i]
		}
		version := uint16(4)
		if c.key.EthType == packet.EtherTypeIPv6 {
			version = 6
		}
		if c.done {
			return SlowNested
		}
		c.add(op(opSCTP, 3, version, 0), uint64(c.index)<<32, uint64(le(value))|uint64(le(mask))<<32)
		return 0
	default:
		return SlowAction
	}
	c.set(p, value, mask)
	return 0
}

func (c *compiler) setARP(a *datapath.SetARP) SlowWhy {
	if !c.onlyType(packet.EtherTypeARP, packet.EtherTypeRARP) {
		return SlowMatch
	}
	be16, be32 := binary.BigEndian.AppendUint16, binary.BigEndian.AppendUint32
	field := func(offset int, value, mask []byte) {
		c.set(place{flags: setL3 | setRaw, offset: offset}, value, mask)
	}
	field(6, be16(nil, a.Op), be16(nil, a.OpMask))
	field(8, a.SHA[:], a.SHAMask[:])
	field(14, be32(nil, a.SPA), be32(nil, a.SPAMask))
	field(18, a.THA[:], a.THAMask[:])
	field(24, be32(nil, a.TPA), be32(nil, a.TPAMask))
	return 0
}

// setND changes the target of a neighbour discovery message, and addresses in
// its options. Where a packet has too many of them, user space does it all: once
// more makes no difference.
func (c *compiler) setND(a *datapath.SetND) SlowWhy {
	m := c.mask
	l4, known := c.l4Known()
	if !c.onlyType(packet.EtherTypeIPv6) || !known || m.TpSrc&0xff != 0xff {
		return SlowMatch
	}
	if !l4 || c.key.NwProto != packet.ProtoICMPv6 || c.key.TpSrc != packet.ICMPv6NeighborSolicit && c.key.TpSrc != packet.ICMPv6NeighborAdvert {
		return 0
	}
	c.set(place{flags: setL4 | setSumL4, csum: 2, offset: 8}, a.Target[:], a.TargetMask[:])
	for _, o := range []struct {
		typ        uint32
		addr, mask packet.MAC
	}{{packet.NDOptSourceLinkAddress, a.SLL, a.SLLMask}, {packet.NDOptTargetLinkAddress, a.TLL, a.TLLMask}} {
		if !o.mask.IsZero() {
			if c.done {
				return SlowNested
			}
			c.add(op(opNDOption, 2, 0, o.typ), uint64(c.index)<<32)
			c.set(place{flags: setND | setSumL4, csum: 2}, o.addr[:], o.mask[:])
		}
	}
	return 0
}

func (c *compiler) setMPLS(a *datapath.SetMPLS) SlowWhy {
	if !c.onlyType(packet.EtherTypeMPLS, packet.EtherTypeMPLSM) {
		return SlowMatch
	}
	be := binary.BigEndian.AppendUint32
	c.set(place{flags: setL3 | setRaw}, be(nil, a.LSE), be(nil, a.Mask))
	return 0
}

// pushMPLS needs to know that the frame has a network header where the parser
// says, which is so if its type is one.
func (c *compiler) pushMPLS(a *datapath.PushMPLS) SlowWhy {
	if !exact(c.mask.EthType) || c.key.EthType < packet.EtherTypeMin {
		return SlowMatch
	}
	if c.key.EthType == packet.EtherTypeVLAN || c.key.EthType == packet.EtherTypeQinQ {
		return SlowMatch // a tag beyond the limit, which counts once others are popped
	}
	if c.done {
		return SlowNested
	}
	c.moved, c.typ, c.done = true, a.EthType, true
	lse := binary.LittleEndian.Uint32(binary.BigEndian.AppendUint32(nil, a.LSE))
	c.add(op(opPushMPLS, 2, a.EthType<<8|a.EthType>>8, lse), uint64(c.index)<<32)
	return 0
}

// popMPLS needs to know that there is a label.
func (c *compiler) popMPLS(a *datapath.PopMPLS) SlowWhy {
	typ := c.typ
	if !c.moved {
		if typ = c.key.EthType; !exact(c.mask.EthType) {
			return SlowMatch
		}
	}
	if typ != packet.EtherTypeMPLS && typ != packet.EtherTypeMPLSM {
		if typ == packet.EtherTypeVLAN || typ == packet.EtherTypeQinQ {
			return SlowMatch // a tag beyond the limit
		}
		return 0
	}
	if a.EthType < packet.EtherTypeMin {
		return SlowAction // what is a length is no type
	}
	if c.done {
		return SlowNested
	}
	c.moved, c.typ, c.done = true, a.EthType, true
	c.add(op(opPopMPLS, 2, a.EthType<<8|a.EthType>>8, 0), uint64(c.index)<<32)
	return 0
}
