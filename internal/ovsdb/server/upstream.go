package server

import (
	"context"
	"fmt"
	"math/rand/v2"
	"strconv"
	"strings"
	"sync"
	"time"

	"weir/internal/jsonrpc"
	"weir/internal/stream"
)

// origin says where an upstream connects and how it keeps the connection.
type origin struct {
	targets    string        // connection methods, separated by commas
	probe      time.Duration // inactivity probe; 0: none
	maxBackoff time.Duration // longest wait between attempts; 0: the default
}

// upstream is a connection to another server whose databases this one follows:
// a relay's source, or the active server of a backup. It connects again
// whenever the connection ends.
type upstream struct {
	srv     *Server
	targets []string // tried in turn, in random order
	talk    func(*peer) error
	lost    func() // called when a connection ends
	cancel  context.CancelFunc
	done    chan struct{}

	link *stream.Link
}

// peer is one connection of an upstream.
type peer struct {
	up     *upstream
	conn   *jsonrpc.Conn
	target string

	// update takes the updates that come while waiting for anything else. The
	// goroutine that receives sets and calls it.
	update func(m *jsonrpc.Message) error

	mu      sync.Mutex // owns all below
	nextID  int
	waiting map[string]func(*jsonrpc.Message) // by id; nil when the connection has ended
}

// follow starts to connect. talk sets the connection up: it returns once all
// that is left to do is to take updates. Its error ends the connection, and the
// upstream if it is stream.ErrGiveUp.
func (s *Server) follow(from origin, talk func(*peer) error, lost func()) *upstream {
	ctx, cancel := context.WithCancel(context.Background())
	u := &upstream{srv: s, targets: strings.Split(from.targets, ","), talk: talk, lost: lost, cancel: cancel, done: make(chan struct{})}
	rand.Shuffle(len(u.targets), func(i, j int) { u.targets[i], u.targets[j] = u.targets[j], u.targets[i] })
	u.link = stream.NewLink(u.targets[0], s.clock, reconnectLog)
	u.link.Do(func(f *stream.FSM, _ time.Time) { f.ProbeAfter, f.MaxWait = from.probe, maxWait(from.maxBackoff) })
	go u.run(ctx)
	return u
}

// stop ends the connection, and waits for that.
func (u *upstream) stop() {
	u.cancel()
	<-u.done
}

// setProbe changes the inactivity probe's interval.
func (u *upstream) setProbe(d time.Duration) {
	u.link.Do(func(f *stream.FSM, _ time.Time) { f.ProbeAfter = d })
}

// run keeps connecting to one target after another.
func (u *upstream) run(ctx context.Context) {
	defer close(u.done)
	target := ""
	next := 0
	u.link.Maintain(ctx, stream.Upkeep{
		Next: func() string {
			target = u.targets[next%len(u.targets)]
			next++
			return target
		},
		Dial: func(ctx context.Context) (*stream.Conn, error) {
			return stream.Dial(ctx, target, stream.Options{DefaultPort: stream.OVSDBPort, RunDir: u.srv.runDir, TLS: u.srv.tls})
		},
		Serve: func(ctx context.Context, c *stream.Conn) (string, error) {
			err := u.serve(ctx, c, target)
			return reason(err), err
		},
	})
}

// serve talks until the connection ends.
func (u *upstream) serve(ctx context.Context, c *stream.Conn, target string) error {
	p := &peer{up: u, conn: jsonrpc.NewConn(c), target: target, waiting: map[string]func(*jsonrpc.Message){}}
	defer context.AfterFunc(ctx, p.conn.Close)()
	go p.conn.WriteLoop()
	stop := u.link.Watch(func() { p.send("echo", []byte("[]"), func(*jsonrpc.Message) {}) }, p.conn.Close)
	defer stop()
	err := u.talk(p)
	for err == nil {
		err = p.step()
	}
	p.end()
	u.lost()
	return err
}

// end tells whoever waits for a reply that none will come.
func (p *peer) end() {
	p.conn.Close()
	p.mu.Lock()
	waiting := p.waiting
	p.waiting = nil
	p.mu.Unlock()
	for _, fn := range waiting {
		fn(nil)
	}
}

// send sends a request; fn gets the reply, or nil when the connection ends
// first.
func (p *peer) send(method string, params []byte, fn func(*jsonrpc.Message)) {
	p.mu.Lock()
	if p.waiting == nil {
		p.mu.Unlock()
		fn(nil)
		return
	}
	id := strconv.Itoa(p.nextID)
	p.nextID++
	p.waiting[id] = fn
	p.mu.Unlock()
	_ = p.conn.Send(jsonrpc.AppendRequest(nil, method, params, []byte(id)))
}

// step takes the next message.
func (p *peer) step() error {
	m, err := p.conn.Receive()
	if err != nil {
		return err
	}
	p.up.link.Activity()
	switch m.Kind {
	case jsonrpc.Request:
		if m.Method == "echo" {
			return p.conn.Send(jsonrpc.AppendReply(nil, m.ID, m.Params))
		}
	case jsonrpc.Notify:
		if p.update != nil {
			return p.update(&m)
		}
	default:
		p.mu.Lock()
		fn := p.waiting[string(m.ID)]
		delete(p.waiting, string(m.ID))
		p.mu.Unlock()
		if fn != nil {
			fn(&m)
		}
	}
	return nil
}

// call sends a request and waits for its result, taking updates meanwhile. Only
// the goroutine that receives may call it.
func (p *peer) call(method string, params []byte) ([]byte, error) {
	var reply *jsonrpc.Message
	p.send(method, params, func(m *jsonrpc.Message) { reply = m })
	for reply == nil {
		if err := p.step(); err != nil {
			return nil, err
		}
	}
	if reply.Kind == jsonrpc.Error {
		return nil, fmt.Errorf("%s: %s request failed: %s", p.target, method, reply.Err)
	}
	return reply.Result, nil
}
