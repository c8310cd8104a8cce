package ofproto

import (
	"time"

	"weir/internal/stream"
)

// kindName is how log messages call a kind of controller.
func (k ControllerKind) kindName() string {
	if k == PrimaryController {
		return "primary"
	}
	return "service"
}

// setControllers makes the configured controllers be those of cs.
func (m *connManager) setControllers(cs []ControllerConfig) {
	want := map[string]ControllerConfig{}
	for _, c := range cs {
		want[c.Target] = c
	}
	m.mu.Lock()
	if m.closed {
		m.mu.Unlock()
		return
	}
	had := m.hasPrimaries()
	var gone, kept []*target
	for name, t := range m.targets {
		w, ok := want[name]
		switch {
		case t.builtin():
		case !ok || !t.lasting(w):
			gone = append(gone, t)
			delete(m.targets, name)
		default:
			kept = append(kept, t)
		}
	}
	m.mu.Unlock()
	for _, t := range gone { // first, since another may listen at the same address
		if _, ok := want[t.name]; !ok {
			connmgrLog.Info("%s: removed %s controller %q", m.b.name, t.config().Kind.kindName(), t.name)
		}
		t.close()
	}
	has := m.addTargets(want)
	for _, t := range kept {
		t.configure(want[t.name])
	}
	if had != has {
		m.flushFlows()
	}
	m.checkFailOpen()
	m.b.be.touch()
}

// addTargets begins with the targets of a configuration that are not there yet, and
// reports whether there are primary controllers then.
func (m *connManager) addTargets(want map[string]ControllerConfig) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	for name, c := range want {
		if m.targets[name] == nil && !m.closed {
			connmgrLog.Info("%s: added %s controller %q", m.b.name, c.Kind.kindName(), name)
			m.targets[name] = m.startTarget(c)
		}
	}
	return m.hasPrimaries()
}

// builtin targets are the bridge's own sockets, which no configuration names.
func (t *target) builtin() bool {
	return t.name == t.m.socket("mgmt") || t.name == t.m.socket("snoop")
}

func (m *connManager) socket(kind string) string {
	return "punix:" + m.b.be.opts.RunDir + "/" + m.b.name + "." + kind
}

// listen opens the bridge's own sockets, once.
func (m *connManager) listen(Config) {
	if m.b.be.opts.RunDir == "" {
		return
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	for name, kind := range map[string]ControllerKind{m.socket("mgmt"): ServiceController, m.socket("snoop"): SnoopController} {
		if m.targets[name] != nil || m.closed {
			continue
		}
		if kind == ServiceController {
			connmgrLog.Info("%s: added service controller %q", m.b.name, name)
		}
		m.targets[name] = m.startTarget(ControllerConfig{Target: name, Kind: kind, NoAsync: kind == ServiceController})
	}
}

func (m *connManager) status() map[string]ControllerStatus {
	m.mu.Lock()
	targets := make([]*target, 0, len(m.targets))
	for _, t := range m.targets {
		if !t.builtin() {
			targets = append(targets, t)
		}
	}
	m.mu.Unlock()
	out := map[string]ControllerStatus{}
	for _, t := range targets {
		st := ControllerStatus{SecSinceConnect: -1, SecSinceDisconnect: -1}
		t.mu.Lock()
		s := t.session
		if t.failed != "" {
			st.State, st.LastError = stream.Void.String(), t.failed
		}
		t.mu.Unlock()
		if t.link != nil {
			t.link.Do(st.describe)
		} else {
			st.Connected = len(t.sessions()) > 0
		}
		if s != nil {
			st.Role = s.roleName()
			st.PacketIns = s.packetInStats()
		}
		out[t.name] = st
	}
	return out
}

// describe takes over what the state machine of a connection knows.
func (st *ControllerStatus) describe(f *stream.FSM, now time.Time) {
	c, d, everC, everD := f.Since(now)
	st.Connected, st.State, st.LastError = f.IsConnected(), f.State().String(), f.LastError()
	if everC {
		st.SecSinceConnect = int64(c / time.Second)
	}
	if everD {
		st.SecSinceDisconnect = int64(d / time.Second)
	}
}

func (m *connManager) reconnect() {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, t := range m.targets {
		if t.link != nil {
			t.link.Do((*stream.FSM).ForceReconnect)
		}
	}
}

// unlisten closes the listeners, for a process that is about to die.
func (m *connManager) unlisten() {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, t := range m.targets {
		t.unlisten()
	}
}

// close ends all connections, and returns when nobody works for them any more.
func (m *connManager) close() {
	m.mu.Lock()
	m.closed = true
	targets := m.targets
	m.targets = map[string]*target{}
	m.mu.Unlock()
	for _, t := range targets {
		t.close()
	}
	m.serving.Wait()
}
