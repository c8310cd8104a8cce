package ofproto

import (
	"cmp"
	"context"
	"sync"
	"time"

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
	m       *connManager
	name    string // conf.Target, which never changes
	cancel  context.CancelFunc
	done    chan struct{}
	force   chan struct{} // asks to reconnect
	changed chan struct{} // says that conf changed

	mu       sync.Mutex
	conf     ControllerConfig
	fsm      *stream.FSM // of an active target
	session  *session    // of an active target, while connected
	listener *stream.Listener
	failed   string    // why nobody can connect; empty: somebody can
	lost     time.Time // of a listener: when its last session ended, or it was made
}

// startTarget begins to connect, or listens at once, so that whoever
// configured a listener can connect to it.
func (m *connManager) startTarget(conf ControllerConfig) *target {
	ctx, cancel := context.WithCancel(context.Background())
	now := m.b.be.clock.Now()
	t := &target{
		m: m, name: conf.Target, conf: conf, cancel: cancel, lost: now, done: make(chan struct{}),
		force: make(chan struct{}, 1), changed: make(chan struct{}, 1),
	}
	parsed, err := stream.Parse(conf.Target, stream.OpenFlowPort, m.b.be.opts.Stream.RunDir)
	switch {
	case err != nil:
		connmgrLog.Err("%s: %s", conf.Target, err)
		t.failed = err.Error()
		close(t.done)
	case parsed.Passive:
		t.listen()
		go t.accept(ctx)
	default:
		t.fsm = stream.NewFSM(m.b.name+"<->"+conf.Target, now, rconnLog)
		t.pace()
		go t.dial(ctx)
	}
	return t
}

// pace gives the state machine the configured intervals.
func (t *target) pace() {
	t.fsm.MaxWait = stream.MaxBackoff
	if t.conf.MaxBackoff > 0 {
		t.fsm.MaxWait = t.conf.MaxBackoff
	}
	t.fsm.ProbeAfter = t.conf.probe()
}

// probe is the inactivity probe interval, 0 for no probes.
func (c *ControllerConfig) probe() time.Duration {
	if c.Probe < 0 {
		return stream.ProbeInterval
	}
	return c.Probe
}

// acceptPause is how long a listener waits where the system lets it accept nothing.
const acceptPause = 50 * time.Millisecond

// defaultConnections is how many connections a listener accepts at a time.
const defaultConnections = 1024

// connections is how many connections a listener accepts at a time.
func (c ControllerConfig) connections() int { return cmp.Or(c.MaxConnections, defaultConnections) }

// config is the configuration in force.
func (t *target) config() ControllerConfig {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.conf
}

// lasting reports whether connections that conf was right for stay when it
// becomes the target's configuration.
func (t *target) lasting(conf ControllerConfig) bool {
	is := t.config()
	return is.Target == conf.Target && is.Kind == conf.Kind && is.DSCP == conf.DSCP
}

// configure changes the configuration of a target whose connections stay.
func (t *target) configure(conf ControllerConfig) {
	t.mu.Lock()
	changed := t.conf != conf
	t.conf = conf
	if changed && t.fsm != nil {
		t.pace()
	}
	t.mu.Unlock()
	if !changed {
		return
	}
	for _, s := range t.sessions() {
		s.limit(&conf)
	}
	select {
	case t.changed <- struct{}{}:
	default:
	}
}

// sessions lists the target's connections.
func (t *target) sessions() []*session {
	t.m.mu.Lock()
	defer t.m.mu.Unlock()
	return t.sessionsLocked()
}

// sessionsLocked is sessions for those who hold the connManager's mu.
func (t *target) sessionsLocked() []*session {
	var out []*session
	for s := range t.m.sessions {
		if s.of == t {
			out = append(out, s)
		}
	}
	return out
}

// silence is how long the target has been without a connection, 0 while there
// is one. The caller holds the connManager's mu.
func (t *target) silence(now time.Time) time.Duration {
	open := len(t.sessionsLocked()) > 0
	t.mu.Lock()
	defer t.mu.Unlock()
	switch {
	case t.fsm != nil:
		return t.fsm.Silence(now)
	case open:
		return 0
	}
	return now.Sub(t.lost)
}

func (t *target) streamOptions() stream.Options {
	o := t.m.b.be.opts.Stream
	o.DefaultPort = stream.OpenFlowPort
	o.DSCP = t.config().DSCP
	return o
}

// listen opens the socket; accept tries again when it fails.
func (t *target) listen() {
	l, err := stream.Listen(t.name, t.streamOptions())
	t.mu.Lock()
	defer t.mu.Unlock()
	if err != nil {
		t.failed = "listen failed (" + stream.ErrText(err) + ")"
		connmgrLog.ErrRL(&listenRL, "%s: %s", t.name, t.failed)
		return
	}
	t.listener, t.failed = l, ""
}

var listenRL, acceptRL vlog.RateLimit

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
			if !t.m.b.be.clock.Sleep(ctx, time.Second) {
				return
			}
			t.listen()
			continue
		}
		c, err := l.Accept()
		if err != nil {
			if te, ok := err.(interface{ Temporary() bool }); ok && te.Temporary() {
				// Of descriptors there may be none left for a while.
				connmgrLog.WarnRL(&acceptRL, "%s: accept failed (%s)", t.name, stream.ErrText(err))
				time.Sleep(acceptPause)
				continue
			}
			return
		}
		if n := t.config().connections(); len(t.sessions()) >= n {
			connmgrLog.WarnRL(&acceptRL, "%s: a connection is refused: there are %d, as many as other_config:max-connections allows", t.name, n)
			_ = c.Close()
			continue
		}
		s := t.newSession(c)
		if s == nil {
			_ = c.Close()
			return
		}
		go func() {
			defer s.close()
			defer s.keepAlive()()
			why := s.run()
			rconnLog.Dbg("%s<->%s: connection ended (%s)", t.m.b.name, c.Name, why)
		}()
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
	for _, s := range t.sessions() {
		s.close()
	}
	<-t.done
}

// event reports something to the state machine of an active target.
func (t *target) event(what func(*stream.FSM, time.Time)) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.fsm != nil {
		what(t.fsm, t.m.b.be.clock.Now())
	}
}

// sessionEnded notes when a listener was connected last.
func (t *target) sessionEnded() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.lost = t.m.b.be.clock.Now()
}
