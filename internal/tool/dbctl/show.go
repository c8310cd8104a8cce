package dbctl

import (
	"strings"

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
	seen := map[ovsdb.UUID]bool{}
	for row := range c.Txn.Rows(c.Prog.Show[0].Table) {
		c.showRow(row, 0, seen)
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

// showRow prints a row and, below it, the rows that it refers to.
func (c *Context) showRow(row *client.Row, level int, seen map[ovsdb.UUID]bool) {
	if row == nil || seen[row.UUID()] {
		return
	}
	seen[row.UUID()] = true
	defer delete(seen, row.UUID())
	show := c.Prog.showTable(row.Table().Name)
	if show == nil {
		return
	}
	indent := strings.Repeat("    ", level)
	if show.Name == "" {
		c.Printf("%s%s\n", indent, row.UUID())
	} else {
		col := row.Table().Column(show.Name)
		name := row.Datum(show.Name)
		text := ""
		if col != nil {
			text = name.Text(&col.Type)
		}
		c.Printf("%s%s %s\n", indent, show.Table, text)
	}
	for _, name := range show.Columns {
		col := row.Table().Column(name)
		if col == nil {
			continue
		}
		c.showColumn(row, col, level+1, seen)
	}
	if show.Weak.Table != "" {
		c.showWeak(row, show, level+1)
	}
}

func (c *Context) showColumn(row *client.Row, col *ovsdb.ColumnSchema, level int, seen map[ovsdb.UUID]bool) {
	d, ok := row.Get(col.Name)
	if !ok {
		return
	}
	if col.Type.Key.IsRef() && c.Prog.showTable(col.Type.Key.RefTable) != nil {
		for i := range d.Len() {
			c.showRow(c.Txn.Row(col.Type.Key.RefTable, d.Key(i).UUID()), level, seen)
		}
		return
	}
	if col.Type.Value.IsRef() && c.Prog.showTable(col.Type.Value.RefTable) != nil {
		c.showMap(d, col, level)
		return
	}
	if !d.IsDefault(&col.Type) {
		c.Printf("%s%s: %s\n", strings.Repeat("    ", level), col.Name, d.Text(&col.Type))
	}
}

// showMap prints a map whose values are rows, by the rows' names.
func (c *Context) showMap(d ovsdb.Datum, col *ovsdb.ColumnSchema, level int) {
	if d.Len() == 0 {
		return
	}
	table := col.Type.Value.RefTable
	show := c.Prog.showTable(table)
	indent := strings.Repeat("    ", level)
	c.Printf("%s%s:\n", indent, col.Name)
	for i := range d.Len() {
		text := d.Value(i).String()
		if row := c.Txn.Row(table, d.Value(i).UUID()); row != nil && show.Name != "" {
			if nc := row.Table().Column(show.Name); nc != nil {
				text = row.Datum(show.Name).Text(&nc.Type)
			}
		}
		c.Printf("%s    %s=%s\n", indent, d.Key(i), text)
	}
}

// showWeak prints the rows of another table that refer to row.
func (c *Context) showWeak(row *client.Row, show *ShowTable, level int) {
	for other := range c.Txn.Rows(show.Weak.Table) {
		col := other.Table().Column(show.Weak.Name)
		if col == nil || !other.Datum(show.Weak.Column).Has(ovsdb.UUIDAtom(row.UUID())) {
			continue
		}
		c.Printf("%s%s %s\n", strings.Repeat("    ", level), show.Weak.Table, other.Datum(show.Weak.Name).Text(&col.Type))
	}
}
