package netns

import (
	"os/exec"
	"strings"
	"testing"

	"weir/internal/lab"
)

// What receive packet steering was before the switch changed it comes back, also
// by the hands of a switch whose forerunner was killed.
func TestSteeringOverKill(t *testing.T) {
	s := start(t)
	s.datapath = "system"
	a, b := s.host("a", "10.80.0.1"), s.host("b", "10.80.0.2")
	file := func(h lab.Host) string { return "/sys/class/net/" + h.Port + "/queues/rx-0/rps_cpus" }
	run := func(script string) string {
		t.Helper()
		// With a /sys of the namespace (ip-netns(8)).
		out, err := exec.Command("ip", "netns", "exec", s.space, "sh", "-c", script).CombinedOutput()
		if err != nil {
			t.Fatalf("%s: %v\n%s", script, err, out)
		}
		return strings.TrimLeft(strings.TrimSpace(string(out)), "0,")
	}
	mask := func(h lab.Host) string { return run("cat " + file(h)) }
	run("echo 2 >" + file(a) + "; echo 2 >" + file(b))
	for _, h := range []lab.Host{a, b} {
		if got := mask(h); got != "2" {
			t.Skipf("rps_cpus of %s is %q after 2 was written", h.Port, got)
		}
	}
	s.vsctl("add-br br0 -- add-port br0 %s -- add-port br0 %s", a.Port, b.Port)
	steer := func() {
		t.Helper()
		for _, h := range []lab.Host{a, b} {
			s.vsctl("set Interface %s other_config:rps-cpus=0", h.Port)
			s.eventually(h.Port+" is steered", func() bool { return mask(h) == "1" })
		}
	}
	was := func(what string, h lab.Host) {
		t.Helper()
		s.eventually(what, func() bool { return mask(h) == "2" })
	}
	steer()
	s.kill()
	s.startAgain()
	steer()
	s.vsctl("remove Interface %s other_config rps-cpus", a.Port)
	was("the switch no longer asks", a)
	s.kill()
	s.vsctl("--no-wait remove Interface %s other_config rps-cpus", b.Port)
	s.startAgain()
	was("asking ended while there was no switch", b)
	steer()
	s.kill()
	s.vsctl("--no-wait del-port %s", b.Port)
	s.startAgain()
	was("the port went while there was no switch", b)
	s.run("ovs-ctl", "stop")
	was("the switch was stopped", a)
	s.run("ovs-ctl", "--system-id=random", "--no-mlockall", "start")
}
