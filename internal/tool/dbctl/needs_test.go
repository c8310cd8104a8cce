package dbctl

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

// Commands that name a record ask for that record alone.
func TestNeeds(t *testing.T) {
	p := testProgram(t)
	p.RowIDs = map[string][]RowID{
		"Bridge": {{Table: "Bridge", Column: "name"}},
		"Port":   {{Table: "Port", Column: "name"}},
	}
	const id = "5ef6e4b2-8c6b-4a53-8a14-5d7b4d3c9a11"
	for _, tt := range []struct {
		words  []string
		whole  bool
		tables map[string][]string
		where  map[string]string
	}{
		{words: []string{"get", "Port", "p\"0", "tag"},
			tables: map[string][]string{"Port": {"name", "tag"}}, where: map[string]string{"Port": `[["name","==","p\"0"]]`}},
		{words: []string{"get", "Port", "p0", "tag"}, whole: true,
			tables: map[string][]string{"Port": {"name", "tag"}}, where: map[string]string{}},
		{words: []string{"destroy", "Port", "p0", id},
			tables: map[string][]string{"Port": {"name"}}, where: map[string]string{"Port": `[["name","==","p0"],["_uuid","==",["uuid","` + id + `"]],["name","==","` + id + `"]]`}},
		// The beginning of a UUID can't be asked for, nor "the only row".
		{words: []string{"get", "Port", "beef", "tag"}, tables: map[string][]string{"Port": {"name", "tag"}}, where: map[string]string{}},
		{words: []string{"get", "Port", ".", "tag"}, tables: map[string][]string{"Port": {"name", "tag"}}, where: map[string]string{}},
		{words: []string{"--columns=tag", "list", "Port"}, tables: map[string][]string{"Port": {"tag"}}, where: map[string]string{}},
		{words: []string{"--columns=tag", "find", "Port", "name=p0"}, tables: map[string][]string{"Port": {"name", "tag"}}, where: map[string]string{}},
		{words: []string{"--id=@p", "create", "Port", "name=p0", "--", "add", "Bridge", "b", "ports", "@p"},
			tables: map[string][]string{"Port": nil, "Bridge": {"name", "ports"}}, where: map[string]string{"Port": `[false]`, "Bridge": `[["name","==","b"]]`}},
		{words: []string{"set", "Port", "p0", "tag=1", "--", "list", "Port", "p1", "--", "find", "Port"},
			tables: map[string][]string{"Port": {"_uuid", "name", "tag"}}, where: map[string]string{}},
	} {
		commands, err := p.ParseCommands(tt.words, nil)
		if err != nil {
			t.Fatal(err)
		}
		n := newNeeds(p, tt.whole)
		for _, c := range commands {
			if err := c.Needs(n, c); err != nil {
				t.Fatal(err)
			}
		}
		tables, where := n.config()
		if d := cmp.Diff(tt.tables, tables); d != "" {
			t.Errorf("%q: columns: %s", tt.words, d)
		}
		if d := cmp.Diff(tt.where, where); d != "" {
			t.Errorf("%q: conditions: %s", tt.words, d)
		}
	}
}
