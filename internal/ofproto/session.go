package ofproto

import (
	"weir/internal/openflow"
	"weir/internal/pipeline"
	"weir/internal/stream"
	"weir/internal/upcall"
)

// session is one OpenFlow connection.
type session struct {
	m      *connManager
	conn   *stream.Conn
	kind   ControllerKind
	target string
	active bool
}

func (m *connManager) newSession(c *stream.Conn, conf ControllerConfig) *session {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.closed {
		return nil
	}
	s := &session{m: m, conn: c, kind: conf.Kind, target: conf.Target}
	m.sessions[s] = struct{}{}
	return s
}

func (m *connManager) sessionsOf(target string) []*session {
	m.mu.Lock()
	defer m.mu.Unlock()
	var out []*session
	for s := range m.sessions {
		if s.target == target {
			out = append(out, s)
		}
	}
	return out
}

func (s *session) version() openflow.Version { return 0 }
func (s *session) roleName() string          { return "" }
func (s *session) run() string               { return "this build has no OpenFlow codecs" }
func (s *session) probe()                    {}
func (s *session) close() {
	s.m.mu.Lock()
	delete(s.m.sessions, s)
	s.m.mu.Unlock()
	_ = s.conn.Close()
}
func (m *connManager) packetIn(*upcall.PacketIn)                                {}
func (m *connManager) portStatus(openflow.PortStatusReason, *openflow.PortDesc) {}
func (b *Bridge) flowEvents(events []pipeline.Event, by *session)               {}
