package dbctl

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"slices"

	"weir/internal/ovsdb"
)

// Values are columns of a row to insert or change, by name.
type Values map[string]ovsdb.Datum

// Str is the datum of a string.
func Str(s string) ovsdb.Datum { return ovsdb.ScalarDatum(ovsdb.StringAtom(s)) }

// Int is the datum of an integer.
func Int(v int64) ovsdb.Datum { return ovsdb.ScalarDatum(ovsdb.IntAtom(v)) }

// Bool is the datum of a boolean.
func Bool(v bool) ovsdb.Datum { return ovsdb.ScalarDatum(ovsdb.BoolAtom(v)) }

// Refs is a set of references to rows.
func Refs(us ...ovsdb.UUID) ovsdb.Datum {
	atoms := make([]ovsdb.Atom, len(us))
	for i, u := range us {
		atoms[i] = ovsdb.UUIDAtom(u)
	}
	return ovsdb.SetDatum(ovsdb.UUIDType, atoms)
}

// Insert adds a row with the values given.
func (c *Context) Insert(table string, v Values) (ovsdb.UUID, error) {
	u, err := c.Txn.Insert(table)
	if err != nil {
		return u, err
	}
	return u, c.Update(table, u, v)
}

// Update sets columns of a row.
func (c *Context) Update(table string, u ovsdb.UUID, v Values) error {
	for _, column := range slices.Sorted(maps.Keys(v)) {
		err := c.Txn.Set(table, u, column, v[column])
		if errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("the server's database has no column %s in table %s: its schema is another version", column, table)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// PrintSorted prints lines in order.
func (c *Context) PrintSorted(lines []string) {
	for _, l := range slices.Sorted(slices.Values(lines)) {
		c.Printf("%s\n", l)
	}
}
