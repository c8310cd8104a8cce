package xlate

import (
	"fmt"

	"weir/internal/datapath"
	"weir/internal/flow"
	"weir/internal/openflow"
	"weir/internal/pipeline"
)

// NodeKind says what a trace node is, which decides how it is printed.
type NodeKind uint8

// Kinds of node.
const (
	NodeBridge NodeKind = iota + 1 // translation in one bridge
	NodeTable                      // a table lookup, or the action set
	NodeThaw                       // going on after recirculation
	NodeAction                     // an action
	NodeDetail                     // "->": a consequence of the action before
	NodeWarn                       // ">>": a warning
	NodeError                      // ">>>>": an error
	NodeBucket                     // a group's bucket
)

// Node is one step of a translation.
type Node struct {
	Kind NodeKind
	Text string
	Subs []*Node
}

// Trace records the steps of a translation as a tree.
type Trace struct {
	Roots []*Node
	// PortNames prints ports by name.
	PortNames flow.PortNames
	// Forks are the copies of the packet that go on after connection tracking.
	Forks []Fork
	stack []*Node
}

// Fork is a copy of the packet that recirculates through a connection tracker.
type Fork struct {
	ID  uint32
	Key flow.Key // as it went there
	CT  *datapath.CT
}

// add appends a node where the trace stands and returns it.
func (t *Trace) add(kind NodeKind, format string, args ...any) *Node {
	n := &Node{Kind: kind, Text: fmt.Sprintf(format, args...)}
	if len(t.stack) == 0 {
		t.Roots = append(t.Roots, n)
	} else {
		top := t.stack[len(t.stack)-1]
		top.Subs = append(top.Subs, n)
	}
	return n
}

// traceInto adds a node below which the next ones go, and returns what
// traceBack needs to leave it.
func (x *Translator) traceInto(kind NodeKind, format string, args ...any) int {
	t := x.trace
	if t == nil {
		return 0
	}
	depth := len(t.stack)
	t.stack = append(t.stack, t.add(kind, format, args...))
	return depth
}

func (x *Translator) traceBack(depth int) {
	if x.trace != nil {
		x.trace.stack = x.trace.stack[:depth]
	}
}

// traceTable notes the outcome of a lookup and goes below it.
func (x *Translator) traceTable(r *pipeline.Rule, m miss, table uint8) int {
	if x.trace == nil {
		return 0
	}
	name := fmt.Sprintf("%2d", table)
	if r == nil {
		text := "No match."
		switch m {
		case missFrags:
			text = "Packets are IP fragments and the fragment handling mode is \"drop\"."
		case missController:
			text = "No match, and a \"packet-in\" is called for."
		}
		depth := x.traceInto(NodeTable, "%s. %s", name, text)
		if m != missController {
			x.trace.add(NodeAction, "drop")
		}
		return depth
	}
	matched := x.bridge.Pipeline.Match(r)
	match := matched.Format(flow.DefaultPriority, x.trace.PortNames)
	if match != "" {
		match += ", "
	}
	text := fmt.Sprintf("%s. %spriority %d", name, match, r.Priority())
	if r.Cookie != 0 {
		text += fmt.Sprintf(", cookie %#x", r.Cookie)
	}
	return x.traceInto(NodeTable, "%s", text)
}

// traceAction notes an action.
func (x *Translator) traceAction(a openflow.Action) {
	if x.trace != nil {
		x.trace.add(NodeAction, "%s", actionText(a, x.trace.PortNames))
	}
}
