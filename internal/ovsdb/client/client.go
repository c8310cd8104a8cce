// Package client keeps a replica of an OVSDB database, or of the tables and
// columns that its user wants, and runs transactions on it. Readers take
// immutable snapshots; [Diff] says in what two of them differ.
//
// Sources: RFC 7047, ovsdb-server(7). What of the protocol a server doesn't
// know, older methods stand in for.
package client

import (
	"context"
	"errors"
	"io"
	"math/rand/v2"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"

	"weir/internal/clock"
	"weir/internal/jsonrpc"
	"weir/internal/ovsdb"
	"weir/internal/stream"
	"weir/internal/vlog"
)

var log = vlog.For("ovsdb_idl")

// Config says what to replicate, and from where.
type Config struct {
	// Remote is one or more active connection methods (ovsdb(7)), separated by
	// commas; they are tried in turn.
	Remote string
	// Database is its name, as "Open_vSwitch".
	Database string
	// Tables are the tables wanted with their columns, a nil list for all
	// columns. A nil map wants everything. What the schema lacks is left out.
	Tables map[string][]string
	// Where restricts the rows of tables wanted: a <condition> in JSON for each
	// table, whose clauses any one row has to satisfy (ovsdb-server(7), 4.1.12);
	// tables that it doesn't name are whole. Servers older than that method send
	// all rows.
	Where map[string]string
	// Lock, when not empty, is a lock to ask for; transactions then assert it.
	Lock string
	// Known, where set, is a schema that the database probably has: one that is
	// equal need not be parsed.
	Known *ovsdb.DatabaseSchema
	// LeaderOnly refuses servers of a cluster that aren't its leader.
	LeaderOnly bool
	// Once makes Run return the error of a connection that fails, once all
	// remotes have been tried.
	Once bool
	// Shuffle has the remotes tried in random order.
	Shuffle bool
	// Quiet keeps the connection's messages at debug level.
	Quiet  bool
	Clock  *clock.Clock
	Stream stream.Options
	// Notify, if not nil, is called after every new snapshot and every change of
	// the lock or of the connection, on the client's goroutine: it must not wait.
	Notify func()
}

// Client is a connection to a database server that is kept up. Its mutex owns
// its fields; Run holds its goroutines.
type Client struct {
	cfg     Config
	remotes []string
	snap    atomic.Pointer[Snapshot]
	done    chan struct{} // closed when Run ends

	mu      sync.Mutex
	fsm     *stream.FSM
	next    int // which remote to try
	link    *jsonrpc.Conn
	dialing context.CancelFunc
	sess    *session
	keep    resume
	timer   *clock.Timer
	changed chan struct{} // closed at the next change
	status  Status
	notify  bool     // Notify is to be called once the mutex is free
	after   []func() // to be called after that
	failed  error    // why Run ended
	stop    chan struct{}
	ended   bool
}

// Status is how the connection and the lock fare.
type Status struct {
	Connected bool // and the replica has its contents
	HasLock   bool
	Contended bool // another client has the lock
	LastError error
}

// New prepares a client. It does nothing until Run.
func New(cfg Config) *Client {
	if cfg.Clock == nil {
		cfg.Clock = clock.New()
	}
	if cfg.Stream.DefaultPort == 0 {
		cfg.Stream.DefaultPort = stream.OVSDBPort
	}
	c := &Client{cfg: cfg, changed: make(chan struct{}), done: make(chan struct{}), stop: make(chan struct{})}
	for r := range strings.SplitSeq(cfg.Remote, ",") {
		if r = strings.TrimSpace(r); r != "" {
			c.remotes = append(c.remotes, r)
		}
	}
	if cfg.Shuffle {
		rand.Shuffle(len(c.remotes), func(i, j int) { c.remotes[i], c.remotes[j] = c.remotes[j], c.remotes[i] })
	}
	return c
}

// Run keeps the connection until ctx ends, or with Config.Once until the
// first connection fails, whose error it returns.
func (c *Client) Run(ctx context.Context) error {
	if len(c.remotes) == 0 {
		return errors.New("no remote to connect to")
	}
	defer close(c.done)
	c.mu.Lock()
	now := c.cfg.Clock.Now()
	c.fsm = stream.NewFSM(c.remotes[0], now, vlog.For("reconnect"))
	c.fsm.Quiet = c.cfg.Quiet
	c.fsm.FreeTries = len(c.remotes) - 1
	if c.cfg.Once {
		c.fsm.MaxTries = len(c.remotes) - 1
	}
	c.fsm.Enable(now)
	c.step()
	c.unlock()

	select {
	case <-ctx.Done():
	case <-c.stop:
	}
	c.mu.Lock()
	defer c.unlock()
	if c.failed == nil {
		c.failed = ctx.Err()
	}
	c.ended = true
	c.closeAll()
	if c.timer != nil {
		c.timer.Stop()
	}
	return c.failed
}

// Snapshot is the newest state of the replica, nil before the first contents
// arrived. It stays as it was when the connection is lost.
func (c *Client) Snapshot() *Snapshot { return c.snap.Load() }

// Status is how the connection and the lock fare now.
func (c *Client) Status() Status {
	c.mu.Lock()
	defer c.unlock()
	return c.status
}

// Changed is closed at the next new snapshot or change of status.
func (c *Client) Changed() <-chan struct{} {
	c.mu.Lock()
	defer c.unlock()
	return c.changed
}

// WaitFor waits until a snapshot satisfies ok, which is called with the
// newest one, then with each that replaces it. Where ctx ends first, the error
// is that of the last failure to connect, if there was one.
func (c *Client) WaitFor(ctx context.Context, ok func(*Snapshot) bool) (*Snapshot, error) {
	for {
		ch := c.Changed()
		if s := c.Snapshot(); s != nil && ok(s) {
			return s, nil
		}
		select {
		case <-ch:
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-c.done:
			return nil, c.failure()
		}
	}
}

func (c *Client) failure() error {
	c.mu.Lock()
	defer c.unlock()
	return c.failed
}

// ForceReconnect drops the connection and makes another one.
func (c *Client) ForceReconnect() {
	c.mu.Lock()
	defer c.unlock()
	if c.fsm != nil {
		c.fsm.ForceReconnect(c.cfg.Clock.Now())
		c.step()
	}
}

// unlock releases the mutex and makes the calls that had to wait for that.
func (c *Client) unlock() {
	notify, after := c.notify, c.after
	c.notify, c.after = false, nil
	c.mu.Unlock()
	if notify && c.cfg.Notify != nil {
		c.cfg.Notify()
	}
	for _, f := range after {
		f()
	}
}

// step does what the reconnect machine says is due and sets its timer.
func (c *Client) step() {
	for !c.ended {
		now := c.cfg.Clock.Now()
		switch c.fsm.Run(now) {
		case stream.Connect:
			c.connect()
		case stream.Disconnect:
			c.drop(nil)
		case stream.Probe:
			if c.link != nil {
				_ = c.link.Send(jsonrpc.AppendRequest(nil, "echo", []byte("[]"), []byte(`"echo"`)))
			}
		default:
			if c.timer != nil {
				c.timer.Stop()
			}
			if wait, ok := c.fsm.Wait(now); ok {
				c.timer = c.cfg.Clock.AfterFunc(max(wait, 1), c.tick)
			}
			return
		}
	}
}

func (c *Client) tick() {
	c.mu.Lock()
	defer c.unlock()
	c.step()
}

// connect connects to the next remote, or starts to.
func (c *Client) connect() {
	remote := c.remotes[c.next%len(c.remotes)]
	c.next++
	c.fsm.Name = remote
	// A peer on this machine can't vanish unnoticed, so it needs no probes.
	c.fsm.ProbeAfter = stream.ProbeInterval
	if strings.HasPrefix(remote, "unix:") {
		c.fsm.ProbeAfter = 0
	}
	if passive(remote) {
		c.fsm.Listening(c.cfg.Clock.Now())
	} else {
		c.fsm.Connecting(c.cfg.Clock.Now())
	}
	if strings.HasPrefix(remote, "unix:") {
		// Who listens on this machine has connected us at once, or not: a process that
		// then stands still for a while has not waited for that in vain.
		conn, err := open(context.Background(), remote, c.cfg.Stream)
		if err != nil {
			c.drop(err)
			return
		}
		c.connected(jsonrpc.NewConn(conn))
		return
	}
	c.dial(remote)
}

// dial connects to a remote on a goroutine of its own.
func (c *Client) dial(remote string) {
	ctx, cancel := context.WithCancel(context.Background())
	c.dialing = cancel
	go func() {
		conn, err := open(ctx, remote, c.cfg.Stream)
		c.mu.Lock()
		defer c.unlock()
		if ctx.Err() != nil || c.ended {
			if conn != nil {
				_ = conn.Close()
			}
			return
		}
		cancel()
		c.dialing = nil
		if err != nil {
			c.lost(err)
			return
		}
		c.connected(jsonrpc.NewConn(conn))
		c.step()
	}()
}

// passive reports whether remote is a passive connection method.
func passive(remote string) bool { return strings.HasPrefix(remote, "p") }

// open opens an active connection method, or takes the first connection that is
// made to a passive one.
func open(ctx context.Context, remote string, opt stream.Options) (*stream.Conn, error) {
	if !passive(remote) {
		return stream.Dial(ctx, remote, opt)
	}
	l, err := stream.Listen(remote, opt)
	if err != nil {
		return nil, err
	}
	defer l.Close()
	defer context.AfterFunc(ctx, func() { _ = l.Close() })()
	return l.Accept()
}

func (c *Client) connected(l *jsonrpc.Conn) {
	c.fsm.Connected(c.cfg.Clock.Now())
	c.sess = newSession(&c.cfg, c.keep)
	c.link = l
	go l.WriteLoop()
	go func() {
		for {
			m, err := l.Receive()
			c.received(l, m, err)
			if err != nil {
				return
			}
		}
	}()
	c.flush()
}

// received takes in a message, or the end, of a connection.
func (c *Client) received(l *jsonrpc.Conn, m jsonrpc.Message, err error) {
	c.mu.Lock()
	defer c.unlock()
	if c.link != l || c.ended {
		return
	}
	if err == nil {
		c.fsm.Activity(c.cfg.Clock.Now())
		err = c.message(m)
	}
	if err != nil {
		c.lost(err)
	}
}

func (c *Client) message(m jsonrpc.Message) error {
	if m.Kind == jsonrpc.Request {
		if m.Method == "echo" {
			return c.link.Send(jsonrpc.AppendReply(nil, m.ID, m.Params))
		}
		return nil // servers ask nothing else of a client
	}
	was := c.sess.lockState()
	if err := c.sess.handle(&m); err != nil {
		return err
	}
	c.after = append(c.after, c.sess.after...)
	c.sess.after = nil
	c.flush()
	if c.sess.changed {
		c.sess.changed = false
		c.fsm.FreeTries = len(c.remotes) - 1
		c.keep = resume{c.sess.schemaRaw, c.sess.db, c.sess.lastTxn}
		c.publish(c.sess.db.snapshot())
	} else if was != c.sess.lockState() {
		c.publish(nil)
	}
	return nil
}

// flush sends what the session has to say.
func (c *Client) flush() {
	for _, o := range c.sess.out {
		_ = c.link.Send(jsonrpc.AppendRequest(nil, o.method, o.params, strconv.AppendInt(nil, o.id, 10)))
	}
	c.sess.out = nil
}

// publish makes a snapshot (or, if nil, only a new status) known.
func (c *Client) publish(s *Snapshot) {
	if s != nil {
		c.snap.Store(s)
	}
	c.status.Connected = c.sess != nil && c.sess.synced
	c.status.HasLock = c.sess != nil && c.sess.locked
	c.status.Contended = c.sess != nil && c.sess.contended
	close(c.changed)
	c.changed = make(chan struct{})
	c.notify = true
}

// lost reports to the reconnect machine that the connection or the attempt failed.
func (c *Client) lost(err error) {
	c.drop(err)
	c.step()
}

// drop closes the connection or attempt, with err for the log.
func (c *Client) drop(err error) {
	why := ""
	var unusable errNotUsable
	switch {
	case errors.As(err, &unusable):
		log.Info("%s: %s; trying another server", c.fsm.Name, unusable.why)
	case err != nil && !errors.Is(err, io.EOF):
		why = stream.ErrText(err)
	}
	c.closeAll()
	c.fsm.Disconnected(c.cfg.Clock.Now(), why)
	c.status.LastError = err
	if c.cfg.Once && !c.ended && c.fsm.State() == stream.Void {
		c.failed = err
		if err == nil {
			c.failed = errors.New("connection timed out")
		}
		c.ended = true
		close(c.stop)
	}
	c.publish(nil)
}

// closeAll closes the connection or attempt and fails what waits for a reply.
func (c *Client) closeAll() {
	if c.dialing != nil {
		c.dialing()
		c.dialing = nil
	}
	if c.link != nil {
		c.link.Close()
		c.link = nil
	}
	s := c.sess
	if s == nil {
		return
	}
	c.sess = nil
	for _, fail := range s.waiting {
		c.after = append(c.after, fail)
	}
}
