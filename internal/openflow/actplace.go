package openflow

import (
	"fmt"

	"weir/internal/flow"
)

// What may stand where in a list of actions: the order of instructions, what
// stands beside a conjunction, inside ct, and in an action set.

// Places among instructions that are more than an order.
const (
	instMeter = 0
	instApply = 1
)

// instOrder is the place of an action among the instructions of OpenFlow 1.1.
func instOrder(a Action) (int, string) {
	switch a.(type) {
	case *MeterInst:
		return instMeter, "meter"
	case *ClearActions:
		return 2, "clear_actions"
	case *WriteActions:
		return 3, "write_actions"
	case *WriteMetadata:
		return 4, "write_metadata"
	case *GotoTable:
		return 5, "goto_table"
	}
	return instApply, "apply_actions"
}

// checkOrder makes sure that instructions come in the order in which they run,
// and each at most once.
func checkOrder(as []Action) error {
	last, lastName := -1, ""
	for _, a := range as {
		o, name := instOrder(a)
		switch {
		case o < last:
			return fmt.Errorf("invalid instruction ordering: %s must appear before %s, for OpenFlow 1.1+ compatibility", name, lastName)
		case o == last && o != 1:
			return fmt.Errorf("duplicate %s instruction not allowed, for OpenFlow 1.1+ compatibility", name)
		}
		last, lastName = o, name
		if w, ok := a.(*WriteActions); ok {
			for _, x := range w.Actions {
				if o, name := instOrder(x); o != 1 && name != "meter" {
					return fmt.Errorf("%s instruction not allowed here", name)
				}
			}
		}
	}
	return nil
}

// outsideCT says what stands in no ct but may only stand in one, or "".
func outsideCT(as []Action) string {
	for _, a := range as {
		var dst *flow.Field
		text := ""
		switch a := a.(type) {
		case *NAT:
			return "Cannot have NAT action outside of \"ct\" action"
		case *SetField:
			dst = a.Field
		case *Move:
			dst = a.Dst.Field
		case *Clone:
			text = outsideCT(a.Actions)
		case *WriteActions:
			text = outsideCT(a.Actions)
		}
		if dst != nil && (dst.ID == flow.FieldCTMark || dst.ID == flow.FieldCTLabel) {
			return "cannot set CT fields outside of ct action"
		}
		if text != "" {
			return text
		}
	}
	return ""
}

// besideConjunction is the first action that may not stand beside a conjunction:
// a flow that takes part in one does nothing of its own (ovs-actions(7),
// conjunction). It is nil where there is no conjunction, or no such action.
func besideConjunction(as []Action) Action {
	var other Action
	found := false
	for _, a := range as {
		switch a.(type) {
		case *Conjunction:
			found = true
		case *Note:
		default:
			if other == nil {
				other = a
			}
		}
	}
	if !found {
		return nil
	}
	return other
}

// beside says what is wrong with an action beside a conjunction.
func beside(a Action) string {
	return fmt.Sprintf("\"conjunction\" actions may be used along with \"note\" but not any other kind of action (such as the \"%s\" action used here)",
		ActionName(a))
}

// inActionSet reports whether an action may stand in an action set.
func inActionSet(a Action) bool {
	switch a.(type) {
	case *OutputReg, *OutputTrunc, *Controller, *Enqueue, *PopQueue, *Push, *Pop, *Exit, *Note, *FinTimeout, *Clone,
		*Conjunction, *Multipath, *Bundle, *Learn, *Sample, *CheckPktLarger, *DeleteField, *DebugSlow, *DebugRecirc, *UnrollXlate:
		return false
	}
	return true
}
