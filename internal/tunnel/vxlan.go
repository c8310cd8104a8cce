package tunnel

import (
	"weir/internal/flow"
	"weir/internal/packet"
)

// VXLANLen is the length of the VXLAN header (RFC 7348, section 5), which
// stands between the UDP header and the inner frame.
const VXLANLen = 8

// Flags of the first byte, and of the second with GBP.
const (
	vxlanFlag   = 0x08 // I, which must be set: the header has a VNI
	vxlanGPE    = 0x04 // P: the last reserved byte before the VNI is the next protocol (draft-ietf-nvo3-vxlan-gpe-13, 3)
	vxlanGBP    = 0x80 // G: bytes 2 and 3 are a group (draft-smith-vxlan-group-policy-05, 2)
	gbpDontLrn  = 0x40 // D
	gbpApplied  = 0x08 // A
	gbpAllFlags = gbpDontLrn | gbpApplied
)

// gpePackets are the next protocols of VXLAN-GPE with their packet types
// (draft-ietf-nvo3-vxlan-gpe-13, 3.1).
var gpePackets = [...]struct {
	next       uint8
	packetType uint32
}{
	{1, flow.L3PacketType(packet.EtherTypeIPv4)},
	{2, flow.L3PacketType(packet.EtherTypeIPv6)},
	{3, 0},
	{4, flow.L3PacketType(packet.EtherTypeNSH)},
}

// PutVXLAN writes a header with the VNI, of which 24 bits count.
func PutVXLAN(b *[VXLANLen]byte, vni uint32) {
	*b = [VXLANLen]byte{0: vxlanFlag}
	packet.PutBe32(b[4:], vni<<8)
}

// VXLAN reads the VNI of a header; ok is false if it isn't a header that this
// version of the protocol knows. Reserved bits are ignored, as it asks.
func VXLAN(b *[VXLANLen]byte) (vni uint32, ok bool) {
	return packet.Be32(b[4:]) >> 8, b[0]&vxlanFlag != 0
}

func appendVXLAN(b []byte, c *Config, o *Outer) ([]byte, error) {
	var h [VXLANLen]byte
	PutVXLAN(&h, uint32(o.Tunnel.ID))
	switch {
	case c.Has("gpe"):
		next, ok := gpeNext(o.PacketType)
		if !ok {
			return nil, ErrNoHeader
		}
		h[0] |= vxlanGPE
		h[3] = next
	case c.Has("gbp") && (o.Tunnel.GBPID != 0 || o.Tunnel.GBPFlags != 0):
		h[0] |= vxlanGBP
		h[1] = o.Tunnel.GBPFlags & gbpAllFlags
		packet.PutBe16(h[2:], o.Tunnel.GBPID)
	}
	return append(b, h[:]...), nil
}

func gpeNext(packetType uint32) (next uint8, ok bool) {
	for _, g := range gpePackets {
		if g.packetType == packetType {
			return g.next, true
		}
	}
	return 0, false
}

func gpePacketType(next uint8) (packetType uint32, ok bool) {
	for _, g := range gpePackets {
		if g.next == next {
			return g.packetType, true
		}
	}
	return 0, false
}

// popVXLAN reads a header with or without extensions: it says itself which it
// has.
func popVXLAN(b []byte, t *flow.Tunnel) (p Popped, err error) {
	if len(b) < VXLANLen {
		return p, ErrShort
	}
	h := (*[VXLANLen]byte)(b)
	vni, ok := VXLAN(h)
	if !ok {
		return p, ErrShim
	}
	t.ID, p.Len = uint64(vni), VXLANLen
	t.Flags |= flow.TunnelKey
	switch {
	case h[0]&vxlanGPE != 0:
		if p.PacketType, ok = gpePacketType(h[3]); !ok {
			return p, ErrShim
		}
	case h[0]&vxlanGBP != 0:
		t.GBPID, t.GBPFlags = packet.Be16(h[2:]), h[1]&gbpAllFlags
	}
	return p, nil
}
