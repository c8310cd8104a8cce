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
	opCut                    // the packet, cut to aux bytes, out of port arg, and end
	opUser                   // a copy to user space: Userspace action number arg; word 1: the code's id
	opResume                 // the packet to user space, from action arg on, and end; word 1: the code's id
	opPushVLAN               // tag of type aux and TCI arg
	opPopVLAN
	opSet      // see set
	opPushMPLS // entry arg, type aux (as the frame has it)
	opPriority // word 1: value, mask
	opMark     // word 1: value, mask
	opTunnel   // tunnelOp
	opRecirc   // look up again with id arg, and end
	opHash     // dp_hash with algorithm aux, basis arg
	opMeter    // meter arg
	opSample   // with probability arg/2^32 go on, else skip aux words
	opLonger   // skip aux words unless the packet is longer than arg
	opJump     // skip aux words
	numOps
)

func op(o opcode, words int, aux uint16, arg uint32) uint64 {
	return uint64(o) | uint64(words)<<8 | uint64(aux)<<16 | uint64(arg)<<32
}

// opSet changes two or four bytes of a header, keeping checksums right. Its
// aux is flags (below), its arg the offset from the header that the flags
// name, and the offset of the layer-4 checksum in the next 8 bits; word 1 is
// value and mask, each as it stands in the packet.
const (
	setLong   = 1 << 0 // four bytes, else two
	setL3     = 1 << 1 // counted from the network header
	setL4     = 1 << 2 // counted from the layer-4 header
	setSumIP  = 1 << 3 // the IPv4 header's checksum covers it
	setSumL4  = 1 << 4 // the layer-4 checksum covers it
	setPseudo = 1 << 5 // as part of the pseudo header
	setUDP    = 1 << 6 // 0 is no checksum
	setIPv6   = 1 << 7 // pseudo header of IPv6
	setRaw    = 1 << 8 // no checksum covers it, but that of the whole frame
)

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

// String says what and why.
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
	// SlowNested: actions on a copy change the packet, and others follow.
	SlowNested
	// SlowMatch: the flow's mask doesn't say enough of the headers to change them.
	SlowMatch
	// SlowLong: too many operations.
	SlowLong
	// SlowTunnel: more of the tunnel than the kernel's interface can say.
	SlowTunnel
	// SlowKernel: the kernel has no helper for it.
	SlowKernel
)

var slowTexts = [...]string{
	SlowAction:  "not an action of the eBPF programs",
	SlowNotLast: "must be the last action",
	SlowNested:  "changes a copy before other actions",
	SlowMatch:   "the flow matches any kind of packet there",
	SlowLong:    "too many actions",
	SlowTunnel:  "tunnel options beyond the kernel's interface",
	SlowKernel:  "the kernel has no helper for it",
}

// String says the cause.
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
