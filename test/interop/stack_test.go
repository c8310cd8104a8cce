// Package interop runs our programs together with Debian's C programs of Open
// vSwitch, in both directions: their tools on our daemons, ours on theirs, one
// daemon of each.
package interop

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"weir/internal/lab"
	"weir/test/alone"
	"weir/test/programs"
)

func TestMain(m *testing.M) { alone.Main(m) }

// side says whose program it is.
type side string

const (
	ours   side = "ours"
	theirs side = "theirs"
)

// other is the other side.
func (s side) other() side {
	if s == ours {
		return theirs
	}
	return ours
}

// program finds a program of a side.
func (s side) program(t testing.TB, name string) string {
	t.Helper()
	if s == ours {
		path, err := filepath.Abs("../../bin/" + name)
		if err == nil {
			_, err = os.Stat(path)
		}
		if err != nil {
			t.Fatalf("%v (run make first)", err)
		}
		return path
	}
	for _, dir := range []string{"/usr/bin/", "/usr/sbin/", "/usr/lib/openvswitch-switch/"} {
		path := dir + name
		if _, err := os.Stat(path); err == nil {
			return path
		}
	}
	if os.Getenv("CI") != "" {
		t.Fatalf("Debian's %s is not installed, and CI should have it", name)
	}
	t.Skipf("Debian's %s is not installed: scripts/install-packages test", name)
	return ""
}

// stack is a database server and perhaps a switch, in a directory of its own.
type stack struct {
	t     testing.TB
	dir   string
	space string // network namespace of all programs; empty is the test's own
}

// newStack starts a database server of one side, with an empty Open_vSwitch
// database that side created.
func newStack(t testing.TB, server side) *stack {
	t.Helper()
	s := emptyStack(t)
	s.run(server, "ovsdb-tool", "create", s.path("conf.db"), "../../schema/vswitch.ovsschema")
	s.startServer(server)
	return s
}

// emptyStack is a directory with nothing running.
func emptyStack(t testing.TB) *stack {
	t.Helper()
	dir, err := os.MkdirTemp("", "weir-io-") // socket paths must be short
	if err != nil {
		t.Fatal(err)
	}
	s := &stack{t: t, dir: dir}
	t.Cleanup(s.cleanUp)
	return s
}

func (s *stack) path(name string) string { return filepath.Join(s.dir, name) }

func (s *stack) cleanUp() {
	for _, daemon := range []string{"ovs-vswitchd", "ovsdb-server"} {
		if s.running(daemon) {
			s.end(daemon)
		}
	}
	logs, _ := filepath.Glob(s.path("*.log"))
	for _, name := range logs {
		log, _ := os.ReadFile(name)
		if crash := programs.Crash(string(log)); crash != "" {
			s.t.Errorf("%s: a crash: %s", filepath.Base(name), crash)
		} else if s.t.Failed() {
			s.t.Logf("%s:\n%s", filepath.Base(name), log)
		}
	}
	os.RemoveAll(s.dir)
}

func (s *stack) startServer(of side) {
	s.t.Helper()
	s.run(of, "ovsdb-server", "--detach", "--no-chdir", "--pidfile", "--log-file", "-vconsole:off",
		"--remote=punix:"+s.path("db.sock"), s.path("conf.db"))
}

// stopServer ends the database server and waits until it is gone.
func (s *stack) stopServer() {
	s.t.Helper()
	s.end("ovsdb-server")
}

// running says whether a daemon's pidfile is there, which it is until the daemon
// has put everything away.
func (s *stack) running(daemon string) bool {
	_, err := os.Stat(s.path(daemon + ".pid"))
	return err == nil
}

// end has a daemon exit and waits until it is gone. It may still need others
// then, so that they are ended after it.
func (s *stack) end(daemon string) {
	s.t.Helper()
	if out, err := s.try(ours, "ovs-appctl", "-t", daemon, "exit"); err != nil {
		s.t.Errorf("%s does not exit: %v\n%s", daemon, err, out)
		return
	}
	if !programs.Wait(func() bool { return !s.running(daemon) }) {
		s.t.Errorf("%s does not end", daemon)
	}
}

// patience is how long anything may take before a test gives up.
const patience = programs.Patience

// until is wait where failure ends the test.
func (s *stack) until(what string, ok func() bool) {
	s.t.Helper()
	if !programs.Wait(ok) {
		s.t.Fatalf("not in time: %s", what)
	}
}

// startSwitch starts a switch with dummy devices, and a bridge br0 on it.
func (s *stack) startSwitch(of, vsctl side) {
	s.t.Helper()
	s.run(vsctl, "ovs-vsctl", "--no-wait", "init")
	s.run(of, "ovs-vswitchd", "--enable-dummy", "--disable-system", "--disable-system-route", "--detach", "--no-chdir", "--pidfile", "--log-file", "-vconsole:off")
	s.run(vsctl, "ovs-vsctl", "add-br", "br0", "--", "set", "Bridge", "br0", "datapath-type=dummy", "fail-mode=secure",
		"--", "add-port", "br0", "p1", "--", "set", "Interface", "p1", "type=dummy", "ofport_request=1",
		"--", "add-port", "br0", "p2", "--", "set", "Interface", "p2", "type=dummy", "ofport_request=2")
}

// env is the environment that has programs use the stack's directory.
func (s *stack) env() []string {
	return append(os.Environ(), "OVS_RUNDIR="+s.dir, "OVS_DBDIR="+s.dir, "OVS_LOGDIR="+s.dir,
		"OVS_SYSCONFDIR="+s.dir, "OVN_RUNDIR="+s.dir, "OVN_LOGDIR="+s.dir, "OVS_CTL_TIMEOUT=60", "OVS_SYSLOG_METHOD=null")
}

// command is a program with the stack's directory and namespace around it.
func (s *stack) command(ctx context.Context, program string, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, program, args...)
	if s.space != "" {
		cmd = lab.Command(ctx, s.space, append([]string{program}, args...)...)
	}
	cmd.Env = s.env()
	cmd.WaitDelay = time.Second
	return cmd
}

// try runs a program of a side and returns what it prints, and where it fails
// also what it says of that; the log on standard error of one that succeeds is
// its own affair.
func (s *stack) try(of side, name string, args ...string) (string, error) {
	ctx, cancel := context.WithTimeout(context.Background(), 2*patience)
	defer cancel()
	cmd := s.command(ctx, of.program(s.t, name), args...)
	var stderr strings.Builder
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		out = append(out, stderr.String()...)
	}
	return string(out), err
}

// run is try where failure ends the test.
func (s *stack) run(of side, name string, args ...string) string {
	s.t.Helper()
	out, err := s.try(of, name, args...)
	if err != nil {
		s.t.Fatalf("%s %s %s: %v\n%s", of, name, strings.Join(args, " "), err, out)
	}
	return out
}

// same runs a program of both sides and fails where they print different text;
// it returns what ours printed.
func (s *stack) same(name string, args ...string) string {
	s.t.Helper()
	return s.compare(maskXIDs, name, args)
}

// sameLines is same where the order of lines doesn't matter.
func (s *stack) sameLines(name string, args ...string) string {
	s.t.Helper()
	return s.compare(func(text string) string {
		lines := strings.Split(text, "\n")
		slices.Sort(lines)
		return strings.Join(lines, "\n")
	}, name, args)
}

var xid = regexp.MustCompile(`xid=0x[0-9a-f]+`)

// maskXIDs hides the transaction ids of OpenFlow, which each client numbers its
// own way.
func maskXIDs(text string) string { return xid.ReplaceAllString(text, "xid=X") }

func (s *stack) compare(normal func(string) string, name string, args []string) string {
	s.t.Helper()
	a, errA := s.try(ours, name, args...)
	b, errB := s.try(theirs, name, args...)
	if normal(a) != normal(b) || (errA == nil) != (errB == nil) {
		s.t.Errorf("%s %s\nours (%v):\n%s\ntheirs (%v):\n%s", name, strings.Join(args, " "), errA, a, errB, b)
	}
	return a
}
