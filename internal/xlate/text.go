package xlate

import (
	"fmt"

	"weir/internal/flow"
	"weir/internal/openflow"
	"weir/internal/pipeline"
)

type group = pipeline.Group

// ofNames names ports in the text of actions.
func ofNames(names flow.PortNames) *openflow.Names {
	if names == nil {
		return nil
	}
	return &openflow.Names{Ports: names}
}

// actionText is an action as ovs-ofctl(8) prints it.
func actionText(a openflow.Action, names flow.PortNames) string {
	return openflow.FormatAction(a, ofNames(names))
}

// actionsText is a list of actions.
func actionsText(as []openflow.Action, names flow.PortNames) string {
	return openflow.FormatActions(as, ofNames(names))
}

// cNumber is a number in hexadecimal, with a prefix unless it is zero.
func cNumber[T uint32 | uint64](n T) string {
	if n == 0 {
		return "0"
	}
	return fmt.Sprintf("%#x", n)
}
