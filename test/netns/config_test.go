package netns

import (
	"fmt"
	"strconv"
	"strings"
	"testing"

	"weir/internal/lab"
)

// A port whose device isn't there says so in its error column, and starts to
// work once the device comes.
func TestDeviceThatComesLater(t *testing.T) { eachDatapath(t, (*sw).testDeviceThatComesLater) }

func (s *sw) testDeviceThatComesLater(t *testing.T) {
	a, b := s.host("a", "10.80.0.1"), s.host("b", "10.80.0.2")
	s.vsctl("add-br br0 -- add-port br0 %s", a.Port)
	out, err := s.try("ovs-vsctl", "add-port", "br0", "late")
	if err != nil && !strings.Contains(out, "late") {
		t.Errorf("add-port of a missing device: %v: %s", err, out)
	}
	if got := s.vsctl("get Interface late error"); !strings.Contains(got, "No such device") || !strings.Contains(got, "late") {
		t.Errorf("error column is %s, want it to name the device and say No such device", got)
	}
	if got := s.vsctl("get Interface late ofport"); got != "-1" {
		t.Errorf("ofport is %s, want -1", got)
	}
	s.must(lab.IP("-n "+space+" link set "+b.Port+" down", "-n "+space+" link set "+b.Port+" name late", "-n "+space+" link set late up"))
	s.eventually("the port works", func() bool { return s.vsctl("get Interface late error") == "[]" })
	s.expect(a, "10.80.0.2", true)
}

func TestStatusAndStatistics(t *testing.T) { eachDatapath(t, (*sw).testStatusAndStatistics) }

func (s *sw) testStatusAndStatistics(t *testing.T) {
	a, b := s.host("a", "10.80.0.1"), s.host("b", "10.80.0.2")
	s.vsctl("add-br br0 -- add-port br0 %s -- set Interface %s ofport_request=7 -- add-port br0 %s", a.Port, a.Port, b.Port)
	if got := s.vsctl("get Bridge br0 status"); s.datapath == "system" && got != "{datapath=ebpf}" {
		t.Errorf("the data path is %s, want eBPF", got)
	}
	if got := s.vsctl("get Interface %s ofport", a.Port); got != "7" {
		t.Errorf("ofport is %s, want the 7 asked for", got)
	}
	s.expect(a, "10.80.0.2", true)
	for _, column := range []string{"admin_state up", "link_state up", "mtu 1500"} {
		name, want, _ := strings.Cut(column, " ")
		s.eventually(column, func() bool { return s.vsctl("get Interface %s %s", a.Port, name) == want })
	}
	s.eventually("rx_packets grows", func() bool {
		n, err := strconv.Atoi(s.vsctl("get Interface %s statistics:rx_packets", a.Port))
		return err == nil && n > 0
	})
	s.must(lab.IP("-n " + a.Space + " link set eth0 down"))
	s.eventually("link_state down", func() bool { return s.vsctl("get Interface %s link_state", a.Port) == "down" })
	if got := s.vsctl("get Interface %s ifindex", a.Port); got == "[]" || got == "0" {
		t.Errorf("ifindex is %s", got)
	}
}

// ovs-ctl restart keeps OpenFlow flows and the numbers of ports.
func TestRestartKeepsFlows(t *testing.T) { eachDatapath(t, (*sw).testRestartKeepsFlows) }

func (s *sw) testRestartKeepsFlows(t *testing.T) {
	a, b := s.host("a", "10.80.0.1"), s.host("b", "10.80.0.2")
	s.vsctl("add-br br0 -- set-fail-mode br0 secure -- add-port br0 %s -- add-port br0 %s", a.Port, b.Port)
	s.run("ovs-ofctl", "add-flow", "br0", "cookie=0x77,priority=3,actions=normal")
	s.expect(a, "10.80.0.2", true)
	before := s.vsctl("get Interface %s ofport", b.Port)
	s.run("ovs-ctl", "--system-id=random", "--no-mlockall", "restart")
	dump := s.run("ovs-ofctl", "dump-flows", "br0")
	if !strings.Contains(dump, "cookie=0x77") || !strings.Contains(dump, "priority=3") {
		t.Errorf("the flow is gone:\n%s", dump)
	}
	if after := s.vsctl("get Interface %s ofport", b.Port); after != before {
		t.Errorf("ofport was %s, is %s", before, after)
	}
	s.expect(a, "10.80.0.2", true)
}

// Ports come and go while others forward.
func TestManyPorts(t *testing.T) { eachDatapath(t, (*sw).testManyPorts) }

func (s *sw) testManyPorts(t *testing.T) {
	a, b := s.host("a", "10.80.0.1"), s.host("b", "10.80.0.2")
	s.vsctl("add-br br0 -- add-port br0 %s -- add-port br0 %s", a.Port, b.Port)
	args := []string{}
	for i := range 60 {
		name := fmt.Sprintf("i%d", i)
		args = append(args, "--", "add-port", "br0", name, "--", "set", "Interface", name, "type=internal")
	}
	s.run("ovs-vsctl", args...)
	s.expect(a, "10.80.0.2", true)
	if n := len(strings.Fields(s.vsctl("list-ports br0"))); n != 62 {
		t.Errorf("%d ports, want 62", n)
	}
	if dump := s.run("ovs-ofctl", "show", "br0"); strings.Count(dump, "addr:") != 63 {
		t.Errorf("ovs-ofctl show lists %d ports, want 63:\n%s", strings.Count(dump, "addr:"), dump)
	}
	s.vsctl("del-br br0")
	s.eventually("the devices are gone", func() bool { return lab.IP("-n "+space+" link show i59") != nil })
}
