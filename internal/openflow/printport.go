package openflow

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"weir/internal/flow"
)

func (p *printer) ports(m Message) bool {
	switch m := m.(type) {
	case *PortStatus:
		p.portStatus(m)
	case *PortMod:
		p.portMod(m)
	case *PortDescRequest:
		p.WriteString(" port=" + p.opt.Names.port(m.Port))
	case *PortDescReply:
		p.WriteByte('\n')
		p.portList(m.Ports)
	case *PortStatsRequest:
		p.WriteString(" port_no=" + p.opt.Names.port(m.Port))
	case *PortStatsReply:
		p.f(" %d ports\n", len(m.Stats))
		for i := range m.Stats {
			p.portStats(&m.Stats[i])
		}
	case *QueueStatsRequest:
		p.f(" port=%s queue=%s", p.opt.Names.port(m.Port), queueText(m.Queue))
	case *QueueStatsReply:
		p.f(" %d queues\n", len(m.Stats))
		for i := range m.Stats {
			p.queueStats(&m.Stats[i])
		}
	case *QueueConfigRequest:
		p.WriteString(" port=" + p.opt.Names.port(m.Port))
		if m.Queue != QueueAll {
			p.WriteString(" queue=" + queueText(m.Queue))
		}
	case *QueueConfigReply:
		p.queueConfig(m)
	default:
		return p.tables(m)
	}
	return true
}

func (p *printer) queueStats(s *QueueStats) {
	p.f("  port %s queue %s: bytes=%s, pkts=%s, errors=%s, duration=", p.opt.Names.port(s.Port), queueText(s.Queue),
		count(s.TxBytes), count(s.TxPackets), count(s.TxErrors))
	if s.HasDuration {
		p.WriteString(Duration(s.DurationSec, s.DurationNsec))
	} else {
		p.WriteByte('?')
	}
	p.WriteByte('\n')
}

func (p *printer) tables(m Message) bool {
	switch m := m.(type) {
	case *TableStatsReply:
		p.tableStats(m)
	case *TableDescReply:
		for i := range m.Tables {
			p.tableDesc(&m.Tables[i])
		}
	case *TableStatus:
		reason := "VACANCY_DOWN"
		if m.Reason == VacancyUpEvent {
			reason = "VACANCY_UP"
		}
		p.f(" reason=%s\ntable_desc:-", reason)
		p.tableDesc(&m.Desc)
	case *TableMod:
		p.tableMod(m)
	case *TableFeaturesRequest:
		p.tableFeaturesList(m.Tables, nil)
	case *TableFeaturesReply:
		p.tableFeaturesList(m.Tables, nil)
	default:
		return false
	}
	return true
}

func queueText(q uint32) string {
	if q == QueueAll {
		return "ALL"
	}
	return fmt.Sprint(q)
}

// portList prints ports in the order of their numbers.
func (p *printer) portList(ports []PortDesc) {
	ports = slices.Clone(ports)
	slices.SortStableFunc(ports, func(a, b PortDesc) int { return cmp.Compare(a.PortNo, b.PortNo) })
	for i := range ports {
		p.portDesc(&ports[i])
	}
}

var portConfigNames = []bitName{
	{uint32(PortDown), "PORT_DOWN"}, {uint32(PortNoSTP), "NO_STP"}, {uint32(PortNoRecv), "NO_RECV"},
	{uint32(PortNoRecvSTP), "NO_RECV_STP"}, {uint32(PortNoFlood), "NO_FLOOD"}, {uint32(PortNoFwd), "NO_FWD"},
	{uint32(PortNoPacketIn), "NO_PACKET_IN"},
}

type bitName struct {
	bit  uint32
	name string
}

func bitNames(v uint32, names []bitName) string {
	var out []string
	for _, n := range names {
		if v&n.bit != 0 {
			out = append(out, n.name)
			v &^= n.bit
		}
	}
	if v != 0 {
		out = append(out, fmt.Sprintf("0x%x", v))
	}
	if len(out) == 0 {
		return "0"
	}
	return strings.Join(out, " ")
}

// String is the configuration as it is printed.
func (c PortConfig) String() string { return bitNames(uint32(c), portConfigNames) }

var stpStates = []string{"STP_LISTEN", "STP_LEARN", "STP_FORWARD", "STP_BLOCK"}

func portStateText(s PortState, v Version) string {
	if s&PortSTPMask != 0 && v == V10 {
		t := stpStates[s&PortSTPMask>>8]
		if s&PortLinkDown != 0 {
			return "LINK_DOWN " + t
		}
		return t
	}
	return bitNames(uint32(s), []bitName{
		{uint32(PortLinkDown), "LINK_DOWN"}, {uint32(PortBlocked), "BLOCKED"}, {uint32(PortLive), "LIVE"},
	})
}

var featureNames = []bitName{
	{uint32(Feature10MbHD), "10MB-HD"}, {uint32(Feature10MbFD), "10MB-FD"}, {uint32(Feature100MbHD), "100MB-HD"},
	{uint32(Feature100MbFD), "100MB-FD"}, {uint32(Feature1GbHD), "1GB-HD"}, {uint32(Feature1GbFD), "1GB-FD"},
	{uint32(Feature10GbFD), "10GB-FD"}, {uint32(Feature40GbFD), "40GB-FD"}, {uint32(Feature100GbFD), "100GB-FD"},
	{uint32(Feature1TbFD), "1TB-FD"}, {uint32(FeatureOther), "OTHER"}, {uint32(FeatureCopper), "COPPER"},
	{uint32(FeatureFiber), "FIBER"}, {uint32(FeatureAutoneg), "AUTO_NEG"}, {uint32(FeaturePause), "AUTO_PAUSE"},
	{uint32(FeaturePauseAsym), "AUTO_PAUSE_ASYM"},
}

func (p *printer) portName(d *PortDesc) string {
	s := fmt.Sprint(uint32(d.PortNo))
	if d.PortNo >= PortMax {
		s = (*Names)(nil).port(d.PortNo)
	}
	return s
}

func (p *printer) portDesc(d *PortDesc) {
	p.f(" %s(%s): addr:%s\n", p.portName(d), printable([]byte(d.Name)), macText(d.HWAddr))
	p.f("     config:     %s\n     state:      %s\n", d.Config, portStateText(d.State, p.h.Version))
	for _, f := range []struct {
		name string
		f    PortFeatures
	}{{"current:    ", d.Curr}, {"advertised: ", d.Advertised}, {"supported:  ", d.Supported}, {"peer:       ", d.Peer}} {
		if f.f != 0 {
			p.f("     %s%s\n", f.name, bitNames(uint32(f.f), featureNames))
		}
	}
	p.f("     speed: %d Mbps now, %d Mbps max\n", d.CurrSpeed/1000, d.MaxSpeed/1000)
}

func (p *printer) portStatus(m *PortStatus) {
	p.f(" %s:", []string{"ADD", "DEL", "MOD"}[m.Reason])
	p.portDesc(&m.Desc)
}

func (p *printer) portMod(m *PortMod) {
	p.f(" port: %s: addr:%s\n", p.opt.Names.port(m.PortNo), macText(m.HWAddr))
	p.f("     config: %s\n     mask:   %s\n     advertise: ", m.Config, m.Mask)
	if m.Advertise == 0 {
		p.WriteString("UNCHANGED\n")
		return
	}
	p.f("%s\n", bitNames(uint32(m.Advertise), featureNames))
}

func (p *printer) stat(lead, name string, v uint64, more bool) {
	p.f("%s%s=%s", lead, name, count(v))
	if more {
		p.WriteString(", ")
	} else {
		p.WriteByte('\n')
	}
}

func (p *printer) portStats(s *PortStats) {
	name := p.opt.Names.port(s.PortNo)
	if s.PortNo < PortMax && p.opt.Names.ports() == nil {
		name = fmt.Sprintf("%2s", name)
	}
	p.f("  port %s: rx ", name)
	p.stat("", "pkts", s.RxPackets, true)
	p.stat("", "bytes", s.RxBytes, true)
	p.stat("", "drop", s.RxDropped, true)
	p.stat("", "errs", s.RxErrors, true)
	p.stat("", "frame", s.RxFrameErr, true)
	p.stat("", "over", s.RxOverErr, true)
	p.stat("", "crc", s.RxCRCErr, false)
	p.stat("           tx ", "pkts", s.TxPackets, true)
	p.stat("", "bytes", s.TxBytes, true)
	p.stat("", "drop", s.TxDropped, true)
	p.stat("", "errs", s.TxErrors, true)
	p.stat("", "coll", s.Collisions, false)
	if s.HasDuration {
		p.f("           duration=%s\n", Duration(s.DurationSec, s.DurationNsec))
	}
	if s.RFC2819 != nil {
		p.rfc2819(s.RFC2819)
	}
	if len(s.Custom) > 0 {
		p.WriteString("           CUSTOM Statistics\n")
		p.WriteString("                      ")
		for i, c := range s.Custom {
			if i > 0 && i%3 == 0 {
				p.WriteString("\n                      ")
			}
			p.f("%s=%d,", c.Name, c.Value)
			if i%3 != 2 && i != len(s.Custom)-1 {
				p.WriteByte(' ')
			}
		}
		p.WriteByte('\n')
	}
}

func (p *printer) rfc2819(r *PortStatsRFC2819) {
	line := func(lead string, items ...any) {
		p.WriteString("                      " + lead)
		first := true
		for i := 0; i < len(items); i += 2 {
			v := items[i+1].(uint64)
			if v == ^uint64(0) {
				continue
			}
			if !first {
				p.WriteString(", ")
			}
			first = false
			p.f("%s=%d", items[i], v)
		}
		p.WriteByte('\n')
	}
	p.WriteString("           rx rfc2819 ")
	p.f("broadcast=%s\n", count(r.RxBroadcast))
	line("", "undersized_errors", r.RxUndersized, "oversize_errors", r.RxOversize, "rx_fragmented_errors", r.RxFragmented)
	line("", "rx_jabber_errors", r.RxJabber)
	line("", "1_to_64_packets", r.Rx1to64, "65_to_127_packets", r.Rx65to127, "128_to_255_packets", r.Rx128to255)
	line("", "256_to_511_packets", r.Rx256to511, "512_to_1023_packets", r.Rx512to1023, "1024_to_1522_packets", r.Rx1024to1522)
	line("", "1523_to_max_packets", r.Rx1523toMax)
	p.f("           tx rfc2819 multicast=%s, broadcast=%s\n", count(r.TxMulticast), count(r.TxBroadcast))
	line("", "1_to_64_packets", r.Tx1to64, "65_to_127_packets", r.Tx65to127, "128_to_255_packets", r.Tx128to255)
	line("", "256_to_511_packets", r.Tx256to511, "512_to_1023_packets", r.Tx512to1023, "1024_to_1522_packets", r.Tx1024to1522)
	line("", "1523_to_max_packets", r.Tx1523toMax)
}

func (p *printer) queueConfig(m *QueueConfigReply) {
	queues := slices.Clone(m.Queues)
	slices.SortStableFunc(queues, func(a, b QueueConfig) int {
		return cmp.Or(cmp.Compare(a.Port, b.Port), cmp.Compare(a.Queue, b.Queue))
	})
	p.WriteByte(' ')
	last := PortNo(PortNone)
	shown := false
	for _, q := range queues {
		port := q.Port
		if p.h.Version < V14 {
			port = m.Port
		}
		if !shown || port != last {
			p.WriteString("port=" + p.opt.Names.port(port) + "\n")
			last, shown = port, true
		}
		p.f("queue %d:", q.Queue)
		for _, r := range []struct {
			name string
			v    uint16
		}{{"min_rate", q.MinRate}, {"max_rate", q.MaxRate}} {
			switch {
			case r.v == 0xffff:
			case r.v <= 1000:
				p.f(" %s:%d.%d%%", r.name, r.v/10, r.v%10)
			default:
				p.f(" %s:(disabled)", r.name)
			}
		}
		p.WriteByte('\n')
	}
	if len(queues) == 0 && p.h.Version < V14 {
		p.WriteString("port=" + p.opt.Names.port(m.Port) + "\n")
	}
}

var missNames = []string{"default", "controller", "continue", "drop"}

// String returns the name that ovs-ofctl has for what happens to a miss.
func (m TableMiss) String() string { return missNames[m&3] }

func evictionFlagsText(f uint32) string {
	return strings.ReplaceAll(bitNames(f, []bitName{{EvictOther, "OTHER"}, {EvictImportance, "IMPORTANCE"}, {EvictLifetime, "LIFETIME"}}), " ", "|")
}

func onOff(v int8) string {
	if v == 1 {
		return "on"
	}
	return "off"
}

func (p *printer) tableMod(m *TableMod) {
	if m.TableID == TableAny {
		p.WriteString(" table_id: ALL_TABLES")
	} else {
		p.WriteString(" table_id=" + p.opt.Names.table(m.TableID))
	}
	if m.Miss != MissDefault {
		p.f(", flow_miss_config=%s", m.Miss)
	}
	if m.Eviction >= 0 {
		p.f(", eviction=%s", onOff(m.Eviction))
	}
	if m.EvictionFlags != ^uint32(0) && m.Eviction >= 0 {
		p.f("eviction_flags=%s", evictionFlagsText(m.EvictionFlags))
	}
	if m.Vacancy >= 0 {
		p.f(", vacancy=%s", onOff(m.Vacancy))
		if m.Vacancy == 1 {
			p.f(" vacancy:%d,%d", m.VacancyDown, m.VacancyUp)
		}
	}
}

func (p *printer) tableDesc(t *TableDesc) {
	p.WriteString("\n  table " + p.opt.Names.table(t.TableID))
	p.WriteString(":\n")
	p.f("   eviction=%s eviction_flags=", onOff(t.Eviction))
	if t.EvictionFlags != ^uint32(0) {
		p.WriteString(evictionFlagsText(t.EvictionFlags))
	} else {
		p.WriteByte('0')
	}
	p.f("\n   vacancy=%s", onOff(t.Vacancy))
	if t.Vacancy == 1 {
		p.f(" vacancy_down=%d%% vacancy_up=%d%% vacancy=%d%%", t.VacancyDown, t.VacancyUp, t.VacancyNow)
	}
	p.WriteByte('\n')
}

func (p *printer) tableStats(m *TableStatsReply) {
	if len(m.Features) == len(m.Stats) && len(m.Stats) > 0 {
		p.tableFeaturesList(m.Features, m.Stats)
		return
	}
	p.tableFeaturesList(make([]TableFeatures, len(m.Stats)), m.Stats)
}

// fieldNames prints fields with common prefixes folded: "eth_{src,dst}".
func fieldNames(s *FieldSet) string {
	var names []string
	for i := range flow.NumFields {
		if s.Has(uint16(i)) {
			names = append(names, flow.FieldID(i).Field().Name)
		}
	}
	return foldNames(names, " ")
}

// foldNames joins names: neighbours that are the same up to an underscore as
// that and the rests in braces, three or more with consecutive numbers as the
// first and the last.
func foldNames(names []string, sep string) string {
	var out []string
	for i := 0; i < len(names); {
		if j := registerRun(names, i); j > i+2 {
			out = append(out, names[i]+"..."+names[j-1])
			i = j
			continue
		}
		prefix, rest, ok := strings.Cut(names[i], "_")
		j := i + 1
		group := []string{rest}
		for ok && j < len(names) {
			pj, rj, okj := strings.Cut(names[j], "_")
			if !okj || pj != prefix {
				break
			}
			group = append(group, rj)
			j++
		}
		if len(group) > 1 {
			out = append(out, prefix+"_{"+foldNames(group, ",")+"}")
		} else {
			out = append(out, names[i])
		}
		i = j
	}
	return strings.Join(out, sep)
}

// registerRun finds the end of a run of numbered fields that starts at i.
func registerRun(names []string, i int) int {
	base := strings.TrimRight(names[i], "0123456789")
	var n int
	if base == names[i] {
		return i
	}
	if _, err := fmt.Sscan(names[i][len(base):], &n); err != nil {
		return i
	}
	j := i + 1
	for j < len(names) && names[j] == fmt.Sprintf("%s%d", base, n+j-i) {
		j++
	}
	return j
}
