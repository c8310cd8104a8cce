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

// tableFeaturesList prints tables. Those that equal the one before are folded:
// tables without names to a range.
func (p *printer) tableFeaturesList(tables []TableFeatures, stats []TableStats) {
	var prev *TableFeatures
	var prevStats *TableStats
	var folded []uint8
	for i := range tables {
		f := &tables[i]
		var s *TableStats
		if stats != nil {
			s = &stats[i]
			f.TableID = s.TableID
		}
		if prev != nil && sameFeatures(f, prev) && sameStats(s, prevStats) {
			prev, prevStats = f, s
			if f.Name != "" {
				p.foldedTables(folded)
				folded = folded[:0]
				if !p.ditto {
					p.WriteByte('\n')
				}
				p.ditto = true
				p.f("  table %s (%q): ditto\n", p.opt.Names.table(f.TableID), f.Name)
				continue
			}
			folded = append(folded, f.TableID)
			continue
		}
		p.foldedTables(folded)
		folded = folded[:0]
		p.tableFeatures(f, prev, s)
		prev, prevStats = f, s
	}
	p.foldedTables(folded)
}

// foldedTables prints a range of tables that equal the one before.
func (p *printer) foldedTables(ids []uint8) {
	if len(ids) == 0 {
		return
	}
	if !p.ditto {
		p.WriteByte('\n')
	}
	p.ditto = false
	if len(ids) == 1 {
		p.f("  table %s: ditto\n", p.opt.Names.table(ids[0]))
		return
	}
	p.f("  tables %s...%s: ditto\n", p.opt.Names.table(ids[0]), p.opt.Names.table(ids[len(ids)-1]))
}

func sameStats(a, b *TableStats) bool {
	return a == nil || b != nil && a.Active == b.Active && a.Lookup == b.Lookup && a.Matched == b.Matched
}

func sameFeatures(a, b *TableFeatures) bool {
	x, y := *a, *b
	x.TableID, y.TableID, x.Name, y.Name = 0, 0, "", ""
	// That a table leads to those behind it is the same of every table.
	for _, id := range []uint8{a.TableID, b.TableID} {
		for _, n := range []*[32]byte{&x.NonMiss.Next, &x.Miss.Next, &y.NonMiss.Next, &y.Miss.Next} {
			n[id/8] &^= 1 << (id % 8)
		}
	}
	return x == y
}

func (p *printer) tableFeatures(f, prev *TableFeatures, s *TableStats) {
	if !p.ditto {
		p.WriteByte('\n')
	}
	p.ditto = false
	p.WriteString("  table " + p.opt.Names.table(f.TableID))
	if f.Name != "" && p.opt.Names.table(f.TableID) == fmt.Sprint(f.TableID) {
		p.f(" (%q)", f.Name)
	}
	p.WriteByte(':')
	same := prev != nil && sameFeatures(f, prev)
	if s != nil {
		p.f("\n    active=%d, lookup=%d, matched=%d\n", s.Active, s.Lookup, s.Matched)
		p.statsRest(f, prev, same)
		return
	}
	p.WriteByte('\n')
	if same {
		p.WriteString("    (same features)\n")
		return
	}
	p.features2(f, prev)
}

func (p *printer) statsRest(f, prev *TableFeatures, same bool) {
	if f.MaxEntries == 0 && f.Match.Empty() && f.Name == "" {
		return
	}
	if same {
		p.WriteString("    (same features)\n")
		return
	}
	p.features2(f, prev)
}

// features2 prints what a table can; of what the one before can too, only that
// it is the same.
func (p *printer) features2(f, prev *TableFeatures) {
	if f.MetadataMatch|f.MetadataWrite != 0 && p.h.Version >= V12 {
		p.f("    metadata: match=%s write=%s\n", hex64(f.MetadataMatch), hex64(f.MetadataWrite))
	}
	if f.MissConfig != MissDefault {
		p.f("    config=%s\n", f.MissConfig)
	}
	if p.h.Version >= V14 {
		if f.SupportsEviction {
			p.WriteString("    eviction: supported\n")
		} else {
			p.WriteString("    eviction: not supported\n")
		}
		if f.SupportsVacancy {
			p.WriteString("    vacancy events: supported\n")
		} else {
			p.WriteString("    vacancy events: not supported\n")
		}
	}
	if f.MaxEntries != 0 {
		p.f("    max_entries=%d\n", f.MaxEntries)
	}
	p.tableInstructions(f, prev)
	if prev != nil && !f.Match.Empty() && f.Match == prev.Match && f.Mask == prev.Mask && f.Wildcard == prev.Wildcard {
		p.WriteString("    (same matching)\n")
		return
	}
	p.matching(f)
}

func (p *printer) tableInstructions(f, prev *TableFeatures) {
	empty := TableInstructions{}
	if p.h.Version == V10 || f.NonMiss == empty && f.Miss == empty {
		return
	}
	if prev != nil && f.NonMiss == prev.NonMiss && f.Miss == prev.Miss {
		p.WriteString("    (same instructions)\n")
		return
	}
	before := &empty
	if prev != nil {
		before = &prev.NonMiss
	}
	if f.NonMiss == f.Miss {
		p.WriteString("    instructions (table miss and others):\n")
		p.instructionSet(f.TableID, &f.NonMiss, before)
		return
	}
	p.WriteString("    instructions (other than table miss):\n")
	p.instructionSet(f.TableID, &f.NonMiss, before)
	if prev != nil {
		before = &prev.Miss
	}
	p.WriteString("    instructions (table miss):\n")
	p.instructionSet(f.TableID, &f.Miss, before)
}

// instructionNames in the order in which they are listed.
var instructionNames = []bitName{
	{1 << InstMeter, "meter"}, {1 << InstApply, "apply_actions"}, {1 << InstClear, "clear_actions"},
	{1 << InstWrite, "write_actions"}, {1 << InstMetadata, "write_metadata"}, {1 << InstGoto, "goto_table"},
}

func (p *printer) instructionSet(id uint8, t, before *TableInstructions) {
	if s := tableRanges(id, t.Next); s != "" {
		p.WriteString("      next tables: " + s + "\n")
	}
	p.f("      instructions: %s\n", orNone(bitNames(t.Instructions, instructionNames)))
	if t.Write == before.Write && t.Apply == before.Apply && t.Write.SetField != (FieldSet{}) {
		p.WriteString("      (same actions)\n")
		return
	}
	if t.Write == t.Apply {
		p.WriteString("      Write-Actions and Apply-Actions features:\n")
		p.tableActions(&t.Write)
		return
	}
	p.WriteString("      Write-Actions features:\n")
	p.tableActions(&t.Write)
	p.WriteString("      Apply-Actions features:\n")
	p.tableActions(&t.Apply)
}

func orNone(s string) string {
	if s == "0" || s == "" {
		return "(none)"
	}
	return s
}

func (p *printer) tableActions(t *TableActions) {
	if t.Actions != 0 {
		p.f("        actions: %s\n", actionBitNames(t.Actions))
	}
	if p.h.Version >= V12 {
		p.f("        supported on Set-Field: %s\n", orNone(fieldNames(&t.SetField)))
	}
}

// tableRanges prints a set of tables as ranges.
func tableRanges(_ uint8, next [32]byte) string {
	var out []string
	has := func(i int) bool { return i < 256 && next[i/8]&(1<<(i%8)) != 0 }
	for i := 0; i < 256; i++ {
		if !has(i) {
			continue
		}
		j := i
		for has(j + 1) {
			j++
		}
		if i == j {
			out = append(out, fmt.Sprint(i))
		} else {
			out = append(out, fmt.Sprintf("%d-%d", i, j))
		}
		i = j
	}
	return strings.Join(out, ",")
}

func (p *printer) matching(f *TableFeatures) {
	if f.Match.Empty() {
		return
	}
	p.WriteString("    matching:\n")
	var arbitrary, exactOrWild, must FieldSet
	for i := range flow.NumFields {
		id := uint16(i)
		if !f.Match.Has(id) {
			continue
		}
		switch {
		case f.Mask.Has(id) && f.Wildcard.Has(id) && p.h.Version >= V13:
			arbitrary.Add(id)
		case f.Wildcard.Has(id):
			exactOrWild.Add(id)
		default:
			must.Add(id)
		}
	}
	for _, l := range []struct {
		name string
		s    *FieldSet
	}{{"arbitrary mask", &arbitrary}, {"exact match or wildcard", &exactOrWild}, {"must exact match", &must}} {
		if !l.s.Empty() {
			p.f("      %s: %s\n", l.name, fieldNames(l.s))
		}
	}
}

// FormatTableFeatures prints the features of tables, as dump-table-features does
// when it has them all.
func FormatTableFeatures(tables []TableFeatures, v Version, names *Names) string {
	p := &printer{h: MsgHeader{Version: v}, opt: PrintOptions{Names: names}}
	p.tableFeaturesList(tables, nil)
	return strings.TrimPrefix(p.String(), "\n") + "\n"
}
