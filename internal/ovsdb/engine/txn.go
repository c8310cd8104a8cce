package engine

import (
	"iter"
	"slices"

	"weir/internal/ovsdb"
)

// Txn is a transaction in progress: the rows it has touched over the state that
// it started from. One goroutine uses it; while db is set, the one that holds
// db's mutex.
type Txn struct {
	layout *Layout
	rows   []Rows     // what it started from, by Table.Num
	db     *DB        // nil for a transaction that only reads
	tabs   []tableTxn // by Table.Num

	inserts int // how many rows will be inserted
}

type tableTxn struct {
	order []rowTxn // as first touched
	byID  map[ovsdb.UUID]int32
	grown int // rows inserted less rows deleted
}

// rowTxn is a row that a transaction touched.
type rowTxn struct {
	id       ovsdb.UUID
	old, now *Row // old as in the base; either may be nil
}

// fewTouched is up to how many rows are searched one by one.
const fewTouched = 8

// find returns the entry of a row that the transaction touched, or nil. It is
// valid until the next one is added.
func (tt *tableTxn) find(id ovsdb.UUID) *rowTxn {
	if len(tt.order) <= fewTouched {
		for i := range tt.order {
			if tt.order[i].id == id {
				return &tt.order[i]
			}
		}
		return nil
	}
	if tt.byID == nil {
		tt.byID = make(map[ovsdb.UUID]int32, 2*len(tt.order))
	}
	for i := len(tt.byID); i < len(tt.order); i++ {
		tt.byID[tt.order[i].id] = int32(i)
	}
	if i, ok := tt.byID[id]; ok {
		return &tt.order[i]
	}
	return nil
}

func newTxn(l *Layout, rows []Rows, db *DB) *Txn {
	return &Txn{layout: l, rows: rows, db: db, tabs: make([]tableTxn, len(rows))}
}

// maxSpare is up to how many rows' room is kept from one transaction to the next.
const maxSpare = 1024

// reset makes x a transaction that has touched nothing.
func (x *Txn) reset() {
	for i := range x.tabs {
		tt := &x.tabs[i]
		if len(tt.order) == 0 {
			continue
		}
		room := tt.order[:0]
		clear(tt.order)
		if cap(room) > maxSpare {
			room = nil
		}
		*tt = tableTxn{order: room}
	}
}

// get returns the row as the transaction sees it, or nil.
func (x *Txn) get(k rowKey) *Row {
	if rt := x.tabs[k.table].find(k.id); rt != nil {
		return rt.now
	}
	return x.rows[k.table].Get(k.id)
}

// touch returns the transaction's entry for a row that may have none yet.
func (x *Txn) touch(k rowKey) *rowTxn {
	tt := &x.tabs[k.table]
	if rt := tt.find(k.id); rt != nil {
		return rt
	}
	old := x.rows[k.table].Get(k.id)
	tt.order = append(tt.order, rowTxn{k.id, old, old})
	return &tt.order[len(tt.order)-1]
}

// set replaces some of a row's columns by those in cols.
func (x *Txn) set(t *Table, id ovsdb.UUID, columns []*ovsdb.ColumnSchema, cols ovsdb.Row) *Row {
	rt := x.touch(rowKey{t.Num, id})
	rt.now = rt.now.With(t.TableSchema, columns, cols, x.layout.newUUID())
	return rt.now
}

// insert adds a row that isn't there. One with a new UUID is not looked for.
func (x *Txn) insert(t *Table, row *Row, isNew bool) {
	tt := &x.tabs[t.Num]
	tt.grown++
	if isNew {
		if cap(tt.order) == 0 {
			tt.order = make([]rowTxn, 0, x.inserts)
		}
		tt.order = append(tt.order, rowTxn{id: row.ID, now: row})
		return
	}
	x.touch(rowKey{t.Num, row.ID}).now = row
}

// remove deletes a row.
func (x *Txn) remove(k rowKey) {
	x.touch(k).now = nil
	x.tabs[k.table].grown--
}

// known reports whether a row is or was in the table, this transaction's
// deleted ones included.
func (x *Txn) known(k rowKey) bool {
	return x.tabs[k.table].find(k.id) != nil || x.rows[k.table].Get(k.id) != nil
}

// all ranges over a table's rows as the transaction sees them.
func (x *Txn) all(t *Table) iter.Seq[*Row] {
	tt := &x.tabs[t.Num]
	return func(yield func(*Row) bool) {
		for row := range x.rows[t.Num].All() {
			if rt := tt.find(row.ID); rt != nil {
				row = rt.now
			}
			if row != nil && !yield(row) {
				return
			}
		}
		for i := range tt.order {
			if rt := &tt.order[i]; rt.old == nil && rt.now != nil && !yield(rt.now) {
				return
			}
		}
	}
}

// find ranges over the rows that satisfy a condition. The table must not change
// meanwhile.
func (x *Txn) find(t *Table, c ovsdb.Condition) iter.Seq[*Row] {
	return func(yield func(*Row) bool) {
		candidates := x.all(t)
		if id, ok := c.UUIDEquals(); ok {
			candidates = one(x.get(rowKey{t.Num, id}))
		} else if seq, ok := x.byIndex(t, c); ok {
			candidates = seq
		} else if x.db != nil {
			if ids, ok := x.db.learned(t, c); ok {
				candidates = x.these(t, ids)
			}
		}
		for row := range candidates {
			if c.Matches(row) && !yield(row) {
				return
			}
		}
	}
}

// these ranges over the rows that the transaction touched and those among the
// others that ids lists.
func (x *Txn) these(t *Table, ids []ovsdb.UUID) iter.Seq[*Row] {
	tt := &x.tabs[t.Num]
	return func(yield func(*Row) bool) {
		for i := range tt.order {
			if rt := &tt.order[i]; rt.now != nil && !yield(rt.now) {
				return
			}
		}
		for _, id := range ids {
			if tt.find(id) == nil && !yield(x.rows[t.Num].Get(id)) {
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
		if !equalities(c, index) {
			continue
		}
		key := keyOfValues(index, func(column *ovsdb.ColumnSchema) ovsdb.Datum { return equalTo(c, column) })
		if id, found := x.db.tabs[t.Num].indexes[i][key]; found {
			return x.these(t, []ovsdb.UUID{id}), true
		}
		return x.these(t, nil), true
	}
	return nil, false
}

// equalities reports whether c says of all of an index's columns what they are
// to be equal to.
func equalities(c ovsdb.Condition, index []*ovsdb.ColumnSchema) bool {
	for _, column := range index {
		if !slices.ContainsFunc(c, func(cl ovsdb.Clause) bool { return cl.Column == column && cl.Fn == ovsdb.Equal }) {
			return false
		}
	}
	return true
}

// equalTo returns what c demands a column to be equal to.
func equalTo(c ovsdb.Condition, column *ovsdb.ColumnSchema) ovsdb.Datum {
	i := slices.IndexFunc(c, func(cl ovsdb.Clause) bool { return cl.Column == column && cl.Fn == ovsdb.Equal })
	return c[i].Arg
}
