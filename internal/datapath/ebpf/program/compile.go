package program

import (
	"weir/internal/datapath"
	"weir/internal/flow"
)

// compiler turns an action list into operations.
type compiler struct {
	kernel Kernel
	key    *flow.Key
	mask   *flow.Mask
	ops    []uint64
	users  int       // Userspace actions so far
	index  int       // of the action in hand
	cut    uint32    // of a Trunc that waits for its output
	cutAt  int       // the index of that Trunc, or of what it stands in
	depth  int       // of nested lists
	soft   softPorts // nil, unless some output is to one of them
	progress
}

// progress is what operations so far have made of the packet.
type progress struct {
	moved bool   // the network header isn't what the key says any more
	typ   uint16 // then: the EtherType
	// done says that something in the action of the list that is in hand can't be
	// done twice, as it would be if user space began with that action.
	done bool
	// tunneled says that the tunnel to come through has been replaced by one to
	// go out through.
	tunneled bool
}

// Compile turns a flow's actions into what the programs run. Whatever the
// actions, the Code is right: if slow isn't nil, its packets go to user space
// whole at the action that it names, which is counted.
func (s *Set) Compile(key *flow.Key, mask *flow.Mask, actions []datapath.Action) (*Code, *Slow) {
	actions = reorder(actions)
	c := compiler{kernel: s.cfg.Kernel, key: key, mask: mask, soft: s.softIn(actions)}
	code := &Code{actions: actions, high: noPort}
	if len(actions) == 0 {
		code.high = dropPort
	} else if out, ok := actions[0].(*datapath.Output); ok && len(actions) == 1 && c.soft == nil && int(out.Port) < s.cfg.MaxPorts {
		code.high = uint32(out.Port)
	}
	code.text = datapath.FormatActions(actions, nil)
	slow := c.list(actions)
	code.ops = append(c.ops, op(opEnd, 1, 0, 0))
	if slow == nil && len(code.ops) > maxOps {
		slow = &Slow{0, kindOf(actions[0]), SlowLong}
		code.ops = []uint64{op(opResume, 2, 0, 0), 0, op(opEnd, 1, 0, 0)}
	}
	return code, slow
}

func (c *compiler) add(words ...uint64) { c.ops = append(c.ops, words...) }

// list compiles a top-level list. What can't be done becomes a resumption.
func (c *compiler) list(actions []datapath.Action) *Slow {
	for i, a := range actions {
		c.index, c.done = i, false
		mark := len(c.ops)
		if why := c.action(a, i == len(actions)-1); why != 0 {
			c.ops = c.ops[:mark]
			if c.cut != 0 { // what waits for its output is user space's, too
				i = c.cutAt
			}
			c.add(op(opResume, 2, 0, 0), uint64(i)<<32)
			return &Slow{i, kindOf(actions[i]), why}
		}
	}
	return nil
}

// action compiles one action; last says that nothing follows it.
func (c *compiler) action(a datapath.Action, last bool) SlowWhy {
	if c.cut != 0 && !waits(a) {
		return SlowCut
	}
	switch a := a.(type) {
	case *datapath.Output:
		if c.soft[a.Port] {
			return SlowPort
		}
		return c.output(a, last)
	case *datapath.Trunc:
		c.cut, c.cutAt = a.MaxLen, c.index
	case *datapath.Userspace:
		if c.cut != 0 {
			c.cut = 0 // as for the executor in user space, it cuts outputs only
		}
		c.add(op(opUser, 2, 0, 0), uint64(c.users)<<32)
		c.users++
		c.done = true
	case *datapath.PushVLAN:
		c.add(op(opPushVLAN, 1, a.TPID, uint32(a.TCI&^flow.VLANPresent)))
		c.done = true
	case *datapath.PopVLAN:
		c.add(op(opPopVLAN, 1, 0, 0))
		c.done = true
	case *datapath.SetPriority:
		c.add(op(opPriority, 2, 0, 0), uint64(a.Priority&a.Mask)|uint64(a.Mask)<<32)
	case *datapath.SetMark:
		c.add(op(opMark, 2, 0, 0), uint64(a.Mark&a.Mask)|uint64(a.Mask)<<32)
	case *datapath.Recirc:
		if !last {
			return SlowNotLast
		}
		if c.tunneled { // the tunnel that it came through is forgotten
			return SlowTunnel
		}
		c.add(op(opRecirc, 1, 0, a.ID))
	case *datapath.SetTunnel:
		if c.soft != nil { // who has the port is to know what it is for
			return SlowPort
		}
		return c.setTunnel(a)
	case *datapath.Clone:
		return c.nested(a.Actions, last)
	case *datapath.Sample:
		return c.sample(a, last)
	case *datapath.CheckPktLen:
		return c.checkLength(a, last)
	case *datapath.Hash:
		c.add(op(opHash, 1, uint16(a.Alg), a.Basis))
		c.done = true
	case *datapath.Meter:
		c.add(op(opMeter, 1, 0, a.ID))
		c.done = true
	case *datapath.PushMPLS:
		return c.pushMPLS(a)
	case *datapath.PopMPLS:
		return c.popMPLS(a)
	case *datapath.SetEthernet:
		c.setEthernet(a)
	case *datapath.SetIPv4:
		return c.setIPv4(a)
	case *datapath.SetIPv6:
		return c.setIPv6(a)
	case *datapath.SetL4:
		return c.setL4(a)
	case *datapath.SetARP:
		return c.setARP(a)
	case *datapath.SetND:
		return c.setND(a)
	case *datapath.SetMPLS:
		return c.setMPLS(a)
	case *datapath.Drop:
		c.add(op(opEnd, 1, 0, 0))
	default:
		return SlowAction
	}
	return 0
}

// waits says that an action may stand between a Trunc and its output: it can be
// done twice, when user space takes over at the Trunc.
func waits(a datapath.Action) bool {
	switch a.(type) {
	case *datapath.Output, *datapath.Userspace, *datapath.SetTunnel, *datapath.Trunc:
		return true
	}
	return false
}

func (c *compiler) output(a *datapath.Output, last bool) SlowWhy {
	switch {
	case c.cut != 0:
		if !last {
			return SlowNotLast
		}
		if c.cut > 0xffff {
			c.cut = 0xffff
		}
		if c.done {
			return SlowNested
		}
		c.add(op(opCut, 2, uint16(c.cut), uint32(a.Port)), uint64(c.cutAt)<<32)
		c.cut = 0
	case last:
		c.add(op(opLast, 1, 0, uint32(a.Port)))
	default:
		c.add(op(opOutput, 1, 0, uint32(a.Port)))
		c.done = true
	}
	return 0
}
