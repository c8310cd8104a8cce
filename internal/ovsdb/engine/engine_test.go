package engine

import (
	"fmt"
	"testing"

	"weir/internal/ovsdb"
)

const testSchema = `{"name":"all","version":"1.0.0","tables":{
"root":{"isRoot":true,"columns":{
 "name":{"type":"string"},
 "i":{"type":{"key":{"type":"integer","minInteger":-10,"maxInteger":10}}},
 "si":{"type":{"key":"integer","min":0,"max":"unlimited"}},
 "ms":{"type":{"key":"string","value":"string","min":0,"max":"unlimited"}},
 "strong":{"type":{"key":{"type":"uuid","refTable":"leaf"},"min":0,"max":"unlimited"}},
 "weak":{"type":{"key":{"type":"uuid","refTable":"leaf","refType":"weak"},"min":0,"max":"unlimited"}}},
 "indexes":[["name"]]},
"leaf":{"columns":{"v":{"type":"integer"},"next":{"type":{"key":{"type":"uuid","refTable":"leaf"},"min":0,"max":1}}}}
}}`

func newTestDB(t testing.TB) *DB {
	t.Helper()
	schema, err := ovsdb.ParseSchema([]byte(testSchema))
	if err != nil {
		t.Fatal(err)
	}
	return NewDB(NewSnapshot(NewLayout(schema)))
}

// do runs operations and applies what they change.
func do(t testing.TB, db *DB, ops string) Outcome {
	req, err := ParseRequest(db.Layout(), []byte(`["all",`+ops+`]`))
	if err != nil {
		t.Fatalf("%s: %v", ops, err)
	}
	out := req.Execute(db, &Env{})
	if len(out.Changes) > 0 {
		db.Apply(out.Changes, ovsdb.UUID{})
	}
	return out
}

func BenchmarkInsert(b *testing.B) {
	db := newTestDB(b)
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		out := do(b, db, fmt.Sprintf(`{"op":"insert","table":"root","row":{"name":"n%d","i":3,"si":["set",[1,2,3]],"ms":["map",[["a","b"],["c","d"]]]}}`, i))
		if out.Failed != nil {
			b.Fatal(out.Failed)
		}
	}
}

func BenchmarkUpdate(b *testing.B) {
	db := newTestDB(b)
	for i := range 10000 {
		do(b, db, fmt.Sprintf(`{"op":"insert","table":"root","row":{"name":"n%d"}}`, i))
	}
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		out := do(b, db, fmt.Sprintf(`{"op":"update","table":"root","where":[["name","==","n%d"]],"row":{"i":%d}}`, i%10000, i/10000%10))
		if out.Failed != nil {
			b.Fatal(out.Failed)
		}
	}
}
