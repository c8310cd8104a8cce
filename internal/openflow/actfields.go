package openflow

import "weir/internal/flow"

// ActionFields visits the fields that actions name, those inside nested
// actions too, until visit says false.
func ActionFields(actions []Action, visit func(*flow.Field) bool) bool {
	for _, a := range actions {
		for _, f := range fieldsOf(a) {
			if f != nil && !visit(f) {
				return false
			}
		}
		if !ActionFields(nestedActions(a), visit) {
			return false
		}
	}
	return true
}

// fieldsOf are the fields of one action; some may be nil.
func fieldsOf(a Action) []*flow.Field {
	switch a := a.(type) {
	case *SetField:
		return []*flow.Field{a.Field}
	case *Move:
		return []*flow.Field{a.Src.Field, a.Dst.Field}
	case *Push:
		return []*flow.Field{a.Src.Field}
	case *Pop:
		return []*flow.Field{a.Dst.Field}
	case *OutputReg:
		return []*flow.Field{a.Src.Field}
	case *Multipath:
		return []*flow.Field{a.Dst.Field}
	case *Bundle:
		return []*flow.Field{a.Dst.Field}
	case *CheckPktLarger:
		return []*flow.Field{a.Dst.Field}
	case *DeleteField:
		return []*flow.Field{a.Field}
	case *CT:
		return []*flow.Field{a.ZoneSrc.Field}
	case *Sample:
		return []*flow.Field{a.DomainSrc.Field, a.PointSrc.Field}
	case *Learn:
		out := []*flow.Field{a.ResultDst.Field}
		for i := range a.Specs {
			out = append(out, a.Specs[i].Src.Field, a.Specs[i].DstSub.Field)
		}
		return out
	}
	return nil
}

// nestedActions are the actions inside an action.
func nestedActions(a Action) []Action {
	switch a := a.(type) {
	case *Clone:
		return a.Actions
	case *WriteActions:
		return a.Actions
	case *CT:
		return a.Actions
	}
	return nil
}
