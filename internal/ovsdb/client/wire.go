package client

import (
	"errors"
	"fmt"
	"io"
	"net"
	"strconv"
	"sync"

	"weir/internal/json"
)

// maxMessage bounds what a server may send in one message, in bytes.
const maxMessage = 1 << 30

// errPeerClosed is the ordinary end of a connection.
var errPeerClosed = errors.New("connection closed by peer")

// link is one connection with its reader and writer. Its mutex owns the queue
// of what is to be written, so that sending never waits for the network.
type link struct {
	conn net.Conn
	wake chan struct{}

	mu     sync.Mutex
	queue  []byte
	closed bool
}

func newLink(conn net.Conn) *link { return &link{conn: conn, wake: make(chan struct{}, 1)} }

func (l *link) send(message []byte) {
	l.mu.Lock()
	l.queue = append(l.queue, message...)
	l.mu.Unlock()
	l.signal()
}

func (l *link) signal() {
	select {
	case l.wake <- struct{}{}:
	default:
	}
}

// write sends what is queued until the link is closed.
func (l *link) write() {
	for range l.wake {
		l.mu.Lock()
		out, closed := l.queue, l.closed
		l.queue = nil
		l.mu.Unlock()
		if closed {
			return
		}
		if _, err := l.conn.Write(out); err != nil {
			return // the reader learns of it too
		}
	}
}

// read calls f with each message, then once with an error.
func (l *link) read(f func(message []byte, err error)) {
	split := json.Splitter{Max: maxMessage}
	buf := make([]byte, 64<<10)
	for {
		n, err := l.conn.Read(buf)
		_, _ = split.Write(buf[:n])
		for {
			m, e := split.Next()
			if e != nil {
				f(nil, e)
				return
			}
			if m == nil {
				break
			}
			f(m, nil)
		}
		if err != nil {
			if errors.Is(err, io.EOF) {
				err = errPeerClosed
			}
			f(nil, err)
			return
		}
	}
}

func (l *link) close() {
	l.mu.Lock()
	l.closed = true
	l.mu.Unlock()
	l.signal()
	_ = l.conn.Close()
}

// appendMessage appends a JSON-RPC 1.0 request.
func appendMessage(dst []byte, method string, params, id []byte) []byte {
	dst = append(dst, `{"id":`...)
	dst = append(dst, id...)
	dst = append(dst, `,"method":"`...)
	dst = append(dst, method...)
	dst = append(dst, `","params":`...)
	dst = append(dst, params...)
	return append(dst, '}')
}

func appendRequest(dst []byte, method string, params []byte, id int64) []byte {
	return appendMessage(dst, method, params, strconv.AppendInt(nil, id, 10))
}

// parseMessage reads a JSON-RPC message. echo is the reply to send where the
// message is the peer's probe.
func parseMessage(raw []byte) (m *incoming, echo []byte, err error) {
	m = &incoming{ID: -1}
	var id []byte
	sc := json.NewScanner(raw)
	sc.Next()
	err = sc.Object(func(name string) error {
		kind := sc.Next()
		switch name {
		case "id":
			if kind == json.Integer {
				m.ID = sc.Int()
			}
			id, err = sc.Raw()
			return err
		case "method":
			m.Method = sc.Str()
		case "params":
			m.Params, err = sc.Raw()
			return err
		case "result":
			m.Result, err = rawOrNil(sc, kind)
			return err
		case "error":
			m.RPCErr, err = rawOrNil(sc, kind)
			return err
		}
		return sc.Skip()
	})
	if err != nil {
		return nil, nil, fmt.Errorf("message from the database server: %w", err)
	}
	if m.Method == "echo" && m.Params != nil {
		echo = append(append([]byte(`{"error":null,"id":`), id...), `,"result":`...)
		echo = append(append(echo, m.Params...), '}')
	}
	return m, echo, nil
}

func rawOrNil(sc *json.Scanner, kind json.Kind) ([]byte, error) {
	raw, err := sc.Raw()
	if kind == json.Null {
		raw = nil
	}
	return raw, err
}
