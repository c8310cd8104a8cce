package openflow

import (
	"fmt"
	"strings"

	"weir/internal/flow"
)

func (p *printer) groups(m Message) bool {
	switch m := m.(type) {
	case *GroupMod:
		p.groupMod(m)
	case *GroupStatsRequest:
		p.WriteString(" group_id=" + groupIDText(m.ID))
	case *GroupStatsReply:
		for i := range m.Stats {
			p.groupStats(&m.Stats[i])
		}
	case *GroupDescRequest:
		p.WriteString(" group_id=" + groupIDText(m.ID))
	case *GroupDescReply:
		for i := range m.Groups {
			p.WriteString("\n " + FormatGroupDesc(&m.Groups[i], p.h.Version, p.opt.Names))
		}
	case *GroupFeaturesReply:
		p.groupFeatures(m)
	case *MeterMod:
		p.f(" %s meter=%s", []string{"ADD", "MOD", "DEL"}[m.Command], meterIDText(m.Meter.ID))
		p.meterConfig(&m.Meter, m.Command == MeterDelete)
	case *MeterStatsRequest:
		p.WriteString(" meter=" + meterIDText(m.ID))
	case *MeterConfigRequest:
		p.WriteString(" meter=" + meterIDText(m.ID))
	case *MeterStatsReply:
		for i := range m.Stats {
			p.meterStats(&m.Stats[i])
		}
	case *MeterConfigReply:
		for i := range m.Meters {
			p.WriteString("\nmeter=" + meterIDText(m.Meters[i].ID))
			p.meterConfig(&m.Meters[i], false)
		}
	case *MeterFeaturesReply:
		p.meterFeatures(m)
	default:
		return false
	}
	return true
}

func groupIDText(id uint32) string {
	switch id {
	case GroupAll:
		return "ALL"
	case GroupAny:
		return "ANY"
	}
	return fmt.Sprint(id)
}

func meterIDText(id uint32) string {
	switch id {
	case MeterSlowpath:
		return "slowpath"
	case MeterController:
		return "controller"
	case MeterAll:
		return "all"
	}
	return fmt.Sprint(id)
}

var groupCommands = map[GroupModCommand]string{
	GroupAdd: "ADD", GroupModify: "MOD", GroupAddOrMod: "ADD_OR_MOD", GroupDelete: "DEL",
	GroupInsertBucket: "INSERT_BUCKET", GroupRemoveBucket: "REMOVE_BUCKET",
}

var groupTypes = []string{"all", "select", "indirect", "ff"}

// String is the kind of group as it is written.
func (t GroupType) String() string {
	if int(t) < len(groupTypes) {
		return groupTypes[t]
	}
	return fmt.Sprint(uint8(t))
}

func (p *printer) groupMod(m *GroupMod) {
	p.WriteString("\n ")
	name, ok := groupCommands[m.Command]
	if !ok {
		name = fmt.Sprintf("cmd:%d", m.Command)
	}
	p.WriteString(name + " ")
	if m.Command == GroupInsertBucket || m.Command == GroupRemoveBucket {
		p.WriteString("command_bucket_id:")
		switch m.CommandBucketID {
		case BucketAll:
			p.WriteString("all")
		case BucketFirst:
			p.WriteString("first")
		case BucketLast:
			p.WriteString("last")
		default:
			p.f("%d", m.CommandBucketID)
		}
		p.WriteByte(',')
	}
	bucketCmd := m.Command == GroupInsertBucket || m.Command == GroupRemoveBucket
	g := GroupDesc{Type: m.Type, ID: m.ID, Buckets: m.Buckets, Props: m.Props}
	p.WriteString(formatGroup(&g, p.h.Version, p.opt.Names, bucketCmd))
}

// FormatGroupDesc prints a group as dump-groups does, without the leading space.
func FormatGroupDesc(g *GroupDesc, v Version, names *Names) string {
	return formatGroup(g, v, names, false)
}

func formatGroup(g *GroupDesc, v Version, names *Names, noType bool) string {
	var b strings.Builder
	fmt.Fprintf(&b, "group_id=%s", groupIDText(g.ID))
	if !noType {
		b.WriteString(",type=" + g.Type.String())
	}
	if g.Props.SelectionMethod != "" {
		b.WriteString(",selection_method=" + g.Props.SelectionMethod)
		if g.Props.SelectionParam != 0 {
			fmt.Fprintf(&b, ",selection_method_param=%d", g.Props.SelectionParam)
		}
		if !g.Props.FieldSet.Empty() {
			b.WriteString("," + groupFieldsText(&g.Props, names))
		}
	}
	for i := range g.Buckets {
		b.WriteString(",bucket=")
		bucketText(&b, &g.Buckets[i], g.Type, v, names, noType)
	}
	return b.String()
}

func groupFieldsText(g *GroupProps, names *Names) string {
	var fs []string
	for i := range flow.NumFields {
		if !g.FieldSet.Has(uint16(i)) {
			continue
		}
		f := flow.FieldID(i).Field()
		if f.IsExact(&g.Fields.Mask) {
			fs = append(fs, f.Name)
			continue
		}
		mask := f.Get(&g.Fields.Mask)
		fs = append(fs, f.Name+"="+f.FormatValue(mask, f.Exact(), names.ports()))
	}
	if len(fs) == 1 && !strings.Contains(fs[0], "=") {
		return "fields=" + fs[0]
	}
	return "fields(" + strings.Join(fs, ",") + ")"
}

func bucketText(b *strings.Builder, k *Bucket, t GroupType, v Version, names *Names, insertion bool) {
	if group15(v) {
		if k.ID <= BucketMax {
			fmt.Fprintf(b, "bucket_id:%d,", k.ID)
		}
	}
	if k.Weight != usualWeight(t, insertion) {
		fmt.Fprintf(b, "weight:%d,", k.Weight)
	}
	if k.WatchPort != PortNone {
		b.WriteString("watch_port:" + names.port(k.WatchPort) + ",")
	}
	if k.WatchGroup != GroupAny {
		fmt.Fprintf(b, "watch_group:%d,", k.WatchGroup)
	}
	b.WriteString("actions=" + FormatActions(k.Actions, names))
}

func (p *printer) groupStats(s *GroupStats) {
	p.f("\n group_id=%d,", s.ID)
	if s.HasDuration {
		p.f("duration=%s,", Duration(s.DurationSec, s.DurationNsec))
	}
	p.f("ref_count=%d,packet_count=%d,byte_count=%d", s.RefCount, s.Packets, s.Bytes)
	for i, k := range s.Buckets {
		if k.Packets == ^uint64(0) {
			continue
		}
		p.f(",bucket%d:packet_count=%d,byte_count=%d", i, k.Packets, k.Bytes)
	}
}

func (p *printer) groupFeatures(m *GroupFeaturesReply) {
	p.f("\n Group table:\n    Types:  0x%x\n    Capabilities:  0x%x\n", m.Types, m.Capabilities)
	for i, n := range []string{"all", "select", "indirect", "fast failover"} {
		if m.Types&(1<<i) == 0 {
			continue
		}
		p.f("    %s group:\n       max_groups=%s\n       actions: %s\n", n, hexNum(uint64(m.MaxGroups[i])), featureActions(m.Actions[i]))
	}
}

func hexNum(v uint64) string { return hex64(v) }

func featureActions(b uint64) string {
	if b == 0 {
		return "(none)"
	}
	return actionBitNames(b)
}

func meterFlagsText(f uint16) string {
	var b strings.Builder
	for _, n := range []bitName{{MeterKbps, "kbps "}, {MeterPktps, "pktps "}, {MeterBurst, "burst "}, {MeterStatsFlag, "stats "}} {
		if uint32(f)&n.bit != 0 {
			b.WriteString(n.name)
			f &^= uint16(n.bit)
		}
	}
	if f != 0 {
		fmt.Fprintf(&b, "flags:0x%x ", f)
	}
	return b.String()
}

func (p *printer) meterConfig(c *MeterConfig, deletion bool) {
	_ = deletion
	p.WriteString(" " + meterFlagsText(c.Flags) + "bands=")
	for _, b := range c.Bands {
		p.f("\ntype=%s rate=%d", map[uint16]string{BandDrop: "drop", BandDSCPRemark: "dscp_remark"}[b.Type], b.Rate)
		if c.Flags&MeterBurst != 0 {
			p.f(" burst_size=%d", b.Burst)
		}
		if b.Type == BandDSCPRemark {
			p.f(" prec_level=%d", b.PrecLevel)
		}
	}
	p.WriteByte('\n')
}

func (p *printer) meterStats(s *MeterStats) {
	p.f("\nmeter:%s flow_count:%d packet_in_count:%d byte_in_count:%d duration:%s bands:\n",
		meterIDText(s.ID), s.FlowCount, s.PacketIn, s.ByteIn, Duration(s.DurationSec, s.DurationNsec))
	for i, b := range s.Bands {
		p.f("%d: packet_count:%d byte_count:%d\n", i, b.Packets, b.Bytes)
	}
}

func (p *printer) meterFeatures(m *MeterFeaturesReply) {
	p.f("\nmax_meter:%d max_bands:%d max_color:%d\n", m.MaxMeters, m.MaxBands, m.MaxColor)
	p.WriteString("band_types: ")
	var types []string
	for _, n := range []bitName{{1 << BandDrop, "drop"}, {1 << BandDSCPRemark, "dscp_remark"}} {
		if m.BandTypes&n.bit != 0 {
			types = append(types, n.name)
		}
	}
	if len(types) == 0 {
		types = []string{"0"}
	}
	p.f("%s\ncapabilities: %s\n", strings.Join(types, " "), strings.TrimSuffix(meterFlagsText(uint16(m.Capabilities)), " "))
}
