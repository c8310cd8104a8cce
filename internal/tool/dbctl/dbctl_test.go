package dbctl

import (
	"strings"
	"testing"

	"weir/internal/ovsdb"
)

const testSchema = `{"name":"D","tables":{
 "Bridge":{"columns":{"name":{"type":"string"},"name_two":{"type":"string"},"ports":{"type":{"key":{"type":"uuid","refTable":"Port"},"min":0,"max":"unlimited"}},
  "other_config":{"type":{"key":"string","value":"string","min":0,"max":"unlimited"}}},"isRoot":true},
 "Port":{"columns":{"name":{"type":"string"},"tag":{"type":{"key":"integer","min":0}}}},
 "Port_Group":{"columns":{"name":{"type":"string"}}}}}`

func testProgram(t *testing.T) *Program {
	s, err := ovsdb.ParseSchema([]byte(testSchema))
	if err != nil {
		t.Fatal(err)
	}
	return &Program{Schema: s, Commands: []Syntax{
		{Name: "add-br", Min: 1, Max: 3, Options: "--may-exist"},
		{Name: "set-manager", Min: 1, Max: Unlimited, Options: "--inactivity-probe="},
	}}
}

func TestParseCommands(t *testing.T) {
	p := testProgram(t)
	for _, tt := range []struct{ in, want string }{
		{"add-br a", "add-br[a]"},
		{"-- --may-exist add-br a b 3 -- set-manager x y", "add-br[a b 3]{--may-exist} set-manager[x y]"},
		{"-- --inactivity-probe=5 set-manager x", "set-manager[x]{--inactivity-probe}"},
		{"", "missing command name (use --help for help)"},
		{"-- --may-exist", "missing command name (use --help for help)"},
		{"add-br", "'add-br' command requires at least 1 arguments"},
		{"add-br 1 2 3 4", "'add-br' command takes at most 3 arguments"},
		{"add-br 1 2 3 --may-exist", "'add-br' command takes at most 3 arguments (note that options must precede command names and follow a \"--\" argument)"},
		{"-- --foo add-br a", "'add-br' command has no '--foo' option"},
		{"-- --may-exist=1 add-br a", "'--may-exist' option on 'add-br' does not accept an argument"},
		{"-- --inactivity-probe set-manager a", "missing argument to '--inactivity-probe' option on 'set-manager' command"},
		{"-- --may-exist --may-exist add-br a", "'--may-exist' option specified multiple times"},
		{"foo", "unknown command 'foo'; use --help for help"},
	} {
		commands, err := p.ParseCommands(strings.Fields(tt.in), nil)
		got := ""
		if err != nil {
			got = err.Error()
		}
		for i, c := range commands {
			if i > 0 {
				got += " "
			}
			got += c.Name + "[" + strings.Join(c.Argv[1:], " ") + "]"
			for name := range c.Options {
				got += "{" + name + "}"
			}
		}
		if got != tt.want {
			t.Errorf("%q: got %s, want %s", tt.in, got, tt.want)
		}
	}
}

func TestNames(t *testing.T) {
	p := testProgram(t)
	for in, want := range map[string]string{
		"Bridge": "Bridge", "bri": "Bridge", "port": "Port", "port-group": "Port_Group",
		"por": "\"por\" matches multiple table names: Port, Port_Group", "x": "unknown table \"x\"",
	} {
		got := ""
		if table, err := p.Table(in); err != nil {
			got = err.Error()
		} else {
			got = table.Name
		}
		if got != want {
			t.Errorf("table %s: got %s, want %s", in, got, want)
		}
	}
	bridge := p.Schema.Table("Bridge")
	for in, want := range map[string]string{
		"name": "name", "OTHER-config": "other_config", "_uuid": "_uuid", "o": "other_config",
		"nam": "Bridge contains more than one column whose name matches \"nam\": name, name_two",
		"x":   "Bridge does not contain a column whose name matches \"x\"",
	} {
		got := ""
		if c, err := column(bridge, in); err != nil {
			got = err.Error()
		} else {
			got = c.Name
		}
		if got != want {
			t.Errorf("column %s: got %s, want %s", in, got, want)
		}
	}
}

func TestArguments(t *testing.T) {
	bridge := testProgram(t).Schema.Table("Bridge")
	const noOperator = `argument does not end in "=", "!=", "<", ">", "<=", ">=", "{=}", "{!=}", "{<}", "{>}", "{<=}", "{>=}", "{in}", or "{not-in}" followed by a value.`
	for _, tt := range []struct{ in, column, key, op, value, err string }{
		{in: "name=x", column: "name", op: "=", value: "x"},
		{in: "other_config:a=b=c", column: "other_config", key: "a", op: "=", value: "b=c"},
		{in: `other_config:"a b"=c`, column: "other_config", key: `"a b"`, op: "=", value: "c"},
		{in: "name{not-in}x", column: "name", op: "{not-in}", value: "x"},
		{in: "name{<=}x", column: "name", op: "{<=}", value: "x"},
		{in: "name<=x", column: "name", op: "<=", value: "x"},
		{in: "name", err: "name: " + noOperator},
		{in: "=x", err: "=x: missing column name"},
		{in: `"x`, err: `"x: quoted string extends past end of argument`},
		{in: "name=", err: `name=: ` + noOperator}, {in: "other_config:a:=b", err: `other_config:a:=b: ` + noOperator},
		{in: "other_config: a=b", err: `other_config: a=b: ` + noOperator},
	} {
		a, err := parseArgument(bridge, tt.in, operatorList)
		if err != nil || tt.err != "" {
			if err == nil || err.Error() != tt.err {
				t.Errorf("%s: error %v, want %s", tt.in, err, tt.err)
			}
			continue
		}
		if a.column.Name != tt.column || a.key != tt.key || a.op != tt.op || a.value != tt.value {
			t.Errorf("%s: %+v", tt.in, a)
		}
	}
}

func TestCompare(t *testing.T) {
	typ := ovsdb.SetType(ovsdb.NewBaseType(ovsdb.Integer), 0, ovsdb.Unlimited)
	for _, tt := range []struct {
		have, op, want string
		ok             bool
	}{
		{"1,2", "=", "2,1", true}, {"1,2", "!=", "1", true}, {"1,2", "<", "1,3", true}, {"9", "<", "1,2", true},
		{"1", "{<=}", "1,2", true}, {"", "{<}", "1,2", true}, {"1,2", "{<}", "1,2", false}, {"1,3", "{in}", "1,2", false},
		{"1,2,3", "{>=}", "1,2", true}, {"1,2", "{>}", "1,2", false}, {"3", "{not-in}", "1,2", true}, {"2,3", "{not-in}", "1,2", false},
		{"1", "{!=}", "1", false}, {"1,2", ">=", "1,2", true}, {"1,3", ">", "1,2", true},
	} {
		have, _ := typ.ParseText(tt.have, nil)
		want, _ := typ.ParseText(tt.want, nil)
		if got := compare(have, tt.op, want); got != tt.ok {
			t.Errorf("%q %s %q: %v", tt.have, tt.op, tt.want, got)
		}
	}
}

func TestEscapeArgs(t *testing.T) {
	got := escapeArgs([]string{"ovs-vsctl", "set", "x", "a=\"b c\"", "", "$x"})
	if want := `ovs-vsctl set x "a=\"b c\"" "" "\$x"`; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}
