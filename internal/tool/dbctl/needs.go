package dbctl

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"weir/internal/json"
	"weir/internal/ovsdb"
)

// Needs collects what of the database commands read or write, so that only this
// is fetched.
type Needs struct {
	// Whole asks for whole tables, whatever rows a command would make do with.
	Whole bool

	prog   *Program
	tables map[string]*tableNeeds
}

// tableNeeds is what is needed of a table: of rows that satisfy any of the
// clauses, or of all rows, the columns, or all columns.
type tableNeeds struct {
	columns    map[string]bool
	allColumns bool
	clauses    []string // of a condition, in JSON
	allRows    bool
}

// maxClauses is the number of clauses from which on a whole table is cheaper for
// the server than looking at the clauses for every row.
const maxClauses = 16

// ErrWhole is what a command returns that can't do with the rows that it asked
// for. It is run again on whole tables (Needs.Whole).
var ErrWhole = errors.New("more of the database is needed")

func newNeeds(p *Program, whole bool) *Needs {
	return &Needs{Whole: whole, prog: p, tables: map[string]*tableNeeds{}}
}

func (n *Needs) table(table string, columns []string) *tableNeeds {
	t := n.tables[table]
	if t == nil {
		t = &tableNeeds{columns: map[string]bool{}}
		n.tables[table] = t
	}
	for _, c := range columns {
		t.columns[c] = true
	}
	return t
}

// Table asks for a table's rows and the columns given.
func (n *Needs) Table(table string, columns ...string) { n.table(table, columns).allRows = true }

// Rows asks for the columns given of the rows whose column of strings, named by,
// has the value given.
func (n *Needs) Rows(table, by, value string, columns ...string) {
	n.clause(table, by, json.AppendString(nil, value), columns)
}

func (n *Needs) clause(table, by string, value []byte, columns []string) {
	t := n.table(table, columns)
	c := fmt.Sprintf(`["%s","==",%s]`, by, value)
	if !slices.Contains(t.clauses, c) {
		t.clauses = append(t.clauses, c)
	}
	t.allRows = t.allRows || n.Whole || len(t.clauses) > maxClauses
}

// Columns asks for columns of whatever rows of a table are fetched.
func (n *Needs) Columns(table string, columns ...string) {
	t := n.table(table, columns)
	t.allRows = t.allRows || n.Whole
}

// Setting asks for the column that a COLUMN[:KEY]=VALUE names.
func (n *Needs) Setting(table, arg string) error {
	t := n.prog.Schema.Table(table)
	name, _, _ := ovsdb.ScanToken(arg)
	if name == "" {
		return fmt.Errorf("%s: missing column name", arg)
	}
	col, err := column(t, name)
	if err == nil {
		n.Columns(table, col.Name)
	}
	return err
}

// config returns what client.Config.Tables and Where take.
func (n *Needs) config() (tables map[string][]string, where map[string]string) {
	tables, where = map[string][]string{}, map[string]string{}
	for name, t := range n.tables {
		tables[name] = append([]string{}, slices.Sorted(maps.Keys(t.columns))...)
		if t.allColumns {
			tables[name] = nil
		}
		switch {
		case t.allRows:
		case len(t.clauses) == 0:
			where[name] = `[false]`
		default:
			where[name] = "[" + strings.Join(t.clauses, ",") + "]"
		}
	}
	return tables, where
}

// record asks for what is needed to find a record by any of its names.
func (n *Needs) record(t *ovsdb.TableSchema, name string) {
	if u, ok := ovsdb.ParseUUID(name); ok {
		n.clause(t.Name, "_uuid", ovsdb.UUIDAtom(u).AppendJSON(nil), nil)
	} else if uuidPrefix(name) || name == "." {
		n.Table(t.Name)
	}
	n.Columns(t.Name)
	for _, id := range n.prog.RowIDs[t.Name] {
		if id.Via != "" { // the row that is referred to isn't known yet
			n.Table(t.Name)
		}
		if id.Column == "" {
			continue
		}
		var columns []string
		for _, c := range []string{id.Column, id.Via} {
			if c != "" {
				columns = append(columns, c)
			}
		}
		if typ := &n.prog.Schema.Table(id.Table).Column(id.Column).Type; id.Key == "" && typ.Key.Type == ovsdb.String && typ.Max == 1 {
			n.Rows(id.Table, id.Column, name, columns...)
		} else {
			n.Table(id.Table, columns...)
		}
	}
}

// needsColumns returns the Needs of a command whose first argument is a table,
// whose second is a record, and whose arguments from the from'th on begin with a
// column's name.
func needsColumns(from int) func(*Needs, *Command) error {
	return func(n *Needs, c *Command) error {
		t, err := n.prog.Table(c.Argv[1])
		if err != nil {
			return err
		}
		n.record(t, c.Argv[2])
		return n.settings(t, c.Argv[from:])
	}
}

// settings asks for the columns that each of the arguments begins with.
func (n *Needs) settings(t *ovsdb.TableSchema, args []string) error {
	for _, arg := range args {
		if err := n.Setting(t.Name, arg); err != nil {
			return err
		}
	}
	return nil
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
	if _, ok := c.Options["--id"]; !ok && !n.prog.Schema.IsRoot(t) && !n.Whole {
		log.Warn("applying \"create\" command to table %s without --id option will have no effect", t.Name)
	}
	n.Columns(t.Name)
	n.table(t.Name, nil).allColumns = true
	return nil
}

// records asks for the records that the arguments from the second on name, for
// all if there are none.
func (n *Needs) records(t *ovsdb.TableSchema, c *Command) {
	if len(c.Argv) == 2 {
		n.Table(t.Name)
	}
	for _, name := range c.Argv[2:] {
		n.record(t, name)
	}
}

func needsRecords(n *Needs, c *Command) error {
	t, err := n.prog.Table(c.Argv[1])
	if err == nil {
		n.records(t, c)
	}
	return err
}

func needsList(n *Needs, c *Command) error {
	t, err := n.prog.Table(c.Argv[1])
	if err != nil {
		return err
	}
	n.records(t, c)
	return n.listed(t, c)
}

// listed asks for the columns to be printed.
func (n *Needs) listed(t *ovsdb.TableSchema, c *Command) error {
	columns, err := listColumns(t, c)
	for _, col := range columns {
		n.Columns(t.Name, col.Name)
	}
	return err
}

func needsFind(n *Needs, c *Command) error {
	t, err := n.prog.Table(c.Argv[1])
	if err != nil {
		return err
	}
	n.Table(t.Name)
	if err := n.settings(t, c.Argv[2:]); err != nil {
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
