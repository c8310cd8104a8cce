package ofproto

import "weir/internal/openflow"

// roleName is as the Controller table's role column has it.
func (s *session) roleName() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch s.role {
	case openflow.RolePrimary:
		return "master"
	case openflow.RoleSecondary:
		return "slave"
	}
	return "other"
}

// roleRequest changes the role of a session (OpenFlow 1.3.1, 6.3.4): when it
// becomes primary, the primary there was becomes secondary.
func (s *session) roleRequest(h openflow.MsgHeader, r *openflow.RoleRequest) error {
	m := s.m
	m.mu.Lock()
	if r.HaveGeneration && (r.Role == openflow.RolePrimary || r.Role == openflow.RoleSecondary) {
		if m.haveGeneration && int64(r.GenerationID-m.generation) < 0 {
			m.mu.Unlock()
			return openflow.ErrRRFCStale.Err()
		}
		m.generation, m.haveGeneration = r.GenerationID, true
	}
	reply := &openflow.RoleReply{NX: r.NX, HaveGeneration: m.haveGeneration && !r.NX, GenerationID: m.generation}
	var demoted []*session
	if r.Role == openflow.RolePrimary {
		for other := range m.sessions {
			if other != s && other.setRole(openflow.RolePrimary, openflow.RoleSecondary) {
				demoted = append(demoted, other)
			}
		}
	}
	m.mu.Unlock()
	s.mu.Lock()
	if r.Role != openflow.RoleNoChange {
		s.role = r.Role
	}
	reply.Role = s.role
	s.mu.Unlock()
	for _, d := range demoted {
		d.asyncIf(openflow.AsyncRoleStatus, uint8(openflow.RolePrimaryRequest), &openflow.RoleStatus{
			Role: openflow.RoleSecondary, Reason: openflow.RolePrimaryRequest, GenerationID: reply.GenerationID})
	}
	return s.send(h.Xid, reply)
}

// setRole changes one role to another and says whether it did.
func (s *session) setRole(from, to openflow.Role) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.role != from {
		return false
	}
	s.role = to
	return true
}

// defaultAsync is what a controller gets without asking (ovs-ofctl(8),
// "monitor"; OpenFlow 1.3.1, 6.3.5).
func defaultAsync(v openflow.Version) openflow.AsyncConfig {
	var c openflow.AsyncConfig
	pin := uint32(1<<openflow.ReasonNoMatch | 1<<openflow.ReasonAction)
	removed := uint32(1<<openflow.RemovedIdle | 1<<openflow.RemovedHard | 1<<openflow.RemovedDelete | 1<<openflow.RemovedGroupDelete)
	if v >= openflow.V14 {
		pin |= 1<<openflow.ReasonActionSet | 1<<openflow.ReasonGroup | 1<<openflow.ReasonPacketOut
		removed |= 1<<openflow.RemovedMeterDelete | 1<<openflow.RemovedEviction
		c.Primary[openflow.AsyncRequestForward] = 0
		c.Primary[openflow.AsyncRoleStatus], c.Secondary[openflow.AsyncRoleStatus] = 7, 7
		c.Primary[openflow.AsyncTableStatus] = 1<<openflow.VacancyDownEvent | 1<<openflow.VacancyUpEvent
	} else if v == openflow.V13 {
		c.Primary[openflow.AsyncRoleStatus], c.Secondary[openflow.AsyncRoleStatus] = 7, 7
	}
	c.Primary[openflow.AsyncPacketIn] = pin
	c.Primary[openflow.AsyncFlowRemoved] = removed
	c.Primary[openflow.AsyncPortStatus], c.Secondary[openflow.AsyncPortStatus] = 7, 7
	return c
}

func (s *session) setAsync(a *openflow.SetAsync) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for i := range openflow.NumAsync {
		if a.Set&(1<<i) != 0 {
			s.async.Primary[i] = a.Config.Primary[i]
		}
		if a.Set&(1<<(i+16)) != 0 {
			s.async.Secondary[i] = a.Config.Secondary[i]
		}
	}
}

// wants reports whether the session is to get an asynchronous message.
func (s *session) wants(t openflow.AsyncType, reason uint8) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.kind == SnoopController {
		return false
	}
	// Service connections get packets and news only when they have set a miss
	// send length; what tells of other controllers they get anyway.
	if s.kind == ServiceController && s.missLen == 0 && t < openflow.AsyncRoleStatus {
		return false
	}
	mask := s.async.Primary[t]
	if s.role == openflow.RoleSecondary {
		mask = s.async.Secondary[t]
	}
	return mask&(1<<reason) != 0
}

func (s *session) asyncIf(t openflow.AsyncType, reason uint8, msg openflow.Message) {
	if s.wants(t, reason) {
		s.asynchronous(msg)
	}
}

// portStatus tells of a port. was is how it was known before, nil for a port
// that came or went: OpenFlow 1.0 has no bit for a live port, and so nothing to
// tell when no other changed.
func (m *connManager) portStatus(reason openflow.PortStatusReason, d, was *openflow.PortDesc) {
	m.each(func(s *session) {
		if was != nil && s.version() == openflow.V10 {
			is, before := *d, *was
			is.State &^= openflow.PortLive
			before.State &^= openflow.PortLive
			if is == before {
				return
			}
		}
		s.asyncIf(openflow.AsyncPortStatus, uint8(reason), &openflow.PortStatus{Reason: reason, Desc: *d})
	})
}
