package client

import (
	"errors"
	"fmt"
	"io/fs"
	"iter"
	"maps"
	"slices"
	"strings"

	"weir/internal/ovsdb"
)

// Txn collects changes on top of a snapshot. Its own reads (Row, Rows) see
// them, so that commands can build on one another before anything is sent.
// One goroutine owns a Txn.
//
// A row that is inserted has a provisional UUID until the server gives the
// real one (see [Result.UUID]); references to it may be used at once.
type Txn struct {
	snap      *Snapshot
	rows      map[rowKey]*txnRow
	order     []rowKey // in which rows were first touched
	comments  []string
	increment *incrementOp
	inserted  map[ovsdb.UUID]bool // provisional UUIDs, ever given out
}

type rowKey struct {
	table string
	id    ovsdb.UUID
}

// txnRow is what a transaction does to one row.
type txnRow struct {
	old, cur  *Row // nil: inserted, deleted
	persist   bool // insert with the UUID given
	verify    map[string]bool
	mutations map[string]*mutation // partial changes of sets and maps
	written   map[string]bool      // columns set as a whole
	blind     map[string]ovsdb.Datum
}

// mutation is a partial change of one set or map: delete, then insert.
type mutation struct{ del, ins ovsdb.Datum }

type incrementOp struct {
	key    rowKey
	column string
}

// NewTxn starts a transaction on top of a snapshot.
func NewTxn(s *Snapshot) *Txn {
	return &Txn{snap: s, rows: map[rowKey]*txnRow{}}
}

// Snapshot is what the transaction builds on.
func (t *Txn) Snapshot() *Snapshot { return t.snap }

// Row is a row as the transaction leaves it, nil if there is none.
func (t *Txn) Row(table string, id ovsdb.UUID) *Row {
	if r, ok := t.rows[rowKey{table, id}]; ok {
		return r.cur
	}
	return t.snap.Row(table, id)
}

// Rows goes through a table as the transaction leaves it: the rows of the
// snapshot in the order of UUIDs, then the inserted ones. The transaction may
// be changed meanwhile; rows inserted then are not seen.
func (t *Txn) Rows(table string) iter.Seq[*Row] {
	return func(yield func(*Row) bool) {
		order := t.order
		for r := range t.snap.Rows(table) {
			if cur := t.Row(table, r.uuid); cur != nil && !yield(cur) {
				return
			}
		}
		for _, k := range order {
			r := t.rows[k]
			if k.table == table && r.old == nil && r.cur != nil && !yield(r.cur) {
				return
			}
		}
	}
}

// touch finds or makes the record of a row that exists.
func (t *Txn) touch(table string, id ovsdb.UUID) (*txnRow, error) {
	k := rowKey{table, id}
	r := t.rows[k]
	if r == nil {
		old := t.snap.Row(table, id)
		if old == nil {
			return nil, fmt.Errorf("table %s: row %s: %w", table, id, fs.ErrNotExist)
		}
		r = &txnRow{old: old, cur: old}
		t.rows[k] = r
		t.order = append(t.order, k)
	}
	if r.cur == nil {
		return nil, fmt.Errorf("table %s: row %s: deleted in this transaction: %w", table, id, fs.ErrNotExist)
	}
	return r, nil
}

// Insert adds a row whose columns have their defaults and returns its
// provisional UUID.
func (t *Txn) Insert(table string) (ovsdb.UUID, error) {
	return t.insert(table, ovsdb.NewUUID(), false)
}

// InsertNamed is Insert with a provisional UUID of the caller's choice, which
// may have been used in references before.
func (t *Txn) InsertNamed(table string, provisional ovsdb.UUID) error {
	_, err := t.insert(table, provisional, false)
	return err
}

// InsertUUID adds a row that shall have the UUID given (ovsdb-server(7), 5.2.1).
func (t *Txn) InsertUUID(table string, id ovsdb.UUID) error {
	_, err := t.insert(table, id, true)
	return err
}

func (t *Txn) insert(table string, id ovsdb.UUID, persist bool) (ovsdb.UUID, error) {
	info := t.snap.infos[table]
	if info == nil {
		return id, fmt.Errorf("table %s: not part of the replica: %w", table, fs.ErrNotExist)
	}
	k := rowKey{table, id}
	if t.rows[k] != nil || t.snap.Row(table, id) != nil {
		return id, fmt.Errorf("table %s: row %s: %w", table, id, fs.ErrExist)
	}
	t.rows[k] = &txnRow{cur: newRow(info, id), persist: persist}
	t.order = append(t.order, k)
	if !persist {
		if t.inserted == nil {
			t.inserted = map[ovsdb.UUID]bool{}
		}
		t.inserted[id] = true
	}
	return id, nil
}

// named reports whether the server learns of a row by its name only.
func (t *Txn) named(id ovsdb.UUID) bool { return t.inserted[id] }

func newRow(info *tableInfo, id ovsdb.UUID) *Row {
	r := &Row{uuid: id, info: info, vals: make([]ovsdb.Datum, len(info.names))}
	for i, typ := range info.types {
		r.vals[i] = typ.Default()
	}
	return r
}

// Delete removes a row.
func (t *Txn) Delete(table string, id ovsdb.UUID) error {
	r, err := t.touch(table, id)
	if err != nil {
		return err
	}
	r.cur, r.written, r.mutations, r.blind = nil, nil, nil, nil
	return nil
}

// column finds a column of a row, or says why it can't be written.
func (r *txnRow) column(column string) (int, error) {
	i, ok := r.cur.info.columns[column]
	if !ok {
		return 0, fmt.Errorf("table %s: column %s: not part of the replica: %w",
			r.cur.info.schema.Name, column, fs.ErrNotExist)
	}
	return i, nil
}

// Set replaces the value of a column.
func (t *Txn) Set(table string, id ovsdb.UUID, column string, d ovsdb.Datum) error {
	r, err := t.touch(table, id)
	if err != nil {
		return err
	}
	i, err := r.column(column)
	if err != nil {
		return err
	}
	r.cur = r.cur.with(i, d)
	if r.written == nil {
		r.written = map[string]bool{}
	}
	r.written[column] = true
	delete(r.mutations, column)
	return nil
}

// SetBlind sets a column that the replica need not have, of a row that it has:
// a program that only writes a column has no use for its echo. What was written
// can't be read back.
func (t *Txn) SetBlind(table string, id ovsdb.UUID, column string, d ovsdb.Datum) error {
	r, err := t.touch(table, id)
	if err != nil {
		return err
	}
	if r.cur.info.schema.Column(column) == nil {
		return fmt.Errorf("table %s: column %s: %w", table, column, fs.ErrNotExist)
	}
	if r.blind == nil {
		r.blind = map[string]ovsdb.Datum{}
	}
	r.blind[column] = d
	return nil
}

// AddElements adds the elements of d to a set or map column. The server
// merges them into whatever the column then holds, so that concurrent writers
// don't undo one another. Keys of a map that are there already keep their value.
// A column of a row of the snapshot that the replica doesn't keep may be
// changed as well; it can't be read back.
func (t *Txn) AddElements(table string, id ovsdb.UUID, column string, d ovsdb.Datum) error {
	return t.mutate(table, id, column, func(cur ovsdb.Datum, m *mutation) ovsdb.Datum {
		m.del = m.del.Subtract(keysOf(d))
		m.ins = m.ins.Union(d, true)
		return cur.Union(d, false)
	})
}

// RemoveElements removes elements from a set or map column, as AddElements
// adds them. For a map d may be a set, of keys to remove whatever their value.
func (t *Txn) RemoveElements(table string, id ovsdb.UUID, column string, d ovsdb.Datum) error {
	return t.mutate(table, id, column, func(cur ovsdb.Datum, m *mutation) ovsdb.Datum {
		m.ins = m.ins.Subtract(keysOf(d))
		if m.del.IsMap() != d.IsMap() {
			m.del, d = keysOf(m.del), keysOf(d)
		}
		m.del = m.del.Union(d, true)
		return cur.Subtract(d)
	})
}

// SetKeys gives keys of a map the values of d, whatever they were.
func (t *Txn) SetKeys(table string, id ovsdb.UUID, column string, d ovsdb.Datum) error {
	return t.mutate(table, id, column, func(cur ovsdb.Datum, m *mutation) ovsdb.Datum {
		m.del = keysOf(m.del).Union(keysOf(d), true)
		m.ins = m.ins.Union(d, true)
		return cur.Union(d, true)
	})
}

// keysOf is the set of the keys of a map, or the set itself.
func keysOf(d ovsdb.Datum) ovsdb.Datum {
	if !d.IsMap() {
		return d
	}
	keys := make([]ovsdb.Atom, d.Len())
	for i := range keys {
		keys[i] = d.Key(i)
	}
	return ovsdb.SetDatum(d.KeyType(), keys)
}

func (t *Txn) mutate(table string, id ovsdb.UUID, column string, f func(cur ovsdb.Datum, m *mutation) ovsdb.Datum) error {
	r, err := t.touch(table, id)
	if err != nil {
		return err
	}
	i, kept := r.cur.info.columns[column]
	col := r.cur.info.schema.Column(column)
	if col == nil || !kept && r.old == nil {
		_, err := r.column(column)
		return err
	}
	m := r.mutations[column]
	if m == nil {
		empty := ovsdb.EmptyDatum(col.Type.Key.Type, col.Type.Value.Type)
		m = &mutation{del: empty, ins: empty}
	}
	if !kept {
		f(m.ins, m)
	} else if r.cur = r.cur.with(i, f(r.cur.vals[i], m)); r.old == nil || r.written[column] {
		return nil // the column is sent whole anyhow
	}
	if r.mutations == nil {
		r.mutations = map[string]*mutation{}
	}
	r.mutations[column] = m
	return nil
}

// Verify makes the transaction fail with [ErrTryAgain] if a column of a row
// of the snapshot has changed by the time the server runs the transaction.
func (t *Txn) Verify(table string, id ovsdb.UUID, columns ...string) error {
	k := rowKey{table, id}
	if r := t.rows[k]; r != nil && r.old == nil {
		return nil // an inserted row is nobody else's
	}
	if t.snap.Row(table, id) == nil {
		return fmt.Errorf("table %s: row %s: %w", table, id, fs.ErrNotExist)
	}
	r := t.rows[k]
	if r == nil {
		r = &txnRow{old: t.snap.Row(table, id), cur: t.snap.Row(table, id)}
		t.rows[k] = r
		t.order = append(t.order, k)
	}
	if r.verify == nil {
		r.verify = map[string]bool{}
	}
	for _, c := range columns {
		if _, ok := r.old.info.columns[c]; ok {
			r.verify[c] = true
		}
	}
	return nil
}

// Increment adds 1 to an integer column as the last thing of a transaction
// that changes anything; [Result.Increment] is the new value.
func (t *Txn) Increment(table string, id ovsdb.UUID, column string) {
	t.increment = &incrementOp{rowKey{table, id}, column}
}

// Comment adds a line to the comment that the database file keeps.
func (t *Txn) Comment(text string) { t.comments = append(t.comments, text) }

// Changed reports whether the transaction would change anything.
func (t *Txn) Changed() bool {
	for _, r := range t.rows {
		if r.changes() {
			return true
		}
	}
	return false
}

func (r *txnRow) changes() bool {
	switch {
	case r.old == nil && r.cur == nil:
		return false
	case r.old == nil, r.cur == nil:
		return true
	}
	return len(r.changedColumns()) > 0 || len(r.mutations) > 0 || len(r.blind) > 0
}

// changedColumns lists the columns to be sent whole, sorted.
func (r *txnRow) changedColumns() []string {
	var out []string
	for _, c := range slices.Sorted(maps.Keys(r.written)) {
		i := r.cur.info.columns[c]
		if r.old == nil || r.old.vals[i] != r.cur.vals[i] {
			out = append(out, c)
		}
	}
	return out
}

// Errors of a transaction that reached the server. A [*ovsdb.Error] says the rest.
var (
	// ErrTryAgain: a verified column changed meanwhile. Build the transaction
	// again on a newer snapshot.
	ErrTryAgain = errors.New("transaction was overtaken by another one; try again")
	// ErrNotLocked: the lock that the client asked for is another's.
	ErrNotLocked = errors.New("the database lock is held by another client")
)

// Result is the outcome of a committed transaction.
type Result struct {
	// Unchanged: there was nothing to do, so nothing was sent.
	Unchanged bool
	// Increment is the value that Txn.Increment brought about.
	Increment int64
	uuids     map[ovsdb.UUID]ovsdb.UUID
}

// UUID is the real UUID of an inserted row; others are themselves.
func (r *Result) UUID(provisional ovsdb.UUID) ovsdb.UUID {
	if id, ok := r.uuids[provisional]; ok {
		return id
	}
	return provisional
}

// rowName is the uuid-name of an inserted row.
func rowName(id ovsdb.UUID) string {
	return "row" + strings.ReplaceAll(id.String(), "-", "_")
}
