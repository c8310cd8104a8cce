// Package unixctl is the control socket of the daemons, by which ovs-appctl
// queries and steers them: JSON-RPC 1.0 over a Unix domain socket, one string
// array of arguments in, one string out (ovs-appctl(8); the peer's Python library
// speaks it too).
package unixctl

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net"
	"os"
	"slices"
	"strings"
	"sync"
	"syscall"

	"golang.org/x/sys/unix"

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
}

// Server is a control socket and the commands it knows. Its mutex owns the
// commands and the connections. The zero value knows commands and has no socket
// (--unixctl=none).
type Server struct {
	path     string
	program  string
	listener net.Listener
	ctx      context.Context // of requests; ended by Close
	cancel   context.CancelFunc

	mu       sync.Mutex
	commands map[string]*command
	conns    map[net.Conn]bool
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
	l.(*net.UnixListener).SetUnlinkOnClose(false)
	mask := unix.Umask(0)
	unix.Umask(mask)
	_ = os.Chmod(path, os.FileMode(0o770&^mask))
	ctx, cancel := context.WithCancel(context.Background())
	s := &Server{ctx: ctx, cancel: cancel, path: path, listener: l, commands: make(map[string]*command), conns: make(map[net.Conn]bool)}
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
	s.commands[name] = &command{name, usage, minArgs, maxArgs, h}
}

// Unregister removes a command.
func (s *Server) Unregister(name string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.commands, name)
}

// Serve accepts connections until Close.
func (s *Server) Serve() {
	for {
		conn, err := s.listener.Accept()
		if err != nil {
			s.mu.Lock()
			closed := s.closed
			s.mu.Unlock()
			if closed {
				return
			}
			log.WarnRL(&acceptLimit, "%s: accept failed: %v", s.path, err)
			continue
		}
		s.mu.Lock()
		s.conns[conn] = true
		s.mu.Unlock()
		go s.serveConn(conn)
	}
}

var acceptLimit, requestLimit vlog.RateLimit

// Close stops serving, waits until requests under way are answered, and removes
// the socket. A request handler must not call it; it may have it called later.
func (s *Server) Close() {
	s.mu.Lock()
	if s.closed {
		s.mu.Unlock()
		return
	}
	s.closed = true
	s.mu.Unlock()
	s.cancel()
	s.listener.Close()
	_ = os.Remove(s.path)
	s.active.Wait()
	s.mu.Lock()
	defer s.mu.Unlock()
	for conn := range s.conns {
		conn.Close()
	}
}

// boundedReader fails once a message has taken more bytes than it may.
type boundedReader struct {
	conn net.Conn
	left int
}

// Read reads from the connection.
func (r *boundedReader) Read(p []byte) (int, error) {
	if r.left <= 0 {
		return 0, fmt.Errorf("request exceeds %d bytes", maxRequest)
	}
	n, err := r.conn.Read(p[:min(len(p), r.left)])
	r.left -= n
	return n, err
}

func (s *Server) serveConn(conn net.Conn) {
	defer func() {
		conn.Close()
		s.mu.Lock()
		delete(s.conns, conn)
		s.mu.Unlock()
	}()
	in := &boundedReader{conn: conn}
	dec := json.NewDecoder(in)
	enc := json.NewEncoder(conn)
	enc.SetEscapeHTML(false)
	state := &session{}
	var raw syscall.RawConn // nil where there is none
	if sc, ok := conn.(syscall.Conn); ok {
		raw, _ = sc.SyscallConn()
	}
	for {
		in.left = maxRequest
		var m message
		if err := dec.Decode(&m); err != nil {
			if !isDisconnect(err) {
				log.WarnRL(&requestLimit, "bad request on %s: %v", s.path, err)
			}
			return
		}
		if m.Method == nil {
			log.WarnRL(&requestLimit, "%s: received unexpected message without a method", s.path)
			return
		}
		if err := s.answer(conn, enc, state, &m); err != nil {
			return
		}
		if more, ok := dec.Buffered().(*bytes.Reader); !ok || more.Len() <= len("\n") {
			linger(raw)
		}
	}
}

// lingerTime is how long, in milliseconds, a thread waits for the next request
// on a connection after it has answered one.
const lingerTime = 1

// linger waits a moment for the next request in the system call, for a tool that
// asks again and again: to have the runtime wait, and wake the goroutine, costs
// as much as a short command.
func linger(raw syscall.RawConn) {
	if raw == nil {
		return
	}
	_ = raw.Control(func(fd uintptr) {
		_, _ = unix.Poll([]unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}, lingerTime)
	})
}

func (s *Server) answer(conn net.Conn, enc *json.Encoder, state *session, m *message) error {
	s.mu.Lock()
	if s.closed {
		s.mu.Unlock()
		return net.ErrClosed
	}
	s.active.Add(1)
	s.mu.Unlock()
	defer s.active.Done()
	return enc.Encode(s.dispatch(conn, state, m))
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
