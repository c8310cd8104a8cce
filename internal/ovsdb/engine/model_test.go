package engine

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"weir/internal/ovsdb"
)

// The model is a database of the schema below in plain maps, which works out
// everything anew after each transaction.
const modelSchema = `{"name":"all","version":"1.0.0","tables":{
"root":{"isRoot":true,"columns":{
 "name":{"type":"string"},"n":{"type":"integer"},
 "strong":{"type":{"key":{"type":"uuid","refTable":"leaf"},"min":0,"max":"unlimited"}},
 "weak":{"type":{"key":{"type":"uuid","refTable":"leaf","refType":"weak"},"min":0,"max":"unlimited"}}},
 "indexes":[["name"]]},
"leaf":{"columns":{"v":{"type":"integer"},"next":{"type":{"key":{"type":"uuid","refTable":"leaf"},"min":0,"max":1}}}}
}}`

type ids map[ovsdb.UUID]bool

type modelRoot struct {
	name         string
	n            int
	strong, weak ids
}

type modelLeaf struct {
	v    int
	next ids
}

type model struct {
	roots  map[ovsdb.UUID]modelRoot
	leaves map[ovsdb.UUID]modelLeaf
}

func (m model) clone() model {
	out := model{map[ovsdb.UUID]modelRoot{}, map[ovsdb.UUID]modelLeaf{}}
	for id, r := range m.roots {
		r.strong, r.weak = maps.Clone(r.strong), maps.Clone(r.weak)
		out.roots[id] = r
	}
	for id, l := range m.leaves {
		l.next = maps.Clone(l.next)
		out.leaves[id] = l
	}
	return out
}

// settle collects garbage and checks constraints (RFC 7047 section 3.2): "" or
// the tag of the error. A reference that the transaction adds must not dangle,
// even where it would go away with its row; one from before may.
func (m model) settle(before model) string {
	for id, r := range m.roots {
		if m.dangles(r.strong, before.roots[id].strong) {
			return ovsdb.TagReferentialIntegrity
		}
	}
	for id, l := range m.leaves {
		if m.dangles(l.next, before.leaves[id].next) {
			return ovsdb.TagReferentialIntegrity
		}
	}
	for again := true; again; {
		again = false
		kept := ids{}
		for _, r := range m.roots {
			maps.Copy(kept, r.strong)
		}
		for id, l := range m.leaves {
			for next := range l.next {
				if next != id {
					kept[next] = true
				}
			}
		}
		for id := range m.leaves {
			if !kept[id] {
				delete(m.leaves, id)
				again = true
			}
		}
	}
	names := map[string]bool{}
	dangling, double := false, false
	for _, r := range m.roots {
		for id := range r.weak {
			if _, ok := m.leaves[id]; !ok {
				delete(r.weak, id)
			}
		}
		for id := range r.strong {
			_, ok := m.leaves[id]
			dangling = dangling || !ok
		}
		double = double || names[r.name]
		names[r.name] = true
	}
	for _, l := range m.leaves {
		for id := range l.next {
			_, ok := m.leaves[id]
			dangling = dangling || !ok
		}
	}
	switch {
	case dangling:
		return ovsdb.TagReferentialIntegrity
	case double:
		return ovsdb.TagConstraint
	}
	return ""
}

// dangles reports whether refs has references to nothing that had hasn't.
func (m model) dangles(refs, had ids) bool {
	for id := range refs {
		if _, ok := m.leaves[id]; !ok && !had[id] {
			return true
		}
	}
	return false
}

// text prints the model as textOf prints a database.
func (m model) text() []string {
	var out []string
	for id, r := range m.roots {
		out = append(out, fmt.Sprintf("%s %q %d %v %v", id, r.name, r.n, sorted(r.strong), sorted(r.weak)))
	}
	for id, l := range m.leaves {
		out = append(out, fmt.Sprintf("%s %d %v", id, l.v, sorted(l.next)))
	}
	slices.Sort(out)
	return out
}

func sorted(s ids) []string {
	out := []string{}
	for id := range s {
		out = append(out, id.String())
	}
	slices.Sort(out)
	return out
}

func textOf(s *Snapshot) []string {
	set := func(d ovsdb.Datum) []string {
		out := []string{}
		for i := range d.Len() {
			out = append(out, d.Key(i).UUID().String())
		}
		slices.Sort(out)
		return out
	}
	var out []string
	root, leaf := s.Layout.Table("root"), s.Layout.Table("leaf")
	for r := range s.Tables[root.Num].All() {
		out = append(out, fmt.Sprintf("%s %q %d %v %v", r.ID, r.Get(root.Column("name")).Str(), r.Get(root.Column("n")).Int(),
			set(r.Get(root.Column("strong"))), set(r.Get(root.Column("weak")))))
	}
	for r := range s.Tables[leaf.Num].All() {
		out = append(out, fmt.Sprintf("%s %d %v", r.ID, r.Get(leaf.Column("v")).Int(), set(r.Get(leaf.Column("next")))))
	}
	slices.Sort(out)
	return out
}

// modelStep is an operation as JSON and what it does to a model, with the count
// it tells, or -1.
type modelStep struct {
	json string
	do   func(m model) int
}

func uuidSet(s []ovsdb.UUID) string {
	var out []string
	for _, id := range s {
		out = append(out, fmt.Sprintf(`["uuid","%s"]`, id))
	}
	return `["set",[` + strings.Join(out, ",") + `]]`
}

func setOf(s []ovsdb.UUID) ids {
	out := ids{}
	for _, id := range s {
		out[id] = true
	}
	return out
}

// drawStep draws an operation. Rows have UUIDs from a small pool, so that
// references hit.
func drawStep(t *rapid.T, m model, nextID *byte) modelStep {
	leafIDs := slices.SortedFunc(maps.Keys(m.leaves), func(a, b ovsdb.UUID) int { return slices.Compare(a[:], b[:]) })
	some := func(label string, most int) []ovsdb.UUID {
		pool := append(slices.Clone(leafIDs), ovsdb.UUID{0xff})
		return rapid.SliceOfNDistinct(rapid.SampledFrom(pool), 0, min(most, len(pool)), rapid.ID[ovsdb.UUID]).Draw(t, label)
	}
	name := rapid.SampledFrom([]string{"a", "b", "c", "d", "e"}).Draw(t, "name")
	n := rapid.IntRange(0, 3).Draw(t, "n")
	where, matches := fmt.Sprintf(`[["n","==",%d]]`, n), func(r modelRoot) bool { return r.n == n }
	if rapid.Bool().Draw(t, "by name") {
		where, matches = fmt.Sprintf(`[["name","==",%q]]`, name), func(r modelRoot) bool { return r.name == name }
	}
	each := func(m model, fn func(id ovsdb.UUID, r modelRoot)) int {
		count := 0
		for id, r := range maps.Clone(m.roots) {
			if matches(r) {
				count++
				fn(id, r)
			}
		}
		return count
	}
	*nextID++
	id := ovsdb.UUID{*nextID}
	switch rapid.IntRange(0, 6).Draw(t, "op") {
	case 0:
		strong, weak := some("strong", 2), some("weak", 2)
		return modelStep{fmt.Sprintf(`{"op":"insert","table":"root","uuid":"%s","row":{"name":%q,"n":%d,"strong":%s,"weak":%s}}`, id, name, n, uuidSet(strong), uuidSet(weak)),
			func(m model) int { m.roots[id] = modelRoot{name, n, setOf(strong), setOf(weak)}; return -1 }}
	case 1:
		next := some("next", 1)
		return modelStep{fmt.Sprintf(`{"op":"insert","table":"leaf","uuid":"%s","row":{"v":%d,"next":%s}}`, id, n, uuidSet(next)),
			func(m model) int { m.leaves[id] = modelLeaf{n, setOf(next)}; return -1 }}
	case 2:
		strong := some("strong", 3)
		return modelStep{fmt.Sprintf(`{"op":"mutate","table":"root","where":%s,"mutations":[["n","+=",1],["strong","insert",%s]]}`, where, uuidSet(strong)),
			func(m model) int {
				return each(m, func(id ovsdb.UUID, r modelRoot) {
					r.n++
					maps.Copy(r.strong, setOf(strong))
					m.roots[id] = r
				})
			}}
	case 3:
		strong := some("strong", 3)
		return modelStep{fmt.Sprintf(`{"op":"mutate","table":"root","where":%s,"mutations":[["strong","delete",%s]]}`, where, uuidSet(strong)),
			func(m model) int {
				return each(m, func(_ ovsdb.UUID, r modelRoot) {
					for _, id := range strong {
						delete(r.strong, id)
					}
				})
			}}
	case 4:
		weak, k := some("weak", 2), rapid.IntRange(0, 3).Draw(t, "k")
		return modelStep{fmt.Sprintf(`{"op":"update","table":"root","where":%s,"row":{"n":%d,"weak":%s}}`, where, k, uuidSet(weak)),
			func(m model) int {
				return each(m, func(id ovsdb.UUID, r modelRoot) {
					r.n, r.weak = k, setOf(weak)
					m.roots[id] = r
				})
			}}
	case 5:
		return modelStep{fmt.Sprintf(`{"op":"delete","table":"root","where":%s}`, where),
			func(m model) int { return each(m, func(id ovsdb.UUID, _ modelRoot) { delete(m.roots, id) }) }}
	}
	return modelStep{fmt.Sprintf(`{"op":"delete","table":"leaf","where":[["v","==",%d]]}`, n),
		func(m model) int {
			count := 0
			for id, l := range m.leaves {
				if l.v == n {
					delete(m.leaves, id)
					count++
				}
			}
			return count
		}}
}

// TestModel compares transactions with the model: what they answer, what they
// leave, what the database keeps beside its rows, older snapshots, and that
// commits can be taken back. Indexes are learned at once.
func TestModel(t *testing.T) {
	schema, err := ovsdb.ParseSchema([]byte(modelSchema))
	if err != nil {
		t.Fatal(err)
	}
	rapid.Check(t, func(t *rapid.T) {
		layout := NewLayout(schema)
		layout.learnFrom = 1
		db := NewDB(NewSnapshot(layout))
		now := model{map[ovsdb.UUID]modelRoot{}, map[ovsdb.UUID]modelLeaf{}}
		var nextID byte
		for range rapid.IntRange(1, 12).Draw(t, "transactions") {
			next := now.clone()
			ops, answers := "", []string{}
			for range rapid.IntRange(1, 5).Draw(t, "operations") {
				s := drawStep(t, next, &nextID)
				ops += "," + s.json
				if count := s.do(next); count >= 0 {
					answers = append(answers, fmt.Sprintf(`{"count":%d}`, count))
				} else {
					answers = append(answers, fmt.Sprintf(`{"uuid":["uuid","%s"]}`, ovsdb.UUID{nextID}))
				}
			}
			tag := next.settle(now)
			req, err := ParseRequest(layout, []byte(`["all"`+ops+`]`))
			if err != nil {
				t.Fatal(err)
			}
			out := req.Execute(db, &Env{})
			if got := failure(out); got != tag {
				t.Fatalf("%s: failed with %q, want %q (%s)", ops, got, tag, out.Result)
			}
			if tag != "" {
				if len(out.Changes) > 0 {
					t.Fatal("a failed transaction has changes")
				}
				continue
			}
			if got, want := string(out.Result), "["+strings.Join(answers, ",")+"]"; got != want {
				t.Fatalf("%s: answered %s, want %s", ops, got, want)
			}
			checkCommit(t, db, out.Changes, now, next)
			now = next
		}
	})
}

func failure(out Outcome) string {
	if out.Failed == nil {
		return ""
	}
	return out.Failed.Tag
}

// checkCommit applies changes, sometimes takes them back and applies them again.
func checkCommit(t *rapid.T, db *DB, changes []Change, before, after model) {
	var old *Snapshot
	if rapid.Bool().Draw(t, "snapshot") {
		old = db.Head()
	}
	check := func(s *Snapshot, want model) {
		if diff := cmp.Diff(want.text(), textOf(s)); diff != "" {
			t.Fatal(diff)
		}
	}
	if len(changes) > 0 {
		db.Apply(changes, ovsdb.UUID{})
		if rapid.Bool().Draw(t, "undo") {
			db.Undo(changes, ovsdb.UUID{})
			check(db.Head(), before)
			checkAux(t, db)
			db.Apply(changes, ovsdb.UUID{})
		}
	}
	check(db.Head(), after)
	checkAux(t, db)
	if old != nil {
		check(old, before)
	}
}
