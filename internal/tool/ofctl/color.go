package ofctl

import (
	"fmt"
	"io"
	"os"
	"strings"
)

// palette gives the SGR parameters of each kind of word in a flow, by the names
// that OVS_COLORS has for them (ovs-ofctl(8), --color).
type palette map[string]string

// newPalette reads OVS_COLORS over the defaults.
func newPalette(env string) palette {
	p := palette{"ac": "1;31", "dr": "34", "le": "31", "pm": "36", "pr": "35", "sp": "33", "vl": "32"}
	for entry := range strings.SplitSeq(env, ":") {
		if name, sgr, ok := strings.Cut(entry, "="); ok && p[name] != "" {
			p[name] = sgr
		}
	}
	return p
}

// specialWords are the words that are coloured "sp" rather than as any keyword.
var specialWords = map[string]bool{
	"table": true, "priority": true, "load": true, "output": true, "move": true, "group": true,
	"CONTROLLER": true, "set_field": true, "resubmit": true, "exit": true,
}

func (t *tool) setColor(v string) error {
	switch v {
	case "", "always", "yes", "force":
		t.colors = newPalette(os.Getenv("OVS_COLORS"))
	case "never", "no", "none":
		t.colors = nil
	case "auto", "tty", "if-tty":
		t.colorAuto = true
	default:
		return fmt.Errorf("incorrect value `%s' for --color", v)
	}
	return nil
}

// writer is where flows go: coloured, if that is asked for.
func (t *tool) flowWriter() io.Writer {
	colors := t.colors
	if colors == nil && t.colorAuto && t.terminal() {
		colors = newPalette(os.Getenv("OVS_COLORS"))
	}
	if colors == nil {
		return t.out
	}
	return &colorWriter{w: t.out, palette: colors}
}

// colorWriter colours the lines of flows that are written to it whole.
type colorWriter struct {
	w       io.Writer
	palette palette
}

func (c *colorWriter) Write(b []byte) (int, error) {
	var out strings.Builder
	for line := range strings.SplitAfterSeq(string(b), "\n") {
		if strings.HasPrefix(line, " ") {
			line = c.palette.flow(line)
		}
		out.WriteString(line)
	}
	if _, err := io.WriteString(c.w, out.String()); err != nil {
		return 0, err
	}
	return len(b), nil
}

func (p palette) paint(kind, s string) string {
	return "\x1b[" + p[kind] + "m\x1b[K" + s + "\x1b[m\x1b[K"
}

// flow colours one flow.
func (p palette) flow(s string) string {
	const separators = ", \n"
	var b strings.Builder
	var open []string // the kinds of the parentheses that are open
	inActions := false
	for s != "" {
		n := strings.IndexAny(s, "=:()"+separators)
		if n < 0 {
			n = len(s)
		}
		word, rest := s[:n], s[n:]
		switch {
		case rest != "" && (rest[0] == '=' || rest[0] == ':') && word != "":
			inActions = inActions || word == "actions"
			b.WriteString(p.paint(keywordKind(word), s[:n+1]))
			s = rest[1:]
			if inActions && word == "actions" {
				continue
			}
			n = strings.IndexAny(s, separators+"()")
			if n < 0 {
				n = len(s)
			}
			b.WriteString(strings.ReplaceAll(s[:n], "->", p.paint("sp", "->")))
			s = s[n:]
			continue
		case rest != "" && rest[0] == '(':
			kind := "pr"
			if word == "learn" {
				kind = "le"
			}
			open = append(open, kind)
			b.WriteString(p.paint(kind, s[:n+1]))
			s = rest[1:]
			continue
		case word != "":
			b.WriteString(p.lone(word, len(open) > 0))
		}
		s = rest
		if s != "" {
			c := s[:1]
			if c == ")" && len(open) > 0 {
				c = p.paint(open[len(open)-1], c)
				open = open[:len(open)-1]
			}
			b.WriteString(c)
			s = s[1:]
		}
	}
	return b.String()
}

func keywordKind(word string) string {
	switch {
	case word == "actions":
		return "ac"
	case specialWords[word]:
		return "sp"
	}
	return "pm"
}

// lone colours a word without a value: one in parentheses is an argument.
func (p palette) lone(word string, argument bool) string {
	switch {
	case word == "drop":
		return p.paint("dr", word)
	case specialWords[word]:
		return p.paint("sp", word)
	case argument || word[0] < 'a' || word[0] > 'z':
		return word
	}
	return p.paint("vl", word)
}
