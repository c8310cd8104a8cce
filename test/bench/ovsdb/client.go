package main

import (
	"bytes"
	"errors"
	"fmt"
	"net"
	"os"
	"strconv"
	"syscall"
	"time"
)

// client is a JSON-RPC connection. It cuts the stream into messages and looks no
// further into them than it must, so that the server is what is measured.
type client struct {
	conn net.Conn
	file *os.File // in the place of conn, where a poll reads
	buf  []byte
	from int // where the message at hand begins in buf
	fill int // bytes of buf read so far
	seen int // bytes of buf scanned so far
	id   int
	// State of the scan within the message that begins at from.
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
	return &client{conn: conn, buf: make([]byte, 1<<18)}, nil
}

func (c *client) close() {
	if c.conn != nil {
		c.conn.Close()
	}
}

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
			if isError(m) {
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
		if m := c.arrived(); m != nil {
			return m, nil
		}
		if err := c.read(); err != nil {
			return nil, err
		}
	}
}

// read waits for more bytes.
func (c *client) read() error {
	c.makeRoom()
	n, err := c.conn.Read(c.buf[c.fill:])
	c.fill += n
	if n == 0 {
		return errors.Join(err, errors.New("connection to the server ended"))
	}
	return nil
}

// makeRoom makes room for more bytes after those that are still needed.
func (c *client) makeRoom() {
	if c.from > 0 {
		copy(c.buf, c.buf[c.from:c.fill])
		c.fill, c.seen, c.from = c.fill-c.from, c.seen-c.from, 0
	}
	if c.fill == len(c.buf) {
		c.buf = append(c.buf, make([]byte, len(c.buf))...)
	}
}

// special are the bytes that matter for finding the end of a message.
var special = [256]bool{'"': true, '\\': true, '{': true, '[': true, '}': true, ']': true}

// arrived returns the next message if all of it is there.
func (c *client) arrived() []byte {
	for {
		for c.seen < c.fill && !special[c.buf[c.seen]] {
			c.seen++
			c.escape = false // whatever was escaped is behind
		}
		if c.seen == c.fill {
			return nil
		}
		b := c.buf[c.seen]
		c.seen++
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
			if c.depth--; c.depth == 0 {
				m := c.buf[c.from:c.seen]
				c.from = c.seen
				return m
			}
		}
	}
}

// Both servers end a reply with its error, and this is how a good one ends. Nothing
// that the benchmark stores looks like that.
var endOfReply, badResult = []byte(`"error":null}`), []byte(`"error":"`)

// replies returns how many replies ended in what was read since the last call. It
// looks for nothing but their ends, which costs less than arrived does.
func (c *client) replies() (int, error) {
	data := c.buf[c.from:c.fill]
	if i := bytes.Index(data, badResult); i >= 0 {
		return 0, fmt.Errorf("the server answered %s", data[max(i-300, 0):min(len(data), i+300)])
	}
	c.from = max(c.from, c.fill-len(endOfReply)+1) // the last one may go on
	return bytes.Count(data, endOfReply), nil
}

// skip reads n bytes without looking at them and returns the last one.
func (c *client) skip(n int) (byte, error) {
	n -= c.fill - c.from
	last := c.buf[c.fill-1]
	c.from, c.fill, c.seen = 0, 0, 0
	for n > 0 {
		m, err := c.conn.Read(c.buf[:min(n, len(c.buf))])
		if m == 0 {
			return 0, errors.Join(err, errors.New("connection to the server ended"))
		}
		last = c.buf[m-1]
		n -= m
	}
	return last, nil
}

// isError reports whether a reply says that something went wrong.
func isError(m []byte) bool {
	return bytes.Contains(m[:min(len(m), 4096)], []byte(`"error":"`)) || len(m) < 1<<20 && bytes.Contains(m, []byte(`"details"`))
}
