package flow

import "strconv"

// The part of a match's text on what is known of a packet besides its headers.

func (p *matchPrinter) metadata() {
	p.field(FieldPktMark, "pkt_mark")
	if p.m.RecircID != 0 {
		p.text("recirc_id=")
		p.hex(uint64(p.k.RecircID))
		if p.m.RecircID != 0xffffffff {
			p.byte('/')
			p.hex(uint64(p.m.RecircID))
		}
		p.byte(',')
	}
	p.field(FieldDPHash, "dp_hash")
	p.field(FieldConjID, "conj_id")
	if p.m.SkbPriority != 0 {
		p.printf("skb_priority=%s,", hexText(V(uint64(p.k.SkbPriority))))
	}
	p.field(FieldActsetOutput, "actset_output")
}

func (p *matchPrinter) conntrack() {
	if p.m.CTState != 0 {
		s := FlagNames(uint32(p.k.CTState), ctStateNames, "|")
		if p.m.CTState != 0xff {
			s = FlagSigns(uint32(p.k.CTState), uint32(p.m.CTState), ctStateNames)
		}
		p.text("ct_state=" + s + ",")
	}
	if p.m.CTZone != 0 {
		p.printf("ct_zone=%d", p.k.CTZone)
		if p.m.CTZone != 0xffff {
			p.printf("/0x%x", p.m.CTZone)
		}
		p.byte(',')
	}
	p.field(FieldCTMark, "ct_mark")
	p.field(FieldCTLabel, "ct_label")
	p.field(FieldCTNwSrc, "ct_nw_src")
	p.field(FieldCTIPv6Src, "ct_ipv6_src")
	p.field(FieldCTNwDst, "ct_nw_dst")
	p.field(FieldCTIPv6Dst, "ct_ipv6_dst")
	if p.m.CTNwProto != 0 {
		p.field(FieldCTNwProto, "ct_nw_proto")
		p.field(FieldCTTpSrc, "ct_tp_src")
		p.field(FieldCTTpDst, "ct_tp_dst")
	}
}

// Shorthand is a word that stands for an EtherType, and where Proto isn't -1
// for an IP protocol too (ovs-fields(7), "Shorthands").
type Shorthand struct {
	Name    string
	EthType uint16
	Proto   int
}

func (p *matchPrinter) registers() {
	for i := range NumRegs {
		if p.m.Regs[i] != 0 {
			p.field(FieldReg0+FieldID(i), "reg"+strconv.Itoa(i))
		}
	}
}

func (p *matchPrinter) tunnel() {
	if p.m.Tunnel != (Tunnel{}) {
		p.tunnelHeader()
	}
	if p.m.TunMetaPresent != 0 && p.tlv != nil {
		p.tunnelOptions()
	}
}

// tunnelOptions prints the options that a match is about: NP for one that must
// not be there, its name alone for one of any value.
func (p *matchPrinter) tunnelOptions() {
	for i := range NumTunMeta {
		f := p.tlv.fields[i]
		if f == nil || !f.Present(p.m) {
			continue
		}
		p.text(f.Name)
		v, mask := f.Get(p.k), f.Get(p.m)
		switch {
		case !f.Present(p.k):
			p.text("=NP")
		case mask.IsZero():
		case mask == f.exact:
			p.text("=" + hexText(v))
		default:
			p.text("=" + hexText(v) + "/" + hexText(mask))
		}
		p.byte(',')
	}
}

func (p *matchPrinter) tunnelHeader() {
	t, m := &p.k.Tunnel, &p.m.Tunnel
	p.field(FieldTunID, "tun_id")
	p.field(FieldTunSrc, "tun_src")
	p.field(FieldTunDst, "tun_dst")
	p.field(FieldTunIPv6Src, "tun_ipv6_src")
	p.field(FieldTunIPv6Dst, "tun_ipv6_dst")
	if FieldTunGBPID.Field().IsExact(p.m) {
		p.field(FieldTunGBPID, "tun_gbp_id")
	} else {
		p.hexField(FieldTunGBPID, "tun_gbp_id")
	}
	p.field(FieldTunGBPFlags, "tun_gbp_flags")
	p.field(FieldTunTOS, "tun_tos")
	p.field(FieldTunTTL, "tun_ttl")
	p.unmasked(FieldTunERSPANVer, "tun_erspan_ver")
	if m.ERSPANVer != 0 && t.ERSPANVer == 1 {
		p.field(FieldTunERSPANIdx, "tun_erspan_idx")
	}
	if m.ERSPANVer != 0 && t.ERSPANVer == 2 {
		p.unmasked(FieldTunERSPANDir, "tun_erspan_dir")
		p.unmasked(FieldTunERSPANHwid, "tun_erspan_hwid")
	}
	p.unmasked(FieldTunGTPUFlags, "gtpu_flags")
	p.unmasked(FieldTunGTPUMsgType, "gtpu_msgtype")
	if m.Flags&tunFlagsKnown != 0 {
		s := FlagSigns(uint32(t.Flags), uint32(m.Flags), tunFlagNames)
		if m.Flags&tunFlagsKnown == tunFlagsKnown {
			s = FlagNames(uint32(t.Flags), tunFlagNames, "|")
		}
		p.text("tun_flags=" + s + ",")
	}
}

const tunFlagsKnown = TunnelOAM | TunnelDF | TunnelCsum | TunnelKey
