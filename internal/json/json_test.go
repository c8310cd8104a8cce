package json

import (
	stdjson "encoding/json"
	"errors"
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

func TestErrorsSayWhere(t *testing.T) {
	for _, tt := range []struct{ in, want string }{
		{"", "line 0, column 0, byte 0: unexpected end of input"},
		{"{", "line 0, column 1, byte 1: unexpected end of input"},
		{"{\n \"a\" 1}", "line 1, column 5, byte 7: syntax error parsing object expecting ':'"},
		{"[1 2]", "line 0, column 3, byte 3: syntax error expecting ']' or ','"},
		{"[1,]", "line 0, column 3, byte 3: syntax error parsing value"},
		{"{1:2}", "line 0, column 1, byte 1: syntax error parsing object expecting string"},
		{"root", "line 0, column 4, byte 4: invalid keyword 'root'"},
		{"\"a\x01\"", "line 0, column 2, byte 2: U+0001 must be escaped in quoted string"},
		{`"\u0000"`, "line 0, column 1, byte 1: null bytes not supported in quoted strings"},
		{`"\ud800"`, "line 0, column 1, byte 1: leading surrogate \\u escape not followed by trailing surrogate"},
		{`"\x"`, "line 0, column 1, byte 1: bad escape \\x"},
		{"\"\xff\"", "line 0, column 1, byte 1: string is not valid UTF-8"},
		{"01", "line 0, column 0, byte 0: leading zeros not allowed"},
		{"1.", "line 0, column 0, byte 0: decimal point must be followed by digit"},
		{"1e999", "line 0, column 0, byte 0: number outside valid range"},
		{"{} x", "line 0, column 3, byte 3: trailing garbage at end of input"},
		{strings.Repeat("[", 1001), "line 0, column 1000, byte 1000: input exceeds maximum nesting depth 1000"},
	} {
		err := Valid([]byte(tt.in))
		if err == nil || err.Error() != tt.want {
			t.Errorf("%q: %v, want %s", tt.in, err, tt.want)
		}
	}
}

func TestNumbers(t *testing.T) {
	for _, tt := range []struct {
		in   string
		kind Kind
		want string
	}{
		{"0", Integer, "0"}, {"-0", Integer, "0"}, {"1e3", Integer, "1000"}, {"2.0", Integer, "2"},
		{"9223372036854775807", Integer, "9223372036854775807"},
		{"-9223372036854775808", Integer, "-9223372036854775808"},
		{"9223372036854775808", Real, "9.2233720368547758e+18"},
		{"1.5", Real, "1.5"}, {"0.1", Real, "0.1"}, {"1e-7", Real, "1e-07"}, {"1e100", Real, "1e+100"},
		{"3.14159265358979312", Real, "3.1415926535897931"},
	} {
		s := NewScanner([]byte(tt.in))
		if k := s.Next(); k != tt.kind {
			t.Errorf("%s: %v, want %v", tt.in, k, tt.kind)
		}
		if got := string(Canonical([]byte(tt.in))); got != tt.want {
			t.Errorf("%s prints as %s, want %s", tt.in, got, tt.want)
		}
	}
}

func TestFormat(t *testing.T) {
	const in = `{"b":[1,{"c":"\u00e9\n"},[]],"a":{},"b2":true,"a":null}`
	if got, want := string(Canonical([]byte(in))), `{"a":null,"b":[1,{"c":"é\n"},[]],"b2":true}`; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	got, err := Format(nil, []byte(in), "  ")
	if want := "{\n  \"a\": null,\n  \"b\": [\n    1,\n    {\n      \"c\": \"é\\n\"},\n    []],\n  \"b2\": true}"; err != nil || string(got) != want {
		t.Errorf("got %s %v, want %s", got, err, want)
	}
}

// TestAgainstStandardLibrary: what encoding/json writes is read, and what
// Canonical writes has the same value.
func TestAgainstStandardLibrary(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var v any = drawValue(t, 3)
		text, err := stdjson.Marshal(v)
		if err != nil {
			t.Fatal(err)
		}
		out, err := AppendCanonical(nil, text)
		if err != nil {
			t.Fatalf("%s: %v", text, err)
		}
		var back any
		if err := stdjson.Unmarshal(out, &back); err != nil {
			t.Fatalf("%s: %v", out, err)
		}
		if fmt.Sprint(back) != fmt.Sprint(v) {
			t.Fatalf("%s became %s", text, out)
		}
	})
}

func drawValue(t *rapid.T, depth int) any {
	switch n := rapid.IntRange(0, 5).Draw(t, "kind"); {
	case n == 0 && depth > 0:
		m := map[string]any{}
		for range rapid.IntRange(0, 3).Draw(t, "members") {
			m[rapid.StringMatching(`[a-zé"\\]{0,3}`).Draw(t, "name")] = drawValue(t, depth-1)
		}
		return m
	case n == 1 && depth > 0:
		a := []any{}
		for range rapid.IntRange(0, 3).Draw(t, "elements") {
			a = append(a, drawValue(t, depth-1))
		}
		return a
	case n == 2:
		return rapid.Bool().Draw(t, "bool")
	case n == 3:
		f := rapid.Float64().Draw(t, "real")
		if math.IsInf(f, 0) || math.IsNaN(f) || f == 0 {
			return 1.5
		}
		return f
	}
	return rapid.StringMatching(`[a-z \t\n"\\é😀]{0,5}`).Draw(t, "string")
}

// TestSplitter: however a stream is cut, the same values come out.
func TestSplitter(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		inner := map[string]string{`{}`: "", `[1,"]"]`: "", `{"a\"}":[{}]}`: `[{}]`, `["\\"]`: "", `{"a":[[1],"]"],"b":{"c":[]} }`: `{"c":[]}`}
		values := rapid.SliceOf(rapid.SampledFrom(slices.Sorted(maps.Keys(inner)))).Draw(t, "values")
		stream := []byte(strings.Join(values, rapid.SampledFrom([]string{"", " ", "\n"}).Draw(t, "space")))
		var s Splitter
		var got []string
		for len(stream) > 0 {
			n := rapid.IntRange(1, len(stream)).Draw(t, "chunk")
			_, _ = s.Write(stream[:n])
			stream = stream[n:]
			for {
				v, err := s.Next()
				if err != nil {
					t.Fatal(err)
				}
				if v == nil {
					break
				}
				got = append(got, string(v))
				if last := s.Last(); string(v[last.From:last.To]) != inner[string(v)] {
					t.Fatalf("the last container of %s is at %v", v, last)
				}
			}
		}
		if strings.Join(got, "|") != strings.Join(values, "|") {
			t.Fatalf("got %q, want %q", got, values)
		}
	})
}

func TestSplitterLimits(t *testing.T) {
	s := Splitter{Max: 3}
	_, _ = s.Write([]byte(`["abc`))
	if _, err := s.Next(); err == nil {
		t.Error("no error beyond the limit")
	}
	s = Splitter{}
	_, _ = s.Write([]byte(`x`))
	var syntax *SyntaxError
	if _, err := s.Next(); !errors.As(err, &syntax) {
		t.Errorf("garbage: %v", err)
	}
}

func TestScannerDoesNotAllocate(t *testing.T) {
	data := []byte(`{"op":"update","row":{"n":[1,2.5,true,"plain"]},"where":[["_uuid","==",["uuid","550e8400-e29b-41d4-a716-446655440000"]]]}`)
	s := NewScanner(data)
	allocs := testing.AllocsPerRun(100, func() {
		s.Reset(data)
		for s.Next() != EOF {
		}
	})
	// strconv.ParseFloat wants a string.
	if allocs > 1 {
		t.Errorf("%v allocations", allocs)
	}
}

func FuzzScanner(f *testing.F) {
	f.Add([]byte(`{"a":[1,-2.5e3,"\u00e9\ud83d\ude00",null,true]}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		out, err := AppendCanonical(nil, data)
		if err != nil {
			return
		}
		again, err := AppendCanonical(nil, out)
		if err != nil || string(again) != string(out) {
			t.Errorf("%q prints as %q, which prints as %q (%v)", data, out, again, err)
		}
		if !stdjson.Valid(out) {
			t.Errorf("%q prints as %q, which isn't JSON", data, out)
		}
	})
}

var benchText = []byte(`{"method":"transact","params":["Open_vSwitch",` + strings.TrimSuffix(strings.Repeat(
	`{"op":"insert","table":"Port","uuid-name":"row123","row":{"name":"port-12345","tag":12,"other_config":["map",[["a","b"],["c","d"]]],"interfaces":["set",[["named-uuid","rowabc"],["uuid","550e8400-e29b-41d4-a716-446655440000"]]]}},`, 100), ",") + `],"id":17}`)

func BenchmarkScanner(b *testing.B) {
	b.SetBytes(int64(len(benchText)))
	b.ReportAllocs()
	s := NewScanner(benchText)
	for b.Loop() {
		s.Reset(benchText)
		for s.Next() != EOF {
		}
	}
}
