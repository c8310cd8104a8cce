package client

import (
	"maps"
	"slices"
	"strings"

	"weir/internal/json"
	"weir/internal/ovsdb"
)

// Operations appends the <operation>s of the transaction (RFC 7047, 5.2),
// separated by commas, and notes where the results of inserts and of the
// increment will stand. lock, when not empty, is asserted first.
func (t *Txn) operations(dst []byte, lock string) ([]byte, *txnShape) {
	e := &txnEncoder{txn: t, buf: dst, shape: &txnShape{increment: -1, inserts: map[int]ovsdb.UUID{}}}
	if lock != "" {
		e.begin("assert")
		e.str("lock", lock)
		e.end()
		e.shape.locked = true
	}
	for _, k := range t.order {
		e.verify(k, t.rows[k])
	}
	for _, k := range t.order {
		e.row(k, t.rows[k])
	}
	if t.increment != nil && t.Changed() {
		e.incr(t.increment)
	}
	if len(t.comments) > 0 {
		e.begin("comment")
		e.str("comment", strings.Join(t.comments, "\n"))
		e.end()
	}
	return e.buf, e.shape
}

// txnShape says which result belongs to what.
type txnShape struct {
	n         int
	locked    bool // the first operation asserts the lock
	inserts   map[int]ovsdb.UUID
	increment int // index of the select that reads the value, or -1
}

type txnEncoder struct {
	txn   *Txn
	buf   []byte
	shape *txnShape
}

func (e *txnEncoder) begin(op string) {
	if e.shape.n > 0 {
		e.buf = append(e.buf, ',')
	}
	e.shape.n++
	e.buf = append(e.buf, `{"op":"`...)
	e.buf = append(e.buf, op...)
	e.buf = append(e.buf, '"')
}

func (e *txnEncoder) end() { e.buf = append(e.buf, '}') }

func (e *txnEncoder) member(name string) {
	e.buf = append(e.buf, ',', '"')
	e.buf = append(e.buf, name...)
	e.buf = append(e.buf, '"', ':')
}

func (e *txnEncoder) str(name, value string) {
	e.member(name)
	e.buf = json.AppendString(e.buf, value)
}

func (e *txnEncoder) where(id ovsdb.UUID) {
	e.member("where")
	e.buf = append(e.buf, `[["_uuid","==",`...)
	e.atom(ovsdb.UUIDAtom(id))
	e.buf = append(e.buf, `]]`...)
}

func (e *txnEncoder) verify(k rowKey, r *txnRow) {
	if len(r.verify) == 0 || r.old == nil {
		return
	}
	columns := slices.Sorted(maps.Keys(r.verify))
	e.begin("wait")
	e.str("table", k.table)
	e.member("timeout")
	e.buf = append(e.buf, '0')
	e.where(k.id)
	e.member("columns")
	e.buf = append(e.buf, '[')
	for i, c := range columns {
		if i > 0 {
			e.buf = append(e.buf, ',')
		}
		e.buf = json.AppendString(e.buf, c)
	}
	e.buf = append(e.buf, ']')
	e.str("until", "==")
	e.member("rows")
	e.buf = append(e.buf, '[')
	e.columns(r.old, columns)
	e.buf = append(e.buf, ']')
	e.end()
}

func (e *txnEncoder) row(k rowKey, r *txnRow) {
	switch {
	case !r.changes():
	case r.cur == nil:
		if !e.txn.snap.schema.IsRoot(r.old.info.schema) {
			return // such a row goes away with the last reference to it, not before
		}
		e.begin("delete")
		e.str("table", k.table)
		e.where(k.id)
		e.end()
	case r.old == nil:
		e.insert(k, r)
	default:
		e.update(k, r)
		e.mutate(k, r)
	}
}

func (e *txnEncoder) insert(k rowKey, r *txnRow) {
	e.shape.inserts[e.shape.n] = k.id
	e.begin("insert")
	e.str("table", k.table)
	if r.persist {
		e.str("uuid", k.id.String())
	} else {
		e.str("uuid-name", rowName(k.id))
	}
	e.member("row")
	var columns []string
	for i, c := range r.cur.info.names {
		if r.cur.vals[i] != r.cur.info.types[i].Default() {
			columns = append(columns, c)
		}
	}
	e.columns(r.cur, columns)
	e.end()
}

func (e *txnEncoder) update(k rowKey, r *txnRow) {
	columns := r.changedColumns()
	if len(columns) == 0 && len(r.blind) == 0 {
		return
	}
	e.begin("update")
	e.str("table", k.table)
	e.where(k.id)
	e.member("row")
	e.columns(r.cur, columns)
	if len(r.blind) > 0 {
		e.buf = e.buf[:len(e.buf)-1] // reopen the object
		for i, c := range slices.Sorted(maps.Keys(r.blind)) {
			if i > 0 || len(columns) > 0 {
				e.buf = append(e.buf, ',')
			}
			e.buf = json.AppendString(e.buf, c)
			e.buf = append(e.buf, ':')
			e.datum(r.blind[c])
		}
		e.buf = append(e.buf, '}')
	}
	e.end()
}

func (e *txnEncoder) mutate(k rowKey, r *txnRow) {
	first := true
	one := func(column, mutator string, d ovsdb.Datum) {
		if d.Len() == 0 {
			return
		}
		if first {
			e.begin("mutate")
			e.str("table", k.table)
			e.where(k.id)
			e.member("mutations")
			e.buf = append(e.buf, '[')
			first = false
		} else {
			e.buf = append(e.buf, ',')
		}
		e.buf = append(e.buf, '[')
		e.buf = json.AppendString(e.buf, column)
		e.buf = append(e.buf, `,"`+mutator+`",`...)
		e.collection(d)
		e.buf = append(e.buf, ']')
	}
	for _, c := range slices.Sorted(maps.Keys(r.mutations)) {
		one(c, "delete", r.mutations[c].del)
		one(c, "insert", r.mutations[c].ins)
	}
	if !first {
		e.buf = append(e.buf, ']')
		e.end()
	}
}

func (e *txnEncoder) incr(inc *incrementOp) {
	e.begin("mutate")
	e.str("table", inc.key.table)
	e.where(inc.key.id)
	e.member("mutations")
	e.buf = append(e.buf, `[[`...)
	e.buf = json.AppendString(e.buf, inc.column)
	e.buf = append(e.buf, `,"+=",1]]`...)
	e.end()
	e.shape.increment = e.shape.n
	e.begin("select")
	e.str("table", inc.key.table)
	e.where(inc.key.id)
	e.member("columns")
	e.buf = append(e.buf, '[')
	e.buf = json.AppendString(e.buf, inc.column)
	e.buf = append(e.buf, ']')
	e.end()
}

// columns writes a <row> with the given columns.
func (e *txnEncoder) columns(r *Row, columns []string) {
	e.buf = append(e.buf, '{')
	for i, c := range columns {
		if i > 0 {
			e.buf = append(e.buf, ',')
		}
		e.buf = json.AppendString(e.buf, c)
		e.buf = append(e.buf, ':')
		e.datum(r.Datum(c))
	}
	e.buf = append(e.buf, '}')
}

// datum writes a <value>, a set of one as the bare atom.
func (e *txnEncoder) datum(d ovsdb.Datum) {
	if d.Len() == 1 && !d.IsMap() {
		e.atom(d.Key(0))
		return
	}
	e.collection(d)
}

// collection writes a <set> or <map>.
func (e *txnEncoder) collection(d ovsdb.Datum) {
	if d.IsMap() {
		e.buf = append(e.buf, `["map",[`...)
	} else {
		e.buf = append(e.buf, `["set",[`...)
	}
	for i := range d.Len() {
		if i > 0 {
			e.buf = append(e.buf, ',')
		}
		if d.IsMap() {
			e.buf = append(e.buf, '[')
			e.atom(d.Key(i))
			e.buf = append(e.buf, ',')
			e.atom(d.Value(i))
			e.buf = append(e.buf, ']')
		} else {
			e.atom(d.Key(i))
		}
	}
	e.buf = append(e.buf, `]]`...)
}

// atom writes an <atom>; a provisional UUID as the name of its row.
func (e *txnEncoder) atom(a ovsdb.Atom) {
	if a.Type() == ovsdb.UUIDType && e.txn.named(a.UUID()) {
		e.buf = append(e.buf, `["named-uuid","`...)
		e.buf = append(e.buf, rowName(a.UUID())...)
		e.buf = append(e.buf, `"]`...)
		return
	}
	e.buf = a.AppendJSON(e.buf)
}
