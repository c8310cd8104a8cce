package dummy

import (
	"bufio"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"weir/internal/paths"
)

// Dummies are joined by unix sockets that carry frames, each after its length
// as a 16-bit number in network order.

// conn is one connection of a device. Its mutex owns writing.
type conn struct {
	d  *Device
	c  net.Conn
	mu sync.Mutex
}

// run reads frames into the device until the connection ends.
func (c *conn) run() {
	r := bufio.NewReader(c.c)
	for {
		var size [2]byte
		if _, err := io.ReadFull(r, size[:]); err != nil {
			break
		}
		frame := make([]byte, binary.BigEndian.Uint16(size[:]))
		if _, err := io.ReadFull(r, frame); err != nil {
			break
		}
		if len(frame) >= 14 {
			c.d.Inject(0, frame)
		}
	}
	c.close()
}

// send writes a frame; a connection that fails or whose reader stands still
// is closed.
func (c *conn) send(frame []byte) {
	if len(frame) > 0xffff {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	buf := binary.BigEndian.AppendUint16(make([]byte, 0, len(frame)+2), uint16(len(frame)))
	if _, err := c.c.Write(append(buf, frame...)); err != nil {
		_ = c.c.Close()
	}
}

func (c *conn) close() {
	_ = c.c.Close()
	c.d.mu.Lock()
	delete(c.d.conns, c)
	c.d.mu.Unlock()
}

func (d *Device) attach(nc net.Conn) *conn {
	c := &conn{d: d, c: nc}
	d.mu.Lock()
	d.conns[c] = true
	d.mu.Unlock()
	return c
}

// socketPath is the path of "unix:PATH" or "punix:PATH"; a relative one is in
// the run directory.
func socketPath(target string) (string, error) {
	_, path, ok := strings.Cut(target, "unix:")
	if !ok {
		return "", errors.New("only unix sockets join dummies")
	}
	if !filepath.IsAbs(path) {
		path = paths.InRunDir(path)
	}
	return path, nil
}

// listener accepts connections for option pstream.
type listener struct {
	target, path string
	l            net.Listener
}

func (d *Device) listen(target string) (*listener, error) {
	path, err := socketPath(target)
	if err != nil {
		return nil, err
	}
	_ = os.Remove(path)
	l, err := net.Listen("unix", path)
	if err != nil {
		return nil, err
	}
	ln := &listener{target: target, path: path, l: l}
	go func() {
		for {
			nc, err := l.Accept()
			if err != nil {
				return
			}
			go d.attach(nc).run()
		}
	}()
	return ln, nil
}

func (l *listener) close() { _ = l.l.Close() }

// dialer keeps one connection up for option stream.
type dialer struct {
	target    string
	path      string
	stop      chan struct{}
	mu        sync.Mutex
	current   net.Conn
	connected bool
}

// Bounds of the time between attempts to connect.
const (
	minBackoff = 100 * time.Millisecond
	maxBackoff = time.Second
)

func (d *Device) dial(target string) (*dialer, error) {
	path, err := socketPath(target)
	if err != nil {
		return nil, err
	}
	dl := &dialer{target: target, path: path, stop: make(chan struct{})}
	// The other end is often there already: then the device is connected
	// when its options are applied.
	c, err := net.Dial("unix", path)
	go dl.run(d, c, err)
	return dl, nil
}

func (l *dialer) run(d *Device, c net.Conn, err error) {
	backoff := minBackoff
	for {
		if err == nil {
			backoff = minBackoff
			if !l.take(c) {
				return
			}
			d.attach(c).run()
			l.take(nil)
		}
		select {
		case <-l.stop:
			return
		case <-d.set.clock.After(backoff):
		}
		backoff = min(2*backoff, maxBackoff)
		c, err = net.Dial("unix", l.path)
	}
}

// take remembers the connection; false says that the dialer was closed.
func (l *dialer) take(c net.Conn) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	select {
	case <-l.stop:
		if c != nil {
			_ = c.Close()
		}
		return false
	default:
	}
	l.current, l.connected = c, c != nil
	return true
}

func (l *dialer) isConnected() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.connected
}

func (l *dialer) close() {
	l.mu.Lock()
	defer l.mu.Unlock()
	close(l.stop)
	if l.current != nil {
		_ = l.current.Close()
	}
}

// setStreams applies the options stream and pstream. The caller holds the mutex.
func (d *Device) setStreams(options map[string]string) {
	if d.listener != nil && d.listener.target != options["pstream"] {
		d.listener.close()
		d.listener = nil
	}
	if d.dialer != nil && d.dialer.target != options["stream"] {
		d.dialer.close()
		d.dialer = nil
	}
	var err error
	if target := options["pstream"]; target != "" && d.listener == nil {
		if d.listener, err = d.listen(target); err != nil {
			log.Warn("%s: listening on %s: %v", d.name, target, err)
		}
	}
	if target := options["stream"]; target != "" && d.dialer == nil {
		if d.dialer, err = d.dial(target); err != nil {
			log.Warn("%s: connecting to %s: %v", d.name, target, err)
		}
	}
}
