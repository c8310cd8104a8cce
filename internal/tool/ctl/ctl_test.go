package ctl

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"weir/schema"
)

func TestParse(t *testing.T) {
	o := defaults()
	command, err := o.parse([]string{"--system-id=random", "--no-monitor", "--external-id=a=b", "restart", "--ovsdb-server-priority=0", "--ovs-vswitchd-options=-vfile:dbg --x"})
	if err != nil || command != "restart" {
		t.Fatalf("got %q, %v", command, err)
	}
	if o.monitor || o.systemID != "random" || len(o.externalIDs) != 1 || o.priority["ovsdb-server"] != "0" || o.extra["ovs-vswitchd"] != "-vfile:dbg --x" {
		t.Errorf("options are %+v", o)
	}
	for _, tc := range []struct{ arg, want string }{
		{"--bogus", `unknown option "--bogus"`},
		{"-x", `unknown option "-x"`},
		{"--system-id", `option "--system-id" requires a value: --system-id=VALUE`},
		{"--external-id=a", `--external-id argument not in the form "key=value": a`},
	} {
		if _, err := defaults().parse([]string{tc.arg, "start"}); err == nil || err.Error() != tc.want {
			t.Errorf("%s: got %v, want %s", tc.arg, err, tc.want)
		}
	}
	if _, err := defaults().parse(nil); err == nil || err.Error() != "missing command name" {
		t.Errorf("no command: got %v", err)
	}
}

// TestSchemaFile: a schema that another installation has left in the usual place is
// not taken for this program's.
func TestSchemaFile(t *testing.T) {
	dir := t.TempDir()
	read := func(o *options) string {
		t.Helper()
		file, remove, err := (&control{opts: o}).schemaFile()
		if err != nil {
			t.Fatal(err)
		}
		defer remove()
		data, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		return string(data)
	}
	t.Setenv("OVS_PKGDATADIR", "")
	if read(defaults()) != string(schema.VSwitch) {
		t.Errorf("the schema isn't the one built in")
	}
	file := filepath.Join(dir, "vswitch.ovsschema")
	if err := os.WriteFile(file, []byte("mine"), 0o600); err != nil {
		t.Fatal(err)
	}
	if got := read(&options{dbSchema: file}); got != "mine" {
		t.Errorf("--db-schema: %q", got)
	}
	t.Setenv("OVS_PKGDATADIR", dir)
	if got := read(defaults()); got != "mine" {
		t.Errorf("OVS_PKGDATADIR: %q", got)
	}
	o := &options{dbSchema: filepath.Join(dir, "nonesuch")}
	if _, _, err := (&control{opts: o}).schemaFile(); err == nil {
		t.Errorf("--db-schema of a file that isn't there succeeds")
	}
}

func TestShellCommand(t *testing.T) {
	for _, tc := range []struct {
		input string
		words []string
		want  string
	}{
		{"", []string{"ip", "link", "set", "br0"}, "ip link set br0\n"},
		{"", []string{"a", "", "b c", "it's"}, `a '' 'b c' 'it'\''s'` + "\n"},
		{"x\ny\n", []string{"cat", "-"}, "cat - <<'EOF'\nx\ny\nEOF\n"},
		{"x\nEOF\n$(y)", []string{"cat"}, "cat <<'EOF_'\nx\nEOF\n$(y)\nEOF_\n"},
	} {
		got := shellCommand(tc.input, tc.words...)
		if got != tc.want {
			t.Errorf("got %q, want %q", got, tc.want)
		}
	}
	out, err := exec.Command("sh", "-c", shellCommand("$HOME `x` EOF\\\n", "cat")+shellCommand("", "printf", "<%s>", "it's $HOME", "")).Output()
	if want := "$HOME `x` EOF\\\n<it's $HOME><>"; err != nil || string(out) != want {
		t.Errorf("the shell makes %q of it, want %q: %v", out, want, err)
	}
}

func TestFlowLines(t *testing.T) {
	dump := "OFPST_FLOW reply (OF1.5) (xid=0x2):\n cookie=0x1, table=0, priority=5 actions=drop\n"
	if got, want := flowLines(dump), "cookie=0x1, table=0, priority=5 actions=drop\n"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestTunnelOptions(t *testing.T) {
	dump := "NXT_TLV_TABLE_REPLY (xid=0x4):\n max option space=256 max fields=64\n allocated option space=12\n\n mapping table:\n" +
		"  class  type  length  match field\n ------  ----  ------  --------------\n 0xffff   0x0       4  tun_metadata0\n 0x102   0x80       8  tun_metadata5\n"
	if got, want := tunnelOptions(dump), "{class=0xffff,type=0x0,len=4}->tun_metadata0,{class=0x102,type=0x80,len=8}->tun_metadata5"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestMeterLines(t *testing.T) {
	dump := "OFPST_METER_CONFIG reply (OF1.3) (xid=0x2):\nmeter=1 kbps burst stats bands=\ntype=drop rate=1000 burst_size=100\ntype=dscp_remark rate=2 burst_size=3 prec_level=1\nmeter=2 pktps bands=\n"
	want := []string{"meter=1 kbps burst stats bands= type=drop rate=1000 burst_size=100 type=dscp_remark rate=2 burst_size=3 prec_level=1", "meter=2 pktps bands="}
	if got := meterLines(dump); !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestMentions(t *testing.T) {
	const rules = "-P INPUT ACCEPT\n-A INPUT -s 1.2.3.4/32 -p gre -j DROP\n-A INPUT -p tcp -m tcp --sport 1 --dport 2 -j ACCEPT\n"
	for _, tc := range []struct {
		want string
		ok   bool
	}{
		{"-p gre", true}, {"-p tcp", true}, {"-p tcp --sport 1", true}, {"-p tcp --dport 2 --sport 1", true},
		{"-p udp", false}, {"-p tcp --dport 1", false}, {"-p gre --dport 2", false},
	} {
		if got := mentions(rules, strings.Fields(tc.want)); got != tc.ok {
			t.Errorf("%s: %v", tc.want, got)
		}
	}
}
