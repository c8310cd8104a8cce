package client

import (
	"testing"

	"pgregory.net/rapid"

	"weir/internal/jsonrpc"
	"weir/internal/ovsdb"
)

// TestRowSet compares edits and differences with those of plain maps.
func TestRowSet(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		ids := rapid.SliceOfNDistinct(rapid.Custom(func(t *rapid.T) ovsdb.UUID {
			// Few first bytes, so that buckets hold several rows.
			return ovsdb.UUID{rapid.ByteRange(0, 3).Draw(t, "hi"), rapid.Byte().Draw(t, "lo")}
		}), 1, 40, func(id ovsdb.UUID) ovsdb.UUID { return id }).Draw(t, "ids")
		var sets []*rowSet
		var models []map[ovsdb.UUID]*Row
		sets, models = append(sets, nil), append(models, map[ovsdb.UUID]*Row{})
		for range 4 {
			e := editRowSet(sets[len(sets)-1])
			m := map[ovsdb.UUID]*Row{}
			for k, v := range models[len(models)-1] {
				m[k] = v
			}
			for range rapid.IntRange(0, 20).Draw(t, "edits") {
				id := rapid.SampledFrom(ids).Draw(t, "id")
				if rapid.Bool().Draw(t, "del") {
					_, was := m[id]
					if e.del(id) != was {
						t.Fatalf("del(%v) != %v", id, was)
					}
					delete(m, id)
				} else {
					m[id] = &Row{uuid: id}
					e.put(m[id])
				}
			}
			sets, models = append(sets, e.set), append(models, m)
		}
		for i, s := range sets {
			checkSet(t, s, models[i], ids)
			for j := range sets {
				checkDiff(t, s, sets[j], models[i], models[j])
			}
		}
	})
}

func checkSet(t *rapid.T, s *rowSet, m map[ovsdb.UUID]*Row, ids []ovsdb.UUID) {
	if s == nil {
		return
	}
	n := 0
	for r := range s.all() {
		n++
		if m[r.uuid] != r {
			t.Fatalf("row %v is not the model's", r.uuid)
		}
	}
	if n != len(m) || s.n != len(m) {
		t.Fatalf("%d rows, n %d, want %d", n, s.n, len(m))
	}
	for _, id := range ids {
		if s.get(id) != m[id] {
			t.Fatalf("get(%v) differs", id)
		}
	}
}

func checkDiff(t *rapid.T, a, b *rowSet, ma, mb map[ovsdb.UUID]*Row) {
	got := map[ovsdb.UUID]bool{}
	diffRows(a, b, func(old, new *Row) bool {
		r := old
		if r == nil {
			r = new
		}
		if ma[r.uuid] != old || mb[r.uuid] != new || got[r.uuid] {
			t.Fatalf("wrong or repeated difference %v", r.uuid)
		}
		got[r.uuid] = true
		return true
	})
	want := 0
	for id, r := range ma {
		if mb[id] != r {
			want++
		}
	}
	for id := range mb {
		if ma[id] == nil {
			want++
		}
	}
	if len(got) != want {
		t.Fatalf("%d differences, want %d", len(got), want)
	}
}

// FuzzSession feeds a connection's messages to the machine: it must refuse or
// take them, never panic.
func FuzzSession(f *testing.F) {
	f.Add([]byte(`{"id":1,"result":null,"error":"no"}`), []byte(`{"id":2,"error":null,"result":`+testSchema+`}`),
		[]byte(`{"id":3,"error":null,"result":[false,"x",{"Kid":{"00000000-0000-0000-0000-000000000001":{"initial":{"name":"a"}}}}]}`))
	f.Add([]byte(`{"id":1,"error":null,"result":`+testSchema+`}`), []byte(`{}`),
		[]byte(`{"id":null,"method":"update3","params":[["monid","db"],"y",{"Kid":{"00000000-0000-0000-0000-000000000001":{"delete":null}}}]}`))
	f.Fuzz(func(_ *testing.T, a, b, c []byte) {
		s := newSession(&Config{Database: "Test", Lock: "L"}, resume{})
		for _, raw := range [][]byte{a, b, c} {
			m, err := jsonrpc.Parse(raw)
			if err != nil || s.handle(&m) != nil {
				return
			}
		}
	})
}
