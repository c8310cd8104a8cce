package client

import (
	"iter"

	"weir/internal/ovsdb"
)

// Snapshot is the replicated part of a database after some transaction. It is
// immutable, and costs little beside the one before it.
type Snapshot struct {
	schema *ovsdb.DatabaseSchema
	infos  map[string]*tableInfo
	tables map[string]*rowSet
	seq    uint64
}

// Schema is the schema that the server gave.
func (s *Snapshot) Schema() *ovsdb.DatabaseSchema { return s.schema }

// Seq grows with every change that the replica sees.
func (s *Snapshot) Seq() uint64 { return s.seq }

// HasTable reports whether the replica has the table.
func (s *Snapshot) HasTable(table string) bool { return s.infos[table] != nil }

// HasColumn reports whether the replica has the column.
func (s *Snapshot) HasColumn(table, column string) bool {
	info := s.infos[table]
	if info == nil {
		return false
	}
	_, ok := info.columns[column]
	return ok
}

// Row is a row by its UUID, nil when there is none.
func (s *Snapshot) Row(table string, id ovsdb.UUID) *Row {
	if s == nil || s.tables[table] == nil {
		return nil
	}
	return s.tables[table].get(id)
}

// Rows goes through a table, in the order of UUIDs.
func (s *Snapshot) Rows(table string) iter.Seq[*Row] {
	if s == nil || s.tables[table] == nil {
		return func(func(*Row) bool) {}
	}
	return s.tables[table].all()
}

// Len is the number of rows in a table.
func (s *Snapshot) Len(table string) int {
	if s == nil || s.tables[table] == nil {
		return 0
	}
	return s.tables[table].n
}

// Cells counts the values that the snapshot holds, for memory accounting.
func (s *Snapshot) Cells() int {
	n := 0
	if s == nil {
		return n
	}
	for name, t := range s.tables {
		n += t.n * len(s.infos[name].names)
	}
	return n
}

// Change is a row in which two snapshots differ: Old is nil for a new row, New
// for a deleted one.
type Change struct{ Old, New *Row }

// Diff goes through the rows of a table in which two snapshots differ, at a
// cost in proportion to what changed. Either snapshot may be nil, for empty.
func Diff(old, new *Snapshot, table string) iter.Seq[Change] {
	var a, b *rowSet
	if old != nil {
		a = old.tables[table]
	}
	if new != nil {
		b = new.tables[table]
	}
	return func(yield func(Change) bool) {
		diffRows(a, b, func(o, n *Row) bool { return yield(Change{o, n}) })
	}
}
