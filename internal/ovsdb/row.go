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
	p.order.begin(t)
	for {
		c := p.order.guess(s)
		if c == nil {
			if k := s.Next(); k == json.ObjectEnd || k == json.Invalid {
				break
			}
			if c = p.order.column(s.Bytes()); c == nil && !isUnknown {
				unknown, isUnknown = s.Str(), true
			}
		}
		s.Next()
		if first != nil || isUnknown {
			_ = s.Skip()
			continue
		}
		var d Datum
		if d, first = p.Value(&c.Type, s); first == nil {
			row[c.Index] = d
			first = set(c)
		}
	}
	if s.Err() != nil {
		return s.Err()
	}
	if isUnknown && first == nil {
		return SyntaxErrorf(s.Data(from, s.End()), TagUnknownColumn, "No column %s in table %s.", unknown, t.Name)
	}
	return first
}

// columnOrder finds a table's columns by name. Rows that follow each other mostly
// have the same members in the same order, so it looks first at the one that the
// row before had in the place.
type columnOrder struct {
	table *TableSchema
	last  []*ColumnSchema
	at    int
}

// begin goes to another row.
func (o *columnOrder) begin(t *TableSchema) {
	if o.table != t {
		o.table, o.last = t, o.last[:0]
	}
	o.at = 0
}

// guess takes the name of the next member from s if it is that of the row before,
// and returns its column; nil where it isn't.
func (o *columnOrder) guess(s *json.Scanner) *ColumnSchema {
	if o.at < len(o.last) && s.Named(o.last[o.at].member) {
		o.at++
		return o.last[o.at-1]
	}
	return nil
}

// column returns the column of the row's next member, or nil.
func (o *columnOrder) column(name []byte) *ColumnSchema {
	at := o.at
	o.at++
	c := o.table.byName[string(name)]
	if c != nil && at <= len(o.last) {
		o.last = append(o.last[:at], c)
	}
	return c
}
