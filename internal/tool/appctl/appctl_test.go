package appctl

import "testing"

// TestFormat: every answer ends with a newline, whether or not the server sent one,
// and one without text prints nothing.
func TestFormat(t *testing.T) {
	for in, want := range map[string]string{"": "", "a": "a\n", "a\nb\n": "a\nb\n", "\n": "\n"} {
		if got := (&settings{}).format(in); got != want {
			t.Errorf("%q: got %q, want %q", in, got, want)
		}
	}
}
