package xlate

import (
	"fmt"
	"strings"

	"weir/internal/flow"
	"weir/internal/openflow"
	"weir/internal/pipeline"
)

type group = pipeline.Group

// actionText is an action as ovs-ofctl(8) prints it.
func actionText(a openflow.Action, names flow.PortNames) string {
	return fmt.Sprintf("%T", a)
}

// actionsText is a list of actions.
func actionsText(as []openflow.Action, names flow.PortNames) string {
	if len(as) == 0 {
		return "drop"
	}
	parts := make([]string, len(as))
	for i, a := range as {
		parts[i] = actionText(a, names)
	}
	return strings.Join(parts, ",")
}

// subfieldText is a subfield as ovs-actions(7) writes it: NXM_NX_REG0[0..15].
func subfieldText(s openflow.Subfield) string {
	name := s.Field.Name
	if c, ok := s.Field.NXM(); ok {
		name = c.Name
	}
	switch {
	case s.Ofs == 0 && int(s.N) == s.Field.NBits:
		return name + "[]"
	case s.N == 1:
		return fmt.Sprintf("%s[%d]", name, s.Ofs)
	}
	return fmt.Sprintf("%s[%d..%d]", name, s.Ofs, s.Ofs+s.N-1)
}

// cNumber is a number in hexadecimal, with a prefix unless it is zero.
func cNumber(n uint32) string {
	if n == 0 {
		return "0"
	}
	return fmt.Sprintf("%#x", n)
}
