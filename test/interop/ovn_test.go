package interop

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"weir/internal/lab"
)

const ovnPrefix = "weir-io-ovn"

// ovn is OVN of Debian on our database servers and our switch, all of one
// chassis, in a network namespace.
type ovn struct {
	*stack
	hosts []lab.Host
}

// newOVN starts the northbound, southbound and Open_vSwitch databases in one
// server, the switch, and OVN's own daemons.
func newOVN(t *testing.T) *ovn {
	t.Helper()
	o := centralOVN(t)
	o.startSwitches()
	o.chassis(o.stack, "1", "netdev", "127.0.0.1")
	return o
}

// centralOVN starts the databases and what compiles one into the other.
func centralOVN(t *testing.T) *ovn {
	t.Helper()
	for _, name := range []string{"ovn-northd", "ovn-controller", "ovn-nbctl"} {
		theirs.program(t, name)
	}
	lab.RemoveNamespaces(ovnPrefix)
	t.Cleanup(func() { lab.RemoveNamespaces(ovnPrefix) })
	if err := lab.AddNamespace(ovnPrefix); err != nil {
		t.Fatal(err)
	}
	o := &ovn{stack: newStack(t, ours)}
	o.space = ovnPrefix
	for _, db := range []string{"nb", "sb"} {
		o.run(ours, "ovsdb-tool", "create", o.path(db+".db"), "/usr/share/ovn/ovn-"+db+".ovsschema")
		o.run(ours, "ovs-appctl", "-t", "ovsdb-server", "ovsdb-server/add-db", o.path(db+".db"))
	}
	o.daemon(o.stack, "ovn-northd", "--ovnnb-db="+o.remote(), "--ovnsb-db="+o.remote())
	return o
}

// startSwitches starts the switch of a stack.
func (s *stack) startSwitches() {
	s.t.Helper()
	s.run(ours, "ovs-vsctl", "--no-wait", "init")
	s.run(ours, "ovs-vswitchd", "--detach", "--no-chdir", "--pidfile", "--log-file", "-vconsole:off")
}

// chassis makes a stack with a switch a chassis of OVN, whose tunnels end at an
// address.
func (o *ovn) chassis(s *stack, name, datapath, address string) {
	o.t.Helper()
	s.run(ours, "ovs-vsctl", "add-br", "br-int", "--", "set", "Bridge", "br-int", "datapath_type="+datapath, "fail_mode=secure",
		"--", "set", "Open_vSwitch", ".", "external_ids:system-id=chassis-"+name, "external_ids:ovn-remote="+o.remote(),
		"external_ids:ovn-bridge-datapath-type="+datapath, "external_ids:ovn-encap-type=geneve", "external_ids:ovn-encap-ip="+address)
	o.daemon(s, "ovn-controller", "unix:"+s.path("db.sock"))
}

func (o *ovn) remote() string { return "unix:" + o.path("db.sock") }

// daemon starts a daemon of OVN in a stack and ends it with the test. As with OVN's own ovn-ctl, a
// monitor starts it again after a crash: Debian's ovn-controller 23.03 is killed by a
// segmentation fault now and then while it starts.
func (o *ovn) daemon(s *stack, name string, args ...string) {
	o.t.Helper()
	s.run(theirs, name, append([]string{"--detach", "--monitor", "--no-chdir", "--pidfile", "--log-file", "-vconsole:off"}, args...)...)
	o.t.Cleanup(func() { s.end(name) })
}

// nbctl changes the northbound database: words separated by spaces, and last
// words that hold spaces themselves.
func (o *ovn) nbctl(words string, last ...string) {
	o.t.Helper()
	args := append([]string{"--db=" + o.remote()}, strings.Fields(words)...)
	o.run(theirs, "ovn-nbctl", append(args, last...)...)
}

// bind hangs a host on the logical port of the same name.
func (o *ovn) bind(port, mac, network, gateway string) {
	o.t.Helper()
	o.bindAt(o.stack, port, mac, network, gateway)
}

// bindAt hangs a host on a chassis.
func (o *ovn) bindAt(s *stack, port, mac, network, gateway string) {
	o.t.Helper()
	h := lab.Host{Space: ovnPrefix + "-" + port, Port: "v-" + port, MAC: mac, Addr: network}
	if err := h.Attach(s.space); err != nil {
		o.t.Fatal(err)
	}
	if err := lab.IP("-n " + h.Space + " route add default via " + gateway); err != nil {
		o.t.Fatal(err)
	}
	o.hosts = append(o.hosts, h)
	o.nbctl("lsp-set-addresses "+port, mac+" "+h.IPAddr())
	s.run(ours, "ovs-vsctl", "add-port", "br-int", h.Port, "--", "set", "Interface", h.Port, "external_ids:iface-id="+port)
}

// reaches reports whether one host gets an answer to a ping of another, which
// is repeated every second for a number of seconds.
func (o *ovn) reaches(from, to lab.Host, wait string) bool {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	return lab.Command(ctx, from.Space, "ping", "-n", "-c", "1", "-w", wait, to.IPAddr()).Run() == nil
}

// OVN's controller programs our switch: two logical switches and a router
// between them forward, and an access list denies.
func TestOVN(t *testing.T) {
	o := newOVN(t)
	o.nbctl("ls-add s1 -- lsp-add s1 a -- lsp-add s1 b -- ls-add s2 -- lsp-add s2 c")
	o.nbctl("lr-add r -- lrp-add r r1 00:00:00:00:ff:01 10.0.1.254/24 -- lrp-add r r2 00:00:00:00:ff:02 10.0.2.254/24")
	for _, n := range []string{"1", "2"} {
		o.nbctl(fmt.Sprintf("lsp-add s%[1]s s%[1]sr -- set Logical_Switch_Port s%[1]sr type=router addresses=router options:router-port=r%[1]s", n))
	}
	o.bind("a", "00:00:00:00:00:01", "10.0.1.1/24", "10.0.1.254")
	o.bind("b", "00:00:00:00:00:02", "10.0.1.2/24", "10.0.1.254")
	o.bind("c", "00:00:00:00:00:03", "10.0.2.3/24", "10.0.2.254")
	o.nbctl("--timeout=110 --wait=hv sync") // answered once the flows are in the switch
	a, b, c := o.hosts[0], o.hosts[1], o.hosts[2]
	for _, pair := range [][2]lab.Host{{a, b}, {a, c}, {c, b}} {
		if !o.reaches(pair[0], pair[1], "50") {
			t.Errorf("%s does not reach %s", pair[0].Port, pair[1].Port)
		}
	}
	o.nbctl("acl-add s1 to-lport 1000 outport==\"b\" drop")
	o.nbctl("--timeout=110 --wait=hv sync")
	if o.reaches(a, b, "3") {
		t.Error("an access list denies a to reach b, and a reaches b")
	}
	if !o.reaches(a, c, "50") {
		t.Error("a does not reach c")
	}
}

// Two chassis with Geneve between them, of which one has the data path in user
// space with its address on a bridge, and the other the one in the kernel with its
// address on the host's own device. What OVN passes on in options of Geneve, the
// logical ports, decides who gets a packet.
func TestOVNBetweenChassis(t *testing.T) {
	theirs.program(t, "busybox") // for its DHCP client
	o := centralOVN(t)
	o.startSwitches()
	second := ovnPrefix + "-hv2"
	if err := lab.AddNamespace(second); err != nil {
		t.Fatal(err)
	}
	other := newStack(t, ours)
	other.space = second
	other.startSwitches()
	o.run(ours, "ovs-vsctl", "add-br", "br-phys", "--", "set", "Bridge", "br-phys", "datapath_type=netdev")
	if err := lab.IP("link add ul netns "+ovnPrefix+" type veth peer name ul netns "+second, "-n "+ovnPrefix+" link set ul up",
		"-n "+second+" link set ul up", "-n "+ovnPrefix+" addr add 172.16.0.1/24 dev br-phys", "-n "+ovnPrefix+" link set br-phys up",
		"-n "+second+" addr add 172.16.0.2/24 dev ul"); err != nil {
		t.Fatal(err)
	}
	o.run(ours, "ovs-vsctl", "add-port", "br-phys", "ul")
	o.chassis(o.stack, "1", "netdev", "172.16.0.1")
	o.chassis(other, "2", "system", "172.16.0.2")

	o.nbctl("ls-add s1 -- lsp-add s1 a -- lsp-add s1 b -- lsp-add s1 d -- ls-add s2 -- lsp-add s2 c")
	o.nbctl("lr-add r -- lrp-add r r1 00:00:00:00:ff:01 10.0.1.254/24 -- lrp-add r r2 00:00:00:00:ff:02 10.0.2.254/24")
	for _, n := range []string{"1", "2"} {
		o.nbctl(fmt.Sprintf("lsp-add s%[1]s s%[1]sr -- set Logical_Switch_Port s%[1]sr type=router addresses=router options:router-port=r%[1]s", n))
	}
	o.bindAt(o.stack, "a", "00:00:00:00:00:01", "10.0.1.1/24", "10.0.1.254")
	o.bindAt(other, "b", "00:00:00:00:00:02", "10.0.1.2/24", "10.0.1.254")
	o.bindAt(other, "c", "00:00:00:00:00:03", "10.0.2.3/24", "10.0.2.254")
	o.nbctl("--timeout=110 --wait=hv sync")
	a, b, c := o.hosts[0], o.hosts[1], o.hosts[2]
	for _, pair := range [][2]lab.Host{{a, b}, {b, a}, {a, c}, {c, a}} {
		if !o.reaches(pair[0], pair[1], "50") {
			t.Errorf("%s does not reach %s", pair[0].Port, pair[1].Port)
		}
	}
	o.nbctl("pg-add pg a b -- acl-add pg to-lport 1001", "outport == @pg && ip4.src == $pg_ip4 && icmp4", "allow-stateless")
	o.nbctl("--timeout=110 --wait=hv acl-add pg to-lport 1000", "outport == @pg && icmp4", "drop")
	if !o.reaches(a, b, "50") {
		t.Error("an access list of a port group allows a to reach b, and it doesn't")
	}
	if o.reaches(c, a, "2") {
		t.Error("an access list of a port group denies c to reach a, and it does")
	}
	o.nbctl("acl-del pg")
	o.leases(other)
}

// leases has a host on a chassis get its address by OVN's DHCP.
func (o *ovn) leases(s *stack) {
	o.t.Helper()
	out := o.run(theirs, "ovn-nbctl", "--db="+o.remote(), "create", "DHCP_Options", "cidr=10.0.1.0/24",
		`options="server_id"="10.0.1.254" "server_mac"="c0:ff:ee:00:00:01" "lease_time"="3600" "router"="10.0.1.254"`)
	o.bindAt(s, "d", "00:00:00:00:00:04", "10.0.1.4/24", "10.0.1.254")
	o.nbctl("--timeout=110 --wait=hv lsp-set-dhcpv4-options d " + strings.TrimSpace(out))
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	said, err := lab.Command(ctx, o.hosts[len(o.hosts)-1].Space, "busybox", "udhcpc", "-i", "eth0", "-n", "-q", "-s", "/bin/true").CombinedOutput()
	if err != nil || !strings.Contains(string(said), "lease of 10.0.1.4 obtained from 10.0.1.254") {
		o.t.Errorf("no address by DHCP: %v\n%s", err, said)
	}
}
