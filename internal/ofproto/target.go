package ofproto

import (
	"context"
	"sync"
	"time"

	"weir/internal/clock"
	"weir/internal/stream"
	"weir/internal/vlog"
)

var (
	rconnLog   = vlog.For("rconn")
	connmgrLog = vlog.For("connmgr")
)

// target is one configured controller or listener. A goroutine of its own runs
// it; mu owns what others read.
type target struct {
	m      *connManager
	conf   ControllerConfig
	cancel context.CancelFunc
	done   chan struct{}

	mu       sync.Mutex
	fsm      *stream.FSM // of an active target
	session  *session    // of an active target, while connected
	listener *stream.Listener
	force    chan struct{}
}

// startTarget begins to connect, or listens at once, so that whoever
// configured a listener can connect to it.
func (m *connManager) startTarget(conf ControllerConfig) *target {
	ctx, cancel := context.WithCancel(context.Background())
	t := &target{m: m, conf: conf, cancel: cancel, done: make(chan struct{}), force: make(chan struct{}, 1)}
	parsed, err := stream.Parse(conf.Target, stream.OpenFlowPort, m.b.be.opts.Stream.RunDir)
	switch {
	case err != nil:
		connmgrLog.Err("%s: %s", conf.Target, err)
		close(t.done)
	case parsed.Passive:
		t.listen()
		go t.accept(ctx)
	default:
		t.fsm = stream.NewFSM(m.b.name+"<->"+conf.Target, m.b.be.clock.Now(), rconnLog)
		t.fsm.MinWait, t.fsm.MaxWait = time.Second, stream.MaxBackoff
		if conf.MaxBackoff > 0 {
			t.fsm.MaxWait = conf.MaxBackoff
		}
		t.fsm.ProbeAfter = stream.ProbeInterval
		if conf.Probe >= 0 {
			t.fsm.ProbeAfter = conf.Probe
		}
		t.fsm.MaxTries = -1
		go t.dial(ctx)
	}
	return t
}

func (t *target) streamOptions() stream.Options {
	o := t.m.b.be.opts.Stream
	o.DefaultPort = stream.OpenFlowPort
	return o
}

// listen opens the socket; accept tries again when it fails.
func (t *target) listen() {
	l, err := stream.Listen(t.conf.Target, t.streamOptions())
	if err != nil {
		connmgrLog.Err("%s: listen failed (%s)", t.conf.Target, stream.ErrText(err))
		return
	}
	t.mu.Lock()
	t.listener = l
	t.mu.Unlock()
}

// accept serves the connections to a listener until ctx ends.
func (t *target) accept(ctx context.Context) {
	defer close(t.done)
	go func() {
		<-ctx.Done()
		t.mu.Lock()
		defer t.mu.Unlock()
		if t.listener != nil {
			_ = t.listener.Close()
		}
	}()
	for ctx.Err() == nil {
		t.mu.Lock()
		l := t.listener
		t.mu.Unlock()
		if l == nil {
			if !sleep(ctx, t.m.b.be.clock, time.Second) {
				return
			}
			t.listen()
			continue
		}
		c, err := l.Accept()
		if err != nil {
			if te, ok := err.(interface{ Temporary() bool }); ok && te.Temporary() {
				continue
			}
			return
		}
		s := t.m.newSession(c, t.conf)
		if s == nil {
			_ = c.Close()
			return
		}
		go func() {
			defer s.close()
			why := s.run()
			rconnLog.Dbg("%s<->%s: connection ended (%s)", t.m.b.name, c.Name, why)
		}()
	}
}

// sleep waits for d of the clock's time; false when ctx ended first.
func sleep(ctx context.Context, c *clock.Clock, d time.Duration) bool {
	ch := make(chan struct{})
	timer := c.AfterFunc(d, func() { close(ch) })
	defer timer.Stop()
	select {
	case <-ch:
		return true
	case <-ctx.Done():
		return false
	}
}

// dial keeps an active target connected until ctx ends.
func (t *target) dial(ctx context.Context) {
	defer close(t.done)
	clk := t.m.b.be.clock
	type event struct {
		s   *session
		why string
		end bool
	}
	events := make(chan event, 4)
	var cancelDial context.CancelFunc = func() {}
	drop := func() {
		cancelDial()
		if s := t.current(); s != nil {
			s.close()
		}
	}
	defer func() { drop() }()
	t.locked(func(f *stream.FSM) { f.Enable(clk.Now()) })
	for {
		var act stream.Action
		t.locked(func(f *stream.FSM) { act = f.Run(clk.Now()) })
		switch act {
		case stream.Connect:
			t.locked(func(f *stream.FSM) { f.Connecting(clk.Now()) })
			dctx, cancel := context.WithCancel(ctx)
			cancelDial = cancel
			go func() {
				c, err := stream.Dial(dctx, t.conf.Target, t.streamOptions())
				if err != nil {
					events <- event{why: stream.ErrText(err), end: true}
					return
				}
				s := t.m.newSession(c, t.conf)
				if s == nil {
					_ = c.Close()
					return
				}
				s.ctl = t
				events <- event{s: s}
				why := s.run()
				s.close()
				events <- event{why: why, end: true}
			}()
		case stream.Disconnect:
			drop()
			t.locked(func(f *stream.FSM) { f.Disconnected(clk.Now(), "") })
			continue
		case stream.Probe:
			if s := t.current(); s != nil {
				s.probe()
			}
		}
		var wait time.Duration
		waits := false
		t.locked(func(f *stream.FSM) { wait, waits = f.Wait(clk.Now()) })
		var timeout chan struct{}
		var timer *clock.Timer
		if waits {
			timeout = make(chan struct{})
			timer = clk.AfterFunc(wait, func() { close(timeout) })
		}
		select {
		case <-ctx.Done():
			return
		case <-t.force:
			t.locked(func(f *stream.FSM) { f.ForceReconnect(clk.Now()) })
		case <-timeout:
		case ev := <-events:
			switch {
			case ev.s != nil:
				t.mu.Lock()
				t.session = ev.s
				t.mu.Unlock()
			case ev.end:
				t.mu.Lock()
				t.session = nil
				t.fsm.Disconnected(clk.Now(), ev.why)
				t.mu.Unlock()
			}
		}
		if timer != nil {
			timer.Stop()
		}
	}
}

func (t *target) current() *session {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.session
}

func (t *target) locked(f func(*stream.FSM)) {
	t.mu.Lock()
	defer t.mu.Unlock()
	f(t.fsm)
}

// close ends the target and its sessions.
func (t *target) close() {
	t.cancel()
	for _, s := range t.m.sessionsOf(t.conf.Target) {
		s.close()
	}
	<-t.done
}

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
	var gone []*target
	for name, t := range m.targets {
		if w, ok := want[name]; (!ok || w != t.conf) && !t.builtin() {
			gone = append(gone, t)
			delete(m.targets, name)
		}
	}
	for name, c := range want {
		if m.targets[name] == nil {
			connmgrLog.Info("%s: added %s controller %q", m.b.name, c.Kind.kindName(), name)
			m.targets[name] = m.startTarget(c)
		}
	}
	has := m.hasPrimaries()
	m.mu.Unlock()
	for _, t := range gone {
		if _, ok := want[t.conf.Target]; !ok {
			connmgrLog.Info("%s: removed %s controller %q", m.b.name, t.conf.Kind.kindName(), t.conf.Target)
		}
		t.close()
	}
	if had != has {
		m.flushFlows()
	}
	m.b.be.touch()
}

// builtin targets are the bridge's own sockets, which no configuration names.
func (t *target) builtin() bool {
	return t.conf.Target == t.m.socket("mgmt") || t.conf.Target == t.m.socket("snoop")
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
	now := m.b.be.clock.Now()
	for _, t := range targets {
		st := ControllerStatus{SecSinceConnect: -1, SecSinceDisconnect: -1}
		t.mu.Lock()
		f, s := t.fsm, t.session
		if f != nil {
			c, d, everC, everD := f.Since(now)
			st.Connected, st.State, st.LastError = f.IsConnected(), f.State().String(), f.LastError()
			if everC {
				st.SecSinceConnect = int64(c / time.Second)
			}
			if everD {
				st.SecSinceDisconnect = int64(d / time.Second)
			}
		}
		t.mu.Unlock()
		if f == nil {
			st.Connected = len(m.sessionsOf(t.conf.Target)) > 0
		}
		if s != nil {
			st.Role = s.roleName()
		}
		out[t.conf.Target] = st
	}
	return out
}

func (m *connManager) reconnect() {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, t := range m.targets {
		select {
		case t.force <- struct{}{}:
		default:
		}
	}
}

func (m *connManager) close() {
	m.mu.Lock()
	m.closed = true
	targets := m.targets
	m.targets = map[string]*target{}
	m.mu.Unlock()
	for _, t := range targets {
		t.close()
	}
}
