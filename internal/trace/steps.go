package trace

import (
	"slices"

	"weir/internal/xlate"
)

// terminal reports whether a step is a leaf of the text: nothing below it is
// indented less than a step.
func terminal(k xlate.NodeKind) bool {
	switch k {
	case xlate.NodeBridge, xlate.NodeTable, xlate.NodeThaw:
		return false
	}
	return true
}

// layout prints the steps of a translation. What ends a list of steps goes on at
// the level of the list, for a chain of lookups is easier read flat; anything else
// nests. It is memory that is kept from trace to trace.
type layout struct {
	more []bool // by step: another of its level follows it, below the same step
	open []bool // by level: such a step was met, going backwards
	at   []int  // by level: how deep its steps stand
}

// appendSteps appends a line for each step.
func (l *layout) appendSteps(b []byte, t *xlate.Trace) []byte {
	l.look(t.Steps)
	for i := range t.Steps {
		s := &t.Steps[i]
		depth := l.at[s.Level]
		if l.more[i] || terminal(s.Kind) {
			depth++
			l.at[s.Level+1] = depth + 1
		} else {
			l.at[s.Level+1] = depth
		}
		b = appendStep(b, s.Kind, t.Text(s), 4*depth)
	}
	return b
}

// look finds which steps are followed by others of their level.
func (l *layout) look(steps []xlate.Step) {
	levels := 2
	for i := range steps {
		levels = max(levels, steps[i].Level+2)
	}
	l.open = append(l.open[:0], make([]bool, levels)...)
	l.at = append(l.at[:0], make([]int, levels)...)
	l.more = slices.Grow(l.more[:0], len(steps))[:len(steps)]
	for i := len(steps) - 1; i >= 0; i-- {
		level := steps[i].Level
		l.more[i] = l.open[level]
		l.open[level], l.open[level+1] = true, false
	}
}

// appendStep appends the line of a step.
func appendStep(b []byte, kind xlate.NodeKind, text []byte, indent int) []byte {
	if kind == xlate.NodeBridge {
		b = append(b, '\n')
	}
	b = appendRun(b, ' ', indent)
	switch kind {
	case xlate.NodeDetail:
		b = append(append(b, " -> "...), text...)
	case xlate.NodeWarn:
		b = append(append(b, " >> "...), text...)
	case xlate.NodeError:
		b = append(append(append(b, " >>>> "...), text...), " <<<<"...)
	case xlate.NodeBridge:
		b = append(append(b, text...), '\n')
		b = appendRun(appendRun(b, ' ', indent), '-', len(text))
	default:
		b = append(b, text...)
	}
	return append(b, '\n')
}

// appendRun appends a byte n times.
func appendRun(b []byte, c byte, n int) []byte {
	for range n {
		b = append(b, c)
	}
	return b
}

// document is the steps as a tree.
func document(t *xlate.Trace) []StepDocument {
	out, _ := documentFrom(t, 0, 0)
	return out
}

// documentFrom is the steps from i on that are at a level or below, and the first
// that is not.
func documentFrom(t *xlate.Trace, i, level int) ([]StepDocument, int) {
	out := []StepDocument{}
	for i < len(t.Steps) && t.Steps[i].Level >= level {
		s := &t.Steps[i]
		d := StepDocument{Kind: kindNames[s.Kind], Text: string(t.Text(s))}
		d.Steps, i = documentFrom(t, i+1, level+1)
		out = append(out, d)
	}
	return out, i
}
