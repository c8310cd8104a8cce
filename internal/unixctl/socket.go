package unixctl

import (
	"errors"
	"io"
	"net"
	"os"
	"syscall"

	"golang.org/x/sys/unix"
)

// link is a client's connection, for the goroutine that serves it.
type link interface {
	io.ReadWriter
	// gone reports whether the client has closed it.
	gone() bool
	// shutdown ends it both ways, for whoever reads or writes; any goroutine may.
	shutdown()
	// close frees it.
	close()
}

// lingerTime is how long a thread waits for the next request, or for room for an
// answer, in the system call, before it leaves that to the runtime's poller. To have
// the poller wait, and wake the goroutine, costs as much as a short command, and a tool
// may ask again and again; but a client that stays away holds no thread.
var lingerTime = unix.Timeval{Usec: 1000}

// socket is a client's stream socket. The poller knows it only while it is idle: a
// descriptor that it knows wakes a thread of it whenever something comes in. Package
// syscall reads and writes it, which tells the race detector that a write comes before
// the read of it.
type socket struct{ fd int }

// accept waits for a client.
func accept(l *net.UnixListener) (link, error) {
	conn, err := l.AcceptUnix()
	if err != nil {
		return nil, err
	}
	defer func() { _ = conn.Close() }() // which has the poller forget it
	raw, err := conn.SyscallConn()
	if err != nil {
		return nil, err
	}
	s := &socket{fd: -1}
	var failed error
	err = raw.Control(func(fd uintptr) { s.fd, failed = unix.FcntlInt(fd, unix.F_DUPFD_CLOEXEC, 0) })
	if err = errors.Join(err, failed); err != nil {
		return nil, err
	}
	err = errors.Join(unix.SetNonblock(s.fd, false), unix.SetsockoptTimeval(s.fd, unix.SOL_SOCKET, unix.SO_RCVTIMEO, &lingerTime),
		unix.SetsockoptTimeval(s.fd, unix.SOL_SOCKET, unix.SO_SNDTIMEO, &lingerTime))
	if err != nil {
		s.close()
		return nil, err
	}
	return s, nil
}

// Read waits for bytes.
func (s *socket) Read(p []byte) (int, error) {
	for {
		n, err := syscall.Read(s.fd, p)
		switch {
		case err == unix.EINTR:
		case err == unix.EAGAIN:
			if err := s.idle(); err != nil {
				return 0, err
			}
		case err != nil:
			return 0, os.NewSyscallError("read", err)
		case n == 0:
			return 0, io.EOF
		default:
			return n, nil
		}
	}
}

// idle has the poller wait for bytes.
func (s *socket) idle() error {
	return s.leave(func(raw syscall.RawConn) error {
		return raw.Read(func(fd uintptr) bool { return !waiting(int(fd)) })
	})
}

// crowded has the poller wait for room for more bytes.
func (s *socket) crowded() error {
	return s.leave(func(raw syscall.RawConn) error {
		return raw.Write(func(fd uintptr) bool { return writable(int(fd)) })
	})
}

// leave has the poller wait for something, for which it must take the descriptor to be
// one that doesn't block.
func (s *socket) leave(wait func(syscall.RawConn) error) error {
	twin, err := unix.FcntlInt(uintptr(s.fd), unix.F_DUPFD_CLOEXEC, 0)
	if err != nil {
		return os.NewSyscallError("fcntl", err)
	}
	err = unix.SetNonblock(twin, true)
	f := os.NewFile(uintptr(twin), "control socket")
	defer func() {
		_ = f.Close()
		_ = unix.SetNonblock(s.fd, false)
	}()
	if err != nil {
		return err
	}
	raw, err := f.SyscallConn()
	if err != nil {
		return err
	}
	return wait(raw)
}

// writable reports whether there is room for bytes, or will never be.
func writable(fd int) bool {
	n, err := unix.Poll([]unix.PollFd{{Fd: int32(fd), Events: unix.POLLOUT}}, 0)
	return n > 0 || err != nil && err != unix.EINTR
}

// waiting reports whether there is nothing to read yet, nor ever.
func waiting(fd int) bool {
	var b [1]byte
	_, _, err := unix.Recvfrom(fd, b[:], unix.MSG_PEEK|unix.MSG_DONTWAIT)
	return err == unix.EAGAIN || err == unix.EINTR
}

// Write sends all of p.
func (s *socket) Write(p []byte) (int, error) {
	for sent := 0; sent < len(p); {
		n, err := syscall.Write(s.fd, p[sent:])
		switch err {
		case nil, unix.EINTR:
		case unix.EAGAIN:
			if err := s.crowded(); err != nil {
				return sent, err
			}
		default:
			return sent, os.NewSyscallError("write", err)
		}
		sent += max(n, 0)
	}
	return len(p), nil
}

func (s *socket) gone() bool {
	var b [1]byte
	n, _, err := unix.Recvfrom(s.fd, b[:], unix.MSG_PEEK|unix.MSG_DONTWAIT)
	return err == nil && n == 0 || err != nil && err != unix.EAGAIN && err != unix.EINTR
}

func (s *socket) shutdown() { _ = unix.Shutdown(s.fd, unix.SHUT_RDWR) }

func (s *socket) close() { _ = unix.Close(s.fd) }
