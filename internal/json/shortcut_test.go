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
	if entered, named := takeShortcuts(t, `{"a":1,"a":{"c":2,"b":3},"c":4}`, `{"a":1,"a":{`, []string{"c", "b"}); !entered || named != 2 {
		t.Errorf("an object was entered: %t; %d names were found, want 2", entered, named)
	}
	rapid.Check(t, func(t *rapid.T) {
		text := rapid.StringMatching(`\{("a":1,){0,2}"(a|b|\\u0061)" ?: ?(\{"c":[1-9](,"a":\[\])?\}|3),? ?"c":2[}\]]`).Draw(t, "text")
		head := rapid.SampledFrom([]string{"", `{"a":{`, `{"b":{`, `{"a":1,"a":{`}).Draw(t, "head")
		if rapid.Bool().Draw(t, "meet") {
			text = head + strings.TrimPrefix(text, "{")
		}
		takeShortcuts(t, text, head, rapid.SliceOfN(rapid.SampledFrom([]string{"a", "b", "c"}), 0, 3).Draw(t, "names"))
	})
}

// takeShortcuts enters head, unless it is empty, and asks for names, and
// compares how the scanner goes on with one that has read token by token.
func takeShortcuts(t rapid.TB, text, head string, names []string) (entered bool, named int) {
	a, b := NewScanner([]byte(text)), NewScanner([]byte(text))
	a.Next()
	b.Next()
	if head != "" && a.Enter([]byte(head)) {
		entered = true
		for b.Next() != ObjectBegin {
		}
	}
	for _, name := range names {
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
	return entered, named
}
