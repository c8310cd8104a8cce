package engine

import (
	"fmt"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"weir/internal/json"
	"weir/internal/ovsdb"
)

// countingLayout is a layout whose UUIDs come in a known order.
func countingLayout(schema *ovsdb.DatabaseSchema) *Layout {
	l := NewLayout(schema)
	n := uint16(0)
	l.newUUID = func() ovsdb.UUID { n++; return ovsdb.UUID{0: 1, 14: byte(n >> 8), 15: byte(n)} }
	return l
}

// parseSlowly is ParseRequest without quickInsert.
func parseSlowly(l *Layout, params []byte) *Request {
	p := opParser{layout: l, params: params}
	p.symbols.newUUID = l.newUUID
	p.dec = ovsdb.Decoder{Symbols: &p.symbols}
	r := &Request{layout: l, readOnly: true}
	s := &p.ops
	s.ResetValid(params)
	s.Next()
	_ = s.Array(func(i int) error {
		if r.total = i; i == 0 || r.failed != nil {
			return s.Skip()
		}
		p.begin(i)
		op, err := p.parse()
		if r.failed = err; err == nil {
			r.add(op)
		}
		return nil
	})
	return r
}

// outcome shows what a request does to an empty database, with UUIDs replaced by
// the order in which they appear.
func outcome(l *Layout, r *Request) string {
	db := NewDB(NewSnapshot(l))
	out := r.Execute(db, &Env{})
	var b strings.Builder
	b.Write(out.Result)
	for _, c := range out.Changes {
		fmt.Fprintf(&b, "\n%s %s", c.Table.Name, c.New.AppendJSON(nil, c.Table.Columns[ovsdb.VersionColumn+1:]))
	}
	text := b.String()
	for n := 0; ; n++ {
		i := strings.Index(text, "01000000-0000-0000-0000-")
		if i < 0 {
			return text
		}
		text = strings.ReplaceAll(text, text[i:i+36], fmt.Sprintf("<%d>", n))
	}
}

// TestQuickInsert: parsing a plain insert in one pass makes what parsing it member
// by member does, and what isn't plain is left to the latter.
func TestQuickInsert(t *testing.T) {
	members := []string{
		`"op":"insert"`, `"op":"insert"`, `"op":"insert"`, `"op":"delete"`, `"table":"root"`, `"table":"root"`, `"table":"leaf"`, `"table":"none"`,
		`"row":{"name":"a"}`, `"row":{"name":"b","i":3,"si":["set",[3,1,2]]}`, `"row":{"i":99}`, `"row":{"v":1,"next":["named-uuid","x"]}`, `"row":{"v":2}`,
		`"row":{"strong":["named-uuid","y"]}`, `"row":{"weak":["set",[["named-uuid","x"]]]}`, `"row":{"none":1}`, `"row":{"name":"c","name":"d"}`, `"row":[]`,
		`"uuid-name":"x"`, `"uuid-name":"y"`, `"uuid-name":"1"`, `"uuid-name":3`, `"uuid":"550e8400-e29b-41d4-a716-446655440000"`, `"uuid":"x"`, `"where":[]`, `"\u0072ow":{"v":7}`,
	}
	quick := 0
	schema := newTestDB(t).layout.Schema
	rapid.Check(t, func(t *rapid.T) {
		var ops []string
		for range rapid.IntRange(1, 4).Draw(t, "operations") {
			op := rapid.SliceOfN(rapid.SampledFrom(members), 2, 5).Draw(t, "members")
			if rapid.IntRange(0, 3).Draw(t, "plain") > 0 {
				table := rapid.SampledFrom([]string{"root", "leaf"}).Draw(t, "table")
				rows := map[string][]string{"root": members[8:11], "leaf": members[11:13]}[table]
				op = []string{members[0], `"table":"` + table + `"`, rapid.SampledFrom(rows).Draw(t, "row")}
				if rapid.Bool().Draw(t, "named") {
					op = append(op, rapid.SampledFrom(members[18:20]).Draw(t, "name"))
				}
				op = append(op[:1], rapid.Permutation(op[1:]).Draw(t, "order")...)
			}
			ops = append(ops, "{"+strings.Join(op, ",")+"}")
		}
		params := []byte(`["all",` + strings.Join(ops, ",") + `]`)
		l := countingLayout(schema)
		fast, err := ParseRequest(l, params)
		if err != nil {
			t.Fatal(err)
		}
		for i := range fast.ops {
			if fast.ops[i].insert != nil {
				quick++
			}
		}
		slow := parseSlowly(l, params)
		if got, want := outcome(l, fast), outcome(l, slow); got != want {
			t.Fatalf("%s\ngives %s\nand slowly %s", params, got, want)
		}
	})
	if quick == 0 {
		t.Error("no insert was parsed")
	}
}

// TestParseRequestChecks: malformed params are refused, whatever is wrong and where.
func TestParseRequestChecks(t *testing.T) {
	l := countingLayout(newTestDB(t).layout.Schema)
	texts := []string{
		`["all",{"op":"insert","table":"root","row":{"name":"a","si":["set",[1,2]]}},{"op":"insert","row":{"v":1},"table":"leaf"}]`,
		`["all",{"op":"mutate","table":"root","where":[["i","==",1]],"mutations":[["i","+=",1]]},{"op":"none"},{"op":"comment","comment":"\u00e9"}]`,
		`["all",{"op":"insert","table":"leaf","uuid-name":"x","row":{"next":["named-uuid","x"]}},3,{"op":"insert","table":"none","row":{"a":[{}]}}]`,
	}
	refused := 0
	rapid.Check(t, func(t *rapid.T) {
		text := []byte(rapid.SampledFrom(texts).Draw(t, "text"))
		for range rapid.IntRange(1, 2).Draw(t, "faults") {
			at := rapid.IntRange(1, len(text)-1).Draw(t, "at")
			c := rapid.SampledFrom([]byte(`[]{}",:0 a\`)).Draw(t, "byte")
			switch rapid.IntRange(0, 2).Draw(t, "kind") {
			case 0:
				text[at] = c
			case 1:
				text = append(text[:at], text[at+1:]...)
			default:
				text = append(text[:at], append([]byte{c}, text[at:]...)...)
			}
		}
		want := json.Valid(text)
		if _, err := ParseRequest(l, text); (err == nil) != (want == nil) {
			t.Fatalf("%s: %v, want %v", text, err, want)
		}
		if want != nil {
			refused++
		}
	})
	if refused == 0 {
		t.Error("nothing was malformed")
	}
}

// TestQuickInsertIsTaken: what clients send is parsed in one pass.
func TestQuickInsertIsTaken(t *testing.T) {
	l := countingLayout(newTestDB(t).layout.Schema)
	for _, op := range []string{
		`{"op":"insert","table":"root","row":{"name":"a"}}`,
		`{"op":"insert","row":{"name":"a"},"table":"root","uuid-name":"x"}`,
	} {
		p := opParser{layout: l, params: []byte(op)}
		p.symbols.newUUID = l.newUUID
		p.dec = ovsdb.Decoder{Symbols: &p.symbols, Share: true}
		p.ops.ResetValid(p.params)
		p.ops.Next()
		if _, ok := p.quickInsert(); !ok {
			t.Errorf("%s was not taken", op)
		}
	}
}
