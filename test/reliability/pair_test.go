package reliability

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"weir/test/programs"
)

// pair is a database server and a switch on dummy devices, with all that they keep in
// one directory, in the foreground.
type pair struct {
	t        testing.TB
	bin, dir string
	running  map[string]*exec.Cmd
	// ended are what Wait said of those that have ended.
	ended map[string]chan error
}

const (
	serverName = "ovsdb-server"
	switchName = "ovs-vswitchd"
)

// newPair makes a directory with an empty database, and starts nothing.
func newPair(t testing.TB) *pair {
	t.Helper()
	bin, err := filepath.Abs("../../bin")
	if err != nil {
		t.Fatal(err)
	}
	dir, err := os.MkdirTemp("", "weir-rl-") // socket paths must be short
	if err != nil {
		t.Fatal(err)
	}
	p := &pair{t: t, bin: bin, dir: dir, running: map[string]*exec.Cmd{}, ended: map[string]chan error{}}
	t.Cleanup(p.end)
	p.run("ovsdb-tool", "create", p.path("conf.db"), "../../schema/vswitch.ovsschema")
	return p
}

func (p *pair) path(name string) string { return filepath.Join(p.dir, name) }

// end kills what runs, and fails the test where a daemon crashed before.
func (p *pair) end() {
	for _, name := range []string{switchName, serverName} {
		p.kill(name)
		log := p.log(name)
		if crash := programs.Crash(log); crash != "" {
			p.t.Errorf("%s crashed: %s", name, crash)
		} else if p.t.Failed() {
			p.t.Logf("the end of %s's log:\n%s", name, log[max(0, len(log)-4000):])
		}
	}
	_ = os.RemoveAll(p.dir)
}

func (p *pair) log(name string) string {
	log, _ := os.ReadFile(p.path(name + ".log"))
	return string(log)
}

// start starts both daemons.
func (p *pair) start() {
	p.t.Helper()
	p.startServer()
	p.run("ovs-vsctl", "--no-wait", "init")
	p.startSwitch()
}

func (p *pair) startServer() {
	p.t.Helper()
	p.startDaemon(serverName, "--remote=punix:"+p.path("db.sock"), p.path("conf.db"))
}

func (p *pair) startSwitch() {
	p.t.Helper()
	p.startDaemon(switchName, "--enable-dummy", "--disable-system-route", "unix:"+p.path("db.sock"))
}

// startDaemon runs a program until it is killed, and waits until it answers commands.
func (p *pair) startDaemon(name string, args ...string) {
	p.t.Helper()
	args = append([]string{"--log-file", "-vconsole:off", "--unixctl=" + p.path(name+".ctl")}, args...)
	cmd := exec.Command(filepath.Join(p.bin, name), args...)
	cmd.Env, cmd.Dir = p.env(), p.dir
	if err := cmd.Start(); err != nil {
		p.t.Fatal(err)
	}
	p.running[name] = cmd
	ended := make(chan error, 1)
	p.ended[name] = ended
	go func() { ended <- cmd.Wait() }()
	if !programs.Wait(func() bool { _, err := p.appctl(name, "version"); return err == nil || p.over(name) }) || p.over(name) {
		p.t.Fatalf("%s does not start:\n%s", name, p.log(name))
	}
}

// over says whether a daemon has ended.
func (p *pair) over(name string) bool { return len(p.ended[name]) > 0 }

// kill ends a daemon as a crash would, if it runs.
func (p *pair) kill(name string) { p.signal(name, syscall.SIGKILL) }

// signal ends a daemon by a signal and waits for its end.
func (p *pair) signal(name string, sig syscall.Signal) {
	cmd := p.running[name]
	if cmd == nil {
		return
	}
	_ = cmd.Process.Signal(sig)
	select {
	case <-p.ended[name]:
	case <-time.After(patience):
		p.t.Errorf("%s does not end by %v", name, sig)
		_ = cmd.Process.Kill()
		<-p.ended[name]
	}
	delete(p.running, name)
}

func (p *pair) env() []string {
	return append(os.Environ(), "OVS_RUNDIR="+p.dir, "OVS_LOGDIR="+p.dir, "OVS_DBDIR="+p.dir, "OVS_SYSCONFDIR="+p.dir,
		"OVS_SYSLOG_METHOD=null", "OVS_CTL_TIMEOUT=60")
}

// try runs a program to its end and returns what it prints; what it says besides is
// in the error.
func (p *pair) try(name string, args ...string) (string, error) {
	ctx, cancel := context.WithTimeout(context.Background(), 2*patience)
	defer cancel()
	cmd := exec.CommandContext(ctx, filepath.Join(p.bin, name), args...)
	cmd.Env, cmd.WaitDelay = p.env(), time.Second
	var said strings.Builder
	cmd.Stderr = &said
	out, err := cmd.Output()
	if err != nil {
		err = fmt.Errorf("%w: %s", err, strings.TrimSpace(said.String()))
	}
	return string(out), err
}

// run is try where failure ends the test.
func (p *pair) run(name string, args ...string) string {
	p.t.Helper()
	out, err := p.try(name, args...)
	if err != nil {
		p.t.Fatalf("%s %s: %v", name, strings.Join(args, " "), err)
	}
	return out
}

func (p *pair) appctl(daemon string, args ...string) (string, error) {
	return p.try("ovs-appctl", append([]string{"-t", p.path(daemon + ".ctl")}, args...)...)
}

// descriptors counts those that a daemon has open.
func (p *pair) descriptors(name string) int {
	p.t.Helper()
	list, err := os.ReadDir(fmt.Sprintf("/proc/%d/fd", p.running[name].Process.Pid))
	if err != nil {
		p.t.Fatal(err)
	}
	return len(list)
}

// goroutine is where the runtime begins to tell of one, in the trace of a process that
// SIGQUIT ends.
var (
	goroutine = regexp.MustCompile(`(?m)^goroutine \d+ `)
	createdBy = regexp.MustCompile(`(?m)^created by (\S+)`)
)

// goroutines ends a daemon and returns how many goroutines it had, by what created them.
func (p *pair) goroutines(name string) map[string]int {
	p.t.Helper()
	before := len(p.log(name))
	p.signal(name, syscall.SIGQUIT)
	trace := p.log(name)[before:]
	at := goroutine.FindAllStringIndex(trace, -1)
	counts := map[string]int{}
	for i, start := range at {
		end := len(trace)
		if i+1 < len(at) {
			end = at[i+1][0]
		}
		if by := createdBy.FindStringSubmatch(trace[start[0]:end]); by != nil {
			counts[by[1]]++
		}
	}
	if len(counts) == 0 {
		p.t.Errorf("%s: no trace in the log", name)
	}
	// The trace that was asked for is no crash.
	_ = os.WriteFile(p.path(name+".log"), []byte(strings.TrimSuffix(p.log(name), trace)), 0o600)
	return counts
}

// most lists the largest counts.
func most(counts map[string]int) []string {
	var list []string
	for what, n := range counts {
		list = append(list, fmt.Sprintf("%6d %s", n, what))
	}
	slices.Sort(list)
	slices.Reverse(list)
	return list[:min(len(list), 5)]
}
