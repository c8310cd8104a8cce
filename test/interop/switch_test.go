package interop

import (
	"slices"
	"strings"
	"testing"
)

// Each switch works on the other side's database server, driven by the tools of
// both.
func TestSwitchOnTheOtherServer(t *testing.T) {
	for _, sw := range []side{ours, theirs} {
		t.Run("switch "+string(sw), func(t *testing.T) {
			s := newStack(t, sw.other())
			s.startSwitch(sw, sw)
			s.run(sw.other(), "ovs-vsctl", "add-port", "br0", "p3", "--", "set", "Interface", "p3", "type=dummy", "ofport_request=3")
			if got := strings.TrimSpace(s.run(ours, "ovs-vsctl", "get", "Interface", "p3", "ofport")); got != "3" {
				t.Errorf("ofport of p3 is %s", got)
			}
			s.until("the status of p1", func() bool {
				return strings.TrimSpace(s.run(ours, "ovs-vsctl", "get", "Interface", "p1", "admin_state")) == "up"
			})
			s.same("ovs-vsctl", "get", "Interface", "p1", "ofport", "mac_in_use", "admin_state")
			s.run(ours, "ovs-vsctl", "del-br", "br0")
		})
	}
}

// flows go in by either ovs-ofctl and are told alike to both, in every version.
var flows = []string{
	"priority=1,actions=NORMAL",
	"priority=10,in_port=1,ip,nw_dst=10.0.0.0/8,actions=output:2",
	"priority=11,tcp,tp_dst=80,actions=mod_nw_tos:32,mod_tp_dst:8080,output:1",
	"cookie=0x5,priority=12,dl_vlan=5,actions=strip_vlan,output:2",
	"priority=13,arp,arp_tpa=192.168.0.1,actions=CONTROLLER:65535",
	"priority=14,ipv6,ipv6_dst=2001:db8::/32,actions=drop",
	"priority=15,icmp6,icmp_type=135,nd_target=fe80::1,actions=LOCAL",
	"table=3,priority=5,reg1=0x12/0xff,metadata=0x7,actions=load:0x1->NXM_NX_REG0[],move:NXM_OF_ETH_SRC[]->NXM_OF_ETH_DST[],resubmit(,4)",
	"idle_timeout=60,hard_timeout=600,priority=16,udp,tp_src=53,actions=set_queue:1,output:2,pop_queue",
}

// allVersions are the versions of OpenFlow.
var allVersions = []string{"OpenFlow10", "OpenFlow11", "OpenFlow12", "OpenFlow13", "OpenFlow14", "OpenFlow15"}

// flowVersions are those in which all of [flows] can be said; 1.1 has no IPv6.
var flowVersions = slices.DeleteFunc(slices.Clone(allVersions), func(v string) bool { return v == "OpenFlow11" })

// Groups, meters, ports, tables and queues are made by one side's ovs-ofctl and
// told alike to both, on either switch.
func TestOfctlOnEitherSwitch(t *testing.T) {
	for _, sw := range []side{ours, theirs} {
		t.Run("switch "+string(sw), func(t *testing.T) {
			s := newStack(t, sw)
			s.startSwitch(sw, sw)
			for _, tool := range []side{ours, theirs} {
				for i, version := range allVersions {
					s.ofctlInventory(tool, version, i)
				}
			}
		})
	}
}

// ofctlInventory makes and tells what a version has beside flows; older versions
// come first in number.
func (s *stack) ofctlInventory(tool side, version string, number int) {
	s.t.Helper()
	do := func(args ...string) { s.run(tool, "ovs-ofctl", append([]string{"-O", version}, args...)...) }
	told := func(args ...string) { s.same("ovs-ofctl", append([]string{"-O", version}, args...)...) }
	do("mod-port", "br0", "p1", "no-flood")
	told("show", "br0")
	do("mod-port", "br0", "p1", "flood")
	do("set-frags", "br0", "nx-match")
	told("get-frags", "br0")
	do("set-frags", "br0", "normal")
	told("queue-get-config", "br0", "1")
	told("queue-stats", "br0")
	do("add-group", "br0", "group_id=1,type=all,bucket=output:1,bucket=output:2")
	do("add-group", "br0", "group_id=2,type=select,bucket=weight:2,output:1,bucket=weight:1,output:2")
	do("--may-create", "mod-group", "br0", "group_id=3,type=indirect,bucket=dec_ttl,output:1")
	told("dump-groups", "br0")
	told("dump-group-features", "br0")
	do("del-groups", "br0", "group_id=2")
	told("dump-groups", "br0")
	do("del-groups", "br0")
	if number >= 3 {
		do("add-meter", "br0", "meter=1 kbps burst stats bands=type=drop rate=1000 burst_size=100")
		told("dump-meters", "br0")
		told("meter-features", "br0")
		do("del-meters", "br0")
	}
	if number >= 4 {
		do("mod-table", "br0", "5", "evict")
		told("dump-table-desc", "br0")
		do("mod-table", "br0", "5", "noevict")
		do("--bundle", "add-flow", "br0", "table=9,in_port=1,actions=output:2")
		do("del-flows", "br0")
	}
	if number == 5 {
		do("add-group", "br0", "group_id=5,type=select,selection_method=dp_hash,bucket=bucket_id:0,weight:100,output:1")
		do("add-group", "br0", "group_id=6,type=select,selection_method=hash,selection_method_param=7,fields(ip_src=255.255.0.0,eth_dst),bucket=bucket_id:1,output:1")
		told("dump-groups", "br0")
		do("del-groups", "br0")
		do("add-group", "br0", "group_id=7,type=all,bucket=bucket_id:1,output:1")
		do("insert-buckets", "br0", "group_id=7,command_bucket_id=last,bucket=bucket_id:2,output:2")
		do("remove-buckets", "br0", "group_id=7,command_bucket_id=first")
		told("dump-groups", "br0")
		do("del-groups", "br0")
	}
	do("packet-out", "br0", "in_port=controller packet=ffffffffffff0000000000010800 actions=output:1")
	if number != 1 { // 1.1 has no field for it
		do("add-tlv-map", "br0", "{class=0x1,type=0x2,len=4}->tun_metadata3")
		told("dump-tlv-map", "br0")
		do("del-tlv-map", "br0")
	}
	s.run(tool, "ovs-ofctl", "-O", version, "probe", "br0")
}

func TestOfctlOnOurSwitch(t *testing.T) {
	s := newStack(t, ours)
	s.startSwitch(ours, ours)
	for _, version := range flowVersions {
		for _, tool := range []side{ours, theirs} {
			s.run(tool, "ovs-ofctl", "-O", version, "del-flows", "br0")
			for _, f := range flows {
				s.run(tool, "ovs-ofctl", "-O", version, "add-flow", "br0", f)
			}
			for _, reader := range []string{"OpenFlow10", version} {
				s.same("ovs-ofctl", "-O", reader, "--no-stats", "dump-flows", "br0")
				s.same("ovs-ofctl", "-O", reader, "--no-stats", "dump-flows", "br0", "table=3")
			}
			s.run(tool, "ovs-ofctl", "-O", version, "--strict", "del-flows", "br0", "priority=1")
			s.run(tool, "ovs-ofctl", "-O", version, "mod-flows", "br0", "tcp,actions=drop")
			s.same("ovs-ofctl", "-O", version, "--no-stats", "dump-flows", "br0")
			s.same("ovs-ofctl", "-O", version, "dump-aggregate", "br0")
		}
		s.same("ovs-ofctl", "-O", version, "show", "br0")
		s.same("ovs-ofctl", "-O", version, "dump-ports-desc", "br0")
		s.same("ovs-ofctl", "-O", version, "dump-desc", "br0")
		s.same("ovs-ofctl", "-O", version, "dump-tables", "br0")
	}
}

// Our ovs-ofctl on the C switch prints what the C one prints.
func TestOurOfctlOnTheirSwitch(t *testing.T) {
	s := newStack(t, theirs)
	s.startSwitch(theirs, theirs)
	for _, version := range flowVersions {
		s.run(ours, "ovs-ofctl", "-O", version, "del-flows", "br0")
		for _, f := range flows {
			s.run(ours, "ovs-ofctl", "-O", version, "add-flow", "br0", f)
		}
		s.same("ovs-ofctl", "-O", version, "--no-stats", "dump-flows", "br0")
		s.same("ovs-ofctl", "-O", version, "dump-aggregate", "br0")
		s.same("ovs-ofctl", "-O", version, "dump-ports-desc", "br0")
	}
}

// Both switches explain packets alike.
func TestTraceAlike(t *testing.T) {
	packets := []string{
		"in_port=1,dl_src=00:00:00:00:00:01,dl_dst=00:00:00:00:00:02",
		"in_port=1,ip,dl_src=00:00:00:00:00:01,dl_dst=00:00:00:00:00:02,nw_src=1.2.3.4,nw_dst=10.9.8.7,nw_proto=17,nw_ttl=64",
		"in_port=2,tcp,nw_src=1.2.3.4,nw_dst=5.6.7.8,tp_src=1000,tp_dst=80,nw_ttl=64",
		"in_port=1,dl_vlan=5,dl_vlan_pcp=0,dl_type=0x1234",
		"in_port=1,icmp6,ipv6_src=fe80::2,ipv6_dst=2001:db8::1,icmp_type=135,nd_target=fe80::1,nw_ttl=255",
	}
	traces := map[side][]string{}
	for _, sw := range []side{ours, theirs} {
		s := newStack(t, sw)
		s.startSwitch(sw, sw)
		for _, f := range flows {
			s.run(sw, "ovs-ofctl", "add-flow", "br0", f)
		}
		for _, p := range packets {
			traces[sw] = append(traces[sw], s.same("ovs-appctl", "ofproto/trace", "br0", p))
		}
		s.same("ovs-appctl", "fdb/show", "br0")
	}
	for i, p := range packets {
		if sortFlood(traces[ours][i]) != sortFlood(traces[theirs][i]) {
			t.Errorf("%s\nours:\n%s\ntheirs:\n%s", p, traces[ours][i], traces[theirs][i])
		}
	}
}

// sortFlood sorts the ports of a flood, which is in no order that anyone promises.
func sortFlood(trace string) string {
	const heading = "Datapath actions: "
	head, actions, ok := strings.Cut(strings.TrimSpace(trace), heading)
	if !ok || strings.Trim(actions, "0123456789,") != "" {
		return trace
	}
	ports := strings.Split(actions, ",")
	slices.Sort(ports)
	return head + heading + strings.Join(ports, ",")
}
