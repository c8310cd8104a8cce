package engine

import (
	"weir/internal/ovsdb"
)

// DB is the head of a database: its newest snapshot and what makes checking a
// transaction cheap. Its owner's mutex guards it.
type DB struct {
	head *Snapshot
	tabs []tableAux // by Table.Num
}

// tableAux is derived from a table's rows in the head.
type tableAux struct {
	refs    map[ovsdb.UUID]int            // strong references to a row, where any
	weak    map[ovsdb.UUID]map[rowKey]int // rows that refer to a row weakly, and how often
	indexes []map[string]ovsdb.UUID       // by schema index: key to row
}

// NewDB returns a DB whose head is s.
func NewDB(s *Snapshot) *DB {
	db := &DB{}
	db.Reset(s)
	return db
}

// Head returns the newest snapshot.
func (db *DB) Head() *Snapshot { return db.head }

// Reset makes s the head, at a cost that goes with its size.
func (db *DB) Reset(s *Snapshot) {
	db.head = s
	db.tabs = make([]tableAux, len(s.Tables))
	for _, t := range s.Layout.Tables {
		aux := &db.tabs[t.Num]
		aux.refs = map[ovsdb.UUID]int{}
		aux.weak = map[ovsdb.UUID]map[rowKey]int{}
		aux.indexes = make([]map[string]ovsdb.UUID, len(t.Indexes))
		for i := range aux.indexes {
			aux.indexes[i] = make(map[string]ovsdb.UUID, s.Tables[t.Num].Len())
		}
	}
	for _, t := range s.Layout.Tables {
		for row := range s.Tables[t.Num].All() {
			db.account(&Change{t, nil, row})
		}
	}
}

// Apply makes the head the one that results from changes, which Txn.Commit
// checked against it, and returns it.
func (db *DB) Apply(changes []Change, txn ovsdb.UUID) *Snapshot {
	db.head = db.head.With(changes, txn)
	// All that goes away first: rows may swap the values of an index.
	for i := range changes {
		if c := &changes[i]; c.Old != nil {
			db.unindex(c)
		}
	}
	for i := range changes {
		db.account(&changes[i])
	}
	return db.head
}

func (db *DB) unindex(c *Change) {
	aux := &db.tabs[c.Table.Num]
	for i, index := range c.Table.Indexes {
		delete(aux.indexes[i], indexKey(index, c.Old))
	}
}

// account brings indexes and reference counts up to date with c.
func (db *DB) account(c *Change) {
	aux := &db.tabs[c.Table.Num]
	if c.New != nil {
		for i, index := range c.Table.Indexes {
			aux.indexes[i][indexKey(index, c.New)] = c.New.ID
		}
	}
	for i := range c.Table.strong {
		db.countStrong(c, &c.Table.strong[i])
	}
	for i := range c.Table.weak {
		db.countWeak(c, &c.Table.weak[i])
	}
}

func (db *DB) countStrong(c *Change, r *refColumn) {
	eachRef(c, r, func(to rowKey, n int) {
		if to.id == c.ID() && to.table == c.Table.Num {
			return // a row doesn't keep itself
		}
		refs := db.tabs[to.table].refs
		if refs[to.id] += n; refs[to.id] == 0 {
			delete(refs, to.id)
		}
	})
}

func (db *DB) countWeak(c *Change, r *refColumn) {
	from := rowKey{c.Table.Num, c.ID()}
	eachRef(c, r, func(to rowKey, n int) {
		weak := db.tabs[to.table].weak
		m := weak[to.id]
		if m == nil {
			m = map[rowKey]int{}
			weak[to.id] = m
		}
		if m[from] += n; m[from] == 0 {
			delete(m, from)
		}
		if len(m) == 0 {
			delete(weak, to.id)
		}
	})
}

// eachRef calls fn with each reference of column r that c takes away (-1) or
// adds (1).
func eachRef(c *Change, r *refColumn, fn func(to rowKey, n int)) {
	if c.Old != nil && c.New != nil && c.Old.Cols[r.Index] == c.New.Cols[r.Index] {
		return
	}
	if c.New != nil {
		r.each(c.New.Cols[r.Index], func(to rowKey) { fn(to, 1) })
	}
	if c.Old != nil {
		r.each(c.Old.Cols[r.Index], func(to rowKey) { fn(to, -1) })
	}
}

// indexKey returns the values of an index's columns as one string.
func indexKey(index []*ovsdb.ColumnSchema, row *Row) string {
	if len(index) == 1 {
		if d := row.Cols[index[0].Index]; d.Len() == 1 && d.KeyType() == ovsdb.String && !d.IsMap() {
			return d.Str()
		}
	}
	return keyOf(index, row.Cols)
}

func keyOf(columns []*ovsdb.ColumnSchema, row ovsdb.Row) string {
	var buf [128]byte
	dst := buf[:0]
	for _, c := range columns {
		dst = append(row[c.Index].AppendJSON(dst), ';')
	}
	return string(dst)
}

// Refs returns the number of strong references to rows and of weak ones, for
// memory accounting.
func (db *DB) Refs() (strong, weak int) {
	for i := range db.tabs {
		for _, n := range db.tabs[i].refs {
			strong += n
		}
		for _, m := range db.tabs[i].weak {
			for _, n := range m {
				weak += n
			}
		}
	}
	return strong, weak
}
