package server

import (
	"time"

	"weir/internal/ovsdb"
	"weir/internal/ovsdb/engine"
)

// update is <table-updates> or <table-updates2> in pieces, which clients share; nil
// where there are none.
type update [][]byte

// size returns its length in bytes.
func (u update) size() int {
	n := 0
	for _, piece := range u {
		n += len(piece)
	}
	return n
}

// updatePiece is about how long a piece of an update is.
const updatePiece = 64 << 10

// updateBuilder builds an update.
type updateBuilder struct {
	spec  *monitorSpec
	done  update     // pieces but the last one
	dst   []byte     // the last one; nil before the first row
	table *specTable // whose rows are being added

	meter meter
}

// meter measures what the updates of one table after another cost.
type meter struct {
	table *specTable // nil: none
	began time.Time
	size  int // of the update, before
	rows  int // looked at
}

// enter ends the measurement of the table before, and begins that of t, nil
// being none.
func (b *updateBuilder) enter(t *specTable) {
	m := &b.meter
	if m.table == nil && t == nil {
		return
	}
	now := time.Now() // not the clock's time, which may stand still
	if m.table != nil {
		m.table.cost.add(m.rows, now.Sub(m.began), b.size()-m.size)
	}
	*m = meter{table: t, began: now, size: b.size()}
}

func (b *updateBuilder) size() int { return b.done.size() + len(b.dst) }

// row opens the row's object, and before it the table's unless that is open.
func (b *updateBuilder) row(t *specTable, row *engine.Row) {
	if len(b.dst) >= updatePiece {
		b.done = append(b.done, b.dst)
		b.dst = make([]byte, 0, updatePiece+updatePiece/16)
	}
	switch {
	case b.dst == nil:
		b.dst = append(b.dst, `{"`...)
	case b.table != t:
		b.dst = append(b.dst, `},"`...)
	default:
		b.dst = append(b.dst, ',')
	}
	if b.table != t {
		b.dst = append(b.dst, t.table.Name...)
		b.dst = append(b.dst, `":{`...)
		b.table = t
	}
	b.dst = append(b.dst, '"')
	b.dst = row.ID.Append(b.dst)
	b.dst = append(b.dst, `":{`...)
}

// end returns the update.
func (b *updateBuilder) end() update {
	b.enter(nil)
	if b.dst == nil {
		return nil
	}
	return append(b.done, append(b.dst, "}}"...))
}

// update returns the update that row changes make, those of a table together.
func (sp *monitorSpec) update(changes []engine.Change) update {
	b := updateBuilder{spec: sp}
	var last *engine.Table
	var t *specTable
	for i := range changes {
		c := &changes[i]
		if c.Table != last {
			last, t = c.Table, sp.find(c.Table)
			b.enter(t)
		}
		if t != nil {
			b.meter.rows++
			b.change(t, c.Old, c.New)
		}
	}
	return b.end()
}

// between returns the update that leads from one snapshot to another.
func (sp *monitorSpec) between(old, now *engine.Snapshot) update {
	b := updateBuilder{spec: sp}
	for i := range sp.tables {
		t := &sp.tables[i]
		b.enter(t)
		engine.Diff(old.Tables[t.table.Num], now.Tables[t.table.Num], func(o, n *engine.Row) {
			b.meter.rows++
			b.change(t, o, n)
		})
	}
	return b.end()
}

// initial returns the contents of a snapshot.
func (sp *monitorSpec) initial(s *engine.Snapshot) update {
	b := updateBuilder{spec: sp}
	for i := range sp.tables {
		t := &sp.tables[i]
		if t.selects&onInitial == 0 {
			continue
		}
		b.enter(t)
		b.meter.rows = s.Tables[t.table.Num].Len()
		for row := range s.Tables[t.table.Num].All() {
			if t.matches(row) {
				b.add(t, row, onInitial)
			}
		}
	}
	if u := b.end(); u != nil {
		return u
	}
	return update{emptyObject}
}

// changeOf returns the update that leads from the view of an older spec to this
// one's, where only conditions differ.
func (sp *monitorSpec) changeOf(old *monitorSpec, s *engine.Snapshot) update {
	b := updateBuilder{spec: sp}
	for i := range sp.tables {
		t, before := &sp.tables[i], &old.tables[i]
		b.enter(t)
		b.meter.rows = s.Tables[t.table.Num].Len()
		for row := range s.Tables[t.table.Num].All() {
			switch was, is := before.matches(row), t.matches(row); {
			case is && !was && t.selects&onInsert != 0:
				b.add(t, row, onInsert)
			case was && !is && t.selects&onDelete != 0:
				b.remove(t, row)
			}
		}
	}
	return b.end()
}

// change adds what became of one row.
func (b *updateBuilder) change(t *specTable, old, now *engine.Row) {
	switch was, is := t.matches(old), t.matches(now); {
	case was && is:
		if t.selects&onModify != 0 {
			b.modify(t, old, now)
		}
	case is && t.selects&onInsert != 0:
		b.add(t, now, onInsert)
	case was && t.selects&onDelete != 0:
		b.remove(t, old)
	}
}

// column appends a member of a row.
func column(dst []byte, first *bool, c *ovsdb.ColumnSchema, d ovsdb.Datum) []byte {
	if !*first {
		dst = append(dst, ',')
	}
	*first = false
	dst = append(dst, '"')
	dst = append(dst, c.Name...)
	dst = append(dst, `":`...)
	return d.AppendJSON(dst)
}

// add adds a row that is new to the view.
func (b *updateBuilder) add(t *specTable, row *engine.Row, kind selection) {
	b.row(t, row)
	switch {
	case b.spec.version == versionMonitor:
		b.dst = append(b.dst, `"new":{`...)
	case kind == onInitial:
		b.dst = append(b.dst, `"initial":{`...)
	default:
		b.dst = append(b.dst, `"insert":{`...)
	}
	first := true
	for i := range t.columns {
		c := &t.columns[i]
		d := row.Get(c.ColumnSchema)
		if c.selects&kind == 0 || b.spec.version != versionMonitor && c.IsDefault(d) {
			continue
		}
		b.dst = column(b.dst, &first, c.ColumnSchema, d)
	}
	b.dst = append(b.dst, "}}"...)
}

// remove adds a row that has left the view.
func (b *updateBuilder) remove(t *specTable, row *engine.Row) {
	b.row(t, row)
	if b.spec.version != versionMonitor {
		b.dst = append(b.dst, `"delete":null}`...)
		return
	}
	b.dst = append(b.dst, `"old":{`...)
	first := true
	for i := range t.columns {
		if c := &t.columns[i]; c.selects&onDelete != 0 {
			b.dst = column(b.dst, &first, c.ColumnSchema, row.Get(c.ColumnSchema))
		}
	}
	b.dst = append(b.dst, "}}"...)
}

// modify adds a row whose monitored columns changed, if any did.
func (b *updateBuilder) modify(t *specTable, old, now *engine.Row) {
	changed := false
	for i := range t.columns {
		c := &t.columns[i]
		changed = changed || c.selects&onModify != 0 && old.Get(c.ColumnSchema) != now.Get(c.ColumnSchema)
	}
	if !changed {
		return
	}
	b.row(t, now)
	if b.spec.version != versionMonitor {
		b.dst = append(b.dst, `"modify":{`...)
	} else {
		b.dst = append(b.dst, `"old":{`...)
	}
	first := true
	for i := range t.columns {
		c := &t.columns[i]
		o, n := old.Get(c.ColumnSchema), now.Get(c.ColumnSchema)
		if c.selects&onModify == 0 || o == n {
			continue
		}
		if b.spec.version != versionMonitor {
			o = c.Type.Diff(o, n)
		}
		b.dst = column(b.dst, &first, c.ColumnSchema, o)
	}
	if b.spec.version == versionMonitor {
		b.dst = append(b.dst, `},"new":{`...)
		first = true
		for i := range t.columns {
			if c := &t.columns[i]; c.selects&onModify != 0 {
				b.dst = column(b.dst, &first, c.ColumnSchema, now.Get(c.ColumnSchema))
			}
		}
	}
	b.dst = append(b.dst, "}}"...)
}
