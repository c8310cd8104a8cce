package client

import (
	"slices"

	"weir/internal/ovsdb"
)

// tableInfo is what the rows of a replicated table share: its schema and the
// columns that are kept, in the order of a row's values.
type tableInfo struct {
	schema  *ovsdb.TableSchema
	names   []string
	types   []*ovsdb.ColumnType
	columns map[string]int
}

// Row is one row of a replicated table. It is immutable. A column that isn't
// monitored reads as its type's default.
type Row struct {
	uuid ovsdb.UUID
	info *tableInfo
	vals []ovsdb.Datum
}

// UUID is the row's identity.
func (r *Row) UUID() ovsdb.UUID { return r.uuid }

// Table is the schema of the row's table.
func (r *Row) Table() *ovsdb.TableSchema { return r.info.schema }

// Columns lists the columns that the replica keeps, sorted.
func (r *Row) Columns() []string { return r.info.names }

// Get is the value of a column, and whether the replica has the column. The
// columns _uuid and _version read as any other, _version as zero.
func (r *Row) Get(column string) (ovsdb.Datum, bool) {
	if i, ok := r.info.columns[column]; ok {
		return r.vals[i], true
	}
	if column == "_uuid" {
		return ovsdb.ScalarDatum(ovsdb.UUIDAtom(r.uuid)), true
	}
	return ovsdb.Datum{}, false
}

// Datum is the value of a column, an empty one if the replica hasn't got it.
func (r *Row) Datum(column string) ovsdb.Datum {
	d, _ := r.Get(column)
	return d
}

// String is the value of a string column, "" for an empty optional one.
func (r *Row) String(column string) string { return r.Datum(column).Str() }

// Strings are the elements of a set of strings, sorted; nil when empty.
func (r *Row) Strings(column string) []string {
	d := r.Datum(column)
	var out []string
	for i := range d.Len() {
		out = append(out, d.Key(i).Str())
	}
	return out
}

// Int is the value of an integer column; false for an empty optional one.
func (r *Row) Int(column string) (int64, bool) {
	d := r.Datum(column)
	return d.Int(), d.Len() > 0
}

// Ints are the elements of a set of integers, ascending; nil when empty.
func (r *Row) Ints(column string) []int64 {
	d := r.Datum(column)
	var out []int64
	for i := range d.Len() {
		out = append(out, d.Key(i).Int())
	}
	return out
}

// Real is the value of a real column; false for an empty optional one.
func (r *Row) Real(column string) (float64, bool) {
	d := r.Datum(column)
	return d.Real(), d.Len() > 0
}

// Bool is the value of a boolean column; false, false for an empty optional one.
func (r *Row) Bool(column string) (value, ok bool) {
	d := r.Datum(column)
	return d.Bool(), d.Len() > 0
}

// Map is a map from strings to strings; nil when empty.
func (r *Row) Map(column string) map[string]string {
	d := r.Datum(column)
	if d.Len() == 0 {
		return nil
	}
	m := make(map[string]string, d.Len())
	for i := range d.Len() {
		m[d.Key(i).Str()] = d.Value(i).Str()
	}
	return m
}

// Ref is the row that an optional reference names; false when there is none.
func (r *Row) Ref(column string) (ovsdb.UUID, bool) {
	d := r.Datum(column)
	return d.UUID(), d.Len() > 0
}

// Refs are the rows that a set of references names, sorted; nil when empty.
func (r *Row) Refs(column string) []ovsdb.UUID {
	d := r.Datum(column)
	if d.Len() == 0 {
		return nil
	}
	out := make([]ovsdb.UUID, d.Len())
	for i := range out {
		out[i] = d.Key(i).UUID()
	}
	return out
}

// IntRefs is a map from integers to references.
func (r *Row) IntRefs(column string) map[int64]ovsdb.UUID {
	d := r.Datum(column)
	m := make(map[int64]ovsdb.UUID, d.Len())
	for i := range d.Len() {
		m[d.Key(i).Int()] = d.Value(i).UUID()
	}
	return m
}

// StringRefs is a map from strings to references.
func (r *Row) StringRefs(column string) map[string]ovsdb.UUID {
	d := r.Datum(column)
	m := make(map[string]ovsdb.UUID, d.Len())
	for i := range d.Len() {
		m[d.Key(i).Str()] = d.Value(i).UUID()
	}
	return m
}

// DiffersFrom reports whether a column that isn't listed in except differs
// between two versions of a row.
func (r *Row) DiffersFrom(o *Row, except ...string) bool {
	if r.info != o.info {
		return true
	}
	for i := range r.vals {
		if r.vals[i] != o.vals[i] && !slices.Contains(except, r.info.names[i]) {
			return true
		}
	}
	return false
}

// with is a copy of the row with one value changed.
func (r *Row) with(i int, d ovsdb.Datum) *Row {
	vals := slices.Clone(r.vals)
	vals[i] = d
	return &Row{uuid: r.uuid, info: r.info, vals: vals}
}
