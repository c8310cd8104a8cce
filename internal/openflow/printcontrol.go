package openflow

import (
	"fmt"
	"net/netip"
	"strings"
)

func (p *printer) control(m Message) bool {
	switch m := m.(type) {
	case *RoleRequest:
		p.role(m.Role, m.NX, m.HaveGeneration, m.GenerationID)
	case *RoleReply:
		p.role(m.Role, m.NX, m.HaveGeneration, m.GenerationID)
	case *RoleStatus:
		p.role(m.Role, false, m.GenerationID != ^uint64(0), m.GenerationID)
		p.f(" reason=%s", roleReason(m.Reason))
	case *GetAsyncReply:
		p.async(&m.Config)
	case *SetAsync:
		p.async(&m.Config)
	case *BundleControl:
		p.f("\n bundle_id=%s type=%s flags=%s", hex64(uint64(m.ID)), bundleTypeText(m.Type), bundleFlagsText(m.Flags))
	case *BundleAdd:
		p.f("\n bundle_id=%s flags=%s\n", hex64(uint64(m.ID)), bundleFlagsText(m.Flags))
		opt := p.opt
		p.WriteString(FormatMessage(m.Raw, opt))
	case *RequestForward:
		p.requestForward(m)
	case *FlowModTableID:
		p.WriteString(" " + map[bool]string{true: "enable", false: "disable"}[m.Set])
	case *SetFlowFormat:
		p.WriteString(" format=" + map[bool]string{true: "nxm", false: "openflow10"}[m.NXM])
	case *SetPacketInFormat:
		p.f(" format=%s", m.Format)
	case *SetControllerID:
		p.f(" id=%d", m.ID)
	default:
		return p.nicira(m)
	}
	return true
}

var packetInFormats = []string{"standard", "nxt_packet_in", "nxt_packet_in2"}

// String is the name that ovs-ofctl -P takes.
func (f PacketInFormat) String() string { return packetInFormats[min(int(f), 2)] }

var roleNames = []string{"nochange", "equal", "primary", "secondary"}

// String is the role as it is printed for standard messages.
func (r Role) String() string {
	if int(r) < len(roleNames) {
		return roleNames[r]
	}
	return fmt.Sprint(uint32(r))
}

func (p *printer) role(r Role, _, have bool, gen uint64) {
	p.f(" role=%s", r)
	if have {
		p.f(" generation_id=%d", gen)
	}
}

func roleReason(r RoleStatusReason) string {
	switch r {
	case RolePrimaryRequest:
		return "primary_request"
	case RoleConfig:
		return "configuration_changed"
	case RoleExperimenter:
		return "experimenter_data_changed"
	}
	return "(unknown)"
}

var asyncNames = []string{"PACKET_IN", "PORT_STATUS", "FLOW_REMOVED", "ROLE_STATUS", "TABLE_STATUS", "REQUESTFORWARD"}

var asyncReasons = [NumAsync][]string{
	{"no_match", "action", "invalid_ttl", "action_set", "group", "packet_out"},
	{"add", "delete", "modify"},
	{"idle", "hard", "delete", "group_delete", "meter_delete", "eviction"},
	{"primary_request", "configuration_changed", "experimenter_data_changed"},
	{"", "", "", "vacancy_down", "vacancy_up"},
	{"group_mod_request", "meter_mod_request"},
}

func (p *printer) async(c *AsyncConfig) {
	for i, masks := range [][NumAsync]uint32{c.Primary, c.Secondary} {
		p.f("\n %s:\n", []string{"primary", "secondary"}[i])
		for t := range NumAsync {
			p.f("%16s:", asyncNames[t])
			any := false
			for b, n := range asyncReasons[t] {
				if masks[t]&(1<<b) != 0 && n != "" {
					p.WriteString(" " + n)
					any = true
				}
			}
			if !any {
				p.WriteString(" (off)")
			}
			p.WriteByte('\n')
		}
	}
}

var bundleTypes = []string{
	"OPEN_REQUEST", "OPEN_REPLY", "CLOSE_REQUEST", "CLOSE_REPLY", "COMMIT_REQUEST", "COMMIT_REPLY",
	"DISCARD_REQUEST", "DISCARD_REPLY",
}

func bundleTypeText(t BundleCtrlType) string {
	if int(t) < len(bundleTypes) {
		return bundleTypes[t]
	}
	return fmt.Sprint(uint16(t))
}

func bundleFlagsText(f uint16) string {
	return bitNames(uint32(f), []bitName{{BundleAtomic, "atomic"}, {BundleOrdered, "ordered"}})
}

func (p *printer) requestForward(m *RequestForward) {
	h, in, err := Decode(m.Raw, DecodeOptions{})
	if err != nil {
		p.f(" ***decode error: %s***\n", CodeOf(err))
		return
	}
	q := &printer{opt: p.opt, h: h}
	q.groups(in)
	reason := "group_mod"
	if _, ok := in.(*MeterMod); ok {
		reason = "meter_mod"
	}
	p.f(" reason=%s%s", reason, q.String())
}

func (p *printer) nicira(m Message) bool {
	switch m := m.(type) {
	case *TLVTableMod:
		p.WriteString("\n " + []string{"ADD", "DEL", "CLEAR"}[m.Command])
		if m.Command != TLVClear {
			p.WriteString(" mapping table:\n")
			p.tlvMaps(m.Maps)
		}
	case *TLVTableReply:
		var space int
		for _, t := range m.Maps {
			space += int(t.Len)
		}
		p.f("\n max option space=%d max fields=%d\n", m.MaxSpace, m.MaxFields)
		p.f(" allocated option space=%d\n\n mapping table:\n", space)
		p.tlvMaps(m.Maps)
	case *CTFlushZone:
		p.f(" zone_id=%d", m.Zone)
	case *CTFlush:
		p.WriteString(" " + m.String())
	case *IPFIXStatsReply:
		p.ipfix(m)
	default:
		return false
	}
	return true
}

func (p *printer) tlvMaps(maps []TLVMap) {
	p.WriteString("  class  type  length  match field\n ------  ----  ------  --------------\n")
	for _, t := range maps {
		p.f(" %#6x  %4s  %6d  tun_metadata%d\n", t.Class, hex64(uint64(t.Type)), t.Len, t.Index)
	}
}

// String is which connections are flushed: zone, mark and labels where they
// are given, and the tuples of both directions.
func (m *CTFlush) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "zone=%d", m.Zone)
	if m.MarkMask != 0 {
		fmt.Fprintf(&b, " mark=%#x/%#x", m.Mark, m.MarkMask)
	}
	if m.LabelsMask != [16]byte{} {
		fmt.Fprintf(&b, " labels=0x%x/0x%x", m.Labels, m.LabelsMask)
	}
	v4 := isV4(&m.Orig) || isV4(&m.Reply)
	fmt.Fprintf(&b, " '%s,ct_nw_proto=%d' '%s'", FormatCTTuple(&m.Orig, m.IPProto, v4), m.IPProto, FormatCTTuple(&m.Reply, m.IPProto, v4))
	return b.String()
}

func isV4(t *CTTuple) bool {
	return netip.AddrFrom16(t.Src).Is4In6() || netip.AddrFrom16(t.Dst).Is4In6()
}

// FormatCTTuple prints one direction of a connection of an IP protocol, as
// IPv4 when v4.
func FormatCTTuple(t *CTTuple, proto uint8, v4 bool) string {
	src, dst := netip.AddrFrom16(t.Src), netip.AddrFrom16(t.Dst)
	var b strings.Builder
	if v4 {
		fmt.Fprintf(&b, "ct_nw_src=%s,ct_nw_dst=%s,", src.Unmap(), dst.Unmap())
	} else {
		fmt.Fprintf(&b, "ct_ipv6_src=%s,ct_ipv6_dst=%s,", src, dst)
	}
	if proto == 1 || proto == 58 {
		fmt.Fprintf(&b, "icmp_id=%d,icmp_type=%d,icmp_code=%d", t.ICMPID, t.ICMPType, t.ICMPCode)
	} else {
		fmt.Fprintf(&b, "ct_tp_src=%d,ct_tp_dst=%d", t.SrcPort, t.DstPort)
	}
	return b.String()
}

func (p *printer) ipfix(m *IPFIXStatsReply) {
	if m.Flow {
		p.f(" %d ids\n", len(m.Stats))
	} else {
		p.WriteByte('\n')
	}
	for _, s := range m.Stats {
		indent := "                "
		if m.Flow {
			p.f("  id %3d: ", s.CollectorSetID)
			indent = "          "
		} else {
			p.WriteString("  bridge ipfix: ")
		}
		p.f("flows=%d, current flows=%d, sampled pkts=%d, ipv4 ok=%d, ipv6 ok=%d, tx pkts=%d\n",
			s.TotalFlows, s.CurrentFlows, s.Packets, s.IPv4Packets, s.IPv6Packets, s.TxPackets)
		p.f("%spkts errs=%d, ipv4 errs=%d, ipv6 errs=%d, tx errs=%d\n",
			indent, s.ErrorPackets, s.IPv4ErrorPackets, s.IPv6ErrorPkts, s.TxErrors)
	}
}
