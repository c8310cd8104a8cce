package storage

import (
	"slices"
	"strings"
	"time"

	"weir/internal/json"
	"weir/internal/ovsdb"
)

// Txn is one transaction as a log record has it.
type Txn struct {
	Date    time.Time // zero if the record has none
	Comment string
	Changes []Change
}

// Change is what a transaction did to one row: Old is nil for an insertion and
// New for a deletion.
type Change struct {
	Table *ovsdb.TableSchema
	UUID  ovsdb.UUID
	Old   *ovsdb.StoredRow
	New   *ovsdb.StoredRow
}

// Encode returns the record of t: only what persistent columns have to tell, an
// inserted row without its default values.  With diff a modified column is
// written as its difference from the old value (ovsdb(5), "_is_diff").  It
// returns nil if there is nothing to tell.
func (t *Txn) Encode(diff bool) []byte { return t.appendRecord(nil, diff) }

// appendRecord appends what Encode returns to dst.
func (t *Txn) appendRecord(dst []byte, diff bool) []byte {
	changes := t.Changes
	if !sortedByTable(changes) {
		changes = slices.Clone(changes)
		slices.SortStableFunc(changes, byTable)
	}
	start := len(dst)
	e := recordEncoder{dst: append(dst, '{'), diff: diff}
	for i := range changes {
		e.change(&changes[i])
	}
	if e.table == nil && t.Comment == "" {
		return dst[:start]
	}
	return e.end(t)
}

// sortedByTable reports whether changes are in the order of byTable.
func sortedByTable(changes []Change) bool {
	for i := 1; i < len(changes); i++ {
		if changes[i].Table != changes[i-1].Table && changes[i].Table.Name < changes[i-1].Table.Name {
			return false
		}
	}
	return true
}

func byTable(a, b Change) int {
	if a.Table == b.Table {
		return 0
	}
	return strings.Compare(a.Table.Name, b.Table.Name)
}

// recordEncoder prints a record.
type recordEncoder struct {
	dst   []byte
	diff  bool
	table *ovsdb.TableSchema // whose rows are being printed
}

// change appends a row, unless it has nothing that a file keeps. Rows of a table
// follow each other.
func (e *recordEncoder) change(c *Change) {
	before := len(e.dst)
	if c.Table != e.table {
		if e.table != nil {
			e.dst = append(e.dst, "},"...)
		}
		e.dst = json.AppendString(e.dst, c.Table.Name)
		e.dst = append(e.dst, ":{"...)
	} else {
		e.dst = append(e.dst, ',')
	}
	e.dst = append(e.dst, '"')
	e.dst = c.UUID.Append(e.dst)
	e.dst = append(e.dst, `":`...)
	if !e.row(c) {
		e.dst = e.dst[:before]
		return
	}
	e.table = c.Table
}

// row appends the new row, or null; false if it has nothing that a file keeps.
func (e *recordEncoder) row(c *Change) bool {
	if c.New == nil {
		e.dst = append(e.dst, "null"...)
		return true
	}
	e.dst = append(e.dst, '{')
	start := len(e.dst)
	if c.Old == nil {
		e.dst = c.New.AppendNew(e.dst, c.Table)
	} else {
		e.dst = c.New.AppendChanged(e.dst, c.Table, c.Old, e.diff)
	}
	e.dst = append(e.dst, '}')
	return c.Old == nil || len(e.dst) > start+1
}

// end appends what isn't a row and returns the record.
func (e *recordEncoder) end(t *Txn) []byte {
	dst := e.dst
	if e.table != nil {
		dst = append(dst, "},"...)
	}
	if t.Comment != "" {
		dst = append(dst, `"_comment":`...)
		dst = json.AppendString(dst, t.Comment)
		dst = append(dst, ',')
	}
	if !t.Date.IsZero() {
		dst = append(dst, `"_date":`...)
		dst = ovsdb.IntAtom(t.Date.UnixMilli()).AppendJSON(dst)
		dst = append(dst, ',')
	}
	if e.diff {
		dst = append(dst, `"_is_diff":true,`...)
	}
	if dst[len(dst)-1] == ',' {
		dst = dst[:len(dst)-1]
	}
	return append(dst, '}')
}
