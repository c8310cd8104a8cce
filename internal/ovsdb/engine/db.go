package engine

import (
	"slices"

	"weir/internal/ovsdb"
)

// DB is the head of a database: its newest state and what makes checking a
// transaction cheap. Its owner's mutex guards it. Changes are made in place as
// long as nobody has asked for a Snapshot of what they change.
type DB struct {
	layout *Layout
	rows   []Rows // by Table.Num
	own    *owner
	seq    uint64
	txn    ovsdb.UUID
	frozen *Snapshot  // of this state; nil: not asked for yet
	tabs   []tableAux // by Table.Num
	spare  *Txn       // of the last transaction, for the next one
}

// tableAux is derived from a table's rows in the head.
type tableAux struct {
	refs    map[ovsdb.UUID]int            // strong references to a row, where any
	weak    map[ovsdb.UUID]map[rowKey]int // rows that refer to a row weakly, and how often
	indexes []map[string]ovsdb.UUID       // by schema index: key to row
	learning
}

// NewDB returns a DB whose head is s.
func NewDB(s *Snapshot) *DB {
	db := &DB{}
	db.Reset(s)
	return db
}

// Layout returns the layout of the database's tables.
func (db *DB) Layout() *Layout { return db.layout }

// begin returns a transaction on the head, which the next call may return again.
func (db *DB) begin() *Txn {
	if db.spare == nil {
		db.spare = newTxn(db.layout, db.rows, db)
	}
	return db.spare
}

// Seq counts the commits since the database was opened, as Snapshot.Seq does.
func (db *DB) Seq() uint64 { return db.seq }

// Head returns a snapshot of the newest state.
func (db *DB) Head() *Snapshot {
	if db.frozen == nil {
		db.frozen = &Snapshot{Layout: db.layout, Tables: slices.Clone(db.rows), Seq: db.seq, TxnID: db.txn}
		db.own = &owner{}
	}
	return db.frozen
}

// Reset makes s the head, at a cost that goes with its size.
func (db *DB) Reset(s *Snapshot) {
	*db = DB{layout: s.Layout, rows: slices.Clone(s.Tables), own: &owner{}, seq: s.Seq, txn: s.TxnID, frozen: s,
		tabs: make([]tableAux, len(s.Tables))}
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
		if len(t.Indexes) == 0 && len(t.strong) == 0 && len(t.weak) == 0 {
			continue
		}
		for row := range s.Tables[t.Num].All() {
			db.account(&Change{t, nil, row})
		}
	}
}

// Apply carries out changes, which Txn.Commit checked against the head.
func (db *DB) Apply(changes []Change, txn ovsdb.UUID) {
	db.seq++
	db.txn = txn
	db.change(changes)
}

// Undo takes back changes, the last ones that Apply carried out. txn is
// the transaction before them.
func (db *DB) Undo(changes []Change, txn ovsdb.UUID) {
	back := make([]Change, len(changes))
	for i, c := range changes {
		back[i] = Change{c.Table, c.New, c.Old}
	}
	db.seq--
	db.txn = txn
	db.change(back)
}

func (db *DB) change(changes []Change) {
	db.frozen = nil
	for rest := changes; len(rest) > 0; {
		t, n := rest[0].Table, 1
		for n < min(len(rest), sights) && rest[n].Table == t {
			n++
		}
		db.rows[t.Num] = db.rows[t.Num].with(rest[:n], db.own)
		rest = rest[n:]
	}
	// All that goes away first: rows may swap the values of an index.
	for i := range changes {
		if c := &changes[i]; c.Old != nil {
			db.unindex(c)
		}
	}
	for i := range changes {
		c := &changes[i]
		db.account(c)
		if aux := &db.tabs[c.Table.Num]; len(aux.learning.indexes) > 0 {
			aux.note(c, db.rows[c.Table.Num].Len())
		}
	}
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
	if c.Old != nil && c.New != nil && c.Old.Get(r.ColumnSchema) == c.New.Get(r.ColumnSchema) {
		return
	}
	if c.New != nil {
		r.each(c.New.Get(r.ColumnSchema), func(to rowKey) { fn(to, 1) })
	}
	if c.Old != nil {
		r.each(c.Old.Get(r.ColumnSchema), func(to rowKey) { fn(to, -1) })
	}
}

// indexKey returns the values of an index's columns as one string.
func indexKey(index []*ovsdb.ColumnSchema, row *Row) string {
	return keyOfValues(index, func(c *ovsdb.ColumnSchema) ovsdb.Datum { return row.Get(c) })
}

// keyOfValues is indexKey for values from anywhere.
func keyOfValues(index []*ovsdb.ColumnSchema, value func(*ovsdb.ColumnSchema) ovsdb.Datum) string {
	if len(index) == 1 {
		if d := value(index[0]); d.Len() == 1 && d.KeyType() == ovsdb.String && !d.IsMap() {
			return d.Str()
		}
	}
	return keyOf(index, value)
}

// keyOf returns values as text that is equal for equal ones.
func keyOf(columns []*ovsdb.ColumnSchema, value func(*ovsdb.ColumnSchema) ovsdb.Datum) string {
	var buf [128]byte
	dst := buf[:0]
	for _, c := range columns {
		dst = append(value(c).AppendJSON(dst), ';')
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
