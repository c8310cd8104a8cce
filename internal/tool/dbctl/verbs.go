package dbctl

import (
	"fmt"

	"weir/internal/ovsdb"
	"weir/internal/ovsdb/client"
	"weir/internal/tool/table"
)

// verbs returns the commands that every tool has.
func (p *Program) verbs() []Syntax {
	out := []Syntax{
		{Name: "comment", Min: 0, Max: Unlimited, Args: "*ARG", Run: func(*Context) error { return nil }},
		{Name: "get", Min: 2, Max: Unlimited, Args: "!TABLE !RECORD *COLUMN?:KEY", Options: "--if-exists,--id=", ReadOnly: true, Needs: needsColumns(3), Run: cmdGet},
		{Name: "list", Min: 1, Max: Unlimited, Args: "!TABLE *RECORD", Options: "--if-exists,--columns=", ReadOnly: true, Needs: needsList, Run: cmdList},
		{Name: "find", Min: 1, Max: Unlimited, Args: "!TABLE *COLUMN?:KEY=VALUE", Options: "--columns=", ReadOnly: true, Needs: needsFind, Run: cmdFind},
		{Name: "set", Min: 3, Max: Unlimited, Args: "!TABLE !RECORD +COLUMN?:KEY=VALUE", Options: "--if-exists", Needs: needsColumns(3), Run: cmdSet, writesAny: true},
		{Name: "add", Min: 4, Max: Unlimited, Args: "!TABLE !RECORD !COLUMN +?KEY=VALUE", Options: "--if-exists", Needs: needsColumn, Run: cmdAdd, writesAny: true},
		{Name: "remove", Min: 4, Max: Unlimited, Args: "!TABLE !RECORD !COLUMN +KEY|VALUE|KEY=VALUE", Options: "--if-exists", Needs: needsColumn, Run: cmdRemove, writesAny: true},
		{Name: "clear", Min: 3, Max: Unlimited, Args: "!TABLE !RECORD +COLUMN", Options: "--if-exists", Needs: needsColumns(3), Run: cmdClear, writesAny: true},
		{Name: "create", Min: 2, Max: Unlimited, Args: "!TABLE +COLUMN?:KEY=VALUE", Options: "--id=", Needs: needsCreate, Run: cmdCreate, Post: postCreate, writesAny: true},
		{Name: "destroy", Min: 1, Max: Unlimited, Args: "!TABLE *RECORD", Options: "--if-exists,--all", Needs: needsRecords, Run: cmdDestroy, writesAny: true},
		{Name: "wait-until", Min: 2, Max: Unlimited, Args: "!TABLE !RECORD *COLUMN?:KEY=VALUE", ReadOnly: true, Needs: needsColumns(3), Run: cmdWaitUntil},
	}
	if len(p.Show) > 0 {
		out = append(out, Syntax{Name: "show", Args: "", Options: "--filter=", ReadOnly: true, Needs: needsShow, Run: cmdShow})
	}
	return out
}

// listing prepares the output of list and find.
func (c *Context) listing() (*ovsdb.TableSchema, []*ovsdb.ColumnSchema, error) {
	t, err := c.Prog.Table(c.Argv[1])
	if err != nil {
		return nil, nil, err
	}
	columns, err := listColumns(t, c.Command)
	if err != nil {
		return nil, nil, err
	}
	// Columns that the server's version of the schema lacks aren't listed.
	_, given := c.Options["--columns"]
	var have []*ovsdb.ColumnSchema
	for _, col := range columns {
		if _, err := c.typeOf(t, col); err == nil {
			have = append(have, col)
		} else if given {
			return nil, nil, err
		}
	}
	c.Table = &table.Table{}
	for _, col := range have {
		c.Table.Headings = append(c.Table.Headings, col.Name)
	}
	return t, have, nil
}

func (c *Context) listRow(t *ovsdb.TableSchema, columns []*ovsdb.ColumnSchema, row *client.Row) {
	cells := make([]table.Cell, len(columns))
	for i, col := range columns {
		typ, _ := c.typeOf(t, col)
		d, _ := row.Get(col.Name)
		cells[i] = table.Value(typ, d)
	}
	c.Table.Rows = append(c.Table.Rows, cells)
}

func cmdList(c *Context) error {
	t, columns, err := c.listing()
	if err != nil {
		return err
	}
	if len(c.Argv) == 2 {
		for row := range c.Txn.Rows(t.Name) {
			c.listRow(t, columns, row)
		}
		return nil
	}
	for _, record := range c.Argv[2:] {
		row, err := c.FindRow(t, record, !c.Has("--if-exists"))
		if err != nil {
			return err
		}
		if row != nil {
			c.listRow(t, columns, row)
		}
	}
	return nil
}

func cmdFind(c *Context) error {
	t, columns, err := c.listing()
	if err != nil {
		return err
	}
	for row := range c.Txn.Rows(t.Name) {
		ok, err := c.satisfies(t, row, c.Argv[2:])
		if err != nil {
			return err
		}
		if ok {
			c.listRow(t, columns, row)
		}
	}
	return nil
}

func (c *Context) satisfies(t *ovsdb.TableSchema, row *client.Row, conditions []string) (bool, error) {
	for _, arg := range conditions {
		if ok, err := c.matches(t, row, arg); !ok || err != nil {
			return false, err
		}
	}
	return true, nil
}

// record finds the record of the command's first two arguments.
func (c *Context) record() (*ovsdb.TableSchema, *client.Row, error) {
	t, err := c.Prog.Table(c.Argv[1])
	if err != nil {
		return nil, nil, err
	}
	row, err := c.FindRow(t, c.Argv[2], !c.Has("--if-exists"))
	return t, row, err
}

func cmdGet(c *Context) error {
	t, row, err := c.record()
	if err != nil || row == nil {
		return err
	}
	id, named := c.Options["--id"]
	if named {
		if c.Symbols.m[id] != nil && !c.Symbols.m[id].created {
			return fmt.Errorf("row id \"%s\" specified on \"get\" command was used before it was defined", id)
		}
		sym, err := c.Symbols.define(id)
		if err != nil {
			return err
		}
		// A row that exists already needn't be referred to.
		sym.uuid, sym.strong = row.UUID(), true
	}
	for _, arg := range c.Argv[3:] {
		if err := c.getColumn(t, row, arg); err != nil {
			return err
		}
	}
	return nil
}

func (c *Context) getColumn(t *ovsdb.TableSchema, row *client.Row, arg string) error {
	a, err := parseArgument(t, arg, nil)
	if err != nil {
		return err
	}
	typ, err := c.typeOf(t, a.column)
	if err != nil {
		return err
	}
	d, _ := row.Get(a.column.Name)
	if !a.hasKey {
		c.Printf("%s\n", d.Text(typ))
		return nil
	}
	if !typ.IsMap() {
		return fmt.Errorf("cannot specify key to get for non-map column %s", a.column.Name)
	}
	key, e := ovsdb.ParseAtomText(a.key, &typ.Key, c.Symbols)
	if e != nil {
		return textError(e)
	}
	value, ok := d.Get(key)
	switch {
	case ok:
		c.Printf("%s\n", value)
	case c.Has("--if-exists"):
		c.Printf("\n")
	default:
		return fmt.Errorf("no key \"%s\" in %s record \"%s\" column %s", a.key, t.Name, c.Argv[2], a.column.Name)
	}
	return nil
}

func cmdSet(c *Context) error {
	t, row, err := c.record()
	if err != nil || row == nil {
		return err
	}
	for _, arg := range c.Argv[3:] {
		if err := c.SetColumn(t, row.UUID(), arg); err != nil {
			return err
		}
	}
	return nil
}

// writable finds the record and the column of "add" and "remove".
func (c *Context) writable() (t *ovsdb.TableSchema, row *client.Row, col *ovsdb.ColumnSchema, typ *ovsdb.ColumnType, err error) {
	t, row, err = c.record()
	if err != nil || row == nil {
		return
	}
	if col, err = column(t, c.Argv[3]); err != nil {
		return
	}
	if typ, err = c.typeOf(t, col); err != nil {
		return
	}
	err = c.mutable(t, row.UUID(), col)
	return
}

func cmdAdd(c *Context) error {
	t, row, col, typ, err := c.writable()
	if err != nil || row == nil {
		return err
	}
	loose := *typ
	loose.Min, loose.Max = 1, ovsdb.Unlimited
	more := loose.Empty()
	for _, arg := range c.Argv[4:] {
		d, e := loose.ParseText(arg, c.Symbols)
		if e != nil {
			return textError(e)
		}
		more = more.Union(d, false)
	}
	c.Symbols.used(typ, more)
	now, _ := row.Get(col.Name)
	now = now.Union(more, false)
	// Nobody reads what the last command leaves, so the server checks it.
	if uint64(now.Len()) > uint64(typ.Max) && !c.Last {
		return fmt.Errorf("\"add\" operation would put %d %s in column %s of table %s but the maximum number is %d",
			now.Len(), elements(typ), col.Name, t.Name, typ.Max)
	}
	return c.Txn.AddElements(t.Name, row.UUID(), col.Name, more)
}

func cmdRemove(c *Context) error {
	t, row, col, typ, err := c.writable()
	if err != nil || row == nil {
		return err
	}
	loose := *typ
	loose.Min, loose.Max = 1, ovsdb.Unlimited
	keys := loose
	keys.Value = ovsdb.NewBaseType(ovsdb.Void)
	now, _ := row.Get(col.Name)
	for _, arg := range c.Argv[4:] {
		less, e := loose.ParseText(arg, c.Symbols)
		if e != nil && typ.IsMap() {
			less, e = keys.ParseText(arg, c.Symbols)
		}
		if e != nil {
			return textError(e)
		}
		if less.IsMap() {
			less = presentKeys(now, less)
		}
		now = now.Subtract(less)
		if now.Len() < int(typ.Min) {
			return fmt.Errorf("\"remove\" operation would put %d %s in column %s of table %s but the minimum number is %d",
				now.Len(), elements(typ), col.Name, t.Name, typ.Min)
		}
		if typ.Max == 1 {
			err = c.Txn.Set(t.Name, row.UUID(), col.Name, now)
		} else {
			err = c.Txn.RemoveElements(t.Name, row.UUID(), col.Name, less)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// presentKeys returns the keys of the pairs of less that are in now.
func presentKeys(now, less ovsdb.Datum) ovsdb.Datum {
	var keys []ovsdb.Atom
	for i := range less.Len() {
		if v, ok := now.Get(less.Key(i)); ok && v == less.Value(i) {
			keys = append(keys, less.Key(i))
		}
	}
	return ovsdb.SetDatum(less.KeyType(), keys)
}

func elements(t *ovsdb.ColumnType) string {
	if t.IsMap() {
		return "pairs"
	}
	return "values"
}

func cmdClear(c *Context) error {
	t, row, err := c.record()
	if err != nil || row == nil {
		return err
	}
	for _, arg := range c.Argv[3:] {
		col, err := column(t, arg)
		if err != nil {
			return err
		}
		typ, err := c.typeOf(t, col)
		if err != nil {
			return err
		}
		if err := c.mutable(t, row.UUID(), col); err != nil {
			return err
		}
		if typ.Min > 0 {
			return fmt.Errorf("\"clear\" operation cannot be applied to column %s of table %s, which is not allowed to be empty", col.Name, t.Name)
		}
		if err := c.Txn.Set(t.Name, row.UUID(), col.Name, typ.Empty()); err != nil {
			return err
		}
	}
	return nil
}

func cmdCreate(c *Context) error {
	t, err := c.Prog.Table(c.Argv[1])
	if err != nil {
		return err
	}
	u := ovsdb.NewUUID()
	id, named := c.Options["--id"]
	own, isUUID := ovsdb.ParseUUID(id)
	if isUUID {
		u = own
	} else if named {
		sym, err := c.Symbols.define(id)
		if err != nil {
			return err
		}
		sym.table = t.Name
		u = sym.uuid
	}
	insert := c.Txn.InsertNamed
	if isUUID {
		insert = c.Txn.InsertUUID
	}
	if err := insert(t.Name, u); err != nil {
		return err
	}
	c.created = u
	for _, arg := range c.Argv[2:] {
		if err := c.SetColumn(t, u, arg); err != nil {
			return err
		}
	}
	c.Printf("%s\n", u)
	return nil
}

// postCreate prints the UUID that the new row got.
func postCreate(c *Context) error {
	c.Out.Reset()
	c.Printf("%s\n", c.Result.UUID(c.created))
	return nil
}

func cmdDestroy(c *Context) error {
	t, err := c.Prog.Table(c.Argv[1])
	if err != nil {
		return err
	}
	switch all := c.Has("--all"); {
	case all && len(c.Argv) > 2:
		return fmt.Errorf("--all and records argument should not be specified together")
	case all && c.Has("--if-exists"):
		return fmt.Errorf("--all and --if-exists should not be specified together")
	case !all && len(c.Argv) == 2:
		log.Warn("either --all or records argument should be specified")
		return nil
	case all:
		for row := range c.Txn.Rows(t.Name) {
			if err := c.Txn.Delete(t.Name, row.UUID()); err != nil {
				return err
			}
		}
		return nil
	}
	for _, record := range c.Argv[2:] {
		row, err := c.FindRow(t, record, !c.Has("--if-exists"))
		if err != nil {
			return err
		}
		if row != nil {
			if err := c.Txn.Delete(t.Name, row.UUID()); err != nil {
				return err
			}
		}
	}
	return nil
}

func cmdWaitUntil(c *Context) error {
	t, err := c.Prog.Table(c.Argv[1])
	if err != nil {
		return err
	}
	row, err := c.FindRow(t, c.Argv[2], false)
	if err != nil {
		return err
	}
	if row == nil {
		c.TryAgain = true
		return nil
	}
	ok, err := c.satisfies(t, row, c.Argv[3:])
	c.TryAgain = c.TryAgain || !ok
	return err
}
