package json

import (
	"slices"
	"strconv"
	"strings"
	"unsafe"
)

const hexDigits = "0123456789abcdef"

// AppendString appends s as a JSON string, escaping what the C programs escape:
// the quote, the backslash and the control characters below U+0020.
func AppendString[T string | []byte](dst []byte, s T) []byte {
	dst = append(dst, '"')
	from := 0
	for i := plainLen(s); i < len(s); i++ {
		c := s[i]
		if c >= 0x20 && c != '"' && c != '\\' {
			continue
		}
		dst = append(dst, s[from:i]...)
		from = i + 1
		switch c {
		case '"', '\\':
			dst = append(dst, '\\', c)
		case '\b':
			dst = append(dst, '\\', 'b')
		case '\f':
			dst = append(dst, '\\', 'f')
		case '\n':
			dst = append(dst, '\\', 'n')
		case '\r':
			dst = append(dst, '\\', 'r')
		case '\t':
			dst = append(dst, '\\', 't')
		default:
			dst = append(dst, '\\', 'u', '0', '0', hexDigits[c>>4], hexDigits[c&15])
		}
	}
	dst = append(dst, s[from:]...)
	return append(dst, '"')
}

// plainLen is plain.
func plainLen[T string | []byte](s T) int {
	// A slice begins as a string does: with the address and the length.
	v := *(*string)(unsafe.Pointer(&s))
	return plain(unsafe.Slice(unsafe.StringData(v), len(v)))
}

// AppendReal appends v as C's printf would with "%.*g": 15 significant digits
// where these read back as v, else 17.
func AppendReal(dst []byte, v float64) []byte {
	s := formatG(v, 15)
	if back, err := strconv.ParseFloat(s, 64); err != nil || back != v {
		s = formatG(v, 17)
	}
	return append(dst, s...)
}

// formatG is printf's %.{prec}g.
func formatG(v float64, prec int) string {
	if v == 0 {
		return "0"
	}
	e := strconv.FormatFloat(v, 'e', prec-1, 64)
	mant, exps, _ := strings.Cut(e, "e")
	exp, _ := strconv.Atoi(exps)
	if exp >= -4 && exp < prec {
		s := strconv.FormatFloat(v, 'f', prec-1-exp, 64)
		if strings.Contains(s, ".") {
			s = strings.TrimRight(strings.TrimRight(s, "0"), ".")
		}
		return s
	}
	if strings.Contains(mant, ".") {
		mant = strings.TrimRight(strings.TrimRight(mant, "0"), ".")
	}
	return mant + "e" + exps
}

// Canonical returns the value in data printed compactly with the members of its
// objects sorted by name, as the C programs quote JSON in messages.  Where a
// name comes twice the last one counts.  Invalid input is returned unchanged.
func Canonical(data []byte) []byte {
	out, err := AppendCanonical(nil, data)
	if err != nil {
		return data
	}
	return out
}

// AppendCanonical appends the canonical form of data to dst; see Canonical.
func AppendCanonical(dst, data []byte) ([]byte, error) {
	return Format(dst, data, "")
}

// Format appends the value in data to dst with sorted members.  With an empty
// indent it is compact; else each member and element stands on its own line,
// indented by indent per level, and brackets close where their contents end,
// as the C programs' --pretty prints.
func Format(dst, data []byte, indent string) ([]byte, error) {
	s := NewScanner(data)
	p := printer{s: s, dst: dst, indent: indent}
	s.Next()
	p.value(0)
	if err := s.Finish(); err != nil {
		return dst, err
	}
	return p.dst, nil
}

type printer struct {
	s      *Scanner
	dst    []byte
	indent string
}

func (p *printer) newline(depth int) {
	if p.indent == "" {
		return
	}
	p.dst = append(p.dst, '\n')
	for range depth {
		p.dst = append(p.dst, p.indent...)
	}
}

func (p *printer) value(depth int) {
	s := p.s
	switch s.Kind() {
	case ObjectBegin:
		p.object(depth)
	case ArrayBegin:
		p.dst = append(p.dst, '[')
		_ = s.Array(func(i int) error {
			if i > 0 {
				p.dst = append(p.dst, ',')
			}
			p.newline(depth + 1)
			p.value(depth + 1)
			return nil
		})
		p.dst = append(p.dst, ']')
	case String:
		p.dst = AppendString(p.dst, s.Bytes())
	case Integer:
		p.dst = strconv.AppendInt(p.dst, s.Int(), 10)
	case Real:
		p.dst = AppendReal(p.dst, s.Float())
	default:
		p.dst = append(p.dst, s.Kind().String()...)
	}
}

func (p *printer) object(depth int) {
	type member struct {
		name string
		text []byte
	}
	var members []member
	sub := printer{s: p.s, indent: p.indent}
	_ = p.s.Object(func(name string) error {
		p.s.Next()
		sub.dst = nil
		sub.value(depth + 1)
		members = append(members, member{name, sub.dst})
		return nil
	})
	slices.SortStableFunc(members, func(a, b member) int { return strings.Compare(a.name, b.name) })
	p.dst = append(p.dst, '{')
	first := true
	for i, m := range members {
		if i+1 < len(members) && members[i+1].name == m.name {
			continue // the last one of a name counts
		}
		if !first {
			p.dst = append(p.dst, ',')
		}
		first = false
		p.newline(depth + 1)
		p.dst = AppendString(p.dst, m.name)
		p.dst = append(p.dst, ':')
		if p.indent != "" {
			p.dst = append(p.dst, ' ')
		}
		p.dst = append(p.dst, m.text...)
	}
	p.dst = append(p.dst, '}')
}
