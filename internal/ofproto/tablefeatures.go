package ofproto

import (
	"weir/internal/flow"
	"weir/internal/openflow"
	"weir/internal/pipeline"
)

// actionsOf is the set of actions that tables and buckets can do, in terms of
// a version: OpenFlow 1.2 replaced most of the older ones by set_field.
func actionsOf(v openflow.Version) uint64 {
	switch v {
	case openflow.V10:
		return openflow.AllActionBits
	case openflow.V11:
		return openflow.AllActionBits &^ openflow.ActionBits("set_field")
	}
	return openflow.ActionBits("output", "group", "set_field", "strip_vlan", "push_vlan", "mod_nw_ttl", "dec_ttl",
		"set_mpls_ttl", "dec_mpls_ttl", "push_mpls", "pop_mpls", "set_queue")
}

// allInstructions is the bitmap of instructions: goto_table, write_metadata,
// write, apply and clear actions, meter (OpenFlow 1.3.1, 7.2.4).
const allInstructions = 1<<1 | 1<<2 | 1<<3 | 1<<4 | 1<<5 | 1<<6

// featuresOf says what a table can do; all can do the same, but go only to
// tables after them. As the original, it doesn't tell of eviction and vacancy
// events, which all tables have.
func featuresOf(id uint8, v openflow.Version) openflow.TableFeatures {
	f := openflow.TableFeatures{
		TableID: id, MetadataMatch: ^uint64(0), MetadataWrite: ^uint64(0),
		AnyProps: true,
	}
	var ins openflow.TableInstructions
	ins.Instructions = allInstructions
	for next := int(id) + 1; next < pipeline.NumTables-1; next++ {
		ins.Next[next/8] |= 1 << (next % 8)
	}
	if id == pipeline.NumTables-2 {
		ins.Instructions &^= 1 << 1
	}
	ins.Write.Actions, ins.Apply.Actions = actionsOf(v), actionsOf(v)
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

// tableFeatures answers a request about tables, once all its parts are there: as
// the one request it is, it sets the names of all tables or of none.
func (s *session) tableFeatures(h openflow.MsgHeader, msg *openflow.TableFeaturesRequest) error {
	all := append(s.tables, msg.Tables...)
	s.tables = nil
	if len(all) > pipeline.NumTables {
		return openflow.ErrBRCMultipartBufferOverflow.Err()
	}
	if h.More {
		s.tables = all
		return nil
	}
	b := s.m.b
	if err := b.nameTables(all); err != nil {
		return err
	}
	return s.send(h.Xid, &openflow.TableFeaturesReply{Tables: b.tableFeatures(s.version())})
}

// nameTables names the tables that a request describes (OpenFlow 1.3, 7.3.5.5).
// A name that the database gave stays. A request describes all tables that shall
// be, or, since OpenFlow 1.5, changes some: one that would take tables away is
// refused.
func (b *Bridge) nameTables(tables []openflow.TableFeatures) error {
	const replace, modify = 0, 1 // OFPTFC_REPLACE, OFPTFC_MODIFY
	for i := range tables {
		if tables[i].Command > modify || tables[i].Command == replace && len(tables) < pipeline.NumTables-1 {
			return openflow.ErrTFFCEPerm.Err()
		}
	}
	for i := range tables {
		t := b.pipe.Table(tables[i].TableID)
		switch {
		case t == nil || t.ID == pipeline.TableInternal:
			return openflow.ErrTFFCBadTable.Err()
		case t.Conf().NameLevel == 2 && t.Conf().Name != tables[i].Name:
			return openflow.ErrTFFCEPerm.Err()
		}
	}
	for i := range tables {
		t := b.pipe.Table(tables[i].TableID)
		conf := *t.Conf()
		if conf.Name == tables[i].Name {
			continue
		}
		conf.Name, conf.NameLevel = tables[i].Name, 1
		if conf.Name == "" {
			conf.NameLevel = 0
		}
		if _, err := b.pipe.ConfigureTable(t.ID, conf, b.be.clock.Now()); err != nil {
			return err
		}
	}
	return nil
}
