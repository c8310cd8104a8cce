package dbctl

import (
	"fmt"
	"strings"

	"weir/internal/ovsdb"
)

// needsColumns returns the Needs of a command whose first argument is a table,
// whose second is a record, and whose arguments from the from'th on begin with a
// column's name.
func needsColumns(from int) func(*Needs, *Command) error {
	return func(n *Needs, c *Command) error {
		t, err := n.prog.Table(c.Argv[1])
		if err != nil {
			return err
		}
		n.record(t)
		for i := from; i < len(c.Argv); i++ {
			if err := n.Setting(t.Name, c.Argv[i]); err != nil {
				return err
			}
		}
		return nil
	}
}

// needsColumn is needsColumns for a single column in the third argument.
func needsColumn(n *Needs, c *Command) error {
	short := *c
	short.Argv = c.Argv[:4]
	return needsColumns(3)(n, &short)
}

func needsCreate(n *Needs, c *Command) error {
	t, err := n.prog.Table(c.Argv[1])
	if err != nil {
		return err
	}
	if _, ok := c.Options["--id"]; !ok && !n.prog.Schema.IsRoot(t) {
		log.Warn("applying \"create\" command to table %s without --id option will have no effect", t.Name)
	}
	n.All(t.Name)
	return nil
}

func needsList(n *Needs, c *Command) error {
	t, err := n.prog.Table(c.Argv[1])
	if err != nil {
		return err
	}
	n.record(t)
	return n.listed(t, c)
}

// listed asks for the columns to be printed.
func (n *Needs) listed(t *ovsdb.TableSchema, c *Command) error {
	columns, err := listColumns(t, c)
	for _, col := range columns {
		n.Table(t.Name, col.Name)
	}
	return err
}

func needsFind(n *Needs, c *Command) error {
	t, err := n.prog.Table(c.Argv[1])
	if err != nil {
		return err
	}
	if err := needsColumns(2)(n, c); err != nil {
		return err
	}
	return n.listed(t, c)
}

// listColumns returns the columns to print: those of --columns, or all, _uuid
// first.
func listColumns(t *ovsdb.TableSchema, c *Command) ([]*ovsdb.ColumnSchema, error) {
	names, given := c.Options["--columns"]
	if !given {
		return append([]*ovsdb.ColumnSchema{t.Columns[ovsdb.UUIDColumn]}, t.Columns[ovsdb.VersionColumn+1:]...), nil
	}
	var out []*ovsdb.ColumnSchema
	for name := range strings.FieldsFuncSeq(names, func(r rune) bool { return r == ',' || r == ' ' }) {
		col, err := column(t, name)
		if err != nil {
			return nil, err
		}
		out = append(out, col)
	}
	if len(out) == 0 {
		return nil, fmt.Errorf("must specify at least one column name")
	}
	return out, nil
}
