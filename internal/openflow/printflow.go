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
