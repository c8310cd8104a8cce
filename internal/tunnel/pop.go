package tunnel

import (
	"errors"

	"weir/internal/flow"
	"weir/internal/packet"
)

// Popped says what stands behind outer headers.
type Popped struct {
	Len        int    // of the outer headers
	PacketType uint32 // of the inner packet, as in flow.Key
	// Options are those of Geneve, in the frame's memory.
	Options []byte
}

// Errors of [Kind.Pop].
var (
	ErrShort    = errors.New("too short for the outer headers")
	ErrChecksum = errors.New("an outer checksum is wrong")
	ErrShim     = errors.New("a header that this version of the protocol doesn't know")
	ErrKind     = errors.New("not of this kind of tunnel")
)

// Pop reads the outer headers of a frame, into t as its receiver sees them. o
// says where the frame's headers are. trusted says that the outer checksum of
// UDP was seen to already.
func (k *Kind) Pop(frame []byte, o *flow.Offsets, trusted bool, t *flow.Tunnel) (p Popped, err error) {
	if k.popShim == nil {
		return p, ErrKind
	}
	if o.L3 < 0 || o.L4 < 0 || o.Len > len(frame) || o.L4 >= o.Len {
		return p, ErrShort
	}
	*t = flow.Tunnel{}
	ip := frame[o.L3:o.L4]
	switch {
	case len(ip) >= packet.IPv6Len && ip[0]>>4 == 6:
		h := packet.IPv6(ip)
		t.IPv6Src, t.IPv6Dst, t.TOS, t.TTL = h.Src(), h.Dst(), h.TrafficClass(), h.HopLimit()
	case len(ip) >= packet.IPv4Len && ip[0]>>4 == 4:
		h := packet.IPv4(ip)
		if packet.Checksum(ip[:h.HeaderLen()]) != 0 {
			return p, ErrChecksum
		}
		t.Src, t.Dst, t.TOS, t.TTL = h.Src(), h.Dst(), h.TOS(), h.TTL()
	default:
		return p, ErrShort
	}
	l4 := frame[o.L4:o.Len]
	at := o.L4
	if k.proto == packet.ProtoUDP {
		if err := popUDP(l4, ip, trusted, t); err != nil {
			return p, err
		}
		l4 = l4[packet.UDPLen:]
		at += packet.UDPLen
	}
	p, err = k.popShim(l4, t)
	p.Len += at
	return p, err
}

// PopShim reads the header of a kind of tunnel that is UDP's, from what follows
// the UDP header.
func (k *Kind) PopShim(b []byte, t *flow.Tunnel) (Popped, error) {
	if k.popShim == nil || k.proto != packet.ProtoUDP {
		return Popped{}, ErrKind
	}
	return k.popShim(b, t)
}

func popUDP(l4, ip []byte, trusted bool, t *flow.Tunnel) error {
	if len(l4) < packet.UDPLen {
		return ErrShort
	}
	udp := packet.UDP(l4)
	t.TpSrc, t.TpDst = udp.SrcPort(), udp.DstPort()
	if udp.Checksum() == 0 {
		return nil
	}
	t.Flags |= flow.TunnelCsum
	if trusted {
		return nil
	}
	var pseudo uint64
	if ip[0]>>4 == 6 {
		pseudo = packet.PseudoIPv6(ip[8:24], ip[24:40], packet.ProtoUDP, len(l4))
	} else {
		pseudo = packet.PseudoIPv4(t.Src, t.Dst, packet.ProtoUDP, len(l4))
	}
	if packet.Fold(packet.Sum(l4, pseudo)) != 0 {
		return ErrChecksum
	}
	return nil
}

// innerType is the packet type of what follows a header with this EtherType.
func innerType(ethType uint16) uint32 {
	if ethType == packet.EtherTypeTEB {
		return 0
	}
	return flow.L3PacketType(ethType)
}

// outerType is the EtherType by which a header announces a packet type.
func outerType(packetType uint32) uint16 {
	if packetType == 0 {
		return packet.EtherTypeTEB
	}
	return uint16(packetType)
}

// ipType is the packet type of an IP packet, which begins with its version.
func ipType(b []byte) (uint32, error) {
	if len(b) == 0 {
		return 0, ErrShort
	}
	switch b[0] >> 4 {
	case 4:
		return flow.L3PacketType(packet.EtherTypeIPv4), nil
	case 6:
		return flow.L3PacketType(packet.EtherTypeIPv6), nil
	}
	return 0, ErrShim
}
