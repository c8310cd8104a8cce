// Package table prints tables of database values in the formats that the
// database tools share: table, list, html, csv and json (ovs-vsctl(8), "Table
// Formatting Options").
package table

import (
	"fmt"
	"regexp"
	"strings"

	"weir/internal/cli"
	"weir/internal/json"
	"weir/internal/ovsdb"
)

// Format is the shape of the output.
type Format string

// The formats.
const (
	FormatTable Format = "table"
	FormatList  Format = "list"
	FormatHTML  Format = "html"
	FormatCSV   Format = "csv"
	FormatJSON  Format = "json"
)

// Data is how a cell with a database value is printed.
type Data string

// The ways to print a value: the text form, the text form without quotes and
// brackets, and JSON.
const (
	DataString Data = "string"
	DataBare   Data = "bare"
	DataJSON   Data = "json"
)

// Style is what the formatting options say.
type Style struct {
	Format     Format
	Data       Data
	NoHeadings bool
	Pretty     bool // indent JSON
	MaxWidth   int  // of a column of FormatTable; 0: any
}

// Cell is one field: text, a database value of a type, or nothing.
type Cell struct {
	none  bool // null in JSON, empty elsewhere
	Text  string
	JSON  []byte            // what Text is, where it is no string
	Type  *ovsdb.ColumnType // nil: Text counts
	Value ovsdb.Datum
}

// Text returns a cell of plain text.
func Text(s string) Cell { return Cell{Text: s} }

// Value returns a cell with a database value.
func Value(t *ovsdb.ColumnType, d ovsdb.Datum) Cell { return Cell{Type: t, Value: d} }

// None is a cell without anything in it, such as the old value of a column that
// didn't change.
var None = Cell{none: true}

// Table is a table to print.
type Table struct {
	Caption  string
	Headings []string
	Rows     [][]Cell
	// Timestamp, if not empty, is printed with the table.
	Timestamp string
}

// Options returns the formatting options that set s.
func Options(s *Style) []cli.Option {
	return []cli.Option{
		{Long: "format", Short: 'f', Arg: cli.RequiredArg, Set: func(v string) error {
			switch f := Format(v); f {
			case FormatTable, FormatList, FormatHTML, FormatCSV, FormatJSON:
				s.Format = f
				return nil
			}
			return fmt.Errorf("unknown output format \"%s\"", v)
		}},
		{Long: "data", Short: 'd', Arg: cli.RequiredArg, Set: func(v string) error {
			switch d := Data(v); d {
			case DataString, DataBare, DataJSON:
				s.Data = d
				return nil
			}
			return fmt.Errorf("unknown data format \"%s\"", v)
		}},
		{Long: "no-headings", Set: func(string) error { s.NoHeadings = true; return nil }},
		{Long: "pretty", Set: func(string) error { s.Pretty = true; return nil }},
		{Long: "bare", Set: func(string) error {
			s.Format, s.Data, s.NoHeadings = FormatList, DataBare, true
			return nil
		}},
		{Long: "max-column-width", Arg: cli.RequiredArg, Set: func(v string) error {
			if _, err := fmt.Sscanf(v, "%d", &s.MaxWidth); err != nil || s.MaxWidth < 0 {
				return fmt.Errorf("--max-column-width must be a nonnegative integer")
			}
			return nil
		}},
	}
}

// Usage is the part of --help on the formatting options.
const Usage = `
Output formatting options:
  -f, --format=FORMAT         set output formatting to FORMAT
                              ("table", "html", "csv", or "json")
  -d, --data=FORMAT           set table cell output formatting to
                              FORMAT ("string", "bare", or "json")
  --max-column-width=N        cut cells to N columns ("table" only; 0: don't)
  --no-headings               omit table heading row
  --pretty                    pretty-print JSON in output
  --bare                      equivalent to "--format=list --data=bare --no-headings"
`

// text returns the cell as text.
func (s *Style) text(c *Cell) string {
	if c.Type == nil {
		return c.Text
	}
	switch s.Data {
	case DataBare:
		return string(c.Value.AppendBare(nil))
	case DataJSON:
		return c.Value.JSON()
	}
	return c.Value.Text(c.Type)
}

// Append appends the table in the style's format.
func (s *Style) Append(dst []byte, t *Table) []byte {
	switch s.Format {
	case FormatTable:
		return s.appendTable(dst, t)
	case FormatHTML:
		return s.appendHTML(dst, t)
	case FormatCSV:
		return s.appendCSV(dst, t)
	case FormatJSON:
		return s.appendJSON(dst, t)
	}
	return s.appendList(dst, t)
}

func (s *Style) appendCaption(dst []byte, t *Table) []byte {
	if t.Timestamp != "" {
		dst = append(dst, t.Timestamp...)
		if t.Caption != "" {
			dst = append(dst, ' ')
		}
	}
	dst = append(dst, t.Caption...)
	if t.Timestamp != "" || t.Caption != "" {
		dst = append(dst, '\n')
	}
	return dst
}

// lines are the lines of a table in columns; nil is the rule below the headings.
func (s *Style) lines(t *Table) (lines [][]string) {
	if !s.NoHeadings {
		lines = append(lines, t.Headings, nil)
	}
	for _, row := range t.Rows {
		line := make([]string, len(row))
		for i := range row {
			line[i] = s.text(&row[i])
			if most := max(s.MaxWidth, len(t.Headings[i])); s.MaxWidth > 0 && len(line[i]) > most {
				line[i] = line[i][:most]
			}
		}
		lines = append(lines, line)
	}
	return lines
}

func (s *Style) appendTable(dst []byte, t *Table) []byte {
	dst = s.appendCaption(dst, t)
	lines := s.lines(t)
	widths := make([]int, len(t.Headings))
	for _, line := range lines {
		for i, text := range line {
			widths[i] = max(widths[i], len(text))
		}
	}
	for _, line := range lines {
		if line == nil {
			line = make([]string, len(widths))
			for i := range line {
				line[i] = strings.Repeat("-", widths[i])
			}
		}
		var b strings.Builder
		for i, text := range line {
			if i > 0 {
				b.WriteByte(' ')
			}
			fmt.Fprintf(&b, "%-*s", widths[i], text)
		}
		dst = append(dst, strings.TrimRight(b.String(), " ")...)
		dst = append(dst, '\n')
	}
	return dst
}

func (s *Style) appendList(dst []byte, t *Table) []byte {
	dst = s.appendCaption(dst, t)
	for n, row := range t.Rows {
		if n > 0 {
			dst = append(dst, '\n')
		}
		for i := range row {
			if !s.NoHeadings {
				dst = fmt.Appendf(dst, "%-20s: ", t.Headings[i])
			}
			dst = append(dst, s.text(&row[i])...)
			dst = append(dst, '\n')
		}
	}
	return dst
}

var escapeHTML = strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;", "\"", "&quot;")

func (s *Style) appendHTML(dst []byte, t *Table) []byte {
	line := func(format string, args ...any) { dst = fmt.Appendf(dst, format, args...) }
	line("<table border=1>\n")
	if t.Caption != "" {
		line("    <caption>%s</caption>\n", escapeHTML.Replace(t.Caption))
	}
	row := func(element string, cells []string) {
		line("  <tr>\n")
		for _, c := range cells {
			line("    <%s>%s</%s>\n", element, c, element)
		}
		line("  </tr>\n")
	}
	texts := make([]string, len(t.Headings))
	if !s.NoHeadings {
		for i, h := range t.Headings {
			texts[i] = escapeHTML.Replace(h)
		}
		row("th", texts)
	}
	for _, cells := range t.Rows {
		for i := range cells {
			texts[i] = linkUUIDs(escapeHTML.Replace(s.text(&cells[i])), t.Headings[i] == "_uuid")
		}
		row("td", texts)
	}
	return append(dst, "</table>\n"...)
}

var uuidText = regexp.MustCompile(`[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}`)

// linkUUIDs shortens the UUIDs in the text of a cell and makes them links to the
// row that they name, or where the row itself is, the target of such links.
func linkUUIDs(cell string, own bool) string {
	attribute := "href=\"#"
	if own {
		attribute = "name=\""
	}
	return uuidText.ReplaceAllStringFunc(cell, func(id string) string {
		return "<a " + attribute + id + "\">" + id[:8] + "</a>"
	})
}

// appendCSVField quotes a field that needs it (RFC 4180).
func appendCSVField(dst []byte, field string) []byte {
	if !strings.ContainsAny(field, "\n\",") && strings.Trim(field, " \t\r") == field {
		return append(dst, field...)
	}
	dst = append(dst, '"')
	dst = append(dst, strings.ReplaceAll(field, "\"", "\"\"")...)
	return append(dst, '"')
}

func (s *Style) appendCSV(dst []byte, t *Table) []byte {
	dst = s.appendCaption(dst, t)
	row := func(n int, text func(i int) string) {
		for i := range n {
			if i > 0 {
				dst = append(dst, ',')
			}
			dst = appendCSVField(dst, text(i))
		}
		dst = append(dst, '\n')
	}
	if !s.NoHeadings {
		row(len(t.Headings), func(i int) string { return t.Headings[i] })
	}
	for _, cells := range t.Rows {
		row(len(cells), func(i int) string { return s.text(&cells[i]) })
	}
	return dst
}

func (c *Cell) appendJSON(dst []byte) []byte {
	switch {
	case c.none:
		return append(dst, "null"...)
	case c.JSON != nil:
		return append(dst, c.JSON...)
	case c.Type == nil:
		return json.AppendString(dst, c.Text)
	}
	return c.Value.AppendJSON(dst)
}

func (s *Style) appendJSON(dst []byte, t *Table) []byte {
	b := []byte("{")
	if t.Caption != "" {
		b = append(b, `"caption":`...)
		b = json.AppendString(b, t.Caption)
		b = append(b, ',')
	}
	b = append(b, `"data":[`...)
	for n, row := range t.Rows {
		if n > 0 {
			b = append(b, ',')
		}
		b = append(b, '[')
		for i := range row {
			if i > 0 {
				b = append(b, ',')
			}
			b = row[i].appendJSON(b)
		}
		b = append(b, ']')
	}
	b = append(b, `],"headings":[`...)
	for i, h := range t.Headings {
		if i > 0 {
			b = append(b, ',')
		}
		b = json.AppendString(b, h)
	}
	b = append(b, ']')
	if t.Timestamp != "" {
		b = append(b, `,"time":`...)
		b = json.AppendString(b, t.Timestamp)
	}
	b = append(b, '}')
	indent := ""
	if s.Pretty {
		indent = "  "
	}
	dst, _ = json.Format(dst, b, indent)
	return append(dst, '\n')
}
