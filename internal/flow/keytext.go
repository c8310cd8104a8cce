package flow

import "weir/internal/packet"

// Format prints a whole key as ofproto/trace does: every field that the packet
// has, metadata only where it isn't zero.
func (k *Key) Format(names PortNames) string {
	var m Match
	m.setPrinted(k, nil)
	return m.Format(DefaultPriority, names)
}

// FormatTraced prints the key of a packet whose way is explained: as Format,
// with the tunnel options that a table binds, and with in_port=ANY where it came
// in on no port.
func (k *Key) FormatTraced(names PortNames, tlv *TLVTable) string {
	var m Match
	m.SetTraced(k, tlv)
	return m.Format(DefaultPriority, names)
}

// SetTraced makes m the match that prints as [Key.FormatTraced] does.
func (m *Match) SetTraced(k *Key, tlv *TLVTable) {
	m.setPrinted(k, tlv)
	m.Mask.InPort = 0xffffffff
}

// setPrinted makes m the match of what is printed of a key.
func (m *Match) setPrinted(k *Key, tlv *TLVTable) {
	m.Key, m.Mask, m.TLV = *k, k.MaskExact(), tlv
	for i := range NumTunMeta {
		if f := tlv.Field(i); f != nil && f.Present(k) && !k.Tunnel.IsZero() {
			f.Mark(&m.Mask, f.exact)
		}
	}
	m.hideZeroMetadata()
	m.shapeForPrint()
}

// FormatCaptured prints the key of a packet from a capture, which came in on no
// port: as Format, and that it did.
func (k *Key) FormatCaptured() string {
	m := Match{Key: *k, Mask: k.MaskExact()}
	m.hideZeroMetadata()
	m.Key.InPort, m.Mask.InPort = PortNone, 0xffffffff
	m.shapeForPrint()
	return m.Format(DefaultPriority, nil)
}

// String is [Key.Format] without port names.
func (k *Key) String() string { return k.Format(nil) }

// shapeForPrint adds to and takes from the exact mask of a key what the peer
// prints beyond the fields that apply.
func (m *Match) shapeForPrint() {
	k, w := &m.Key, &m.Mask
	switch k.L3Type() {
	case packet.EtherTypeIPv4:
		if k.NwProto == packet.ProtoIGMP && k.NwFrag&FragLater == 0 {
			w.TpSrc, w.TpDst = 0xffff, 0xffff
		}
	case packet.EtherTypeIPv6:
		if k.NwProto == packet.ProtoICMPv6 && k.NwFrag&FragLater == 0 && k.TpDst == 0 &&
			(k.TpSrc == packet.ICMPv6NeighborSolicit || k.TpSrc == packet.ICMPv6NeighborAdvert) {
			ones := packet.Broadcast
			w.ARPSHA, w.ARPTHA = ones, ones
		}
	case packet.EtherTypeNSH:
		if k.EthType != 0 {
			w.NwProto, w.NwTOS, w.NwTTL, w.NwFrag = 0xff, 0xff, 0xff, FragAny|FragLater
		}
		if k.NSH.MDType != 1 {
			w.NSH.Context = [4]uint32{}
		}
	case packet.EtherTypeMPLS, packet.EtherTypeMPLSM:
		for i := 1; i < MaxMPLSLabels && k.MPLS[i-1]&0x100 == 0; i++ {
			w.MPLS[i] = 0xffffffff
		}
	}
	if k.PacketType != 0 {
		w.EthSrc, w.EthDst, w.VLANs = packet.MAC{}, packet.MAC{}, [MaxVLANs]VLAN{}
		m.shapeUntyped()
	}
	w.NDReserved, w.NDOptionsType = 0, 0
}

// shapeUntyped is [Match.shapeForPrint] for a packet without Ethernet header of
// which the packet type alone says what it is, as in the text of a flow and behind
// a header that decap has taken off: its NSH is not shown, and the zero addresses
// of a connection are.
func (m *Match) shapeUntyped() {
	k, w := &m.Key, &m.Mask
	if k.EthType == uint16(k.PacketType) {
		return
	}
	switch uint16(k.PacketType) {
	case packet.EtherTypeNSH:
		w.NSH = NSH{}
	case packet.EtherTypeIPv4:
		FieldCTNwSrc.Field().Mark(w, FieldCTNwSrc.Field().full)
		FieldCTNwDst.Field().Mark(w, FieldCTNwDst.Field().full)
	case packet.EtherTypeIPv6:
		FieldCTIPv6Src.Field().Mark(w, FieldCTIPv6Src.Field().full)
		FieldCTIPv6Dst.Field().Mark(w, FieldCTIPv6Dst.Field().full)
	}
}

// hideZeroMetadata stops matching on metadata that is zero or that doesn't
// describe a packet as it came in.
func (m *Match) hideZeroMetadata() {
	k, w := &m.Key, &m.Mask
	switch {
	case k.Tunnel.IsZero():
		// An id alone was set by an action.
		id := w.Tunnel.ID
		w.Tunnel = Tunnel{}
		if k.Tunnel.ID != 0 {
			w.Tunnel.ID = id
		}
	default:
		if k.Tunnel.Flags&TunnelKey == 0 {
			w.Tunnel.ID = 0
		}
		w.Tunnel.Flags = tunFlagsKnown
	}
	w.ConjID, w.ActsetOutput = 0, 0
	if k.InPort == PortNone {
		w.InPort = 0
	}
	for i, r := range k.Regs {
		if r == 0 {
			w.Regs[i] = 0
		}
	}
	if k.Metadata == 0 {
		w.Metadata = 0
	}
	for _, p := range [...]struct{ k, w *uint32 }{
		{&k.SkbPriority, &w.SkbPriority}, {&k.PktMark, &w.PktMark}, {&k.DPHash, &w.DPHash},
		{&k.RecircID, &w.RecircID}, {&k.CTMark, &w.CTMark},
	} {
		if *p.k == 0 {
			*p.w = 0
		}
	}
	m.hideZeroCT()
}

func (m *Match) hideZeroCT() {
	k, w := &m.Key, &m.Mask
	if k.CTState == 0 {
		w.CTState = 0
	}
	if k.CTZone == 0 {
		w.CTZone = 0
	}
	if k.CTLabel == ([16]byte{}) {
		w.CTLabel = [16]byte{}
	}
	if k.EthType == packet.EtherTypeIPv6 {
		w.CTIPSrc, w.CTIPDst = 0, 0
	} else {
		w.CTIPv6Src, w.CTIPv6Dst = [16]byte{}, [16]byte{}
	}
	if k.CTNwProto == 0 {
		w.CTNwProto, w.CTIPSrc, w.CTIPDst = 0, 0, 0
		w.CTIPv6Src, w.CTIPv6Dst = [16]byte{}, [16]byte{}
		w.CTTpSrc, w.CTTpDst = 0, 0
	}
}

// IsZero reports that there is no tunnel: no address at either end.
func (t *Tunnel) IsZero() bool { return t.Dst == 0 && t.IPv6Dst == [16]byte{} }
