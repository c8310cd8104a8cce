package daemon

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"weir/internal/cli"
)

// TestMain is also the daemon under test, where the environment says so.
func TestMain(m *testing.M) {
	if os.Getenv("DAEMON_UNDER_TEST") != "" {
		os.Exit(daemonMain())
	}
	os.Exit(m.Run())
}

// daemonMain is a daemon that does nothing. With the operand "fail" it fails to
// start, with "stuck" to end.
func daemonMain() int {
	env := cli.ProcessEnv("testd", os.Args[1:])
	var o Options
	_, operands, err := (&cli.Parser{Options: o.CLI()}).Parse(env.Args)
	if err != nil {
		return env.Exit(err)
	}
	p, status := o.Start(env)
	if p == nil {
		return status
	}
	defer p.Close()
	if len(operands) > 0 && operands[0] == "fail" {
		return env.FatalStatus(3, "cannot start")
	}
	if len(operands) > 0 && operands[0] == "stuck" {
		signalPatience = 100 * time.Millisecond
		p.AtExit(func() { select {} })
	}
	p.Ready()
	<-p.Context().Done()
	return 0
}

type harness struct {
	*testing.T
	dir string
}

// run runs the daemon's command line and returns what it printed once every
// holder of its output has closed it.
func (h harness) run(wantStatus int, args ...string) string {
	h.Helper()
	cmd := exec.Command(os.Args[0], args...)
	cmd.Env = append(os.Environ(), "DAEMON_UNDER_TEST=1", "OVS_RUNDIR="+h.dir, "OVS_LOGDIR="+h.dir, "OVS_SYSLOG_METHOD=null")
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	done := make(chan error, 1)
	go func() { done <- cmd.Run() }()
	select {
	case <-done:
	case <-time.After(time.Minute):
		h.Fatal("the caller's pipe stays open")
	}
	if got := cmd.ProcessState.ExitCode(); got != wantStatus {
		h.Fatalf("%v: exit status %d, want %d; output:\n%s", args, got, wantStatus, out.String())
	}
	return out.String()
}

func (h harness) pid() int {
	h.Helper()
	b, err := os.ReadFile(filepath.Join(h.dir, "testd.pid"))
	if err != nil {
		h.Fatal(err)
	}
	pid, _ := strconv.Atoi(strings.TrimSpace(string(b)))
	return pid
}

func (h harness) eventually(what string, ok func() bool) {
	h.Helper()
	for end := time.Now().Add(time.Minute); time.Now().Before(end); {
		if ok() {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
	h.Fatal("not within a minute: " + what)
}

func proc(pid int, file string) string {
	b, _ := os.ReadFile(fmt.Sprintf("/proc/%d/%s", pid, file))
	return strings.TrimRight(string(b), "\n\x00")
}

// parent reads the parent's process ID: the second field after the name.
func parent(pid int) int {
	fields := strings.Fields(proc(pid, "stat"))
	if len(fields) < 4 {
		return 0
	}
	ppid, _ := strconv.Atoi(fields[3])
	return ppid
}

// ended reports whether a process has ended, be it that nobody has reaped it: in a
// container the first process may not do that for orphans.
func ended(pid int) bool {
	_, rest, _ := strings.Cut(proc(pid, "stat"), ") ")
	return rest == "" || strings.HasPrefix(rest, "Z")
}

func exists(name string) bool {
	_, err := os.Stat(name)
	return err == nil
}

func TestDetach(t *testing.T) {
	h := harness{t, t.TempDir()}
	if out := h.run(0, "--detach", "--no-chdir", "--pidfile"); out != "" {
		t.Errorf("printed %q", out)
	}
	pid := h.pid()
	if got := proc(pid, "comm"); got != "testd" {
		t.Errorf("comm is %q", got)
	}
	if out := h.run(1, "--detach", "--pidfile"); !strings.Contains(out, fmt.Sprintf("already running as pid %d, aborting", pid)) {
		t.Errorf("second daemon printed %q", out)
	}
	if err := syscall.Kill(pid, syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	h.eventually("pidfile removed", func() bool { return !exists(filepath.Join(h.dir, "testd.pid")) })
}

// A signal ends a daemon also where something at its end doesn't.
func TestStuckEnd(t *testing.T) {
	h := harness{t, t.TempDir()}
	h.run(0, "--detach", "--no-chdir", "--pidfile", "--log-file", "stuck")
	pid := h.pid()
	if err := syscall.Kill(pid, syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	h.eventually("the daemon's end", func() bool { return ended(pid) })
	if log, _ := os.ReadFile(filepath.Join(h.dir, "testd.log")); !strings.Contains(string(log), "not ended in order after 100ms") {
		t.Errorf("its log says\n%s", log)
	}
}

func TestDetachFailure(t *testing.T) {
	h := harness{t, t.TempDir()}
	for _, args := range [][]string{{"--detach"}, {"--detach", "--monitor"}, {"--monitor"}, {}} {
		if out := h.run(3, append(args, "--pidfile", "fail")...); out != "testd: cannot start\n" {
			t.Errorf("%v printed %q", args, out)
		}
		if exists(filepath.Join(h.dir, "testd.pid")) {
			t.Errorf("%v left its pidfile", args)
		}
	}
}

func TestMonitor(t *testing.T) {
	h := harness{t, t.TempDir()}
	h.run(0, "--detach", "--monitor", "--pidfile", "--log-file", "--no-chdir")
	worker := h.pid()
	monitor := parent(worker)
	if want := fmt.Sprintf("testd: monitoring pid %d (healthy)", worker); proc(monitor, "cmdline") != want {
		t.Errorf("monitor's title is %q, want %q", proc(monitor, "cmdline"), want)
	}
	if err := syscall.Kill(worker, syscall.SIGSEGV); err != nil {
		t.Fatal(err)
	}
	h.eventually("new worker", func() bool {
		return exists(filepath.Join(h.dir, "testd.pid")) && h.pid() != worker && h.pid() != 0
	})
	next := h.pid()
	if parent(next) != monitor || proc(next, "comm") != "testd" {
		t.Errorf("worker %d has parent %d, name %q", next, parent(next), proc(next, "comm"))
	}
	h.eventually("message", func() bool {
		b, _ := os.ReadFile(filepath.Join(h.dir, "testd.log"))
		return strings.Contains(string(b), fmt.Sprintf("daemon_unix(monitor)|ERR|1 crashes: pid %d died, killed", worker))
	})
	if err := syscall.Kill(next, syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	h.eventually("monitor's end", func() bool { return ended(monitor) })
	if exists(filepath.Join(h.dir, "testd.pid")) {
		t.Error("the pidfile stays")
	}
}

func TestUser(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("changing the user needs root")
	}
	if _, _, errno := syscall.AllThreadsSyscall(syscall.SYS_GETPID, 0, 0, 0); errno == syscall.ENOTSUP {
		t.Skip("a build with cgo, as for the race detector, can't change all its threads; the programs are built without")
	}
	dir, err := os.MkdirTemp("", "daemon-user-")
	if err != nil {
		t.Fatal(err)
	}
	defer os.RemoveAll(dir)
	if err := os.Chmod(dir, 0o777); err != nil {
		t.Fatal(err)
	}
	h := harness{t, dir}
	h.run(0, "--detach", "--pidfile", "--user=nobody")
	status := proc(h.pid(), "status")
	// CAP_IPC_LOCK is 14 and CAP_NET_BIND_SERVICE 10.
	for _, want := range []string{"Uid:\t65534\t65534\t65534\t65534\n", "CapEff:\t0000000000004400\n"} {
		if !strings.Contains(status, want) {
			t.Errorf("no %q in the status:\n%s", want, status)
		}
	}
	_ = syscall.Kill(h.pid(), syscall.SIGTERM)
	if out := h.run(1, "--user=nonesuch"); !strings.Contains(out, "user nonesuch not found, aborting") {
		t.Errorf("unknown user: %q", out)
	}
}

func TestGuest(t *testing.T) {
	dir := t.TempDir()
	t.Setenv("OVS_RUNDIR", dir)
	host := &Process{options: &Options{}}
	host.ctx, host.cancel = context.WithCancel(context.Background())
	env, ready := host.Guest(cli.ProcessEnv("host", nil), "guest", nil)
	o := Options{Pidfile: true, Detach: true}
	p, status := o.Start(env)
	if p == nil {
		t.Fatalf("Start ends with status %d", status)
	}
	if !exists(filepath.Join(dir, "guest.pid")) {
		t.Error("a guest writes its pidfile")
	}
	p.Ready()
	<-ready
	host.Close()
	<-p.Context().Done()
	if exists(filepath.Join(dir, "guest.pid")) {
		t.Error("the pidfile stays")
	}
}
