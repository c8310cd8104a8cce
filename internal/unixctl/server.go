// Package unixctl is the control socket of the daemons, by which ovs-appctl
// queries and steers them: JSON-RPC 1.0 over a Unix domain socket, one string
// array of arguments in, one string out (ovs-appctl(8); the peer's Python library
// speaks it too).
package unixctl

import (
	"context"
	"encoding"
	"errors"
	"fmt"
	"net"
	"os"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"

	"weir/internal/coverage"
	"weir/internal/json"
	"weir/internal/paths"
	"weir/internal/vlog"
)

var log = vlog.For("unixctl")

// maxRequest bounds the bytes of one request; a connection that exceeds it is
// closed.
const maxRequest = 64 << 20

// Handler answers a command. An error's text goes back as the error. It runs on
// the goroutine of the connection, so several may run at once.
type Handler func(*Request) (string, error)

type command struct {
	name, usage      string
	minArgs, maxArgs int
	handler          Handler
	slow             atomic.Bool // it took long the last time
}

// Server is a control socket and the commands it knows. Its mutex owns the
// commands and the connections. The zero value knows commands and has no socket
// (--unixctl=none).
type Server struct {
	path     string
	program  string
	listener *net.UnixListener
	ctx      context.Context // of requests; ended by Close
	cancel   context.CancelFunc

	mu       sync.Mutex
	commands map[string]*command
	links    map[link]bool
	closed   bool
	active   sync.WaitGroup // requests being answered
}

// NewServer binds a control socket at path, removing one that is left there. The
// usual commands are already registered. It serves nobody until Serve.
func NewServer(path string) (*Server, error) {
	short, release, err := paths.ShortSocket(path)
	if err != nil {
		return nil, err
	}
	defer release()
	_ = os.Remove(path)
	l, err := net.Listen("unix", short)
	if err != nil {
		vlog.For("stream_unix").Err("%s: binding failed: %s", path, vlog.ErrText(err))
		return nil, fmt.Errorf("%s: could not initialize control socket (%s)", path, vlog.ErrText(err))
	}
	listener := l.(*net.UnixListener)
	listener.SetUnlinkOnClose(false)
	mask := unix.Umask(0)
	unix.Umask(mask)
	_ = os.Chmod(path, os.FileMode(0o770&^mask))
	ctx, cancel := context.WithCancel(context.Background())
	s := &Server{ctx: ctx, cancel: cancel, path: path, listener: listener, commands: make(map[string]*command), links: make(map[link]bool)}
	s.registerCommon()
	return s, nil
}

// Path returns the socket's file name.
func (s *Server) Path() string { return s.path }

// SetProgram names the program that `version` tells of.
func (s *Server) SetProgram(name string) { s.program = name }

// Register adds a command. usage describes its arguments in list-commands;
// maxArgs -1 means any number. A later registration of the same name replaces the
// earlier.
func (s *Server) Register(name, usage string, minArgs, maxArgs int, h Handler) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.commands == nil {
		s.commands = make(map[string]*command)
	}
	s.commands[name] = &command{name: name, usage: usage, minArgs: minArgs, maxArgs: maxArgs, handler: h}
}

// Unregister removes a command.
func (s *Server) Unregister(name string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.commands, name)
}

// Serve accepts connections until Close; without a socket it returns at once.
func (s *Server) Serve() {
	if s.listener == nil {
		return
	}
	for {
		l, err := accept(s.listener)
		if err != nil {
			s.mu.Lock()
			closed := s.closed
			s.mu.Unlock()
			if closed {
				return
			}
			log.WarnRL(&acceptLimit, "%s: accept failed: %v", s.path, err)
			select { // a shortage of descriptors passes
			case <-s.ctx.Done():
			case <-time.After(acceptPause):
			}
			continue
		}
		s.mu.Lock()
		closed := s.closed
		if !closed {
			s.links[l] = true
		}
		s.mu.Unlock()
		if closed {
			l.close()
			return
		}
		go s.serve(l)
	}
}

// acceptPause is how long no client is accepted after that failed.
const acceptPause = 100 * time.Millisecond

var acceptLimit, requestLimit vlog.RateLimit

// closePatience is how long clients have, once the server is closed, to take the
// answers to what they asked before.
const closePatience = 2 * time.Second

// Close stops serving, waits until requests under way are answered, though not for
// clients that don't read, and removes the socket. All callers wait. A request handler
// must not call it; it may have it called later.
func (s *Server) Close() {
	s.mu.Lock()
	first := !s.closed
	s.closed = true
	s.mu.Unlock()
	if first && s.listener != nil {
		s.cancel()
		s.listener.Close()
		_ = os.Remove(s.path)
		defer time.AfterFunc(closePatience, s.disconnect).Stop()
	}
	s.active.Wait()
	s.disconnect()
}

// disconnect ends the connections of all clients.
func (s *Server) disconnect() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for l := range s.links {
		l.shutdown()
	}
}

// readSize is how much is read from a connection at once.
const readSize = 4096

// serve answers a connection's requests, one after the other.
func (s *Server) serve(l link) {
	defer func() {
		s.mu.Lock()
		delete(s.links, l)
		s.mu.Unlock()
		l.close()
	}()
	c := &client{link: l, split: json.Splitter{Max: maxRequest}}
	in := make([]byte, readSize)
	for {
		n, err := l.Read(in)
		if err != nil {
			if !isDisconnect(err) {
				log.WarnRL(&requestLimit, "receive error on %s: %v", s.path, err)
			}
			return
		}
		_, _ = c.split.Write(in[:n])
		if err := s.answer(c); err != nil {
			if !isDisconnect(err) {
				log.WarnRL(&requestLimit, "bad request on %s: %v", s.path, err)
			}
			return
		}
	}
}

// client is a connection with what is kept from request to request.
type client struct {
	link    link
	session session
	split   json.Splitter
	scanner json.Scanner
	message message
	text    []byte // memory for an answer
	out     []byte // replies that are not sent yet
}

// appended is a text in memory that the next answer uses again.
func (c *client) appended(a encoding.TextAppender) (string, error) {
	b, err := a.AppendText(c.text[:0])
	if c.text = b; cap(b) > keptReplies {
		c.text = nil
	}
	return unsafe.String(unsafe.SliceData(b), len(b)), err
}

// keptReplies is how large the replies' buffer may be to be kept, and to grow on.
const keptReplies = 64 << 10

// flush sends the replies.
func (c *client) flush() error {
	if len(c.out) == 0 {
		return nil
	}
	_, err := c.link.Write(c.out)
	if c.out = c.out[:0]; cap(c.out) > keptReplies {
		c.out = nil
	}
	return err
}

// answer answers the requests that came in whole. Their replies are sent together,
// for a write wakes the client.
func (s *Server) answer(c *client) error {
	s.mu.Lock()
	if s.closed {
		s.mu.Unlock()
		return net.ErrClosed
	}
	s.active.Add(1)
	s.mu.Unlock()
	defer s.active.Done()
	for {
		data, err := c.split.Next()
		if data == nil {
			return errors.Join(c.flush(), err)
		}
		if err := c.message.parse(&c.scanner, data); err != nil {
			return errors.Join(c.flush(), err)
		}
		if err := s.reply(c); err != nil {
			return err
		}
	}
}

var (
	coverReceived = coverage.New("unixctl_received")
	coverReplied  = coverage.New("unixctl_replied")
)

// quick is how long a command may take for earlier replies to wait for its own.
const quick = time.Millisecond

// reply answers one request.
func (s *Server) reply(c *client) error {
	m := &c.message
	coverReceived.Inc()
	debug := log.Enabled(vlog.Dbg)
	if debug {
		log.Dbg("received request %s%s, id=%s", m.method, quoteArgs(m.args), m.id)
	}
	s.mu.Lock()
	cmd := s.commands[m.method]
	s.mu.Unlock()
	if cmd != nil && cmd.slow.Load() || len(c.out) > keptReplies {
		if err := c.flush(); err != nil {
			return err
		}
	}
	start := time.Now()
	a := s.dispatch(c, cmd)
	if cmd != nil {
		if slow := time.Since(start) > quick; slow != cmd.slow.Load() {
			cmd.slow.Store(slow)
		}
	}
	if debug {
		a.log(m.id)
	}
	c.out = a.append(c.out, m.id, c.session.json)
	coverReplied.Inc()
	return nil
}

// names returns the commands' names, sorted.
func (s *Server) sorted() []*command {
	s.mu.Lock()
	defer s.mu.Unlock()
	list := make([]*command, 0, len(s.commands))
	for _, c := range s.commands {
		list = append(list, c)
	}
	slices.SortFunc(list, func(a, b *command) int { return strings.Compare(a.name, b.name) })
	return list
}
