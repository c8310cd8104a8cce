package openflow

import (
	"encoding/binary"
	"fmt"
	"io"
)

// Reader cuts a stream into messages. It reads as much as there is at a time,
// into chunks that it never writes to again: a message stays valid, and keeps
// its chunk in memory.
type Reader struct {
	r     io.Reader
	chunk []byte // what was read and not yet returned
	size  int    // of the last chunk
}

// Sizes of chunks: a connection that says little needs little.
const (
	minChunk = 4 << 10
	maxChunk = 64 << 10
)

// NewReader makes a reader of the messages of r.
func NewReader(r io.Reader) *Reader { return &Reader{r: r} }

// LengthError says that a message is shorter than its header.
type LengthError struct{ Length int }

// Error tells the length.
func (e *LengthError) Error() string {
	return fmt.Sprintf("message of %d bytes is shorter than its header", e.Length)
}

// Next reads a message. At the end of the stream it fails with io.EOF, within a
// message with io.ErrUnexpectedEOF, and for a length that can't be with a
// *LengthError.
func (x *Reader) Next() ([]byte, error) {
	if err := x.fill(HeaderLen); err != nil {
		return nil, err
	}
	n := int(binary.BigEndian.Uint16(x.chunk[2:]))
	if n < HeaderLen {
		return nil, &LengthError{n}
	}
	if err := x.fill(n); err != nil {
		return nil, err
	}
	msg := x.chunk[:n:n]
	x.chunk = x.chunk[n:]
	return msg, nil
}

// Buffered reports whether a whole message is there already.
func (x *Reader) Buffered() bool {
	return len(x.chunk) >= HeaderLen && len(x.chunk) >= int(binary.BigEndian.Uint16(x.chunk[2:]))
}

// fill reads until n bytes are there.
func (x *Reader) fill(n int) error {
	if len(x.chunk) >= n {
		return nil
	}
	if cap(x.chunk) < n || cap(x.chunk)-len(x.chunk) < minChunk/8 {
		x.size = max(min(2*x.size, maxChunk), minChunk, n)
		next := make([]byte, len(x.chunk), x.size)
		copy(next, x.chunk)
		x.chunk = next
	}
	for len(x.chunk) < n {
		got, err := x.r.Read(x.chunk[len(x.chunk):cap(x.chunk)])
		x.chunk = x.chunk[:len(x.chunk)+got]
		if err != nil && len(x.chunk) < n {
			if err == io.EOF && len(x.chunk) > 0 {
				err = io.ErrUnexpectedEOF
			}
			return err
		}
	}
	return nil
}
