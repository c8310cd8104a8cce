// Package packets tests the switch with packets of every kind that gopacket, or
// scapy where gopacket doesn't know the header, made: what flows match in them,
// and that every byte of what comes out is as that library would have made it.
package packets

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"weir/internal/lab"
	"weir/test/alone"
	"weir/test/programs"
)

func TestMain(m *testing.M) { alone.Main(m) }

// prefix begins the names of this package's namespaces.
const prefix = "weir-pk-"

const (
	space    = prefix + "switch" // where the switch lives
	farSpace = prefix + "far"    // where the other ends of its ports are
)

// sw is a running switch in a namespace and directory of its own.
type sw struct {
	t        testing.TB
	bin, dir string
}

// datapaths are the types of bridges that packets go through.
var datapaths = []string{"system", "netdev", "dummy"}

// start brings a switch up and takes it down with the test.
func start(t testing.TB) *sw {
	t.Helper()
	bin, dir := programs.Need(t, prefix)
	s := &sw{t: t, bin: bin, dir: dir}
	lab.RemoveNamespaces(prefix)
	t.Cleanup(s.stop)
	for _, name := range []string{space, farSpace} {
		check(t, lab.AddNamespace(name))
		check(t, lab.WithoutIPv6(name))
	}
	s.run("ovsdb-tool", "create", dir+"/conf.db", "../../schema/vswitch.ovsschema")
	s.run("ovsdb-server", "--detach", "--no-chdir", "--pidfile", "--log-file", "--remote=punix:db.sock", dir+"/conf.db")
	s.run("ovs-vsctl", "--no-wait", "init")
	// A flow of the data path stays, however long a test takes until its next packet.
	s.run("ovs-vsctl", "--no-wait", "set", "Open_vSwitch", ".", "other_config:max-idle=3600000")
	s.run("ovs-vswitchd", "--detach", "--no-chdir", "--pidfile", "--log-file", "--enable-dummy")
	return s
}

func (s *sw) stop() {
	for _, args := range [][]string{{"exit", "--cleanup"}, {"-t", "ovsdb-server", "exit"}} {
		if out, err := s.try("ovs-appctl", args...); err != nil {
			s.t.Errorf("ovs-appctl %s: %v\n%s", args, err, out)
		}
	}
	if s.t.Failed() {
		log, _ := os.ReadFile(filepath.Join(s.dir, "ovs-vswitchd.log"))
		for line := range strings.Lines(string(log)) {
			if !strings.Contains(line, "|INFO|") {
				s.t.Log(line)
			}
		}
	}
	lab.RemoveNamespaces(prefix)
	_ = os.RemoveAll(s.dir)
}

// try runs one of the programs inside the switch's namespace.
func (s *sw) try(name string, args ...string) (string, error) {
	return programs.Run(2*programs.Patience, space, s.dir, filepath.Join(s.bin, name), args...)
}

// run is try where failure ends the test; it returns what was printed.
func (s *sw) run(name string, args ...string) string {
	s.t.Helper()
	out, err := s.try(name, args...)
	if err != nil {
		s.t.Fatalf("%s %s: %v\n%s", name, strings.Join(args, " "), err, out)
	}
	return out
}

// bridge is a bridge with ports 1, 2 and 3 and the far ends of these.
type bridge struct {
	*sw
	name, datapath string
	wires          [4]wire // by port number
}

// mtu is what ports carry.
const mtu = 9000

// bridge makes a bridge on a data path.
func (s *sw) bridge(t testing.TB, datapath string) *bridge {
	t.Helper()
	s = &sw{t: t, bin: s.bin, dir: s.dir}
	b := &bridge{sw: s, name: "br-" + datapath[:3], datapath: datapath}
	s.run("ovs-vsctl", "add-br", b.name, "--", "set", "Bridge", b.name, "datapath_type="+datapath, "fail-mode=secure")
	for n := 1; n <= 3; n++ {
		b.addPort(n)
	}
	if datapath == "system" {
		if got := s.run("ovs-vsctl", "get", "Bridge", b.name, "status:datapath"); !strings.Contains(got, "ebpf") {
			s.t.Skipf("the kernel's data path is not there: %s", s.run("ovs-vsctl", "get", "Bridge", b.name, "status"))
		}
	}
	return b
}

func (b *bridge) addPort(n int) {
	b.t.Helper()
	port := fmt.Sprintf("%s-%d", b.datapath[:3], n)
	add := []string{"add-port", b.name, port, "--", "set", "Interface", port, fmt.Sprintf("ofport_request=%d", n)}
	if b.datapath == "dummy" {
		socket := filepath.Join(b.dir, port)
		b.run("ovs-vsctl", append(add, "type=dummy", "options:pstream=punix:"+socket, fmt.Sprintf("mtu_request=%d", mtu))...)
		p, err := openPlug(socket)
		check(b.t, err)
		b.wires[n] = p
	} else {
		far := port + "-far"
		check(b.t, lab.IP(fmt.Sprintf("-n %s link add %s mtu %d type veth peer name %s mtu %d netns %s", space, port, mtu, far, mtu, farSpace),
			"-n "+space+" link set "+port+" up", "-n "+farSpace+" link set "+far+" up"))
		c, err := openCable(farSpace, far)
		check(b.t, err)
		b.wires[n] = c
		b.run("ovs-vsctl", add...)
	}
	b.t.Cleanup(b.wires[n].close)
}

// flows replaces the bridge's flows. When it returns, no flow of the data path is
// as the old ones had it.
func (b *bridge) flows(version string, flows ...string) {
	b.t.Helper()
	b.run("ovs-ofctl", "-O", "OpenFlow10,OpenFlow15", "del-flows", b.name)
	b.addFlows(version, flows...)
}

func (b *bridge) addFlows(version string, flows ...string) {
	b.t.Helper()
	name := filepath.Join(b.dir, "flows")
	check(b.t, os.WriteFile(name, []byte(strings.Join(flows, "\n")+"\n"), 0o600))
	b.run("ovs-ofctl", "-O", version, "add-flows", b.name, name)
	b.settled()
}

// settled waits until the data path's flows are as tables and configuration have
// them; a command that changes these doesn't.
func (b *bridge) settled() {
	b.t.Helper()
	b.run("ovs-appctl", "revalidator/wait")
}

// within is how long a packet may take through the switch. Only a test that fails
// waits as long.
const within = programs.Patience

// passes sends a frame into port 1 and reports whether exactly want comes out at
// port, in any order.
func (b *bridge) passes(frame []byte, port int, want ...[]byte) error {
	if err := b.wires[1].send(frame); err != nil {
		return fmt.Errorf("sending: %w", err)
	}
	return b.comes(frame, port, want...)
}

// comes reports whether exactly want comes out at port, in any order, after frame
// was sent in.
func (b *bridge) comes(frame []byte, port int, want ...[]byte) error {
	for left := slices.Clone(want); len(left) > 0; {
		got, err := b.wires[port].receive(within)
		if errors.Is(err, os.ErrDeadlineExceeded) {
			return fmt.Errorf("%d of %d copies don't come out at port %d:%s came in%s", len(left), len(want), port, describe(frame), b.elsewhere())
		} else if err != nil {
			return err
		}
		i := slices.IndexFunc(left, func(w []byte) bool { return bytes.Equal(got, w) })
		if i < 0 {
			err := difference(frame, got, left[0])
			b.elsewhere()
			return err
		}
		left = slices.Delete(left, i, i+1)
	}
	return nil
}

// elsewhere takes the frames that came out where none were expected.
func (b *bridge) elsewhere() string {
	var s strings.Builder
	for n := 1; n <= 3; n++ {
		if got, err := b.wires[n].receive(time.Millisecond); err == nil {
			fmt.Fprintf(&s, "%s came out at port %d", describe(got), n)
		}
	}
	return s.String()
}

// misses is how many packets the data path in the kernel had no flow for.
func (b *bridge) misses() (n int) {
	for line := range strings.Lines(b.run("ovs-appctl", "dpif/show-slow")) {
		_, _ = fmt.Sscanf(line, "  no flow in the kernel: %d packets", &n)
	}
	return n
}

// rounds sends all packets again until the data path has a flow for each, so
// that they were seen by translation and by what it made; send returns false
// where there is no sense in going on.
func (b *bridge) rounds(send func() bool) {
	b.t.Helper()
	for range 50 {
		before := b.misses()
		if !send() || b.datapath != "system" && !send() {
			return
		}
		if b.datapath != "system" || b.misses() == before {
			return
		}
	}
	b.t.Errorf("the data path never has flows for all packets:\n%s", b.run("ovs-appctl", "dpif/show-slow"))
}

func check(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
