package program

import (
	"math"
	"slices"

	"weir/internal/datapath"
)

// reorder puts last what can't be undone, where that changes nothing but the
// order in which packets leave: an output that cuts the packet, and a copy that
// is changed, before outputs only.
func reorder(actions []datapath.Action) []datapath.Action {
	for i := 0; i < len(actions); i++ {
		n := 1
		switch a := actions[i].(type) {
		case *datapath.Trunc:
			n = 2
			if i+1 >= len(actions) {
				return actions
			}
			if _, ok := actions[i+1].(*datapath.Output); !ok {
				return actions // the cut waits for a later one
			}
		case *datapath.Clone:
			if harmless(a.Actions) {
				continue
			}
		default:
			continue
		}
		if rest := actions[i+n:]; len(rest) > 0 && harmless(rest) {
			return slices.Concat(actions[:i], rest, actions[i:i+n])
		}
		return actions
	}
	return actions
}

// harmless says that actions leave the packet as it is.
func harmless(actions []datapath.Action) bool {
	for a := range datapath.All(actions) {
		switch a.(type) {
		case *datapath.Output, *datapath.Userspace, *datapath.SetTunnel, *datapath.Clone, *datapath.Sample, *datapath.CheckPktLen:
		default:
			return false
		}
	}
	return true
}

// nested compiles actions that are to run on a copy: in line, where the copy
// makes no difference.
func (c *compiler) nested(actions []datapath.Action, last bool) SlowWhy {
	if c.depth++; c.depth > maxNesting {
		return SlowNested
	}
	defer func() { c.depth-- }()
	if !last && !harmless(actions) {
		return SlowNested
	}
	cut := c.cut
	for i, a := range actions {
		if why := c.action(a, last && i == len(actions)-1); why != 0 {
			return why
		}
	}
	c.cut = cut
	return 0
}

// maxNesting is how deep lists may stand in lists.
const maxNesting = 8

func (c *compiler) sample(a *datapath.Sample, last bool) SlowWhy {
	if a.Probability == 0 || len(a.Actions) == 0 {
		return 0
	}
	at := len(c.ops)
	c.add(op(opSample, 1, 0, a.Probability))
	c.done = c.done || a.Probability != math.MaxUint32 // the dice are not cast again
	if why := c.nested(a.Actions, last); why != 0 {
		return why
	}
	return c.skip(at)
}

func (c *compiler) checkLength(a *datapath.CheckPktLen, last bool) SlowWhy {
	at, before := len(c.ops), c.progress
	c.add(op(opLonger, 1, 0, uint32(a.Size)))
	if why := c.nested(a.Greater, last); why != 0 {
		return why
	}
	greater := c.progress
	c.progress = before
	jump := len(c.ops)
	c.add(op(opJump, 1, 0, 0))
	if why := c.skip(at); why != 0 {
		return why
	}
	if why := c.nested(a.LessEqual, last); why != 0 {
		return why
	}
	c.done = c.done || greater.done
	c.tunneled = c.tunneled || greater.tunneled
	return c.skip(jump)
}

// skip makes the operation at a place, if it doesn't go on, skip all that has
// been added since.
func (c *compiler) skip(at int) SlowWhy {
	n := len(c.ops) - at - 1
	if n > 0xffff {
		return SlowLong
	}
	c.ops[at] |= uint64(n) << 16
	return 0
}
