package engine

import (
	"weir/internal/ovsdb"
)

// check makes sure that the transaction's result obeys the schema: it deletes
// rows that nothing refers to any more, takes weak references to rows that are
// gone away, and counts strong references, rows and values of indexes. The
// changes it returns are ready for DB.Apply.
func (x *Txn) check() ([]Change, *ovsdb.Error) {
	r := &refChecker{x: x}
	if err := r.run(); err != nil {
		return nil, err
	}
	for _, t := range x.layout.Tables {
		if len(x.tabs[t.Num].order) == 0 {
			continue
		}
		if err := x.checkTable(t); err != nil {
			return nil, err
		}
	}
	return x.changes(), nil
}

// changes lists what the transaction changed, leaving out rows that came and
// went, or that are as before but for their version.
func (x *Txn) changes() []Change {
	n := 0
	for i := range x.tabs {
		n += len(x.tabs[i].order)
	}
	out := make([]Change, 0, n)
	for _, t := range x.layout.Tables {
		order := x.tabs[t.Num].order
		for i := range order {
			if rt := &order[i]; rt.changed() {
				out = append(out, Change{t, rt.old, rt.now})
			}
		}
	}
	return out
}

func (rt *rowTxn) changed() bool {
	if rt.old == nil || rt.now == nil {
		return rt.old != rt.now
	}
	return rt.old != rt.now && rt.old.Cells() != rt.now.Cells()
}

// refChecker sees to references.
type refChecker struct {
	x     *Txn
	delta map[rowKey]int // what the transaction adds to the counts in DB
	queue []rowKey       // non-root rows that may have lost their last reference
}

func (r *refChecker) run() *ovsdb.Error {
	if err := r.count(); err != nil {
		return err
	}
	r.collect()
	for {
		again, err := r.cleanWeak()
		if err != nil {
			return err
		}
		if !again {
			break
		}
		r.collect()
	}
	return r.checkDeleted()
}

// count sums up the strong references that the transaction adds and takes away.
func (r *refChecker) count() *ovsdb.Error {
	for _, t := range r.x.layout.Tables {
		order := r.x.tabs[t.Num].order
		for i := range order {
			rt := &order[i]
			if rt.old == rt.now {
				continue
			}
			if !t.IsRoot && rt.now != nil && rt.old == nil {
				r.queue = append(r.queue, rowKey{t.Num, rt.id})
			}
			if err := r.note(&Change{t, rt.old, rt.now}, true); err != nil {
				return err
			}
		}
	}
	return nil
}

// note counts the strong references that c changes. With mustExist those added
// must be to rows that are there.
func (r *refChecker) note(c *Change, mustExist bool) (err *ovsdb.Error) {
	tables := r.x.layout.Tables
	for i := range c.Table.strong {
		column := &c.Table.strong[i]
		eachRef(c, column, func(to rowKey, n int) {
			if to.id == c.ID() && to.table == c.Table.Num {
				return // a row doesn't keep itself
			}
			if r.delta == nil {
				r.delta = map[rowKey]int{}
			}
			r.delta[to] += n
			if n < 0 && !tables[to.table].IsRoot {
				r.queue = append(r.queue, to)
			}
			if n > 0 && mustExist && err == nil && r.x.get(to) == nil {
				if known := r.x.rows[to.table].Get(to.id); known == nil || !c.had(column, to) {
					err = ovsdb.Errorf(ovsdb.TagReferentialIntegrity, "Table %s column %s row %s references nonexistent row %s in table %s.",
						c.Table.Name, column.Name, c.ID(), to.id, tables[to.table].Name)
				}
			}
		})
	}
	return err
}

// had reports whether the old row had the reference too, so that the fault is
// the deletion of the row it refers to.
func (c *Change) had(r *refColumn, to rowKey) bool {
	found := false
	if c.Old != nil {
		r.each(c.Old.Get(r.ColumnSchema), func(k rowKey) { found = found || k == to })
	}
	return found
}

func (r *refChecker) refs(k rowKey) int {
	return r.x.db.tabs[k.table].refs[k.id] + r.delta[k]
}

// collect deletes rows outside root tables that nothing refers to.
func (r *refChecker) collect() {
	tables := r.x.layout.Tables
	for len(r.queue) > 0 {
		k := r.queue[len(r.queue)-1]
		r.queue = r.queue[:len(r.queue)-1]
		row := r.x.get(k)
		if row == nil || r.refs(k) > 0 {
			continue
		}
		r.x.remove(k)
		_ = r.note(&Change{tables[k.table], row, nil}, false) // which adds no reference
	}
}

// checkDeleted makes sure that nothing refers to rows that are gone.
func (r *refChecker) checkDeleted() *ovsdb.Error {
	for _, t := range r.x.layout.Tables {
		order := r.x.tabs[t.Num].order
		for i := range order {
			rt := &order[i]
			if rt.now != nil {
				continue
			}
			if n := r.refs(rowKey{t.Num, rt.id}); n > 0 {
				return ovsdb.Errorf(ovsdb.TagReferentialIntegrity, "cannot delete %s row %s because of %d remaining reference(s)", t.Name, rt.id, n)
			}
		}
	}
	return nil
}

// cleanWeak removes weak references to rows that are gone or never were. It
// reports whether that took strong references away.
func (r *refChecker) cleanWeak() (again bool, err *ovsdb.Error) {
	for _, k := range r.weakSuspects() {
		row := r.x.get(k)
		if row == nil {
			continue
		}
		t := r.x.layout.Tables[k.table]
		for i := range t.weak {
			c := &t.weak[i]
			old := row.Get(c.ColumnSchema)
			now := r.filter(c, old)
			if now == old {
				continue
			}
			if now.Len() < int(c.Type.Min) {
				if rt := r.x.tabs[k.table].find(k.id); rt != nil && rt.old == nil && old.Has(ovsdb.DefaultAtom(ovsdb.UUIDType)) {
					return false, ovsdb.Errorf(ovsdb.TagConstraint, "Weak reference column \"%s\" in \"%s\" row %s (inserted within this transaction) contained all-zeros UUID (probably as the default value for this column) but deleting this value caused a constraint volation because this column is not allowed to be empty.",
						c.Name, t.Name, k.id)
				}
				return false, ovsdb.Errorf(ovsdb.TagConstraint, "Deletion of %d weak reference(s) to deleted (or never-existing) rows from column \"%s\" in \"%s\" row %s caused this column to become empty, but constraints on this column disallow an empty column.",
					old.Len()-now.Len(), c.Name, t.Name, k.id)
			}
			before := row
			row = r.x.set(t, k.id, []*ovsdb.ColumnSchema{c.ColumnSchema}, onlyColumn(t, c.Index, now))
			_ = r.note(&Change{t, before, row}, false)
			again = again || len(r.queue) > 0
		}
	}
	return again, nil
}

// onlyColumn returns a row that has a value in one column.
func onlyColumn(t *Table, index int, d ovsdb.Datum) ovsdb.Row {
	row := make(ovsdb.Row, len(t.Columns))
	row[index] = d
	return row
}

// weakSuspects lists the rows with weak references that may dangle: rows whose
// references changed, and rows that refer to rows now gone.
func (r *refChecker) weakSuspects() []rowKey {
	var out []rowKey
	var seen map[rowKey]bool
	add := func(k rowKey) {
		if seen == nil {
			seen = map[rowKey]bool{}
		}
		if !seen[k] {
			seen[k] = true
			out = append(out, k)
		}
	}
	for _, t := range r.x.layout.Tables {
		order := r.x.tabs[t.Num].order
		for i := range order {
			rt := &order[i]
			switch {
			case rt.now == nil:
				for from := range r.x.db.tabs[t.Num].weak[rt.id] {
					add(from)
				}
			case len(t.weak) > 0 && rt.now != rt.old:
				add(rowKey{t.Num, rt.id})
			}
		}
	}
	return out
}

// filter returns d without references to rows that aren't there.
func (r *refChecker) filter(c *refColumn, d ovsdb.Datum) ovsdb.Datum {
	dangles := func(i int) bool {
		return c.key >= 0 && r.x.get(rowKey{c.key, d.Key(i).UUID()}) == nil ||
			c.value >= 0 && r.x.get(rowKey{c.value, d.Value(i).UUID()}) == nil
	}
	var keep []ovsdb.Pair
	for i := range d.Len() {
		if !dangles(i) {
			keep = append(keep, d.Pair(i))
		}
	}
	if len(keep) == d.Len() {
		return d
	}
	if d.IsMap() {
		return ovsdb.MapDatum(d.KeyType(), d.ValueType(), keep)
	}
	atoms := make([]ovsdb.Atom, len(keep))
	for i := range keep {
		atoms[i] = keep[i].Key
	}
	return ovsdb.SetDatum(d.KeyType(), atoms)
}
