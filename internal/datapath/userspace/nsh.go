package userspace

import (
	"weir/internal/datapath"
	"weir/internal/flow"
	"weir/internal/packet"
)

// Values of the next protocol of a Network Service Header (RFC 8300, 2.2).
const (
	nshIPv4     = 1
	nshIPv6     = 2
	nshEthernet = 3
	nshNSH      = 4
)

// pushNSH puts the header before the whole packet, which has no Ethernet
// header of its own from then on.
func pushNSH(st *state, a *datapath.PushNSH) {
	n := datapath.NSHType1Len
	if a.Header.MDType != 1 {
		n = datapath.NSHBaseLen + len(a.Metadata)
	}
	insert(st.pkt, 0, n)
	b := st.pkt.Data()[:n]
	h := &a.Header
	packet.PutBe16(b, nshVersionBits(h, n))
	b[2], b[3] = h.MDType, h.NP
	packet.PutBe32(b[4:], h.PathHdr)
	if h.MDType == 1 {
		for i, c := range h.Context {
			packet.PutBe32(b[8+4*i:], c)
		}
	} else {
		copy(b[datapath.NSHBaseLen:], a.Metadata)
	}
	st.key.PacketType = flow.L3PacketType(packet.EtherTypeNSH)
	st.stale = true
}

// nshVersionBits are the first two bytes: version 0, flags, TTL, and the
// length in units of four bytes.
func nshVersionBits(h *flow.NSH, n int) uint16 {
	return uint16(h.Flags&3)<<12 | uint16(h.TTL&0x3f)<<6 | uint16(n/4)
}

// nshHeader is the header of the packet, nil if it has none.
func nshHeader(st *state) []byte {
	at := st.offs.L3
	if st.key.EthType != packet.EtherTypeNSH || at < 0 || at+datapath.NSHBaseLen > st.pkt.Len {
		return nil
	}
	b := st.pkt.Data()[at:]
	n := int(b[1]&0x3f) * 4
	if n < datapath.NSHBaseLen || n > len(b) {
		return nil
	}
	return b[:n]
}

// popNSH takes the header off a packet that begins with it; false ends a
// packet of which it isn't known what follows.
func popNSH(st *state) bool {
	h := nshHeader(st)
	if h == nil || st.offs.L3 != 0 {
		return false
	}
	switch h[3] {
	case nshIPv4:
		st.key.PacketType = flow.L3PacketType(packet.EtherTypeIPv4)
	case nshIPv6:
		st.key.PacketType = flow.L3PacketType(packet.EtherTypeIPv6)
	case nshEthernet:
		st.key.PacketType = 0
	case nshNSH:
		st.key.PacketType = flow.L3PacketType(packet.EtherTypeNSH)
	default:
		return false
	}
	remove(st.pkt, 0, len(h))
	st.stale = true
	return true
}

func setNSH(st *state, a *datapath.SetNSH) {
	b := nshHeader(st)
	if b == nil {
		return
	}
	v, m := &a.Header, &a.Mask
	clear := nshVersionBits(m, 0)
	packet.PutBe16(b, packet.Be16(b)&^clear|nshVersionBits(v, 0)&clear)
	packet.PutBe32(b[4:], packet.Be32(b[4:])&^m.PathHdr|v.PathHdr&m.PathHdr)
	if b[2] != 1 || len(b) < datapath.NSHType1Len {
		return
	}
	for i := range m.Context {
		c := b[datapath.NSHBaseLen+4*i:]
		packet.PutBe32(c, packet.Be32(c)&^m.Context[i]|v.Context[i]&m.Context[i])
	}
}

// addMPLS puts a label stack entry before the whole packet.
func addMPLS(st *state, a *datapath.AddMPLS) {
	insert(st.pkt, 0, packet.MPLSLen)
	packet.PutBe32(st.pkt.Data(), a.LSE)
	st.key.PacketType = flow.L3PacketType(a.EthType)
	st.stale = true
}
