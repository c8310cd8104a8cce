package ovsdb

import (
	"strconv"
	"strings"
)

// ScanToken splits a token off the beginning of s: what stands before the first
// of the delimiters ":=, []{}!<>" that isn't inside double quotes.  Quotes stay
// in the token, for ParseAtomText to take off; outside of them a backslash
// stands for the character after it, inside it only protects that character.
func ScanToken(s string) (token, rest string, e *Error) {
	var out []byte
	quoted := false
	for i := 0; i < len(s); i++ {
		c := s[i]
		switch {
		case c == '\\' && i+1 == len(s):
			return "", s, Errorf("", "%s: backslash at end of argument", s)
		case c == '\\' && quoted:
			out = append(out, c)
			fallthrough
		case c == '\\':
			i++
			c = s[i]
		case c == '"':
			quoted = !quoted
		case !quoted && strings.IndexByte(":=, []{}!<>", c) >= 0:
			return string(out), s[i:], nil
		}
		out = append(out, c)
	}
	if quoted {
		return "", s, Errorf("", "%s: quoted string extends past end of argument", s)
	}
	return string(out), "", nil
}

// ParseText parses the text form of a value of type t, brackets and all being
// optional, and checks its constraints.  Sets of integers may hold ranges
// ("1-5").  An empty text is no value: the empty set is "[]", the empty map "{}".
// Source: ovs-vsctl(8), "Database Values".
func (t *ColumnType) ParseText(s string, symbols Symbols) (Datum, *Error) {
	p := textParser{t: t, symbols: symbols, whole: s, s: skipSpace(s)}
	if e := p.all(); e != nil {
		return Datum{}, e
	}
	if n := len(p.pairs); t.checkLen(n) != nil {
		return Datum{}, Errorf("", "%s: %d %s specified but the %s is %s", s, n, t.elements(), t.allowedText(n), t.limitText(n))
	}
	return p.finish()
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

// textParser reads the elements of a value from what remains in s.
type textParser struct {
	t       *ColumnType
	symbols Symbols
	whole   string // what messages quote
	s       string
	pairs   []Pair
}

// skipSpace leaves out white space, of which only the space ends a token.
func skipSpace(s string) string { return strings.TrimLeft(s, " \t\n\v\f\r") }

// all reads all elements, between brackets or not.
func (p *textParser) all() *Error {
	open, end := byte('['), byte(']')
	if p.t.IsMap() {
		open, end = '{', '}'
	}
	if p.s == "" {
		if p.t.IsMap() {
			return Errorf("", "use \"{}\" to specify the empty map")
		}
		return Errorf("", "use \"[]\" to specify the empty set")
	}
	if p.s[0] != open {
		return p.elements(0)
	}
	p.s = skipSpace(p.s[1:])
	if e := p.elements(end); e != nil {
		return e
	}
	if p.s == "" {
		return Errorf("", "%s: missing \"%c\" at end of data", p.whole, end)
	}
	if skipSpace(p.s[1:]) != "" {
		return Errorf("", "%s: trailing garbage after \"%c\"", p.whole, end)
	}
	return nil
}

// elements reads elements with white space or one comma between them, and
// perhaps a comma after the last, up to end.
func (p *textParser) elements(end byte) *Error {
	for p.s != "" && (end == 0 || p.s[0] != end) {
		if e := p.element(); e != nil {
			return e
		}
		p.s = skipSpace(p.s)
		if strings.HasPrefix(p.s, ",") {
			p.s = skipSpace(p.s[1:])
		}
	}
	return nil
}

func (p *textParser) token() (string, *Error) {
	token, rest, e := ScanToken(skipSpace(p.s))
	if e != nil {
		return "", e
	}
	p.s = rest
	return token, nil
}

func (p *textParser) element() *Error {
	start := p.s
	token, e := p.token()
	if e != nil {
		return e
	}
	if token == "" {
		return Errorf("", "%s: unexpected \"%c\" parsing %s", p.whole, p.s[0], p.t.English())
	}
	if p.t.Key.Type == Integer && !p.t.IsMap() {
		if lo, hi, ok := parseRange(token); ok {
			return p.addRange(token, lo, hi)
		}
	}
	key, e := ParseAtomText(token, &p.t.Key, p.symbols)
	if e != nil {
		if e.Tag == "" && p.t.Key.Type == Integer {
			return Errorf("", "%s or range", e.Details)
		}
		return e
	}
	if !p.t.IsMap() {
		p.pairs = append(p.pairs, Pair{Key: key})
		return nil
	}
	switch p.s = skipSpace(p.s); {
	case p.s == "":
		return Errorf("", "%s: syntax error at \"", start)
	case p.s[0] != '=':
		return Errorf("", "%s: syntax error at \"%c\" expecting \"=\"", start, p.s[0])
	}
	p.s = p.s[1:]
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

func (p *textParser) addRange(token string, lo, hi int64) *Error {
	if lo > hi {
		return Errorf("", "\"%s\" is not a valid range. Range end cannot be before start.", token)
	}
	for _, v := range []int64{lo, hi} {
		if e := p.t.Key.Check(IntAtom(v)); e != nil {
			return e
		}
	}
	if uint64(hi)-uint64(lo) >= maxRange {
		return Errorf("", "%s: a range may have up to %d elements", token, maxRange)
	}
	for v := lo; v <= hi; v++ {
		p.pairs = append(p.pairs, Pair{Key: IntAtom(v)})
	}
	return nil
}

func (p *textParser) finish() (Datum, *Error) {
	if p.t.IsMap() {
		d := MapDatum(p.t.Key.Type, p.t.Value.Type, p.pairs)
		if d.Len() != len(p.pairs) {
			return Datum{}, Errorf("", "%s: map contains duplicate key", p.whole)
		}
		return d, nil
	}
	atoms := make([]Atom, len(p.pairs))
	for i := range atoms {
		atoms[i] = p.pairs[i].Key
	}
	d := SetDatum(p.t.Key.Type, atoms)
	if d.Len() != len(p.pairs) {
		return Datum{}, Errorf("", "%s: set contains duplicate value", p.whole)
	}
	return d, nil
}
