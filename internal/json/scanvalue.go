package json

import (
	"encoding/binary"
	"math"
	"math/bits"
	"strconv"
	"unicode/utf8"
)

func (s *Scanner) scanWord(word string, kind Kind) {
	if len(s.data)-s.pos < len(word) || string(s.data[s.pos:s.pos+len(word)]) != word {
		end := s.pos
		for end < len(s.data) && (s.data[end]|0x20 >= 'a' && s.data[end]|0x20 <= 'z') {
			end++
		}
		s.failAt(end, "invalid keyword '%s'", s.data[s.pos:end])
		return
	}
	s.pos += len(word)
	s.kind = kind
}

func (s *Scanner) digits() int {
	from := s.pos
	for s.pos < len(s.data) && s.data[s.pos] >= '0' && s.data[s.pos] <= '9' {
		s.pos++
	}
	return s.pos - from
}

// scanNumber follows the C programs: a number with a fraction or an exponent
// whose value is integral and fits is an integer too.
func (s *Scanner) scanNumber() {
	at := s.pos
	if s.data[s.pos] == '-' {
		s.pos++
	}
	first := s.pos
	switch n := s.digits(); {
	case n == 0:
		s.failAt(at, "'-' must be followed by digit")
		return
	case n > 1 && s.data[first] == '0':
		s.failAt(at, "leading zeros not allowed")
		return
	}
	plain := true
	if s.pos < len(s.data) && s.data[s.pos] == '.' {
		plain = false
		s.pos++
		if s.digits() == 0 {
			s.failAt(at, "decimal point must be followed by digit")
			return
		}
	}
	if s.pos < len(s.data) && (s.data[s.pos] == 'e' || s.data[s.pos] == 'E') {
		plain = false
		s.pos++
		if s.pos < len(s.data) && (s.data[s.pos] == '+' || s.data[s.pos] == '-') {
			s.pos++
		}
		if s.digits() == 0 {
			s.failAt(at, "exponent must contain at least one digit")
			return
		}
	}
	text := s.data[at:s.pos]
	if plain {
		if v, ok := parseInt(text); ok {
			s.kind, s.i = Integer, v
			return
		}
	}
	s.scanReal(at, text)
}

func (s *Scanner) scanReal(at int, text []byte) {
	v, err := strconv.ParseFloat(string(text), 64)
	if err != nil && math.IsInf(v, 0) {
		s.failAt(at, "number outside valid range")
		return
	}
	if v == math.Trunc(v) && v >= -(1<<63) && v < 1<<63 && math.Abs(v) <= 1<<53 {
		s.kind, s.i = Integer, int64(v)
		return
	}
	s.kind, s.r = Real, v
}

// parseInt parses decimal digits with an optional minus sign.
func parseInt(b []byte) (int64, bool) {
	neg := b[0] == '-'
	if neg {
		b = b[1:]
	}
	if len(b) > 19 {
		return 0, false
	}
	var u uint64
	for _, c := range b {
		u = u*10 + uint64(c-'0')
	}
	switch {
	case neg && u <= 1<<63:
		return -int64(u), true
	case !neg && u < 1<<63:
		return int64(u), true
	}
	return 0, false
}

// scanString reads a string token into s.str.
func (s *Scanner) scanString() bool {
	s.pos++
	from := s.pos
	s.escaped = false
	s.pos += plain(s.data[from:])
	ascii := true
	for s.pos < len(s.data) {
		switch c := s.data[s.pos]; {
		case c == '"':
			s.str = s.data[from:s.pos]
			if !ascii && !utf8.Valid(s.str) {
				s.failAt(from, "string is not valid UTF-8")
				return false
			}
			s.pos++
			return true
		case c == '\\':
			s.escaped = true
			return s.scanEscaped(from)
		case c < 0x20:
			s.failAt(s.pos, "U+%04X must be escaped in quoted string", c)
			return false
		case c >= 0x80:
			ascii = false
		}
		s.pos++
	}
	s.failAt(s.pos, "unexpected end of input in quoted string")
	return false
}

const (
	everyByte = 0x0101010101010101
	highBits  = 0x80 * everyByte
)

// plain returns how many bytes at the beginning of b are ASCII characters that
// stand for themselves in a string. It looks at eight at a time: x-k*everyByte
// borrows into the high bit of the first byte that is less than k.
func plain(b []byte) int {
	n := 0
	for ; len(b)-n >= 8; n += 8 {
		x := binary.LittleEndian.Uint64(b[n:])
		quote, escape := x^'"'*everyByte, x^'\\'*everyByte
		stop := ((quote - everyByte) | (escape - everyByte) | (x - ' '*everyByte) | x) & highBits
		if stop != 0 {
			return n + bits.TrailingZeros64(stop)/8
		}
	}
	for n < len(b) && b[n] >= ' ' && b[n] < 0x80 && b[n] != '"' && b[n] != '\\' {
		n++
	}
	return n
}

// scanEscaped finishes a string that has at least one escape.
func (s *Scanner) scanEscaped(from int) bool {
	s.buf = append(s.buf[:0], s.data[from:s.pos]...)
	for s.pos < len(s.data) {
		switch c := s.data[s.pos]; {
		case c == '"':
			s.pos++
			s.str = s.buf
			if !utf8.Valid(s.str) {
				s.failAt(from, "string is not valid UTF-8")
				return false
			}
			return true
		case c == '\\':
			if !s.scanEscape() {
				return false
			}
		case c < 0x20:
			s.failAt(s.pos, "U+%04X must be escaped in quoted string", c)
			return false
		default:
			s.buf = append(s.buf, c)
			s.pos++
		}
	}
	s.failAt(s.pos, "unexpected end of input in quoted string")
	return false
}

const escapes = "\"\"\\\\//b\bf\fn\nr\rt\t"

func (s *Scanner) scanEscape() bool {
	if s.pos+1 >= len(s.data) {
		s.failAt(s.pos, "unexpected end of input in quoted string")
		return false
	}
	c := s.data[s.pos+1]
	for i := 0; i < len(escapes); i += 2 {
		if escapes[i] == c {
			s.buf = append(s.buf, escapes[i+1])
			s.pos += 2
			return true
		}
	}
	if c != 'u' {
		s.failAt(s.pos, "bad escape \\%c", c)
		return false
	}
	r, ok := s.hex4(s.pos + 2)
	if !ok {
		s.failAt(s.pos, "malformed \\u escape")
		return false
	}
	at := s.pos
	s.pos += 6
	switch {
	case r == 0:
		s.failAt(at, "null bytes not supported in quoted strings")
		return false
	case r >= 0xdc00 && r < 0xe000:
		s.failAt(at, "unexpected trailing surrogate \\u escape")
		return false
	case r >= 0xd800 && r < 0xdc00:
		lo, ok := s.trailing()
		if !ok {
			s.failAt(at, "leading surrogate \\u escape not followed by trailing surrogate")
			return false
		}
		r = 0x10000 + (r-0xd800)<<10 + (lo - 0xdc00)
	}
	s.buf = utf8.AppendRune(s.buf, r)
	return true
}

// trailing reads the \u escape of a trailing surrogate.
func (s *Scanner) trailing() (rune, bool) {
	if s.pos+1 >= len(s.data) || s.data[s.pos] != '\\' || s.data[s.pos+1] != 'u' {
		return 0, false
	}
	r, ok := s.hex4(s.pos + 2)
	if !ok || r < 0xdc00 || r >= 0xe000 {
		return 0, false
	}
	s.pos += 6
	return r, true
}

func (s *Scanner) hex4(at int) (rune, bool) {
	if at+4 > len(s.data) {
		return 0, false
	}
	v, err := strconv.ParseUint(string(s.data[at:at+4]), 16, 16)
	return rune(v), err == nil
}
