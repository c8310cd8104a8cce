package storage

import (
	"strings"
	"time"

	"weir/internal/json"
	"weir/internal/ovsdb"
)

// Lookup returns the row that a table has now, or nil.
type Lookup func(table *ovsdb.TableSchema, uuid ovsdb.UUID) *ovsdb.StoredRow

// readRecord is a record on its way to become a transaction: split into pieces
// of rows first, which may then be decoded at the same time.
type readRecord struct {
	schema *ovsdb.DatabaseSchema
	data   []byte
	date   time.Time
	text   string // comment
	diff   bool
	pieces []*piece

	start, end int64 // where it is in its log
	bad        error // why it can't be split
}

// piece is some of a record's rows.
type piece struct {
	rows []pieceRow
	done chan struct{} // closed once it is decoded; nil where nobody waits
	err  error         // of the first row that can't be decoded
}

// pieceRow is a row of a record: a row for its table if it has none of that
// UUID, and what the record says of it otherwise.
type pieceRow struct {
	table   *ovsdb.TableSchema
	uuid    ovsdb.UUID
	raw     []byte           // unchecked; nil for a deletion
	new     *ovsdb.StoredRow // a new row
	notNew  *ovsdb.Error     // why it can't be one
	columns []*ovsdb.ColumnSchema
	values  []ovsdb.Datum
}

// split reads the record but for its rows, which it leaves in pieces of about
// the given size.
func (r *readRecord) split(size int) error {
	sp := splitter{r: r, s: json.NewScanner(r.data), size: size, piece: &piece{}}
	if sp.s.Next() != json.ObjectBegin {
		if sp.s.Err() != nil {
			return sp.s.Err()
		}
		return ovsdb.SyntaxErrorf(r.data, "", "object expected")
	}
	err := sp.s.Object(sp.member)
	if len(sp.piece.rows) > 0 {
		r.pieces = append(r.pieces, sp.piece)
	}
	if err != nil {
		return err
	}
	return sp.s.Finish()
}

// splitter reads a record and deals its rows out.
type splitter struct {
	r     *readRecord
	s     *json.Scanner
	size  int    // of a piece, in bytes of the record
	piece *piece // which gets the next row
	from  int    // where in the record it begins
}

// member reads a member of the record: a property, or a table with its rows.
func (sp *splitter) member(name string) error {
	sp.s.Next()
	if strings.HasPrefix(name, "_") {
		sp.r.property(name, sp.s)
		return sp.s.Skip()
	}
	table := sp.r.schema.Table(name)
	switch {
	case table == nil:
		return ovsdb.SyntaxErrorf(sp.r.data, ovsdb.TagUnknownTable, "No table named %s.", name)
	case sp.s.Kind() != json.ObjectBegin:
		return ovsdb.Errorf(ovsdb.TagSyntax, "object expected for table %s", table.Name)
	}
	return sp.s.Members(func([]byte) error { return sp.row(table) })
}

// row reads a member of a table, whose name the scanner has just read: a row.
func (sp *splitter) row(table *ovsdb.TableSchema) error {
	row := pieceRow{table: table}
	key := sp.s.View()
	var ok bool
	if row.uuid, ok = ovsdb.ParseUUID(key); !ok {
		return ovsdb.Errorf(ovsdb.TagSyntax, "\"%s\" is not a valid UUID", key)
	}
	switch sp.s.Next() {
	case json.Null:
	case json.ObjectBegin:
		var err error
		if row.raw, err = sp.s.Unchecked(); err != nil {
			return err
		}
	case json.Invalid:
		return sp.s.Err()
	default:
		return ovsdb.Errorf(ovsdb.TagSyntax, "row %s of table %s must be an object or null", row.uuid, table.Name)
	}
	p := sp.piece
	p.rows = append(p.rows, row)
	if sp.s.End()-sp.from >= sp.size {
		sp.r.pieces = append(sp.r.pieces, p)
		sp.piece, sp.from = &piece{rows: make([]pieceRow, 0, len(p.rows))}, sp.s.End()
	}
	return nil
}

// property takes a member that isn't a table.
func (r *readRecord) property(name string, s *json.Scanner) {
	switch {
	case name == "_date" && s.Kind() == json.Integer:
		r.date = dateOf(s.Int())
	case name == "_comment" && s.Kind() == json.String:
		r.text = s.Str()
	case name == "_is_diff":
		r.diff = s.Kind() == json.True
	}
}

// dateOf converts a "_date": milliseconds, or seconds in old files.
func dateOf(v int64) time.Time {
	if v < 1<<31 {
		return time.Unix(v, 0)
	}
	return time.UnixMilli(v)
}

// decode parses the rows.
func (p *piece) decode(r *readRecord) {
	if p.done != nil {
		defer close(p.done)
	}
	d := rowDecoder{dec: ovsdb.Decoder{Share: true}, diff: r.diff}
	for i := range p.rows {
		row := &p.rows[i]
		if row.raw == nil {
			continue
		}
		if p.err = d.row(row); p.err != nil {
			return
		}
	}
}

// rowDecoder parses rows. It keeps room from one to the next.
type rowDecoder struct {
	dec      ovsdb.Decoder
	scan     json.Scanner
	diff     bool
	table    *ovsdb.TableSchema
	defaults ovsdb.Row
	cells    ovsdb.Row
}

func (d *rowDecoder) row(row *pieceRow) error {
	t := row.table
	if d.table != t {
		d.table, d.defaults = t, t.DefaultRow()
		d.cells = make(ovsdb.Row, len(d.defaults))
	}
	copy(d.cells, d.defaults)
	s := &d.scan
	s.Reset(row.raw)
	s.Next()
	err := s.Members(func(name []byte) error {
		c := t.Column(string(name))
		if c == nil {
			return ovsdb.Errorf(ovsdb.TagUnknownColumn, "No column %s in table %s.", name, t.Name)
		}
		s.Next()
		v, err := d.value(row, c)
		d.cells[c.Index] = v
		row.columns, row.values = append(row.columns, c), append(row.values, v)
		return err
	})
	if err != nil {
		return err
	}
	if row.notNew == nil {
		row.new = ovsdb.PackRow(t, row.uuid, ovsdb.UUID{}, d.cells)
	}
	return s.Finish()
}

// value parses a column's value: what it is, or the difference that makes it.
func (d *rowDecoder) value(row *pieceRow, c *ovsdb.ColumnSchema) (ovsdb.Datum, error) {
	if !d.diff {
		return d.dec.Value(&c.Type, &d.scan)
	}
	v, err := d.dec.Unchecked(&c.Type, &d.scan)
	if err == nil && row.notNew == nil {
		row.notNew = c.Type.Check(v)
	}
	return v, err
}

// txn returns the transaction, all pieces being decoded.
func (r *readRecord) txn(rows Lookup) (*Txn, error) {
	n := 0
	for _, p := range r.pieces {
		n += len(p.rows)
	}
	t := &Txn{Date: r.date, Comment: r.text, Changes: make([]Change, 0, n)}
	for _, p := range r.pieces {
		if p.done != nil {
			<-p.done
		}
		if p.err != nil {
			return nil, p.err
		}
		for i := range p.rows {
			c, err := p.rows[i].change(r.diff, rows)
			if err != nil {
				return nil, err
			}
			t.Changes = append(t.Changes, c)
		}
		p.rows = nil
	}
	return t, nil
}

// change returns what the record makes of the row that the table has now.
func (row *pieceRow) change(diff bool, rows Lookup) (Change, error) {
	c := Change{Table: row.table, UUID: row.uuid, Old: rows(row.table, row.uuid)}
	switch {
	case row.raw == nil && c.Old == nil:
		return c, ovsdb.Errorf(ovsdb.TagSyntax, "can't delete nonexistent row %s of table %s", row.uuid, row.table.Name)
	case row.raw == nil:
		return c, nil
	case c.Old == nil && row.notNew != nil:
		return c, row.notNew
	case c.Old == nil:
		c.New = row.new
		return c, nil
	}
	now := make(ovsdb.Row, len(row.table.Columns))
	for i, column := range row.columns {
		v := row.values[i]
		if diff {
			var e *ovsdb.Error
			if v, e = column.Type.ApplyDiff(c.Old.Get(column), v); e != nil {
				return c, e
			}
		}
		now[column.Index] = v
	}
	c.New = c.Old.With(row.table, row.columns, now, ovsdb.UUID{})
	return c, nil
}
