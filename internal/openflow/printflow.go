package openflow

import (
	"fmt"
	"strconv"
	"strings"

	"weir/internal/flow"
)

var flowCommands = []string{"ADD", "MOD", "MOD_STRICT", "DEL", "DEL_STRICT"}

// String is the command as it is printed: "ADD".
func (c FlowModCommand) String() string {
	if int(c) < len(flowCommands) {
		return flowCommands[c]
	}
	return fmt.Sprintf("cmd:%d", uint8(c))
}

var flowFlagNames = []struct {
	flag FlowFlags
	name string
}{
	{FlowSendRem, "send_flow_rem"}, {FlowCheckOverlap, "check_overlap"}, {FlowResetCounts, "reset_counts"},
	{FlowNoPktCounts, "no_packet_counts"}, {FlowNoBytCounts, "no_byte_counts"},
	{FlowHiddenFields, "allow_hidden_fields"}, {FlowNoReadonly, "no_readonly_table"},
}

// Text prints the flags, each followed by a space.
func (f FlowFlags) Text() string {
	var b strings.Builder
	for _, n := range flowFlagNames {
		if f&n.flag != 0 {
			b.WriteString(n.name + " ")
		}
	}
	return b.String()
}

func (p *printer) flows(m Message) bool {
	switch m := m.(type) {
	case *FlowMod:
		p.flowMod(m)
	case *PacketIn:
		p.packetIn(m)
	case *Resume:
		p.packetIn(&m.PacketIn)
	case *PacketOut:
		p.packetOut(m)
	case *FlowRemoved:
		p.flowRemoved(m)
	case *FlowStatsRequest:
		if m.TableID != TableAny {
			p.WriteString(" table=" + p.opt.Names.table(m.TableID))
		}
		if m.OutPort != PortNone {
			p.WriteString(" out_port=" + p.opt.Names.port(m.OutPort))
		}
		if s := m.Match.Format(flow.DefaultPriority, p.opt.Names.ports()); s != "" {
			p.WriteString(" " + s)
		}
	case *FlowStatsReply:
		for i := range m.Stats {
			var room [512]byte
			p.Write(AppendFlowStats(append(room[:0], "\n "...), &m.Stats[i], true, p.opt.Names))
		}
	case *AggregateStatsReply:
		p.f(" packet_count=%s byte_count=%s flow_count=%d", count(m.Packets), count(m.Bytes), m.Flows)
	case *FlowMonitorRequest:
		for i := range m.Monitors {
			p.flowMonitor(&m.Monitors[i])
		}
	case *FlowMonitorReply:
		for i := range m.Updates {
			p.flowUpdate(&m.Updates[i])
		}
	case *FlowMonitorCancel:
		p.f(" id=%d", m.ID)
	default:
		return false
	}
	return true
}

// count prints a counter, "?" when it is unknown.
func count(n uint64) string {
	if n == ^uint64(0) {
		return "?"
	}
	return fmt.Sprint(n)
}

// FormatFlowStats prints one flow as dump-flows does, without the leading
// space; stats also shows what changes by itself.
func FormatFlowStats(s *FlowStats, stats bool, names *Names) string {
	var room [512]byte
	return string(AppendFlowStats(room[:0], s, stats, names))
}

// AppendFlowStats appends to b what [FormatFlowStats] prints.
func AppendFlowStats(b []byte, s *FlowStats, stats bool, names *Names) []byte {
	number := func(name string, v uint64) {
		b = append(b, name...)
		b = append(strconv.AppendUint(b, v, 10), ", "...)
	}
	start := len(b)
	if stats || s.Cookie != 0 {
		b = append(b, "cookie=0x"...)
		b = append(strconv.AppendUint(b, s.Cookie, 16), ", "...)
	}
	if stats {
		b = append(b, "duration="...)
		b = append(appendDuration(b, s.DurationSec, s.DurationNsec), ", "...)
	}
	if stats || s.TableID != 0 || names.tableNamed(s.TableID) {
		b = append(b, "table="...)
		b = append(append(b, names.table(s.TableID)...), ", "...)
	}
	if stats {
		number("n_packets=", s.Packets)
		number("n_bytes=", s.Bytes)
	}
	if s.IdleTimeout != 0 {
		number("idle_timeout=", uint64(s.IdleTimeout))
	}
	if s.HardTimeout != 0 {
		number("hard_timeout=", uint64(s.HardTimeout))
	}
	if s.Flags != 0 {
		b = append(b, s.Flags.Text()...)
	}
	if s.Importance != 0 {
		number("importance=", uint64(s.Importance))
	}
	if stats && s.IdleAge >= 0 {
		number("idle_age=", uint64(s.IdleAge))
	}
	if stats && s.HardAge >= 0 && s.HardAge != int(s.DurationSec) {
		number("hard_age=", uint64(s.HardAge))
	}
	b = s.Match.Append(b, int(s.Priority), names.ports())
	if len(b) > start && b[len(b)-1] != ' ' {
		b = append(b, ' ')
	}
	b = append(b, "actions="...)
	return AppendActions(b, s.Actions, names)
}

func (p *printer) flowMod(m *FlowMod) {
	p.f(" %s", m.Command)
	if m.TableID != 0 {
		p.WriteString(" table:" + p.opt.Names.table(m.TableID))
	}
	p.WriteByte(' ')
	needPriority := false
	var match string
	switch {
	case p.opt.Verbosity >= 3 && p.h.Version == V10 && p.row.kind == kindOFPT:
		match, needPriority = p.match10Text(), true
	case p.opt.Verbosity >= 3 && p.row.kind == kindNXT:
		match, needPriority = p.nxMatchText(), true
	default:
		match = m.Match.Format(int(m.Priority), p.opt.Names.ports())
	}
	p.WriteString(match)
	if match != "" {
		p.WriteByte(' ')
	}
	p.flowModTail(m, needPriority)
	p.WriteString("actions=" + FormatActions(m.Actions, p.opt.Names))
}

func (p *printer) flowModTail(m *FlowMod, needPriority bool) {
	if m.NewCookie != 0 && m.NewCookie != ^uint64(0) {
		p.f("cookie:0x%x ", m.NewCookie)
	}
	if m.CookieMask != 0 {
		p.f("cookie:0x%x/0x%x ", m.Cookie, m.CookieMask)
	}
	if m.IdleTimeout != 0 {
		p.f("idle:%d ", m.IdleTimeout)
	}
	if m.HardTimeout != 0 {
		p.f("hard:%d ", m.HardTimeout)
	}
	if needPriority && m.Priority != flow.DefaultPriority {
		p.f("pri:%d ", m.Priority)
	}
	if m.BufferID != NoBuffer {
		p.f("buf:0x%x ", m.BufferID)
	}
	if m.OutPort != PortNone {
		p.WriteString("out_port:" + p.opt.Names.port(m.OutPort) + " ")
	}
	if m.Importance != 0 {
		p.f("importance:%d ", m.Importance)
	}
	p.WriteString(m.Flags.Text())
}

// match10Text prints the match of an OpenFlow 1.0 flow mod as it is on the wire.
func (p *printer) match10Text() string {
	if len(p.raw) < HeaderLen+40 {
		return ""
	}
	return FormatMatch10(p.raw[HeaderLen:HeaderLen+40], p.opt.Names)
}

// FormatMatch10 prints the 40 bytes of an ofp10_match member by member.
func FormatMatch10(raw []byte, names *Names) string {
	if len(raw) < 40 {
		return "<truncated>"
	}
	c := cursor{b: raw}
	wild := c.u32()
	inPort := Port10(c.u16())
	src, dst := c.mac(), c.mac()
	vlan, pcp := c.u16(), c.u8()
	c.skip(1)
	ethType, tos, proto := c.u16(), c.u8(), c.u8()
	c.skip(2)
	ipSrc, ipDst := c.u32(), c.u32()
	tpSrc, tpDst := c.u16(), c.u16()
	var out []string
	skipType, skipProto := false, false
	if wild&(1<<4) == 0 {
		skipType = true
		name := ""
		switch ethType {
		case 0x800:
			name = "ip"
			if wild&(1<<5) == 0 {
				skipProto = true
				switch proto {
				case 1:
					name = "icmp"
				case 6:
					name = "tcp"
				case 17:
					name = "udp"
				case 132:
					name = "sctp"
				default:
					skipProto = false
				}
			}
		case 0x806:
			name = "arp"
		case 0x8035:
			name = "rarp"
		case 0x8847:
			name = "mpls"
		case 0x8848:
			name = "mplsm"
		default:
			skipType = false
		}
		if name != "" {
			out = append(out, name)
		}
	}
	field := func(bit uint32, name, value string) {
		if wild&bit == 0 {
			out = append(out, name+"="+value)
		}
	}
	field(1<<0, "in_port", names.port(inPort))
	field(1<<1, "dl_vlan", fmt.Sprint(vlan))
	field(1<<20, "dl_vlan_pcp", fmt.Sprint(pcp))
	field(1<<2, "dl_src", macText(src))
	field(1<<3, "dl_dst", macText(dst))
	if !skipType {
		field(1<<4, "dl_type", fmt.Sprintf("0x%04x", ethType))
	}
	ip := func(shift uint32, name string, a uint32) {
		if mask := cidrMask(wild >> shift & 63); mask != 0 {
			out = append(out, name+"="+flow.FormatIPv4Masked(a, mask))
		}
	}
	ip(w10SrcShift, "nw_src", ipSrc)
	ip(w10DstShift, "nw_dst", ipDst)
	if !skipProto {
		if ethType == 0x806 || ethType == 0x8035 {
			field(1<<5, "arp_op", fmt.Sprint(proto))
		} else {
			field(1<<5, "nw_proto", fmt.Sprint(proto))
		}
	}
	field(1<<21, "nw_tos", fmt.Sprint(tos))
	if ethType == 0x800 && proto == 1 {
		field(1<<6, "icmp_type", fmt.Sprint(tpSrc))
		field(1<<7, "icmp_code", fmt.Sprint(tpDst))
	} else {
		field(1<<6, "tp_src", fmt.Sprint(tpSrc))
		field(1<<7, "tp_dst", fmt.Sprint(tpDst))
	}
	return strings.Join(out, ",")
}

// nxMatchText prints the match of NXT_FLOW_MOD field by field.
func (p *printer) nxMatchText() string {
	const at = HeaderLen + 8 + 32 // vendor header, nx_flow_mod
	if len(p.raw) < at {
		return ""
	}
	n := int(p.raw[at-8])<<8 | int(p.raw[at-7])
	if at+n > len(p.raw) {
		return ""
	}
	return FormatNXM(p.raw[at:at+n], V10)
}

// FormatNXM prints NXM or OXM fields as NAME(value/mask), in the order in which
// they stand; an empty match is "<any>".
func FormatNXM(b []byte, v Version) string {
	if len(b) == 0 {
		return "<any>"
	}
	c := cursor{b: b}
	var out []string
	for c.left() > 0 && c.err == nil {
		h := c.oxmWire(ErrBMCBadLen)
		body := c.bytes(h.payload)
		if c.err != nil {
			break
		}
		n := h.valueLen()
		s := headerName(h) + "(" + fmt.Sprintf("%x", body[:n])
		if h.hasMask {
			s += "/" + fmt.Sprintf("%x", body[n:])
		}
		out = append(out, s+")")
	}
	return strings.Join(out, ", ")
}

// headerName is the name of an NXM or OXM header.
func headerName(h oxm) string {
	suffix := ""
	if h.hasMask {
		suffix = "_W"
	}
	if h.isCookie() {
		return "NXM_NX_COOKIE" + suffix
	}
	if f := h.field(); f != nil {
		want := flow.MakeHeader(h.class, h.exp, h.num, h.valueLen())
		for _, c := range f.Codepoints {
			if c.Header == want || f.IsTunMetadata() {
				return c.Name + suffix
			}
		}
	}
	if h.exp != 0 {
		return fmt.Sprintf("0x%04x%08x:%d", h.class, h.exp, h.num)
	}
	return fmt.Sprintf("%d:%d", h.class, h.num)
}

func (p *printer) packetIn(m *PacketIn) {
	if m.TableID != 0 {
		p.WriteString(" table_id=" + p.opt.Names.table(m.TableID))
	}
	if m.Cookie != ^uint64(0) {
		p.f(" cookie=0x%x", m.Cookie)
	}
	p.f(" total_len=%d ", m.TotalLen)
	meta := m.Metadata
	p.WriteString(meta.Format(flow.DefaultPriority, p.opt.Names.ports()))
	p.f(" (via %s)", m.Reason)
	p.f(" data_len=%d", len(m.Data))
	if m.BufferID == NoBuffer {
		p.WriteString(" (unbuffered)")
		if m.TotalLen != len(m.Data) {
			p.WriteString(" (***total_len != data_len***)")
		}
	} else {
		p.f(" buffer=0x%08x", m.BufferID)
		if m.TotalLen < len(m.Data) {
			p.WriteString(" (***total_len < data_len***)")
		}
	}
	p.WriteByte('\n')
	if len(m.Userdata) > 0 {
		p.WriteString(" userdata=" + dotHex(m.Userdata) + "\n")
	}
	if m.Continuation != nil {
		p.continuation(m.Continuation)
	}
	if p.opt.Verbosity > 0 {
		p.packet(m.Data, meta.Key.PacketType)
	}
}

// Properties of a continuation.
const (
	contBridge = 0x8000 + iota
	contStack
	contMirrors
	contConntracked
	contTableID
	contCookie
	contActions
	contActionSet
	contODPPort
)

func (p *printer) continuation(c *Continuation) {
	r := cursor{b: c.Raw}
	d := &decoder{MsgHeader: MsgHeader{Version: p.h.Version}, t: msgTable()}
	p.WriteString("")
	for r.left() > 0 && r.err == nil {
		t, _, b := r.prop()
		switch t {
		case contBridge:
			b.skip(4)
			u := b.bytes(16)
			if len(u) == 16 {
				p.f(" continuation.bridge=%x-%x-%x-%x-%x\n", u[:4], u[4:6], u[6:8], u[8:10], u[10:])
			}
		case contStack:
			p.f(" continuation.stack=(0x%x)\n", b.rest())
		case contMirrors:
			p.f(" continuation.mirrors=0x%x\n", b.u32())
		case contConntracked:
			p.WriteString(" continuation.conntracked=true\n")
		case contTableID:
			p.f(" continuation.table_id=%d\n", b.u8())
		case contCookie:
			b.skip(4)
			p.f(" continuation.cookie=0x%x\n", b.u64())
		case contActions:
			b.skip(4)
			p.WriteString(" continuation.actions=" + FormatActions(d.nested(&b), p.opt.Names) + "\n")
		case contActionSet:
			b.skip(4)
			p.WriteString(" continuation.action_set=" + FormatActions(d.nested(&b), p.opt.Names) + "\n")
		}
	}
}

func (p *printer) packetOut(m *PacketOut) {
	p.WriteByte(' ')
	meta := m.Metadata
	if meta.Mask.InPort != 0 && PortNo(meta.Key.InPort) == PortNone {
		m2 := meta
		m2.Clear(flow.FieldInPortOXM.Field())
		p.WriteString("in_port=ANY")
		if s := m2.Format(flow.DefaultPriority, p.opt.Names.ports()); s != "" {
			p.WriteString("," + s)
		}
	} else {
		p.WriteString(meta.Format(flow.DefaultPriority, p.opt.Names.ports()))
	}
	p.WriteString(" actions=" + FormatActions(m.Actions, p.opt.Names))
	if m.BufferID != NoBuffer {
		p.f(" buffer=0x%08x", m.BufferID)
		return
	}
	p.f(" data_len=%d", len(m.Data))
	if p.opt.Verbosity > 0 && len(m.Data) > 0 {
		p.WriteByte('\n')
		p.packet(m.Data, meta.Key.PacketType)
		return
	}
	p.WriteByte('\n')
}

var removedReasons = []string{"idle", "hard", "delete", "group_delete", "meter_delete", "eviction"}

// String is the reason in text.
func (r FlowRemovedReason) String() string {
	if int(r) < len(removedReasons) {
		return removedReasons[r]
	}
	return fmt.Sprint(uint8(r))
}

func (p *printer) flowRemoved(m *FlowRemoved) {
	p.WriteByte(' ')
	p.WriteString(m.Match.Format(int(m.Priority), p.opt.Names.ports()))
	p.f(" reason=%s", m.Reason)
	if m.TableID != TableAny {
		p.WriteString(" table_id=" + p.opt.Names.table(m.TableID))
	}
	if m.Cookie != 0 {
		p.f(" cookie:0x%x", m.Cookie)
	}
	p.WriteString(" duration" + Duration(m.DurationSec, m.DurationNsec))
	p.f(" idle%d", m.IdleTimeout)
	if m.HardTimeout != 0 {
		p.f(" hard%d", m.HardTimeout)
	}
	p.f(" pkts%d bytes%d\n", m.Packets, m.Bytes)
}

var monitorFlagNames = []struct {
	flag FlowMonitorFlags
	name string
}{
	{MonitorInitial, "initial"}, {MonitorAdd, "add"}, {MonitorRemoved, "delete"}, {MonitorModify, "modify"},
	{MonitorInstructions, "actions"}, {MonitorNoAbbrev, "no_abbrev"}, {MonitorOnlyOwn, "own"},
}

func (p *printer) flowMonitor(f *FlowMonitor) {
	p.f("\n id=%d", f.ID)
	if f.Command == MonitorCmdDelete {
		p.WriteString(" command=delete")
		return
	}
	p.WriteString(" flags=")
	var names []string
	for _, n := range monitorFlagNames {
		if f.Flags&n.flag != 0 {
			names = append(names, n.name)
		}
	}
	if len(names) == 0 {
		names = []string{"0"}
	}
	p.WriteString(strings.Join(names, ","))
	if f.OutPort != PortNone {
		p.WriteString(" out_port=" + p.opt.Names.port(f.OutPort))
	}
	if f.OutGroup != GroupAny && p.h.Version >= V14 {
		p.f(" out_group=%d", f.OutGroup)
	}
	if f.TableID != TableAny {
		p.WriteString(" table=" + p.opt.Names.table(f.TableID))
	}
	if s := f.Match.Format(flow.DefaultPriority, p.opt.Names.ports()); s != "" {
		p.WriteString(" " + s)
	}
}

var updateNames = []string{"ADDED", "DELETED", "MODIFIED", "ABBREV", "INITIAL", "PAUSED", "RESUMED"}

func (p *printer) flowUpdate(u *FlowUpdate) {
	p.WriteString("\n event=" + updateNames[u.Event])
	switch u.Event {
	case UpdateAbbrev:
		p.f(" xid=0x%x", u.Xid)
		return
	case UpdatePaused, UpdateResumed:
		return
	case UpdateDeleted:
		p.f(" reason=%s", u.Reason)
	}
	p.WriteString(" table=" + p.opt.Names.table(u.TableID))
	if u.IdleTimeout != 0 {
		p.f(" idle_timeout=%d", u.IdleTimeout)
	}
	if u.HardTimeout != 0 {
		p.f(" hard_timeout=%d", u.HardTimeout)
	}
	p.f(" cookie=%s", hex64(u.Cookie))
	// The original leaves the priority out, and programs compare these lines whole.
	if s := u.Match.Format(flow.DefaultPriority, p.opt.Names.ports()); s != "" {
		p.WriteString(" " + s)
	}
	if len(u.Actions) > 0 {
		p.WriteString(" actions=" + FormatActions(u.Actions, p.opt.Names))
	}
}
