package ofproto

import (
	"weir/internal/flow"
	"weir/internal/openflow"
	"weir/internal/pipeline"
)

// allActions is the bitmap of the actions that every table can do: those of
// OpenFlow 1.5 by number that have a meaning in a software switch.
const allActions = 1<<0 | // output
	1<<15 | 1<<16 | // set_mpls_ttl, dec_mpls_ttl
	1<<17 | 1<<18 | 1<<19 | 1<<20 | // push_vlan, pop_vlan, push_mpls, pop_mpls
	1<<21 | 1<<22 | 1<<23 | 1<<24 | // set_queue, group, set_nw_ttl, dec_nw_ttl
	1<<25 | // set_field
	1<<29 // meter

// allInstructions is the bitmap of instructions: goto_table, write_metadata,
// write, apply and clear actions, meter (OpenFlow 1.3.1, 7.2.4).
const allInstructions = 1<<1 | 1<<2 | 1<<3 | 1<<4 | 1<<5 | 1<<6

// featuresOf says what a table can do; all can do the same, but go only to
// tables after them.
func featuresOf(id uint8) openflow.TableFeatures {
	f := openflow.TableFeatures{
		TableID: id, MetadataMatch: ^uint64(0), MetadataWrite: ^uint64(0),
		SupportsEviction: true, SupportsVacancy: true, AnyProps: true,
		MissConfig: openflow.MissDefault,
	}
	var ins openflow.TableInstructions
	ins.Instructions = allInstructions
	for next := int(id) + 1; next < pipeline.NumTables-1; next++ {
		ins.Next[next/8] |= 1 << (next % 8)
	}
	if id == pipeline.NumTables-2 {
		ins.Instructions &^= 1 << 1
	}
	ins.Write.Actions, ins.Apply.Actions = allActions, allActions
	for i := range flow.Fields {
		field := &flow.Fields[i]
		if len(field.Codepoints) == 0 {
			continue
		}
		n := uint16(field.ID)
		f.Match.Add(n)
		f.Wildcard.Add(n)
		if field.Maskable {
			f.Mask.Add(n)
		}
		if field.Writable {
			ins.Write.SetField.Add(n)
			ins.Apply.SetField.Add(n)
		}
	}
	f.NonMiss, f.Miss = ins, ins
	return f
}
