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
	o.run(ours, "ovs-vsctl", "--no-wait", "init")
	o.run(ours, "ovs-vswitchd", "--detach", "--no-chdir", "--pidfile", "--log-file", "-vconsole:off")
	o.run(ours, "ovs-vsctl", "add-br", "br-int", "--", "set", "Bridge", "br-int", "datapath_type=netdev", "fail_mode=secure",
		"--", "set", "Open_vSwitch", ".", "external_ids:system-id=chassis", "external_ids:ovn-remote="+o.remote(),
		"external_ids:ovn-encap-type=geneve", "external_ids:ovn-encap-ip=127.0.0.1")
	o.daemon("ovn-northd", "--ovnnb-db="+o.remote(), "--ovnsb-db="+o.remote())
	o.daemon("ovn-controller", o.remote())
	return o
}

func (o *ovn) remote() string { return "unix:" + o.path("db.sock") }

// daemon starts a daemon of OVN and ends it with the test. As with OVN's own ovn-ctl, a
// monitor starts it again after a crash: Debian's ovn-controller 23.03 is killed by a
// segmentation fault now and then while it starts.
func (o *ovn) daemon(name string, args ...string) {
	o.t.Helper()
	o.run(theirs, name, append([]string{"--detach", "--monitor", "--no-chdir", "--pidfile", "--log-file", "-vconsole:off"}, args...)...)
	o.t.Cleanup(func() { o.end(name) })
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
	h := lab.Host{Space: ovnPrefix + "-" + port, Port: "v-" + port, MAC: mac, Addr: network}
	if err := h.Attach(o.space); err != nil {
		o.t.Fatal(err)
	}
	if err := lab.IP("-n " + h.Space + " route add default via " + gateway); err != nil {
		o.t.Fatal(err)
	}
	o.hosts = append(o.hosts, h)
	o.nbctl("lsp-set-addresses "+port, mac+" "+h.IPAddr())
	o.run(ours, "ovs-vsctl", "add-port", "br-int", h.Port, "--", "set", "Interface", h.Port, "external_ids:iface-id="+port)
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
