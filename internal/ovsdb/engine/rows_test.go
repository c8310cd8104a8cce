package engine

import (
	"encoding/binary"
	"testing"

	"pgregory.net/rapid"

	"weir/internal/ovsdb"
)

// TestRows checks the trie against a plain map, its older versions against
// later changes, and Diff against a comparison of maps.
func TestRows(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		type version struct {
			rows Rows
			want map[ovsdb.UUID]*Row
		}
		versions := []version{{Rows{}, map[ovsdb.UUID]*Row{}}}
		for range rapid.IntRange(1, 12).Draw(t, "edits") {
			last := versions[len(versions)-1]
			want := map[ovsdb.UUID]*Row{}
			for k, v := range last.want {
				want[k] = v
			}
			e := last.rows.edit(&owner{})
			for range rapid.IntRange(0, 120).Draw(t, "steps") {
				var id ovsdb.UUID
				id[0] = byte(rapid.IntRange(0, 250).Draw(t, "id"))
				if rapid.Bool().Draw(t, "remove") {
					e.remove(id)
					delete(want, id)
					continue
				}
				row := &Row{ID: id}
				if want[id] == nil && rapid.Bool().Draw(t, "add") {
					e.add(row)
				} else {
					e.set(row)
				}
				want[id] = row
			}
			versions = append(versions, version{e.done(), want})
		}
		for i, v := range versions {
			if v.rows.Len() != len(v.want) {
				t.Fatalf("version %d: Len %d, want %d", i, v.rows.Len(), len(v.want))
			}
			n := 0
			for row := range v.rows.All() {
				n++
				if v.want[row.ID] != row || v.rows.Get(row.ID) != row {
					t.Fatalf("version %d: wrong row %v", i, row.ID)
				}
			}
			if n != len(v.want) {
				t.Fatalf("version %d: ranged over %d rows, want %d", i, n, len(v.want))
			}
		}
		a, b := versions[len(versions)/2], versions[len(versions)-1]
		got := map[ovsdb.UUID][2]*Row{}
		Diff(a.rows, b.rows, func(old, now *Row) {
			var id ovsdb.UUID
			if old != nil {
				id = old.ID
			} else {
				id = now.ID
			}
			got[id] = [2]*Row{old, now}
		})
		for i := range 256 {
			var id ovsdb.UUID
			id[0] = byte(i)
			pair, differs := [2]*Row{a.want[id], b.want[id]}, a.want[id] != b.want[id]
			if g, ok := got[id]; ok != differs || ok && g != pair {
				t.Fatalf("diff of %v: %v %v, want %v %v", id, ok, g, differs, pair)
			}
		}
	})
}

// colliding returns UUIDs that all have the same hash.
func colliding(i int) (id ovsdb.UUID) {
	const mixer = 0x9e3779b97f4a7c15 // hashID's
	binary.LittleEndian.PutUint64(id[8:], uint64(i))
	binary.LittleEndian.PutUint64(id[:8], 12345^uint64(i)*mixer)
	return id
}

// TestCollisions drives the trie below its last level.
func TestCollisions(t *testing.T) {
	e := Rows{}.edit(&owner{})
	const n = 3 * maxList
	for i := range n {
		if hashID(colliding(i)) != hashID(colliding(0)) {
			t.Fatal("the hashes differ")
		}
		if row := (&Row{ID: colliding(i)}); i%2 == 0 {
			e.add(row)
		} else {
			e.set(row)
		}
	}
	now := &Row{ID: colliding(n / 2)}
	e.set(now)
	if e.n != n || e.done().Get(now.ID) != now {
		t.Fatalf("%d rows, want %d", e.n, n)
	}
	for i := range n {
		e.remove(colliding(i))
		if e.n != n-1-i || e.done().Get(colliding(i)) != nil {
			t.Fatalf("row %d is still there", i)
		}
		for j := i + 1; j < n; j++ {
			if row := e.done().Get(colliding(j)); row == nil || row.ID != colliding(j) {
				t.Fatalf("row %d is gone with row %d", j, i)
			}
		}
	}
	if e.root != nil {
		t.Fatal("an empty node stayed")
	}
}

// TestWith checks batches of changes of a large table against a plain map.
func TestWith(t *testing.T) {
	want := map[ovsdb.UUID]*Row{}
	var rows, before Rows
	own := &owner{}
	for round := range 1200 {
		if round%100 == 0 { // as when a snapshot was taken
			before, own = rows, &owner{}
		}
		var changes []Change
		seen := map[ovsdb.UUID]bool{}
		for range 1 + round%sights {
			id := ovsdb.NewUUID()
			for old := range want { // any one
				if round%3 > 0 && len(want) > 3000 && !seen[old] {
					id = old
				}
				break
			}
			c := Change{Old: want[id], New: &Row{ID: id}}
			if c.Old != nil && round%3 == 1 {
				c.New = nil
				delete(want, id)
			} else {
				want[id] = c.New
			}
			seen[id] = true
			changes = append(changes, c)
		}
		n := before.Len()
		rows = rows.with(changes, own)
		if rows.Len() != len(want) || before.Len() != n {
			t.Fatalf("round %d: %d rows, want %d", round, rows.Len(), len(want))
		}
	}
	for id, row := range want {
		if rows.Get(id) != row {
			t.Fatalf("row %v is wrong", id)
		}
	}
	if rows.Len() < 1000 {
		t.Errorf("only %d rows", rows.Len())
	}
}
