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

// SlowPath are the packets that came up from the programs although a flow was
// there for them, by reason.
func (d *DP) SlowPath() map[string]uint64 {
	d.slow.mu.Lock()
	defer d.slow.mu.Unlock()
	return maps.Clone(d.slow.counts)
}

// ShowSlow describes the slow path, as dpif/show-slow prints it.
func (d *DP) ShowSlow() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s@%s:\n", d.Type(), d.Name())
	counts := d.SlowPath()
	for _, reason := range slices.Sorted(maps.Keys(counts)) {
		fmt.Fprintf(&b, "  %s: %d packets\n", reason, counts[reason])
	}
	c := d.set.Counters()
	fmt.Fprintf(&b, "  no flow in the kernel: %d packets\n", c.Misses)
	fmt.Fprintf(&b, "  lost on the way up: %d packets\n", c.Lost)
	for reason, n := range d.mirror.Refused() {
		fmt.Fprintf(&b, "  flows left to user space: %d: %s\n", n, reason)
	}
	return b.String()
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
