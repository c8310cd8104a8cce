package json

import (
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// tokens lists what is left of s, each with its text.
func tokens(s *Scanner) []string {
	var out []string
	for {
		k := s.Next()
		out = append(out, strings.Join([]string{k.String(), s.Str(), string(s.Data(s.Offset(), s.End()))}, "|"))
		if k == EOF || k == Invalid {
			return out
		}
	}
}

// TestShortcuts: after Named and Enter, taken or not, a scanner goes on as one that
// read token by token.
func TestShortcuts(t *testing.T) {
	named, entered := 0, 0
	rapid.Check(t, func(t *rapid.T) {
		text := rapid.StringMatching(`\{("a":1,){0,2}"(a|b|\\u0061)" ?: ?(\{"c":[1-9](,"a":\[\])?\}|3),? ?"c":2[}\]]`).Draw(t, "text")
		a, b := NewScanner([]byte(text)), NewScanner([]byte(text))
		a.Next()
		b.Next()
		if rapid.Bool().Draw(t, "enter") {
			head := rapid.SampledFrom([]string{`{"a":{`, `{"b":{`, `{"a":1,"a":{`}).Draw(t, "head")
			if a.Enter([]byte(head)) {
				entered++
				for b.Next() != ObjectBegin {
				}
			}
		}
		for range rapid.IntRange(0, 3).Draw(t, "names") {
			name := rapid.SampledFrom([]string{"a", "b", "c"}).Draw(t, "name")
			if a.Named(`"` + name + `":`) {
				named++
				if b.Next() != String || b.Str() != name || a.Str() != name || !a.IsName() || a.End() == b.Offset() {
					t.Fatalf("%s: not named %s", text, name)
				}
			}
			if a.Kind() == String && a.IsName() {
				a.Next()
				b.Next()
			}
		}
		if got, want := tokens(a), tokens(b); !slices.Equal(got, want) {
			t.Fatalf("%s\n goes on as %q\nnot as %q", text, got, want)
		}
	})
	if named == 0 || entered == 0 {
		t.Errorf("%d names, %d objects", named, entered)
	}
}
