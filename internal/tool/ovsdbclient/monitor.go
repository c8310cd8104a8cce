package ovsdbclient

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"weir/internal/json"
	"weir/internal/jsonrpc"
	"weir/internal/ovsdb"
	"weir/internal/tool/table"
	"weir/internal/unixctl"
)

// watch is a running monitor command. The goroutine that receives owns it, but
// for what mu guards.
type watch struct {
	*call
	method  string
	tables  []*watchTable
	cond    []byte // conditions, nil for "monitor"
	printed bool   // a table was printed already

	gate unixctl.Gate // what comes waits at it
}

// watchTable is a monitored table and what to show of it.
type watchTable struct {
	schema  *ovsdb.TableSchema
	columns []*ovsdb.ColumnSchema
	request []byte // <monitor-request>s
}

func (c *call) monitor() error {
	return c.watch("monitor", "", nil, c.args)
}

func (c *call) monitorCond() error {
	return c.watch("monitor_cond", "", []byte(c.args[0]), c.args[1:])
}

func (c *call) monitorCondSince() error {
	last := "00000000-0000-0000-0000-000000000000"
	args := c.args
	if _, ok := ovsdb.ParseUUID(args[0]); ok {
		last, args = args[0], args[1:]
	}
	if len(args) < 2 {
		return errors.New("invalid syntax for 'monitor-cond-since' (use --help for help)")
	}
	return c.watch("monitor_cond_since", last, []byte(args[0]), args[1:])
}

// watch runs a monitor method on the tables and columns in args and prints what
// comes. last is the transaction after which monitor_cond_since begins.
func (c *call) watch(method, last string, cond []byte, args []string) error {
	if cond != nil {
		if err := json.Valid(cond); err != nil {
			return fmt.Errorf("\"%s\": %w", cond, err)
		}
		if s := json.NewScanner(cond); s.Next() != json.ArrayBegin {
			return errors.New("expected array of conditions")
		}
	}
	w := &watch{call: c, method: method, cond: cond}
	schema, _, err := c.schema(c.db)
	if err != nil {
		return err
	}
	if err := w.choose(schema, args); err != nil {
		return err
	}
	if w.daemon.Detach || w.unixctl != "" {
		if err := w.control(); err != nil {
			return err
		}
	}
	result, err := c.rpc.call(method, w.params(last))
	if err != nil {
		return err
	}
	if err := w.first(result); err != nil {
		return err
	}
	c.process.Ready()
	ended := make(chan error, 1)
	go func() { ended <- w.follow() }()
	select {
	case err := <-ended:
		return err
	case <-c.process.Context().Done():
		return nil
	}
}

// choose works out tables and columns from the command line.
func (w *watch) choose(schema *ovsdb.DatabaseSchema, args []string) error {
	if len(args) == 1 && args[0] == "ALL" {
		for _, t := range schema.SortedTables() {
			if err := w.add(t, schema.Name, nil); err != nil {
				return err
			}
		}
		return nil
	}
	t := schema.Table(args[0])
	if t == nil {
		return fmt.Errorf("%s: %s does not have a table named \"%s\"", w.rpc.server, schema.Name, args[0])
	}
	return w.add(t, schema.Name, args[1:])
}

func (w *watch) add(t *ovsdb.TableSchema, db string, groups []string) error {
	wt := &watchTable{schema: t, request: []byte{'['}}
	w.tables = append(w.tables, wt)
	if len(groups) == 0 {
		groups = []string{""}
	}
	seen := map[*ovsdb.ColumnSchema]bool{}
	for i, g := range groups {
		if i > 0 {
			wt.request = append(wt.request, ',')
		}
		var cond []byte
		if i == 0 {
			cond = w.cond
		}
		if err := wt.addGroup(g, w.rpc.server, db, cond, seen); err != nil {
			return err
		}
	}
	wt.request = append(wt.request, ']')
	return nil
}

// addGroup adds one [COLUMN,...] argument, an empty one being all columns. seen
// are those of the groups before it.
func (wt *watchTable) addGroup(group, server, db string, cond []byte, seen map[*ovsdb.ColumnSchema]bool) error {
	columns, selects, err := wt.parseGroup(group, server, db)
	if err != nil {
		return err
	}
	wt.request = append(wt.request, `{"columns":[`...)
	for i, c := range columns {
		if seen[c] {
			return fmt.Errorf("%s: column \"%s\" mentioned multiple times", server, c.Name)
		}
		seen[c] = true
		if i > 0 {
			wt.request = append(wt.request, ',')
		}
		wt.request = json.AppendString(wt.request, c.Name)
	}
	wt.request = append(wt.request, ']')
	if selects != "" {
		wt.request = append(append(append(wt.request, `,"select":{`...), selects...), '}')
	}
	if cond != nil {
		wt.request = append(append(wt.request, `,"where":`...), cond...)
	}
	wt.request = append(wt.request, '}')
	wt.columns = append(wt.columns, columns...)
	return nil
}

// parseGroup reads what a group names: columns, all where it names none, and the
// members of a <monitor-select> that turn kinds of change off.
func (wt *watchTable) parseGroup(group, server, db string) (columns []*ovsdb.ColumnSchema, selects string, err error) {
	var off []string
	for _, word := range strings.Split(group, ",") {
		switch word {
		case "":
		case "!initial", "!insert", "!delete", "!modify":
			off = append(off, fmt.Sprintf(`"%s":false`, word[1:]))
		default:
			c := wt.schema.Column(word)
			if c == nil {
				return nil, "", fmt.Errorf("%s: table \"%s\" in %s does not have a column named \"%s\"", server, wt.schema.Name, db, word)
			}
			columns = append(columns, c)
		}
	}
	if columns == nil {
		columns = append(columns, wt.schema.Columns[ovsdb.VersionColumn+1:]...)
		columns = append(columns, wt.schema.Columns[ovsdb.VersionColumn])
	}
	return columns, strings.Join(off, ","), nil
}

// params builds the request's params.
func (w *watch) params(last string) []byte {
	p := append(json.AppendString([]byte{'['}, w.db), ",null,{"...)
	for i, t := range w.tables {
		if i > 0 {
			p = append(p, ',')
		}
		p = append(json.AppendString(p, t.schema.Name), ':')
		p = append(p, t.request...)
	}
	p = append(p, '}')
	if w.method == "monitor_cond_since" {
		p = json.AppendString(append(p, ','), last)
	}
	return append(p, ']')
}

// first prints the reply to the monitor request.
func (w *watch) first(result []byte) error {
	if w.method != "monitor_cond_since" {
		return w.show(result, true)
	}
	parts, err := split(result)
	if err != nil || len(parts) != 3 {
		return fmt.Errorf("%s: malformed reply to monitor_cond_since", w.rpc.server)
	}
	fmt.Fprintf(w.env.Stdout, "found: %s, last_id: %s\n", parts[0], strings.Trim(string(parts[1]), `"`))
	return w.show(parts[2], true)
}

func split(array []byte) (parts [][]byte, err error) {
	s := json.NewScanner(array)
	s.Next()
	err = s.Array(func(int) error {
		raw, err := s.Raw()
		parts = append(parts, raw)
		return err
	})
	return parts, err
}

// follow prints updates until the connection ends.
func (w *watch) follow() error {
	for {
		m, err := w.rpc.receive()
		if err != nil {
			return err
		}
		w.gate.Wait()
		if m.Kind != jsonrpc.Notify {
			continue
		}
		parts, err := split(m.Params)
		if err != nil {
			return err
		}
		switch {
		case m.Method == "monitor_canceled":
			return fmt.Errorf("%s: %s database was removed", w.rpc.server, w.db)
		case (m.Method == "update" || m.Method == "update2") && len(parts) == 2:
			err = w.show(parts[1], false)
		case m.Method == "update3" && len(parts) == 3:
			fmt.Fprintf(w.env.Stdout, "\nlast_id: %s", strings.Trim(string(parts[1]), `"`))
			err = w.show(parts[2], false)
		}
		if err != nil {
			return err
		}
	}
}

// show prints <table-updates> of either kind.
func (w *watch) show(updates []byte, initial bool) error {
	byName := map[string][]byte{}
	s := json.NewScanner(updates)
	s.Next()
	err := s.Object(func(name string) error {
		raw, err := s.Value()
		byName[name] = raw
		return err
	})
	if err != nil {
		return err
	}
	for _, t := range w.tables {
		raw, ok := byName[t.schema.Name]
		if !ok {
			continue
		}
		out := w.newTable(t)
		if err := t.rows(out, raw, initial); err != nil {
			return err
		}
		if len(out.Rows) == 0 {
			continue
		}
		if w.printed && w.style.Format != table.FormatJSON && w.style.Format != table.FormatHTML {
			fmt.Fprintln(w.env.Stdout)
		}
		w.printed = true
		if err := w.print(out); err != nil {
			return err
		}
	}
	return nil
}

// newTable is an empty table of what happened in t.
func (w *watch) newTable(t *watchTable) *table.Table {
	out := &table.Table{Headings: []string{"row", "action"}}
	for _, c := range t.columns {
		out.Headings = append(out.Headings, c.Name)
	}
	if len(w.tables) > 1 {
		out.Caption = t.schema.Name
	}
	if w.timestamp {
		out.Timestamp = time.Now().UTC().Format("2006-01-02 15:04:05.000")
	}
	return out
}

// rows adds the rows of one table's updates.
func (t *watchTable) rows(out *table.Table, raw []byte, initial bool) error {
	s := json.NewScanner(raw)
	s.Next()
	return s.Object(func(id string) error {
		s.Next()
		return t.row(out, s, id, initial)
	})
}

// row adds what an update says of one row.
func (t *watchTable) row(out *table.Table, s *json.Scanner, id string, initial bool) error {
	var old, now []byte
	action := ""
	err := s.Object(func(name string) error {
		raw, err := s.Value()
		switch name {
		case "old":
			old = raw
		case "new":
			now = raw
		default:
			action, now = name, raw
		}
		return err
	})
	if err != nil {
		return err
	}
	switch {
	case action != "":
		return t.line(out, id, action, now)
	case old == nil && initial:
		return t.line(out, id, "initial", now)
	case old == nil:
		return t.line(out, id, "insert", now)
	case now == nil:
		return t.line(out, id, "delete", old)
	}
	if err := t.line(out, id, "old", old); err != nil {
		return err
	}
	return t.line(out, "", "new", now)
}

// line adds one line with the columns that are in raw, a <row> or null.
func (t *watchTable) line(out *table.Table, id, action string, raw []byte) error {
	row := make(ovsdb.Row, len(t.schema.Columns))
	there := make([]bool, len(row))
	s := json.NewScanner(raw)
	if s.Next() != json.Null {
		err := s.Object(func(name string) error {
			s.Next()
			c := t.schema.Column(name)
			if c == nil {
				return s.Skip()
			}
			typ := c.Type
			if !typ.IsScalar() {
				typ.Min, typ.Max = 0, ovsdb.Unlimited // it may be a difference
			}
			d, err := typ.ParseJSONUnchecked(s, nil)
			row[c.Index], there[c.Index] = d, err == nil
			return err
		})
		if err != nil {
			return err
		}
	}
	cells := []table.Cell{table.Text(id), table.Text(action)}
	for _, c := range t.columns {
		if there[c.Index] {
			cells = append(cells, table.Value(&c.Type, row[c.Index]))
		} else {
			cells = append(cells, table.None)
		}
	}
	out.Rows = append(out.Rows, cells)
	return nil
}

// control opens the control socket of a monitor and serves it.
func (w *watch) control() error {
	u, err := w.process.Control(w.env.Name, w.unixctl)
	if err != nil {
		return err
	}
	w.gate.Register(u, "ovsdb-client")
	u.Register("ovsdb-client/cond_change", "TABLE COND", 2, 2, func(r *unixctl.Request) (string, error) {
		if err := json.Valid([]byte(r.Args[1])); err != nil {
			return "", err
		}
		p := append(json.AppendString([]byte(`[null,null,{`), r.Args[0]), `:[{"where":`...)
		p = append(append(p, r.Args[1]...), "}]}]"...)
		id := strconv.FormatInt(time.Now().UnixNano(), 10)
		return "", w.rpc.conn.Send(jsonrpc.AppendRequest(nil, "monitor_cond_change", p, []byte(id)))
	})
	go u.Serve()
	return nil
}
