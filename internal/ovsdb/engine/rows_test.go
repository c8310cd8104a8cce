package engine

import (
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
			for range rapid.IntRange(0, 40).Draw(t, "steps") {
				var id ovsdb.UUID
				id[0] = byte(rapid.IntRange(0, 50).Draw(t, "id"))
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

// TestCollisions drives the trie below its last level.
func TestCollisions(t *testing.T) {
	e := Rows{}.edit(&owner{})
	a, b := &Row{ID: ovsdb.UUID{1}}, &Row{ID: ovsdb.UUID{2}}
	h := uint64(7)
	e.root = e.insert(e.insert(nil, a, h, maxShift, true), b, h, maxShift, false)
	for i := range 2 * maxList {
		e.root = e.insert(e.root, &Row{ID: ovsdb.UUID{3, byte(i)}}, h, maxShift, i%2 == 0)
	}
	if e.n != 2+2*maxList || len(e.root.rows) != e.n {
		t.Fatalf("%d rows, %d in the list", e.n, len(e.root.rows))
	}
	for i := range 2 * maxList {
		e.root = e.delete(e.root, ovsdb.UUID{3, byte(i)}, h, maxShift)
	}
	if e.root = e.delete(e.root, a.ID, h, maxShift); e.n != 1 || e.root.rows[0] != b {
		t.Fatal("delete")
	}
	if e.root = e.delete(e.root, b.ID, h, maxShift); e.root != nil {
		t.Fatal("an empty node stayed")
	}
}
