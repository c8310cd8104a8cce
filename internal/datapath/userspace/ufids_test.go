package userspace

import (
	"testing"

	"pgregory.net/rapid"

	"weir/internal/datapath"
)

// ufids does what a map does, also when flows move in the list of all.
func TestUFIDs(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var table ufids
		var all []*entry
		model := map[datapath.UFID]*entry{}
		for range rapid.IntRange(1, 400).Draw(t, "steps") {
			u := datapath.UFID{0: byte(rapid.IntRange(0, 40).Draw(t, "a")), 8: byte(rapid.IntRange(0, 4).Draw(t, "b"))}
			at := table.find(&u, all)
			if want := model[u]; (at < 0) != (want == nil) || want != nil && all[at] != want {
				t.Fatalf("found %d, want %v", at, want)
			}
			if at < 0 {
				e := &entry{ufid: u}
				all = append(all, e)
				table.add(&u, len(all)-1, all)
				model[u] = e
				continue
			}
			last := len(all) - 1
			table.remove(&u, at, all)
			if at != last {
				table.move(&all[last].ufid, last, at)
				all[at] = all[last]
			}
			all = all[:last]
			delete(model, u)
		}
		if table.count != len(model) {
			t.Fatalf("%d flows, want %d", table.count, len(model))
		}
	})
}
