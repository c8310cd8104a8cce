package tunnel

import (
	"encoding/binary"

	"weir/internal/flow"
	"weir/internal/packet"
)

// Lengths of the ERSPAN header of versions 1 and 2, which are types II and III
// (draft-foschiano-erspan-03, 4.1 and 4.2).
const (
	erspanV1Len = 8
	erspanV2Len = 12
)

// appendERSPAN adds GRE with a sequence number, and the ERSPAN header. The
// session is the key.
func appendERSPAN(b []byte, _ *Config, o *Outer) ([]byte, error) {
	t := o.Tunnel
	if t.ERSPANVer != 1 && t.ERSPANVer != 2 {
		return nil, ErrNoHeader
	}
	return appendERSPANHeader(b, &Shim{Ver: t.ERSPANVer, Key: uint32(t.ID), Idx: t.ERSPANIdx, Dir: t.ERSPANDir, HWID: t.ERSPANHwid}), nil
}

func appendERSPANHeader(b []byte, s *Shim) []byte {
	session := s.Key & 0x3ff
	b = append(b, greSeq>>8, greSeq&0xff)
	if s.Ver == 1 {
		b = append(b, packet.EtherTypeERS1>>8, packet.EtherTypeERS1&0xff, 0, 0, 0, 0)
		b = binary.BigEndian.AppendUint32(b, 1<<28|session)
		return binary.BigEndian.AppendUint32(b, s.Idx&0xfffff)
	}
	b = append(b, packet.EtherTypeERS2>>8, packet.EtherTypeERS2&0xff, 0, 0, 0, 0)
	b = binary.BigEndian.AppendUint32(b, 2<<28|session)
	b = append(b, 0, 0, 0, 0, 0, 0) // no timestamp, no security group
	return binary.BigEndian.AppendUint16(b, uint16(s.HWID&0x3f)<<4|uint16(s.Dir&1)<<3)
}

func popERSPAN(b []byte, t *flow.Tunnel) (p Popped, err error) {
	if len(b) < greLen {
		return p, ErrShort
	}
	flags, typ := packet.Be16(b), packet.Be16(b[2:])
	if typ != packet.EtherTypeERS1 && typ != packet.EtherTypeERS2 {
		return p, ErrKind
	}
	if flags&^uint16(greSeq) != 0 {
		return p, ErrShim
	}
	n := greHeaderLen(flags)
	if len(b) < n+erspanV1Len {
		return p, ErrShort
	}
	h := b[n:]
	base := packet.Be32(h)
	t.ID, t.Flags = uint64(base&0x3ff), t.Flags|flow.TunnelKey
	t.ERSPANVer = uint8(base >> 28)
	switch {
	case t.ERSPANVer == 1 && typ == packet.EtherTypeERS1:
		t.ERSPANIdx = packet.Be32(h[4:]) & 0xfffff
		p.Len = n + erspanV1Len
	case t.ERSPANVer == 2 && typ == packet.EtherTypeERS2:
		if len(h) < erspanV2Len {
			return p, ErrShort
		}
		d := packet.Be16(h[10:])
		t.ERSPANHwid, t.ERSPANDir = uint8(d>>4&0x3f), uint8(d>>3&1)
		p.Len = n + erspanV2Len
		if d&1 != 0 { // O: a platform specific subheader of 8 bytes follows
			p.Len += 8
		}
		if len(b) < p.Len {
			return p, ErrShort
		}
	default:
		return p, ErrShim
	}
	return p, nil
}
