package storage

import (
	"slices"
	"strings"
	"time"

	"weir/internal/json"
	"weir/internal/ovsdb"
)

// Txn is one transaction as a log record has it.
type Txn struct {
	Date    time.Time // zero if the record has none
	Comment string
	Changes []Change
}

// Change is what a transaction did to one row: Old is nil for an insertion and
// New for a deletion.  Rows hold all columns, _uuid among them.
type Change struct {
	Table *ovsdb.TableSchema
	UUID  ovsdb.UUID
	Old   ovsdb.Row
	New   ovsdb.Row
}

// Lookup returns the row that a table has now, or nil.
type Lookup func(table *ovsdb.TableSchema, uuid ovsdb.UUID) ovsdb.Row

// Encode returns the record of t: only what persistent columns have to tell, an
// inserted row without its default values.  With diff a modified column is
// written as its difference from the old value (ovsdb(5), "_is_diff").  It
// returns nil if there is nothing to tell.
func (t *Txn) Encode(diff bool) []byte {
	changes := slices.Clone(t.Changes)
	slices.SortStableFunc(changes, func(a, b Change) int {
		if c := strings.Compare(a.Table.Name, b.Table.Name); c != 0 {
			return c
		}
		return slices.Compare(a.UUID[:], b.UUID[:])
	})
	dst := append(make([]byte, 0, 256), '{')
	table := ""
	for i := range changes {
		row, ok := changes[i].appendRow(nil, diff)
		if !ok {
			continue
		}
		if name := changes[i].Table.Name; name != table {
			if table != "" {
				dst = append(dst, "},"...)
			}
			table = name
			dst = json.AppendString(dst, name)
			dst = append(dst, ":{"...)
		} else {
			dst = append(dst, ',')
		}
		dst = append(dst, '"')
		dst = changes[i].UUID.Append(dst)
		dst = append(dst, `":`...)
		dst = append(dst, row...)
	}
	if table == "" && t.Comment == "" {
		return nil
	}
	if table != "" {
		dst = append(dst, "},"...)
	}
	return t.appendProperties(dst, diff)
}

func (t *Txn) appendProperties(dst []byte, diff bool) []byte {
	if t.Comment != "" {
		dst = append(dst, `"_comment":`...)
		dst = json.AppendString(dst, t.Comment)
		dst = append(dst, ',')
	}
	if !t.Date.IsZero() {
		dst = append(dst, `"_date":`...)
		dst = ovsdb.IntAtom(t.Date.UnixMilli()).AppendJSON(dst)
		dst = append(dst, ',')
	}
	if diff {
		dst = append(dst, `"_is_diff":true,`...)
	}
	if dst[len(dst)-1] == ',' {
		dst = dst[:len(dst)-1]
	}
	return append(dst, '}')
}

// appendRow appends the change's new row, or null; false if it has nothing that
// a file keeps.
func (c *Change) appendRow(dst []byte, diff bool) ([]byte, bool) {
	if c.New == nil {
		return append(dst, "null"...), true
	}
	dst = append(dst, '{')
	start := len(dst)
	for _, col := range c.Table.Columns {
		if !col.Persistent || col.Index == ovsdb.UUIDColumn {
			continue
		}
		value := c.New[col.Index]
		switch {
		case c.Old == nil && value.IsDefault(&col.Type), c.Old != nil && c.Old[col.Index] == value:
			continue
		case c.Old != nil && diff:
			value = col.Type.Diff(c.Old[col.Index], value)
		}
		if len(dst) > start {
			dst = append(dst, ',')
		}
		dst = json.AppendString(dst, col.Name)
		dst = append(dst, ':')
		dst = value.AppendJSON(dst)
	}
	return append(dst, '}'), c.Old == nil || len(dst) > start
}

// DecodeTxn parses a transaction's record; rows tells the rows before it.
func DecodeTxn(schema *ovsdb.DatabaseSchema, record []byte, rows Lookup) (*Txn, error) {
	d := txnDecoder{schema: schema, rows: rows, txn: &Txn{}}
	if err := d.properties(record); err != nil {
		return nil, err
	}
	s := json.NewScanner(record)
	s.Next()
	err := s.Object(func(name string) error {
		s.Next()
		if strings.HasPrefix(name, "_") {
			return s.Skip()
		}
		table := schema.Table(name)
		if table == nil {
			return ovsdb.SyntaxErrorf(record, ovsdb.TagUnknownTable, "No table named %s.", name)
		}
		return d.table(s, table)
	})
	if err != nil {
		return nil, err
	}
	return d.txn, s.Finish()
}

type txnDecoder struct {
	schema *ovsdb.DatabaseSchema
	rows   Lookup
	txn    *Txn
	diff   bool
}

// properties reads the members that aren't tables; "_is_diff" has to be known
// before any table.
func (d *txnDecoder) properties(record []byte) error {
	s := json.NewScanner(record)
	if s.Next() != json.ObjectBegin {
		return ovsdb.SyntaxErrorf(record, "", "object expected")
	}
	return s.Object(func(name string) error {
		s.Next()
		switch {
		case name == "_date" && s.Kind() == json.Integer:
			d.txn.Date = dateOf(s.Int())
		case name == "_comment" && s.Kind() == json.String:
			d.txn.Comment = s.Str()
		case name == "_is_diff":
			d.diff = s.Kind() == json.True
		}
		return s.Skip()
	})
}

// dateOf converts a "_date": milliseconds, or seconds in old files.
func dateOf(v int64) time.Time {
	if v < 1<<31 {
		return time.Unix(v, 0)
	}
	return time.UnixMilli(v)
}

func (d *txnDecoder) table(s *json.Scanner, table *ovsdb.TableSchema) error {
	if s.Kind() != json.ObjectBegin {
		return ovsdb.Errorf(ovsdb.TagSyntax, "object expected for table %s", table.Name)
	}
	return s.Object(func(key string) error {
		s.Next()
		uuid, ok := ovsdb.ParseUUID(key)
		if !ok {
			return ovsdb.Errorf(ovsdb.TagSyntax, "\"%s\" is not a valid UUID", key)
		}
		return d.row(s, Change{Table: table, UUID: uuid, Old: d.rows(table, uuid)})
	})
}

func (d *txnDecoder) row(s *json.Scanner, c Change) error {
	if s.Kind() == json.Null {
		if c.Old == nil {
			return ovsdb.Errorf(ovsdb.TagSyntax, "can't delete nonexistent row %s of table %s", c.UUID, c.Table.Name)
		}
		d.txn.Changes = append(d.txn.Changes, c)
		return nil
	}
	if s.Kind() != json.ObjectBegin {
		return ovsdb.Errorf(ovsdb.TagSyntax, "row %s of table %s must be an object or null", c.UUID, c.Table.Name)
	}
	if c.Old != nil {
		c.New = slices.Clone(c.Old)
	} else {
		c.New = c.Table.DefaultRow()
		c.New[ovsdb.UUIDColumn] = ovsdb.ScalarDatum(ovsdb.UUIDAtom(c.UUID))
	}
	err := s.Object(func(name string) error {
		s.Next()
		col := c.Table.Column(name)
		if col == nil {
			return ovsdb.Errorf(ovsdb.TagUnknownColumn, "No column %s in table %s.", name, c.Table.Name)
		}
		return d.column(s, &c, col)
	})
	d.txn.Changes = append(d.txn.Changes, c)
	return err
}

func (d *txnDecoder) column(s *json.Scanner, c *Change, col *ovsdb.ColumnSchema) error {
	if !d.diff || c.Old == nil {
		v, err := col.Type.ParseJSON(s, nil)
		c.New[col.Index] = v
		return err
	}
	v, err := col.Type.ParseJSONUnchecked(s, nil)
	if err != nil {
		return err
	}
	v, e := col.Type.ApplyDiff(c.Old[col.Index], v)
	if e != nil {
		return e
	}
	c.New[col.Index] = v
	return nil
}
