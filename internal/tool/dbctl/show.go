package dbctl

import (
	"bytes"
	"fmt"
	"slices"
	"strings"

	"weir/internal/json"
	"weir/internal/ovsdb"
	"weir/internal/ovsdb/client"
)

func needsShow(n *Needs, _ *Command) error {
	for _, s := range n.prog.Show {
		n.Table(s.Table, s.Columns...)
		if s.Name != "" {
			n.Table(s.Table, s.Name)
		}
		if s.Weak.Table != "" {
			n.Table(s.Weak.Table, s.Weak.Name, s.Weak.Column)
		}
	}
	return nil
}

func cmdShow(c *Context) error {
	filter, err := c.Prog.parseFilter(c.Options["--filter"])
	if err != nil {
		return err
	}
	s := &shower{Context: c, filter: filter, seen: map[ovsdb.UUID]bool{}}
	var rows [][]byte
	for row := range c.Txn.Rows(c.Prog.Show[0].Table) {
		out := s.row(row, 0)
		c.Out.WriteString(out.all.String())
		rows = append(rows, out.document())
	}
	if c.JSON {
		c.Document = array(rows)
	}
	return nil
}

func (p *Program) showTable(name string) *ShowTable {
	for i := range p.Show {
		if p.Show[i].Table == name {
			return &p.Show[i]
		}
	}
	return nil
}

// shower is one run of "show".
type shower struct {
	*Context
	filter showFilter
	seen   map[ovsdb.UUID]bool // the rows above the one being printed
}

// shown collects what is printed of one row.
type shown struct {
	all    strings.Builder // with the rows below
	own    strings.Builder // without them
	passed bool            // a filtered row is in it
	// members are those of its object in JSON, "NAME":VALUE. Values are as in
	// RFC 7047, rows below are objects.
	members [][]byte
}

func (s *shown) member(name string, value []byte) {
	s.members = append(s.members, append(append(json.AppendString(nil, name), ':'), value...))
}

func (s *shown) document() []byte {
	return slices.Concat([]byte{'{'}, bytes.Join(s.members, []byte{','}), []byte{'}'})
}

func array(values [][]byte) []byte {
	return slices.Concat([]byte{'['}, bytes.Join(values, []byte{','}), []byte{']'})
}

func (s *shown) printf(format string, args ...any) {
	fmt.Fprintf(&s.all, format, args...)
	fmt.Fprintf(&s.own, format, args...)
}

// row shows a row and, below it, the rows that it refers to; nothing at all where
// the filter leaves it out. The top row is always shown.
func (s *shower) row(row *client.Row, level int) *shown {
	if row == nil || s.seen[row.UUID()] {
		return nil
	}
	s.seen[row.UUID()] = true
	defer delete(s.seen, row.UUID())
	table := row.Table().Name
	show := s.Prog.showTable(table)
	if show == nil {
		return nil
	}
	out := &shown{}
	out.member("_uuid", json.AppendString(nil, row.UUID().String()))
	indent := strings.Repeat("    ", level)
	if show.Name == "" {
		out.printf("%s%s\n", indent, row.UUID())
	} else {
		out.printf("%s%s %s\n", indent, show.Table, columnText(row, show.Name))
		if row.Table().Column(show.Name) != nil {
			out.member(show.Name, row.Datum(show.Name).AppendJSON(nil))
		}
	}
	for _, name := range show.Columns {
		if col := row.Table().Column(name); col != nil {
			s.column(out, row, col, level+1)
		}
	}
	if show.Weak.Table != "" {
		s.weak(out, row, show, level+1)
	}
	_, filtered := s.filter[table]
	if level > 0 && (!s.filter.passes(table, out.own.String()) || !out.passed && s.filter.reaches(s.Prog, table, map[string]bool{})) {
		return nil
	}
	out.passed = out.passed || filtered
	return out
}

// columnText returns a column's value as text, "" where the row lacks it.
func columnText(row *client.Row, name string) string {
	col := row.Table().Column(name)
	if col == nil {
		return ""
	}
	return row.Datum(name).Text(&col.Type)
}

func (s *shower) column(out *shown, row *client.Row, col *ovsdb.ColumnSchema, level int) {
	d, ok := row.Get(col.Name)
	if !ok {
		return
	}
	if col.Type.Key.IsRef() && s.Prog.showTable(col.Type.Key.RefTable) != nil {
		var rows [][]byte
		for i := range d.Len() {
			if below := s.row(s.Txn.Row(col.Type.Key.RefTable, d.Key(i).UUID()), level); below != nil {
				out.all.WriteString(below.all.String())
				out.passed = out.passed || below.passed
				rows = append(rows, below.document())
			}
		}
		out.member(col.Name, array(rows))
		return
	}
	if col.Type.Value.IsRef() && s.Prog.showTable(col.Type.Value.RefTable) != nil {
		s.rowNames(out, d, col, level)
		return
	}
	if !d.IsDefault(&col.Type) {
		out.printf("%s%s: %s\n", strings.Repeat("    ", level), col.Name, d.Text(&col.Type))
		out.member(col.Name, d.AppendJSON(nil))
	}
}

// rowNames prints a map whose values are rows, by the rows' names.
func (s *shower) rowNames(out *shown, d ovsdb.Datum, col *ovsdb.ColumnSchema, level int) {
	if d.Len() == 0 {
		return
	}
	table := col.Type.Value.RefTable
	show := s.Prog.showTable(table)
	indent := strings.Repeat("    ", level)
	out.printf("%s%s:\n", indent, col.Name)
	names := &shown{}
	for i := range d.Len() {
		text := d.Value(i).String()
		if row := s.Txn.Row(table, d.Value(i).UUID()); row != nil && show.Name != "" && row.Table().Column(show.Name) != nil {
			text = columnText(row, show.Name)
		}
		out.printf("%s    %s=%s\n", indent, d.Key(i), text)
		names.member(d.Key(i).String(), json.AppendString(nil, text))
	}
	out.member(col.Name, names.document())
}

// weak prints the rows of another table that refer to row.
func (s *shower) weak(out *shown, row *client.Row, show *ShowTable, level int) {
	var names [][]byte
	defer func() {
		if names != nil {
			out.member(show.Weak.Table, array(names))
		}
	}()
	for other := range s.Txn.Rows(show.Weak.Table) {
		if other.Table().Column(show.Weak.Name) == nil || !other.Datum(show.Weak.Column).Has(ovsdb.UUIDAtom(row.UUID())) {
			continue
		}
		out.printf("%s%s %s\n", strings.Repeat("    ", level), show.Weak.Table, columnText(other, show.Weak.Name))
		names = append(names, json.AppendString(nil, columnText(other, show.Weak.Name)))
	}
}
