package json

import "fmt"

// Splitter finds where values end in a stream of JSON objects and arrays, as
// they arrive on a connection: the framing of JSON-RPC over a stream (RFC 7047
// section 4).  It only counts brackets outside strings; Scanner checks the rest.
// One goroutine uses a Splitter at a time.
type Splitter struct {
	Max int // longest value in bytes; 0: no limit

	buf  []byte
	seen int // bytes of buf that were looked at
	open brackets
	last Span
}

// Span is a part of a value: the bytes [From, To).
type Span struct{ From, To int }

// Last returns where in the value that Next returned last its last element or member
// lies that is an array or object; an empty Span if there is none.
func (s *Splitter) Last() Span { return s.last }

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
		if s.open.depth == 0 {
			switch s.buf[s.seen] {
			case ' ', '\t', '\r', '\n':
				s.buf = s.buf[s.seen+1:]
				s.seen = 0
				continue
			case '{', '[':
			default:
				return nil, &SyntaxError{Msg: "syntax error at beginning of input"}
			}
		}
		s.seen += s.open.end(s.buf[s.seen:])
		if s.open.depth == 0 {
			value := s.buf[:s.seen:s.seen]
			s.buf = s.buf[s.seen:]
			s.seen, s.last, s.open = 0, s.open.inner, brackets{}
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

// brackets counts the brackets of a value outside its strings.
type brackets struct {
	depth int
	str   bool // inside a string
	esc   bool // after a backslash in it
	seen  int  // bytes of the value
	inner Span // the last container of depth 2
}

// bracketKind says which bytes matter outside strings: 1 for a quote, 2 for an
// opening bracket, 3 for a closing one.
var bracketKind = [256]byte{'"': 1, '{': 2, '[': 2, '}': 3, ']': 3}

// end reads on in b to just after the bracket that closes the value, or to the
// end of b where it isn't there, and returns how many bytes that is.
func (k *brackets) end(b []byte) int {
	n := 0
	for n < len(b) && (k.depth > 0 || n == 0) {
		if k.str {
			n += k.string(b[n:])
			continue
		}
		for n < len(b) && bracketKind[b[n]] == 0 {
			n++
		}
		if n == len(b) {
			break
		}
		switch bracketKind[b[n]] {
		case 1:
			k.str = true
		case 2:
			if k.depth++; k.depth == 2 {
				k.inner.From = k.seen + n
			}
		case 3:
			if k.depth--; k.depth == 1 {
				k.inner.To = k.seen + n + 1
			}
		}
		n++
	}
	k.seen += n
	return n
}

// string reads on in a string to its end, or that of b.
func (k *brackets) string(b []byte) int {
	if k.esc {
		k.esc = false
		return 1
	}
	n := plain(b)
	if n == len(b) {
		return n
	}
	switch b[n] {
	case '"':
		k.str = false
	case '\\':
		k.esc = true
	}
	return n + 1
}
