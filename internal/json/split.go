package json

import "fmt"

// Splitter finds where values end in a stream of JSON objects and arrays, as
// they arrive on a connection: the framing of JSON-RPC over a stream (RFC 7047
// section 4).  It only counts brackets outside strings; Scanner checks the rest.
// One goroutine uses a Splitter at a time.
type Splitter struct {
	Max int // longest value in bytes; 0: no limit

	buf   []byte
	seen  int // bytes of buf that were looked at
	depth int
	str   bool
	esc   bool
}

// Write adds bytes that arrived.  It never fails.
func (s *Splitter) Write(p []byte) (int, error) {
	s.buf = append(s.buf, p...)
	return len(p), nil
}

// Buffered returns the number of bytes waiting that Next has not returned.
func (s *Splitter) Buffered() int { return len(s.buf) }

// Pending returns those bytes, the beginning of a value; they stay the
// Splitter's.
func (s *Splitter) Pending() []byte { return s.buf }

// Next returns the next whole value, or nil when more bytes are needed.  The
// value belongs to the caller.
func (s *Splitter) Next() ([]byte, error) {
	for s.seen < len(s.buf) {
		c := s.buf[s.seen]
		if s.depth == 0 {
			switch c {
			case ' ', '\t', '\r', '\n':
				s.buf = s.buf[s.seen+1:]
				s.seen = 0
				continue
			case '{', '[':
			default:
				return nil, &SyntaxError{Msg: "syntax error at beginning of input"}
			}
		}
		s.seen++
		s.step(c)
		if s.depth == 0 {
			value := s.buf[:s.seen:s.seen]
			s.buf = s.buf[s.seen:]
			s.seen = 0
			if len(s.buf) == 0 {
				s.buf = nil
			}
			return value, nil
		}
	}
	if s.Max > 0 && len(s.buf) > s.Max {
		return nil, fmt.Errorf("JSON value is longer than the limit of %d bytes", s.Max)
	}
	return nil, nil
}

func (s *Splitter) step(c byte) {
	switch {
	case s.esc:
		s.esc = false
	case s.str:
		s.esc = c == '\\'
		s.str = c != '"'
	default:
		switch c {
		case '"':
			s.str = true
		case '{', '[':
			s.depth++
		case '}', ']':
			s.depth--
		}
	}
}
