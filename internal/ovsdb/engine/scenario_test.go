package engine

import (
	"encoding/binary"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"pgregory.net/rapid"

	"weir/internal/ovsdb"
)

var rewrite = flag.Bool("rewrite", false, "write the answers in testdata anew")

var uuidText = regexp.MustCompile(`[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}`)

// namer replaces UUIDs by numbers in the order they appear.
type namer map[string]string

func (n namer) replace(s string) string {
	return uuidText.ReplaceAllStringFunc(s, func(u string) string {
		if n[u] == "" {
			n[u] = fmt.Sprintf("<%d>", len(n))
		}
		return n[u]
	})
}

// sortRows sorts the rows of selects.
func sortRows(t *testing.T, result []byte) string {
	var results []any
	if err := json.Unmarshal(result, &results); err != nil {
		t.Fatal(err)
	}
	text := func(v any) string {
		b, err := json.Marshal(v)
		if err != nil {
			t.Fatal(err)
		}
		return string(b)
	}
	for _, r := range results {
		if m, ok := r.(map[string]any); ok {
			if rows, ok := m["rows"].([]any); ok {
				slices.SortFunc(rows, func(a, b any) int { return strings.Compare(text(a), text(b)) })
			}
		}
	}
	return strings.NewReplacer(`\u003c`, "<", `\u003e`, ">").Replace(text(results))
}

// TestScenario runs testdata/transactions.txt.
func TestScenario(t *testing.T) {
	schemaText, err := os.ReadFile("testdata/all.ovsschema")
	if err != nil {
		t.Fatal(err)
	}
	schema, err := ovsdb.ParseSchema(schemaText)
	if err != nil {
		t.Fatal(err)
	}
	const name = "testdata/transactions.txt"
	text, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	layout := NewLayout(schema)
	last := uint16(0)
	layout.newUUID = func() (id ovsdb.UUID) {
		last++
		binary.BigEndian.PutUint16(id[:], last)
		return id
	}
	db := NewDB(NewSnapshot(layout))
	names := namer{}
	var out strings.Builder
	for line := range strings.Lines(string(text)) {
		line = strings.TrimSuffix(line, "\n")
		params, isTxn := strings.CutPrefix(line, "> ")
		switch {
		case strings.HasPrefix(line, "#"), line == "":
			fmt.Fprintln(&out, line)
			continue
		case !isTxn:
			continue
		}
		req, err := ParseRequest(db.Layout(), []byte(params))
		if err != nil {
			t.Fatalf("%s: %v", line, err)
		}
		before := db.Head()
		o := req.Execute(db, &Env{})
		if db.Head() != before {
			t.Fatalf("%s: executing changed the head", line)
		}
		if len(o.Changes) > 0 {
			db.Apply(o.Changes, ovsdb.UUID{})
		}
		fmt.Fprintf(&out, "%s\n%s\n", line, names.replace(sortRows(t, o.Result)))
		checkAux(t, db)
	}
	if *rewrite {
		if err := os.WriteFile(name, []byte(out.String()), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if diff := cmp.Diff(string(text), out.String()); diff != "" {
		t.Error(diff)
	}
}

// checkAux compares what a DB keeps up to date with what it would work out anew.
func checkAux(t rapid.TB, db *DB) {
	t.Helper()
	again := NewDB(db.Head())
	for i := range db.tabs {
		if diff := cmp.Diff(again.tabs[i].refs, db.tabs[i].refs); diff != "" {
			t.Fatalf("references: %s", diff)
		}
		if diff := cmp.Diff(again.tabs[i].indexes, db.tabs[i].indexes); diff != "" {
			t.Fatalf("indexes: %s", diff)
		}
		for _, x := range db.tabs[i].learning.indexes {
			anew := &learnedIndex{column: x.column, rows: map[string][]ovsdb.UUID{}}
			for row := range db.rows[i].All() {
				anew.add(row)
			}
			byBytes := cmpopts.SortSlices(func(a, b ovsdb.UUID) bool { return a.String() < b.String() })
			if diff := cmp.Diff(anew.rows, x.rows, byBytes); diff != "" {
				t.Fatalf("learned index of %s: %s", x.column.Name, diff)
			}
		}
		if diff := cmp.Diff(again.tabs[i].weak, db.tabs[i].weak, cmp.AllowUnexported(rowKey{})); diff != "" {
			t.Fatalf("weak references: %s", diff)
		}
	}
}

// FuzzExecute runs whatever parses on a small database: it must not panic, and
// a failed transaction must change nothing.
func FuzzExecute(f *testing.F) {
	f.Add(`{"op":"insert","table":"root","row":{"name":"a","strong":["named-uuid","x"]}},{"op":"insert","table":"leaf","uuid-name":"x","row":{}}`)
	f.Add(`{"op":"mutate","table":"root","where":[["i","<",3]],"mutations":[["i","+=",1],["si","insert",["set",[1]]]]}`)
	f.Add(`{"op":"delete","table":"leaf","where":[true]},{"op":"abort"}`)
	f.Fuzz(func(t *testing.T, ops string) {
		db := newTestDB(t)
		do(t, db, `{"op":"insert","table":"leaf","uuid-name":"l","row":{"v":1}},{"op":"insert","table":"root","row":{"name":"r","strong":["named-uuid","l"],"weak":["named-uuid","l"]}}`)
		params := []byte(`["all",` + ops + `]`)
		if !json.Valid(params) {
			return
		}
		req, err := ParseRequest(db.Layout(), params)
		if err != nil {
			return
		}
		out := req.Execute(db, &Env{})
		if out.Failed != nil && len(out.Changes) > 0 {
			t.Fatal("a failed transaction has changes")
		}
		if len(out.Changes) > 0 {
			db.Apply(out.Changes, ovsdb.UUID{})
		}
		checkAux(t, db)
	})
}
