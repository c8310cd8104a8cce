package jsonrpc

import (
	"errors"
	"fmt"
	"io"
	"net"
	"sync"
	"sync/atomic"
	"syscall"
	"unsafe"

	"weir/internal/json"
	"weir/internal/stream"
	"weir/internal/vlog"
)

var log = vlog.For("jsonrpc")

// MaxMessage is the longest message, in bytes, that a Conn accepts unless told
// otherwise.
const MaxMessage = 1 << 30

// ErrTooLong is in the chain of the error of a message longer than allowed.
var ErrTooLong = errors.New("message too long")

// ErrClosed is the error of a Conn that was closed.
var ErrClosed = errors.New("connection closed")

// Conn is a JSON-RPC connection. One goroutine at a time may call Receive; Send
// may be called from any and never waits for the peer: what the peer doesn't
// take at once queues, and WriteLoop, which the owner runs on a goroutine of
// its own, sends it.
type Conn struct {
	Name string

	c   net.Conn
	raw syscall.RawConn // nil where bytes must pass through more than a socket

	writeNow func(fd uintptr) bool
	split    json.Splitter
	scan     json.Scanner
	rbuf     []byte
	check    int // bytes of an unfinished message at which to look at it again
	deferred string

	received atomic.Int64 // bytes

	mu      sync.Mutex // owns all below
	wake    *sync.Cond
	queue   net.Buffers
	scratch []byte
	now     []byte // for tryWrite, whose method value is writeNow
	took    int
	queued  int   // bytes in queue and in the write under way
	sent    int64 // bytes that the peer's socket has taken
	closed  bool  // no more is sent
	err     error
	onDrain func()
}

// NewConn returns a connection over c, which it takes over.
func NewConn(c *stream.Conn) *Conn {
	conn := &Conn{Name: c.Name, c: c.Conn, rbuf: make([]byte, firstRead)}
	conn.split.Max = MaxMessage
	conn.wake = sync.NewCond(&conn.mu)
	conn.writeNow = conn.tryWrite
	if sc, ok := c.Conn.(syscall.Conn); ok {
		if raw, err := sc.SyscallConn(); err == nil {
			conn.raw = raw
		}
	}
	return conn
}

// SetMaxMessage limits the messages that Receive accepts to n bytes each.
func (c *Conn) SetMaxMessage(n int) { c.split.Max = n }

// DeferCheck says that whoever receives requests of a method checks their Params
// while parsing them, and calls Check where that finds anything wrong. Of messages
// whose Params come after their method only the brackets of these are looked at.
func (c *Conn) DeferCheck(method string) { c.deferred = method }

// Check returns what is wrong with a message as JSON, if anything: the error that
// Receive would have returned.
func (c *Conn) Check(m *Message) error {
	if m.whole == nil {
		return nil
	}
	_, err := Parse(m.whole)
	if err != nil {
		c.complain(err)
	}
	return err
}

// OnDrain sets a function to be called, by the goroutine of WriteLoop, each
// time all that was queued has been sent.
func (c *Conn) OnDrain(fn func()) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.onDrain = fn
}

// Receive waits for the next message. At the end of the stream it returns
// io.EOF. After any error the connection is of no more use; malformed input is
// logged here.
func (c *Conn) Receive() (Message, error) {
	for {
		m, ok, err := c.Arrived()
		if ok || err != nil {
			return m, err
		}
		n, err := c.c.Read(c.rbuf)
		c.received.Add(int64(n))
		_, _ = c.split.Write(c.rbuf[:n])
		if n == len(c.rbuf) && n < maxRead {
			c.rbuf = make([]byte, 4*n)
		}
		if n == 0 && err != nil {
			if err == io.EOF && c.split.Buffered() > 0 {
				err = io.ErrUnexpectedEOF
			}
			return Message{}, err
		}
	}
}

// The buffer of a connection is small at first and grows with what arrives at
// once.
const (
	firstRead = 4 << 10
	maxRead   = 256 << 10
)

// Arrived returns the next message if all of it has arrived already.
func (c *Conn) Arrived() (m Message, ok bool, err error) {
	data, err := c.split.Next()
	if err == nil && data == nil {
		err = c.checkPending()
	}
	switch {
	case err == nil && data == nil:
		return m, false, nil
	case err == nil:
		c.check = 0
		c.scan.Reset(data)
		c.scan.Know(c.split.Last())
		if m, err = parse(&c.scan, c.deferred); err != nil {
			m, err = Parse(data) // what is wrong may begin in params
		}
	default:
		var syntax *json.SyntaxError
		if !errors.As(err, &syntax) {
			err = fmt.Errorf("%w: %w", ErrTooLong, err)
		}
	}
	if err != nil {
		c.complain(err)
	}
	return m, err == nil, err
}

// firstCheck is how long an unfinished message has to be to be looked at; again
// when it is four times as long, and so on.
const firstCheck = 1024

// checkPending finds a message malformed before it has ended: it may never end.
// What is wrong in the last bytes may be so because more are to come.
func (c *Conn) checkPending() error {
	pending := c.split.Pending()
	if len(pending) < max(firstCheck, c.check) {
		return nil
	}
	c.check = 4 * len(pending)
	var syntax *json.SyntaxError
	if errors.As(json.Valid(pending), &syntax) && syntax.Byte+firstCheck/4 < len(pending) {
		return syntax
	}
	return nil
}

var badRL vlog.RateLimit

func (c *Conn) complain(err error) {
	if errors.Is(err, ErrBadMessage) {
		log.WarnRL(&badRL, "%s: %v", c.Name, err)
		return
	}
	log.WarnRL(&badRL, "%s: error parsing stream: %v", c.Name, err)
}

// Send sends messages as far as the peer takes them at once, and queues the
// rest. They are shared with the caller from now on and must not change. It
// fails once the connection is closed.
func (c *Conn) Send(parts ...[]byte) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.send(parts)
}

// send is Send. mu is held.
func (c *Conn) send(parts [][]byte) error {
	if c.closed || c.err != nil {
		return ErrClosed
	}
	if c.queued == 0 && c.raw != nil {
		parts = c.sendNow(parts)
	}
	for _, p := range parts {
		if len(p) > 0 {
			c.queue = append(c.queue, p)
			c.queued += len(p)
		}
	}
	if c.queued > 0 {
		c.wake.Broadcast()
	}
	return nil
}

// SendNow is Send of a message that is the caller's again where it returns true:
// the peer has taken it.
func (c *Conn) SendNow(message []byte) (taken bool, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if err := c.send([][]byte{message}); err != nil {
		return true, err
	}
	return c.queued == 0, nil
}

// maxNow is how many bytes Send offers the peer at once.
const maxNow = 64 << 10

// sendNow offers parts to the peer without waiting and returns what it didn't
// take. mu is held, and nothing is queued. Errors are left for WriteLoop to meet
// again.
func (c *Conn) sendNow(parts [][]byte) [][]byte {
	total := 0
	for _, p := range parts {
		total += len(p)
	}
	if total > maxNow || total == 0 {
		return parts
	}
	all := parts[0]
	if len(parts) > 1 {
		all = c.scratch[:0]
		for _, p := range parts {
			all = append(all, p...)
		}
		c.scratch = all
	}
	c.now = all
	_ = c.raw.Write(c.writeNow)
	c.now = nil
	n := c.took
	c.sent += int64(n)
	for len(parts) > 0 && n >= len(parts[0]) {
		n -= len(parts[0])
		parts = parts[1:]
	}
	if n > 0 {
		parts = append([][]byte{parts[0][n:]}, parts[1:]...)
	}
	return parts
}

// tryWrite offers now to the peer. The descriptor doesn't block, so that the
// scheduler need not hear of the call.
func (c *Conn) tryWrite(fd uintptr) bool {
	n, _, errno := syscall.RawSyscall(syscall.SYS_WRITE, fd, uintptr(unsafe.Pointer(&c.now[0])), uintptr(len(c.now)))
	c.took = int(n)
	if errno != 0 {
		c.took = 0
	}
	return true // do not wait
}

// Counts returns how many bytes have been received, and how many sent.
func (c *Conn) Counts() (received, sent int64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.received.Load(), c.sent
}

// Backlog returns the number of bytes that the peer has not taken yet.
func (c *Conn) Backlog() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.queued
}

// WaitBacklog waits until the peer has taken all but limit bytes of what was
// queued for it.
func (c *Conn) WaitBacklog(limit int) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	for c.queued > limit && c.err == nil && !c.closed {
		c.wake.Wait()
	}
	if c.err != nil {
		return c.err
	}
	if c.closed {
		return ErrClosed
	}
	return nil
}

// WriteLoop sends what Send queues until the connection is closed or breaks.
func (c *Conn) WriteLoop() {
	for {
		batch, ok := c.next()
		if !ok {
			return
		}
		n, err := batch.WriteTo(c.c)
		fn, ok := c.written(int(n), err)
		if !ok {
			_ = c.c.Close()
			return
		}
		if fn != nil {
			fn()
		}
	}
}

// next waits for something to send.
func (c *Conn) next() (net.Buffers, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for len(c.queue) == 0 && !c.closed {
		c.wake.Wait()
	}
	batch := c.queue
	c.queue = nil
	return batch, len(batch) > 0
}

// written accounts for n bytes sent and returns what is to be called now.
func (c *Conn) written(n int, err error) (drained func(), ok bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	defer c.wake.Broadcast()
	c.queued -= n
	c.sent += int64(n)
	if err != nil {
		c.err, c.queue, c.queued = err, nil, 0
		return nil, false
	}
	if c.queued == 0 && !c.closed {
		drained = c.onDrain
	}
	return drained, true
}

// Flush waits until everything queued has been sent or the connection broke.
// WriteLoop must be running.
func (c *Conn) Flush() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	for c.queued > 0 && c.err == nil && !c.closed {
		c.wake.Wait()
	}
	if c.err != nil {
		return fmt.Errorf("%s: %w", c.Name, c.err)
	}
	return nil
}

// Close ends the connection at once; what is queued is lost.
func (c *Conn) Close() {
	c.mu.Lock()
	c.closed = true
	c.queue = nil
	c.wake.Broadcast()
	c.mu.Unlock()
	_ = c.c.Close()
}
