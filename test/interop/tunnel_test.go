package interop

import (
	"context"
	"fmt"
	"os"
	"strings"
	"testing"

	"weir/internal/lab"
	"weir/test/programs"
)

const tunnelPrefix = "weir-io-tnl"

// site is a switch with a host on bridge br-int; the outer addresses are on bridge
// br-phys.
type site struct {
	*stack
	of    side
	host  lab.Host
	outer [2]string // IPv4, IPv6
}

// newSite starts one with a type of data path; number tells it from others in its
// addresses.
func newSite(t *testing.T, of side, datapath string, number int) *site {
	t.Helper()
	s := &site{stack: newStack(t, ours), of: of, outer: [2]string{fmt.Sprintf("172.17.0.%d", number), fmt.Sprintf("fd17::%d", number)}}
	s.space = fmt.Sprintf("%s-%d", tunnelPrefix, number)
	if err := lab.AddNamespace(s.space); err != nil {
		t.Fatal(err)
	}
	// What comes in by ul the kernel sees, too, and would answer for br-phys's address.
	if err := lab.Within(s.space, func() error { return os.WriteFile("/proc/sys/net/ipv4/conf/all/arp_ignore", []byte("1"), 0) }); err != nil {
		t.Fatal(err)
	}
	s.host = lab.Host{Space: s.space + "h", Port: "h0", MAC: fmt.Sprintf("00:00:00:00:aa:0%d", number), Addr: fmt.Sprintf("10.17.0.%d/24", number)}
	if err := s.host.Attach(s.space); err != nil {
		t.Fatal(err)
	}
	s.run(ours, "ovs-vsctl", "--no-wait", "init")
	s.run(of, "ovs-vswitchd", "--detach", "--no-chdir", "--pidfile", "--log-file", "-vconsole:off")
	s.vsctl("add-br br-int -- set Bridge br-int datapath_type=" + datapath + " fail_mode=secure -- add-port br-int h0 -- set Interface h0 ofport_request=1")
	s.run(ours, "ovs-ofctl", "add-tlv-map", "br-int", "{class=0x102,type=0x80,len=4}->tun_metadata0,{class=0x102,type=1,len=8}->tun_metadata1")
	s.vsctl("add-br br-phys -- set Bridge br-phys datapath_type=" + datapath)
	return s
}

// vsctl runs ovs-vsctl with words separated by spaces.
func (s *site) vsctl(words string) {
	s.t.Helper()
	s.run(ours, "ovs-vsctl", strings.Fields(words)...)
}

// flows makes the flows of br-int, each in a string, the only ones.
func (s *site) flows(flows ...string) {
	s.t.Helper()
	s.run(ours, "ovs-ofctl", "-O", "OpenFlow15", "del-flows", "br-int")
	for _, f := range flows {
		s.run(ours, "ovs-ofctl", "-O", "OpenFlow15", "add-flow", "br-int", f)
	}
}

// wire joins the sites' physical bridges.
func wire(t *testing.T, a, b *site) {
	t.Helper()
	if err := lab.IP("link add ul mtu 1600 netns " + a.space + " type veth peer name ul mtu 1600 netns " + b.space); err != nil {
		t.Fatal(err)
	}
	for _, s := range []*site{a, b} {
		if err := lab.IP("-n "+s.space+" link set ul up", "-n "+s.space+" addr add "+s.outer[0]+"/24 dev br-phys",
			"-n "+s.space+" addr add "+s.outer[1]+"/64 dev br-phys nodad", "-n "+s.space+" link set br-phys up"); err != nil {
			t.Fatal(err)
		}
		s.vsctl("add-port br-phys ul")
	}
	for _, pair := range [][2]*site{{a, b}, {b, a}} { // inner packets without Ethernet header bring no answers to ARP
		if err := lab.IP(fmt.Sprintf("-n %s neigh add %s lladdr %s dev eth0", pair[0].host.Space, pair[1].host.IPAddr(), pair[1].host.MAC)); err != nil {
			t.Fatal(err)
		}
	}
}

// join makes the port of a tunnel on both sites, 9, over IPv4 (v 0) or IPv6, and the
// flows of each.
func join(a, b *site, v int, typ, options string, flows func(*site) []string) {
	for _, s := range []*site{a, b} {
		s.vsctl("--if-exists del-port t0") // of both first: tunnels of a UDP port are alike
	}
	for _, pair := range [][2]*site{{a, b}, {b, a}} {
		s, remote := pair[0], pair[1].outer[v]
		s.vsctl("add-port br-int t0 -- set Interface t0 type=" + typ + " ofport_request=9 options:remote_ip=" + remote + " " + options)
		s.flows(flows(s)...)
	}
}

// pings sends pings until one is answered, and then a number more; it returns how
// many of these were lost.
func pings(t *testing.T, from, to *site, n int) (lost int, ok bool) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	ping := func(args ...string) (string, error) {
		out, err := lab.Command(ctx, from.host.Space, append([]string{"ping", "-n", "-i", "0.02"}, append(args, to.host.IPAddr())...)...).CombinedOutput()
		return string(out), err
	}
	if _, err := ping("-c", "1", "-w", "20"); err != nil {
		return n, false
	}
	out, _ := ping("-c", fmt.Sprint(n), "-W", "2", "-s", "700")
	_, rest, _ := strings.Cut(out, "packets transmitted, ")
	var got int
	fmt.Sscan(rest, &got)
	return n - got, true
}

// Every kind of tunnel between our switch and Debian's, over IPv4 and IPv6, with and
// without a checksum: hosts reach each other, and once they do packets aren't lost.
func TestTunnels(t *testing.T) {
	a, b := newSites(t, "netdev")
	every(t, a, b, "")
	t.Run("gtpu", func(t *testing.T) { testGTPU(t, a, b) })
}

// The data path in the kernel leaves all of it to user space, and sees it back.
func TestTunnelsBesideKernel(t *testing.T) {
	a, b := newSites(t, "system")
	every(t, a, b, "gre geneve erspan 2")
}

// newSites are one of ours with a type of data path, and one of theirs with that of
// user space.
func newSites(t *testing.T, datapath string) (a, b *site) {
	lab.RemoveNamespaces(tunnelPrefix)
	t.Cleanup(func() { lab.RemoveNamespaces(tunnelPrefix) })
	a, b = newSite(t, ours, datapath, 1), newSite(t, theirs, "netdev", 2)
	wire(t, a, b)
	return a, b
}

// every tries each kind of tunnel, or those that some names.
func every(t *testing.T, a, b *site, some string) {
	plain := func(s *site) []string { return []string{"in_port=1,actions=output:9", "in_port=9,actions=output:1"} }
	options := func(s *site) []string {
		return []string{"in_port=1,actions=set_field:0x1234abcd->tun_metadata0,set_field:7->tun_metadata1,output:9",
			"in_port=9,tun_metadata0=0x1234abcd,tun_metadata1=7/0xf,actions=output:1"}
	}
	for _, c := range []struct {
		name, typ, options string
		flows              func(*site) []string
	}{
		{"vxlan", "vxlan", "options:key=5", plain},
		{"vxlan gpe", "vxlan", "options:key=5 options:exts=gpe options:packet_type=ptap options:dst_port=4790", plain},
		{"gre", "gre", "options:key=5", plain},
		{"gre csum", "gre", "options:csum=true", plain},
		{"geneve", "geneve", "options:key=5", options},
		{"geneve csum", "geneve", "options:key=5 options:csum=true", options},
		{"erspan 1", "erspan", "options:key=5 options:erspan_ver=1 options:erspan_idx=3", plain},
		{"erspan 2", "erspan", "options:key=5 options:erspan_ver=2 options:erspan_dir=1 options:erspan_hwid=4", plain},
	} {
		if !strings.Contains(some, c.name) && some != "" {
			continue
		}
		for v, family := range []string{"IPv4", "IPv6"} {
			t.Run(c.name+" "+family, func(t *testing.T) {
				join(a, b, v, c.typ, c.options, c.flows)
				for _, pair := range [][2]*site{{a, b}, {b, a}} {
					const n = 10
					lost, ok := pings(t, pair[0], pair[1], n)
					if !ok {
						t.Errorf("from %s to %s nothing gets through", pair[0].of, pair[1].of)
						t.Log(a.run(ours, "ovs-appctl", "drops/show"))
					} else if lost > n/5 { // a machine that stands still for a moment loses one now and then
						t.Errorf("from %s to %s %d of %d were lost", pair[0].of, pair[1].of, lost, n)
					}
				}
			})
		}
	}
}

// testGTPU sends GTP-U one way: what release 3.1 sends back has a wrong outer
// checksum, of a header without its length.
func testGTPU(t *testing.T, a, b *site) {
	for v := range a.outer {
		join(a, b, v, "gtpu", "options:key=5", func(s *site) []string {
			return []string{"in_port=1,ip,actions=output:9", "in_port=9,ip,nw_src=" + a.host.IPAddr() + ",actions=drop"}
		})
		_, _ = lab.Command(context.Background(), a.host.Space, "ping", "-n", "-c", "20", "-i", "0.02", "-W", "1", b.host.IPAddr()).CombinedOutput()
		if !programs.Wait(func() bool {
			return !strings.Contains(b.run(ours, "ovs-ofctl", "dump-flows", "br-int", "in_port=9"), "n_packets=0,")
		}) {
			t.Errorf("no packet in GTP-U gets through to %s", b.outer[v])
		}
	}
}
