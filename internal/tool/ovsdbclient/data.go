package ovsdbclient

import (
	"errors"
	"fmt"
	"slices"

	"weir/internal/json"
	"weir/internal/ovsdb"
	"weir/internal/tool/table"
)

// checkTransaction makes sure that an argument is an array that begins with a
// database's name.
func checkTransaction(arg string) error {
	data := []byte(arg)
	if err := json.Valid(data); err != nil {
		return fmt.Errorf("\"%s\": %w", arg, err)
	}
	s := json.NewScanner(data)
	if k := s.Next(); k != json.ArrayBegin && k != json.ObjectBegin {
		return fmt.Errorf("\"%s\": line 0, column 1, byte 1: syntax error at beginning of input", arg)
	}
	s = json.NewScanner(data)
	if s.Next() != json.ArrayBegin || s.Next() != json.String {
		return errors.New("not a valid OVSDB query")
	}
	return nil
}

func (c *call) transact() error {
	if err := checkTransaction(c.args[0]); err != nil {
		return err
	}
	id := c.rpc.send("transact", []byte(c.args[0]))
	_ = c.rpc.conn.Flush()
	c.process.Ready() // a detached one goes on waiting for the reply
	result, err := c.rpc.reply(id)
	if err != nil {
		return err
	}
	return c.printJSON(result)
}

// query runs a transaction and has the server abort it.
func (c *call) query() error {
	if err := checkTransaction(c.args[0]); err != nil {
		return err
	}
	end := len(c.args[0]) - 1
	for c.args[0][end] != ']' {
		end--
	}
	result, err := c.rpc.call("transact", []byte(c.args[0][:end]+`,{"op":"abort"}]`))
	if err != nil {
		return err
	}
	var parts [][]byte
	s := json.NewScanner(result)
	s.Next()
	if err := s.Array(func(int) error {
		raw, err := s.Raw()
		parts = append(parts, raw)
		return err
	}); err != nil {
		return err
	}
	// The last result is the abort's, unless another operation failed.
	if n := len(parts); n > 0 && isAborted(parts[n-1]) {
		parts = parts[:n-1]
	}
	out := []byte{'['}
	for i, p := range parts {
		if i > 0 {
			out = append(out, ',')
		}
		out = append(out, p...)
	}
	return c.printJSON(append(out, ']'))
}

// isAborted reports whether a result is null or the error "aborted".
func isAborted(raw []byte) bool {
	s := json.NewScanner(raw)
	if s.Next() != json.ObjectBegin {
		return s.Kind() == json.Null
	}
	aborted := false
	_ = s.Object(func(name string) error {
		s.Next()
		if name == "error" && s.Kind() == json.String {
			aborted = s.Str() == ovsdb.TagAborted
		}
		return s.Skip()
	})
	return aborted
}

// dumped works out which tables and columns of a schema the arguments [TABLE
// [COLUMN...]] name.
func dumped(schema *ovsdb.DatabaseSchema, args []string) ([]dumpTable, error) {
	if len(args) == 0 {
		var dumps []dumpTable
		for _, t := range schema.SortedTables() {
			dumps = append(dumps, dumpTable{schema: t, columns: ownColumns(t)})
		}
		return dumps, nil
	}
	t := schema.Table(args[0])
	if t == nil {
		return nil, fmt.Errorf("No table \"%s\" found.", args[0])
	}
	if len(args) == 1 {
		return []dumpTable{{schema: t, columns: ownColumns(t)}}, nil
	}
	var columns []*ovsdb.ColumnSchema
	for _, name := range args[1:] {
		col := t.Column(name)
		if col == nil {
			return nil, fmt.Errorf("Table \"%s\" has no column %s.", t.Name, name)
		}
		columns = append(columns, col)
	}
	slices.SortFunc(columns, func(a, b *ovsdb.ColumnSchema) int { return a.Index - b.Index })
	return []dumpTable{{schema: t, columns: columns}}, nil
}

// ownColumns returns a table's columns but for that of the version.
func ownColumns(t *ovsdb.TableSchema) (columns []*ovsdb.ColumnSchema) {
	for _, col := range t.Columns {
		if col.Index != ovsdb.VersionColumn {
			columns = append(columns, col)
		}
	}
	return columns
}

// dump prints tables with their contents.
func (c *call) dump() error {
	schema, _, err := c.schema(c.db)
	if err != nil {
		return err
	}
	dumps, err := dumped(schema, c.args)
	if err != nil {
		return err
	}
	if err := c.fetch(dumps); err != nil {
		return err
	}
	for i := range dumps {
		if i > 0 && c.style.Format != table.FormatJSON {
			fmt.Fprintln(c.env.Stdout)
		}
		if err := c.print(dumps[i].table()); err != nil {
			return err
		}
	}
	return nil
}

// dumpTable is a table being dumped.
type dumpTable struct {
	schema  *ovsdb.TableSchema
	columns []*ovsdb.ColumnSchema
	rows    []ovsdb.Row
}

// fetch selects the tables' rows, all in one transaction.
func (c *call) fetch(dumps []dumpTable) error {
	p := json.AppendString([]byte{'['}, c.db)
	for i := range dumps {
		p = append(p, `,{"op":"select","where":[],"table":`...)
		p = json.AppendString(p, dumps[i].schema.Name)
		p = append(p, `,"columns":[`...)
		for j, col := range dumps[i].columns {
			if j > 0 {
				p = append(p, ',')
			}
			p = json.AppendString(p, col.Name)
		}
		p = append(p, "]}"...)
	}
	result, err := c.rpc.call("transact", append(p, ']'))
	if err != nil {
		return err
	}
	s := json.NewScanner(result)
	s.Next()
	return s.Array(func(i int) error {
		if i >= len(dumps) {
			return fmt.Errorf("transaction failed: %s", json.Canonical(result))
		}
		return dumps[i].parse(s)
	})
}

// parse reads the result of a select.
func (d *dumpTable) parse(s *json.Scanner) error {
	return ovsdb.Members(s, "result", []string{"rows!"}, func(string) error {
		if s.Kind() != json.ArrayBegin {
			return s.Errorf("rows is not an array")
		}
		return s.Array(func(int) error {
			row := d.schema.DefaultRow()
			err := ovsdb.ParseRow(d.schema, s, nil, row, func(*ovsdb.ColumnSchema) error { return nil })
			d.rows = append(d.rows, row)
			return err
		})
	})
}

// table returns the rows in order of their columns, _uuid last.
func (d *dumpTable) table() *table.Table {
	slices.SortFunc(d.rows, func(a, b ovsdb.Row) int {
		for _, c := range d.columns {
			if n := a[c.Index].Compare(b[c.Index]); n != 0 && c.Index != ovsdb.UUIDColumn {
				return n
			}
		}
		return a[ovsdb.UUIDColumn].Compare(b[ovsdb.UUIDColumn])
	})
	t := &table.Table{Caption: d.schema.Name + " table"}
	for _, c := range d.columns {
		t.Headings = append(t.Headings, c.Name)
	}
	for _, row := range d.rows {
		var cells []table.Cell
		for _, c := range d.columns {
			cells = append(cells, table.Value(&c.Type, row[c.Index]))
		}
		t.Rows = append(t.Rows, cells)
	}
	return t
}
