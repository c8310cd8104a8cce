package storage

import (
	"errors"
	"fmt"
	"io"
	"iter"

	"weir/internal/ovsdb"
)

// Storage is where a database's transactions stay: a File, or later a cluster's
// log.  One goroutine uses a Storage at a time.
type Storage interface {
	// Schema returns the schema that the transactions follow.
	Schema() *ovsdb.DatabaseSchema
	// Replay calls apply with each transaction kept, in order; rows tells the
	// rows that the earlier ones made.  It is called once, before all Commits.
	Replay(rows Lookup, apply func(*Txn) error) error
	// Commit adds a transaction and returns once it may be applied and
	// acknowledged: with durable, once it survives a crash of the machine.
	Commit(t *Txn, durable bool) error
	// ShouldCompact reports whether compacting is worth its while.
	ShouldCompact() bool
	// Compact replaces what is kept by a schema (the same one, unless the
	// database is being converted) and the rows of a database.
	Compact(schema *ovsdb.DatabaseSchema, rows Rows, snapshot Txn) error
	// Close gives the storage up.
	Close() error
}

// Rows are all rows of a database, those of a table together.
type Rows = iter.Seq2[*ovsdb.TableSchema, ovsdb.Row]

// File is a standalone database file.
type File struct {
	// Diff says whether modified columns are written as differences; true at
	// first.  Versions of Open vSwitch before 2.15 can't read these.
	Diff bool

	log    *Log
	schema *ovsdb.DatabaseSchema
}

var _ Storage = (*File)(nil)

// ErrClustered is the error of opening a clustered database's file.
var ErrClustered = errors.New("clustered databases are not available yet (\"ovsdb-tool cluster-to-standalone\" makes a standalone database of one)")

// OpenFile opens the database file called name for reading, or for reading and
// writing, in which case it holds its lock until Close.
func OpenFile(name string, mode Mode) (*File, error) {
	log, err := OpenLog(name, "", mode)
	if err != nil {
		return nil, err
	}
	f := &File{Diff: true, log: log}
	if err := f.readSchema(); err != nil {
		_ = log.Close()
		return nil, err
	}
	return f, nil
}

func (f *File) readSchema() error {
	if f.log.Magic() == Clustered {
		return fmt.Errorf("%s: %w", f.log.Name(), ErrClustered)
	}
	record, err := f.log.Next()
	if err == io.EOF {
		return ovsdb.Errorf(ovsdb.TagIO, "%s: database file contains no schema", f.log.Name())
	}
	if err != nil {
		return err
	}
	f.schema, err = ovsdb.ParseSchema(record)
	if err != nil {
		return ovsdb.Errorf("", "%s: failed to parse the schema in the first record: %v", f.log.Name(), err)
	}
	return nil
}

// CreateFile makes a database file, which must not exist, with one record for
// the schema and, unless it is nil, one for the rows; it is on disk then.
func CreateFile(name string, schema *ovsdb.DatabaseSchema, rows Rows, snapshot Txn) (*File, error) {
	log, err := OpenLog(name, Standalone, Create)
	if err != nil {
		return nil, err
	}
	f := &File{Diff: true, log: log, schema: schema}
	for _, r := range snapshotRecords(schema, rows, snapshot) {
		if err = log.Append(r); err != nil {
			break
		}
	}
	if err == nil {
		err = log.Sync()
	}
	if err == nil {
		err = syncDir(log.path)
	}
	if err != nil {
		_ = log.Close()
		return nil, err
	}
	log.MarkBase()
	return f, nil
}

// snapshotRecords returns the records of a database's compact file.
func snapshotRecords(schema *ovsdb.DatabaseSchema, rows Rows, snapshot Txn) [][]byte {
	out := [][]byte{schema.AppendJSON(nil)}
	if rows == nil {
		return out
	}
	snapshot.Changes = nil
	for t, row := range rows {
		snapshot.Changes = append(snapshot.Changes, Change{Table: t, UUID: row[ovsdb.UUIDColumn].UUID(), New: row})
	}
	if r := snapshot.Encode(false); len(snapshot.Changes) > 0 && r != nil {
		out = append(out, r)
	}
	return out
}

// Name returns the file's name as it was opened.
func (f *File) Name() string { return f.log.Name() }

// Schema returns the database's schema.
func (f *File) Schema() *ovsdb.DatabaseSchema { return f.schema }

// Replay implements Storage.  Where the file is damaged, or a record doesn't
// make sense, it applies what comes before and returns the error; what follows
// is cut off by the next Commit.
func (f *File) Replay(rows Lookup, apply func(*Txn) error) error {
	for n := 0; ; n++ {
		record, err := f.log.Next()
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
		txn, err := DecodeTxn(f.schema, record, rows)
		if err == nil {
			err = apply(txn)
		}
		if err != nil {
			f.log.Unread()
			return err
		}
		if n == 0 {
			f.log.MarkBase()
		}
	}
}

// ReplayTolerant is Replay for a server: it logs the damage that it finds and
// goes on with what comes before it, so that a crash in the middle of a write
// keeps nobody from starting.
func (f *File) ReplayTolerant(rows Lookup, apply func(*Txn) error) {
	if err := f.Replay(rows, apply); err != nil {
		log.Warn("%v (what precedes it is kept, the rest will be cut off)", err)
	}
}

// Commit implements Storage.  A transaction that changes nothing persistent and
// has no comment leaves no record.
func (f *File) Commit(t *Txn, durable bool) error {
	if record := t.Encode(f.Diff); record != nil {
		if err := f.log.Append(record); err != nil {
			return err
		}
	}
	if durable {
		return f.log.Sync()
	}
	return nil
}

// ShouldCompact implements Storage.
func (f *File) ShouldCompact() bool { return f.log.GrewLots() }

// Compact implements Storage.
func (f *File) Compact(schema *ovsdb.DatabaseSchema, rows Rows, snapshot Txn) error {
	if err := f.log.Replace(snapshotRecords(schema, rows, snapshot)); err != nil {
		return err
	}
	f.schema = schema
	return nil
}

// Close implements Storage.
func (f *File) Close() error { return f.log.Close() }
