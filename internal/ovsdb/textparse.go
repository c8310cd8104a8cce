package ovsdb

import (
	"math"
	"strconv"
	"strings"
)

// ScanToken splits a token off the beginning of s: what stands before the first
// of the delimiters ":=, []{}!<>" that isn't inside double quotes (inside which
// a backslash protects the next character).  It returns the token and the rest.
func ScanToken(s string) (token, rest string, e *Error) {
	quoted := false
	for i := 0; i < len(s); i++ {
		switch c := s[i]; {
		case c == '\\' && quoted:
			i++
		case c == '"':
			quoted = !quoted
		case !quoted && strings.IndexByte(":=, []{}!<>", c) >= 0:
			return tokenEnd(s, i)
		}
	}
	if quoted {
		return "", s, Errorf("", "%s: missing quote at end of quoted string", s)
	}
	return tokenEnd(s, len(s))
}

func tokenEnd(s string, i int) (string, string, *Error) {
	return s[:i], s[i:], nil
}

// ParseText parses the text form of a value of type t, brackets and all being
// optional, and checks its constraints.  Sets of integers may hold ranges
// ("1-5").  Sources: ovs-vsctl(8), "Database Values".
func (t *ColumnType) ParseText(s string, symbols Symbols) (Datum, *Error) {
	d, e := t.ParseTextUnchecked(s, symbols)
	if e == nil {
		if e = t.checkLen(d.Len()); e != nil {
			e = Errorf("", "%s: %d %s specified but the %s is %s", s, d.Len(), t.elements(), t.allowedText(d.Len()), t.limitText(d.Len()))
		}
	}
	return d, e
}

func (t *ColumnType) elements() string {
	if t.IsMap() {
		return "pair(s)"
	}
	return "value(s)"
}

func (t *ColumnType) allowedText(n int) string {
	if n < int(t.Min) {
		return "minimum number"
	}
	return "maximum number"
}

func (t *ColumnType) limitText(n int) string {
	if n < int(t.Min) {
		return itoa(int(t.Min))
	}
	return itoa(int(t.Max))
}

// ParseTextUnchecked is ParseText without the check of the number of elements.
func (t *ColumnType) ParseTextUnchecked(s string, symbols Symbols) (Datum, *Error) {
	p := textParser{t: t, symbols: symbols, s: strings.TrimLeft(s, " ")}
	end := byte(0)
	switch {
	case t.IsMap() && strings.HasPrefix(p.s, "{"):
		end = '}'
	case !t.IsMap() && strings.HasPrefix(p.s, "["):
		end = ']'
	}
	if end != 0 {
		p.s = p.s[1:]
	}
	p.skipDelims()
	for p.s != "" && (end == 0 || p.s[0] != end) {
		if e := p.element(); e != nil {
			return Datum{}, e
		}
		p.skipDelims()
	}
	if end != 0 {
		if p.s == "" {
			return Datum{}, Errorf("", "%s: missing \"%c\" at end of data", s, end)
		}
		p.s = strings.TrimLeft(p.s[1:], " ")
		if p.s != "" {
			return Datum{}, Errorf("", "%s: trailing garbage after \"%c\"", s, end)
		}
	}
	return p.finish(s)
}

// textParser reads the elements of a value from what remains in s.
type textParser struct {
	t       *ColumnType
	symbols Symbols
	s       string
	pairs   []Pair
}

func (p *textParser) skipDelims() { p.s = strings.TrimLeft(p.s, ", ") }

func (p *textParser) token() (string, *Error) {
	token, rest, e := ScanToken(p.s)
	if e != nil {
		return "", e
	}
	if token == "" {
		return "", Errorf("", "%s: unexpected \"%c\" parsing %s", p.s, p.s[0], p.t.Key.Type)
	}
	p.s = rest
	return token, nil
}

func (p *textParser) element() *Error {
	token, e := p.token()
	if e != nil {
		return e
	}
	if !p.t.IsMap() && p.t.Key.Type == Integer && p.t.Max > 1 {
		if lo, hi, ok := parseRange(token); ok {
			return p.addRange(lo, hi)
		}
	}
	key, e := ParseAtomText(token, &p.t.Key, p.symbols)
	if e != nil {
		if e.Tag == "" && p.t.Key.Type == Integer && !p.t.IsMap() {
			return Errorf("", "%s or range", e.Details)
		}
		return e
	}
	if !p.t.IsMap() {
		p.pairs = append(p.pairs, Pair{Key: key})
		return nil
	}
	if p.s == "" || p.s[0] != '=' && p.s[0] != ':' {
		if p.s == "" {
			return Errorf("", "%s: syntax error at \"", token)
		}
		return Errorf("", "%s: syntax error at \"%c\" expecting \"=\"", p.s, p.s[0])
	}
	p.s = p.s[1:]
	if p.s == "" {
		return Errorf("", "%s: unexpected end of input parsing %s", token, p.t.Value.Type)
	}
	if token, e = p.token(); e != nil {
		return e
	}
	value, e := ParseAtomText(token, &p.t.Value, p.symbols)
	p.pairs = append(p.pairs, Pair{key, value})
	return e
}

// parseRange parses "LO-HI".
func parseRange(s string) (lo, hi int64, ok bool) {
	i := strings.IndexByte(s[min(1, len(s)):], '-') + 1
	if i < 1 {
		return 0, 0, false
	}
	lo, err1 := strconv.ParseInt(s[:i], 10, 64)
	hi, err2 := strconv.ParseInt(s[i+1:], 10, 64)
	return lo, hi, err1 == nil && err2 == nil
}

// maxRange keeps a slip of the keyboard from filling the memory.
const maxRange = 1 << 20

func (p *textParser) addRange(lo, hi int64) *Error {
	if lo >= hi {
		return Errorf("", "Invalid range specification.")
	}
	for _, v := range []int64{lo, hi} {
		if e := p.t.Key.Check(IntAtom(v)); e != nil {
			return e
		}
	}
	if uint64(hi)-uint64(lo) >= uint64(min(int64(p.t.Max), maxRange, math.MaxInt32)) {
		return Errorf("", "range %d-%d has more elements than the column holds", lo, hi)
	}
	for v := lo; v <= hi; v++ {
		p.pairs = append(p.pairs, Pair{Key: IntAtom(v)})
	}
	return nil
}

func (p *textParser) finish(s string) (Datum, *Error) {
	if p.t.IsMap() {
		d := MapDatum(p.t.Key.Type, p.t.Value.Type, p.pairs)
		if d.Len() != len(p.pairs) {
			return Datum{}, Errorf("", "%s: map contains duplicate key", s)
		}
		return d, nil
	}
	atoms := make([]Atom, len(p.pairs))
	for i := range atoms {
		atoms[i] = p.pairs[i].Key
	}
	d := SetDatum(p.t.Key.Type, atoms)
	if d.Len() != len(p.pairs) {
		return Datum{}, Errorf("", "%s: set contains duplicate value", s)
	}
	return d, nil
}
