package engine

import (
	"strings"

	"weir/internal/ovsdb"
)

// A learned index is one that the schema doesn't know of: transactions have
// searched a large table for rows with a given value of a column so often that
// it costs less to keep where each value is. It goes away when nobody asks for
// it any more, and where its values turn out to be shared by many rows.
type learnedIndex struct {
	column *ovsdb.ColumnSchema
	rows   map[string][]ovsdb.UUID
	idle   int // changes of the table since it was of use
}

// learning is what a table's learned indexes are made from.
type learning struct {
	searched map[*ovsdb.ColumnSchema]int // rows looked at in vain, or never where that is no use
	indexes  []*learnedIndex
}

const (
	never       = -1
	largeTable  = 256 // rows that are worth an index
	searchTwice = 2   // times that a table is searched before there is one
	sharedBy    = 64  // rows that may have a value in common
	idleChanges = 4   // changes, as a multiple of the table's rows, that it outlives unused
)

// learnable reports whether rows may be found by a column's learned index.
func learnable(c *ovsdb.Clause) bool {
	return c.Fn == ovsdb.Equal && c.Column.Index > ovsdb.VersionColumn && c.Column.Type.IsScalar()
}

// learned returns the IDs of the rows that satisfy one of c's clauses, by an
// index that it makes if that is worth its while now.
func (db *DB) learned(t *Table, c ovsdb.Condition) ([]ovsdb.UUID, bool) {
	l := &db.tabs[t.Num].learning
	n := db.rows[t.Num].Len()
	if n < db.layout.learnFrom {
		return nil, false
	}
	for i := range c {
		if !learnable(&c[i]) {
			continue
		}
		for _, x := range l.indexes {
			if x.column == c[i].Column {
				x.idle = 0
				return x.rows[keyOfValue(c[i].Arg)], true
			}
		}
	}
	for i := range c {
		if !learnable(&c[i]) || l.searched[c[i].Column] == never {
			continue
		}
		if l.searched == nil {
			l.searched = map[*ovsdb.ColumnSchema]int{}
		}
		if l.searched[c[i].Column] += n; l.searched[c[i].Column] > searchTwice*n {
			if x := db.learn(t, c[i].Column); x != nil {
				return x.rows[keyOfValue(c[i].Arg)], true
			}
		}
	}
	return nil, false
}

// learn makes an index, unless its column's values are shared by many rows.
func (db *DB) learn(t *Table, column *ovsdb.ColumnSchema) *learnedIndex {
	l := &db.tabs[t.Num].learning
	l.searched[column] = 0
	x := &learnedIndex{column: column, rows: make(map[string][]ovsdb.UUID, db.rows[t.Num].Len())}
	for row := range db.rows[t.Num].All() {
		if !x.add(row) {
			l.searched[column] = never
			return nil
		}
	}
	l.indexes = append(l.indexes, x)
	return x
}

func (x *learnedIndex) add(row *Row) bool {
	key := keyOfValue(row.Get(x.column))
	ids := x.rows[key]
	if ids == nil {
		key = strings.Clone(key) // so that it doesn't keep the row in memory
	}
	x.rows[key] = append(ids, row.ID)
	return len(ids) < sharedBy
}

func (x *learnedIndex) remove(row *Row) {
	key := keyOfValue(row.Get(x.column))
	ids := x.rows[key]
	for i := range ids {
		if ids[i] == row.ID {
			ids[i] = ids[len(ids)-1]
			ids = ids[:len(ids)-1]
			break
		}
	}
	if len(ids) == 0 {
		delete(x.rows, key)
	} else {
		x.rows[key] = ids
	}
}

// note brings the indexes up to date with a change.
func (l *learning) note(c *Change, rows int) {
	for i := 0; i < len(l.indexes); i++ {
		x := l.indexes[i]
		x.idle++
		good := x.idle <= idleChanges*rows
		if c.Old == nil || c.New == nil || c.Old.Get(x.column) != c.New.Get(x.column) {
			if c.Old != nil {
				x.remove(c.Old)
			}
			if c.New != nil && !x.add(c.New) {
				good = false
				l.searched[x.column] = never
			}
		}
		if !good {
			l.indexes = append(l.indexes[:i], l.indexes[i+1:]...)
			i--
		}
	}
}

// keyOfValue returns a scalar's value as a string that is equal for equal ones.
func keyOfValue(d ovsdb.Datum) string { return d.Packed() }
