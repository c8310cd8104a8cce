package pipeline

import (
	"slices"
	"unsafe"

	"weir/internal/classifier"
	"weir/internal/openflow"
)

// program is the actions of flows, with what the pipeline wants to know of
// them. It is immutable and shared by flows with the same list of actions.
type program struct {
	actions []openflow.Action
	extra   *extra // nil where all of it is empty
}

// extra is what most lists of actions have none of.
type extra struct {
	groups  []uint32 // that the actions name
	meters  []uint32
	learned []learned // what goes when the flow goes
	conj    []classifier.Conj
}

var noExtra extra

// programCache finds the program of a list of actions that came before. A list
// is known by its place in memory: the decoder gives the same list to messages
// with the same actions.
type programCache [64]*program

func (c *programCache) get(actions []openflow.Action) *program {
	first := unsafe.SliceData(actions)
	slot := &c[uintptr(unsafe.Pointer(first))>>4%uintptr(len(c))]
	if p := *slot; p != nil && unsafe.SliceData(p.actions) == first && len(p.actions) == len(actions) {
		return p
	}
	*slot = newProgram(actions)
	return *slot
}

func newProgram(actions []openflow.Action) *program {
	p := &program{actions: actions}
	e := extra{groupsOf(actions, nil), metersOf(actions, nil), learnedBy(actions), conjunctions(actions)}
	if e.groups != nil || e.meters != nil || e.learned != nil || e.conj != nil {
		p.extra = &e
	}
	return p
}

// facts is what p's actions name; of nothing, empty lists.
func (p *program) facts() *extra {
	if p.extra == nil {
		return &noExtra
	}
	return p.extra
}

// conjunctions gives the clauses that actions name, nil where there are none.
func conjunctions(actions []openflow.Action) []classifier.Conj {
	var out []classifier.Conj
	for _, a := range actions {
		if c, ok := a.(*openflow.Conjunction); ok {
			out = append(out, classifier.Conj{ID: c.ID, Clause: c.Clause, N: c.N})
		}
	}
	return out
}

// learned names the flows that learn actions with delete_learned make.
type learned struct {
	table  uint8
	cookie uint64
}

func learnedBy(actions []openflow.Action) []learned {
	var out []learned
	for _, a := range actions {
		if l, ok := a.(*openflow.Learn); ok && l.Flags&openflow.LearnDeleteLearned != 0 {
			if k := (learned{l.TableID, l.Cookie}); !slices.Contains(out, k) {
				out = append(out, k)
			}
		}
	}
	return out
}

func groupsOf(actions []openflow.Action, out []uint32) []uint32 {
	for _, a := range actions {
		switch a := a.(type) {
		case *openflow.Group:
			if !slices.Contains(out, a.ID) {
				out = append(out, a.ID)
			}
		case *openflow.WriteActions:
			out = groupsOf(a.Actions, out)
		case *openflow.Clone:
			out = groupsOf(a.Actions, out)
		}
	}
	return out
}

func metersOf(actions []openflow.Action, out []uint32) []uint32 {
	for _, a := range actions {
		switch a := a.(type) {
		case *openflow.MeterInst:
			out = append(out, a.ID)
		case *openflow.WriteActions:
			out = metersOf(a.Actions, out)
		case *openflow.Clone:
			out = metersOf(a.Actions, out)
		}
	}
	return out
}

// GroupsOf lists the groups that actions name, each once.
func GroupsOf(actions []openflow.Action) []uint32 { return groupsOf(actions, nil) }
