package table

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"weir/internal/ovsdb"
)

// sample is a table with text, an optional value, a set and a map.
func sample() *Table {
	optional := ovsdb.SetType(ovsdb.NewBaseType(ovsdb.Integer), 0, 1)
	set := ovsdb.SetType(ovsdb.NewBaseType(ovsdb.String), 0, ovsdb.Unlimited)
	m := ovsdb.MapType(ovsdb.NewBaseType(ovsdb.String), ovsdb.NewBaseType(ovsdb.String))
	s := func(v string) ovsdb.Atom { return ovsdb.StringAtom(v) }
	return &Table{
		Headings: []string{"name", "tag", "set", "map"},
		Rows: [][]Cell{
			{Text("p,1"), Value(&optional, optional.Empty()), Value(&set, ovsdb.SetDatum(ovsdb.String, []ovsdb.Atom{s("b"), s("a c")})), Value(&m, m.Empty())},
			{Text("<p2>"), Value(&optional, ovsdb.ScalarDatum(ovsdb.IntAtom(5))), Value(&set, set.Empty()),
				Value(&m, ovsdb.MapDatum(ovsdb.String, ovsdb.String, []ovsdb.Pair{{Key: s("k"), Value: s("v\"")}}))},
		},
	}
}

func TestFormats(t *testing.T) {
	for _, tt := range []struct {
		name  string
		style Style
		want  string
	}{
		{"table", Style{Format: FormatTable, Data: DataString}, `name tag set        map
---- --- ---------- ---------
p,1  []  ["a c", b] {}
<p2> 5   []         {k="v\""}
`},
		{"bare table", Style{Format: FormatTable, Data: DataBare, NoHeadings: true}, "p,1    a c b\n<p2> 5       k=v\"\n"},
		{"list", Style{Format: FormatList, Data: DataString}, `name                : p,1
tag                 : []
set                 : ["a c", b]
map                 : {}

name                : <p2>
tag                 : 5
set                 : []
map                 : {k="v\""}
`},
		{"csv", Style{Format: FormatCSV, Data: DataString}, "name,tag,set,map\n\"p,1\",[],\"[\"\"a c\"\", b]\",{}\n<p2>,5,[],\"{k=\"\"v\\\"\"\"\"}\"\n"},
		{"json", Style{Format: FormatJSON}, `{"data":[["p,1",["set",[]],["set",["a c","b"]],["map",[]]],["<p2>",5,["set",[]],["map",[["k","v\""]]]]],"headings":["name","tag","set","map"]}` + "\n"},
		{"json cells", Style{Format: FormatCSV, Data: DataJSON, NoHeadings: true}, "\"p,1\",\"[\"\"set\"\",[]]\",\"[\"\"set\"\",[\"\"a c\"\",\"\"b\"\"]]\",\"[\"\"map\"\",[]]\"\n<p2>,5,\"[\"\"set\"\",[]]\",\"[\"\"map\"\",[[\"\"k\"\",\"\"v\\\"\"\"\"]]]\"\n"},
		{"narrow", Style{Format: FormatTable, Data: DataString, MaxWidth: 3}, "name tag set map\n---- --- --- ---\np,1  []  [\"a {}\n<p2> 5   []  {k=\n"},
	} {
		if d := cmp.Diff(tt.want, string(tt.style.Append(nil, sample()))); d != "" {
			t.Errorf("%s: -want +got\n%s", tt.name, d)
		}
	}
}

// A cell with nothing in it is null in JSON, and empty elsewhere.
func TestNone(t *testing.T) {
	in := &Table{Headings: []string{"a", "b"}, Rows: [][]Cell{{None, Text("x")}}}
	for format, want := range map[Format]string{
		FormatJSON: `{"data":[[null,"x"]],"headings":["a","b"]}`, FormatCSV: ",x", FormatTable: " x",
	} {
		s := Style{Format: format, NoHeadings: true}
		if got := string(s.Append(nil, in)); got != want+"\n" {
			t.Errorf("%s: got %q, want %q", format, got, want)
		}
	}
}

func TestHTMLEscapes(t *testing.T) {
	s := Style{Format: FormatHTML, Data: DataString, NoHeadings: true}
	got := string(s.Append(nil, &Table{Caption: "A & B", Headings: []string{"x"}, Rows: [][]Cell{{Text("<\"x\">")}}}))
	want := "<table border=1>\n    <caption>A &amp; B</caption>\n  <tr>\n    <td>&lt;&quot;x&quot;&gt;</td>\n  </tr>\n</table>\n"
	if got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}
