package openflow

import (
	"fmt"
	"strings"

	"weir/internal/flow"
)

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
