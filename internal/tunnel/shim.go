package tunnel

import (
	"encoding/binary"

	"weir/internal/packet"
)

// Shim is what stands between the outer IP or UDP header and the inner packet,
// as texts of tnl_push tell it. Which members count depends on the kind.
type Shim struct {
	Flags    uint32 // of VXLAN the whole first word, of GTP-U and GRE the flags
	Proto    uint16 // of GRE: the type of the inner packet
	Message  uint8  // of GTP-U
	Key      uint32 // VNI, TEID, key, session
	Csum     uint16 // of GRE
	Seq      uint32 // of GRE
	OAM      bool   // of Geneve
	Critical bool   // of Geneve
	Options  []byte // of Geneve

	// Of ERSPAN.
	Ver       uint8
	Idx       uint32
	Dir, HWID uint8
}

// Names of the headers in texts.
const (
	ShimVXLAN  = "vxlan"
	ShimGeneve = "geneve"
	ShimGTPU   = "gtpu"
	ShimERSPAN = "erspan"
	ShimGRE    = "gre"
)

// ShimName is the name of the kind's header in texts.
func (k *Kind) ShimName() string {
	switch k.Type {
	case ShimVXLAN, ShimGeneve, ShimGTPU:
		return k.Type
	case "erspan", "ip6erspan":
		return ShimERSPAN
	}
	return ShimGRE
}

// GRE's optional fields, as flags say.

// HasCsum reports whether GRE has a checksum.
func (s *Shim) HasCsum() bool { return s.Flags&greCsum != 0 }

// HasKey reports whether GRE has a key.
func (s *Shim) HasKey() bool { return s.Flags&greKey != 0 }

// HasSeq reports whether GRE has a sequence number.
func (s *Shim) HasSeq() bool { return s.Flags&greSeq != 0 }

// Shim reads what stands behind the outer IP or UDP header of a header that
// [NewHeader] took.
func (h *Header) Shim() (s Shim) {
	b := h.Bytes[h.l4:]
	if h.Kind.proto == packet.ProtoUDP {
		b = b[packet.UDPLen:]
	}
	switch h.Kind.ShimName() {
	case ShimVXLAN:
		s.Flags, s.Key = packet.Be32(b), packet.Be32(b[4:])>>8
	case ShimGeneve:
		s.OAM, s.Critical = b[1]&geneveOAM != 0, b[1]&geneveCritical != 0
		s.Key, s.Options = packet.Be32(b[4:])>>8, b[geneveLen:]
	case ShimGTPU:
		s.Flags, s.Message, s.Key = uint32(b[0]), b[1], packet.Be32(b[4:])
	case ShimERSPAN:
		e := b[greHeaderLen(packet.Be16(b)):]
		s.Ver, s.Key = e[0]>>4, packet.Be32(e)&0x3ff
		if s.Ver == 1 {
			s.Idx = packet.Be32(e[4:]) & 0xfffff
		} else {
			s.HWID, s.Dir = uint8(packet.Be16(e[10:])>>4&0x3f), e[11]>>3&1
		}
	case ShimGRE:
		flags := packet.Be16(b)
		s.Flags, s.Proto = uint32(flags), packet.Be16(b[2:])
		at := greLen
		if s.HasCsum() {
			s.Csum = packet.Be16(b[at:])
			at += 4
		}
		if s.HasKey() {
			s.Key = packet.Be32(b[at:])
			at += 4
		}
		if s.HasSeq() {
			s.Seq = packet.Be32(b[at:])
		}
	}
	return s
}

// shimLen is how long the kind's header is at least; for ERSPAN and GRE the
// flags and versions that stand in b count.
func (k *Kind) shimLen(b []byte) int {
	switch k.ShimName() {
	case ShimVXLAN:
		return VXLANLen
	case ShimGeneve:
		return geneveLen
	case ShimGTPU:
		return gtpuLen
	}
	n := greLen
	if len(b) >= n {
		n = greHeaderLen(packet.Be16(b))
	}
	if k.ShimName() == ShimERSPAN {
		n += erspanV1Len
		if len(b) >= n && b[n-erspanV1Len]>>4 == 2 {
			n += erspanV2Len - erspanV1Len
		}
	}
	return n
}

// AppendShim adds the kind's header as s tells it.
func (k *Kind) AppendShim(b []byte, s *Shim) []byte {
	switch k.ShimName() {
	case ShimVXLAN:
		b = binary.BigEndian.AppendUint32(b, s.Flags)
		return binary.BigEndian.AppendUint32(b, s.Key<<8)
	case ShimGeneve:
		flags := byte(0)
		if s.OAM {
			flags |= geneveOAM
		}
		if s.Critical {
			flags |= geneveCritical
		}
		b = append(b, byte(len(s.Options)/4), flags, packet.EtherTypeTEB>>8, packet.EtherTypeTEB&0xff)
		return append(binary.BigEndian.AppendUint32(b, s.Key<<8), s.Options...)
	case ShimGTPU:
		return binary.BigEndian.AppendUint32(append(b, byte(s.Flags), s.Message, 0, 0), s.Key)
	case ShimERSPAN:
		return appendERSPANHeader(b, s)
	}
	b = binary.BigEndian.AppendUint16(b, uint16(s.Flags))
	b = binary.BigEndian.AppendUint16(b, s.Proto)
	if s.HasCsum() {
		b = binary.BigEndian.AppendUint16(b, s.Csum)
		b = append(b, 0, 0)
	}
	if s.HasKey() {
		b = binary.BigEndian.AppendUint32(b, s.Key)
	}
	if s.HasSeq() {
		b = binary.BigEndian.AppendUint32(b, s.Seq)
	}
	return b
}
