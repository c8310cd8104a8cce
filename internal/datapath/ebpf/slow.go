package ebpf

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
)

// slowCounters count the packets that user space handled although a flow was
// there for them, by what the programs could not do. Its mutex owns the map.
type slowCounters struct {
	mu     sync.Mutex
	counts map[string]*atomic.Uint64
}

// counter is the one for a reason.
func (c *slowCounters) counter(reason string) *atomic.Uint64 {
	c.mu.Lock()
	defer c.mu.Unlock()
	n := c.counts[reason]
	if n == nil {
		if c.counts == nil {
			c.counts = map[string]*atomic.Uint64{}
		}
		n = new(atomic.Uint64)
		c.counts[reason] = n
	}
	return n
}

// read is how often each reason was met that was.
func (c *slowCounters) read() map[string]uint64 {
	c.mu.Lock()
	defer c.mu.Unlock()
	counts := map[string]uint64{}
	for reason, n := range c.counts {
		if n := n.Load(); n > 0 {
			counts[reason] = n
		}
	}
	return counts
}

// SlowPath is what the programs of a data path left to user space.
type SlowPath struct {
	Name    string            `json:"name"`
	Packets map[string]uint64 `json:"packets"` // that had a flow, by reason
	Misses  uint64            `json:"no_flow_in_kernel"`
	Lost    uint64            `json:"lost_on_the_way_up"`
	NoPort  uint64            `json:"sent_to_a_port_that_is_gone"`
	Refused map[string]uint64 `json:"flows_left_to_user_space"` // by reason
}

// Slow is the slow path until now.
func (d *DP) Slow() SlowPath {
	c := d.counters()
	return SlowPath{d.Type() + "@" + d.Name(), d.slow.read(), c.Misses, c.Lost, c.NoPort, d.mirror.Refused()}
}

// String is what dpif/show-slow prints.
func (s SlowPath) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s:\n", s.Name)
	for _, reason := range slices.Sorted(maps.Keys(s.Packets)) {
		fmt.Fprintf(&b, "  %s: %d packets\n", reason, s.Packets[reason])
	}
	fmt.Fprintf(&b, "  no flow in the kernel: %d packets\n", s.Misses)
	fmt.Fprintf(&b, "  lost on the way up: %d packets\n", s.Lost)
	fmt.Fprintf(&b, "  sent to a port that is gone: %d packets\n", s.NoPort)
	for _, reason := range slices.Sorted(maps.Keys(s.Refused)) {
		fmt.Fprintf(&b, "  flows left to user space: %d: %s\n", s.Refused[reason], reason)
	}
	return b.String()
}

// Drops is what the programs dropped for reasons of their own, by names like those
// of the user-space data path's.
func (d *DP) Drops() map[string]uint64 {
	c := d.counters()
	return map[string]uint64{"datapath_drop_invalid_port": c.NoPort, "datapath_drop_lost_on_the_way_up": c.Lost}
}
