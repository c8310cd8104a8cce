package netns

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestThreadsOnCores binds the threads of the user-space data path to cores and
// moves queues between them, while packets pass.
func TestThreadsOnCores(t *testing.T) {
	s := start(t)
	s.datapath = "netdev"
	a, b := s.host("a", "10.82.0.1"), s.host("b", "10.82.0.2")
	s.vsctl("add-br br0 -- add-port br0 %s -- add-port br0 %s", a.Port, b.Port)
	s.expect(a, "10.82.0.2", true)
	bound := func() (n int) {
		pid, err := os.ReadFile(filepath.Join(s.dir, "ovs-vswitchd.pid"))
		s.must(err)
		tasks, _ := filepath.Glob("/proc/" + strings.TrimSpace(string(pid)) + "/task/*/status")
		for _, task := range tasks {
			if b, _ := os.ReadFile(task); strings.Contains(string(b), "\nCpus_allowed_list:\t0\n") {
				n++
			}
		}
		return n
	}
	before := bound() // where there is one core, all are
	s.vsctl("set Open_vSwitch . other_config:pmd-cpu-mask=1")
	s.eventually("a thread is bound to core 0", func() bool { return bound() > before || before > 0 })
	show := s.run("ovs-appctl", "dpif-netdev/pmd-rxq-show")
	if strings.Count(show, "pmd thread") != 1 || !strings.Contains(show, "core_id 0:") || strings.Count(show, "queue-id:") != 3 {
		t.Errorf("three queues belong on core 0:\n%s", show)
	}
	s.expect(a, "10.82.0.2", true)
	s.stream(a, b)
	if stats := s.run("ovs-appctl", "dpif-netdev/pmd-stats-show", "-pmd", "0"); strings.Contains(stats, "packets received: 0\n") {
		t.Errorf("the thread received nothing:\n%s", stats)
	}
	s.vsctl("set Open_vSwitch . other_config:tx-flush-interval=100 other_config:pmd-sleep-max=50 other_config:smc-enable=true")
	s.expect(a, "10.82.0.2", true)
	s.stream(a, b)
	s.vsctl("clear Open_vSwitch . other_config")
	s.eventually("no thread is bound any more", func() bool { return bound() == before })
	s.expect(a, "10.82.0.2", true)
	s.run("ovs-appctl", "dpif-netdev/pmd-rxq-rebalance")
	s.expect(b, "10.82.0.1", true)
}
