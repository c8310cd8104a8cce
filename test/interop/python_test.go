package interop

import (
	"context"
	"os/exec"
	"strings"
	"testing"
	"time"
)

// Open vSwitch's own Python library follows our server and survives its
// reconnects.
func TestPythonLibrary(t *testing.T) {
	const python = "/usr/bin/python3"
	if err := exec.Command(python, "-c", "import ovs.db.idl").Run(); err != nil {
		theirs.program(t, "python3-openvswitch") // skips, or fails where it should be there
	}
	s := newStack(t, ours)
	ctx, cancel := context.WithTimeout(context.Background(), 3*patience)
	defer cancel()
	cmd := exec.CommandContext(ctx, python, "testdata/idl.py", "../../schema/vswitch.ovsschema", "unix:"+s.path("db.sock"),
		ours.program(t, "ovs-appctl"), "-t", "ovsdb-server", "ovsdb-server/reconnect")
	cmd.Env, cmd.WaitDelay = s.env(), time.Second
	out, err := cmd.CombinedOutput()
	if err != nil || !strings.Contains(string(out), "OK py1 py2 py3") {
		t.Errorf("%v\n%s", err, out)
	}
}
