package netns

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"weir/internal/lab"
	"weir/test/programs"
)

// pid is that of the switch, as its file says.
func (s *sw) pid() int {
	s.t.Helper()
	text, err := os.ReadFile(filepath.Join(s.dir, "ovs-vswitchd.pid"))
	s.must(err)
	pid, err := strconv.Atoi(strings.TrimSpace(string(text)))
	s.must(err)
	return pid
}

// kill ends the switch as nothing else can.
func (s *sw) kill() {
	s.t.Helper()
	pid := s.pid()
	s.must(syscall.Kill(pid, syscall.SIGKILL))
	s.eventually("the switch is gone", func() bool { return programs.Ended(pid) })
}

// startAgain has ovs-ctl start a switch that was killed; for a moment it still takes
// the one for running that its monitor has not said goodbye to.
func (s *sw) startAgain() {
	s.t.Helper()
	killed := s.pid()
	s.eventually("the switch runs again", func() bool {
		s.run("ovs-ctl", "--system-id=random", "--no-mlockall", "start")
		return s.pid() != killed
	})
}

// devices are the names of the devices in the switch's namespace, with the names
// of their other ends where these are there too.
func (s *sw) devices() []string {
	s.t.Helper()
	out, err := exec.Command("ip", "-n", s.space, "-o", "link", "show").CombinedOutput()
	s.must(err)
	var names []string
	for line := range strings.Lines(string(out)) {
		names = append(names, strings.TrimSuffix(strings.Fields(line)[1], ":"))
	}
	return names
}

// A switch that is killed while it makes devices leaves none for ever: the next one
// removes those that are wanted no more, and nobody else's.
func TestDevicesOfAKilledSwitch(t *testing.T) {
	s := start(t)
	s.datapath = "system"
	s.must(lab.IP("-n "+s.space+" link add theirs type veth peer name theirs-dp", "-n "+s.space+" link add i5 type veth peer name other"))
	s.vsctl("add-br br0")
	want := len(s.devices())
	for round := range 6 {
		args := []string{"--no-wait"}
		for i := range 40 {
			name := fmt.Sprint("i", i)
			args = append(args, "--", "add-port", "br0", name, "--", "set", "Interface", name, "type=internal")
		}
		args = append(args, "--", "add-port", "br0", "v0", "--", "set", "Interface", "v0", "type=vxlan", "options:remote_ip=192.0.2.1")
		s.run("ovs-vsctl", args...)
		time.Sleep(time.Duration(20+17*round) * time.Millisecond)
		s.kill()
		left := len(s.devices())
		args = []string{"--no-wait"}
		for i := range 40 {
			args = append(args, "--", "del-port", "br0", fmt.Sprint("i", i))
		}
		s.run("ovs-vsctl", append(args, "--", "del-port", "v0")...)
		s.startAgain()
		if !programs.Wait(func() bool { return len(s.devices()) <= want }) {
			t.Fatalf("%d devices before, %d when the switch was killed; left are %v", want, left, s.devices())
		}
		if got := s.devices(); len(got) != want {
			t.Fatalf("%d devices before, left are %v", want, got)
		}
	}
}
