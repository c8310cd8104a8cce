package interop

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"weir/internal/lab"
)

// Mininet builds its networks of our switches: alone, and with a controller.
func TestMininet(t *testing.T) {
	mn := theirs.program(t, "mn")
	const space = "weir-io-mn"
	lab.RemoveNamespaces(space)
	t.Cleanup(func() { lab.RemoveNamespaces(space) })
	if err := lab.AddNamespace(space); err != nil {
		t.Fatal(err)
	}
	s := newStack(t, ours)
	s.space = space
	s.run(ours, "ovs-vsctl", "--no-wait", "init")
	s.run(ours, "ovs-vswitchd", "--detach", "--no-chdir", "--pidfile", "--log-file", "-vconsole:off")
	t.Setenv("PATH", filepath.Dir(ours.program(t, "ovs-vsctl"))+":"+os.Getenv("PATH"))
	for _, args := range []string{
		"--switch ovsbr --topo linear,3",
		"--switch ovsk,datapath=user --controller ovsc --topo single,3",
		"--switch ovsk,datapath=user,protocols=OpenFlow13 --controller ovsc --topo tree,2,2",
	} {
		ctx, cancel := context.WithTimeout(context.Background(), 3*patience)
		defer cancel()
		cmd := s.command(ctx, mn, append(strings.Fields(args), "--test", "pingall")...)
		out, err := cmd.CombinedOutput()
		if err != nil || !strings.Contains(string(out), "Results: 0% dropped") {
			t.Fatalf("mn %s: %v\n%s", args, err, out)
		}
	}
	if got := s.run(ours, "ovs-vsctl", "list-br"); got != "" {
		t.Errorf("bridges that are left: %s", got)
	}
}
