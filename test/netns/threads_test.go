package netns

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// firstCore is the first core that this process, and so the switch, may run on.
func firstCore(t *testing.T) int {
	t.Helper()
	var cores unix.CPUSet
	if err := unix.SchedGetaffinity(0, &cores); err != nil {
		t.Fatal(err)
	}
	core := 0
	for !cores.IsSet(core) {
		core++
	}
	return core
}

// TestThreadsOnCores binds the threads of the user-space data path to cores and
// moves queues between them, while packets pass.
func TestThreadsOnCores(t *testing.T) {
	s := start(t)
	s.datapath = "netdev"
	a, b := s.host("a", "10.82.0.1"), s.host("b", "10.82.0.2")
	s.vsctl("add-br br0 -- add-port br0 %s -- add-port br0 %s", a.Port, b.Port)
	s.expect(a, "10.82.0.2", true)
	core := firstCore(t)
	bound := func() (n int) {
		pid, err := os.ReadFile(filepath.Join(s.dir, "ovs-vswitchd.pid"))
		s.must(err)
		tasks, _ := filepath.Glob("/proc/" + strings.TrimSpace(string(pid)) + "/task/*/status")
		for _, task := range tasks {
			if b, _ := os.ReadFile(task); strings.Contains(string(b), fmt.Sprintf("\nCpus_allowed_list:\t%d\n", core)) {
				n++
			}
		}
		return n
	}
	before := bound() // where there is one core, all are
	s.vsctl("set Open_vSwitch . other_config:pmd-cpu-mask=%#x", 1<<core)
	s.eventually(fmt.Sprint("a thread is bound to core ", core), func() bool { return bound() > before || before > 0 })
	show := s.run("ovs-appctl", "dpif-netdev/pmd-rxq-show")
	if strings.Count(show, "pmd thread") != 1 || !strings.Contains(show, fmt.Sprintf("core_id %d:", core)) || strings.Count(show, "queue-id:") != 3 {
		t.Errorf("three queues belong on core %d:\n%s", core, show)
	}
	s.expect(a, "10.82.0.2", true)
	s.stream(a, b)
	if stats := s.run("ovs-appctl", "dpif-netdev/pmd-stats-show", "-pmd", strconv.Itoa(core)); strings.Contains(stats, "packets received: 0\n") {
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
