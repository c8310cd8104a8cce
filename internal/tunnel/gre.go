package tunnel

import (
	"weir/internal/flow"
	"weir/internal/packet"
)

// greLen is the length of a GRE header without optional fields (RFC 2784, 2).
const greLen = 4

// Flags of GRE (RFC 2784, 2.1; RFC 2890, 2). The others must be 0, or belong to
// RFC 1701's routing, which nobody uses.
const (
	greCsum  = 0x8000
	greKey   = 0x2000
	greSeq   = 0x1000
	greKnown = greCsum | greKey | greSeq
)

// greHeaderLen is the length of a header with these flags.
func greHeaderLen(flags uint16) int {
	n := greLen
	for _, f := range [...]uint16{greCsum, greKey, greSeq} {
		if flags&f != 0 {
			n += 4
		}
	}
	return n
}

func appendGRE(b []byte, c *Config, o *Outer) ([]byte, error) {
	t := o.Tunnel
	s := Shim{Proto: outerType(o.PacketType), Key: uint32(t.ID)}
	if t.Flags&flow.TunnelCsum != 0 {
		s.Flags |= greCsum
	}
	if c.OutKeySet {
		s.Flags |= greKey
	}
	if c.Seq {
		s.Flags |= greSeq
	}
	return c.Kind.AppendShim(b, &s), nil
}

// finishGRE sets sequence number and checksum of a header at the beginning of
// gre, in that order, since the sum covers the number.
func (h *Header) finishGRE(gre []byte) {
	flags := packet.Be16(gre)
	if flags&greSeq != 0 && h.Seq != nil {
		packet.PutBe32(gre[greHeaderLen(flags)-4:], h.Seq.Add(1)-1)
	}
	if flags&greCsum != 0 {
		packet.PutBe16(gre[greLen:], 0)
		packet.PutBe16(gre[greLen:], packet.Checksum(gre))
	}
}

// popAnyGRE reads GRE and, where its protocol type says so, ERSPAN: ports of both
// may have one address, and what comes for it is told apart by what is popped.
func popAnyGRE(b []byte, t *flow.Tunnel) (Popped, error) {
	if len(b) >= greLen {
		if typ := packet.Be16(b[2:]); typ == packet.EtherTypeERS1 || typ == packet.EtherTypeERS2 {
			return popERSPAN(b, t)
		}
	}
	return popGRE(b, t)
}

func popGRE(b []byte, t *flow.Tunnel) (p Popped, err error) {
	if len(b) < greLen {
		return p, ErrShort
	}
	flags := packet.Be16(b)
	if flags&^uint16(greKnown) != 0 {
		return p, ErrShim
	}
	p.Len = greHeaderLen(flags)
	if len(b) < p.Len {
		return p, ErrShort
	}
	at := greLen
	if flags&greCsum != 0 {
		if packet.Checksum(b) != 0 {
			return p, ErrChecksum
		}
		t.Flags |= flow.TunnelCsum
		at += 4
	}
	if flags&greKey != 0 {
		t.ID = uint64(packet.Be32(b[at:]))
		t.Flags |= flow.TunnelKey
	}
	typ := packet.Be16(b[2:])
	if typ < packet.EtherTypeMin {
		return p, ErrKind
	}
	p.PacketType = innerType(typ)
	return p, nil
}
