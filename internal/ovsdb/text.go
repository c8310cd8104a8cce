package ovsdb

import (
	"strconv"
	"strings"
	"unicode/utf8"

	"weir/internal/json"
)

// String returns the text form of a, as ovs-vsctl(8) prints it.
func (a Atom) String() string { return string(a.AppendText(nil)) }

// AppendText appends the text form of a: strings are quoted where they wouldn't
// read back as the same string.
func (a Atom) AppendText(dst []byte) []byte {
	switch a.typ {
	case String:
		if NeedsQuotes(a.str) {
			return json.AppendString(dst, a.str)
		}
		return append(dst, a.str...)
	case UUIDType:
		return a.UUID().Append(dst)
	}
	return a.AppendJSON(dst)
}

// AppendBare appends a without quotes, as --data=bare does.
func (a Atom) AppendBare(dst []byte) []byte {
	if a.typ == String {
		return append(dst, a.str...)
	}
	return a.AppendText(dst)
}

// NeedsQuotes reports whether the text form of s is quoted: unless it begins
// with a letter or underscore, goes on with those, digits, hyphens and periods,
// and can't be taken for a boolean or a UUID (ovs-vsctl(8), "string").
func NeedsQuotes(s string) bool {
	if s == "" || s == "true" || s == "false" || UUIDPrefixLen(s) == 36 {
		return true
	}
	for i := range len(s) {
		c := s[i]
		letter := c == '_' || c|0x20 >= 'a' && c|0x20 <= 'z'
		if !letter && (i == 0 || (c < '0' || c > '9') && c != '-' && c != '.') {
			return true
		}
	}
	return false
}

// AppendText appends the text form of d, a value of type t.
func (d Datum) AppendText(dst []byte, t *ColumnType) []byte {
	brackets := ""
	switch {
	case t.IsMap():
		brackets = "{}"
	case t.Max > 1 || d.n == 0:
		brackets = "[]"
	}
	if brackets != "" {
		dst = append(dst, brackets[0])
	}
	for i := range d.Len() {
		if i > 0 {
			dst = append(dst, ", "...)
		}
		dst = d.Key(i).AppendText(dst)
		if d.vt != Void {
			dst = append(dst, '=')
			dst = d.Value(i).AppendText(dst)
		}
	}
	if brackets != "" {
		dst = append(dst, brackets[1])
	}
	return dst
}

// AppendBare appends d without brackets and quotes, its elements separated by
// spaces, as --data=bare does.
func (d Datum) AppendBare(dst []byte) []byte {
	for i := range d.Len() {
		if i > 0 {
			dst = append(dst, ' ')
		}
		dst = d.Key(i).AppendBare(dst)
		if d.vt != Void {
			dst = append(dst, '=')
			dst = d.Value(i).AppendBare(dst)
		}
	}
	return dst
}

// Text returns AppendText's text.
func (d Datum) Text(t *ColumnType) string { return string(d.AppendText(nil, t)) }

// ParseAtomText parses the text form of an atom of base type b and checks its
// constraints.  With symbols, "@name" stands for a row that is being inserted.
func ParseAtomText(s string, b *BaseType, symbols Symbols) (Atom, *Error) {
	a, e := parseAtomText(s, b, symbols)
	if e == nil {
		e = b.Check(a)
	}
	return a, e
}

func parseAtomText(s string, b *BaseType, symbols Symbols) (Atom, *Error) {
	bad := func(format string, args ...any) (Atom, *Error) { return Atom{}, Errorf("", format, args...) }
	switch b.Type {
	case Integer:
		v, err := strconv.ParseInt(s, 10, 64)
		if err != nil {
			return bad("\"%s\" is not a valid integer", s)
		}
		return IntAtom(v), nil
	case Real:
		v, err := strconv.ParseFloat(s, 64)
		if err != nil || strings.ContainsAny(s, "nNiIxX_") {
			return bad("\"%s\" is not a valid real number", s)
		}
		return RealAtom(v), nil
	case Boolean:
		switch s {
		case "true", "yes", "on", "1":
			return BoolAtom(true), nil
		case "false", "no", "off", "0":
			return BoolAtom(false), nil
		}
		return bad("\"%s\" is not a valid boolean (use \"true\" or \"false\")", s)
	case String:
		return parseStringText(s)
	case UUIDType:
		if symbols != nil && strings.HasPrefix(s, "@") {
			return UUIDAtom(symbols.NamedUUID(s)), nil
		}
		u, ok := ParseUUID(s)
		if !ok {
			return bad("\"%s\" is not a valid UUID", s)
		}
		return UUIDAtom(u), nil
	}
	return bad("invalid type")
}

func parseStringText(s string) (Atom, *Error) {
	switch {
	case s == "":
		return Atom{}, Errorf("", "An empty string is not valid as input; use \"\" to represent the empty string")
	case !utf8.ValidString(s):
		bad := strings.IndexFunc(s, func(r rune) bool { return r == utf8.RuneError })
		return Atom{}, Errorf(TagConstraint, "not a valid UTF-8 string: invalid UTF-8 sequence 0x%02x", s[bad])
	case strings.IndexByte(s, 0) >= 0:
		return Atom{}, Errorf("", "%q is not a valid string: it has a null character", s)
	case s[0] != '"':
		return StringAtom(s), nil
	case len(s) < 2 || s[len(s)-1] != '"':
		return Atom{}, Errorf("", "%s: missing quote at end of quoted string", s)
	}
	sc := json.NewScanner([]byte(s))
	sc.Next()
	v := sc.Str()
	if unescapedQuote(s[1 : len(s)-1]) {
		return Atom{}, Errorf("", "%s: quoted string may not include unescaped \"", s)
	}
	if err := sc.Finish(); err != nil {
		msg := err.Error()
		if se, ok := err.(*json.SyntaxError); ok {
			msg = se.Msg
		}
		return Atom{}, Errorf("", "%s: %s", s, msg)
	}
	return StringAtom(v), nil
}

// unescapedQuote tells whether s has a double quote that no backslash protects.
func unescapedQuote(s string) bool {
	for i := 0; i < len(s); i++ {
		switch s[i] {
		case '\\':
			i++
		case '"':
			return true
		}
	}
	return false
}
