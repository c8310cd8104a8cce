package ctl

import (
	"testing"
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

func TestFlowLines(t *testing.T) {
	dump := "OFPST_FLOW reply (OF1.5) (xid=0x2):\n cookie=0x1, table=0, priority=5 actions=drop\n"
	if got, want := flowLines(dump), "cookie=0x1, table=0, priority=5 actions=drop\n"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}
