package xlate

import (
	"fmt"
	"slices"
	"strconv"

	"weir/internal/datapath"
	"weir/internal/flow"
	"weir/internal/openflow"
	"weir/internal/pipeline"
)

// NodeKind says what a step is, which decides how it is printed.
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

// Step is one step of a translation.
type Step struct {
	Kind NodeKind
	// Level is how many steps it is below: those that a step led to follow it,
	// one level deeper.
	Level    int
	from, to int // where its text is
}

// Trace records the steps of a translation, in their order. The zero value is
// ready; it may be used again after Reset.
type Trace struct {
	Steps []Step
	// PortNames prints ports by name.
	PortNames flow.PortNames
	// Forks are the copies of the packet that go on after connection tracking.
	Forks []Fork

	text  []byte // of all steps
	level int    // of the next step
	names openflow.Names
	match flow.Match // scratch
}

// Fork is a copy of the packet that recirculates through a connection tracker.
type Fork struct {
	ID  uint32
	Key flow.Key // as it went there
	CT  *datapath.CT
}

// Reset forgets what was recorded, but for the memory. names, which may be nil,
// prints ports from now on.
func (t *Trace) Reset(names flow.PortNames) {
	t.Steps, t.Forks, t.text, t.level = t.Steps[:0], slices.Delete(t.Forks, 0, len(t.Forks)), t.text[:0], 0
	t.PortNames, t.names = names, openflow.Names{Ports: names}
}

// Text is what a step says. It is valid until Reset.
func (t *Trace) Text(s *Step) []byte { return t.text[s.from:s.to] }

// add records a step.
func (t *Trace) add(kind NodeKind, format string, args ...any) {
	from := len(t.text)
	t.text = fmt.Appendf(t.text, format, args...)
	t.end(kind, from)
}

// end records the step whose text begins at from.
func (t *Trace) end(kind NodeKind, from int) {
	t.Steps = append(t.Steps, Step{Kind: kind, Level: t.level, from: from, to: len(t.text)})
}

// down has the next steps be below the last one, and returns what traceBack
// needs to leave it.
func (t *Trace) down() int {
	t.level++
	return t.level - 1
}

// traceInto adds a step below which the next ones go, and returns what
// traceBack needs to leave it.
func (x *Translator) traceInto(kind NodeKind, format string, args ...any) int {
	t := x.trace
	if t == nil {
		return 0
	}
	t.add(kind, format, args...)
	return t.down()
}

func (x *Translator) traceBack(level int) {
	if x.trace != nil {
		x.trace.level = level
	}
}

// traceBridge goes below a bridge.
func (x *Translator) traceBridge(name string) int {
	t := x.trace
	if t == nil {
		return 0
	}
	from := len(t.text)
	t.text = append(strconv.AppendQuote(append(t.text, "bridge("...), name), ')')
	t.end(NodeBridge, from)
	return t.down()
}

// traceTable notes the outcome of a lookup and goes below it.
func (x *Translator) traceTable(r *pipeline.Rule, m miss, table uint8) int {
	t := x.trace
	if t == nil {
		return 0
	}
	if r != nil {
		t.rule(x.bridge.Pipeline, r, table)
		return t.down()
	}
	text := "No match."
	switch m {
	case missFrags:
		text = "Packets are IP fragments and the fragment handling mode is \"drop\"."
	case missController:
		text = "No match, and a \"packet-in\" is called for."
	}
	level := x.traceInto(NodeTable, "%2d. %s", table, text)
	if m != missController {
		t.add(NodeAction, "drop")
	}
	return level
}

// rule records that a flow of a table matched.
func (t *Trace) rule(p *pipeline.Pipeline, r *pipeline.Rule, table uint8) {
	from, b := len(t.text), t.text
	if table < 10 {
		b = append(b, ' ')
	}
	b = append(strconv.AppendUint(b, uint64(table), 10), ". "...)
	p.MatchInto(r, &t.match)
	before := len(b)
	if b = t.match.Append(b, flow.DefaultPriority, t.PortNames); len(b) > before {
		b = append(b, ", "...)
	}
	b = strconv.AppendInt(append(b, "priority "...), int64(r.Priority()), 10)
	if r.Cookie != 0 {
		b = strconv.AppendUint(append(b, ", cookie 0x"...), r.Cookie, 16)
	}
	t.text = b
	t.end(NodeTable, from)
}

// traceAction notes an action.
func (x *Translator) traceAction(a openflow.Action) {
	if t := x.trace; t != nil {
		from := len(t.text)
		t.text = openflow.AppendActions(t.text, []openflow.Action{a}, &t.names)
		t.end(NodeAction, from)
	}
}
