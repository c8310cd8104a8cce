// Package manual makes manual pages of what programs say of themselves: a program's
// --help, whose form parse describes, becomes a page in the macros of man(7). There is
// no other text of the pages, but for the variables and the other programs that all of
// them name.
package manual

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"weir/internal/paths"
	"weir/internal/version"
)

// Section returns the section of a program's page, as Open vSwitch has it: 1 for
// what users run, 8 for what administrators do.
func Section(program string) int {
	if slices.Contains([]string{"ovsdb-server", "ovsdb-client", "ovsdb-tool", "ovs-pcap", "ovs-tcpundump"}, program) {
		return 1
	}
	return 8
}

// FileName is the page's file below a directory of manual pages.
func FileName(program string) string {
	section, page := Section(program), pageName(program)
	return fmt.Sprintf("man%d/%s.%d", section, page, section)
}

// pageName is what man(1) knows a program by, which may be two words.
func pageName(program string) string { return strings.ReplaceAll(program, " ", "-") }

// Page makes the page of a program from its help. others are the programs to point
// to.
func Page(program, help string, others []string) []byte {
	h := parse(program, help)
	w := &writer{}
	w.macro("TH", strings.ToUpper(escape(pageName(program))), fmt.Sprint(Section(program)), `""`, quote("Weir "+version.Weir), quote("Open vSwitch"))
	w.macro("SH", "NAME")
	w.line(escape(pageName(program)) + ` \- ` + escape(h.summary))
	w.macro("SH", "SYNOPSIS")
	for n, usage := range h.usage {
		if n > 0 {
			w.macro("br")
		}
		w.line(markTerm(usage))
	}
	for _, s := range h.sections {
		w.section(s)
	}
	w.macro("SH", "ENVIRONMENT")
	for _, v := range paths.Variables() {
		w.item(item{v.Name, fmt.Sprintf("the directory of %s, instead of %s", v.Holds, v.Dir())})
	}
	w.macro("SH", quote("SEE ALSO"))
	w.seeAlso(program, others)
	return w.text
}

// writer is a page being written.
type writer struct{ text []byte }

func (w *writer) macro(name string, args ...string) {
	w.text = append(w.text, "."+strings.Join(append([]string{name}, args...), " ")+"\n"...)
}

// line writes a line of text, which is none of the macros.
func (w *writer) line(s string) {
	if strings.HasPrefix(s, ".") || strings.HasPrefix(s, "'") {
		s = `\&` + s
	}
	w.text = append(w.text, s+"\n"...)
}

// Summary is what a program's help says it is, in a few words.
func Summary(program, help string) string { return parse(program, help).summary }

func (w *writer) section(s section) {
	if len(s.items) == 0 {
		return
	}
	title := s.title
	if title == "" {
		title = "Description"
	}
	w.macro("SH", quote(strings.ToUpper(escape(title))))
	for _, i := range s.items {
		if i.term == "" {
			w.macro("PP")
			w.line(markText(i.text, nil))
		} else {
			w.item(i)
		}
	}
}

// item writes a term and what it means.
func (w *writer) item(i item) {
	w.macro("TP")
	term := strings.TrimSuffix(i.term, ":")
	w.line(markTerm(term))
	w.line(markText(i.text, placeholder.FindAllString(term, -1)))
}

func (w *writer) seeAlso(program string, others []string) {
	others = slices.DeleteFunc(slices.Clone(others), func(o string) bool { return o == program })
	for n, o := range others {
		comma := ","
		if n == len(others)-1 {
			comma = ""
		}
		w.macro("BR", escape(pageName(o)), fmt.Sprintf("(%d)%s", Section(o), comma))
	}
}

// The parts of a term: what stands for something else, what only groups, and the
// rest, which is to be typed as it is.
var (
	placeholder = regexp.MustCompile(`[A-Z][A-Z0-9_]+(?:-[A-Z0-9_]+)*|\b[A-Z]\b`)
	grouping    = regexp.MustCompile(`[][|(){}]+|\.\.\.`)
	option      = regexp.MustCompile(`--[a-z][a-z-]*`)
)

// markTerm sets a term: bold, but for placeholders in italics and brackets upright.
func markTerm(s string) string {
	var b strings.Builder
	for s != "" {
		at, font := nextPart(s)
		if at[0] > 0 {
			b.WriteString(set('B', s[:at[0]]))
		}
		if at[1] > at[0] {
			b.WriteString(set(font, s[at[0]:at[1]]))
		}
		s = s[at[1]:]
	}
	return b.String()
}

// nextPart finds the next placeholder or grouping in a term, and its font; the end
// where there is none. A single letter after a hyphen is an option.
func nextPart(s string) (at [2]int, font byte) {
	at = [2]int{len(s), len(s)}
	if g := grouping.FindStringIndex(s); g != nil {
		at, font = [2]int{g[0], g[1]}, 'R'
	}
	for _, p := range placeholder.FindAllStringIndex(s, -1) {
		if p[1]-p[0] == 1 && p[0] > 0 && s[p[0]-1] == '-' {
			continue
		}
		if p[0] < at[0] {
			at, font = [2]int{p[0], p[1]}, 'I'
		}
		break
	}
	return at, font
}

// markText sets prose: the term's placeholders in it in italics, options bold.
func markText(s string, placeholders []string) string {
	marks := option.FindAllStringIndex(s, -1)
	for _, p := range placeholder.FindAllStringIndex(s, -1) {
		if slices.Contains(placeholders, s[p[0]:p[1]]) {
			marks = append(marks, p)
		}
	}
	slices.SortFunc(marks, func(a, b []int) int { return a[0] - b[0] })
	var b strings.Builder
	done := 0
	for _, m := range marks {
		font := byte('I')
		if s[m[0]] == '-' {
			font = 'B'
		}
		b.WriteString(escape(s[done:m[0]]) + set(font, s[m[0]:m[1]]))
		done = m[1]
	}
	return b.String() + escape(s[done:])
}

// set sets a text in a font: B, I, or R, which is the one around it.
func set(font byte, s string) string {
	if font == 'R' {
		return escape(s)
	}
	return `\f` + string(font) + escape(s) + `\fR`
}

// escape keeps a text's characters as they are: hyphens are for copying, and quotation
// marks stay the plain ones.
var escape = strings.NewReplacer(`\`, `\e`, "-", `\-`, "'", `\(aq`, "`", `\(ga`, "^", `\(ha`, "~", `\(ti`).Replace

// quote makes a text one argument of a macro.
func quote(s string) string { return `"` + strings.ReplaceAll(s, `"`, `""`) + `"` }
