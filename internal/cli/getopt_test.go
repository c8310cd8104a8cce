package cli

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

var testOptions = []Option{
	{Long: "target", Short: 't', Arg: RequiredArg},
	{Long: "timeout", Short: 'T', Arg: RequiredArg},
	{Long: "verbose", Short: 'v', Arg: OptionalArg},
	{Long: "strict"},
	{Short: 'm'},
}

func render(options []Parsed, operands []string) string {
	var words []string
	for _, o := range options {
		name := o.Long
		if name == "" {
			name = string(o.Short)
		}
		if o.HasValue {
			name += "=" + o.Value
		}
		words = append(words, name)
	}
	return strings.Join(words, " ") + " | " + strings.Join(operands, " ")
}

func TestParse(t *testing.T) {
	for _, tc := range []struct {
		args    string
		inOrder bool
		want    string
	}{
		{"a --strict b", false, "strict | a b"},
		{"a --strict b", true, " | a --strict b"},
		{"-mtx -v -vdbg -t y --target=z --target w", false, "m target=x verbose verbose=dbg target=y target=z target=w | "},
		{"--str --verbose --verbose=dbg", false, "strict verbose verbose=dbg | "},
		{"--strict -- --strict -m", false, "strict | --strict -m"},
		{"- x", false, " | - x"},
		{"--foo", false, "error: unrecognized option '--foo'"},
		{"--foo=1", false, "error: unrecognized option '--foo=1'"},
		{"--t=1", false, "error: option '--t=1' is ambiguous; possibilities: '--target' '--timeout'"},
		{"--t", false, "error: option '--t' is ambiguous; possibilities: '--target' '--timeout'"},
		{"-x", false, "error: invalid option -- 'x'"},
		{"-t", false, "error: option requires an argument -- 't'"},
		{"--target", false, "error: option '--target' requires an argument"},
		{"--strict=1", false, "error: option '--strict' doesn't allow an argument"},
	} {
		p := Parser{Options: testOptions, InOrder: tc.inOrder}
		options, operands, err := p.Parse(strings.Fields(tc.args))
		got := render(options, operands)
		if err != nil {
			got = "error: " + err.Error()
		}
		if diff := cmp.Diff(tc.want, got); diff != "" {
			t.Errorf("%s: %s", tc.args, diff)
		}
	}
}

func FuzzParse(f *testing.F) {
	f.Add("-mtx --target=z -- a")
	f.Fuzz(func(t *testing.T, line string) {
		p := Parser{Options: testOptions}
		args := strings.Split(line, " ")
		_, operands, err := p.Parse(args)
		if err == nil && len(operands) > len(args) {
			t.Errorf("%q has more operands than words", line)
		}
	})
}

func TestParseTimeout(t *testing.T) {
	for _, tc := range []struct {
		in   string
		want uint
	}{{"5", 5}, {"+1", 1}, {"0", 0}, {"", 0}, {"-1", 0}, {" 1", 0}, {"1.5", 0}, {"0x1", 0}, {"99999999999", 0}} {
		got, err := ParseTimeout("-t or --timeout", tc.in)
		if got != tc.want || (err == nil) != (tc.want != 0) {
			t.Errorf("%q: %d, %v", tc.in, got, err)
		}
	}
}
