// Package engine executes OVSDB transactions (RFC 7047 section 5.2) on tables in
// memory: operations, constraints, references and garbage collection, without
// any I/O. A Snapshot is an immutable state of a database that any goroutine may
// read; a DB makes one from another, at a cost that goes with what a
// transaction touches, not with the size of the tables.
package engine

import (
	"weir/internal/ovsdb"
)

// Layout is what the engine works out from a schema once. It is immutable.
type Layout struct {
	Schema *ovsdb.DatabaseSchema
	Tables []*Table // by name
	byName map[string]*Table

	newUUID   func() ovsdb.UUID // of rows and versions
	learnFrom int               // how many rows a table has before indexes are learned
}

// Table is a table's schema and its place in snapshots.
type Table struct {
	*ovsdb.TableSchema
	Num    int  // index in Layout.Tables and Snapshot.Tables
	IsRoot bool // rows stay though nothing refers to them

	defaults   ovsdb.Row
	badDefault []*ovsdb.ColumnSchema // whose default their type doesn't allow
	strong     []refColumn           // columns with strong references
	weak       []refColumn           // columns with weak references
}

// refColumn is a column with references: the numbers of the tables that its keys
// and values refer to, -1 for none of the strength concerned.
type refColumn struct {
	*ovsdb.ColumnSchema
	key, value int
}

// NewLayout works out the layout of schema.
func NewLayout(schema *ovsdb.DatabaseSchema) *Layout {
	l := &Layout{Schema: schema, byName: map[string]*Table{}, newUUID: ovsdb.NewUUID, learnFrom: largeTable}
	for i, ts := range schema.SortedTables() {
		t := &Table{TableSchema: ts, Num: i, IsRoot: schema.IsRoot(ts), defaults: ts.DefaultRow()}
		l.Tables = append(l.Tables, t)
		l.byName[ts.Name] = t
	}
	for _, t := range l.Tables {
		for _, c := range t.Columns {
			if c.Index > ovsdb.VersionColumn && c.Type.CheckElements(t.defaults[c.Index]) != nil {
				t.badDefault = append(t.badDefault, c)
			}
			if r, ok := l.refs(c, ovsdb.StrongRef); ok {
				t.strong = append(t.strong, r)
			}
			if r, ok := l.refs(c, ovsdb.WeakRef); ok {
				t.weak = append(t.weak, r)
			}
		}
	}
	return l
}

func (l *Layout) refs(c *ovsdb.ColumnSchema, kind ovsdb.RefType) (refColumn, bool) {
	r := refColumn{c, -1, -1}
	for _, side := range []struct {
		base *ovsdb.BaseType
		num  *int
	}{{&c.Type.Key, &r.key}, {&c.Type.Value, &r.value}} {
		if side.base.IsRef() && side.base.RefType == kind {
			*side.num = l.byName[side.base.RefTable].Num
		}
	}
	return r, r.key >= 0 || r.value >= 0
}

// Table returns the table of that name, or nil.
func (l *Layout) Table(name string) *Table { return l.byName[name] }

// each calls fn with the table and ID of each reference in d.
func (r *refColumn) each(d ovsdb.Datum, fn func(rowKey)) {
	for i := range d.Len() {
		if r.key >= 0 {
			fn(rowKey{r.key, d.Key(i).UUID()})
		}
		if r.value >= 0 {
			fn(rowKey{r.value, d.Value(i).UUID()})
		}
	}
}

// rowKey names a row of a database.
type rowKey struct {
	table int
	id    ovsdb.UUID
}

// Snapshot is one state of a database. It is immutable.
type Snapshot struct {
	Layout *Layout
	Tables []Rows     // by Table.Num
	Seq    uint64     // counts the commits since the database was opened
	TxnID  ovsdb.UUID // of the last commit; zero where there is none
}

// NewSnapshot returns an empty database.
func NewSnapshot(l *Layout) *Snapshot {
	return &Snapshot{Layout: l, Tables: make([]Rows, len(l.Tables))}
}

// Change is what a commit did to one row: Old is nil for a row that is new, New
// for one that is gone.
type Change struct {
	Table    *Table
	Old, New *Row
}

// ID returns the row's ID.
func (c *Change) ID() ovsdb.UUID {
	if c.New != nil {
		return c.New.ID
	}
	return c.Old.ID
}
