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
	x := painter{palette: p, rest: s}
	for x.rest != "" {
		x.item()
	}
	return x.done.String()
}

// painter is a flow on the way to its colours.
type painter struct {
	palette
	done strings.Builder
	rest string
	open []string // the kinds of the parentheses that are open
}

const separators = ", \n"

// until cuts the rest before the first of chars, or at its end.
func (x *painter) until(chars string) (before, after string) {
	if n := strings.IndexAny(x.rest, chars); n >= 0 {
		return x.rest[:n], x.rest[n:]
	}
	return x.rest, ""
}

// item paints a word with what follows it.
func (x *painter) item() {
	word, after := x.until("=:()" + separators)
	next := byte(0)
	if after != "" {
		next = after[0]
	}
	switch {
	case (next == '=' || next == ':') && word != "":
		x.rest = after[1:]
		x.keyword(word, after[:1])
		return
	case next == '(':
		kind := "pr"
		if word == "learn" {
			kind = "le"
		}
		x.open = append(x.open, kind)
		x.done.WriteString(x.paint(kind, word+"("))
		x.rest = after[1:]
		return
	case word != "":
		x.done.WriteString(x.lone(word, len(x.open) > 0))
	}
	x.rest = after
	if after != "" {
		x.separator(after[:1])
		x.rest = after[1:]
	}
}

// keyword paints a word with the sign behind it, and the value up to the next
// separator; what follows "actions" is no value.
func (x *painter) keyword(word, sign string) {
	x.done.WriteString(x.paint(keywordKind(word), word+sign))
	if word == "actions" {
		return
	}
	value, after := x.until(separators + "()")
	x.done.WriteString(strings.ReplaceAll(value, "->", x.paint("sp", "->")))
	x.rest = after
}

// separator paints what stands between words, or closes a parenthesis.
func (x *painter) separator(c string) {
	if n := len(x.open); c == ")" && n > 0 {
		c = x.paint(x.open[n-1], c)
		x.open = x.open[:n-1]
	}
	x.done.WriteString(c)
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
