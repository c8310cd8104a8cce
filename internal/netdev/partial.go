package netdev

import "weir/internal/packet"

// FindPartial sets the packet's offload if its checksum is only the sum of the
// pseudo header, as a sender on this machine leaves it to be completed further
// on. Where packets come out of UDP datagrams, nothing else says so. A packet
// whose right checksum happens to be that gets it anew, which changes nothing.
func FindPartial(p *Packet) {
	b := p.Data()
	if len(b) < packet.EthLen {
		return
	}
	l3, typ := packet.EthLen, packet.Be16(b[12:])
	for (typ == packet.EtherTypeVLAN || typ == packet.EtherTypeQinQ) && len(b) >= l3+packet.VLANLen {
		typ = packet.Be16(b[l3+2:])
		l3 += packet.VLANLen
	}
	var l4, end int
	var proto uint8
	var pseudo uint64
	switch ip := b[l3:]; {
	case typ == packet.EtherTypeIPv4 && len(ip) >= 20:
		h := packet.IPv4(ip)
		l4, end, proto = l3+h.HeaderLen(), l3+h.TotalLen(), h.Proto()
		if h.FragOff()&(packet.IPv4MF|packet.IPv4OffMask) != 0 {
			return
		}
		pseudo = packet.PseudoIPv4(h.Src(), h.Dst(), proto, end-l4)
	case typ == packet.EtherTypeIPv6 && len(ip) >= 40:
		h := packet.IPv6(ip)
		l4, end, proto = l3+40, l3+40+h.PayloadLen(), h.NextHeader()
		pseudo = packet.PseudoIPv6(ip[8:24], ip[24:40], proto, end-l4)
	default:
		return
	}
	offset, size := 16, 20
	if proto == packet.ProtoUDP {
		offset, size = 6, packet.UDPLen
	} else if proto != packet.ProtoTCP {
		return
	}
	if end > len(b) || end < l4+size || l4 < l3+20 {
		return
	}
	if packet.Be16(b[l4+offset:]) == ^packet.Fold(pseudo) {
		p.Offload = Offload{Flags: NeedsCsum, CsumStart: uint16(l4), CsumOff: uint16(offset)}
		if proto == packet.ProtoTCP && end-l3 > usualMTU {
			segment(p, l3, l4, typ == packet.EtherTypeIPv6)
		}
	}
}

// usualMTU is that of Ethernet.
const usualMTU = 1500

// segment has a super-packet of TCP cut into packets for Ethernet. Its sender's
// own segment size is not known; to TCP, a stream of bytes, another is as good.
func segment(p *Packet, l3, l4 int, v6 bool) {
	headers := l4 - l3 + packet.TCP(p.Data()[l4:]).HeaderLen()
	o := &p.Offload
	o.GSOType, o.GSOSize, o.HdrLen = gsoTCPv4, uint16(usualMTU-headers), uint16(l3+headers)
	if v6 {
		o.GSOType = gsoTCPv6
	}
}
