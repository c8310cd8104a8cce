package main

import (
	"bytes"
	"errors"
	"fmt"
	"net"
	"strconv"
	"syscall"
	"time"
)

// client is a JSON-RPC connection. It cuts the stream into messages and looks no
// further into them than it must, so that the server is what is measured.
type client struct {
	conn net.Conn
	buf  []byte
	fill int // bytes of buf read so far
	seen int // bytes of buf scanned so far
	id   int
	// State of the scan within the message that begins at buf[0].
	depth            int
	inString, escape bool
}

// dial connects. Where more connect at once than the server's queue holds, the
// kernel says EAGAIN and the client, like any other, tries again.
func dial(path string) (*client, error) {
	conn, err := net.Dial("unix", path)
	for ; errors.Is(err, syscall.EAGAIN); conn, err = net.Dial("unix", path) {
		time.Sleep(time.Millisecond)
	}
	if err != nil {
		return nil, err
	}
	return &client{conn: conn, buf: make([]byte, 1<<16)}, nil
}

func (c *client) close() { c.conn.Close() }

// send writes a request whose method and params are given as JSON members.
func (c *client) send(request string) error {
	c.id++
	_, err := c.conn.Write([]byte(`{"id":` + strconv.Itoa(c.id) + `,` + request + `}`))
	return err
}

// call sends a request and returns its reply; notifications are skipped.
func (c *client) call(request string) ([]byte, error) {
	if err := c.send(request); err != nil {
		return nil, err
	}
	return c.reply()
}

// reply returns the next reply, and an error where it is one.
func (c *client) reply() ([]byte, error) {
	for {
		m, err := c.next()
		if err != nil {
			return nil, err
		}
		if isReply(m) {
			if bytes.Contains(m[:min(len(m), 4096)], []byte(`"error":"`)) || bytes.Contains(m, []byte(`"details"`)) {
				return nil, fmt.Errorf("the server answered %s", m[:min(len(m), 300)])
			}
			return m, nil
		}
	}
}

// isReply tells a reply from a notification or the server's own echo.
func isReply(m []byte) bool {
	return !bytes.Contains(m[:min(len(m), 200)], []byte(`"method":`)) || len(m) > 100_000
}

// next returns the next message; it is valid until the call after.
func (c *client) next() ([]byte, error) {
	for {
		for ; c.seen < c.fill; c.seen++ {
			b := c.buf[c.seen]
			switch {
			case c.escape:
				c.escape = false
			case c.inString:
				c.inString = b != '"'
				c.escape = b == '\\'
			case b == '"':
				c.inString = true
			case b == '{' || b == '[':
				c.depth++
			case b == '}' || b == ']':
				c.depth--
				if c.depth == 0 {
					return c.cut(c.seen + 1), nil
				}
			}
		}
		if c.fill == len(c.buf) {
			c.buf = append(c.buf, make([]byte, len(c.buf))...)
		}
		n, err := c.conn.Read(c.buf[c.fill:])
		c.fill += n
		if n == 0 {
			return nil, errors.Join(err, errors.New("connection to the server ended"))
		}
	}
}

// cut takes the first n bytes off the buffer.
func (c *client) cut(n int) []byte {
	m := bytes.Clone(c.buf[:n])
	copy(c.buf, c.buf[n:c.fill])
	c.fill -= n
	c.seen = 0
	return m
}
