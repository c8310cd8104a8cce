package flow

import (
	"testing"

	"pgregory.net/rapid"
)

func TestPackedMatchKeepsMatch(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		draw := func(label string) (m Match) {
			for range rapid.IntRange(0, 5).Draw(t, label) {
				w := rapid.IntRange(0, NumWords-1).Draw(t, "word")
				m.Mask.Words()[w] = rapid.Uint64().Draw(t, "mask")
				m.Key.Words()[w] = rapid.Uint64().Draw(t, "key") & m.Mask.Words()[w]
			}
			return m
		}
		a, b := draw("a"), draw("b")
		pa, pb := PackedMatch(a.AppendPacked(nil)), PackedMatch(b.AppendPacked(nil))
		var back Match
		back.Key.InPort = 1
		if pa.Unpack(&back); back != a {
			t.Fatalf("unpacked %+v, not %+v", back, a)
		}
		if (pa == pb) != (a == b) {
			t.Fatalf("packed forms equal: %v", pa == pb)
		}
	})
}
