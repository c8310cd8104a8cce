// Package netns tests the whole switch on real packets: network namespaces as
// hosts, veth pairs as cables, the programs as users run them.
package netns

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"weir/internal/lab"
	"weir/test/alone"
	"weir/test/programs"
)

func TestMain(m *testing.M) { alone.Main(m) }

// prefix begins the names of this package's namespaces; tests run one at a time.
const prefix = "weir-nt-"

// space is where the switch lives.
const space = prefix + "switch"

// sw is a running switch, by ovs-ctl, in a namespace and directory of its own.
type sw struct {
	t        *testing.T
	bin      string
	dir      string
	space    string // the namespace that it lives in
	datapath string // type of every bridge
}

// eachDatapath runs a scenario on the data path in the kernel, which is that of
// bridges without a type, and on the one in user space.
func eachDatapath(t *testing.T, scenario func(*sw, *testing.T)) {
	for _, datapath := range []string{"system", "netdev"} {
		t.Run(datapath, func(t *testing.T) {
			s := start(t)
			s.datapath = datapath
			scenario(s, t)
		})
	}
}

// start brings a switch up and takes it down with the test.
func start(t *testing.T) *sw {
	t.Helper()
	lab.RemoveNamespaces(prefix)
	t.Cleanup(func() { lab.RemoveNamespaces(prefix) }) // after all switches have stopped
	return startIn(t, space)
}

// startIn starts a switch in a namespace that it makes.
func startIn(t *testing.T, space string) *sw {
	t.Helper()
	bin, dir := programs.Need(t, prefix)
	s := &sw{t: t, bin: bin, dir: dir, space: space}
	t.Cleanup(s.stop)
	s.must(lab.AddNamespace(space))
	s.run("ovs-ctl", "--system-id=random", "--no-mlockall", "start")
	return s
}

func (s *sw) stop() {
	out, err := s.try("ovs-ctl", "stop")
	if err != nil {
		s.t.Errorf("ovs-ctl stop: %v\n%s", err, out)
	}
	for _, name := range []string{"ovs-vswitchd.log", "ovsdb-server.log"} {
		log, _ := os.ReadFile(filepath.Join(s.dir, name))
		if crash := programs.Crash(string(log)); crash != "" {
			s.t.Errorf("%s: a crash: %s", name, crash)
		} else if s.t.Failed() {
			s.t.Logf("%s:\n%s", name, log)
		}
	}
	os.RemoveAll(s.dir)
}

func (s *sw) must(err error) {
	s.t.Helper()
	if err != nil {
		s.t.Fatal(err)
	}
}

// try runs one of the programs inside the switch's namespace.
func (s *sw) try(name string, args ...string) (string, error) {
	return programs.Run(2*patience, s.space, s.dir, filepath.Join(s.bin, name), args...)
}

// run is try where failure ends the test; it returns what was printed.
func (s *sw) run(name string, args ...string) string {
	s.t.Helper()
	out, err := s.try(name, args...)
	if err != nil {
		s.t.Fatalf("%s %s: %v\n%s", name, strings.Join(args, " "), err, out)
	}
	return out
}

// vsctl runs ovs-vsctl with words separated by spaces. Bridges are made on the
// data path under test.
func (s *sw) vsctl(format string, args ...any) string {
	s.t.Helper()
	words := strings.Fields(fmt.Sprintf(format, args...))
	if len(words) > 1 && words[0] == "add-br" {
		words = append(words, "--", "set", "Bridge", words[1], "datapath_type="+s.datapath)
	}
	return strings.TrimSpace(s.run("ovs-vsctl", words...))
}

// host attaches a host by a veth pair, without adding the port to a bridge.
func (s *sw) host(name, addr string) lab.Host {
	s.t.Helper()
	h := lab.Host{Space: prefix + name, Port: "p-" + name, Addr: addr + "/24"}
	s.must(h.Attach(s.space))
	return h
}

// ping reports whether a host answers: three echo requests, where it should,
// for as long as that may take; otherwise whether any of three is.
func (s *sw) ping(from lab.Host, addr string, should bool) bool {
	s.t.Helper()
	args := []string{"ping", "-n", "-q", "-i", "0.2", "-c", "3"}
	if should {
		args = append(args, "-w", fmt.Sprint(patience.Seconds()), addr)
	} else {
		args = append(args, "-W", "1", addr)
	}
	out, err := lab.Command(context.Background(), from.Space, args...).CombinedOutput()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		s.t.Fatalf("ping: %v\n%s", err, out)
	}
	return err == nil
}

// expect pings and fails where the outcome is another. Flows of the data path
// follow a change of the configuration after a moment, which it waits for.
func (s *sw) expect(from lab.Host, addr string, reached bool) {
	s.t.Helper()
	s.run("ovs-appctl", "revalidator/wait")
	if got := s.ping(from, addr, reached); got != reached {
		flows, _ := s.try("ovs-appctl", "dpctl/dump-flows", "--names")
		s.t.Errorf("%s pings %s: answered %v, want %v; data path flows:\n%s", from.Space, addr, got, reached, flows)
	}
}

// patience is how long anything may take before a test gives up.
const patience = programs.Patience

// eventually repeats a check, since columns of status follow what they describe
// after a moment.
func (s *sw) eventually(what string, check func() bool) {
	s.t.Helper()
	if !programs.Wait(check) {
		s.t.Errorf("not within %v: %s", patience, what)
	}
}
