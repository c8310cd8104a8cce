package ofproto

import (
	"cmp"
	"context"
	"errors"
	"net"
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
	m      *connManager
	name   string // conf.Target, which never changes
	cancel context.CancelFunc
	done   chan struct{}
	link   *stream.Link // of an active target

	mu       sync.Mutex
	conf     ControllerConfig
	session  *session // of an active target, while connected
	listener *stream.Listener
	failed   string    // why nobody can connect; empty: somebody can
	lost     time.Time // of a listener: when its last session ended, or it was made
}

// startTarget begins to connect, or listens at once, so that whoever
// configured a listener can connect to it.
func (m *connManager) startTarget(conf ControllerConfig) *target {
	ctx, cancel := context.WithCancel(context.Background())
	t := &target{m: m, name: conf.Target, conf: conf, cancel: cancel, lost: m.b.be.clock.Now(), done: make(chan struct{})}
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
		t.link = stream.NewLink(m.b.name+"<->"+conf.Target, m.b.be.clock, rconnLog)
		t.link.Do(conf.pace)
		go t.dial(ctx)
	}
	return t
}

// pace gives the state machine of a connection the configured intervals.
func (c *ControllerConfig) pace(f *stream.FSM, _ time.Time) {
	f.MaxWait = stream.MaxBackoff
	if c.MaxBackoff > 0 {
		f.MaxWait = c.MaxBackoff
	}
	f.ProbeAfter = c.probe()
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
	t.mu.Unlock()
	if !changed {
		return
	}
	for _, s := range t.sessions() {
		s.limit(&conf)
		s.link.Do(conf.pace)
	}
	if t.link != nil {
		t.link.Do(conf.pace)
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
func (t *target) silence() (d time.Duration) {
	if t.link != nil {
		t.link.Do(func(f *stream.FSM, now time.Time) { d = f.Silence(now) })
		return d
	}
	if len(t.sessionsLocked()) > 0 {
		return 0
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.m.b.be.clock.Since(t.lost)
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
	defer t.unlisten() // once more: the loop below may have made a listener meanwhile
	defer context.AfterFunc(ctx, t.unlisten)()
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
			if errors.Is(err, net.ErrClosed) {
				return
			}
			// Of descriptors or memory there may be none left for a while.
			connmgrLog.WarnRL(&acceptRL, "%s: accept failed (%s)", t.name, stream.ErrText(err))
			time.Sleep(acceptPause)
			continue
		}
		if n := t.config().connections(); len(t.sessions()) >= n {
			connmgrLog.WarnRL(&acceptRL, "%s: a connection is refused: there are %d, as many as other_config:max-connections allows", t.name, n)
			_ = c.Close()
			continue
		}
		s := t.newSession(c, t.accepted(c))
		if s == nil {
			_ = c.Close()
			return
		}
		if !t.m.serve(s) {
			return
		}
	}
}

// unlisten closes the listener, if there is one.
func (t *target) unlisten() {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.listener != nil {
		_ = t.listener.Close()
	}
}

// serve has an accepted connection served; false says that the bridge is closing.
func (m *connManager) serve(s *session) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.closed {
		_ = s.conn.Close()
		return false
	}
	m.serving.Go(func() {
		why := s.run()
		rconnLog.Dbg("%s<->%s: connection ended (%s)", m.b.name, s.conn.Name, why)
	})
	return true
}

// run serves a connection that was accepted until it ends, and says why it did.
func (s *session) run() (why string) {
	defer s.close()
	defer s.watch()()
	if err := s.begin(); err != nil {
		return stream.ErrText(err)
	}
	return s.converse()
}

// accepted is the link that watches over a connection which somebody made to us.
func (t *target) accepted(c *stream.Conn) *stream.Link {
	link := stream.NewLink(t.m.b.name+"<->"+c.Name, t.m.b.be.clock, rconnLog)
	conf := t.config()
	link.Do(func(f *stream.FSM, now time.Time) {
		f.Quiet, f.MaxTries = true, 0
		conf.pace(f, now)
		f.Enable(now)
		f.Connected(now)
	})
	return link
}

func (t *target) current() *session {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.session
}

// present remembers the session of an active target, or that there is none.
func (t *target) present(s *session) {
	t.mu.Lock()
	t.session = s
	t.mu.Unlock()
	t.m.missesChanged()
}

// close ends the target and its sessions.
func (t *target) close() {
	t.cancel()
	t.closeSessions()
	<-t.done
	t.closeSessions() // that was accepted meanwhile
}

func (t *target) closeSessions() {
	for _, s := range t.sessions() {
		s.close()
	}
}

// sessionEnded notes when a listener was connected last.
func (t *target) sessionEnded() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.lost = t.m.b.be.clock.Now()
}
