package trace

import (
	"strings"
	"testing"

	"weir/internal/xlate"
)

// TestReasons: kinds of drop have their words without a gap between them, and nothing
// is left to fill in.
func TestReasons(t *testing.T) {
	names := map[string]bool{}
	for kind := xlate.DropOther; int(kind) < len(reasons); kind++ {
		about, ok := reasons[kind]
		if !ok || about.name == "" || names[about.name] {
			t.Errorf("kind %d has no name of its own (%q)", kind, about.name)
		}
		names[about.name] = true
		for _, vlan := range []uint16{0, 7} {
			r := &xlate.DropReason{Kind: kind, Bridge: "br0", Table: 3, Port: "p1", VLAN: vlan, Group: 9, Err: xlate.ErrDepth}
			for _, text := range append(remedies(r, nil, nil), what(r)) {
				if text == "" || strings.ContainsAny(text, "{}") {
					t.Errorf("kind %d (%s) is told as %q", kind, about.name, text)
				}
			}
		}
	}
}
