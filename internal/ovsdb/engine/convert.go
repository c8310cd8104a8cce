package engine

import (
	"weir/internal/json"
	"weir/internal/ovsdb"
)

// Convert returns the contents of s under another schema: tables and columns
// that it lacks are left out, new columns get their defaults. All of the new
// schema's constraints must hold (ovsdb-server(7), 4.1.19).
func Convert(s *Snapshot, to *Layout) (*Snapshot, *ovsdb.Error) {
	db := NewDB(NewSnapshot(to))
	x := newTxn(to, db.rows, db)
	for _, t := range to.Tables {
		from := s.Layout.Table(t.Name)
		if from == nil {
			continue
		}
		for row := range s.Tables[from.Num].All() {
			cols, err := convertRow(from, t, row)
			if err != nil {
				return nil, err
			}
			x.insert(t, ovsdb.PackRow(t.TableSchema, row.ID, row.Version, cols), true)
		}
	}
	changes, err := x.check()
	if err != nil {
		return nil, err
	}
	db.Apply(changes, s.TxnID)
	return db.Head(), nil
}

func convertRow(from, to *Table, row *Row) (ovsdb.Row, *ovsdb.Error) {
	cols := append(ovsdb.Row(nil), to.defaults...)
	for _, c := range to.Columns {
		old := from.Column(c.Name)
		if old == nil {
			continue
		}
		d := row.Get(old)
		if old.Type != c.Type {
			scan := json.NewScanner(d.AppendJSON(nil))
			scan.Next()
			var err error
			if d, err = c.Type.ParseJSON(scan, nil); err != nil {
				return nil, ovsdb.AsError(err)
			}
		}
		cols[c.Index] = d
	}
	return cols, nil
}
