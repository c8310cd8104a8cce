package flow

import (
	"strconv"
	"strings"
	"unsafe"
)

// Field ids. FieldReg0+i is register i, and so on.
const (
	FieldDPHash FieldID = iota
	FieldRecircID
	FieldPacketType
	FieldConjID
	FieldTunID
	FieldTunSrc
	FieldTunDst
	FieldTunIPv6Src
	FieldTunIPv6Dst
	FieldTunFlags
	FieldTunTTL
	FieldTunTOS
	FieldTunGBPID
	FieldTunGBPFlags
	FieldTunERSPANIdx
	FieldTunERSPANVer
	FieldTunERSPANDir
	FieldTunERSPANHwid
	FieldTunGTPUFlags
	FieldTunGTPUMsgType
	FieldTunMetadata0
	FieldMetadata FieldID = iota - 1 + NumTunMeta
	FieldInPort
	FieldInPortOXM
	FieldActsetOutput
	FieldSkbPriority
	FieldPktMark
	FieldCTState
	FieldCTZone
	FieldCTMark
	FieldCTLabel
	FieldCTNwProto
	FieldCTNwSrc
	FieldCTNwDst
	FieldCTIPv6Src
	FieldCTIPv6Dst
	FieldCTTpSrc
	FieldCTTpDst
	FieldReg0
	FieldXReg0  FieldID = FieldReg0 + NumRegs
	FieldXXReg0 FieldID = FieldXReg0 + NumRegs/2
)

// Field ids from Ethernet on.
const (
	FieldEthSrc FieldID = FieldXXReg0 + NumRegs/4 + iota
	FieldEthDst
	FieldEthType
	FieldVLANTCI
	FieldDLVLAN
	FieldVLANVID
	FieldDLVLANPCP
	FieldVLANPCP
	FieldMPLSLabel
	FieldMPLSTC
	FieldMPLSBOS
	FieldMPLSTTL
	FieldIPv4Src
	FieldIPv4Dst
	FieldIPv6Src
	FieldIPv6Dst
	FieldIPv6Label
	FieldIPProto
	FieldIPTOS
	FieldIPDSCP
	FieldIPECN
	FieldIPTTL
	FieldIPFrag
	FieldARPOp
	FieldARPSPA
	FieldARPTPA
	FieldARPSHA
	FieldARPTHA
	FieldTCPSrc
	FieldTCPDst
	FieldTCPFlags
	FieldUDPSrc
	FieldUDPDst
	FieldSCTPSrc
	FieldSCTPDst
	FieldICMPv4Type
	FieldICMPv4Code
	FieldICMPv6Type
	FieldICMPv6Code
	FieldNDTarget
	FieldNDSLL
	FieldNDTLL
	FieldNDReserved
	FieldNDOptionsType
	FieldNSHFlags
	FieldNSHMDType
	FieldNSHNP
	FieldNSHSPI
	FieldNSHSI
	FieldNSHC1
	FieldNSHTTL FieldID = FieldNSHC1 + 4
	// NumFields is the number of rows of the table.
	NumFields FieldID = FieldNSHTTL + 1
)

// Fields is the table of match fields.
var Fields = buildFields()

// tableBuilder fills the table row by row.
type tableBuilder struct {
	rows [NumFields]Field
	zero Key
}

// header classes by the prefix of a codepoint's name.
var codepointClasses = []struct {
	prefix string
	class  uint16
	exp    uint32
}{
	{"NXM_OF_", ClassNXM0, 0},
	{"NXM_NX_", ClassNXM1, 0},
	{"ERICOXM_OF_", ClassEricsson, 0},
	{"OXM_OF_PKT_REG", ClassPacketRegs, 0},
	{"OXM_OF_", ClassBasic, 0},
	{"NXOXM_ET_", ClassExperimenter, ExpNicira},
	{"NXOXM_NSH_", ClassExperimenter, ExpNSH},
	{"ONFOXM_ET_", ClassExperimenter, ExpONF},
}

// codepoint reads "NAME(number)" with an optional "@V", V being the OpenFlow
// version (12 to 15) that brought it.
func codepoint(s string, nbytes int) Codepoint {
	name, rest, _ := strings.Cut(s, "(")
	num, since, _ := strings.Cut(rest, ")")
	n, _ := strconv.Atoi(num)
	c := Codepoint{Name: name, Since: OF10}
	if since != "" {
		v, _ := strconv.Atoi(since[1:])
		c.Since = uint8(v - 9)
	}
	for _, cl := range codepointClasses {
		if strings.HasPrefix(name, cl.prefix) {
			c.Header = MakeHeader(cl.class, cl.exp, uint8(n), nbytes)
			break
		}
	}
	return c
}

// Attributes of a row, as letters: m maskable, w writable; in10/in11 as e
// (exact), c (CIDR), b (bitwise), - (not there).
func (b *tableBuilder) row(id FieldID, names string, nbytes, nbits int, attr string, form Form, pre Prereq, pl place, codepoints ...string) {
	name, aliases, more := strings.Cut(names, ",")
	f := &b.rows[id]
	*f = Field{ID: id, Name: name, NBytes: nbytes, NBits: nbits,
		Maskable: attr[0] == 'm', Writable: attr[1] == 'w', Form: form, Prereq: pre, place: pl}
	if more {
		f.Aliases = strings.Split(aliases, ",")
	}
	f.In10, f.In11 = support(attr[2]), support(attr[3])
	f.Codepoints = make([]Codepoint, len(codepoints))
	for i, c := range codepoints {
		f.Codepoints[i] = codepoint(c, nbytes)
	}
}

// support reads in10 or in11.
func support(letter byte) Support {
	switch letter {
	case 'e':
		return SupportExact
	case 'c':
		return SupportCIDR
	case 'b':
		return SupportBitwise
	}
	return Unsupported
}

// in makes a place of all bits of a member of the builder's zero key.
func in[T any](b *tableBuilder, p *T) place {
	off := uint16(uintptr(unsafe.Pointer(p)) - uintptr(unsafe.Pointer(&b.zero)))
	n := uint8(unsafe.Sizeof(*p))
	switch n {
	case 1:
		return place{kind: placeU8, off: off, n: n, mask: 0xff}
	case 2:
		return place{kind: placeU16, off: off, n: n, mask: 0xffff}
	case 4:
		return place{kind: placeU32, off: off, n: n, mask: 0xffffffff}
	case 8:
		return place{kind: placeU64, off: off, n: n, mask: ^uint64(0)}
	}
	return place{kind: placeBytes, off: off, n: n}
}

// bits narrows a place to n bits from bit shift on.
func (p place) bits(shift, n int) place {
	p.shift, p.mask = uint8(shift), (1<<n-1)<<shift
	return p
}

func (p place) as(k placeKind) place { p.kind = k; return p }

func buildFields() [NumFields]Field {
	b := &tableBuilder{}
	b.metadataRows()
	b.tunnelRows()
	b.ctRows()
	b.registerRows()
	b.l2Rows()
	b.l3Rows()
	b.l4Rows()
	b.nshRows()
	ones := onesKey()
	for i := range b.rows {
		f := &b.rows[i]
		f.exact, f.full = Ones(f.NBits), f.Get(ones)
		switch f.ID {
		case FieldVLANVID:
			f.exact = Ones(13)
		case FieldCTState:
			f.exact = Ones(8) // of 32 bits
		case FieldTunERSPANIdx, FieldTunERSPANVer, FieldTunERSPANDir, FieldTunERSPANHwid:
			f.exact = Ones(8 * f.NBytes) // the wire has more than the bits that exist
		}
	}
	return b.rows
}

// onesKey is a mask of which every bit counts.
func onesKey() *Mask {
	m := new(Mask)
	for i := range m.Words() {
		m.Words()[i] = ^uint64(0)
	}
	return m
}

func (b *tableBuilder) metadataRows() {
	k := &b.zero
	b.row(FieldDPHash, "dp_hash", 4, 32, "mr--", FormHex, PrereqNone, in(b, &k.DPHash), "NXM_NX_DP_HASH(35)", "NXOXM_ET_DP_HASH(0)@12")
	b.row(FieldRecircID, "recirc_id", 4, 32, "-r--", FormDecimal, PrereqNone, in(b, &k.RecircID), "NXM_NX_RECIRC_ID(36)")
	b.row(FieldPacketType, "packet_type", 4, 32, "-r--", FormPacketType, PrereqNone, in(b, &k.PacketType), "OXM_OF_PACKET_TYPE(44)@15")
	b.row(FieldConjID, "conj_id", 4, 32, "-r--", FormDecimal, PrereqNone, in(b, &k.ConjID), "NXM_NX_CONJ_ID(37)")
	b.row(FieldMetadata, "metadata", 8, 64, "mw-b", FormHex, PrereqNone, in(b, &k.Metadata), "OXM_OF_METADATA(2)@12")
	b.row(FieldInPort, "in_port", 2, 16, "-wee", FormPort10, PrereqNone, in(b, &k.InPort).as(placePort16), "NXM_OF_IN_PORT(0)")
	b.row(FieldInPortOXM, "in_port_oxm", 4, 32, "-w-e", FormPort11, PrereqNone, in(b, &k.InPort), "OXM_OF_IN_PORT(0)@12")
	b.row(FieldActsetOutput, "actset_output", 4, 32, "-r--", FormPort11, PrereqNone, in(b, &k.ActsetOutput), "ONFOXM_ET_ACTSET_OUTPUT(43)@13", "OXM_OF_ACTSET_OUTPUT(43)@15")
	b.row(FieldSkbPriority, "skb_priority", 4, 32, "-r--", FormHex, PrereqNone, in(b, &k.SkbPriority))
	b.row(FieldPktMark, "pkt_mark", 4, 32, "mw--", FormHex, PrereqNone, in(b, &k.PktMark), "NXM_NX_PKT_MARK(33)")
}

func (b *tableBuilder) tunnelRows() {
	t := &b.zero.Tunnel
	b.row(FieldTunID, "tun_id,tunnel_id", 8, 64, "mw--", FormHex, PrereqNone, in(b, &t.ID), "NXM_NX_TUN_ID(16)", "OXM_OF_TUNNEL_ID(38)@13")
	b.row(FieldTunSrc, "tun_src", 4, 32, "mw--", FormIPv4, PrereqNone, in(b, &t.Src), "NXM_NX_TUN_IPV4_SRC(31)")
	b.row(FieldTunDst, "tun_dst", 4, 32, "mw--", FormIPv4, PrereqNone, in(b, &t.Dst), "NXM_NX_TUN_IPV4_DST(32)")
	b.row(FieldTunIPv6Src, "tun_ipv6_src", 16, 128, "mw--", FormIPv6, PrereqNone, in(b, &t.IPv6Src), "NXM_NX_TUN_IPV6_SRC(109)")
	b.row(FieldTunIPv6Dst, "tun_ipv6_dst", 16, 128, "mw--", FormIPv6, PrereqNone, in(b, &t.IPv6Dst), "NXM_NX_TUN_IPV6_DST(110)")
	b.row(FieldTunFlags, "tun_flags", 2, 1, "mw--", FormTunFlags, PrereqNone, in(b, &t.Flags).bits(0, 1), "NXM_NX_TUN_FLAGS(104)")
	b.row(FieldTunTTL, "tun_ttl", 1, 8, "-r--", FormDecimal, PrereqNone, in(b, &t.TTL))
	b.row(FieldTunTOS, "tun_tos", 1, 8, "-r--", FormDecimal, PrereqNone, in(b, &t.TOS))
	b.row(FieldTunGBPID, "tun_gbp_id", 2, 16, "mw--", FormDecimal, PrereqNone, in(b, &t.GBPID), "NXM_NX_TUN_GBP_ID(38)")
	b.row(FieldTunGBPFlags, "tun_gbp_flags", 1, 8, "mw--", FormHex, PrereqNone, in(b, &t.GBPFlags), "NXM_NX_TUN_GBP_FLAGS(39)")
	b.row(FieldTunERSPANIdx, "tun_erspan_idx", 4, 20, "mw--", FormHex, PrereqNone, in(b, &t.ERSPANIdx), "NXOXM_ET_ERSPAN_IDX(11)@12")
	b.row(FieldTunERSPANVer, "tun_erspan_ver", 1, 4, "mw--", FormDecimal, PrereqNone, in(b, &t.ERSPANVer), "NXOXM_ET_ERSPAN_VER(12)@12")
	b.row(FieldTunERSPANDir, "tun_erspan_dir", 1, 1, "mw--", FormDecimal, PrereqNone, in(b, &t.ERSPANDir), "NXOXM_ET_ERSPAN_DIR(13)@12")
	b.row(FieldTunERSPANHwid, "tun_erspan_hwid", 1, 6, "mw--", FormHex, PrereqNone, in(b, &t.ERSPANHwid), "NXOXM_ET_ERSPAN_HWID(14)@12")
	b.row(FieldTunGTPUFlags, "tun_gtpu_flags", 1, 8, "mr--", FormHex, PrereqNone, in(b, &t.GTPUFlags), "NXOXM_ET_GTPU_FLAGS(15)@12")
	b.row(FieldTunGTPUMsgType, "tun_gtpu_msgtype", 1, 8, "mr--", FormDecimal, PrereqNone, in(b, &t.GTPUMsg), "NXOXM_ET_GTPU_MSGTYPE(16)@12")
	for i := range NumTunMeta {
		n := strconv.Itoa(i)
		b.row(FieldTunMetadata0+FieldID(i), "tun_metadata"+n, 124, 992, "mw--", FormHex, PrereqNone, place{kind: placeUnbound, n: uint8(i)}, "NXM_NX_TUN_METADATA"+n+"("+strconv.Itoa(40+i)+")")
	}
}

func (b *tableBuilder) ctRows() {
	k := &b.zero
	b.row(FieldCTState, "ct_state", 4, 32, "mr--", FormCTState, PrereqNone, in(b, &k.CTState), "NXM_NX_CT_STATE(105)")
	b.row(FieldCTZone, "ct_zone", 2, 16, "-r--", FormHex, PrereqNone, in(b, &k.CTZone), "NXM_NX_CT_ZONE(106)")
	b.row(FieldCTMark, "ct_mark", 4, 32, "mw--", FormHex, PrereqNone, in(b, &k.CTMark), "NXM_NX_CT_MARK(107)")
	b.row(FieldCTLabel, "ct_label", 16, 128, "mw--", FormHex, PrereqNone, in(b, &k.CTLabel), "NXM_NX_CT_LABEL(108)")
	b.row(FieldCTNwProto, "ct_nw_proto", 1, 8, "-r--", FormDecimal, PrereqCT, in(b, &k.CTNwProto), "NXM_NX_CT_NW_PROTO(119)")
	b.row(FieldCTNwSrc, "ct_nw_src", 4, 32, "mr--", FormIPv4, PrereqCT, in(b, &k.CTIPSrc), "NXM_NX_CT_NW_SRC(120)")
	b.row(FieldCTNwDst, "ct_nw_dst", 4, 32, "mr--", FormIPv4, PrereqCT, in(b, &k.CTIPDst), "NXM_NX_CT_NW_DST(121)")
	b.row(FieldCTIPv6Src, "ct_ipv6_src", 16, 128, "mr--", FormIPv6, PrereqCT, in(b, &k.CTIPv6Src), "NXM_NX_CT_IPV6_SRC(122)")
	b.row(FieldCTIPv6Dst, "ct_ipv6_dst", 16, 128, "mr--", FormIPv6, PrereqCT, in(b, &k.CTIPv6Dst), "NXM_NX_CT_IPV6_DST(123)")
	b.row(FieldCTTpSrc, "ct_tp_src", 2, 16, "mr--", FormDecimal, PrereqCT, in(b, &k.CTTpSrc), "NXM_NX_CT_TP_SRC(124)")
	b.row(FieldCTTpDst, "ct_tp_dst", 2, 16, "mr--", FormDecimal, PrereqCT, in(b, &k.CTTpDst), "NXM_NX_CT_TP_DST(125)")
}

func (b *tableBuilder) registerRows() {
	num := strconv.Itoa
	for i := range NumRegs {
		cp := "NXM_NX_REG" + num(i) + "(" + num(i) + ")"
		if i >= 16 {
			cp = "NXOXM_ET_REG" + num(i) + "(" + num(i+1) + ")@12"
		}
		b.row(FieldReg0+FieldID(i), "reg"+num(i), 4, 32, "mw--", FormHex, PrereqNone, in(b, &b.zero.Regs[i]), cp)
	}
	for i := range NumRegs / 2 {
		cp := "OXM_OF_PKT_REG" + num(i) + "(" + num(i) + ")@13"
		b.row(FieldXReg0+FieldID(i), "xreg"+num(i), 8, 64, "mw--", FormHex, PrereqNone, in(b, &b.zero.Regs[2*i]).as(placePair), cp)
	}
	for i := range NumRegs / 4 {
		cp := "NXM_NX_XXREG" + num(i) + "(" + num(111+i) + ")"
		if i >= 4 {
			cp = "NXOXM_ET_XXREG" + num(i) + "(" + num(29+i) + ")@12"
		}
		b.row(FieldXXReg0+FieldID(i), "xxreg"+num(i), 16, 128, "mw--", FormHex, PrereqNone, in(b, &b.zero.Regs[4*i]).as(placeQuad), cp)
	}
}

func (b *tableBuilder) l2Rows() {
	k := &b.zero
	eth := PrereqEthernet
	tci := in(b, &k.VLANs[0].TCI)
	b.row(FieldEthSrc, "eth_src,dl_src", 6, 48, "mweb", FormEthernet, eth, in(b, &k.EthSrc), "NXM_OF_ETH_SRC(2)", "OXM_OF_ETH_SRC(4)@12")
	b.row(FieldEthDst, "eth_dst,dl_dst", 6, 48, "mweb", FormEthernet, eth, in(b, &k.EthDst), "NXM_OF_ETH_DST(1)", "OXM_OF_ETH_DST(3)@12")
	b.row(FieldEthType, "eth_type,dl_type", 2, 16, "-ree", FormHex, eth, in(b, &k.EthType), "NXM_OF_ETH_TYPE(3)", "OXM_OF_ETH_TYPE(5)@12")
	b.row(FieldVLANTCI, "vlan_tci", 2, 16, "mwee", FormHex, eth, tci, "NXM_OF_VLAN_TCI(4)")
	b.row(FieldDLVLAN, "dl_vlan", 2, 12, "-wee", FormDecimal, eth, tci.bits(0, 12).as(placeVID))
	b.row(FieldVLANVID, "vlan_vid", 2, 12, "mwee", FormDecimal, eth, tci.bits(0, 13), "OXM_OF_VLAN_VID(6)@12")
	b.row(FieldDLVLANPCP, "dl_vlan_pcp", 1, 3, "-wee", FormDecimal, eth, tci.bits(13, 3).as(placePCP))
	b.row(FieldVLANPCP, "vlan_pcp", 1, 3, "-wee", FormDecimal, PrereqVLAN, tci.bits(13, 3).as(placePCP), "OXM_OF_VLAN_PCP(7)@12")
	lse := in(b, &k.MPLS[0])
	b.row(FieldMPLSLabel, "mpls_label", 4, 20, "-w-e", FormDecimal, PrereqMPLS, lse.bits(12, 20), "OXM_OF_MPLS_LABEL(34)@12")
	b.row(FieldMPLSTC, "mpls_tc", 1, 3, "-w-e", FormDecimal, PrereqMPLS, lse.bits(9, 3), "OXM_OF_MPLS_TC(35)@12")
	b.row(FieldMPLSBOS, "mpls_bos", 1, 1, "-r--", FormDecimal, PrereqMPLS, lse.bits(8, 1), "OXM_OF_MPLS_BOS(36)@13")
	b.row(FieldMPLSTTL, "mpls_ttl", 1, 8, "-w--", FormDecimal, PrereqMPLS, lse.bits(0, 8), "NXM_NX_MPLS_TTL(30)")
}

func (b *tableBuilder) l3Rows() {
	k := &b.zero
	src, dst := in(b, &k.IPSrc), in(b, &k.IPDst)
	b.row(FieldIPv4Src, "ip_src,nw_src", 4, 32, "mwcb", FormIPv4, PrereqIPv4, src, "NXM_OF_IP_SRC(7)", "OXM_OF_IPV4_SRC(11)@12")
	b.row(FieldIPv4Dst, "ip_dst,nw_dst", 4, 32, "mwcb", FormIPv4, PrereqIPv4, dst, "NXM_OF_IP_DST(8)", "OXM_OF_IPV4_DST(12)@12")
	b.row(FieldIPv6Src, "ipv6_src", 16, 128, "mw--", FormIPv6, PrereqIPv6, in(b, &k.IPv6Src), "NXM_NX_IPV6_SRC(19)", "OXM_OF_IPV6_SRC(26)@12")
	b.row(FieldIPv6Dst, "ipv6_dst", 16, 128, "mw--", FormIPv6, PrereqIPv6, in(b, &k.IPv6Dst), "NXM_NX_IPV6_DST(20)", "OXM_OF_IPV6_DST(27)@12")
	b.row(FieldIPv6Label, "ipv6_label", 4, 20, "mw--", FormHex, PrereqIPv6, in(b, &k.IPv6Label).bits(0, 20), "NXM_NX_IPV6_LABEL(27)", "OXM_OF_IPV6_FLABEL(28)@12")
	b.row(FieldIPProto, "nw_proto,ip_proto", 1, 8, "-ree", FormDecimal, PrereqIPAny, in(b, &k.NwProto), "NXM_OF_IP_PROTO(6)", "OXM_OF_IP_PROTO(10)@12")
	tos := in(b, &k.NwTOS)
	b.row(FieldIPTOS, "nw_tos", 1, 8, "-wee", FormDecimal, PrereqIPAny, tos.bits(2, 6).shifted(0), "NXM_OF_IP_TOS(5)")
	b.row(FieldIPDSCP, "ip_dscp", 1, 6, "-wee", FormDecimal, PrereqIPAny, tos.bits(2, 6), "OXM_OF_IP_DSCP(8)@12")
	b.row(FieldIPECN, "nw_ecn,ip_ecn", 1, 2, "-w-e", FormDecimal, PrereqIPAny, tos.bits(0, 2), "NXM_NX_IP_ECN(28)", "OXM_OF_IP_ECN(9)@12")
	b.row(FieldIPTTL, "nw_ttl", 1, 8, "-w--", FormDecimal, PrereqIPAny, in(b, &k.NwTTL), "NXM_NX_IP_TTL(29)")
	b.row(FieldIPFrag, "ip_frag,nw_frag", 1, 2, "mr--", FormFrag, PrereqIPAny, in(b, &k.NwFrag).bits(0, 2), "NXM_NX_IP_FRAG(26)")
	b.row(FieldARPOp, "arp_op", 2, 16, "-wee", FormDecimal, PrereqARP, in(b, &k.NwProto), "NXM_OF_ARP_OP(15)", "OXM_OF_ARP_OP(21)@12")
	b.row(FieldARPSPA, "arp_spa", 4, 32, "mwcb", FormIPv4, PrereqARP, src, "NXM_OF_ARP_SPA(16)", "OXM_OF_ARP_SPA(22)@12")
	b.row(FieldARPTPA, "arp_tpa", 4, 32, "mwcb", FormIPv4, PrereqARP, dst, "NXM_OF_ARP_TPA(17)", "OXM_OF_ARP_TPA(23)@12")
	b.row(FieldARPSHA, "arp_sha", 6, 48, "mw--", FormEthernet, PrereqARP, in(b, &k.ARPSHA), "NXM_NX_ARP_SHA(17)", "OXM_OF_ARP_SHA(24)@12")
	b.row(FieldARPTHA, "arp_tha", 6, 48, "mw--", FormEthernet, PrereqARP, in(b, &k.ARPTHA), "NXM_NX_ARP_THA(18)", "OXM_OF_ARP_THA(25)@12")
}

// shifted moves where the field's bit 0 stands, below the bits that count.
func (p place) shifted(n int) place { p.shift = uint8(n); return p }

func (b *tableBuilder) l4Rows() {
	k := &b.zero
	src, dst := in(b, &k.TpSrc), in(b, &k.TpDst)
	b.row(FieldTCPSrc, "tcp_src,tp_src", 2, 16, "mwee", FormDecimal, PrereqTCP, src, "NXM_OF_TCP_SRC(9)", "OXM_OF_TCP_SRC(13)@12")
	b.row(FieldTCPDst, "tcp_dst,tp_dst", 2, 16, "mwee", FormDecimal, PrereqTCP, dst, "NXM_OF_TCP_DST(10)", "OXM_OF_TCP_DST(14)@12")
	b.row(FieldTCPFlags, "tcp_flags", 2, 12, "mr--", FormTCPFlags, PrereqTCP, in(b, &k.TCPFlags).bits(0, 12), "NXM_NX_TCP_FLAGS(34)", "ONFOXM_ET_TCP_FLAGS(42)@13", "OXM_OF_TCP_FLAGS(42)@15")
	b.row(FieldUDPSrc, "udp_src", 2, 16, "mwee", FormDecimal, PrereqUDP, src, "NXM_OF_UDP_SRC(11)", "OXM_OF_UDP_SRC(15)@12")
	b.row(FieldUDPDst, "udp_dst", 2, 16, "mwee", FormDecimal, PrereqUDP, dst, "NXM_OF_UDP_DST(12)", "OXM_OF_UDP_DST(16)@12")
	b.row(FieldSCTPSrc, "sctp_src", 2, 16, "mw-e", FormDecimal, PrereqSCTP, src, "OXM_OF_SCTP_SRC(17)@12")
	b.row(FieldSCTPDst, "sctp_dst", 2, 16, "mw-e", FormDecimal, PrereqSCTP, dst, "OXM_OF_SCTP_DST(18)@12")
	typ, code := src.bits(0, 8).as(placeLow8), dst.bits(0, 8).as(placeLow8)
	b.row(FieldICMPv4Type, "icmp_type", 1, 8, "-wee", FormDecimal, PrereqICMPv4, typ, "NXM_OF_ICMP_TYPE(13)", "OXM_OF_ICMPV4_TYPE(19)@12")
	b.row(FieldICMPv4Code, "icmp_code", 1, 8, "-wee", FormDecimal, PrereqICMPv4, code, "NXM_OF_ICMP_CODE(14)", "OXM_OF_ICMPV4_CODE(20)@12")
	b.row(FieldICMPv6Type, "icmpv6_type", 1, 8, "-w--", FormDecimal, PrereqICMPv6, typ, "NXM_NX_ICMPV6_TYPE(21)", "OXM_OF_ICMPV6_TYPE(29)@12")
	b.row(FieldICMPv6Code, "icmpv6_code", 1, 8, "-w--", FormDecimal, PrereqICMPv6, code, "NXM_NX_ICMPV6_CODE(22)", "OXM_OF_ICMPV6_CODE(30)@12")
	b.row(FieldNDTarget, "nd_target", 16, 128, "mw--", FormIPv6, PrereqND, in(b, &k.NDTarget), "NXM_NX_ND_TARGET(23)", "OXM_OF_IPV6_ND_TARGET(31)@12")
	b.row(FieldNDSLL, "nd_sll", 6, 48, "mw--", FormEthernet, PrereqNDSolicit, in(b, &k.ARPSHA), "NXM_NX_ND_SLL(24)", "OXM_OF_IPV6_ND_SLL(32)@12")
	b.row(FieldNDTLL, "nd_tll", 6, 48, "mw--", FormEthernet, PrereqNDAdvert, in(b, &k.ARPTHA), "NXM_NX_ND_TLL(25)", "OXM_OF_IPV6_ND_TLL(33)@12")
	b.row(FieldNDReserved, "nd_reserved", 4, 32, "-w--", FormDecimal, PrereqND, in(b, &k.NDReserved), "ERICOXM_OF_ICMPV6_ND_RESERVED(1)")
	b.row(FieldNDOptionsType, "nd_options_type", 1, 8, "-w--", FormDecimal, PrereqND, in(b, &k.NDOptionsType), "ERICOXM_OF_ICMPV6_ND_OPTIONS_TYPE(2)")
}

func (b *tableBuilder) nshRows() {
	n := &b.zero.NSH
	b.row(FieldNSHFlags, "nsh_flags", 1, 8, "mw--", FormDecimal, PrereqNSH, in(b, &n.Flags), "NXOXM_NSH_FLAGS(1)@12")
	b.row(FieldNSHMDType, "nsh_mdtype", 1, 8, "-r--", FormDecimal, PrereqNSH, in(b, &n.MDType), "NXOXM_NSH_MDTYPE(2)@12")
	b.row(FieldNSHNP, "nsh_np", 1, 8, "-r--", FormDecimal, PrereqNSH, in(b, &n.NP), "NXOXM_NSH_NP(3)@12")
	b.row(FieldNSHSPI, "nsh_spi,nsp", 4, 24, "-w--", FormHex, PrereqNSH, in(b, &n.PathHdr).bits(8, 24), "NXOXM_NSH_SPI(4)@12")
	b.row(FieldNSHSI, "nsh_si,nsi", 1, 8, "-w--", FormDecimal, PrereqNSH, in(b, &n.PathHdr).bits(0, 8), "NXOXM_NSH_SI(5)@12")
	for i := range 4 {
		c := strconv.Itoa(i + 1)
		b.row(FieldNSHC1+FieldID(i), "nsh_c"+c+",nshc"+c, 4, 32, "mw--", FormHex, PrereqNSH, in(b, &n.Context[i]), "NXOXM_NSH_C"+c+"("+strconv.Itoa(6+i)+")@12")
	}
	b.row(FieldNSHTTL, "nsh_ttl", 1, 8, "-w--", FormDecimal, PrereqNSH, in(b, &n.TTL), "NXOXM_NSH_TTL(10)@12")
}
