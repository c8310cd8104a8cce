package client

import (
	"fmt"
	"slices"

	"weir/internal/json"
	"weir/internal/ovsdb"
)

// replica is a copy of some tables of a database, brought up to date by the
// updates that a monitor sends. One goroutine owns it; the snapshots that it
// gives are free.
type replica struct {
	schema *ovsdb.DatabaseSchema
	infos  map[string]*tableInfo
	tables map[string]*rowSet
	seq    uint64
}

// newReplica prepares for the tables wanted (a nil list of columns means all);
// nil wants every table. Tables and columns that the schema lacks are left out,
// so that a newer client works with an older database.
func newReplica(schema *ovsdb.DatabaseSchema, want map[string][]string) *replica {
	r := &replica{schema: schema, infos: map[string]*tableInfo{}, tables: map[string]*rowSet{}}
	for _, t := range schema.SortedTables() {
		columns, ok := want[t.Name]
		if want != nil && !ok {
			continue
		}
		r.infos[t.Name] = newTableInfo(t, columns)
		r.tables[t.Name] = &rowSet{}
	}
	return r
}

func newTableInfo(t *ovsdb.TableSchema, want []string) *tableInfo {
	info := &tableInfo{schema: t, columns: map[string]int{}}
	for _, c := range t.Columns {
		if c.Index == ovsdb.UUIDColumn || c.Index == ovsdb.VersionColumn {
			continue
		}
		if want != nil && !slices.Contains(want, c.Name) {
			continue
		}
		info.columns[c.Name] = len(info.names)
		info.names = append(info.names, c.Name)
		info.types = append(info.types, &c.Type)
	}
	return info
}

// snapshot is the replica as it is now.
func (r *replica) snapshot() *Snapshot {
	s := &Snapshot{schema: r.schema, infos: r.infos, tables: map[string]*rowSet{}, seq: r.seq}
	for name, t := range r.tables {
		s.tables[name] = t
	}
	return s
}

// appendRequests appends the <monitor-requests> object for the replica, or the
// <monitor-cond-requests> object where there are conditions.
func (r *replica) appendRequests(dst []byte, where map[string]string) []byte {
	dst = append(dst, '{')
	for i, t := range r.schemaOrder() {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = json.AppendString(dst, t)
		dst = append(dst, `:[{"columns":[`...)
		for j, c := range r.infos[t].names {
			if j > 0 {
				dst = append(dst, ',')
			}
			dst = json.AppendString(dst, c)
		}
		dst = append(dst, ']')
		if w, ok := where[t]; ok {
			dst = append(append(dst, `,"where":`...), w...)
		}
		dst = append(dst, `}]`...)
	}
	return append(dst, '}')
}

func (r *replica) schemaOrder() []string {
	var out []string
	for _, t := range r.schema.SortedTables() {
		if r.infos[t.Name] != nil {
			out = append(out, t.Name)
		}
	}
	return out
}

// updateFormat tells the notations of updates apart.
type updateFormat uint8

const (
	updates1 updateFormat = iota // RFC 7047, 4.1.6: "old" and "new"
	updates2                     // ovsdb-server(7), 4.1.14: "initial", "insert", "modify", "delete"
)

// apply brings the replica up to date by a <table-updates> object, whose first
// token the scanner has read. With fresh, the object is the whole contents:
// rows that it doesn't name are gone, and those that are as they were stay the
// same rows.
func (r *replica) apply(s *json.Scanner, format updateFormat, fresh bool) error {
	edits := map[string]*rowSetEdit{}
	edit := func(table string) *rowSetEdit {
		e := edits[table]
		if e == nil {
			old := r.tables[table]
			if fresh {
				old = nil
			}
			e = editRowSet(old)
			edits[table] = e
		}
		return e
	}
	if fresh {
		for name := range r.tables {
			edit(name)
		}
	}
	err := s.Object(func(table string) error {
		info := r.infos[table]
		if s.Next(); info == nil {
			return s.Skip()
		}
		e := edit(table)
		return s.Object(func(name string) error {
			id, ok := ovsdb.ParseUUID(name)
			if !ok {
				return fmt.Errorf("update of table %s: %q is not a UUID", table, name)
			}
			s.Next()
			return r.applyRow(s, format, info, e, id)
		})
	})
	if err != nil {
		return err
	}
	for name, e := range edits {
		r.tables[name] = e.set
	}
	r.seq++
	return nil
}

// applyRow reads one <row-update> into an edit.
func (r *replica) applyRow(s *json.Scanner, format updateFormat, info *tableInfo, e *rowSetEdit, id ovsdb.UUID) error {
	old := r.tables[info.schema.Name].get(id)
	if cur := e.set.get(id); cur != nil {
		old = cur
	}
	deleted := format == updates1
	err := s.Object(func(kind string) error {
		s.Next()
		switch {
		case kind == "new" && format == updates1, kind == "insert", kind == "initial":
			deleted = false
			row, err := readRow(s, info, id, nil)
			if err == nil {
				e.put(keepIfEqual(old, row))
			}
			return err
		case kind == "modify":
			if old == nil {
				return fmt.Errorf("update of table %s: row %s is modified but not there", info.schema.Name, id)
			}
			row, err := readRow(s, info, id, old)
			if err == nil {
				e.put(row)
			}
			return err
		case kind == "delete":
			deleted = true
		}
		return s.Skip()
	})
	if err == nil && deleted {
		e.del(id)
	}
	return err
}

// keepIfEqual prefers the row that readers know where nothing changed.
func keepIfEqual(old, row *Row) *Row {
	if old != nil && !old.DiffersFrom(row) {
		return old
	}
	return row
}

// readRow reads a <row>: whole values over the defaults, or, with a base,
// differences over the base.
func readRow(s *json.Scanner, info *tableInfo, id ovsdb.UUID, base *Row) (*Row, error) {
	row := newRow(info, id)
	if base != nil {
		copy(row.vals, base.vals)
	}
	err := s.Object(func(column string) error {
		i, ok := info.columns[column]
		if s.Next(); !ok {
			return s.Skip()
		}
		d, err := info.types[i].ParseJSONUnchecked(s, nil)
		if err != nil {
			return fmt.Errorf("update of table %s: column %s: %w", info.schema.Name, column, err)
		}
		if base != nil {
			var e *ovsdb.Error
			if d, e = info.types[i].ApplyDiff(row.vals[i], d); e != nil {
				return fmt.Errorf("update of table %s: column %s: %w", info.schema.Name, column, e)
			}
		}
		row.vals[i] = d
		return nil
	})
	return row, err
}
