package linux

import (
	"weir/internal/netdev"
	"weir/internal/packet"
)

// uncut reports whether a packet is a super-packet that the kernel would drop,
// since it can cut none but IP right behind Ethernet and tags (what it has for MPLS
// and NSH are modules, which it doesn't load by itself).
func uncut(p *netdev.Packet) bool {
	if p.Offload.GSOType == 0 {
		return false
	}
	b, at := p.Data(), packet.EthLen-2
	for {
		if at+2 > len(b) {
			return false
		}
		switch packet.Be16(b[at:]) {
		case packet.EtherTypeVLAN, packet.EtherTypeQinQ:
			at += packet.VLANLen
		case packet.EtherTypeIPv4, packet.EtherTypeIPv6:
			return false
		default:
			return true
		}
	}
}

// cutter cuts super-packets. The zero value is ready.
type cutter struct {
	seg netdev.Segmenter
	buf []byte
}

// cut sends the packets of a super-packet one by one, and reports whether all
// were sent; one that can't be cut is sent as it is.
func (c *cutter) cut(p *netdev.Packet, send func(*netdev.Packet) bool) bool {
	if c.seg.Start(p) != nil {
		return send(p)
	}
	if c.buf == nil {
		c.buf = make([]byte, netdev.MaxFrame)
	}
	for all := true; ; {
		n, payload, ok := c.seg.Next(c.buf[:netdev.MaxHeaders])
		if !ok {
			return all
		}
		one := netdev.Packet{Buf: c.buf, Len: n + copy(c.buf[n:], payload)}
		all = send(&one) && all
	}
}
