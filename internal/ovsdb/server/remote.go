package server

import (
	"context"
	"errors"
	"net"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"weir/internal/stream"
	"weir/internal/vlog"
)

// RemoteOptions configure the connections of a remote.
type RemoteOptions struct {
	ReadOnly   bool
	Role       string        // for role-based access control
	MaxBackoff time.Duration // 0: the default
	Probe      time.Duration // inactivity probe; negative: the default
	DSCP       int
}

// DefaultOptions are those of a remote that says nothing about them.
var DefaultOptions = RemoteOptions{Probe: -1}

// remoteSet is the connection methods that a server uses.
type remoteSet struct {
	srv *Server

	mu         sync.Mutex               // owns all below
	configured []string                 // as the user named them, db: ones among them
	options    map[string]RemoteOptions // of those that have other than the default ones
	active     map[string]*remote
	closed     bool
}

func (rs *remoteSet) init(s *Server) {
	rs.srv = s
	rs.active = map[string]*remote{}
}

// remote is one connection method in use.
type remote struct {
	srv    *Server
	target string
	stop   context.CancelFunc
	done   chan struct{}

	opts atomic.Pointer[RemoteOptions]

	mu       sync.Mutex // owns all below
	listener *stream.Listener
	sessions map[*session]bool
	lastErr  string

	link *stream.Link // of an active method, else nil
}

func (r *remote) options() *RemoteOptions { return r.opts.Load() }

// AddRemote adds a connection method, or a db:DB,TABLE,COLUMN source of them.
func (s *Server) AddRemote(name string) error {
	if strings.HasPrefix(name, "db:") {
		if _, err := s.parseSource(name); err != nil {
			return err
		}
	}
	rs := &s.remotes
	rs.mu.Lock()
	if !slices.Contains(rs.configured, name) {
		rs.configured = append(rs.configured, name)
		slices.Sort(rs.configured)
	}
	rs.mu.Unlock()
	s.Reconfigure()
	return nil
}

// RemoveRemote takes back what AddRemote added.
func (s *Server) RemoveRemote(name string) error {
	rs := &s.remotes
	rs.mu.Lock()
	i := slices.Index(rs.configured, name)
	if i < 0 {
		rs.mu.Unlock()
		return errors.New("no such remote")
	}
	rs.configured = slices.Delete(rs.configured, i, i+1)
	rs.mu.Unlock()
	s.Reconfigure()
	return nil
}

// Remotes lists what AddRemote added, sorted.
func (s *Server) Remotes() []string {
	s.remotes.mu.Lock()
	defer s.remotes.mu.Unlock()
	return slices.Clone(s.remotes.configured)
}

// Reconfigure opens and closes connection methods so that they are those
// configured by AddRemote and, now, by the databases. It reports whether that
// changed anything.
func (s *Server) Reconfigure() (changed bool) {
	rs := &s.remotes
	if s.onReconfigure != nil {
		s.onReconfigure()
	}
	rs.mu.Lock()
	defer rs.mu.Unlock()
	if rs.closed {
		return false
	}
	want := s.wantedRemotes()
	for target, r := range rs.active {
		opts, ok := want[target]
		if !ok {
			rpcLog.Info("%s: remote deconfigured", target)
		}
		// A listening socket hands its code point on to what it accepts.
		if !ok || stream.IsPassive(target) && opts.DSCP != r.options().DSCP {
			r.close()
			delete(rs.active, target)
			changed = true
		}
	}
	for target, opts := range want {
		if r := rs.active[target]; r != nil {
			r.configure(opts)
			continue
		}
		r := &remote{srv: s, target: target, sessions: map[*session]bool{}, done: make(chan struct{})}
		r.opts.Store(&opts)
		if r.open() {
			rs.active[target] = r
			changed = true
		}
	}
	return changed
}

// wantedRemotes returns the connection methods that are configured by now, with their
// options. s.remotes.mu is held.
func (s *Server) wantedRemotes() map[string]RemoteOptions {
	want := map[string]RemoteOptions{}
	for _, name := range s.remotes.configured {
		if strings.HasPrefix(name, "db:") {
			s.readSource(name, want)
		} else if o, ok := s.remotes.options[name]; ok {
			want[name] = o
		} else {
			want[name] = DefaultOptions
		}
	}
	return want
}

func (rs *remoteSet) close() {
	rs.mu.Lock()
	defer rs.mu.Unlock()
	rs.closed = true
	for target, r := range rs.active {
		r.close()
		delete(rs.active, target)
	}
}

// list returns the remotes in use.
func (rs *remoteSet) list() map[string]*remote {
	rs.mu.Lock()
	defer rs.mu.Unlock()
	out := make(map[string]*remote, len(rs.active))
	for k, v := range rs.active {
		out[k] = v
	}
	return out
}

func (r *remote) streamOptions() stream.Options {
	return stream.Options{DefaultPort: stream.OVSDBPort, RunDir: r.srv.runDir, TLS: r.srv.tls, DSCP: r.options().DSCP}
}

var listenRL vlog.RateLimit

// open starts to listen or to connect.
func (r *remote) open() bool {
	ctx, cancel := context.WithCancel(context.Background())
	r.stop = cancel
	if !stream.IsPassive(r.target) {
		r.link = stream.NewLink(r.target, r.srv.clock, reconnectLog)
		r.configure(*r.options())
		go r.connect(ctx)
		return true
	}
	l, err := stream.Listen(r.target, r.streamOptions())
	if err != nil {
		rpcLog.ErrRL(&listenRL, "%s: listen failed: %s", r.target, stream.ErrText(err))
		cancel()
		return false
	}
	r.listener = l
	go r.accept(ctx, l)
	return true
}

// accept serves clients until the listener is closed.
func (r *remote) accept(ctx context.Context, l *stream.Listener) {
	defer close(r.done)
	var wg sync.WaitGroup
	defer wg.Wait()
	for {
		c, err := l.Accept()
		if ctx.Err() != nil {
			if err == nil {
				_ = c.Close()
			}
			return
		}
		if err != nil {
			rpcLog.WarnRL(&listenRL, "%s: accept failed: %s", r.target, stream.ErrText(err))
			if errors.Is(err, net.ErrClosed) {
				return
			}
			r.srv.clock.Sleep(ctx, 100*time.Millisecond) // a shortage of descriptors passes
			continue
		}
		wg.Add(1)
		go func() { defer wg.Done(); r.acceptOne(c) }()
	}
}

func (r *remote) acceptOne(c *stream.Conn) {
	link := stream.NewLink(c.Name, r.srv.clock, reconnectLog)
	link.Do(func(f *stream.FSM, now time.Time) {
		f.Quiet = true
		f.MaxTries = 0
		f.ProbeAfter = r.probe(c.Name)
		f.Enable(now)
		f.Connected(now)
	})
	why := r.serve(newSession(r.srv, c, r, link))
	link.Do(func(f *stream.FSM, now time.Time) { f.Disconnected(now, why) })
}

// serve runs a session.
func (r *remote) serve(s *session) string {
	r.mu.Lock()
	r.sessions[s] = true
	r.mu.Unlock()
	why := s.serve()
	r.mu.Lock()
	delete(r.sessions, s)
	if why != "" {
		r.lastErr = why
	}
	r.mu.Unlock()
	return why
}

// probe returns the inactivity probe's interval for a connection.
func (r *remote) probe(name string) time.Duration {
	switch d := r.options().Probe; {
	case d >= 0:
		if d > 0 && d < time.Second {
			return time.Second
		}
		return d
	case strings.HasPrefix(name, "unix"):
		return 0
	}
	return stream.ProbeInterval
}

// connect keeps an active method connected.
func (r *remote) connect(ctx context.Context) {
	defer close(r.done)
	r.link.Maintain(ctx, stream.Upkeep{
		Dial: func(ctx context.Context) (*stream.Conn, error) { return stream.Dial(ctx, r.target, r.streamOptions()) },
		Serve: func(ctx context.Context, c *stream.Conn) (string, error) {
			s := newSession(r.srv, c, r, r.link)
			defer context.AfterFunc(ctx, s.conn.Close)()
			return r.serve(s), nil
		},
		Failed: func(why string) {
			r.mu.Lock()
			defer r.mu.Unlock()
			r.lastErr = why
		},
	})
}

// configure applies options; sessions end where they would mean something else.
func (r *remote) configure(opts RemoteOptions) {
	r.mu.Lock()
	old := r.opts.Swap(&opts)
	restart := old.ReadOnly != opts.ReadOnly || old.Role != opts.Role || old.DSCP != opts.DSCP
	var sessions []*session
	for s := range r.sessions {
		sessions = append(sessions, s)
	}
	r.mu.Unlock()
	for _, s := range sessions {
		s.setProbe(r.probe(s.conn.Name))
		if restart {
			s.conn.Close()
		}
	}
	if r.link != nil {
		r.link.Do(func(f *stream.FSM, _ time.Time) {
			f.ProbeAfter = r.probe(r.target)
			f.MaxWait = maxWait(opts.MaxBackoff)
		})
	}
}

// maxWait is the longest wait between attempts to connect that max_backoff asks
// for.
func maxWait(maxBackoff time.Duration) time.Duration {
	if maxBackoff > 0 {
		return max(time.Second, maxBackoff)
	}
	return stream.MaxBackoff
}

// close ends the remote and its sessions, and waits for them.
func (r *remote) close() {
	r.stop()
	r.mu.Lock()
	l := r.listener
	var sessions []*session
	for s := range r.sessions {
		sessions = append(sessions, s)
	}
	r.mu.Unlock()
	if l != nil {
		_ = l.Close()
	}
	for _, s := range sessions {
		s.conn.Close()
	}
}

// status is what the status columns say of a remote.
type remoteStatus struct {
	connected bool
	pairs     map[string]string
}

func (r *remote) status() remoteStatus {
	r.mu.Lock()
	n := len(r.sessions)
	var some *session
	for s := range r.sessions {
		if some == nil || s.conn.Name < some.conn.Name {
			some = s
		}
	}
	st := remoteStatus{connected: n > 0, pairs: map[string]string{}}
	if r.lastErr != "" {
		st.pairs["last_error"] = r.lastErr
	}
	if r.listener != nil && r.listener.Port() != 0 {
		st.pairs["bound_port"] = itoa(r.listener.Port())
	}
	if r.listener != nil && n > 1 {
		st.pairs["n_connections"] = itoa(n)
	}
	r.mu.Unlock()
	link := r.link
	if link == nil && some != nil {
		link = some.link
	}
	if link != nil {
		link.Do(func(f *stream.FSM, now time.Time) { st.describe(f, now) })
	}
	if some != nil {
		held, waiting, lost := r.srv.locks.names(some)
		for key, names := range map[string][]string{"locks_held": held, "locks_waiting": waiting, "locks_lost": lost} {
			if len(names) > 0 {
				st.pairs[key] = strings.Join(names, " ")
			}
		}
	}
	return st
}

// describe adds what a connection's state machine says.
func (st *remoteStatus) describe(f *stream.FSM, now time.Time) {
	st.pairs["state"] = f.State().String()
	up, down, everUp, everDown := f.Since(now)
	if everUp {
		st.pairs["sec_since_connect"] = itoa(int(up.Seconds()))
	}
	if everDown {
		st.pairs["sec_since_disconnect"] = itoa(int(down.Seconds()))
	}
}
