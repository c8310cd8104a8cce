package ofproto

import (
	"cmp"
	"maps"
	"slices"

	"weir/internal/openflow"
	"weir/internal/pipeline"
)

// flowMonitor starts, changes and ends the monitors of a request, or none of them,
// and tells the flows that those it starts cover now (ovs-ofctl(8), "monitor").
func (s *session) flowMonitor(r *openflow.FlowMonitorRequest) (openflow.Message, error) {
	reply := &openflow.FlowMonitorReply{}
	s.mu.Lock()
	defer s.mu.Unlock()
	monitors := maps.Clone(s.monitors)
	for i := range r.Monitors {
		m := &r.Monitors[i]
		switch known := monitors[m.ID] != nil; {
		case m.Command == openflow.MonitorCmdAdd && known:
			return nil, openflow.ErrMOFCMonitorExists.Err()
		case m.Command != openflow.MonitorCmdAdd && !known:
			return nil, openflow.ErrMOFCUnknownMonitor.Err()
		case m.Command == openflow.MonitorCmdDelete:
			delete(monitors, m.ID)
			continue
		}
		monitors[m.ID] = m
		if m.Flags&openflow.MonitorInitial == 0 {
			continue
		}
		rules, err := s.m.b.pipe.Select(&pipeline.Selection{
			Match: &m.Match, OutPort: m.OutPort, OutGroup: m.OutGroup, Table: m.TableID})
		if err != nil {
			return nil, err
		}
		event := openflow.UpdateAdded
		if s.ver >= openflow.V14 {
			event = openflow.UpdateInitial
		}
		for _, rule := range rules {
			reply.Updates = append(reply.Updates, update(s.m.b.pipe, rule, event, m.Flags&openflow.MonitorInstructions != 0))
		}
	}
	s.monitors = monitors
	return reply, nil
}

func (s *session) cancelMonitor(c *openflow.FlowMonitorCancel) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.monitors[c.ID] == nil {
		return openflow.ErrMOFCUnknownMonitor.Err()
	}
	delete(s.monitors, c.ID)
	return nil
}

func update(p *pipeline.Pipeline, r *pipeline.Rule, event openflow.FlowUpdateEvent, actions bool) openflow.FlowUpdate {
	u := openflow.FlowUpdate{
		Event: event, IdleTimeout: r.IdleTimeout(), HardTimeout: r.HardTimeout(),
		TableID: r.Table, Priority: uint16(r.Priority()), Cookie: r.Cookie, Match: p.Match(r),
	}
	if actions {
		u.Actions = r.Actions()
	}
	return u
}

// monitored reports whether a session monitors flows.
func (m *connManager) monitored() bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	for s := range m.sessions {
		s.mu.Lock()
		n := len(s.monitors)
		s.mu.Unlock()
		if n > 0 {
			return true
		}
	}
	return false
}

// monitorEvents tells every session of the changes that it monitors.
func (b *Bridge) monitorEvents(events []pipeline.Event, by *session) {
	if len(events) == 0 || !b.conns.monitored() {
		return
	}
	b.conns.each(func(s *session) { s.sendEvents(events, s == by) })
}

// sendEvents tells of the changes that the session monitors; own says that it
// caused them.
func (s *session) sendEvents(events []pipeline.Event, own bool) {
	s.updates.mu.Lock()
	defer s.updates.mu.Unlock()
	monitors := s.sortedMonitors()
	if len(monitors) == 0 {
		return
	}
	reply := &openflow.FlowMonitorReply{}
	for i := range events {
		if !s.updates.tells(&events[i]) {
			continue
		}
		u, ok := monitored(s.m.b.pipe, &events[i], monitors, own)
		switch {
		case !ok:
		case u.Event != openflow.UpdateAbbrev:
			reply.Updates = append(reply.Updates, u)
		case !slices.ContainsFunc(reply.Updates, func(u openflow.FlowUpdate) bool { return u.Event == openflow.UpdateAbbrev }):
			u.Xid = s.request
			reply.Updates = append(reply.Updates, u)
		}
	}
	if len(reply.Updates) > 0 {
		s.sendUpdates(reply)
	}
}

func (s *session) sortedMonitors() []*openflow.FlowMonitor {
	s.mu.Lock()
	defer s.mu.Unlock()
	monitors := slices.Collect(maps.Values(s.monitors))
	slices.SortFunc(monitors, func(a, b *openflow.FlowMonitor) int { return cmp.Compare(a.ID, b.ID) })
	return monitors
}

// uses reports whether a flow outputs to a port, or did before it changed, and
// to a group.
func uses(e *pipeline.Event, port openflow.PortNo, group uint32) bool {
	if !e.Rule.UsesGroup(group) {
		return false
	}
	return e.Rule.OutputsTo(port) || e.Old != nil && e.Old.OutputsTo(port)
}

// ownInFull are the flags by which a session is told of its own changes in
// full, not by their xid alone. Open vSwitch gives OFPFMF_ONLY_OWN the meaning
// of its older NXFMF_OWN, which is this.
const ownInFull = openflow.MonitorNoAbbrev | openflow.MonitorOnlyOwn

// unchanged reports whether a flow was modified without what an update would tell
// of it being different.
func unchanged(e *pipeline.Event) bool {
	return e.Kind == pipeline.Modified && e.Old != nil && !e.ActionsChanged && e.Old.Cookie == e.Rule.Cookie
}

// monitored makes the update of an event that some monitor covers.
func monitored(p *pipeline.Pipeline, e *pipeline.Event, monitors []*openflow.FlowMonitor, own bool) (u openflow.FlowUpdate, ok bool) {
	var want openflow.FlowMonitorFlags
	var event openflow.FlowUpdateEvent
	switch {
	case e.Kind == pipeline.Deleted:
		want, event = openflow.MonitorRemoved, openflow.UpdateDeleted
	case e.Kind == pipeline.Added:
		want, event = openflow.MonitorAdd, openflow.UpdateAdded
	default:
		want, event = openflow.MonitorModify, openflow.UpdateModified
	}
	if unchanged(e) {
		return u, false
	}
	if e.Rule.Hidden() || e.Rule.Table == pipeline.TableInternal {
		return u, false
	}
	var flags openflow.FlowMonitorFlags
	for _, m := range monitors {
		if m.Flags&want == 0 ||
			m.TableID != openflow.TableAny && m.TableID != e.Rule.Table ||
			!uses(e, m.OutPort, m.OutGroup) || !m.Match.Loosens(e.Rule.Match()) {
			continue
		}
		ok = true
		flags |= m.Flags
	}
	if !ok {
		return u, false
	}
	consequence := e.Kind == pipeline.Deleted && (e.Reason == openflow.RemovedGroupDelete || e.Reason == openflow.RemovedMeterDelete)
	if own && !consequence && flags&ownInFull == 0 {
		return openflow.FlowUpdate{Event: openflow.UpdateAbbrev}, true
	}
	u = update(p, e.Rule, event, flags&openflow.MonitorInstructions != 0)
	u.Reason = e.Reason
	return u, true
}
