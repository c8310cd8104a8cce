package server

import (
	"crypto/tls"
	"errors"
	"io"
	"net"
	"sync"
	"time"

	"weir/internal/json"
	"weir/internal/jsonrpc"
	"weir/internal/ovsdb"
	"weir/internal/ovsdb/engine"
	"weir/internal/stream"
	"weir/internal/vlog"
)

var reconnectLog = vlog.For("reconnect")

// maxBacklog is how many bytes a client may leave untaken before its next
// request waits.
const maxBacklog = 4 << 20

// session is the conversation with one client: a goroutine that reads and runs
// requests, one that sends (in conn), one that pushes updates, and one for each
// transaction that waits. Its mutex also keeps updates and replies in order.
type session struct {
	srv    *Server
	conn   *jsonrpc.Conn
	stream *stream.Conn
	remote *remote
	pushes chan struct{} // something to push may have come

	tasks   sync.Mutex // owns queue and working
	taken   *sync.Cond // a task was taken
	queue   []task
	working bool // there is a goroutine that takes them

	// Of the reading goroutine or, while there is one, the worker.
	owed  []owed
	rooms [][]byte // buffers for results
	out   []byte   // buffer for replies

	sample  uint // the reading goroutine's count of small transactions
	cost    cost // of requests
	updates cost // sent to it

	plainEnv engine.Env    // of transactions that nothing restricts
	over     chan struct{} // closed at the end

	mu       sync.Mutex
	monitors map[string]*monitor
	order    []*monitor
	sending  []*updateCache           // whose first replies are being sent
	waiting  map[string]chan struct{} // transactions by id; closed to cancel
	aware    bool                     // set_db_change_aware
	held     map[string]*lockRequest  // locks held or waited for, by name; srv.locks owns it
	ended    bool

	link *stream.Link
}

func newSession(s *Server, c *stream.Conn, r *remote, link *stream.Link) *session {
	c2 := &session{srv: s, conn: jsonrpc.NewConn(c), stream: c, remote: r, link: link,
		pushes: make(chan struct{}, 1), over: make(chan struct{}),
		monitors: map[string]*monitor{}, waiting: map[string]chan struct{}{}, held: map[string]*lockRequest{}}
	c2.taken = sync.NewCond(&c2.tasks)
	c2.conn.OnDrain(c2.wake)
	c2.conn.DeferCheck("transact")
	c2.plainEnv.HoldsLock = func(name string) bool { return s.locks.holds(c2, name) }
	return c2
}

// wake has updates pushed.
func (c *session) wake() {
	select {
	case c.pushes <- struct{}{}:
	default:
	}
}

// serve talks to the client until the connection ends. It returns the reason as
// messages show it, "" where the client closed the connection.
func (c *session) serve() string {
	s := c.srv
	s.mu.Lock()
	if s.stopped {
		s.mu.Unlock()
		c.conn.Close()
		return ""
	}
	s.sessions[c] = true
	s.mu.Unlock()
	stop := c.link.Watch(func() {
		_ = c.conn.Send(jsonrpc.AppendRequest(nil, "echo", []byte("[]"), []byte(`"echo"`)))
	}, c.conn.Close)
	defer stop()
	var wg sync.WaitGroup
	wg.Add(2)
	go func() { defer wg.Done(); c.conn.WriteLoop() }()
	go func() { defer wg.Done(); c.push() }()
	err := c.read()
	c.end()
	wg.Wait()
	return reason(err)
}

// reason is why a connection ended.
func reason(err error) string {
	var syntax *json.SyntaxError
	switch {
	case err == nil, errors.Is(err, io.EOF), errors.Is(err, net.ErrClosed), errors.Is(err, jsonrpc.ErrClosed):
		return ""
	case errors.Is(err, jsonrpc.ErrBadMessage), errors.As(err, &syntax), errors.Is(err, jsonrpc.ErrTooLong):
		return "Protocol error"
	}
	return stream.ErrText(err)
}

// read takes requests until the connection ends. Those that have arrived together
// are answered together.
func (c *session) read() error {
	defer c.rest()
	for {
		m, err := c.conn.Receive()
		if err != nil {
			return err
		}
		c.link.Activity()
		if err := c.conn.WaitBacklog(maxBacklog); err != nil {
			return err
		}
		for more := true; more && err == nil; m, more, err = c.conn.Arrived() {
			began, weight := c.measure(len(m.Params), m.Method == "transact")
			t, perr := c.parse(&m)
			if err = perr; err != nil {
				break
			}
			if t.weight = weight; weight > 0 {
				t.spent = time.Since(began)
			}
			c.handle(&t)
		}
		c.tasks.Lock()
		working := c.working
		c.tasks.Unlock()
		if !working {
			c.settle()
		}
		if err != nil {
			return err
		}
	}
}

var oddRL vlog.RateLimit

// peer returns the common name in the client's certificate, "" where the
// connection has none.
func (c *session) peer() string {
	t, ok := c.stream.Conn.(*tls.Conn)
	if !ok {
		return ""
	}
	if certs := t.ConnectionState().PeerCertificates; len(certs) > 0 {
		return certs[0].Subject.CommonName
	}
	return ""
}

// setProbe changes the inactivity probe's interval.
func (c *session) setProbe(d time.Duration) {
	c.link.Do(func(f *stream.FSM, _ time.Time) { f.ProbeAfter = d })
}

// end takes the session apart.
func (c *session) end() {
	c.conn.Close()
	close(c.over)
	c.srv.mu.Lock()
	delete(c.srv.sessions, c)
	c.srv.gone.addSession(c)
	c.srv.mu.Unlock()
	c.srv.locks.releaseAll(c)
	c.mu.Lock()
	monitors := c.order
	c.monitors, c.order, c.ended = map[string]*monitor{}, nil, true
	c.mu.Unlock()
	for _, m := range monitors {
		m.db.unsubscribe(c)
	}
}

func (c *session) isAware() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.aware
}

// reply sends the result of a request, and before it the updates that the client
// has not got yet.
func (c *session) reply(id, result []byte) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.flush()
	_ = c.conn.Send(jsonrpc.AppendReply(make([]byte, 0, len(result)+64), id, result))
}

func (c *session) replyError(id, err []byte) {
	c.mu.Lock()
	defer c.mu.Unlock()
	_ = c.conn.Send(jsonrpc.AppendError(nil, id, err))
}

// notify sends a notification.
func (c *session) notify(method string, params []byte) {
	_ = c.conn.Send(jsonrpc.AppendNotify(nil, method, params))
}

// databaseGone tells the client that a database was removed: one that is aware
// of such changes has its monitors cancelled, others are disconnected.
func (c *session) databaseGone(db *Database) {
	c.mu.Lock()
	aware := c.aware
	var cancelled []*monitor
	for _, m := range c.order {
		if m.db == db {
			cancelled = append(cancelled, m)
		}
	}
	for _, m := range cancelled {
		c.drop(m)
		if aware {
			c.notify("monitor_canceled", append(append([]byte{'['}, m.id...), ']'))
		}
	}
	c.mu.Unlock()
	for range cancelled {
		db.unsubscribe(c)
	}
	if !aware {
		c.conn.Close()
	}
}

// syntaxError is an error about a request that quotes its params.
func syntaxError(m *jsonrpc.Message, tag, format string, args ...any) *ovsdb.Error {
	return ovsdb.SyntaxErrorf(m.Params, tag, format, args...)
}
