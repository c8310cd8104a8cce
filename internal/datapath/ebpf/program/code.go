package program

import (
	"fmt"
	"strings"

	"weir/internal/datapath"
)

// An operation is one or more words. The first holds, from the lowest bits:
// the operation (8 bits), the number of words (8), aux (16), arg (32).
type opcode uint8

const (
	opEnd      opcode = iota // the packet has gone all its ways
	opOutput                 // a copy out of port arg
	opLast                   // the packet out of port arg, and end
	opCut                    // the packet, cut to aux bytes, out of port arg, and end; word 1 as for opResume
	opUser                   // a copy to user space; word 1: the code's id and the Userspace action's number
	opResume                 // the packet to user space, and end; word 1: the code's id and the action to go on from
	opPushVLAN               // tag of type aux and TCI arg
	opPopVLAN
	opSet      // see setLong and its like
	opPushMPLS // entry arg, type aux, both in network order; word 1 as for opResume
	opPriority // word 1: value, mask
	opMark     // word 1: value, mask
	opTunnel   // tunnelOp
	opRecirc   // look up again with id arg, and end
	opHash     // dp_hash with algorithm aux, basis arg
	opMeter    // meter arg
	opSample   // with probability arg/2^32 go on, else skip aux words
	opLonger   // skip aux words unless the packet is longer than arg
	opJump     // skip aux words
	opPopMPLS  // the EtherType becomes aux, in network order; word 1 as for opResume
	opSCTP     // ports by value and mask in word 2, as for opSet, of IP version aux; word 1 as for opResume
	opNDOption // find the option of type arg, for setND; word 1 as for opResume
	numOps
)

// names says that the operation's word 1 names its list and an action in it.
func (o opcode) names() bool {
	switch o {
	case opUser, opResume, opCut, opPushMPLS, opPopMPLS, opSCTP, opNDOption:
		return true
	}
	return false
}

func op(o opcode, words int, aux uint16, arg uint32) uint64 {
	return uint64(o) | uint64(words)<<8 | uint64(aux)<<16 | uint64(arg)<<32
}

// Limits of a list.
const (
	maxOps   = 1024
	maxOpLen = 256 // bytes
)

// Code is an action list in the form that the programs run.
type Code struct {
	ops     []uint64
	text    string
	high    uint32 // of the entry's action: a port, dropPort or noPort
	actions []datapath.Action
	form    string // formOf it, once that was asked for
}

// dropPort in place of a port drops the packet.
const dropPort = 0xfffffffe

// Slow says why user space must help with an action list.
type Slow struct {
	// Index is that of the first action that the programs leave to user space,
	// with all that follow.
	Index int
	// Action is its kind, as in ovs-dpctl(8).
	Action string
	// Why is the cause.
	Why SlowWhy
}

// String is the action and the cause.
func (s *Slow) String() string { return s.Action + ": " + s.Why.String() }

// SlowWhy is a cause for user space's help.
type SlowWhy uint8

// Causes.
const (
	// SlowAction: the programs have no such action.
	SlowAction SlowWhy = 1 + iota
	// SlowNotLast: the action must be the last, since it takes the packet and
	// there is no copying it.
	SlowNotLast
	// SlowNested: actions on a copy change the packet, and others follow, or user
	// space might have to take over in the middle of them.
	SlowNested
	// SlowMatch: the flow's mask doesn't say enough of the headers to change them.
	SlowMatch
	// SlowLong: too many operations.
	SlowLong
	// SlowTunnel: more of the tunnel than the kernel's interface can say.
	SlowTunnel
	// SlowKernel: the kernel has no helper for it.
	SlowKernel
	// SlowPort: the port is user space's.
	SlowPort
	// SlowCut: the packet changes between the action that cuts it and its output.
	SlowCut
)

var slowTexts = [...]string{
	SlowAction:  "not an action of the eBPF programs",
	SlowNotLast: "must be the last action",
	SlowNested:  "changes a copy before other actions",
	SlowMatch:   "the flow matches any kind of packet there",
	SlowLong:    "too many actions",
	SlowTunnel:  "tunnel options beyond the kernel's interface",
	SlowKernel:  "the kernel has no helper for it",
	SlowPort:    "the port's device is user space's",
	SlowCut:     "changes a packet that is to be cut",
}

// String says it in words.
func (w SlowWhy) String() string {
	if int(w) < len(slowTexts) && slowTexts[w] != "" {
		return slowTexts[w]
	}
	return fmt.Sprintf("reason %d", uint8(w))
}

// kindOf is an action's keyword.
func kindOf(a datapath.Action) string {
	text := datapath.FormatActions([]datapath.Action{a}, nil)
	if i := strings.IndexAny(text, "(,"); i > 0 {
		if text[:i] == "set" || text[:i] == "set(" {
			if j := strings.IndexByte(text[i+1:], '('); j > 0 {
				return "set(" + text[i+1:i+1+j] + ")"
			}
		}
		return text[:i]
	}
	return text
}
