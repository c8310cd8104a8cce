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

// reset is new counts; when the flow was used isn't one, and stays.
func (s *Stats) reset() *Stats {
	n := new(Stats)
	n.used.Store(s.used.Load())
	return n
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
// another Rule in its place. A switch has hundreds of thousands, so it is kept
// small.
type Rule struct {
	cls classifier.Rule[*Rule]

	program  *program
	Stats    *Stats
	Cookie   uint64
	created  int64 // nanoseconds since the epoch
	modified int64

	refreshed  atomic.Int64  // by learn, nanoseconds since the epoch; 0: never
	timeouts   atomic.Uint32 // in seconds: hard in the high half, idle in the low
	Importance uint16
	Flags      openflow.FlowFlags
	Origin     uint16 // who added it or last changed it; see Pipeline.OriginName
	Table      uint8
	miss       bool

	// Rules of the same cookie; guarded by the pipeline's mu.
	prevOfCookie, nextOfCookie *Rule
}

// Actions are what the flow does with its packets; nobody may change them, for
// flows share them.
func (r *Rule) Actions() []openflow.Action { return r.program.actions }

// Created is when the flow was added.
func (r *Rule) Created() time.Time { return time.Unix(0, r.created) }

// Modified is when the flow was added or last modified.
func (r *Rule) Modified() time.Time { return time.Unix(0, r.modified) }

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

// IsClause reports whether the rule is a clause of conjunctive matches, so that
// others match through it; a nil rule is none.
func (r *Rule) IsClause() bool { return r != nil && r.program.facts().conj != nil }

// TableMiss reports whether the flow is what OpenFlow 1.3 calls a table-miss
// flow: of the lowest priority, matching all packets.
func (r *Rule) TableMiss() bool { return r.miss }

// VisibleIn reports whether the rule is part of version v.
func (r *Rule) VisibleIn(v classifier.Version) bool { return r.cls.VisibleIn(v) }

// IdleTimeout is in seconds, 0 for never.
func (r *Rule) IdleTimeout() uint16 { return uint16(r.timeouts.Load()) }

// HardTimeout is in seconds, 0 for never.
func (r *Rule) HardTimeout() uint16 { return uint16(r.timeouts.Load() >> 16) }

func (r *Rule) setTimeouts(idle, hard uint16) { r.timeouts.Store(uint32(hard)<<16 | uint32(idle)) }

// ReduceTimeouts lowers the timeouts to those given, where they are lower; 0
// leaves a timeout alone (fin_timeout, ovs-actions(7)). It reports whether
// it changed one; the rule must then be passed to [Pipeline.Watch].
func (r *Rule) ReduceTimeouts(idle, hard uint16) (changed bool) {
	lower := func(old, n uint16) uint16 {
		if n != 0 && (old == 0 || n < old) {
			return n
		}
		return old
	}
	for {
		old := r.timeouts.Load()
		now := uint32(lower(uint16(old>>16), hard))<<16 | uint32(lower(uint16(old), idle))
		if now == old {
			return false
		}
		if r.timeouts.CompareAndSwap(old, now) {
			return true
		}
	}
}

// Refresh restarts the hard timeout, as learn does for flows that it would
// add again.
func (r *Rule) Refresh(now time.Time) { raise(&r.refreshed, now) }

// Since is when the hard timeout started.
func (r *Rule) Since() time.Time {
	return time.Unix(0, max(r.refreshed.Load(), r.modified))
}

// LastUsed is when the idle timeout started: when the rule, or the one that it
// replaced, last matched, else when it was made.
func (r *Rule) LastUsed() time.Time {
	if n := r.Stats.used.Load(); n != 0 {
		return time.Unix(0, n)
	}
	return time.Unix(0, r.created)
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
	return port == openflow.PortNone || outputsTo(r.Actions(), port)
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
	return id == openflow.GroupAny || r.program.extra != nil && slices.Contains(r.program.extra.groups, id)
}

// HasTimeouts reports whether any flow has a timeout.
func (p *Pipeline) HasTimeouts() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return len(p.timed) > 0
}
