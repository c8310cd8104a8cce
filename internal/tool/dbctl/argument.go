package dbctl

import (
	"fmt"
	"strings"

	"weir/internal/ovsdb"
	"weir/internal/ovsdb/client"
)

// argument is a COLUMN[:KEY][OPERATOR VALUE] taken apart.
type argument struct {
	column *ovsdb.ColumnSchema
	key    string
	hasKey bool
	op     string // "" if there is none
	value  string
}

// operators are those of find and wait-until, each before its prefixes.
var operators = []string{"{in}", "{not-in}", "{!=}", "{<=}", "{>=}", "{=}", "{<}", "{>}", "!=", "<=", ">=", "=", "<", ">"}

// operatorList names them in the order of messages.
var operatorList = []string{"=", "!=", "<", ">", "<=", ">=", "{=}", "{!=}", "{<}", "{>}", "{<=}", "{>=}", "{in}", "{not-in}"}

// parseArgument takes arg apart.  allowed are the operators allowed, none of
// which has to be there if it is empty.
func parseArgument(t *ovsdb.TableSchema, arg string, allowed []string) (*argument, error) {
	name, rest, e := ovsdb.ScanToken(arg)
	if e != nil {
		return nil, textError(e)
	}
	if name == "" {
		return nil, fmt.Errorf("%s: missing column name", arg)
	}
	a := &argument{}
	var err error
	if a.column, err = column(t, name); err != nil {
		return nil, err
	}
	if strings.HasPrefix(rest, ":") {
		token, after, e := ovsdb.ScanToken(rest[1:])
		if e != nil {
			return nil, textError(e)
		}
		a.key, a.hasKey, rest = token, true, after
	}
	if len(allowed) == 0 {
		if rest != "" {
			return nil, fmt.Errorf("%s: trailing garbage \"%s\" in argument", arg, rest)
		}
		return a, nil
	}
	for _, op := range operators {
		if strings.HasPrefix(rest, op) {
			a.op, a.value = op, rest[len(op):]
			break
		}
	}
	for _, op := range allowed {
		if op == a.op && a.value != "" {
			return a, nil
		}
	}
	return nil, fmt.Errorf("%s: argument does not end in %s followed by a value.", arg, operatorText(allowed))
}

// operatorText joins operators for a message: "a", "b", or "c".
func operatorText(ops []string) string {
	var b strings.Builder
	for i, op := range ops {
		switch {
		case i == 0:
		case i == len(ops)-1:
			b.WriteString(", or ")
		default:
			b.WriteString(", ")
		}
		fmt.Fprintf(&b, "\"%s\"", op)
	}
	return b.String()
}

// SetColumn carries out COLUMN[:KEY]=VALUE on a row.
func (c *Context) SetColumn(t *ovsdb.TableSchema, row ovsdb.UUID, arg string) error {
	a, err := parseArgument(t, arg, []string{"="})
	if err != nil {
		return err
	}
	if a.column.Index == ovsdb.UUIDColumn {
		return fmt.Errorf("%s does not contain a column whose name matches \"%s\"", t.Name, a.column.Name)
	}
	typ, err := c.typeOf(t, a.column)
	if err != nil {
		return err
	}
	if err := c.mutable(t, row, a.column); err != nil {
		return err
	}
	if !a.hasKey {
		d, e := typ.ParseText(a.value, c.Symbols)
		if e != nil {
			return textError(e)
		}
		c.Symbols.used(typ, d)
		return c.Txn.Set(t.Name, row, a.column.Name, d)
	}
	if !typ.IsMap() {
		return fmt.Errorf("cannot specify key to set for non-map column %s", a.column.Name)
	}
	key, e := ovsdb.ParseAtomText(a.key, &typ.Key, c.Symbols)
	if e != nil {
		return textError(e)
	}
	value, e := ovsdb.ParseAtomText(a.value, &typ.Value, c.Symbols)
	if e != nil {
		return textError(e)
	}
	d := ovsdb.MapDatum(typ.Key.Type, typ.Value.Type, []ovsdb.Pair{{Key: key, Value: value}})
	c.Symbols.used(typ, d)
	return c.Txn.SetKeys(t.Name, row, a.column.Name, d)
}

// mutable complains about a column that may not change, in a row that was there
// before the transaction.
func (c *Context) mutable(t *ovsdb.TableSchema, row ovsdb.UUID, col *ovsdb.ColumnSchema) error {
	if !col.Mutable && c.Txn.Snapshot().Row(t.Name, row) != nil || col.Index <= ovsdb.VersionColumn {
		return fmt.Errorf("cannot modify read-only column %s in table %s", col.Name, t.Name)
	}
	return nil
}

// matches tells whether row satisfies COLUMN[:KEY]OP VALUE.
func (c *Context) matches(t *ovsdb.TableSchema, row *client.Row, arg string) (bool, error) {
	a, err := parseArgument(t, arg, operatorList)
	if err != nil {
		return false, err
	}
	typ, err := c.typeOf(t, a.column)
	if err != nil {
		return false, err
	}
	have, _ := row.Get(a.column.Name)
	if !a.hasKey {
		want, e := typ.ParseText(a.value, c.Symbols)
		if e != nil {
			return false, textError(e)
		}
		return compare(have, a.op, want), nil
	}
	if !typ.IsMap() {
		return false, fmt.Errorf("cannot specify key to check for non-map column %s", a.column.Name)
	}
	key, e := ovsdb.ParseAtomText(a.key, &typ.Key, c.Symbols)
	if e != nil {
		return false, textError(e)
	}
	valueType := ovsdb.SetType(typ.Value, 0, ovsdb.Unlimited)
	want, e := valueType.ParseText(a.value, c.Symbols)
	if e != nil {
		return false, textError(e)
	}
	value, ok := have.Get(key)
	if !ok {
		return strings.HasPrefix(a.op, "{") && compare(valueType.Empty(), a.op, want), nil
	}
	return compare(ovsdb.ScalarDatum(value), a.op, want), nil
}

// compare applies an operator of find (ovs-vsctl(8)).
func compare(have ovsdb.Datum, op string, want ovsdb.Datum) bool {
	switch op {
	case "=", "{=}":
		return have == want
	case "!=", "{!=}":
		return have != want
	case "<":
		return have.Compare(want) < 0
	case ">":
		return have.Compare(want) > 0
	case "<=":
		return have.Compare(want) <= 0
	case ">=":
		return have.Compare(want) >= 0
	case "{<}":
		return want.IncludesAll(have) && have != want
	case "{<=}", "{in}":
		return want.IncludesAll(have)
	case "{>}":
		return have.IncludesAll(want) && have != want
	case "{>=}":
		return have.IncludesAll(want)
	}
	return have.ExcludesAll(want) // {not-in}
}
