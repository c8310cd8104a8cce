package stream

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"os"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"

	"weir/internal/paths"
	"weir/internal/vlog"
)

var log = vlog.For("socket_util")

// Conn is an open connection. Its Name is how messages call it: the connection
// method for an active one, "unix#N" or "tcp:ADDRESS:PORT" for one accepted.
type Conn struct {
	net.Conn
	Name string
}

// Options apply to Dial and Listen.
type Options struct {
	DefaultPort int    // for tcp and ssl methods without a port
	RunDir      string // for relative unix socket names; "" leaves them as they are
	TLS         *TLS   // for ssl methods; nil makes them fail with an error
	DSCP        int    // differentiated services code point, 0 to 63; 0 leaves the default
}

// Dial opens an active connection method.
func Dial(ctx context.Context, name string, opt Options) (*Conn, error) {
	t, err := Parse(name, opt.DefaultPort, opt.RunDir)
	if err != nil {
		return nil, err
	}
	if t.Passive {
		return nil, ErrUnsupported
	}
	d := net.Dialer{Control: dscpControl(opt.DSCP), KeepAlive: -1}
	if t.Kind == "unix" {
		short, done, err := paths.ShortSocket(t.Path)
		if err != nil {
			return nil, err
		}
		defer done()
		c, err := d.DialContext(ctx, "unix", short)
		if err != nil {
			return nil, err
		}
		return &Conn{c, name}, nil
	}
	var conf *tls.Config
	if t.Kind == "ssl" {
		if conf, err = opt.TLS.client(t.Host); err != nil {
			return nil, err
		}
	}
	c, err := d.DialContext(ctx, "tcp", t.address())
	if err != nil {
		return nil, err
	}
	if conf == nil {
		return &Conn{c, name}, nil
	}
	tc := tls.Client(c, conf)
	if err := tc.HandshakeContext(ctx); err != nil {
		_ = c.Close()
		return nil, err
	}
	return &Conn{tc, name}, nil
}

// dscpControl sets the type of service before connecting or binding.
func dscpControl(dscp int) func(network, address string, c syscall.RawConn) error {
	if dscp == 0 {
		return nil
	}
	return func(network, _ string, c syscall.RawConn) error {
		var err error
		cerr := c.Control(func(fd uintptr) {
			switch network {
			case "tcp4":
				err = syscall.SetsockoptInt(int(fd), syscall.IPPROTO_IP, syscall.IP_TOS, dscp<<2)
			case "tcp6":
				err = syscall.SetsockoptInt(int(fd), syscall.IPPROTO_IPV6, syscall.IPV6_TCLASS, dscp<<2)
			}
		})
		return errors.Join(err, cerr)
	}
}

// Listener accepts the connections of a passive method.
type Listener struct {
	Target Target
	l      net.Listener
	tls    *TLS
	path   string // unix socket's file, removed by Close
	closed atomic.Bool
}

// unixSerial numbers the accepted unix connections of the process.
var unixSerial atomic.Uint64

// Listen binds a passive connection method. A unix socket file that stands in
// the way is removed first, as Open vSwitch does.
func Listen(name string, opt Options) (*Listener, error) {
	t, err := Parse(name, opt.DefaultPort, opt.RunDir)
	if err != nil {
		return nil, err
	}
	if !t.Passive {
		return nil, ErrUnsupported
	}
	if t.Kind == "unix" {
		return listenUnix(t)
	}
	ln := &Listener{Target: t}
	if t.Kind == "ssl" {
		if _, err := opt.TLS.server(); err != nil {
			return nil, err
		}
		ln.tls = opt.TLS
	}
	network := "tcp"
	if t.Host == "" || net.ParseIP(t.Host).To4() != nil {
		network = "tcp4"
		if t.Host == "" {
			t.Host = "0.0.0.0"
		}
	}
	lc := net.ListenConfig{Control: dscpControl(opt.DSCP), KeepAlive: -1}
	ln.l, err = lc.Listen(context.Background(), network, t.address())
	if err != nil {
		return nil, err
	}
	if t.Port == 0 {
		_, rest, _ := strings.Cut(name, ":")
		log.Info("%s: listening on port %d", rest, ln.Port())
	}
	return ln, nil
}

func listenUnix(t Target) (*Listener, error) {
	short, done, err := paths.ShortSocket(t.Path)
	if err != nil {
		return nil, err
	}
	defer done()
	if fi, err := os.Lstat(t.Path); err == nil && fi.Mode()&os.ModeSocket != 0 {
		if err := os.Remove(t.Path); err != nil {
			return nil, err
		}
	}
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: short, Net: "unix"})
	if err != nil {
		return nil, err
	}
	l.SetUnlinkOnClose(false)
	if err := os.Chmod(t.Path, 0o700); err != nil {
		_ = l.Close()
		return nil, err
	}
	return &Listener{Target: t, l: l, path: t.Path}, nil
}

// Accept waits for the next connection. A TLS handshake is left to the first
// read or write.
func (ln *Listener) Accept() (*Conn, error) {
	c, err := ln.l.Accept()
	if err != nil {
		return nil, err
	}
	if ln.path != "" {
		return &Conn{c, "unix#" + strconv.FormatUint(unixSerial.Add(1)-1, 10)}, nil
	}
	name := ln.Target.Kind + ":" + c.RemoteAddr().String()
	if ln.tls != nil {
		conf, err := ln.tls.server()
		if err != nil {
			_ = c.Close()
			return nil, &acceptError{name, err}
		}
		c = tls.Server(c, conf)
	}
	return &Conn{c, name}, nil
}

// acceptError is a failure of one connection that leaves the listener working.
type acceptError struct {
	name string
	err  error
}

func (e *acceptError) Error() string   { return e.name + ": " + e.err.Error() }
func (e *acceptError) Unwrap() error   { return e.err }
func (e *acceptError) Temporary() bool { return true }
func (e *acceptError) Timeout() bool   { return false }

// Port returns the bound TCP port, 0 for a unix socket.
func (ln *Listener) Port() int {
	if a, ok := ln.l.Addr().(*net.TCPAddr); ok {
		return a.Port
	}
	return 0
}

// Close stops listening and removes a unix socket's file. Closing it again does
// nothing: by then another listener may have a file of that name.
func (ln *Listener) Close() error {
	if ln.closed.Swap(true) {
		return nil
	}
	if ln.path != "" {
		_ = os.Remove(ln.path)
	}
	return ln.l.Close()
}

// ErrText is err as Open vSwitch's messages show it: the system's text for an
// error number ("Connection refused"), "End of file" for io.EOF, else the
// error's own text.
func ErrText(err error) string {
	var errno syscall.Errno
	var dns *net.DNSError
	switch {
	case err == nil:
		return "Success"
	case errors.As(err, &errno):
		return vlog.Strerror(errno)
	case errors.As(err, &dns):
		return "Invalid argument"
	case errors.Is(err, io.EOF):
		return "End of file"
	case errors.Is(err, io.ErrUnexpectedEOF):
		return "Protocol error"
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, os.ErrDeadlineExceeded):
		return "Connection timed out"
	}
	if _, alert, ok := strings.Cut(err.Error(), "remote error: tls: "); ok {
		return alertText(alert)
	}
	return err.Error()
}

// alertText turns crypto/tls's words for an alert from the peer into OpenSSL's,
// which users' scripts look for.
func alertText(alert string) string {
	for _, t := range [...]struct{ ours, openssl string }{
		{"handshake failure", "sslv3 alert handshake failure"},
		{"bad certificate", "sslv3 alert bad certificate"},
		{"unknown certificate authority", "tlsv1 alert unknown ca"},
		{"protocol version not supported", "tlsv1 alert protocol version"},
		{"certificate required", "tlsv13 alert certificate required"},
	} {
		if alert == t.ours {
			return t.openssl
		}
	}
	return alert
}
