package ebpf

import (
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"
	"sync"

	"weir/internal/datapath"
)

// slowCounters count the packets that user space handled although a flow was
// there for them, by what the programs could not do.
type slowCounters struct {
	mu     sync.Mutex
	counts map[string]uint64
}

func (c *slowCounters) count(reason string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.counts == nil {
		c.counts = map[string]uint64{}
	}
	c.counts[reason]++
}

func (c *slowCounters) clone() map[string]uint64 {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.counts == nil {
		return map[string]uint64{}
	}
	return maps.Clone(c.counts)
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
	c := d.set.Counters()
	return SlowPath{d.Type() + "@" + d.Name(), d.slow.clone(), c.Misses, c.Lost, c.NoPort, d.mirror.Refused()}
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
	c := d.set.Counters()
	return map[string]uint64{"datapath_drop_invalid_port": c.NoPort, "datapath_drop_lost_on_the_way_up": c.Lost}
}

// actionName is what an action is called in counters: the name of its type.
func actionName(a datapath.Action) string {
	return "action " + reflect.TypeOf(a).Elem().Name()
}

// userAction is the Userspace action of that number in a list, those nested in
// others counted where they stand.
func userAction(actions []datapath.Action, n int) datapath.Action {
	var found datapath.Action
	var walk func([]datapath.Action)
	walk = func(list []datapath.Action) {
		for _, a := range list {
			switch a := a.(type) {
			case *datapath.Userspace:
				if n == 0 {
					found = a
				}
				n--
			case *datapath.Clone:
				walk(a.Actions)
			case *datapath.Sample:
				walk(a.Actions)
			case *datapath.CheckPktLen:
				walk(a.Greater)
				walk(a.LessEqual)
			}
		}
	}
	walk(actions)
	return found
}
