package xlate

import "fmt"

// NodeKind says what a trace node is, which decides how it is printed.
type NodeKind uint8

// Kinds of node.
const (
	NodeBridge NodeKind = iota + 1 // translation in one bridge
	NodeTable                      // a table lookup
	NodeThaw                       // going on after recirculation
	NodeAction                     // an action
	NodeDetail                     // "->" consequence of an action
	NodeWarn                       // ">>" warning
	NodeError                      // ">>>>" error
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
	stack []*Node
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

// push makes n the place where nodes are added, until the matching pop.
func (t *Trace) push(n *Node) { t.stack = append(t.stack, n) }
func (t *Trace) pop()         { t.stack = t.stack[:len(t.stack)-1] }
