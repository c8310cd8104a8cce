package storage

import (
	"errors"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"weir/internal/ovsdb"
)

const testSchema = `{"name":"mydb","version":"1.0.0","tables":{"T":{"columns":{
 "i":{"type":"integer"},
 "s":{"type":{"key":"string","min":0,"max":"unlimited"}},
 "o":{"type":{"key":"string","min":0}},
 "m":{"type":{"key":"string","value":"integer","min":0,"max":"unlimited"}},
 "e":{"type":"integer","ephemeral":true}}}}}`

type database map[ovsdb.UUID]*ovsdb.StoredRow

func (d database) lookup(_ *ovsdb.TableSchema, u ovsdb.UUID) *ovsdb.StoredRow { return d[u] }

func (d database) apply(t *Txn) error {
	for _, c := range t.Changes {
		if c.New == nil {
			delete(d, c.UUID)
		} else {
			d[c.UUID] = c.New
		}
	}
	return nil
}

// text prints what a file keeps of d.
func (d database) text(schema *ovsdb.DatabaseSchema) map[string]string {
	out := map[string]string{}
	for u, row := range d {
		columns := slices.DeleteFunc(slices.Clone(schema.Table("T").Columns), func(c *ovsdb.ColumnSchema) bool { return !c.Persistent })
		out[u.String()] = string(row.AppendJSON(nil, columns))
	}
	return out
}

func mustSchema(t testing.TB) *ovsdb.DatabaseSchema {
	s, err := ovsdb.ParseSchema([]byte(testSchema))
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func drawRow(t *rapid.T, table *ovsdb.TableSchema, u ovsdb.UUID) *ovsdb.StoredRow {
	row := table.DefaultRow()
	row[ovsdb.UUIDColumn] = ovsdb.ScalarDatum(ovsdb.UUIDAtom(u))
	atoms := func(label string, n int) (out []ovsdb.Atom) {
		for _, s := range rapid.SliceOfN(rapid.SampledFrom([]string{"", "a", "b", "\n\"", "é"}), 0, n).Draw(t, label) {
			out = append(out, ovsdb.StringAtom(s))
		}
		return out
	}
	row[table.Column("i").Index] = ovsdb.ScalarDatum(ovsdb.IntAtom(rapid.Int64().Draw(t, "i")))
	row[table.Column("e").Index] = ovsdb.ScalarDatum(ovsdb.IntAtom(rapid.Int64().Draw(t, "e")))
	row[table.Column("s").Index] = ovsdb.SetDatum(ovsdb.String, atoms("s", 4))
	row[table.Column("o").Index] = ovsdb.SetDatum(ovsdb.String, atoms("o", 1))
	var pairs []ovsdb.Pair
	for _, k := range atoms("m", 4) {
		pairs = append(pairs, ovsdb.Pair{Key: k, Value: ovsdb.IntAtom(rapid.Int64Range(-2, 2).Draw(t, "v"))})
	}
	row[table.Column("m").Index] = ovsdb.MapDatum(ovsdb.String, ovsdb.Integer, pairs)
	return ovsdb.Store(table, row)
}

// drawFile makes a file of random transactions. It returns the database after each
// of them, the first time before any, and where each ends in the file.
func drawFile(t *rapid.T, name string, s *ovsdb.DatabaseSchema) (states []map[string]string, ends []int64) {
	f, err := CreateFile(name, s, nil, Txn{})
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	f.Diff = rapid.Bool().Draw(t, "diff")
	table := s.Table("T")
	db := database{}
	states, ends = append(states, db.text(s)), append(ends, f.log.Offset())
	for range rapid.IntRange(0, 8).Draw(t, "n") {
		txn := &Txn{Date: time.UnixMilli(1700000000123), Comment: rapid.SampledFrom([]string{"", "why"}).Draw(t, "comment")}
		for _, u := range []ovsdb.UUID{{1}, {2}, {3}} {
			switch rapid.IntRange(0, 2).Draw(t, "op") {
			case 0:
				txn.Changes = append(txn.Changes, Change{table, u, db[u], drawRow(t, table, u)})
			case 1:
				if db[u] != nil {
					txn.Changes = append(txn.Changes, Change{table, u, db[u], nil})
				}
			}
		}
		if err := f.Commit([]Txn{*txn}, false); err != nil {
			t.Fatal(err)
		}
		db.apply(txn)
		states, ends = append(states, maps.Clone(db.text(s))), append(ends, f.log.Offset())
	}
	return states, ends
}

// compactMeanwhile compacts a file that holds db, while another transaction comes
// before, while or after the compacted file is written.
func compactMeanwhile(t *rapid.T, f *File, s *ovsdb.DatabaseSchema, db database) {
	table := s.Table("T")
	before := maps.Clone(db)
	rows := func(yield func(*ovsdb.TableSchema, *ovsdb.StoredRow) bool) {
		for _, u := range slices.SortedFunc(maps.Keys(before), func(a, b ovsdb.UUID) int { return int(a[0]) - int(b[0]) }) {
			if !yield(table, before[u]) {
				return
			}
		}
	}
	c, err := f.Compact(s, rows, Txn{Comment: "compacted"})
	if err != nil {
		t.Fatal(err)
	}
	meanwhile := rapid.IntRange(0, 2).Draw(t, "meanwhile")
	step := func(n int) {
		if n == meanwhile {
			more := &Txn{Changes: []Change{{table, ovsdb.UUID{9}, db[ovsdb.UUID{9}], nil}, {table, ovsdb.UUID{8}, nil, drawRow(t, table, ovsdb.UUID{8})}}}
			if err := f.Commit([]Txn{*more}, false); err != nil {
				t.Fatal(err)
			}
			db.apply(more)
		}
	}
	step(0)
	c.Progress()
	if err := c.Write(); err != nil {
		t.Fatal(err)
	}
	step(1)
	if err := c.Finish(); err != nil {
		t.Fatal(err)
	}
	step(2)
	c.Release()
}

// TestReplayProperty: whatever was committed is read back, with and without
// diffs and compaction; and a file cut off anywhere gives the transactions
// that are whole, and takes new ones after them.
func TestReplayProperty(t *testing.T) {
	dir := t.TempDir()
	rapid.Check(t, func(t *rapid.T) {
		s, _ := ovsdb.ParseSchema([]byte(testSchema))
		table := s.Table("T")
		name := filepath.Join(dir, "db")
		os.Remove(name)
		states, ends := drawFile(t, name, s)
		cut := rapid.Int64Range(ends[0], ends[len(ends)-1]).Draw(t, "cut")
		want := 0
		for i, end := range ends {
			if end <= cut {
				want = i
			}
		}
		if err := os.Truncate(name, cut); err != nil {
			t.Fatal(err)
		}
		f, err := OpenFile(name, ReadWrite)
		if err != nil {
			t.Fatal(err)
		}
		if rapid.Bool().Draw(t, "ahead") {
			f.ahead, f.piece = 0, 1
		}
		got := database{}
		err = f.Replay(got.lookup, got.apply)
		if (err != nil) != (cut != ends[want]) {
			t.Fatalf("cut at %d (record ends at %d): error %v", cut, ends[want], err)
		}
		if d := cmp.Diff(states[want], got.text(s)); d != "" {
			t.Fatal(d)
		}
		extra := &Txn{Changes: []Change{{table, ovsdb.UUID{9}, nil, drawRow(t, table, ovsdb.UUID{9})}}}
		if err := f.Commit([]Txn{*extra}, true); err != nil {
			t.Fatal(err)
		}
		got.apply(extra)
		if rapid.Bool().Draw(t, "compact") {
			compactMeanwhile(t, f, s, got)
		}
		f.Close()
		f, err = OpenFile(name, ReadOnly)
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		again := database{}
		if err := f.Replay(again.lookup, again.apply); err != nil {
			t.Fatal(err)
		}
		if d := cmp.Diff(got.text(s), again.text(s)); d != "" {
			t.Fatal(d)
		}
	})
}

func TestLock(t *testing.T) {
	dir := t.TempDir()
	name := filepath.Join(dir, "conf.db")
	f, err := CreateFile(name, mustSchema(t), nil, Txn{})
	if err != nil {
		t.Fatal(err)
	}
	link := filepath.Join(dir, "link")
	if err := os.Symlink("conf.db", link); err != nil {
		t.Fatal(err)
	}
	if got, want := LockName(link), filepath.Join(dir, ".conf.db.~lock~"); got != want {
		t.Errorf("LockName(%s) = %s, want %s", link, got, want)
	}
	if _, err := OpenFile(link, ReadWrite); err == nil || !strings.Contains(err.Error(), "failed to lock lockfile") {
		t.Errorf("second open: %v", err)
	}
	_, err = LockFile(link)
	var held *LockError
	if !errors.As(err, &held) || held.PID != os.Getpid() {
		t.Errorf("LockFile: %v", err)
	}
	f.Close()
	if f, err = OpenFile(link, ReadWrite); err != nil {
		t.Fatal(err)
	}
	f.Close()
}

// TestUnknownRecordIsKept: a whole record that makes no sense is cut off by the
// next commit, but not lost.
func TestUnknownRecordIsKept(t *testing.T) {
	schema := mustSchema(t)
	name := filepath.Join(t.TempDir(), "db")
	bad := `{"Nosuch":{}}`
	if err := CreateLog(name, Standalone, [][]byte{schema.AppendJSON(nil), []byte(bad)}); err != nil {
		t.Fatal(err)
	}
	f, err := OpenFile(name, ReadWrite)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	db := database{}
	if err := f.Replay(db.lookup, db.apply); err == nil {
		t.Fatal("no error")
	}
	row := ovsdb.Store(schema.Table("T"), schema.Table("T").DefaultRow())
	if err := f.Commit([]Txn{{Changes: []Change{{schema.Table("T"), ovsdb.UUID{1}, nil, row}}}}, true); err != nil {
		t.Fatal(err)
	}
	kept, err := filepath.Glob(name + ".cut-at-*")
	if err != nil || len(kept) != 1 {
		t.Fatalf("kept: %v, %v", kept, err)
	}
	text, err := os.ReadFile(kept[0])
	if err != nil || !strings.Contains(string(text), bad) {
		t.Errorf("kept %q, %v", text, err)
	}
}

func TestBadFiles(t *testing.T) {
	dir := t.TempDir()
	for _, tt := range []struct{ content, want string }{
		{"", "file is empty"},
		{"hello\n", "unexpected file format"},
		{"OVSDB CLUSTER 10 81b85fa99a72ada2fd3fe691ba063344bd96ca40\n", "clustered databases are not available yet"},
		{"OVSDB JSON x\n", "parse error at offset 0 in header line \"OVSDB JSON x\""},
		{"OVSDB JSON 3 81b85fa99a72ada2fd3fe691ba063344bd96ca40\n{}\n", "3 bytes starting at offset 54 have SHA-1 hash"},
		{"OVSDB JSON 9 81b85fa99a72ada2fd3fe691ba063344bd96ca40\n{}\n", "error reading 9 bytes starting at offset 54 (End of file)"},
		{string(appendRecord(nil, Standalone, []byte("{x"))), "are not valid JSON (line 0, column 1, byte 1: "},
		{string(appendRecord(nil, Standalone, []byte("{}"))), "Required 'name' member is missing."},
	} {
		name := filepath.Join(dir, "db")
		if err := os.WriteFile(name, []byte(tt.content), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := OpenFile(name, ReadOnly); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%q: error %v, want %q", tt.content, err, tt.want)
		}
	}
}

// FuzzReplay: no file makes reading panic.
func FuzzReplay(f *testing.F) {
	schema, _ := ovsdb.ParseSchema([]byte(testSchema))
	f.Add([]byte(`{"T":{"00000000-0000-0000-0000-000000000001":{"i":1}},"_date":1}`))
	f.Add([]byte(`{"_is_diff":true,"T":{"00000000-0000-0000-0000-000000000001":null}}`))
	f.Fuzz(func(t *testing.T, record []byte) {
		row := ovsdb.Store(schema.Table("T"), schema.Table("T").DefaultRow())
		r := &readRecord{schema: schema, data: record}
		if r.split(len(record)) != nil {
			return
		}
		for _, p := range r.pieces {
			p.decode(r)
		}
		_, _ = r.txn(func(*ovsdb.TableSchema, ovsdb.UUID) *ovsdb.StoredRow { return row })
	})
}
