package dbctl

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"weir/internal/ovsdb"
	"weir/internal/ovsdb/client"
	"weir/internal/tool/table"
	"weir/internal/vlog"
)

// Context is what a command runs in.  One goroutine owns it.
type Context struct {
	*Command
	Prog    *Program
	Txn     *client.Txn
	Wait    bool // --no-wait was not given
	Last    bool // no command follows this one
	Symbols *Symbols
	Table   *table.Table // output, if not nil, instead of Out
	Out     strings.Builder
	// Document is the output for --format=json, of the commands that have one
	// besides Out. It is made where JSON says so.
	Document []byte
	JSON     bool
	// TryAgain asks for the transaction to be run again when the database has
	// changed ("wait-until").
	TryAgain bool
	// Result is what became of the transaction, for Post.
	Result *client.Result
	// Data is the program's own, shared by the commands of a transaction.  If it
	// has a method Stale, that is called after a database verb that may have
	// changed what it was derived from.
	Data *any

	created ovsdb.UUID // by "create"
}

// Printf adds to the command's output.
func (c *Context) Printf(format string, args ...any) { fmt.Fprintf(&c.Out, format, args...) }

// Arg returns the i'th argument, "" if there is none; 0 is the command's name.
func (c *Context) Arg(i int) string {
	if i < len(c.Argv) {
		return c.Argv[i]
	}
	return ""
}

// Symbols are the names ("@x") that a transaction's commands give to rows.
type Symbols struct{ m map[string]*symbol }

type symbol struct {
	uuid    ovsdb.UUID
	table   string // where it was created
	created bool
	strong  bool // some strong reference to it was written
	weak    bool
}

// NamedUUID implements ovsdb.Symbols.
func (s *Symbols) NamedUUID(name string) ovsdb.UUID { return s.get(name).uuid }

func (s *Symbols) get(name string) *symbol {
	if s.m == nil {
		s.m = map[string]*symbol{}
	}
	if s.m[name] == nil {
		s.m[name] = &symbol{uuid: ovsdb.NewUUID()}
	}
	return s.m[name]
}

// define gives name to a row that is about to be created.
func (s *Symbols) define(name string) (*symbol, error) {
	if !strings.HasPrefix(name, "@") {
		return nil, fmt.Errorf("row id \"%s\" does not begin with \"@\"", name)
	}
	sym := s.get(name)
	if sym.created {
		return nil, fmt.Errorf("row id \"%s\" may only be specified on one --id option", name)
	}
	sym.created = true
	return sym, nil
}

// used notes the references to symbols in d, a value of type t.
func (s *Symbols) used(t *ovsdb.ColumnType, d ovsdb.Datum) {
	for _, sym := range s.m {
		a := ovsdb.UUIDAtom(sym.uuid)
		for i := range d.Len() {
			if d.Key(i) == a && t.Key.IsRef() {
				sym.strong = sym.strong || t.Key.IsStrongRef()
				sym.weak = sym.weak || t.Key.IsWeakRef()
			}
			if d.Value(i) == a && t.Value.IsRef() {
				sym.strong = sym.strong || t.Value.IsStrongRef()
				sym.weak = sym.weak || t.Value.IsWeakRef()
			}
		}
	}
}

// check complains about names that were used but not given, and warns of rows
// that won't stay.
func (s *Symbols) check(schema *ovsdb.DatabaseSchema, log *vlog.Module) error {
	names := make([]string, 0, len(s.m))
	for name := range s.m {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		sym := s.m[name]
		if !sym.created {
			return fmt.Errorf("row id \"%s\" is referenced but never created (e.g. with \"-- --id=%s create ...\")", name, name)
		}
		t := schema.Table(sym.table)
		if t == nil || schema.IsRoot(t) || sym.strong {
			continue
		}
		if sym.weak {
			log.Warn("row id \"%s\" was created but only a weak reference to it was inserted, so it will not actually appear in the database", name)
		} else {
			log.Warn("row id \"%s\" was created but no reference to it was inserted, so it will not actually appear in the database", name)
		}
	}
	return nil
}

// FindRow finds the record of that name in a table; nil, without an error, if
// there is none and mustExist is false.
func (c *Context) FindRow(t *ovsdb.TableSchema, record string, mustExist bool) (*client.Row, error) {
	if u, ok := ovsdb.ParseUUID(record); ok {
		if row := c.Txn.Row(t.Name, u); row != nil {
			return row, nil
		}
	}
	if sym := c.Symbols.m[record]; sym != nil && sym.created {
		if row := c.Txn.Row(t.Name, sym.uuid); row != nil {
			return row, nil
		}
	}
	if record == "." {
		if row := c.only(t); row != nil {
			return row, nil
		}
	}
	for _, id := range c.Prog.RowIDs[t.Name] {
		row, err := c.byName(t, &id, record)
		if row != nil || err != nil {
			return row, err
		}
	}
	if row, err := c.byPrefix(t, record); row != nil || err != nil {
		return row, err
	}
	if mustExist {
		return nil, fmt.Errorf("no row \"%s\" in table %s", record, t.Name)
	}
	return nil, nil
}

// uuidPrefix reports whether a record's name may be the beginning of its UUID:
// at least 4 digits, but not all.
func uuidPrefix(name string) bool {
	n := ovsdb.UUIDPrefixLen(name)
	return n >= 4 && n == len(name) && n < 36
}

// byPrefix finds a record by the beginning of its UUID, at least 4 digits.
func (c *Context) byPrefix(t *ovsdb.TableSchema, record string) (*client.Row, error) {
	if !uuidPrefix(record) {
		return nil, nil
	}
	var found *client.Row
	for row := range c.Txn.Rows(t.Name) {
		if strings.HasPrefix(row.UUID().String(), strings.ToLower(record)) {
			if found != nil {
				return nil, fmt.Errorf("%s contains 2 or more rows whose UUIDs begin with %s", t.Name, record)
			}
			found = row
		}
	}
	return found, nil
}

// byName finds a record by one kind of name.
func (c *Context) byName(t *ovsdb.TableSchema, id *RowID, record string) (*client.Row, error) {
	if id.Column == "" {
		return nil, nil // FindRow has looked
	}
	var found *client.Row
	for row := range c.Txn.Rows(id.Table) {
		if !nameMatches(row, id, record) {
			continue
		}
		if found != nil {
			return nil, fmt.Errorf("multiple rows in %s match \"%s\"", id.Table, record)
		}
		found = row
	}
	if found == nil || id.Via == "" {
		return found, nil
	}
	refs := found.Datum(id.Via)
	if refs.Len() == 0 {
		return nil, nil
	}
	if refs.Len() > 1 {
		return nil, fmt.Errorf("multiple rows in %s match \"%s\"", t.Name, record)
	}
	return c.Txn.Row(t.Name, refs.UUID()), nil
}

func nameMatches(row *client.Row, id *RowID, record string) bool {
	d, ok := row.Get(id.Column)
	if !ok {
		return false
	}
	if id.Key != "" {
		return d.GetString(id.Key) == record
	}
	return d.Len() == 1 && string(d.AppendBare(nil)) == record
}

// only returns the only row of a table, nil if there are more or none.
func (c *Context) only(t *ovsdb.TableSchema) *client.Row {
	var found *client.Row
	for row := range c.Txn.Rows(t.Name) {
		if found != nil {
			return nil
		}
		found = row
	}
	return found
}

// errNoColumn is the error of a column that the server's schema lacks.
func errNoColumn(t *ovsdb.TableSchema, c *ovsdb.ColumnSchema) error {
	return fmt.Errorf("the server's database has no column %s in table %s: its schema is another version", c.Name, t.Name)
}

// typeOf returns the type that the server gives a column.
func (c *Context) typeOf(t *ovsdb.TableSchema, col *ovsdb.ColumnSchema) (*ovsdb.ColumnType, error) {
	if st := c.Txn.Snapshot().Schema().Table(t.Name); st != nil {
		if sc := st.Column(col.Name); sc != nil {
			return &sc.Type, nil
		}
	}
	return nil, errNoColumn(t, col)
}

// textError makes an error of the text parser into one for the user.
func textError(e *ovsdb.Error) error {
	if e == nil {
		return nil
	}
	return errors.New(e.Error())
}
