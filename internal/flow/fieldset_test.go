package flow

import (
	"slices"
	"testing"

	"pgregory.net/rapid"
)

// The fields found through the words of a mask are those that a look at every
// field finds.
func TestFieldsOfFindsAll(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var m Mask
		for range rapid.IntRange(0, 6).Draw(t, "fields") {
			f := &Fields[rapid.IntRange(0, int(NumFields)-1).Draw(t, "field")]
			f.Mark(&m, Value{Hi: rapid.Uint64().Draw(t, "hi"), Lo: rapid.Uint64().Draw(t, "lo")}.And(f.Exact()))
		}
		var want []*Field
		for i := range Fields {
			if !Fields[i].IsWild(&m) {
				want = append(want, &Fields[i])
			}
		}
		if got := slices.Collect(FieldsOf(&m)); !slices.Equal(got, want) {
			t.Fatalf("got %v, want %v", got, want)
		}
	})
}
