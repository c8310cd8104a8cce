package ovsdbclient

import (
	"errors"
	"fmt"
	"io"
	"os"
	"slices"

	"weir/internal/cli"
	"weir/internal/json"
	"weir/internal/ovsdb"
	"weir/internal/stream"
	"weir/internal/tool/table"
)

func (c *call) listDBs() error {
	names, err := c.databases()
	if err != nil {
		return err
	}
	slices.Sort(names)
	if c.style.Format == table.FormatJSON {
		doc := []byte{'['}
		for i, n := range names {
			if i > 0 {
				doc = append(doc, ',')
			}
			doc = json.AppendString(doc, n)
		}
		fmt.Fprint(c.env.Stdout, cli.JSONText(string(doc)+"]", c.style.Pretty))
		return nil
	}
	for _, n := range names {
		fmt.Fprintln(c.env.Stdout, n)
	}
	return nil
}

func (c *call) getSchema() error {
	_, raw, err := c.schema(c.db)
	if err != nil {
		return err
	}
	return c.printJSON(raw)
}

func (c *call) schemaVersion() error {
	schema, _, err := c.schema(c.db)
	if err == nil {
		_, err = fmt.Fprintln(c.env.Stdout, schema.Version)
	}
	return err
}

func (c *call) schemaCksum() error {
	schema, _, err := c.schema(c.db)
	if err == nil {
		_, err = fmt.Fprintln(c.env.Stdout, schema.Cksum)
	}
	return err
}

// print prints a table.
func (c *call) print(t *table.Table) error {
	_, err := c.env.Stdout.Write(c.style.Append(nil, t))
	return err
}

func (c *call) listTables() error {
	schema, _, err := c.schema(c.db)
	if err != nil {
		return err
	}
	t := &table.Table{Headings: []string{"Table"}}
	for _, ts := range schema.SortedTables() {
		t.Rows = append(t.Rows, []table.Cell{table.Text(ts.Name)})
	}
	return c.print(t)
}

func (c *call) listColumns() error {
	schema, _, err := c.schema(c.db)
	if err != nil {
		return err
	}
	t := &table.Table{Headings: []string{"Column", "Type"}}
	if len(c.args) == 0 {
		t.Headings = []string{"Table", "Column", "Type"}
	}
	for _, ts := range schema.SortedTables() {
		if len(c.args) > 0 && ts.Name != c.args[0] {
			continue
		}
		for _, col := range ts.Columns {
			typ := json.Canonical(col.Type.AppendJSON(nil))
			row := []table.Cell{table.Text(col.Name), {Text: string(typ), JSON: typ}}
			if len(c.args) == 0 {
				row = append([]table.Cell{table.Text(ts.Name)}, row...)
			}
			t.Rows = append(t.Rows, row)
		}
	}
	return c.print(t)
}

// readSchema reads a schema file.
func readSchema(name string) (*ovsdb.DatabaseSchema, []byte, error) {
	data, err := os.ReadFile(name)
	if err != nil {
		return nil, nil, fmt.Errorf("failed to read schema: \"%s\" could not be read as JSON (error opening \"%s\": %s)", name, name, stream.ErrText(err))
	}
	schema, err := ovsdb.ParseSchema(data)
	if err != nil {
		return nil, nil, fmt.Errorf("%s: failed to parse schema: %s", name, asText(err))
	}
	return schema, data, nil
}

func (c *call) needsConversion() error {
	want, _, err := readSchema(c.args[0])
	if err != nil {
		return err
	}
	has, _, err := c.schema(want.Name)
	if err != nil {
		return err
	}
	answer := "yes"
	if want.JSON() == has.JSON() {
		answer = "no"
	}
	_, err = fmt.Fprintln(c.env.Stdout, answer)
	return err
}

func (c *call) convert() error {
	schema, data, err := readSchema(c.args[0])
	if err != nil {
		return err
	}
	p := append(json.AppendString([]byte{'['}, schema.Name), ',')
	_, err = c.rpc.call("convert", append(append(p, data...), ']'))
	return err
}

func (c *call) wait() error {
	state := c.args[1]
	switch state {
	case "added", "connected", "removed":
	default:
		return fmt.Errorf("%s: unknown state", state)
	}
	err := c.waitFor(state)
	// A server ends the sessions of clients that have not yet said that they
	// notice changes of its databases, which are what is waited for.
	for errors.Is(err, errServerClosed) {
		c.rpc.close()
		r, failed := connect(c.ctx, c.server, &c.tls)
		if failed != nil {
			return failed
		}
		c.rpc = r
		err = c.waitFor(state)
	}
	return err
}

// waitFor waits within one session.
func (c *call) waitFor(state string) error {
	if _, err := c.rpc.call("set_db_change_aware", []byte("[true]")); err != nil {
		return err
	}
	where := string(json.AppendString(nil, c.args[0]))
	columns := `["name","connected"]`
	// Listening before looking, so that nothing is missed between.
	result, err := c.rpc.call("monitor", []byte(`["_Server",null,{"Database":[{"columns":`+columns+`}]}]`))
	_ = result
	for err == nil {
		var there bool
		if there, err = c.inState(where, state); err != nil || there {
			return err
		}
		_, err = c.rpc.receive()
	}
	return err
}

// inState reports whether a database is in a state as "wait" names it.
func (c *call) inState(name, state string) (bool, error) {
	cond := `["name","==",` + name + `]`
	if state == "connected" {
		cond += `,["connected","==",true]`
	}
	result, err := c.rpc.call("transact", []byte(`["_Server",{"op":"select","table":"Database","columns":["name"],"where":[`+cond+`]}]`))
	if err != nil {
		return false, err
	}
	found := string(result) != `[{"rows":[]}]`
	return found != (state == "removed"), nil
}

// readAll reads standard input.
func (c *call) readAll() ([]byte, error) {
	data, err := io.ReadAll(c.env.Stdin)
	if err != nil {
		return nil, fmt.Errorf("reading standard input: %w", err)
	}
	if len(data) == 0 {
		return nil, errors.New("ovsdb error: /dev/stdin: cannot identify file type")
	}
	return data, nil
}
