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

// tableNamed reports whether a table has a name.
func (n *Names) tableNamed(id uint8) bool {
	if n == nil || n.Tables == nil {
		return false
	}
	_, ok := n.Tables.TableName(id)
	return ok
}

// FormatActions prints actions as ovs-ofctl does, without "actions=": an empty
// list is "drop".
func FormatActions(as []Action, names *Names) string {
	if len(as) == 0 {
		return "drop"
	}
	return string(appendList(nil, as, names))
}

// AppendActions appends to dst what [FormatActions] prints.
func AppendActions(dst []byte, as []Action, names *Names) []byte {
	if len(as) == 0 {
		return append(dst, "drop"...)
	}
	return appendList(dst, as, names)
}

func appendList(dst []byte, as []Action, names *Names) []byte {
	for i, a := range as {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = appendAction(dst, a, names)
	}
	return dst
}

// appendAction appends an action, those that most flows have without detour.
func appendAction(dst []byte, a Action, names *Names) []byte {
	switch a := a.(type) {
	case *Output:
		if a.Port < PortMax && names.ports() == nil {
			return strconv.AppendUint(append(dst, "output:"...), uint64(a.Port), 10)
		}
	case *GotoTable:
		return append(append(dst, "goto_table:"...), names.table(a.Table)...)
	}
	return append(dst, FormatAction(a, names)...)
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
		return "set_field:" + a.Field.FormatSet(a.Value, a.Mask, names.ports()) + "->" + a.Field.Name
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
