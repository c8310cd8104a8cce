package server

import (
	"fmt"
	"slices"
	"strings"

	"weir/internal/json"
	"weir/internal/jsonrpc"
	"weir/internal/ovsdb"
	"weir/internal/ovsdb/engine"
)

// followed is a database that follows another server's of the same name. The
// goroutine of the upstream owns it.
type followed struct {
	db     *Database
	tables []*engine.Table // the tables, with the columns, that the other server has
	part   bool            // the database has more than those
	last   ovsdb.UUID      // the other server's newest transaction that db has; zero: none that could be told
}

// resume takes over how far an earlier connection got, if it asked for the same.
func (f *followed) resume(before *followed) {
	if before != nil && before.db == f.db && string(before.request()) == string(f.request()) {
		f.last = before.last
	}
}

// request returns the params of "monitor".
func (f *followed) request() []byte {
	p := append(json.AppendString([]byte{'['}, f.db.Name), ',')
	p = append(json.AppendString(p, f.db.Name), ",{"...)
	for i, t := range f.tables {
		if i > 0 {
			p = append(p, ',')
		}
		p = append(json.AppendString(p, t.Name), `:[{"columns":[`...)
		for j, c := range t.Columns[ovsdb.VersionColumn:] {
			if j > 0 {
				p = append(p, ',')
			}
			p = json.AppendString(p, c.Name)
		}
		p = append(p, "]}]"...)
	}
	return append(p, "}]"...)
}

// begin asks for updates and brings the database up to date: by what has
// happened since the transaction that it has, where the other server remembers
// that one, else by replacing its contents. resumed says which.
func (f *followed) begin(p *peer) (resumed bool, err error) {
	req := f.request()
	result, err := p.call("monitor_cond_since", fmt.Appendf(nil, `%s,"%s"]`, req[:len(req)-1], orAny(f.last)))
	if err != nil && strings.Contains(err.Error(), "unknown method") {
		if result, err = p.call("monitor", req); err != nil {
			return false, err
		}
		return false, f.apply(ovsdb.UUID{}, result, parseRowUpdate, true)
	}
	if err != nil {
		return false, err
	}
	parts := elements(result)
	if len(parts) != 3 {
		return false, fmt.Errorf("%s: bad reply to monitor_cond_since", p.target)
	}
	resumed = string(parts[0]) == "true"
	return resumed, f.apply(txnOf(parts[1]), parts[2], parseRowUpdate2, !resumed)
}

// orAny returns an identifier to ask with: where there is none, all ones, since
// servers like ours tell those of standalone databases only to clients that ask
// with one of that kind (monitor.told).
func orAny(id ovsdb.UUID) ovsdb.UUID {
	if id == (ovsdb.UUID{}) {
		for i := range id {
			id[i] = 0xff
		}
	}
	return id
}

// txnOf returns the identifier of a transaction, zero where there is none.
func txnOf(raw []byte) ovsdb.UUID {
	s, _ := text(raw)
	id, _ := ovsdb.ParseUUID(s)
	return id
}

// update takes an update notification in.
func (f *followed) update(m *jsonrpc.Message) error {
	params := elements(m.Params)
	switch {
	case m.Method == "update" && len(params) == 2:
		return f.apply(ovsdb.UUID{}, params[1], parseRowUpdate, false)
	case m.Method == "update3" && len(params) == 3:
		return f.apply(txnOf(params[1]), params[2], parseRowUpdate2, false)
	}
	return nil
}

// apply commits <table-updates>, those that lead to the transaction txn; with
// fresh, they are the whole contents.
func (f *followed) apply(txn ovsdb.UUID, raw []byte, row rowParser, fresh bool) error {
	name := txn
	if f.part {
		name = ovsdb.UUID{} // what it names is not what we have
	}
	err := f.db.Apply(name, func(s *engine.Snapshot) ([]engine.Change, error) {
		changes, err := parseUpdates(s, f.tables, raw, row)
		if fresh && err == nil {
			changes = resetChanges(s, f.tables, changes)
		}
		return changes, err
	})
	if err == nil {
		f.last = txn
	}
	return err
}

// rowParser reads a <row-update> of table t, of which the columns in asked are
// followed.
type rowParser func(s *engine.Snapshot, asked, t *engine.Table, id ovsdb.UUID, sc *json.Scanner) (engine.Change, error)

// parseUpdates turns <table-updates> into changes over a snapshot, of which only
// tables are concerned.
func parseUpdates(s *engine.Snapshot, tables []*engine.Table, raw []byte, row rowParser) ([]engine.Change, error) {
	var changes []engine.Change
	seen := map[ovsdb.UUID]*engine.Table{}
	sc := json.NewScanner(raw)
	if sc.Next() != json.ObjectBegin {
		return nil, sc.Errorf("<table-updates> is not an object")
	}
	err := sc.Object(func(name string) error {
		sc.Next()
		i := slices.IndexFunc(tables, func(t *engine.Table) bool { return t.Name == name })
		if i < 0 || sc.Kind() != json.ObjectBegin {
			return sc.Errorf("<table-updates> includes unknown table \"%s\"", name)
		}
		return sc.Object(func(uuid string) error {
			sc.Next()
			id, ok := ovsdb.ParseUUID(uuid)
			if !ok {
				return sc.Errorf("<table-update> contains bad UUID \"%s\"", uuid)
			}
			if seen[id] == tables[i] {
				return sc.Errorf("<table-update> contains row %s twice", id)
			}
			seen[id] = tables[i]
			c, err := row(s, tables[i], s.Layout.Tables[tables[i].Num], id, sc)
			if err == nil && (c.Old != nil || c.New != nil) {
				changes = append(changes, c)
			}
			return err
		})
	})
	return changes, err
}

// parseRowUpdate is a rowParser of "monitor" (RFC 7047, 4.1.6).
func parseRowUpdate(s *engine.Snapshot, _, t *engine.Table, id ovsdb.UUID, sc *json.Scanner) (engine.Change, error) {
	c := engine.Change{Table: t, Old: s.Tables[t.Num].Get(id)}
	err := ovsdb.Members(sc, "row update", []string{"old", "new"}, func(name string) error {
		if name == "old" {
			return sc.Skip()
		}
		row := t.DefaultRow()
		if c.Old != nil {
			c.Old.Unpack(t.TableSchema, row)
		}
		err := ovsdb.ParseRow(t.TableSchema, sc, nil, row, func(*ovsdb.ColumnSchema) error { return nil })
		row[ovsdb.UUIDColumn] = ovsdb.ScalarDatum(ovsdb.UUIDAtom(id))
		c.New = ovsdb.Store(t.TableSchema, row)
		return err
	})
	return c, err
}

// parseRowUpdate2 is a rowParser of the conditional methods (ovsdb-server(7),
// 4.1.14).
func parseRowUpdate2(s *engine.Snapshot, asked, t *engine.Table, id ovsdb.UUID, sc *json.Scanner) (engine.Change, error) {
	c := engine.Change{Table: t, Old: s.Tables[t.Num].Get(id)}
	err := ovsdb.Members(sc, "row update", []string{"initial", "insert", "modify", "delete"}, func(kind string) error {
		if kind == "delete" {
			return sc.Skip()
		}
		row := t.DefaultRow()
		if c.Old != nil {
			c.Old.Unpack(t.TableSchema, row)
		}
		if kind == "modify" {
			if c.Old == nil {
				return sc.Errorf("row %s of table %s is modified but not there", id, t.Name)
			}
		} else { // what isn't said has its default
			whole := t.DefaultRow()
			for _, col := range asked.Columns {
				row[col.Index] = whole[col.Index]
			}
		}
		if err := parseColumns(t, sc, row, kind == "modify"); err != nil {
			return err
		}
		row[ovsdb.UUIDColumn] = ovsdb.ScalarDatum(ovsdb.UUIDAtom(id))
		c.New = ovsdb.Store(t.TableSchema, row)
		return nil
	})
	return c, err
}

// parseColumns reads a <row> into row: values, or differences from what is there.
func parseColumns(t *engine.Table, sc *json.Scanner, row []ovsdb.Datum, diff bool) error {
	if !diff {
		return ovsdb.ParseRow(t.TableSchema, sc, nil, row, func(*ovsdb.ColumnSchema) error { return nil })
	}
	if sc.Kind() != json.ObjectBegin {
		return sc.Errorf("<row> is not an object")
	}
	return sc.Object(func(name string) error {
		sc.Next()
		col := t.Column(name)
		if col == nil {
			return sc.Errorf("table %s has no column %s", t.Name, name)
		}
		d, err := col.Type.ParseJSONUnchecked(sc, nil)
		if err != nil {
			return err
		}
		now, derr := col.Type.ApplyDiff(row[col.Index], d)
		if derr != nil {
			return derr
		}
		row[col.Index] = now
		return nil
	})
}

// resetChanges returns the changes that replace the contents of tables by the
// rows in initial.
func resetChanges(s *engine.Snapshot, tables []*engine.Table, initial []engine.Change) []engine.Change {
	there := map[*engine.Table]map[ovsdb.UUID]bool{}
	var out []engine.Change
	for i := range initial {
		c := &initial[i]
		if c.Old == nil || !c.Old.Equal(c.New) {
			out = append(out, *c)
		}
		if there[c.Table] == nil {
			there[c.Table] = map[ovsdb.UUID]bool{}
		}
		there[c.Table][c.ID()] = true
	}
	for _, t := range tables {
		for row := range s.Tables[t.Num].All() {
			if !there[t][row.ID] {
				out = append(out, engine.Change{Table: t, Old: row})
			}
		}
	}
	slices.SortStableFunc(out, func(a, b engine.Change) int { return a.Table.Num - b.Table.Num })
	return out
}

// Apply commits changes that another server has checked already, as the
// transaction that it names txn; zero: as one of ours.
func (db *Database) Apply(txn ovsdb.UUID, build func(*engine.Snapshot) ([]engine.Change, error)) error {
	c, err := db.beginChanges(txn, build)
	if c == nil {
		return err
	}
	if err := db.finish(c); err != nil {
		return err
	}
	return nil
}

func (db *Database) beginChanges(txn ovsdb.UUID, build func(*engine.Snapshot) ([]engine.Change, error)) (*commit, error) {
	db.mu.Lock()
	defer db.mu.Unlock()
	if err := db.mayWrite(); err != nil {
		return nil, err
	}
	changes, err := build(db.eng.Head())
	if err != nil || len(changes) == 0 {
		return nil, err
	}
	return db.enqueue(&commit{changes: changes, txn: txn}), nil
}
