package tunnel

import "sync/atomic"

// EgressPorts is the range of UDP source ports that tunnels of the user-space
// data path send from, both ends included (tnl/egress_port_range). The zero value
// is the usual one. It is read without a lock.
type EgressPorts struct{ packed atomic.Uint32 }

// The usual range of source ports, which is that of ephemeral ports of Linux
// (ip(7), ip_local_port_range) as Open vSwitch has it.
const (
	minEgressPort = 32768
	maxEgressPort = 61000
)

// Range is the range in force.
func (e *EgressPorts) Range() (first, last uint16) {
	p := e.packed.Load()
	if p == 0 {
		return minEgressPort, maxEgressPort
	}
	return uint16(p >> 16), uint16(p)
}

// SetRange changes the range to that between two ports, of which neither is 0.
func (e *EgressPorts) SetRange(a, b uint16) {
	e.packed.Store(uint32(min(a, b))<<16 | uint32(max(a, b)))
}

// Pick is the port of the range that a hash of the inner headers chooses, so that
// a flow keeps its port (RFC 7348, section 5).
func (e *EgressPorts) Pick(hash uint32) uint16 {
	first, last := e.Range()
	n := uint64(last-first) + 1
	return first + uint16(uint64(hash)*n>>32)
}
