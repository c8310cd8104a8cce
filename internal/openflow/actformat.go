package openflow

import (
	"fmt"
	"strconv"
	"strings"

	"weir/internal/flow"
)

// Names gives ports and tables names in text. A nil Names knows the reserved
// ports only.
type Names struct {
	Ports  flow.PortNames // may be nil
	Tables TableNames     // may be nil
}

// TableNames gives tables names.
type TableNames interface {
	TableName(id uint8) (string, bool)
	TableNumber(name string) (uint8, bool)
}

func (n *Names) ports() flow.PortNames {
	if n == nil {
		return nil
	}
	return n.Ports
}

func (n *Names) port(p PortNo) string { return flow.FormatPort(uint32(p), n.ports()) }

func (n *Names) table(id uint8) string {
	if n != nil && n.Tables != nil {
		if s, ok := n.Tables.TableName(id); ok {
			return flow.QuotePortName(s)
		}
	}
	return strconv.Itoa(int(id))
}

// FormatActions prints actions as ovs-ofctl does, without "actions=": an empty
// list is "drop".
func FormatActions(as []Action, names *Names) string {
	if len(as) == 0 {
		return "drop"
	}
	var b strings.Builder
	formatList(&b, as, names)
	return b.String()
}

func formatList(b *strings.Builder, as []Action, names *Names) {
	for i, a := range as {
		if i > 0 {
			b.WriteByte(',')
		}
		b.WriteString(FormatAction(a, names))
	}
}

// FormatAction prints one action (ovs-actions(7)).
func FormatAction(a Action, names *Names) string {
	for _, f := range []func(Action, *Names) string{formatOutput, formatHeader, formatPlain, formatField, formatBig} {
		if s := f(a, names); s != "" {
			return s
		}
	}
	return ""
}

// String prints the subfield with the field's NXM or OXM name: NXM_NX_REG0[0..5].
func (s Subfield) String() string {
	if s.Field == nil {
		return "<unknown>"
	}
	return fieldCodeName(s.Field) + s.brackets()
}

// fieldCodeName is the name of a field's header, for the older syntax.
func fieldCodeName(f *flow.Field) string {
	if c, ok := f.NXM(); ok {
		return c.Name
	}
	return f.Name
}

func (s Subfield) brackets() string {
	switch {
	case s.Ofs == 0 && int(s.N) == s.Field.NBits:
		return "[]"
	case s.N == 1:
		return fmt.Sprintf("[%d]", s.Ofs)
	}
	return fmt.Sprintf("[%d..%d]", s.Ofs, s.Ofs+s.N-1)
}

func formatOutput(a Action, names *Names) string {
	switch a := a.(type) {
	case *Output:
		switch {
		case a.Port < PortMax:
			return "output:" + names.port(a.Port)
		case a.Port == PortController:
			return fmt.Sprintf("CONTROLLER:%d", a.MaxLen)
		}
		return names.port(a.Port)
	case *Group:
		return fmt.Sprintf("group:%d", a.ID)
	case *Controller:
		return formatController(a)
	case *Enqueue:
		return fmt.Sprintf("enqueue:%s:%d", names.port(a.Port), a.Queue)
	case *OutputReg:
		return "output:" + a.Src.String()
	case *OutputTrunc:
		return fmt.Sprintf("output(port=%s,max_len=%d)", names.port(a.Port), a.MaxLen)
	case *SetQueue:
		return fmt.Sprintf("set_queue:%d", a.Queue)
	case *PopQueue:
		return "pop_queue"
	case *Bundle:
		return formatBundle(a, names)
	}
	return ""
}

func formatController(c *Controller) string {
	if c.Reason == uint8(ReasonAction) && c.ControllerID == 0 && len(c.Userdata) == 0 && !c.Pause && c.MeterID == 0 {
		return fmt.Sprintf("CONTROLLER:%d", c.MaxLen)
	}
	var args []string
	if c.Reason != uint8(ReasonAction) {
		args = append(args, "reason="+PacketInReason(c.Reason).String())
	}
	if c.MaxLen != 0xffff {
		args = append(args, fmt.Sprintf("max_len=%d", c.MaxLen))
	}
	if c.ControllerID != 0 {
		args = append(args, fmt.Sprintf("id=%d", c.ControllerID))
	}
	if len(c.Userdata) > 0 {
		args = append(args, "userdata="+dotHex(c.Userdata))
	}
	if c.Pause {
		args = append(args, "pause")
	}
	if c.MeterID != 0 {
		args = append(args, fmt.Sprintf("meter_id=%d", c.MeterID))
	}
	return "controller(" + strings.Join(args, ",") + ")"
}

var packetInReasons = []string{
	"no_match", "action", "invalid_ttl", "action_set", "group", "packet_out", "action", "no_match",
}

// String is the reason in text.
func (r PacketInReason) String() string {
	if int(r) < len(packetInReasons) {
		return packetInReasons[r]
	}
	return strconv.Itoa(int(r))
}

// ParsePacketInReason reads a reason.
func ParsePacketInReason(s string) (PacketInReason, bool) {
	for i, n := range packetInReasons[:6] {
		if strings.EqualFold(n, s) {
			return PacketInReason(i), true
		}
	}
	return 0, false
}

func dotHex(b []byte) string {
	s := make([]string, len(b))
	for i, c := range b {
		s[i] = fmt.Sprintf("%02x", c)
	}
	return strings.Join(s, ".")
}

func formatHeader(a Action, _ *Names) string {
	switch a := a.(type) {
	case *SetVLANVID:
		return fmt.Sprintf("%s:%d", vlanVerb(a.PushIfNeeded, "vid"), a.VID)
	case *SetVLANPCP:
		return fmt.Sprintf("%s:%d", vlanVerb(a.PushIfNeeded, "pcp"), a.PCP)
	case *StripVLAN:
		if a.Pop {
			return "pop_vlan"
		}
		return "strip_vlan"
	case *PushVLAN:
		return fmt.Sprintf("push_vlan:%#04x", a.EthType)
	case *SetEthSrc:
		return "mod_dl_src:" + macText(a.MAC)
	case *SetEthDst:
		return "mod_dl_dst:" + macText(a.MAC)
	case *SetIPv4Src:
		return "mod_nw_src:" + flow.FormatIPv4(a.Addr)
	case *SetIPv4Dst:
		return "mod_nw_dst:" + flow.FormatIPv4(a.Addr)
	case *SetIPDSCP:
		return fmt.Sprintf("mod_nw_tos:%d", a.DSCP)
	case *SetIPECN:
		return fmt.Sprintf("mod_nw_ecn:%d", a.ECN)
	case *SetIPTTL:
		return fmt.Sprintf("mod_nw_ttl:%d", a.TTL)
	case *SetL4SrcPort:
		return fmt.Sprintf("mod_tp_src:%d", a.Port)
	case *SetL4DstPort:
		return fmt.Sprintf("mod_tp_dst:%d", a.Port)
	case *DecTTL:
		return formatDecTTL(a)
	case *SetMPLSLabel:
		return fmt.Sprintf("set_mpls_label(%d)", a.Label)
	case *SetMPLSTC:
		return fmt.Sprintf("set_mpls_tc(%d)", a.TC)
	case *SetMPLSTTL:
		return fmt.Sprintf("set_mpls_ttl(%d)", a.TTL)
	case *DecMPLSTTL:
		return "dec_mpls_ttl"
	case *DecNSHTTL:
		return "dec_nsh_ttl"
	case *PushMPLS:
		return fmt.Sprintf("push_mpls:0x%04x", a.EthType)
	case *PopMPLS:
		return fmt.Sprintf("pop_mpls:0x%04x", a.EthType)
	}
	return ""
}

func vlanVerb(push bool, what string) string {
	if push {
		return "mod_vlan_" + what
	}
	return "set_vlan_" + what
}

func formatDecTTL(a *DecTTL) string {
	if !a.FromIDs {
		return "dec_ttl"
	}
	s := make([]string, len(a.IDs))
	for i, id := range a.IDs {
		s[i] = strconv.Itoa(int(id))
	}
	return "dec_ttl(" + strings.Join(s, ",") + ")"
}

func macText(m [6]byte) string {
	return fmt.Sprintf("%02x:%02x:%02x:%02x:%02x:%02x", m[0], m[1], m[2], m[3], m[4], m[5])
}

// hex64 is C's "%#"PRIx64: zero has no prefix.
func hex64(v uint64) string {
	if v == 0 {
		return "0"
	}
	return "0x" + strconv.FormatUint(v, 16)
}

func formatPlain(a Action, names *Names) string {
	switch a := a.(type) {
	case *SetTunnelID:
		if a.Wide || a.ID>>32 != 0 {
			return "set_tunnel64:" + hex64(a.ID)
		}
		return "set_tunnel:" + hex64(a.ID)
	case *Resubmit:
		return formatResubmit(a, names)
	case *Exit:
		return "exit"
	case *Note:
		return "note:" + dotHex(a.Data)
	case *FinTimeout:
		var args []string
		if a.Idle != 0 {
			args = append(args, fmt.Sprintf("idle_timeout=%d", a.Idle))
		}
		if a.Hard != 0 {
			args = append(args, fmt.Sprintf("hard_timeout=%d", a.Hard))
		}
		return "fin_timeout(" + strings.Join(args, ",") + ")"
	case *Conjunction:
		return fmt.Sprintf("conjunction(%d,%d/%d)", a.ID, a.Clause+1, a.N)
	case *CTClear:
		return "ct_clear"
	case *DebugSlow:
		return "debug_slow"
	case *DebugRecirc:
		return "debug_recirc"
	case *MeterInst:
		return fmt.Sprintf("meter:%d", a.ID)
	case *ClearActions:
		return "clear_actions"
	case *WriteMetadata:
		if a.Mask == ^uint64(0) {
			return "write_metadata:" + hex64(a.Value)
		}
		return "write_metadata:" + hex64(a.Value) + "/" + hex64(a.Mask)
	case *GotoTable:
		return "goto_table:" + names.table(a.Table)
	}
	return ""
}

func formatResubmit(a *Resubmit, names *Names) string {
	if a.InPort != PortInPort && a.Table == TableAny {
		return "resubmit:" + names.port(a.InPort)
	}
	var b strings.Builder
	b.WriteString("resubmit(")
	if a.InPort != PortInPort {
		b.WriteString(names.port(a.InPort))
	}
	b.WriteByte(',')
	if a.Table != TableAny {
		b.WriteString(names.table(a.Table))
	}
	if a.WithCT {
		b.WriteString(",ct")
	}
	b.WriteByte(')')
	return b.String()
}

func formatField(a Action, names *Names) string {
	switch a := a.(type) {
	case *SetField:
		if a.FromLoad && !a.Field.IsTunMetadata() {
			return formatLoad(a)
		}
		return "set_field:" + a.Field.FormatValue(a.Value, a.Mask, names.ports()) + "->" + a.Field.Name
	case *Move:
		return "move:" + a.Src.String() + "->" + a.Dst.String()
	case *Push:
		return "push:" + a.Src.String()
	case *Pop:
		return "pop:" + a.Dst.String()
	case *Multipath:
		return fmt.Sprintf("multipath(%s,%d,%s,%d,%d,%s)", a.Fields, a.Basis, multipathNames[a.Algorithm],
			int(a.MaxLink)+1, a.Arg, a.Dst)
	case *CheckPktLarger:
		return fmt.Sprintf("check_pkt_larger(%d)->%s", a.Len, a.Dst)
	case *DeleteField:
		return "delete_field:" + a.Field.Name
	}
	return ""
}

// formatLoad prints one load for each run of the mask.
func formatLoad(a *SetField) string {
	var out []string
	for _, r := range maskRuns(a.Mask, 64) {
		sub := Subfield{Field: a.Field, Ofs: uint16(r.ofs), N: uint16(r.n)}
		out = append(out, "load:"+hex64(a.Value.Shr(r.ofs).And(flow.Ones(r.n)).Lo)+"->"+sub.String())
	}
	return strings.Join(out, ",")
}

var hashFieldNames = []string{
	"eth_src", "symmetric_l4", "symmetric_l3l4", "symmetric_l3l4+udp", "nw_src", "nw_dst", "symmetric_l3",
}

// String is the name of the field set.
func (h HashFields) String() string {
	if int(h) < len(hashFieldNames) {
		return hashFieldNames[h]
	}
	return "<unknown>"
}

var (
	multipathNames = []string{"modulo_n", "hash_threshold", "hrw", "iter_hash"}
	bundleNames    = []string{"active_backup", "hrw"}
)

func formatBundle(b *Bundle, names *Names) string {
	var s strings.Builder
	verb, dst := "bundle", ""
	if b.Dst.Field != nil {
		verb, dst = "bundle_load", b.Dst.String()+","
	}
	fmt.Fprintf(&s, "%s(%s,%d,%s,ofport,%smembers:", verb, b.Fields, b.Basis, bundleNames[b.Algorithm], dst)
	for i, p := range b.Members {
		if i > 0 {
			s.WriteByte(',')
		}
		s.WriteString(names.port(p))
	}
	s.WriteByte(')')
	return s.String()
}

func formatBig(a Action, names *Names) string {
	switch a := a.(type) {
	case *Learn:
		return formatLearn(a, names)
	case *CT:
		return formatCT(a, names)
	case *NAT:
		return formatNAT(a)
	case *Clone:
		return "clone(" + nestedText(a.Actions, names) + ")"
	case *WriteActions:
		return "write_actions(" + FormatActions(a.Actions, names) + ")"
	case *Sample:
		return formatSample(a, names)
	case *Encap:
		return formatEncap(a)
	case *UnrollXlate:
		return fmt.Sprintf("unroll_xlate(table=%d, cookie=%d)", a.Table, a.Cookie)
	case *Decap:
		if a.NewPacketType == PacketTypeUseNext {
			return "decap()"
		}
		return fmt.Sprintf("decap(packet_type(ns=%d,type=%s))", a.NewPacketType>>16, hex64(uint64(a.NewPacketType&0xffff)))
	}
	return ""
}

func nestedText(as []Action, names *Names) string {
	var b strings.Builder
	formatList(&b, as, names)
	return b.String()
}

func formatLearn(l *Learn, names *Names) string {
	args := []string{"table=" + names.table(l.TableID)}
	add := func(format string, v ...any) { args = append(args, fmt.Sprintf(format, v...)) }
	for _, t := range []struct {
		name string
		v    uint16
	}{
		{"idle_timeout", l.IdleTimeout}, {"hard_timeout", l.HardTimeout},
		{"fin_idle_timeout", l.FinIdleTimeout}, {"fin_hard_timeout", l.FinHardTimeout},
	} {
		if t.v != 0 {
			add("%s=%d", t.name, t.v)
		}
	}
	if l.Priority != flow.DefaultPriority {
		add("priority=%d", l.Priority)
	}
	if l.Flags&LearnSendFlowRem != 0 {
		add("send_flow_rem")
	}
	if l.Flags&LearnDeleteLearned != 0 {
		add("delete_learned")
	}
	if l.Cookie != 0 {
		add("cookie=%s", hex64(l.Cookie))
	}
	if l.Limit != 0 {
		add("limit=%d", l.Limit)
	}
	if l.Flags&LearnWriteResult != 0 {
		add("result_dst=%s", l.ResultDst)
	}
	for i := range l.Specs {
		args = append(args, l.Specs[i].text(names))
	}
	return "learn(" + strings.Join(args, ",") + ")"
}

func (s *LearnSpec) text(names *Names) string {
	switch {
	case s.Dst == LearnMatch && s.FromImm:
		if s.DstSub.Ofs == 0 && int(s.DstSub.N) == s.DstSub.Field.NBits {
			f := s.DstSub.Field
			v := s.Imm
			return f.Name + "=" + f.FormatValue(v, f.Exact(), names.ports())
		}
		return s.DstSub.String() + "=" + immText(s.Imm)
	case s.Dst == LearnMatch:
		if s.Src == s.DstSub {
			return s.DstSub.String()
		}
		return s.DstSub.String() + "=" + s.Src.String()
	case s.Dst == LearnLoad && s.FromImm:
		return "load:" + immText(s.Imm) + "->" + s.DstSub.String()
	case s.Dst == LearnLoad:
		return "load:" + s.Src.String() + "->" + s.DstSub.String()
	}
	return "output:" + s.Src.String()
}

func immText(v flow.Value) string {
	switch {
	case v.Hi != 0:
		return fmt.Sprintf("0x%x%016x", v.Hi, v.Lo)
	}
	return fmt.Sprintf("0x%x", v.Lo)
}

func formatCT(c *CT, names *Names) string {
	var args []string
	if c.Flags&CTCommit != 0 {
		args = append(args, "commit")
	}
	if c.Flags&CTForce != 0 {
		args = append(args, "force")
	}
	if c.Table != CTNoTable {
		args = append(args, "table="+names.table(c.Table))
	}
	if c.ZoneSrc.Field != nil {
		args = append(args, "zone="+c.ZoneSrc.String())
	} else if c.ZoneImm != 0 {
		args = append(args, fmt.Sprintf("zone=%d", c.ZoneImm))
	}
	var exec []Action
	for _, a := range c.Actions {
		if n, ok := a.(*NAT); ok {
			args = append(args, formatNAT(n))
		} else {
			exec = append(exec, a)
		}
	}
	if len(exec) > 0 {
		args = append(args, "exec("+nestedText(exec, names)+")")
	}
	switch c.ALG {
	case 0:
	case CTALGFTP:
		args = append(args, "alg=ftp")
	case CTALGTFTP:
		args = append(args, "alg=tftp")
	default:
		args = append(args, fmt.Sprintf("alg=%d", c.ALG))
	}
	return "ct(" + strings.Join(args, ",") + ")"
}

func formatNAT(n *NAT) string {
	if n.Flags&(NATSrc|NATDst) == 0 {
		return "nat"
	}
	var b strings.Builder
	b.WriteString("nat(dst")
	if n.Flags&NATSrc != 0 {
		b.Reset()
		b.WriteString("nat(src")
	}
	if n.HasAddr || n.ProtoMin != 0 {
		b.WriteByte('=')
	}
	if n.HasAddr {
		b.WriteString(natAddr(n, n.AddrMin, n.ProtoMin != 0))
		if n.AddrMax != [16]byte{} && n.AddrMax != n.AddrMin {
			b.WriteString("-" + natAddr(n, n.AddrMax, n.ProtoMin != 0))
		}
	}
	if n.ProtoMin != 0 {
		fmt.Fprintf(&b, ":%d", n.ProtoMin)
		if n.ProtoMax != 0 && n.ProtoMax != n.ProtoMin {
			fmt.Fprintf(&b, "-%d", n.ProtoMax)
		}
	}
	for _, f := range natFlagNames {
		if n.Flags&f.flag != 0 {
			b.WriteString("," + f.name)
		}
	}
	b.WriteByte(')')
	return b.String()
}

var natFlagNames = []struct {
	flag NATFlags
	name string
}{{NATPersistent, "persistent"}, {NATProtoHash, "hash"}, {NATProtoRandom, "random"}}

func natAddr(n *NAT, a [16]byte, port bool) string {
	if !n.IPv6 {
		return flow.FormatIPv4(uint32(decValue(a[:4]).Lo))
	}
	if port {
		return "[" + flow.FormatIPv6(a) + "]"
	}
	return flow.FormatIPv6(a)
}

func formatSample(s *Sample, names *Names) string {
	var b strings.Builder
	fmt.Fprintf(&b, "sample(probability=%d,collector_set_id=%d", s.Probability, s.CollectorSetID)
	for _, id := range []struct {
		name string
		imm  uint32
		src  Subfield
	}{{"obs_domain_id", s.ObsDomainID, s.DomainSrc}, {"obs_point_id", s.ObsPointID, s.PointSrc}} {
		if id.src.Field != nil {
			fmt.Fprintf(&b, ",%s=%s", id.name, id.src)
		} else {
			fmt.Fprintf(&b, ",%s=%d", id.name, id.imm)
		}
	}
	if s.SamplingPort != PortNone {
		b.WriteString(",sampling_port=" + names.port(s.SamplingPort))
	}
	switch s.Direction {
	case SampleIngress:
		b.WriteString(",ingress")
	case SampleEgress:
		b.WriteString(",egress")
	}
	b.WriteByte(')')
	return b.String()
}

func formatEncap(e *Encap) string {
	switch e.PacketType {
	case PacketTypeEthernet:
		return "encap(ethernet)"
	case PacketTypeMPLS:
		return "encap(mpls)"
	case PacketTypeMPLSMC:
		return "encap(mpls_mc)"
	case PacketTypeNSH:
	default:
		return fmt.Sprintf("encap(%#x)", e.PacketType)
	}
	var props []string
	for _, p := range e.Props {
		if p.Type == 1 {
			props = append(props, fmt.Sprintf("md_type=%d", p.Data[0]))
		} else {
			props = append(props, fmt.Sprintf("tlv(0x%04x,%d,0x%x)", uint16(p.Data[0])<<8|uint16(p.Data[1]), p.Data[2], p.Data[3:]))
		}
	}
	if len(props) == 0 {
		return "encap(nsh)"
	}
	return "encap(nsh(" + strings.Join(props, ",") + "))"
}

// ActionName is the name of an action's kind in error messages.
func ActionName(a Action) string {
	s := FormatAction(a, nil)
	if i := strings.IndexAny(s, ":("); i >= 0 {
		s = s[:i]
	}
	switch a.(type) {
	case *SetField:
		return "set_field"
	case *Output:
		return "output"
	case *Controller:
		return "controller"
	}
	return s
}
