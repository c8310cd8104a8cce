package engine

import (
	"iter"

	"weir/internal/ovsdb"
)

// Txn is a transaction in progress: the rows it has touched over the snapshot
// that it started from. One goroutine uses it; while db is set, the one that
// holds db's mutex.
type Txn struct {
	base *Snapshot
	db   *DB        // nil for a transaction that only reads
	tabs []tableTxn // by Table.Num
}

type tableTxn struct {
	byID  map[ovsdb.UUID]*rowTxn
	order []*rowTxn // as first touched
	grown int       // rows inserted less rows deleted
}

// rowTxn is a row that a transaction touched.
type rowTxn struct {
	id       ovsdb.UUID
	old, now *Row // old as in the base; either may be nil
	private  bool // now may still change in place
}

func newTxn(base *Snapshot, db *DB) *Txn {
	return &Txn{base: base, db: db, tabs: make([]tableTxn, len(base.Tables))}
}

// get returns the row as the transaction sees it, or nil.
func (x *Txn) get(k rowKey) *Row {
	if rt := x.tabs[k.table].byID[k.id]; rt != nil {
		return rt.now
	}
	return x.base.Tables[k.table].Get(k.id)
}

// touch returns the transaction's entry for a row that may have none yet.
func (x *Txn) touch(k rowKey) *rowTxn {
	tt := &x.tabs[k.table]
	if rt := tt.byID[k.id]; rt != nil {
		return rt
	}
	rt := &rowTxn{id: k.id}
	rt.old = x.base.Tables[k.table].Get(k.id)
	rt.now = rt.old
	if tt.byID == nil {
		tt.byID = map[ovsdb.UUID]*rowTxn{}
	}
	tt.byID[k.id] = rt
	tt.order = append(tt.order, rt)
	return rt
}

// writable returns a row's columns for changing.
func (x *Txn) writable(k rowKey) ovsdb.Row {
	rt := x.touch(k)
	if !rt.private {
		cols := append(ovsdb.Row(nil), rt.now.Cols...)
		cols[ovsdb.VersionColumn] = ovsdb.ScalarDatum(ovsdb.UUIDAtom(x.base.Layout.newUUID()))
		rt.now = &Row{ID: k.id, Cols: cols}
		rt.private = true
	}
	return rt.now.Cols
}

// insert adds a row with the given columns, of which _uuid and _version are
// filled in here.
func (x *Txn) insert(k rowKey, cols ovsdb.Row) {
	cols[ovsdb.UUIDColumn] = ovsdb.ScalarDatum(ovsdb.UUIDAtom(k.id))
	cols[ovsdb.VersionColumn] = ovsdb.ScalarDatum(ovsdb.UUIDAtom(x.base.Layout.newUUID()))
	rt := x.touch(k)
	rt.now = &Row{ID: k.id, Cols: cols}
	rt.private = true
	x.tabs[k.table].grown++
}

// remove deletes a row.
func (x *Txn) remove(k rowKey) {
	rt := x.touch(k)
	rt.now, rt.private = nil, false
	x.tabs[k.table].grown--
}

// known reports whether a row is or was in the table, this transaction's
// deleted ones included.
func (x *Txn) known(k rowKey) bool {
	if x.tabs[k.table].byID[k.id] != nil {
		return true
	}
	return x.base.Tables[k.table].Get(k.id) != nil
}

// rows ranges over a table's rows as the transaction sees them.
func (x *Txn) rows(t *Table) iter.Seq[*Row] {
	tt := &x.tabs[t.Num]
	return func(yield func(*Row) bool) {
		for row := range x.base.Tables[t.Num].All() {
			if len(tt.byID) > 0 {
				if rt := tt.byID[row.ID]; rt != nil {
					row = rt.now
				}
			}
			if row != nil && !yield(row) {
				return
			}
		}
		for _, rt := range tt.order {
			if rt.old == nil && rt.now != nil && !yield(rt.now) {
				return
			}
		}
	}
}

// find ranges over the rows that satisfy a condition. The table must not change
// meanwhile.
func (x *Txn) find(t *Table, c ovsdb.Condition) iter.Seq[*Row] {
	return func(yield func(*Row) bool) {
		candidates := x.rows(t)
		if id, ok := c.UUIDEquals(); ok {
			candidates = one(x.get(rowKey{t.Num, id}))
		} else if seq, ok := x.byIndex(t, c); ok {
			candidates = seq
		}
		for row := range candidates {
			if c.Matches(row.Cols) && !yield(row) {
				return
			}
		}
	}
}

func one(r *Row) iter.Seq[*Row] {
	return func(yield func(*Row) bool) {
		if r != nil {
			yield(r)
		}
	}
}

// byIndex returns the rows that may satisfy c, where c gives all columns of one
// of the table's indexes.
func (x *Txn) byIndex(t *Table, c ovsdb.Condition) (iter.Seq[*Row], bool) {
	if x.db == nil || len(c) == 0 {
		return nil, false
	}
	for i, index := range t.Indexes {
		cols := make(ovsdb.Row, len(t.Columns))
		if !equalities(c, index, cols) {
			continue
		}
		id, found := x.db.tabs[t.Num].indexes[i][indexKey(index, &Row{Cols: cols})]
		return func(yield func(*Row) bool) {
			for _, rt := range x.tabs[t.Num].order {
				if rt.now != nil && !yield(rt.now) {
					return
				}
			}
			if found && x.tabs[t.Num].byID[id] == nil {
				yield(x.base.Tables[t.Num].Get(id))
			}
		}, true
	}
	return nil, false
}

// equalities sets in cols what c demands of the index's columns to be equal to,
// and reports whether that is all of them.
func equalities(c ovsdb.Condition, index []*ovsdb.ColumnSchema, cols ovsdb.Row) bool {
	for _, column := range index {
		found := false
		for i := range c {
			if c[i].Column == column && c[i].Fn == ovsdb.Equal {
				cols[column.Index], found = c[i].Arg, true
			}
		}
		if !found {
			return false
		}
	}
	return true
}
