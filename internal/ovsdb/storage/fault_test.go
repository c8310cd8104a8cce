package storage

import (
	"errors"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"
	"pgregory.net/rapid"

	"weir/internal/ovsdb"
)

// faultyDisk is a file on a disk that fills up or fails.
type faultyDisk struct {
	disk
	room     int // bytes that may still be written; negative: any number
	syncFail bool
	cutFail  bool
}

func (d *faultyDisk) WriteAt(p []byte, at int64) (int, error) {
	if d.room < 0 || len(p) <= d.room {
		if d.room >= 0 {
			d.room -= len(p)
		}
		return d.disk.WriteAt(p, at)
	}
	n, err := d.disk.WriteAt(p[:d.room], at)
	d.room = 0
	if err == nil {
		err = unix.ENOSPC
	}
	return n, err
}

func (d *faultyDisk) Sync() error {
	if d.syncFail {
		return unix.EIO
	}
	return d.disk.Sync()
}

func (d *faultyDisk) Truncate(size int64) error {
	if d.cutFail {
		return unix.EIO
	}
	return d.disk.Truncate(size)
}

// TestFaultyDisk: whatever write or fsync fails, what was acknowledged is there
// when the file is opened again, and what failed isn't.
func TestFaultyDisk(t *testing.T) {
	dir := t.TempDir()
	schema := mustSchema(t)
	table := schema.Table("T")
	rapid.Check(t, func(t *rapid.T) {
		name := filepath.Join(dir, "db")
		_ = os.Remove(name)
		f, err := CreateFile(name, schema, nil, Txn{})
		if err != nil {
			t.Fatal(err)
		}
		d := &faultyDisk{disk: f.log.file, room: -1}
		f.log.file = d
		db := database{}
		refused := false
		for range rapid.IntRange(1, 8).Draw(t, "batches") {
			var batch []Txn
			next := maps.Clone(db)
			for range rapid.IntRange(1, 3).Draw(t, "transactions") {
				u := ovsdb.UUID{rapid.SampledFrom([]byte{1, 2, 3}).Draw(t, "row")}
				txn := Txn{Changes: []Change{{table, u, next[u], drawRow(t, table, u)}}}
				_ = next.apply(&txn)
				batch = append(batch, txn)
			}
			d.room = rapid.SampledFrom([]int{-1, -1, 0, 1, 60, 200, 500}).Draw(t, "room")
			d.syncFail = rapid.IntRange(0, 5).Draw(t, "sync") == 0
			durable := rapid.Bool().Draw(t, "durable")
			err := f.Commit(batch, durable)
			switch {
			case refused && err == nil:
				t.Fatal("a log takes records after a failed fsync")
			case durable && d.syncFail && err == nil:
				t.Fatal("no error although fsync failed")
			case err == nil:
				db = next
			case durable && d.syncFail && strings.Contains(err.Error(), "fsync"):
				refused = true
			}
		}
		if err := f.Close(); err != nil {
			t.Fatal(err)
		}
		got := reopen(t, name)
		if diff := cmp.Diff(db.text(schema), got.text(schema)); diff != "" {
			t.Fatal(diff)
		}
	})
}

func reopen(t rapid.TB, name string) database {
	f, err := OpenFile(name, ReadOnly)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	got := database{}
	if err := f.Replay(got.lookup, got.apply); err != nil {
		t.Fatal(err)
	}
	return got
}

// TestCannotCut: where a write fails and what it left can't be cut off either,
// the log takes no more.
func TestCannotCut(t *testing.T) {
	schema := mustSchema(t)
	table := schema.Table("T")
	f, err := CreateFile(filepath.Join(t.TempDir(), "db"), schema, nil, Txn{})
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	d := &faultyDisk{disk: f.log.file, room: 10, cutFail: true}
	f.log.file = d
	txn := []Txn{{Changes: []Change{{table, ovsdb.UUID{1}, nil, ovsdb.Store(table, table.DefaultRow())}}}}
	var e *ovsdb.Error
	if err := f.Commit(txn, false); !errors.As(err, &e) || e.Tag != ovsdb.TagIO || !strings.Contains(e.Details, "No space left") {
		t.Errorf("full disk: %v", err)
	}
	d.room, d.cutFail = -1, false
	if err := f.Commit(txn, false); err == nil || !strings.Contains(err.Error(), "truncate failed") {
		t.Errorf("after a failed truncation: %v", err)
	}
}

// TestDamage: whichever byte of a file is another one, or missing from the end,
// opening gives the transactions before it and an error, or says so at once.
func TestDamage(t *testing.T) {
	schema := mustSchema(t)
	table := schema.Table("T")
	name := filepath.Join(t.TempDir(), "db")
	f, err := CreateFile(name, schema, nil, Txn{})
	if err != nil {
		t.Fatal(err)
	}
	db := database{}
	states, ends := []map[string]string{db.text(schema)}, []int64{f.log.Offset()}
	for i := range 4 {
		u := ovsdb.UUID{byte(i)}
		row := table.DefaultRow()
		row[table.Column("i").Index] = ovsdb.ScalarDatum(ovsdb.IntAtom(int64(i)))
		row[ovsdb.UUIDColumn] = ovsdb.ScalarDatum(ovsdb.UUIDAtom(u))
		txn := Txn{Changes: []Change{{table, u, nil, ovsdb.Store(table, row)}}}
		if err := f.Commit([]Txn{txn}, false); err != nil {
			t.Fatal(err)
		}
		_ = db.apply(&txn)
		states, ends = append(states, db.text(schema)), append(ends, f.log.Offset())
	}
	f.Close()
	whole, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	for at := range whole {
		for _, torn := range []bool{false, true} {
			data := append([]byte(nil), whole...)
			if data[at] ^= 0x11; torn {
				data = data[:at]
			}
			if err := os.WriteFile(name, data, 0o600); err != nil {
				t.Fatal(err)
			}
			checkDamaged(t, name, int64(at), torn, states, ends)
		}
	}
}

// checkDamaged opens a file whose byte at the given offset was changed, or that
// ends there.
func checkDamaged(t *testing.T, name string, at int64, torn bool, states []map[string]string, ends []int64) {
	f, err := OpenFile(name, ReadOnly)
	if at < ends[0] {
		if err == nil {
			t.Errorf("byte %d (torn: %v): the schema is damaged, and nobody says so", at, torn)
			f.Close()
		}
		return
	}
	if err != nil {
		t.Errorf("byte %d (torn: %v): %v", at, torn, err)
		return
	}
	defer f.Close()
	good := 0
	for i := range ends {
		if ends[i] <= at {
			good = i
		}
	}
	got := database{}
	err = f.Replay(got.lookup, got.apply)
	if atEnd := torn && at == ends[good]; (err == nil) != atEnd {
		t.Errorf("byte %d (torn: %v): error %v", at, torn, err)
	}
	if diff := cmp.Diff(states[good], got.text(f.Schema())); diff != "" {
		t.Errorf("byte %d (torn: %v): %s", at, torn, diff)
	}
}
