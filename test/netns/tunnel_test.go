package netns

import (
	"fmt"
	"strings"
	"testing"

	"weir/internal/lab"
)

// remote is a namespace at the other end of tunnels. Between it and the
// switch's is a network that carries outer headers, too.
const (
	remote             = prefix + "remote"
	outerHere          = "192.168.77.1"
	outerThere         = "192.168.77.2"
	outer6Here         = "fd77::1"
	outer6There        = "fd77::2"
	underlayMTU        = 1600
	underlay, overhead = "ul", 50
)

// joinUnderlay joins the switch's namespace with remote, which is there.
func (s *sw) joinUnderlay() {
	s.t.Helper()
	s.must(lab.IP("link add " + underlay + " netns " + space + " type veth peer name " + underlay + " netns " + remote))
	for _, end := range [][3]string{{space, outerHere, outer6Here}, {remote, outerThere, outer6There}} {
		in := "-n " + end[0]
		s.must(lab.IP(
			fmt.Sprintf("%s link set %s mtu %d up", in, underlay, underlayMTU),
			fmt.Sprintf("%s addr add %s/24 dev %s", in, end[1], underlay),
			fmt.Sprintf("%s addr add %s/64 dev %s nodad", in, end[2], underlay)))
	}
}

// The types of interface that the database lists are those that work; a port of
// another type says what is wrong with it, and in the kernel's data path one that it
// can't make says which data path can.
func TestTunnelTypes(t *testing.T) {
	s := start(t)
	s.datapath = "netdev"
	want := "[erspan, geneve, gre, gtpu, internal, ip6erspan, ip6gre, patch, system, tap, vxlan]"
	if got := s.vsctl("get Open_vSwitch . iface_types"); got != want {
		t.Errorf("iface_types: %s, want %s", got, want)
	}
	s.vsctl("add-br br0")
	for _, typ := range []string{"bareudp", "srv6"} {
		s.vsctl("--no-wait add-port br0 %s -- set Interface %s type=%s options:remote_ip=%s", typ, typ, typ, outer6There)
		s.eventually("an error of "+typ, func() bool {
			return strings.Contains(s.vsctl("get Interface %s error", typ), "tunnels of type "+typ+" are not supported yet")
		})
	}
	s.datapath = "ebpf"
	s.vsctl("add-br br1")
	s.vsctl("--no-wait add-port br1 g0 -- set Interface g0 type=vxlan options:remote_ip=%s options:exts=gbp", outerThere)
	s.eventually("an error of g0", func() bool {
		return strings.Contains(s.vsctl("get Interface g0 error"), "extensions of VXLAN (options:exts=gbp) are not supported by the eBPF data path: bridges of datapath_type=netdev have it")
	})
}

// Geneve by the host's addresses, over IPv4 and IPv6, between switches: options
// that one sets, the other matches.
func TestGeneveBetweenSwitches(t *testing.T) { eachDatapath(t, (*sw).testGeneveBetweenSwitches) }

func (s *sw) testGeneveBetweenSwitches(t *testing.T) {
	other := startIn(t, remote)
	other.datapath = s.datapath
	s.joinUnderlay()
	ends := map[*sw][2]string{s: {outerThere, outer6There}, other: {outerHere, outer6Here}}
	hosts := map[*sw]lab.Host{s: s.host("a", "10.80.0.1"), other: other.host("b", "10.80.0.2")}
	for end, addrs := range ends {
		end.vsctl("add-br br0 -- add-port br0 %s -- add-port br0 g0 -- set Interface g0 type=geneve options:remote_ip=%s options:key=flow", hosts[end].Port, addrs[0])
		end.run("ovs-ofctl", "add-tlv-map", "br0", "{class=0x102,type=0x80,len=4}->tun_metadata3")
		end.run("ovs-ofctl", "del-flows", "br0")
		end.run("ovs-ofctl", "add-flow", "br0", "in_port="+hosts[end].Port+",actions=set_field:7->tun_id,set_field:0x15->tun_metadata3,output:g0")
		end.run("ovs-ofctl", "add-flow", "br0", "in_port=g0,tun_id=7,tun_metadata3=5/0xf,actions=output:"+hosts[end].Port)
	}
	a, b := hosts[s], hosts[other]
	s.expect(a, "10.80.0.2", true)
	s.stream(a, b)
	other.run("ovs-ofctl", "mod-flows", "br0", "in_port="+b.Port+",actions=set_field:7->tun_id,set_field:0x16->tun_metadata3,output:g0")
	s.expect(a, "10.80.0.2", false)
	other.run("ovs-ofctl", "mod-flows", "br0", "in_port="+b.Port+",actions=set_field:7->tun_id,set_field:0x25->tun_metadata3,output:g0")
	for end, addrs := range ends {
		end.vsctl("set Interface g0 options:remote_ip=%s options:csum=true", addrs[1])
	}
	s.expect(a, "10.80.0.2", true)
	s.stream(b, a)
}

// Our tunnels and the kernel's own VXLAN device understand each other: with a
// fixed endpoint and key, and where flows choose both and match on them.
func TestVXLANWithKernel(t *testing.T) { eachDatapath(t, (*sw).testVXLANWithKernel) }

func (s *sw) testVXLANWithKernel(t *testing.T) {
	a := s.host("a", "10.80.0.1")
	s.must(lab.AddNamespace(remote))
	s.joinUnderlay()
	s.must(lab.IP(
		"-n "+remote+" link add vx type vxlan id 42 dstport 4789 local "+outerThere+" remote "+outerHere,
		"-n "+remote+" addr add 10.80.0.2/24 dev vx", "-n "+remote+" link set vx mtu 1500 up"))
	far := lab.Host{Space: remote, Addr: "10.80.0.2/24"}

	s.vsctl("add-br br0 -- add-port br0 %s -- add-port br0 v0 -- set Interface v0 type=vxlan options:remote_ip=%s options:key=42", a.Port, outerThere)
	s.expect(a, "10.80.0.2", true)
	s.stream(a, far)
	s.stream(far, a)
	if got := s.run("ovs-appctl", "ofproto/list-tunnels"); !strings.Contains(got, "v0 (vxlan: ::->"+outerThere+", key=0x2a, legacy_l2, dp port=") {
		t.Errorf("ofproto/list-tunnels: %s", got)
	}
	if got := s.run("ovs-appctl", "dpctl/show"); !strings.Contains(got, ": vxlan_sys_4789 (vxlan: packet_type=ptap)") {
		t.Errorf("dpctl/show: %s", got)
	}
	s.eventually("the tunnel's egress device in status", func() bool {
		return s.vsctl("--if-exists get Interface v0 status:tunnel_egress_iface") == underlay
	})
	s.eventually("statistics of the tunnel port", func() bool {
		got := s.vsctl("get Interface v0 statistics")
		return strings.Contains(got, "rx_packets=") && !strings.Contains(got, "rx_packets=0,") && !strings.Contains(got, "tx_packets=0")
	})

	s.vsctl("set Interface v0 options:key=43")
	s.run("ovs-appctl", "revalidator/wait")
	s.expect(a, "10.80.0.2", false)
	s.vsctl("set Interface v0 options:remote_ip=flow options:key=flow")
	s.run("ovs-ofctl", "del-flows", "br0")
	s.run("ovs-ofctl", "add-flow", "br0", "in_port="+a.Port+",actions=set_field:42->tun_id,set_field:"+outerThere+"->tun_dst,output:v0")
	s.run("ovs-ofctl", "add-flow", "br0", "in_port=v0,tun_id=42,tun_src="+outerThere+",tun_dst="+outerHere+",actions=output:"+a.Port)
	s.expect(a, "10.80.0.2", true)
	s.stream(a, far)
	s.run("ovs-ofctl", "mod-flows", "br0", "in_port="+a.Port+",actions=set_field:41->tun_id,set_field:"+outerThere+"->tun_dst,output:v0")
	s.expect(a, "10.80.0.2", false)

	s.vsctl("del-port v0")
	s.eventually("the device of tunnels goes", func() bool {
		return !strings.Contains(s.run("ovs-appctl", "dpctl/show"), "vxlan_sys_4789")
	})
}

// The same over IPv6, with another port.
func TestVXLANOverIPv6(t *testing.T) { eachDatapath(t, (*sw).testVXLANOverIPv6) }

func (s *sw) testVXLANOverIPv6(t *testing.T) {
	a := s.host("a", "10.80.0.1")
	s.must(lab.AddNamespace(remote))
	s.joinUnderlay()
	s.must(lab.IP(
		"-n "+remote+" link add vx type vxlan id 7 dstport 8472 local "+outer6There+" remote "+outer6Here+" udp6zerocsumrx",
		"-n "+remote+" addr add 10.80.0.2/24 dev vx", "-n "+remote+" link set vx mtu 1500 up"))
	far := lab.Host{Space: remote, Addr: "10.80.0.2/24"}
	s.vsctl("add-br br0 -- add-port br0 %s -- add-port br0 v0 -- set Interface v0 type=vxlan options:remote_ip=%s options:key=7 options:dst_port=8472", a.Port, outer6There)
	s.expect(a, "10.80.0.2", true)
	s.stream(a, far)
	s.stream(far, a)
	s.vsctl("set Interface v0 options:csum=true")
	s.stream(a, far)
}

// Two switches, two tunnels between them that keys tell apart.
func TestVXLANBetweenSwitches(t *testing.T) { eachDatapath(t, (*sw).testVXLANBetweenSwitches) }

func (s *sw) testVXLANBetweenSwitches(t *testing.T) {
	other := startIn(t, remote)
	other.datapath = s.datapath
	s.joinUnderlay()
	hosts := map[string]lab.Host{}
	for _, end := range []struct {
		sw   *sw
		name string
		n    int
		to   string
	}{{s, "a", 1, outerThere}, {other, "b", 2, outerHere}} {
		for key := 1; key <= 2; key++ {
			h := end.sw.host(fmt.Sprint(end.name, key), fmt.Sprintf("10.8%d.0.%d", key, end.n))
			hosts[fmt.Sprint(end.name, key)] = h
			end.sw.vsctl("add-br br%d -- add-port br%d %s -- add-port br%d v%d -- set Interface v%d type=vxlan options:remote_ip=%s options:key=%d",
				key, key, h.Port, key, key, key, end.to, key)
		}
	}
	s.expect(hosts["a1"], "10.81.0.2", true)
	s.expect(hosts["a2"], "10.82.0.2", true)
	s.stream(hosts["a1"], hosts["b1"])
	s.stream(hosts["b2"], hosts["a2"])
	if got, err := s.try("ovs-vsctl", "add-port", "br1", "v3", "--", "set", "Interface", "v3", "type=vxlan", "options:remote_ip="+outerThere, "options:key=1"); err == nil ||
		!strings.Contains(got, "could not add network device v3 to ofproto (File exists)") {
		t.Errorf("a second tunnel of the same configuration: %v, %s", err, got)
	}
}
