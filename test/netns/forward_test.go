package netns

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"weir/internal/lab"
	"weir/test/programs"
)

func TestAccessVLANs(t *testing.T) { eachDatapath(t, (*sw).testAccessVLANs) }

func (s *sw) testAccessVLANs(t *testing.T) {
	a, b, c := s.host("a", "10.80.0.1"), s.host("b", "10.80.0.2"), s.host("c", "10.80.0.3")
	s.vsctl("add-br br0 -- add-port br0 %s tag=10 -- add-port br0 %s tag=10 -- add-port br0 %s tag=20", a.Port, b.Port, c.Port)
	s.expect(a, "10.80.0.2", true)
	s.expect(a, "10.80.0.3", false)
	s.vsctl("set Port %s tag=10", c.Port)
	s.expect(a, "10.80.0.3", true)
	fdb := s.run("ovs-appctl", "fdb/show", "br0")
	if strings.Count(fdb, "   10  ") != 3 {
		t.Errorf("fdb/show lacks the three hosts in VLAN 10:\n%s", fdb)
	}
}

// Two bridges joined by a veth pair that carries tags; TCP with the offloads
// that veth devices have by default, both ways.
func TestTrunkCarriesTCP(t *testing.T) { eachDatapath(t, (*sw).testTrunkCarriesTCP) }

func (s *sw) testTrunkCarriesTCP(t *testing.T) {
	a, b := s.host("a", "10.80.0.1"), s.host("b", "10.80.0.2")
	s.must(lab.IP("-n "+space+" link add t1 type veth peer name t2", "-n "+space+" link set t1 up", "-n "+space+" link set t2 up"))
	s.vsctl("add-br br1 -- add-port br1 %s tag=7 -- add-port br1 t1 trunks=7", a.Port)
	s.vsctl("add-br br2 -- add-port br2 %s tag=7 -- add-port br2 t2 trunks=7", b.Port)
	s.expect(a, "10.80.0.2", true)
	s.stream(a, b)
	s.stream(b, a)
}

// stream sends TCP for a moment and fails where next to nothing arrives, as
// where checksums or segments go wrong. That may be for another reason once, but
// not for as long as patience lasts.
func (s *sw) stream(from, to lab.Host) {
	s.t.Helper()
	var bps float64
	var err error
	if !programs.Wait(func() bool {
		bps, err = lab.MeasureTCP(context.Background(), from.Space, to.Space, to.IPAddr(), 500*time.Millisecond)
		return err == nil && bps >= 1e6
	}) {
		s.t.Errorf("TCP from %s to %s: %.0f bit/s, %v", from.Space, to.Space, bps, err)
	}
}

func TestPatchPorts(t *testing.T) { eachDatapath(t, (*sw).testPatchPorts) }

func (s *sw) testPatchPorts(t *testing.T) {
	a, b := s.host("a", "10.80.0.1"), s.host("b", "10.80.0.2")
	s.vsctl("add-br br1 -- add-port br1 %s -- add-port br1 pa -- set Interface pa type=patch options:peer=pb", a.Port)
	s.vsctl("add-br br2 -- add-port br2 %s -- add-port br2 pb -- set Interface pb type=patch options:peer=pa", b.Port)
	s.expect(a, "10.80.0.2", true)
	s.stream(a, b)
	s.vsctl("del-port pb")
	s.expect(a, "10.80.0.2", false)
}

// A trunk port with a native VLAN meets an access port of that VLAN.
func TestNativeVLAN(t *testing.T) { eachDatapath(t, (*sw).testNativeVLAN) }

func (s *sw) testNativeVLAN(t *testing.T) {
	a, b := s.host("a", "10.80.0.1"), s.host("b", "10.80.0.2")
	s.vsctl("add-br br0 -- add-port br0 %s tag=5 -- add-port br0 %s tag=5 vlan_mode=native-untagged", a.Port, b.Port)
	s.expect(a, "10.80.0.2", true)
	// A native-tagged port sends tagged what the host, which knows no VLANs,
	// then ignores.
	s.vsctl("set Port %s vlan_mode=native-tagged", b.Port)
	s.expect(a, "10.80.0.2", false)
}

func TestOpenFlowRules(t *testing.T) { eachDatapath(t, (*sw).testOpenFlowRules) }

func (s *sw) testOpenFlowRules(t *testing.T) {
	a, b := s.host("a", "10.80.0.1"), s.host("b", "10.80.0.2")
	s.vsctl("add-br br0 -- add-port br0 %s -- add-port br0 %s", a.Port, b.Port)
	s.expect(a, "10.80.0.2", true)
	s.run("ovs-ofctl", "add-flow", "br0", "priority=100,icmp,nw_dst=10.80.0.2,actions=drop")
	s.expect(a, "10.80.0.2", false)
	s.stream(a, b)
	s.run("ovs-ofctl", "--strict", "del-flows", "br0", "priority=100,icmp,nw_dst=10.80.0.2")
	s.expect(a, "10.80.0.2", true)

	// A secure bridge forwards only what its tables say; tables and rewriting.
	s.vsctl("set-fail-mode br0 secure")
	s.run("ovs-ofctl", "-O", "OpenFlow13", "del-flows", "br0")
	s.expect(a, "10.80.0.2", false)
	s.run("ovs-ofctl", "-O", "OpenFlow13", "add-flow", "br0", "table=0,actions=write_metadata:7,goto_table:1")
	s.run("ovs-ofctl", "-O", "OpenFlow13", "add-flow", "br0", fmt.Sprintf("table=1,metadata=7,in_port=%s,actions=output:%s", a.Port, b.Port))
	s.run("ovs-ofctl", "-O", "OpenFlow13", "add-flow", "br0", fmt.Sprintf("table=1,metadata=7,in_port=%s,actions=output:%s", b.Port, a.Port))
	s.expect(a, "10.80.0.2", true)
	s.eventually("statistics of the flows grow", func() bool {
		dump := s.run("ovs-ofctl", "-O", "OpenFlow13", "dump-flows", "br0", "table=0")
		return strings.Contains(dump, "n_packets=") && !strings.Contains(dump, "n_packets=0,")
	})
}

func TestInternalPort(t *testing.T) { eachDatapath(t, (*sw).testInternalPort) }

func (s *sw) testInternalPort(t *testing.T) {
	a := s.host("a", "10.80.0.1")
	s.vsctl("add-br br0 -- add-port br0 %s", a.Port)
	s.must(lab.IP("-n "+space+" addr add 10.80.0.9/24 dev br0", "-n "+space+" link set br0 up"))
	s.expect(a, "10.80.0.9", true)
	s.stream(a, lab.Host{Space: space, Addr: "10.80.0.9/24"})
	// A port of type internal, with an MTU and a MAC of its own.
	s.vsctl("add-port br0 vm0 -- set Interface vm0 type=internal mtu_request=1400 mac=\"02:00:00:00:aa:01\"")
	s.must(lab.IP("-n "+space+" addr add 10.81.0.9/24 dev vm0", "-n "+space+" link set vm0 up"))
	s.eventually("mtu and mac_in_use of vm0", func() bool {
		return s.vsctl("get Interface vm0 mtu") == "1400" && s.vsctl("get Interface vm0 mac_in_use") == `"02:00:00:00:aa:01"`
	})
	s.vsctl("del-port vm0")
	s.eventually("the device of vm0 goes", func() bool { return lab.IP("-n "+space+" link show vm0") != nil })
}
