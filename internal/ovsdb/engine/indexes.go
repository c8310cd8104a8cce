package engine

import (
	"bytes"
	"fmt"
	"strings"

	"weir/internal/ovsdb"
)

// checkTable makes sure that a table holds no more rows than it may and that no
// two of them have the same values in an index.
func (x *Txn) checkTable(t *Table) *ovsdb.Error {
	tt := &x.tabs[t.Num]
	n := x.rows[t.Num].Len() + tt.grown
	if tt.grown > 0 && uint64(n) > uint64(t.MaxRows) {
		return ovsdb.Errorf(ovsdb.TagConstraint, "transaction causes \"%s\" table to contain %d rows, greater than the schema-defined limit of %d row(s)", t.Name, n, t.MaxRows)
	}
	for i := range t.Indexes {
		if err := x.checkIndex(t, i); err != nil {
			return err
		}
	}
	return nil
}

func (x *Txn) checkIndex(t *Table, i int) *ovsdb.Error {
	tt := &x.tabs[t.Num]
	if len(tt.order) == 0 {
		return nil
	}
	index := t.Indexes[i]
	existing := x.db.tabs[t.Num].indexes[i]
	mine := make(map[string]*Row, len(tt.order))
	for i := range tt.order {
		rt := &tt.order[i]
		if rt.now == nil || rt.now == rt.old {
			continue
		}
		key := indexKey(index, rt.now)
		other := mine[key]
		if other == nil {
			if id, ok := existing[key]; ok && id != rt.id {
				other = x.get(rowKey{t.Num, id})
				if other != nil && indexKey(index, other) != key {
					other = nil
				}
			}
		}
		if other != nil {
			return x.duplicate(t, index, rt.now, other)
		}
		mine[key] = rt.now
	}
	return nil
}

// duplicate says that a and b have the same values in an index. It names them in
// an order that depends on their contents only, so that the message is the same
// each time.
func (x *Txn) duplicate(t *Table, index []*ovsdb.ColumnSchema, a, b *Row) *ovsdb.Error {
	if comesLater(t, a, b) {
		a, b = b, a
	}
	names := make([]string, len(index))
	for i, c := range index {
		names[i] = "\"" + c.Name + "\""
	}
	columns := "column "
	if len(names) > 1 {
		columns = "columns "
	}
	return ovsdb.Errorf(ovsdb.TagConstraint, "Transaction causes multiple rows in \"%s\" table to have identical values (%s) for index on %s.  First row, with UUID %s, %s.  Second row, with UUID %s, %s.",
		t.Name, valuesText(index, a), columns+english(names), a.ID, x.history(t, index, a), b.ID, x.history(t, index, b))
}

// comesLater reports whether a is to be named after b: rows go by their columns,
// the greater first, then by their IDs.
func comesLater(t *Table, a, b *Row) bool {
	for _, column := range t.Columns[ovsdb.VersionColumn+1:] {
		if c := a.Get(column).Compare(b.Get(column)); c != 0 {
			return c < 0
		}
	}
	return bytes.Compare(a.ID[:], b.ID[:]) < 0
}

// history says what the transaction did to a row of a violated index.
func (x *Txn) history(t *Table, index []*ovsdb.ColumnSchema, row *Row) string {
	rt := x.tabs[t.Num].find(row.ID)
	switch {
	case rt == nil || rt.old == rt.now:
		return "existed in the database before this transaction and was not modified by the transaction"
	case rt.old == nil:
		return "was inserted by this transaction"
	case indexKey(index, rt.old) == indexKey(index, rt.now):
		return "existed in the database before this transaction, which modified some of the row's columns but not any columns in this index"
	}
	return fmt.Sprintf("had the following index values before the transaction: %s", valuesText(index, rt.old))
}

func valuesText(index []*ovsdb.ColumnSchema, row *Row) string {
	values := make([]string, len(index))
	for i, c := range index {
		values[i] = string(row.Get(c).AppendText(nil, &c.Type))
	}
	return english(values)
}

// english joins items as prose does: "a", "a and b", "a, b, and c".
func english(items []string) string {
	switch n := len(items); n {
	case 1:
		return items[0]
	case 2:
		return items[0] + " and " + items[1]
	default:
		return strings.Join(items[:n-1], ", ") + ", and " + items[n-1]
	}
}
