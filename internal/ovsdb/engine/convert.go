package engine

import (
	"weir/internal/json"
	"weir/internal/ovsdb"
)

// Convert returns the contents of s under another schema: tables and columns
// that it lacks are left out, new columns get their defaults. All of the new
// schema's constraints must hold (ovsdb-server(7), 4.1.19).
func Convert(s *Snapshot, to *Layout) (*Snapshot, *ovsdb.Error) {
	empty := NewSnapshot(to)
	x := newTxn(empty, NewDB(empty))
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
			k := rowKey{t.Num, row.ID}
			x.insert(k, cols)
			cols[ovsdb.VersionColumn] = row.Cols[ovsdb.VersionColumn]
		}
	}
	changes, err := x.check()
	if err != nil {
		return nil, err
	}
	return empty.With(changes, s.TxnID), nil
}

func convertRow(from, to *Table, row *Row) (ovsdb.Row, *ovsdb.Error) {
	cols := append(ovsdb.Row(nil), to.defaults...)
	for _, c := range to.Columns {
		old := from.Column(c.Name)
		if old == nil {
			continue
		}
		d := row.Cols[old.Index]
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
