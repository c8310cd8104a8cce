package xlate

import "weir/internal/openflow"

// rank is an action's place in the execution of an action set (OpenFlow 1.5.1,
// 5.6): copy and pop first, then push, then changes, then output. 0 is an
// action that can't be in a set.
func rank(a openflow.Action) int {
	switch a.(type) {
	case *openflow.StripVLAN:
		return 1
	case *openflow.PopMPLS:
		return 2
	case *openflow.Decap:
		return 3
	case *openflow.Encap:
		return 4
	case *openflow.PushMPLS:
		return 5
	case *openflow.PushVLAN:
		return 6
	case *openflow.DecTTL:
		return 7
	case *openflow.DecMPLSTTL:
		return 8
	case *openflow.DecNSHTTL:
		return 9
	case *openflow.SetEthSrc, *openflow.SetEthDst, *openflow.SetIPv4Src, *openflow.SetIPv4Dst,
		*openflow.SetIPDSCP, *openflow.SetIPECN, *openflow.SetIPTTL, *openflow.SetL4SrcPort,
		*openflow.SetL4DstPort, *openflow.SetMPLSLabel, *openflow.SetMPLSTC, *openflow.SetMPLSTTL,
		*openflow.SetTunnelID, *openflow.SetVLANVID, *openflow.SetVLANPCP, *openflow.Move, *openflow.SetField,
		*openflow.SetQueue:
		return rankSet
	case *openflow.Group:
		return rankFinal
	case *openflow.Output, *openflow.Controller:
		return rankFinal + 1
	case *openflow.Resubmit:
		return rankFinal + 2
	case *openflow.CT:
		return rankFinal + 3
	}
	return 0
}

// Ranks of note: changes of fields all stay, in the order in which they were
// written, while of the others the last one counts; of rankFinal and above only
// the first rank that there is runs, and without any the set does nothing.
const (
	rankSet   = 10
	rankFinal = 11
	rankLast  = rankFinal + 3
)

// writeActions merges actions into the action set.
func (x *Translator) writeActions(actions []openflow.Action) {
	for _, a := range actions {
		if rank(a) != 0 {
			x.actionSet = append(x.actionSet, a)
		}
	}
	x.noteActsetOutput()
}

// noteActsetOutput keeps the field actset_output true to the set.
func (x *Translator) noteActsetOutput() {
	port := openflow.PortUnset
	for _, a := range x.orderedSet() {
		switch a := a.(type) {
		case *openflow.Group:
			port = openflow.PortUnset
			x.flow.ActsetOutput = uint32(port)
			return
		case *openflow.Output:
			port = a.Port
		case *openflow.Controller:
			port = openflow.PortController
		}
	}
	x.flow.ActsetOutput = uint32(port)
}

// orderedSet is the action set in the order of its execution. Of output,
// group and resubmit only the first in that order counts; without any of
// them the set does nothing. The slice is scratch.
func (x *Translator) orderedSet() []openflow.Action {
	out := x.setDone[:0]
	for want := 1; want <= rankLast; want++ {
		var last openflow.Action
		for _, a := range x.actionSet {
			if rank(a) != want {
				continue
			}
			if want == rankSet {
				out = append(out, a)
			} else {
				last = a
			}
		}
		if last != nil {
			out = append(out, last)
			if want >= rankFinal {
				break
			}
		}
	}
	x.setDone = out
	return out
}

// runActionSet executes the action set when the tables are done.
func (x *Translator) runActionSet() {
	if len(x.actionSet) == 0 {
		return
	}
	set := x.orderedSet()
	x.setDone = nil // the actions may nest
	x.traceInto(NodeTable, "--. Executing action set:")
	x.actionSet = x.actionSet[:0]
	x.inActionSet = true
	if n := len(set); n > 0 && rank(set[n-1]) >= rankFinal {
		x.table = 0
		x.run(set, true)
	}
	x.inActionSet = false
}

// setText is the action set as a trace shows it, with what stands before it.
func (x *Translator) setText() string {
	set := x.orderedSet()
	if n := len(set); n == 0 || rank(set[n-1]) < rankFinal {
		return " empty"
	}
	return ": " + actionsText(set, x.portNames())
}
