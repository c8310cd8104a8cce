package ovsdb

import (
	"testing"

	"weir/internal/json"
)

func mustType(t testing.TB, text string) *ColumnType {
	s := json.NewScanner([]byte(text))
	s.Next()
	typ, err := ParseType(s)
	if err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	return &typ
}

// TestParseJSON pins the texts of errors, which are those of the C programs.
func TestParseJSON(t *testing.T) {
	for _, tt := range []struct{ typ, in, want string }{
		{`"integer"`, `9223372036854775807`, `9223372036854775807`},
		{`"integer"`, `1.5`, `syntax "1.5": syntax error: expected integer`},
		{`"real"`, `3`, `3`},
		{`"real"`, `"x"`, `syntax ""x"": syntax error: expected number`},
		{`"string"`, `["set",["a"]]`, `"a"`},
		{`"string"`, `["set",["a","b"]]`, `syntax "["set",["a","b"]]": syntax error: set must have exactly one member but 2 are present`},
		{`"string"`, `["foo",[]]`, `syntax "["foo",[]]": syntax error: expected string`},
		{`{"key":"string","min":0}`, `["set",[]]`, `["set",[]]`},
		{`{"key":"string","min":0}`, `["set",["b","a"]]`, `syntax "["set",["b","a"]]": syntax error: set must have 0 to 1 members but 2 are present`},
		{`{"key":"string","min":1,"max":"unlimited"}`, `["set",[]]`, `syntax "["set",[]]": syntax error: set must have 1 or more members but 0 are present`},
		{`{"key":"integer","min":0,"max":"unlimited"}`, `["set",[3,1,2]]`, `["set",[1,2,3]]`},
		{`{"key":"integer","min":0,"max":"unlimited"}`, `["set",[1,1]]`, `ovsdb error: set contains duplicate`},
		{`{"key":"integer","min":0,"max":"unlimited"}`, `["set",[1,"x"]]`, `syntax ""x"": syntax error: expected integer`},
		{`{"key":"integer","min":0,"max":"unlimited"}`, `["set",[1],2]`, `syntax "["set",[1],2]": syntax error: expected ["set", <array>]`},
		{`{"key":"string","value":"integer","min":0,"max":"unlimited"}`, `["map",[["b",2],["a",1]]]`, `["map",[["a",1],["b",2]]]`},
		{`{"key":"string","value":"integer","min":0,"max":"unlimited"}`, `["map",[["b",2],["b",1]]]`, `ovsdb error: map contains duplicate key`},
		{`{"key":"string","value":"integer","min":0,"max":"unlimited"}`, `["map",[["b"]]]`, `syntax "["b"]": syntax error: expected 2-element array`},
		{`{"key":"string","value":"integer","min":0,"max":"unlimited"}`, `["set",[]]`, `syntax "["set",[]]": syntax error: expected ["map", <array>]`},
		{`"uuid"`, `["uuid","550E8400-e29b-41d4-a716-446655440000"]`, `["uuid","550e8400-e29b-41d4-a716-446655440000"]`},
		{`"uuid"`, `["uuid","x"]`, `syntax "["uuid","x"]": syntax error: "x" is not a valid UUID`},
		{`"uuid"`, `["named-uuid","x"]`, `syntax "["named-uuid","x"]": syntax error: expected ["uuid", <string>]`},
		{`"uuid"`, `5`, `syntax "5": syntax error: expected ["uuid", <string>]`},
		{`{"key":{"type":"integer","minInteger":1,"maxInteger":5}}`, `6`, `constraint violation: 6 is not in the valid range 1 to 5 (inclusive)`},
		{`{"key":{"type":"integer","minInteger":1}}`, `0`, `constraint violation: 0 is less than minimum allowed value 1`},
		{`{"key":{"type":"integer","maxInteger":1}}`, `2`, `constraint violation: 2 is greater than maximum allowed value 1`},
		{`{"key":{"type":"real","minReal":0.5,"maxReal":1.5}}`, `2`, `constraint violation: 2 is not in the valid range 0.5 to 1.5 (inclusive)`},
		{`{"key":{"type":"string","minLength":2}}`, `"é"`, `constraint violation: "é" length 1 is less than minimum allowed length 2`},
		{`{"key":{"type":"string","maxLength":2}}`, `"abc"`, `constraint violation: "abc" length 3 is greater than maximum allowed length 2`},
		{`{"key":{"type":"string","enum":["set",["b","a"]]}}`, `"c"`, `constraint violation: c is not one of the allowed values ([a, b])`},
		{`"boolean"`, `tru`, `line 0, column 3, byte 3: invalid keyword 'tru'`},
	} {
		d, err := mustType(t, tt.typ).ParseJSONText([]byte(tt.in))
		got := d.JSON()
		if err != nil {
			got = err.Error()
		}
		if got != tt.want {
			t.Errorf("%s %s:\n got %s\nwant %s", tt.typ, tt.in, got, tt.want)
		}
	}
}

func TestParseText(t *testing.T) {
	const set = `{"key":"string","min":0,"max":"unlimited"}`
	const ints = `{"key":{"type":"integer","minInteger":0,"maxInteger":4095},"min":0,"max":4096}`
	const m = `{"key":"string","value":"integer","min":0,"max":"unlimited"}`
	for _, tt := range []struct{ typ, in, want string }{
		{set, `a`, `[a]`}, {set, `[]`, `[]`}, {set, `b,a`, `[a, b]`}, {set, `[ "x y" , z ]`, `["x y", z]`},
		{set, `["a\"b"]`, `["a\"b"]`}, {set, `a b`, `[a, b]`},
		{set, `[a`, `[a: missing "]" at end of data`},
		{set, `a,a`, `a,a: set contains duplicate value`},
		{set, `"a`, `"a: quoted string extends past end of argument`},
		{set, ``, `use "[]" to specify the empty set`}, {set, ` `, `use "[]" to specify the empty set`}, {set, `a,`, `[a]`}, {set, `[a , b ,]`, `[a, b]`},
		{set, `,a`, `,a: unexpected "," parsing set of strings`}, {set, `a,,b`, `a,,b: unexpected "," parsing set of strings`},
		{set, `[a]b`, `[a]b: trailing garbage after "]"`}, {set, `a]`, `a]: unexpected "]" parsing set of strings`},
		{set, `a\,b`, `["a,b"]`}, {set, `\`, `\: backslash at end of argument`}, {set, `"\q"`, `"\q": bad escape \q`}, {set, `"a"b"c"`, `"a"b"c": quoted string may not include unescaped "`},
		{set, "\ta", `[a]`}, {set, "\xff", `constraint violation: not a valid UTF-8 string: invalid UTF-8 sequence 0xff`},
		{ints, `5-5`, `[5]`}, {ints, `1-2,2-3`, `1-2,2-3: set contains duplicate value`}, {ints, `{}`, `{}: unexpected "{" parsing set of up to 4096 integers`},
		{ints, `1,3,5-7`, `[1, 3, 5, 6, 7]`}, {ints, `5000`, `constraint violation: 5000 is not in the valid range 0 to 4095 (inclusive)`},
		{ints, `x`, `"x" is not a valid integer or range`}, {ints, `7-5`, `"7-5" is not a valid range. Range end cannot be before start.`},
		{m, `a=1`, `{a=1}`}, {m, `{b=2, a=1}`, `{a=1, b=2}`}, {m, `b:2`, `b:2: syntax error at ":" expecting "="`}, {m, `b = 2`, `{b=2}`},
		{m, ``, `use "{}" to specify the empty map`}, {m, `{}`, `{}`}, {m, `{1,2}`, `1,2}: syntax error at "," expecting "="`}, {m, `a=`, `"" is not a valid integer`}, {m, `a=1=2`, `a=1=2: unexpected "=" parsing map of (string, integer) pairs`}, {m, `a`, `a: syntax error at "`},
		{m, `a=x`, `"x" is not a valid integer`}, {m, `a=1,a=2`, `a=1,a=2: map contains duplicate key`},
		{`"string"`, `true`, `"true"`}, {`"string"`, ``, `use "[]" to specify the empty set`}, {`"string"`, `[]`, `[]: 0 value(s) specified but the minimum number is 1`},
		{`"string"`, `"x`, `"x: quoted string extends past end of argument`}, {`"string"`, `a=b`, `a=b: unexpected "=" parsing string`},
		{`{"key":"integer","min":0}`, `1-1`, `1`}, {`{"key":"integer","min":0}`, `1-2`, `1-2: 2 value(s) specified but the maximum number is 1`},
		{`"boolean"`, `yes`, `true`}, {`"boolean"`, `maybe`, `"maybe" is not a valid boolean (use "true" or "false")`},
		{`"real"`, `1e3`, `1000`}, {`"real"`, `nan`, `"nan" is not a valid real number`},
		{`"string"`, `a,b`, `a,b: 2 value(s) specified but the maximum number is 1`},
		{`{"key":"string","min":0}`, `[]`, `[]`}, {`{"key":"string","min":0}`, `x`, `x`},
		{`"string"`, `5ab`, `"5ab"`}, {`"string"`, `a.b-c_d1`, `a.b-c_d1`},
	} {
		typ := mustType(t, tt.typ)
		d, e := typ.ParseText(tt.in, nil)
		got := ""
		if e != nil {
			got = e.Error()
		} else {
			got = d.Text(typ)
		}
		if got != tt.want {
			t.Errorf("%s %q:\n got %s\nwant %s", tt.typ, tt.in, got, tt.want)
		}
	}
}

// TestErrorJSON pins the JSON form of errors.
func TestErrorJSON(t *testing.T) {
	e := SyntaxErrorf([]byte(`{ "b" : 1, "a" : 2 }`), "", "bad %s", "thing")
	if got, want := string(e.AppendJSON(nil)), `{"details":"bad thing","error":"syntax error","syntax":"{\"a\":2,\"b\":1}"}`; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

func TestSchemaErrors(t *testing.T) {
	for _, tt := range []struct{ in, want string }{
		{`{"tables":{}}`, `syntax "{"tables":{}}": syntax error: Parsing database schema failed: Required 'name' member is missing.`},
		{`{"name":"d","tables":{},"x":1}`, `syntax "{"name":"d","tables":{},"x":1}": syntax error: Parsing database schema failed: Member 'x' is present but not allowed here.`},
		{`{"name":1,"tables":{}}`, `syntax "{"name":1,"tables":{}}": syntax error: Parsing database schema failed: Type mismatch for member 'name'.`},
		{`{"name":"d","version":"1","tables":{}}`, `syntax ""1"": syntax error: schema version "1" not in format x.y.z`},
		{`{"name":"d","tables":{"_t":{"columns":{}}}}`, `syntax "{"columns":{}}": syntax error: names beginning with "_" are reserved`},
		{`{"name":"d","tables":{"t":{"columns":{"c":{"type":{"key":{"type":"uuid","refTable":"x"}}}}}}}`, `syntax error: Table t column c key refers to undefined table x`},
		{`{"name":"d","tables":{"t":{"columns":{"c":{"type":"foo"}}}}}`, `syntax ""foo"": syntax error: "foo" is not an atomic-type`},
		{`{"name":"d","tables":{"t":{"columns":{"c":{"type":{"key":"integer","min":2}}}}}}`, `syntax "{"key":"integer","min":2}": syntax error: ovsdb type fails constraint checks`},
		{`{"name":"d","tables":{"t":{"columns":{"c":{"type":"string"}},"indexes":[["c","c"]]}}}`, `syntax "["c","c"]": syntax error: array of distinct column names expected`},
		{`{"name":"d","tables":{`, `line 0, column 22, byte 22: unexpected end of input`},
	} {
		_, err := ParseSchema([]byte(tt.in))
		if err == nil || err.Error() != tt.want {
			t.Errorf("%s:\n got %v\nwant %s", tt.in, err, tt.want)
		}
	}
}

const fuzzSchema = `{"name":"d","tables":{"t":{"columns":{
 "i":{"type":{"key":"integer","min":0,"max":5}},"s":{"type":"string"},"o":{"type":{"key":"real","min":0}},
 "m":{"type":{"key":"string","value":"uuid","min":0,"max":"unlimited"}},"b":{"type":"boolean"}}}}}`

func FuzzParse(f *testing.F) {
	schema, err := ParseSchema([]byte(fuzzSchema))
	if err != nil {
		f.Fatal(err)
	}
	table := schema.Table("t")
	f.Add([]byte(`[["i","includes",["set",[1,2]]],["o","<",3]]`), "a=1,b")
	f.Add([]byte(`[["i","+=",1],["m","delete",["set",["a"]]]]`), `["x"]`)
	f.Add([]byte(`{"s":"x","m":["map",[["a",["uuid","550e8400-e29b-41d4-a716-446655440000"]]]]}`), "1-3")
	f.Add([]byte(`{"":0}`), "")
	f.Add([]byte(fuzzSchema), "")
	f.Fuzz(func(t *testing.T, data []byte, text string) {
		start := func() *json.Scanner {
			s := json.NewScanner(data)
			s.Next()
			return s
		}
		row := table.DefaultRow()
		if c, err := ParseCondition(table, start(), nil); err == nil {
			c.Matches(Store(table, row))
		}
		if ms, err := new(Decoder).Mutations(table, start()); err == nil {
			for i := range ms {
				_, _ = ms[i].Apply(row[ms[i].Column.Index])
			}
		}
		_ = ParseRow(table, start(), nil, row, func(*ColumnSchema) error { return nil })
		if s, err := ParseSchema(data); err == nil {
			if again, err := ParseSchema(s.AppendJSON(nil)); err != nil || again.JSON() != s.JSON() {
				t.Errorf("%s reads back with %v", s.JSON(), err)
			}
		}
		for _, c := range table.Columns {
			if d, e := c.Type.ParseText(text, nil); e == nil {
				if back, e := c.Type.ParseText(d.Text(&c.Type), nil); e != nil || back != d {
					t.Errorf("%q is %s, which reads back with %v", text, d.Text(&c.Type), e)
				}
			}
		}
	})
}
