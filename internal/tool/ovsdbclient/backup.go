package ovsdbclient

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"weir/internal/json"
	"weir/internal/ovsdb"
	"weir/internal/ovsdb/storage"
	"weir/internal/vlog"
)

var log = vlog.For("ovsdb_client")

// persistent returns the columns of a table that a file keeps.
func persistent(t *ovsdb.TableSchema) []*ovsdb.ColumnSchema {
	columns := []*ovsdb.ColumnSchema{t.Columns[ovsdb.UUIDColumn]}
	for _, c := range t.Columns[ovsdb.VersionColumn+1:] {
		if c.Persistent {
			columns = append(columns, c)
		}
	}
	return columns
}

// backup prints the database as a database file.
func (c *call) backup() error {
	schema, _, err := c.schema(c.db)
	if err != nil {
		return err
	}
	var dumps []dumpTable
	for _, t := range schema.SortedTables() {
		dumps = append(dumps, dumpTable{t, persistent(t), nil})
	}
	if err := c.fetch(dumps); err != nil {
		return err
	}
	dir, err := os.MkdirTemp("", "ovsdb-client")
	if err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(dir) }()
	name := filepath.Join(dir, "backup")
	f, err := storage.CreateFile(name, schema, func(yield func(*ovsdb.TableSchema, *ovsdb.StoredRow) bool) {
		for i := range dumps {
			for _, row := range dumps[i].rows {
				if !yield(dumps[i].schema, ovsdb.Store(dumps[i].schema, row)) {
					return
				}
			}
		}
	}, storage.Txn{Date: time.Now(), Comment: "produced by \"ovsdb-client backup\""})
	if err != nil {
		return err
	}
	if err := f.Close(); err != nil {
		return err
	}
	data, err := os.ReadFile(name)
	if err != nil {
		return err
	}
	_, err = c.env.Stdout.Write(data)
	return err
}

// restore replaces the database's contents by a database file's.
func (c *call) restore() error {
	data, err := c.readAll()
	if err != nil {
		return err
	}
	schema, rows, err := readBackup(data)
	if err != nil {
		return err
	}
	has, _, err := c.schema(c.db)
	if err != nil {
		return err
	}
	if why := difference(schema, has); why != "" && !c.force {
		return fmt.Errorf("%s (use --force to override differences, or \"ovsdb-client convert\" to change the schema)", why)
	} else if why != "" {
		log.Info("%s", why)
	}
	if has.Name != schema.Name {
		if has, _, err = c.schema(schema.Name); err != nil {
			return err
		}
	}
	return c.replace(has, rows)
}

// replace replaces what is in a database by rows.
func (c *call) replace(schema *ovsdb.DatabaseSchema, rows []backupRow) error {
	p := json.AppendString([]byte{'['}, schema.Name)
	for _, t := range schema.SortedTables() {
		p = append(p, `,{"op":"delete","where":[],"table":`...)
		p = append(json.AppendString(p, t.Name), '}')
	}
	for _, r := range rows {
		p = appendInsert(p, r)
	}
	p = append(p, `,{"op":"comment","comment":"ovsdb-client restore"}]`...)
	result, err := c.rpc.call("transact", p)
	if err != nil {
		return err
	}
	parts, err := split(result)
	if err != nil {
		return err
	}
	for _, r := range parts {
		if s := json.NewScanner(r); s.Next() == json.ObjectBegin && hasError(s) {
			return fmt.Errorf("%s", json.Canonical(r))
		}
	}
	return nil
}

// difference says in what a backup's schema differs from a database's, "" if in
// nothing.
func difference(backup, has *ovsdb.DatabaseSchema) string {
	switch {
	case backup.JSON() == has.JSON():
		return ""
	case backup.Version != has.Version:
		return fmt.Sprintf("backup schema has version \"%s\" but database schema has version \"%s\"", backup.Version, has.Version)
	case backup.Name != has.Name:
		return fmt.Sprintf("backup is of database %s, not of %s", backup.Name, has.Name)
	}
	return fmt.Sprintf("backup schema and database schema are both version %s but still differ", has.Version)
}

func hasError(s *json.Scanner) bool {
	found := false
	_ = s.Object(func(name string) error {
		found = found || name == "error"
		s.Next()
		return s.Skip()
	})
	return found
}

// backupRow is a row of a database file.
type backupRow struct {
	table *ovsdb.TableSchema
	row   *ovsdb.StoredRow
}

// readBackup reads the text of a database file.
func readBackup(data []byte) (*ovsdb.DatabaseSchema, []backupRow, error) {
	dir, err := os.MkdirTemp("", "ovsdb-client")
	if err != nil {
		return nil, nil, err
	}
	defer func() { _ = os.RemoveAll(dir) }()
	name := filepath.Join(dir, "backup")
	if err := os.WriteFile(name, data, 0o600); err != nil {
		return nil, nil, err
	}
	f, err := storage.OpenFile(name, storage.ReadOnly)
	if err != nil {
		return nil, nil, errors.New(strings.ReplaceAll(asText(err), name, "/dev/stdin"))
	}
	defer func() { _ = f.Close() }()
	now := map[*ovsdb.TableSchema]map[ovsdb.UUID]*ovsdb.StoredRow{}
	err = f.Replay(func(t *ovsdb.TableSchema, id ovsdb.UUID) *ovsdb.StoredRow { return now[t][id] }, func(txn *storage.Txn) error {
		for _, ch := range txn.Changes {
			if now[ch.Table] == nil {
				now[ch.Table] = map[ovsdb.UUID]*ovsdb.StoredRow{}
			}
			if ch.New == nil {
				delete(now[ch.Table], ch.UUID)
			} else {
				now[ch.Table][ch.UUID] = ch.New
			}
		}
		return nil
	})
	if err != nil {
		return nil, nil, err
	}
	var rows []backupRow
	for _, t := range f.Schema().SortedTables() {
		for _, row := range now[t] {
			rows = append(rows, backupRow{t, row})
		}
	}
	return f.Schema(), rows, nil
}

// appendInsert appends an operation that inserts a row. References within the
// backup are by name, since the row's UUID will be another.
func appendInsert(dst []byte, r backupRow) []byte {
	dst = append(dst, `,{"op":"insert","table":`...)
	dst = json.AppendString(dst, r.table.Name)
	dst = append(dst, `,"uuid-name":`...)
	dst = json.AppendString(dst, symbol(r.row.ID))
	dst = append(dst, `,"row":{`...)
	first := true
	for _, c := range persistent(r.table)[1:] {
		d := r.row.Get(c)
		if d.IsDefault(&c.Type) {
			continue
		}
		if !first {
			dst = append(dst, ',')
		}
		first = false
		dst = append(json.AppendString(dst, c.Name), ':')
		dst = appendNamed(dst, &c.Type, d)
	}
	return append(dst, "}}"...)
}

func symbol(id ovsdb.UUID) string {
	b := []byte("row" + id.String())
	for i := range b {
		if b[i] == '-' {
			b[i] = '_'
		}
	}
	return string(b)
}

// appendNamed appends a value with its references as named-uuids.
func appendNamed(dst []byte, t *ovsdb.ColumnType, d ovsdb.Datum) []byte {
	atom := func(dst []byte, b *ovsdb.BaseType, a ovsdb.Atom) []byte {
		if b.IsRef() && !a.UUID().IsZero() {
			dst = append(dst, `["named-uuid",`...)
			return append(json.AppendString(dst, symbol(a.UUID())), ']')
		}
		return a.AppendJSON(dst)
	}
	kind := "set"
	if d.IsMap() {
		kind = "map"
	}
	dst = append(dst, fmt.Sprintf(`["%s",[`, kind)...)
	for i := range d.Len() {
		if i > 0 {
			dst = append(dst, ',')
		}
		if !d.IsMap() {
			dst = atom(dst, &t.Key, d.Key(i))
			continue
		}
		dst = atom(append(dst, '['), &t.Key, d.Key(i))
		dst = atom(append(dst, ','), &t.Value, d.Value(i))
		dst = append(dst, ']')
	}
	return append(dst, "]]"...)
}
