package ovsdb

import (
	"weir/internal/json"
)

// Row is a row's columns in the order of TableSchema.Columns.
type Row = []Datum

// ParseRow parses a <row> of t (RFC 7047 section 5.1) whose first token is s's
// current one into row, which has a place for every column, and calls set with
// each column it found.  A member without such a column is an error.
func ParseRow(t *TableSchema, s *json.Scanner, symbols Symbols, row Row, set func(*ColumnSchema) error) error {
	p := Decoder{Symbols: symbols}
	return p.Row(t, s, row, set)
}

// Row parses a <row>; see ParseRow.
func (p *Decoder) Row(t *TableSchema, s *json.Scanner, row Row, set func(*ColumnSchema) error) error {
	if s.Kind() != json.ObjectBegin {
		return quote(s, "", "row must be JSON object")
	}
	from := s.Offset()
	var first error
	unknown, isUnknown := "", false // a column may be asked for by an empty name
	err := s.Members(func(name []byte) error {
		c := t.byName[string(name)]
		if c == nil && !isUnknown {
			unknown, isUnknown = string(name), true
		}
		s.Next()
		if first != nil || isUnknown {
			return s.Skip()
		}
		var d Datum
		if d, first = p.Value(&c.Type, s); first == nil {
			row[c.Index] = d
			first = set(c)
		}
		return s.Err()
	})
	if err != nil {
		return err
	}
	if isUnknown && first == nil {
		return SyntaxErrorf(s.Data(from, s.End()), TagUnknownColumn, "No column %s in table %s.", unknown, t.Name)
	}
	return first
}

// AppendRowJSON appends as a <row> the columns of row that include accepts, all
// of them if it is nil, in the order of t.Columns.
func AppendRowJSON(dst []byte, t *TableSchema, row Row, include func(*ColumnSchema) bool) []byte {
	o := newObject(dst)
	for _, c := range t.Columns {
		if include == nil || include(c) {
			o.name(c.Name)
			o.dst = row[c.Index].AppendJSON(o.dst)
		}
	}
	return o.end()
}
