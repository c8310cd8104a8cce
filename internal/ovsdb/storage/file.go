package storage

import (
	"errors"
	"fmt"
	"io"
	"iter"
	"runtime"
	"sync/atomic"

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
	// Commit adds transactions, all or none, and returns once they may be
	// acknowledged: with durable, once they survive a crash of the machine.
	Commit(batch []Txn, durable bool) error
	// ShouldCompact reports whether compacting is worth its while.
	ShouldCompact() bool
	// Compact begins to replace what is kept up to now by a schema (the same one,
	// unless the database is being converted) and the rows of a database.
	Compact(schema *ovsdb.DatabaseSchema, rows Rows, snapshot Txn) (Compaction, error)
	// Close gives the storage up.
	Close() error
}

// Rows are all rows of a database, those of a table together, in the same order
// each time.
type Rows = iter.Seq2[*ovsdb.TableSchema, *ovsdb.StoredRow]

// Compaction is a compaction under way.
type Compaction interface {
	// Write does what can be done while transactions go on, from any goroutine:
	// it takes long.  Called again after Progress it does what has come since.
	Write() error
	// Progress tells Write how far the storage is.  Who calls it uses the
	// Storage; it is quick.
	Progress()
	// Finish puts the compacted contents in the place of the old ones, with what
	// was committed meanwhile.  Who calls it uses the Storage.  After an error
	// the storage is what it was.
	Finish() error
	// Release frees what was replaced, after Finish has, from any goroutine: it may
	// take long.
	Release()
	// Abandon gives the compaction up.
	Abandon()
}

// File is a standalone database file.
type File struct {
	// Diff says whether modified columns are written as differences; true at
	// first.  Versions of Open vSwitch before 2.15 can't read these.
	Diff bool

	log    *Log
	schema *ovsdb.DatabaseSchema

	ahead int64 // the size of a file from which on it is decoded on all cores
	piece int   // the size of what is decoded at once then

	// Room for Commit: records one after another, where each ends, and each.
	text    []byte
	ends    []int
	records [][]byte
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
	f := &File{Diff: true, log: log, ahead: smallFile, piece: pieceSize}
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
	var size int64
	for _, print := range snapshotRecords(schema, rows, snapshot) {
		var n int64
		if n, err = addRecord(log.file, size, log.magic, print); err != nil {
			err = ioError(err, "%s: write failed", name)
			break
		}
		size += n
	}
	log.offset, log.prev = size, size
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

// snapshotRecords returns what prints the records of a database's compact file.
func snapshotRecords(schema *ovsdb.DatabaseSchema, rows Rows, snapshot Txn) []func(io.Writer) error {
	out := []func(io.Writer) error{func(w io.Writer) error {
		_, err := w.Write(schema.AppendJSON(nil))
		return err
	}}
	if rows == nil {
		return out
	}
	return append(out, func(w io.Writer) error { return printSnapshot(w, rows, &snapshot) })
}

// printChunk is about how many bytes of a snapshot are printed at once.
const printChunk = 64 << 10

// printSnapshot prints a record of all rows.
func printSnapshot(w io.Writer, rows Rows, t *Txn) error {
	e := recordEncoder{dst: append(make([]byte, 0, printChunk+4096), '{')}
	for table, row := range rows {
		e.change(&Change{Table: table, UUID: row.ID, New: row})
		if len(e.dst) >= printChunk {
			if _, err := w.Write(e.dst); err != nil {
				return err
			}
			e.dst = e.dst[:0]
			runtime.Gosched() // others have more to hurry
		}
	}
	_, err := w.Write(e.end(t))
	return err
}

// Name returns the file's name as it was opened.
func (f *File) Name() string { return f.log.Name() }

// Schema returns the database's schema.
func (f *File) Schema() *ovsdb.DatabaseSchema { return f.schema }

// Commit implements Storage.  A transaction that changes nothing persistent and
// has no comment leaves no record.
func (f *File) Commit(batch []Txn, durable bool) error {
	text, ends := f.text[:0], f.ends[:0]
	for i := range batch {
		if text = batch[i].appendRecord(text, f.Diff); len(ends) == 0 && len(text) > 0 || len(ends) > 0 && len(text) > ends[len(ends)-1] {
			ends = append(ends, len(text))
		}
	}
	f.text, f.ends = reusable(text), ends
	f.records = f.records[:0]
	for i, from := 0, 0; i < len(ends); i++ {
		f.records = append(f.records, text[from:ends[i]])
		from = ends[i]
	}
	defer clear(f.records)
	if durable {
		return f.log.AppendDurably(f.records...)
	}
	if len(f.records) == 0 {
		return nil
	}
	return f.log.Append(f.records...)
}

// ShouldCompact implements Storage.
func (f *File) ShouldCompact() bool { return f.log.GrewLots() }

// Compact implements Storage.
func (f *File) Compact(schema *ovsdb.DatabaseSchema, rows Rows, snapshot Txn) (Compaction, error) {
	r, err := f.log.Replace()
	if err != nil {
		return nil, err
	}
	c := &fileCompaction{file: f, r: r, schema: schema, records: snapshotRecords(schema, rows, snapshot)}
	c.Progress()
	return c, nil
}

// fileCompaction is a Compaction of a File.
type fileCompaction struct {
	file    *File
	r       *Replacement
	schema  *ovsdb.DatabaseSchema
	records []func(io.Writer) error
	offset  atomic.Int64 // of the log, as far as is known
}

// Write implements Compaction.
func (c *fileCompaction) Write() error {
	for _, print := range c.records {
		if err := c.r.Add(print); err != nil {
			c.r.Abandon()
			return err
		}
	}
	c.records = nil
	if err := c.r.CatchUp(c.offset.Load()); err != nil {
		c.r.Abandon()
		return err
	}
	return nil
}

// Progress implements Compaction.
func (c *fileCompaction) Progress() { c.offset.Store(c.file.log.offset) }

// Abandon implements Compaction.
func (c *fileCompaction) Abandon() { c.r.Abandon() }

// Release implements Compaction.
func (c *fileCompaction) Release() { c.r.Release() }

// Finish implements Compaction.
func (c *fileCompaction) Finish() error {
	if err := c.r.Finish(); err != nil {
		return err
	}
	c.file.schema = c.schema
	return nil
}

// Close implements Storage.
func (f *File) Close() error { return f.log.Close() }
