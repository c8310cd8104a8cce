package userspace

import (
	"cmp"
	"fmt"
	"slices"

	"weir/internal/vlog"
)

// AssignMode is how receive queues are dealt out to threads
// (other_config:pmd-rxq-assign in ovs-vswitchd.conf.db(5)).
type AssignMode uint8

// The modes.
const (
	AssignCycles     AssignMode = iota // busiest queues first, cores in turn, up and down
	AssignRoundRobin                   // cores in turn
	AssignGroup                        // busiest queues first, each to the core with the least load
)

// String is the name that users write.
func (m AssignMode) String() string {
	return [...]string{"cycles", "roundrobin", "group"}[m]
}

// parseAssignMode reads the name of a mode.
func parseAssignMode(s string) (AssignMode, bool) {
	for _, m := range []AssignMode{AssignCycles, AssignRoundRobin, AssignGroup} {
		if m.String() == s {
			return m, true
		}
	}
	return AssignCycles, false
}

// share is a thread as the assignment sees it.
type share struct {
	core, node int
	isolated   bool // takes no queues but those pinned to it
	queues     int
	load       uint64
}

// demand is a receive queue that wants a thread.
type demand struct {
	port  string
	queue int
	node  int
	pin   int    // the core that it must be on, -1: any
	load  uint64 // measured processing time, ns
	core  int    // the answer; -1: no thread polls it
	spans bool   // the answer is on another node than the queue's
}

// note is what an assignment has to say.
type note struct {
	level vlog.Level
	text  string
}

// assignment deals queues out to threads. It is pure: what it finds stands in
// the demands, and notes say why.
type assignment struct {
	mode    AssignMode
	isolate bool // pinned queues isolate their core
	threads []*share
	notes   []note
	turns   map[int]*turn // by node
	nextFar int           // node from which queues without a node of their own are served next
}

// turn is whose turn it is among the threads of a node.
type turn struct {
	next int
	down bool
}

func (a *assignment) note(level vlog.Level, format string, args ...any) {
	a.notes = append(a.notes, note{level, fmt.Sprintf(format, args...)})
}

// run assigns all queues. Threads are in the order of their cores.
func (a *assignment) run(queues []*demand) {
	a.turns = map[int]*turn{}
	var free []*demand
	for _, q := range queues {
		q.core, q.spans = -1, false
		if q.pin < 0 || !a.pin(q) {
			free = append(free, q)
		}
	}
	if len(free) == 0 {
		return
	}
	a.note(vlog.Info, "Performing pmd to rx queue assignment using %s algorithm.", a.mode)
	if a.mode != AssignRoundRobin {
		slices.SortStableFunc(free, func(x, y *demand) int { return cmp.Compare(y.load, x.load) })
	}
	for _, q := range free {
		a.place(q)
	}
}

// measured is the load of a queue as notes say it.
func (a *assignment) measured(q *demand) string {
	if a.mode == AssignRoundRobin {
		return ""
	}
	return fmt.Sprintf(" (measured processing cycles %d)", q.load)
}

// pin puts a queue on the core that it asks for, if a thread runs there.
func (a *assignment) pin(q *demand) bool {
	i := slices.IndexFunc(a.threads, func(t *share) bool { return t.core == q.pin })
	if i < 0 {
		a.note(vlog.Warn, "Core %2d cannot be pinned with port '%s' rx queue %d. Use pmd-cpu-mask to enable a pmd on core %d. An alternative core will be assigned.",
			q.pin, q.port, q.queue, q.pin)
		return false
	}
	t := a.threads[i]
	a.give(q, t)
	t.isolated = t.isolated || a.isolate
	a.note(vlog.Info, "Core %2d on numa node %d is pinned with port '%s' rx queue %d%s", t.core, t.node, q.port, q.queue, a.measured(q))
	return true
}

func (a *assignment) give(q *demand, t *share) {
	q.core = t.core
	t.queues++
	t.load += q.load
}

// place finds a thread for a queue that may be on any.
func (a *assignment) place(q *demand) {
	near := a.open(q.node)
	if len(near) == 0 {
		node, far := a.farNode()
		if len(far) == 0 {
			a.note(vlog.Warn, "No non-isolated pmd on any numa available for port '%s' rx queue %d%s. This rx queue will not be polled.",
				q.port, q.queue, a.measured(q))
			return
		}
		a.note(vlog.Info, "There's no available (non-isolated) pmd thread on numa node %d. Port '%s' rx queue %d will be assigned to a pmd on numa node %d. This may lead to reduced performance.",
			q.node, q.port, q.queue, node)
		near, q.spans = far, true
	}
	t := a.choose(near)
	a.give(q, t)
	a.note(vlog.Info, "Core %2d on numa node %d assigned port '%s' rx queue %d%s.", t.core, t.node, q.port, q.queue, a.measured(q))
}

// open lists the threads of a node that take any queue.
func (a *assignment) open(node int) []*share {
	var out []*share
	for _, t := range a.threads {
		if t.node == node && !t.isolated {
			out = append(out, t)
		}
	}
	return out
}

// farNode picks, in turn, a node that has threads for any queue.
func (a *assignment) farNode() (int, []*share) {
	var nodes []int
	for _, t := range a.threads {
		if !t.isolated && !slices.Contains(nodes, t.node) {
			nodes = append(nodes, t.node)
		}
	}
	if len(nodes) == 0 {
		return 0, nil
	}
	slices.Sort(nodes)
	i, _ := slices.BinarySearch(nodes, a.nextFar)
	node := nodes[i%len(nodes)]
	a.nextFar = node + 1
	return node, a.open(node)
}

// choose picks one of the threads of a node.
func (a *assignment) choose(threads []*share) *share {
	if a.mode == AssignGroup {
		return slices.MinFunc(threads, func(x, y *share) int {
			return cmp.Or(cmp.Compare(x.load, y.load), cmp.Compare(x.queues, y.queues))
		})
	}
	node := threads[0].node
	at := a.turns[node]
	if at == nil {
		at = &turn{}
		a.turns[node] = at
	}
	t := threads[at.next]
	switch {
	case a.mode == AssignRoundRobin:
		at.next = (at.next + 1) % len(threads)
	case !at.down && at.next == len(threads)-1, at.down && at.next == 0:
		at.down = !at.down // the one at the end gets two in a row
	case at.down:
		at.next--
	default:
		at.next++
	}
	return t
}

// spread is the variance of the loads of threads, in percent of their time
// squared, rounded down.
func spread(loads []uint64) uint64 {
	if len(loads) == 0 {
		return 0
	}
	var sum, squares uint64
	for _, l := range loads {
		sum += l
	}
	mean := sum / uint64(len(loads))
	for _, l := range loads {
		d := int64(l) - int64(mean)
		squares += uint64(d * d)
	}
	return squares / uint64(len(loads))
}
