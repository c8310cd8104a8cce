package pipeline

import (
	"slices"
	"sync/atomic"
	"time"

	"weir/internal/classifier"
	"weir/internal/flow"
	"weir/internal/openflow"
)

// Priorities of flows that no OpenFlow message can reach; they don't show in
// dumps and statistics.
const (
	// PriorityMax is the highest priority of a flow of OpenFlow.
	PriorityMax = 65535
	// PriorityFailOpen is that of the flow that lets all traffic pass while no
	// controller is connected.
	PriorityFailOpen = 0xf0f0f0
	// PriorityInBand is where the flows of in-band control start.
	PriorityInBand = 180000
)

// Stats counts what a rule did. A flow keeps its Stats when its actions are
// modified, so that what is credited through an old rule is not lost.
type Stats struct {
	Packets, Bytes atomic.Uint64
	used           atomic.Int64 // nanoseconds since the epoch; 0: never
}

// Credit adds packets last seen at used; a zero used leaves the time alone.
func (s *Stats) Credit(packets, bytes uint64, used time.Time) {
	s.Packets.Add(packets)
	s.Bytes.Add(bytes)
	if !used.IsZero() {
		raise(&s.used, used)
	}
}

// raise sets a to a time unless it holds a later one.
func raise(a *atomic.Int64, t time.Time) {
	n := t.UnixNano()
	for old := a.Load(); old < n; old = a.Load() {
		if a.CompareAndSwap(old, n) {
			return
		}
	}
}

// Used is when the rule last matched, zero for never.
func (s *Stats) Used() time.Time {
	if n := s.used.Load(); n != 0 {
		return time.Unix(0, n)
	}
	return time.Time{}
}

// Rule is a flow of an OpenFlow table. All is immutable once it is in a table,
// but for Stats and the timeouts, which are atomic; to modify a flow is to put
// another Rule in its place.
type Rule struct {
	cls *classifier.Rule[*Rule]

	Table      uint8
	Cookie     uint64
	Importance uint16
	Flags      openflow.FlowFlags
	Actions    []openflow.Action
	// Created is when the flow was added, Modified when it was added or last
	// modified.
	Created  time.Time
	Modified time.Time
	Stats    *Stats

	idle, hard atomic.Uint32 // seconds
	refreshed  atomic.Int64  // by learn, nanoseconds since the epoch; 0: never
	groups     []uint32      // that the actions name
	learned    []learned     // that go when the rule goes
	miss       bool
}

// Priority is that of the match; more than PriorityMax for hidden flows.
func (r *Rule) Priority() int { return r.cls.Priority() }

// Hidden reports whether the flow is the switch's own.
func (r *Rule) Hidden() bool { return r.Priority() > PriorityMax }

// Match gives what the flow matches.
func (r *Rule) Match() *flow.Match {
	m := new(flow.Match)
	r.cls.Expand(&m.Key, &m.Mask)
	return m
}

// TableMiss reports whether the flow is what OpenFlow 1.3 calls a table-miss
// flow: of the lowest priority, matching all packets.
func (r *Rule) TableMiss() bool { return r.miss }

// VisibleIn reports whether the rule is part of version v.
func (r *Rule) VisibleIn(v classifier.Version) bool { return r.cls.VisibleIn(v) }

// IdleTimeout is in seconds, 0 for never.
func (r *Rule) IdleTimeout() uint16 { return uint16(r.idle.Load()) }

// HardTimeout is in seconds, 0 for never.
func (r *Rule) HardTimeout() uint16 { return uint16(r.hard.Load()) }

// ReduceTimeouts lowers the timeouts to those given, where they are lower; 0
// leaves a timeout alone (fin_timeout, ovs-actions(7)). It reports whether
// it changed one; the rule must then be passed to [Pipeline.Watch].
func (r *Rule) ReduceTimeouts(idle, hard uint16) (changed bool) {
	lower := func(a *atomic.Uint32, n uint16) {
		old := a.Load()
		if n != 0 && (old == 0 || uint32(n) < old) && a.CompareAndSwap(old, uint32(n)) {
			changed = true
		}
	}
	lower(&r.idle, idle)
	lower(&r.hard, hard)
	return changed
}

// Refresh restarts the hard timeout, as learn does for flows that it would
// add again.
func (r *Rule) Refresh(now time.Time) { raise(&r.refreshed, now) }

// Since is when the hard timeout started.
func (r *Rule) Since() time.Time {
	if n := r.refreshed.Load(); n > r.Modified.UnixNano() {
		return time.Unix(0, n)
	}
	return r.Modified
}

// LastUsed is when the idle timeout started.
func (r *Rule) LastUsed() time.Time {
	if u := r.Stats.Used(); u.After(r.Created) {
		return u
	}
	return r.Created
}

// expired tells whether a timeout has passed.
func (r *Rule) expired(now time.Time) (openflow.FlowRemovedReason, bool) {
	if h := r.HardTimeout(); h != 0 && now.After(r.Since().Add(time.Duration(h)*time.Second)) {
		return openflow.RemovedHard, true
	}
	if i := r.IdleTimeout(); i != 0 && now.After(r.LastUsed().Add(time.Duration(i)*time.Second)) {
		return openflow.RemovedIdle, true
	}
	return 0, false
}

// expiry is when a rule will expire if it is not used again.
func (r *Rule) expiry() (when time.Time, ok bool) {
	if h := r.HardTimeout(); h != 0 {
		when, ok = r.Since().Add(time.Duration(h)*time.Second), true
	}
	if i := r.IdleTimeout(); i != 0 {
		if w := r.LastUsed().Add(time.Duration(i) * time.Second); !ok || w.Before(when) {
			when, ok = w, true
		}
	}
	return when, ok
}

// OutputsTo reports whether the actions output to a port (PortNone: always).
func (r *Rule) OutputsTo(port openflow.PortNo) bool {
	return port == openflow.PortNone || outputsTo(r.Actions, port)
}

func outputsTo(actions []openflow.Action, port openflow.PortNo) bool {
	return slices.ContainsFunc(actions, func(a openflow.Action) bool {
		switch a := a.(type) {
		case *openflow.Output:
			return a.Port == port
		case *openflow.OutputTrunc:
			return a.Port == port
		case *openflow.Enqueue:
			return a.Port == port
		case *openflow.Controller:
			return port == openflow.PortController
		case *openflow.WriteActions:
			return outputsTo(a.Actions, port)
		case *openflow.Clone:
			return outputsTo(a.Actions, port)
		}
		return false
	})
}

// UsesGroup reports whether the actions name a group (GroupAny: always).
func (r *Rule) UsesGroup(id uint32) bool {
	return id == openflow.GroupAny || slices.Contains(r.groups, id)
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

// HasTimeouts reports whether any flow has a timeout.
func (p *Pipeline) HasTimeouts() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return len(p.timed) > 0
}

// GroupsOf lists the groups that actions name, each once.
func GroupsOf(actions []openflow.Action) []uint32 { return groupsOf(actions, nil) }
