package manual

import (
	"regexp"
	"strings"
)

// help is a program's --help taken apart.
type help struct {
	name, summary string
	usage         []string
	sections      []section // the first has no title: what is said before any heading
}

// section is a heading with what stands below it.
type section struct {
	title string
	items []item
}

// item is a term with what it means, or a paragraph where the term is "".
type item struct{ term, text string }

// gap is what stands between a term and what it means, on one line.
var gap = regexp.MustCompile(` {2,}`)

// parse reads a help text: a line "NAME: SUMMARY", lines "usage: ...", and then, in
// any order, headings (lines that end in a colon), paragraphs, and terms, which are
// indented by two columns. What is indented further goes on with the line before.
func parse(name, text string) help {
	h := help{name: name, sections: []section{{}}}
	p := parser{help: &h}
	for line := range strings.Lines(text) {
		p.line(strings.TrimRight(line, " \n"))
	}
	return h
}

// parser is where in a help text the reader is.
type parser struct {
	*help
	open bool // the last item may go on in the next line
}

func (p *parser) line(line string) {
	body := strings.TrimLeft(line, " ")
	indent := len(line) - len(body)
	usage, isUsage := strings.CutPrefix(line, "usage: ")
	switch {
	case body == "":
		p.open = false
	case isUsage:
		p.usage = append(p.usage, usage)
	case p.summary == "" && strings.HasPrefix(line, p.name) && len(p.usage) == 0:
		p.summary = strings.TrimPrefix(strings.TrimLeft(line[len(p.name):], ":, "), "for ")
	case indent == 0 && strings.HasSuffix(body, ":"):
		p.sections = append(p.sections, section{title: strings.TrimSuffix(body, ":")})
		p.open = false
	case indent == 2:
		p.term(body)
	case indent > 2 && p.open, indent == 0 && p.open && p.last().term == "":
		p.more(body)
	default:
		p.add(item{text: body})
	}
}

// last is the item that was read last.
func (p *parser) last() *item {
	items := p.sections[len(p.sections)-1].items
	return &items[len(items)-1]
}

func (p *parser) add(i item) {
	s := &p.sections[len(p.sections)-1]
	s.items = append(s.items, i)
	p.open = true
}

// term reads a line that begins with a term. One that has no room for anything else
// may go on in the next.
func (p *parser) term(line string) {
	term, text := line, ""
	if at := gap.FindStringIndex(line); at != nil {
		term, text = line[:at[0]], line[at[1]:]
	}
	if p.open && p.last().term != "" && p.last().text == "" {
		p.last().term += " " + term
		p.last().text = text
		return
	}
	p.add(item{term, text})
}

// more adds a line to the last item. What a term that ends in a colon has is a list.
func (p *parser) more(line string) {
	i := p.last()
	switch {
	case i.text == "":
		i.text = line
	case strings.HasSuffix(i.term, ":"):
		i.text += ", " + line
	default:
		i.text += " " + line
	}
}
