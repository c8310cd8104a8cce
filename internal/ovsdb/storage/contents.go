package storage

import (
	"maps"
	"slices"

	"weir/internal/ovsdb"
)

// Contents is a whole database in memory, as a file has it.
type Contents struct {
	Schema *ovsdb.DatabaseSchema
	Tables map[string]map[ovsdb.UUID]*ovsdb.StoredRow
}

// NewContents returns an empty database.
func NewContents(schema *ovsdb.DatabaseSchema) *Contents {
	c := &Contents{Schema: schema, Tables: map[string]map[ovsdb.UUID]*ovsdb.StoredRow{}}
	for name := range schema.Tables {
		c.Tables[name] = map[ovsdb.UUID]*ovsdb.StoredRow{}
	}
	return c
}

// Load reads a whole database file.
func Load(name string) (*Contents, error) {
	f, err := OpenFile(name, ReadOnly)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	c := NewContents(f.Schema())
	return c, f.Replay(c.Lookup, c.Apply)
}

// Lookup is a Lookup of c's rows.
func (c *Contents) Lookup(t *ovsdb.TableSchema, u ovsdb.UUID) *ovsdb.StoredRow {
	return c.Tables[t.Name][u]
}

// Apply carries a transaction out on c.
func (c *Contents) Apply(t *Txn) error {
	for i := range t.Changes {
		change := &t.Changes[i]
		if change.New == nil {
			delete(c.Tables[change.Table.Name], change.UUID)
		} else {
			c.Tables[change.Table.Name][change.UUID] = change.New
		}
	}
	return nil
}

// Rows iterates over all rows, by table and UUID.
func (c *Contents) Rows() Rows {
	return func(yield func(*ovsdb.TableSchema, *ovsdb.StoredRow) bool) {
		for _, t := range c.Schema.SortedTables() {
			byUUID := func(a, b ovsdb.UUID) int { return slices.Compare(a[:], b[:]) }
			for _, u := range slices.SortedFunc(maps.Keys(c.Tables[t.Name]), byUUID) {
				if !yield(t, c.Tables[t.Name][u]) {
					return
				}
			}
		}
	}
}

// Convert returns c's rows in another schema: tables and columns that aren't in
// it are left out, new columns get their defaults, and values are checked
// against the new types (ovsdb-tool(1), convert).
func (c *Contents) Convert(schema *ovsdb.DatabaseSchema) (*Contents, error) {
	out := NewContents(schema)
	for old, row := range c.Rows() {
		t := schema.Table(old.Name)
		if t == nil {
			continue
		}
		converted := t.DefaultRow()
		for _, col := range t.Columns {
			from := old.Column(col.Name)
			if from == nil {
				continue
			}
			value, err := convertDatum(&from.Type, &col.Type, row.Get(from))
			if err != nil {
				return nil, err
			}
			converted[col.Index] = value
		}
		out.Tables[t.Name][row.ID] = ovsdb.PackRow(t, row.ID, ovsdb.UUID{}, converted)
	}
	return out, nil
}

func convertDatum(from, to *ovsdb.ColumnType, d ovsdb.Datum) (ovsdb.Datum, error) {
	if *from == *to {
		return d, nil
	}
	return to.ParseJSONText(d.AppendJSON(nil))
}
