// Package json reads and writes the JSON that OVSDB and the control socket
// speak: RFC 8259 with exact 64-bit integers, strings without U+0000, and
// errors that give line, column and byte.  It offers a pull scanner over bytes
// in memory (no tree of any), a splitter that finds the values in a stream,
// and a printer whose numbers and escapes equal those of the C programs.
package json

import (
	"fmt"
	"strings"
	"unsafe"
)

// MaxDepth is how deeply arrays and objects may nest, as in the C programs.
const MaxDepth = 1000

// Kind says what a token is.
type Kind byte

// The kinds of token.  Commas and colons are checked and swallowed.
const (
	EOF         Kind = 0
	ObjectBegin Kind = '{'
	ObjectEnd   Kind = '}'
	ArrayBegin  Kind = '['
	ArrayEnd    Kind = ']'
	String      Kind = '"'
	Integer     Kind = '0' // a number that is exactly an int64
	Real        Kind = '.' // any other number
	True        Kind = 't'
	False       Kind = 'f'
	Null        Kind = 'n'
	Invalid     Kind = '!' // an error; see Err
)

var kindNames = map[Kind]string{
	EOF: "end of input", ObjectBegin: "object", ObjectEnd: "'}'", ArrayBegin: "array",
	ArrayEnd: "']'", String: "string", Integer: "integer", Real: "real", True: "true",
	False: "false", Null: "null", Invalid: "invalid input",
}

// String names the kind the way messages do ("object", "integer").
func (k Kind) String() string { return kindNames[k] }

// SyntaxError is malformed JSON or JSON of the wrong shape, and where.
type SyntaxError struct {
	Line, Column, Byte int // where, all counted from 0
	Msg                string
}

// Error prints the position and the message as the C programs do.
func (e *SyntaxError) Error() string {
	return fmt.Sprintf("line %d, column %d, byte %d: %s", e.Line, e.Column, e.Byte, e.Msg)
}

type scanState byte

const (
	wantValue        scanState = iota // a value
	wantFirstElement                  // a value or ]
	wantFirstName                     // a string or }
	wantName                          // a string
	wantCommaOrEnd                    // after a value inside a container
	wantEnd                           // after the top value
)

// Scanner takes one JSON value apart into tokens.  It checks the whole grammar,
// so its user only has to care about the shape.  Errors stick: after one, Next
// returns Invalid for ever.  One goroutine uses a Scanner at a time.
type Scanner struct {
	data    []byte
	pos     int // next byte to read
	start   int // first byte of the current token
	state   scanState
	stack   []byte // '{' or '[' for each open container
	name    bool   // the current string is a member's name
	kind    Kind
	str     []byte // current string, unescaped: in data or in buf
	buf     []byte
	escaped bool // str is in buf
	valid   bool // data is known to be valid: see NewValid
	known   Span // see Know
	i       int64
	r       float64
	err     *SyntaxError
}

// NewScanner returns a scanner over data, which must not change while in use.
func NewScanner(data []byte) *Scanner {
	s := &Scanner{}
	s.Reset(data)
	return s
}

// NewValid returns a scanner over data that is known to be one valid value, so
// that what is skipped need not be checked again.
func NewValid(data []byte) *Scanner {
	s := NewScanner(data)
	s.valid = true
	return s
}

// Reset makes s scan data from its beginning, keeping s's buffers.
func (s *Scanner) Reset(data []byte) {
	*s = Scanner{data: data, stack: s.stack[:0], buf: s.buf[:0]}
}

// ResetValid is Reset for data that is known to be one valid value; see NewValid.
func (s *Scanner) ResetValid(data []byte) {
	s.Reset(data)
	s.valid = true
}

// Know tells where in the input an array or object lies: Unchecked need not look for
// its end.
func (s *Scanner) Know(container Span) { s.known = container }

// Err returns the first error, or nil.
func (s *Scanner) Err() error {
	if s.err == nil {
		return nil
	}
	return s.err
}

// Kind returns the kind of the current token, the one Next returned last.
func (s *Scanner) Kind() Kind { return s.kind }

// IsName reports whether the current token is the name of an object's member.
func (s *Scanner) IsName() bool { return s.name }

// Bytes returns the current String token unescaped, valid until Next.
func (s *Scanner) Bytes() []byte { return s.str }

// Str returns a copy of the current String token, unescaped.
func (s *Scanner) Str() string { return string(s.str) }

// View returns the current String token unescaped. It is part of the scanner's
// input where it can be, and so keeps it in memory; the input must not change as
// long as the view is in use.
func (s *Scanner) View() string {
	if len(s.str) == 0 {
		return ""
	}
	if s.escaped {
		return string(s.str)
	}
	return unsafe.String(&s.str[0], len(s.str))
}

// Int returns the current Integer token's value.
func (s *Scanner) Int() int64 { return s.i }

// Float returns the value of the current Real or Integer token.
func (s *Scanner) Float() float64 {
	if s.kind == Integer {
		return float64(s.i)
	}
	return s.r
}

// Offset returns the byte offset of the current token's first byte.
func (s *Scanner) Offset() int { return s.start }

// End returns the byte offset just after the current token.
func (s *Scanner) End() int { return s.pos }

// Data returns bytes [from, to) of the input, to quote them in messages.
func (s *Scanner) Data(from, to int) []byte { return s.data[from:to] }

// Errorf makes an error at the current token and makes it stick, unless one
// sticks already, and returns the one that sticks.
func (s *Scanner) Errorf(format string, args ...any) error {
	return s.failAt(s.start, format, args...)
}

func (s *Scanner) failAt(at int, format string, args ...any) error {
	if s.err == nil {
		line, column := 0, 0
		for _, c := range s.data[:min(at, len(s.data))] {
			if c == '\n' {
				line++
				column = 0
			} else {
				column++
			}
		}
		s.err = &SyntaxError{Line: line, Column: column, Byte: at, Msg: fmt.Sprintf(format, args...)}
	}
	s.kind = Invalid
	return s.err
}

// Next reads a token and returns its kind: EOF after the end of the value.
func (s *Scanner) Next() Kind {
	if s.err != nil {
		return Invalid
	}
	s.name = false
	s.skipSpace()
	if s.state == wantCommaOrEnd {
		if s.pos < len(s.data) && s.data[s.pos] == ',' {
			s.pos++
			s.skipSpace()
			if s.stack[len(s.stack)-1] == '{' {
				s.state = wantName
			} else {
				s.state = wantValue
			}
		} else {
			return s.closeContainer()
		}
	}
	s.start = s.pos
	if s.pos >= len(s.data) {
		if s.state == wantEnd {
			s.kind = EOF
			return EOF
		}
		s.failAt(s.pos, "unexpected end of input")
		return Invalid
	}
	c := s.data[s.pos]
	switch s.state {
	case wantEnd:
		s.failAt(s.pos, "trailing garbage at end of input")
		return Invalid
	case wantFirstElement:
		if c == ']' {
			return s.closeContainer()
		}
	case wantFirstName, wantName:
		if c == '}' && s.state == wantFirstName {
			return s.closeContainer()
		}
		return s.scanName(c)
	}
	return s.scanValue(c)
}

func (s *Scanner) closeContainer() Kind {
	s.start = s.pos
	if s.pos >= len(s.data) {
		s.failAt(s.pos, "unexpected end of input")
		return Invalid
	}
	open := s.stack[len(s.stack)-1]
	c := s.data[s.pos]
	switch {
	case open == '{' && c == '}', open == '[' && c == ']':
	case open == '{':
		s.failAt(s.pos, "syntax error expecting '}' or ','")
		return Invalid
	default:
		s.failAt(s.pos, "syntax error expecting ']' or ','")
		return Invalid
	}
	s.pos++
	s.stack = s.stack[:len(s.stack)-1]
	s.endValue()
	s.kind = Kind(c)
	return s.kind
}

func (s *Scanner) endValue() {
	if len(s.stack) == 0 {
		s.state = wantEnd
	} else {
		s.state = wantCommaOrEnd
	}
}

func (s *Scanner) scanName(c byte) Kind {
	if c != '"' {
		s.failAt(s.pos, "syntax error parsing object expecting string")
		return Invalid
	}
	if !s.scanString() {
		return Invalid
	}
	s.skipSpace()
	if s.pos >= len(s.data) || s.data[s.pos] != ':' {
		s.failAt(s.pos, "syntax error parsing object expecting ':'")
		return Invalid
	}
	s.pos++
	s.state = wantValue
	s.name = true
	s.kind = String
	return String
}

func (s *Scanner) scanValue(c byte) Kind {
	switch c {
	case '{', '[':
		if len(s.stack) >= MaxDepth {
			s.failAt(s.pos, "input exceeds maximum nesting depth %d", MaxDepth)
			return Invalid
		}
		s.pos++
		s.stack = append(s.stack, c)
		s.state = wantFirstElement
		if c == '{' {
			s.state = wantFirstName
		}
		s.kind = Kind(c)
		return s.kind
	case '"':
		if !s.scanString() {
			return Invalid
		}
		s.kind = String
	case 't':
		s.scanWord("true", True)
	case 'f':
		s.scanWord("false", False)
	case 'n':
		s.scanWord("null", Null)
	default:
		switch {
		case c == '-' || c >= '0' && c <= '9':
			s.scanNumber()
		case c >= 'a' && c <= 'z':
			s.scanWord("-", Invalid)
		case strings.IndexByte("]},:", c) >= 0:
			s.failAt(s.pos, "syntax error parsing value")
		default:
			s.failAt(s.pos, "invalid character '%c'", c)
		}
	}
	s.endValue()
	return s.kind
}

func (s *Scanner) skipSpace() {
	if s.pos < len(s.data) && s.data[s.pos] > ' ' {
		return
	}
	for s.pos < len(s.data) {
		switch s.data[s.pos] {
		case ' ', '\t', '\n', '\r':
			s.pos++
		default:
			return
		}
	}
}

// From returns the input from a byte offset on.
func (s *Scanner) From(offset int) []byte { return s.data[offset:] }

// Rest returns the input from the current token's first byte on.
func (s *Scanner) Rest() []byte { return s.data[s.start:] }
