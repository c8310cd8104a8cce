package interop

import (
	"os"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"weir/test/programs"
)

// Each side's ovs-testcontroller makes a learning switch of the other side's
// switch, and of its own, which shows what is to be seen. In OpenFlow 1.5 ours
// does what it does in 1.4: Debian's, of release 3.1, is killed by a segmentation
// fault when it answers the first packet in that version.
func TestTestController(t *testing.T) {
	for _, version := range []string{"OpenFlow10", "OpenFlow11", "OpenFlow12", "OpenFlow13", "OpenFlow14", "OpenFlow15"} {
		for _, sw := range []side{ours, theirs} {
			t.Run(version+" switch "+string(sw), func(t *testing.T) {
				as := version
				if version == "OpenFlow15" {
					as = "OpenFlow14"
				}
				want := learned(t, theirs, sw, as)
				if got := learned(t, ours, sw, version); got != want {
					t.Errorf("the flows of our controller:\n%s\nof the original:\n%s", got, want)
				}
			})
		}
	}
}

// learned has the controller of one side learn from packets that the switch of a
// side receives, and returns the flows that it added.
func learned(t *testing.T, controller, sw side, version string) string {
	t.Helper()
	s := newStack(t, sw)
	s.startSwitch(sw, sw)
	socket := s.path("controller")
	s.run(controller, "ovs-testcontroller", "--detach", "--no-chdir", "--pidfile", "--log-file", "-vconsole:off", "-O", version, "punix:"+socket)
	t.Cleanup(func() { s.terminate("ovs-testcontroller") })
	s.run(sw, "ovs-vsctl", "set-controller", "br0", "unix:"+socket, "--", "set", "Bridge", "br0", "protocols="+version)
	// A packet that nobody was there for leaves the original a flow of its data path
	// that drops, for as long as more of them come.
	s.until("a controller", func() bool {
		log, err := os.ReadFile(s.path("ovs-vswitchd.log"))
		return err == nil && strings.Contains(string(log), "<->unix:"+socket+": connected")
	})
	const first, second = "50:54:00:00:00:01", "50:54:00:00:00:02"
	flows := func() string {
		// The switch may still be taking up the version.
		out, err := s.try(ours, "ovs-ofctl", "-O", version, "--no-stats", "dump-flows", "br0")
		if err != nil {
			return ""
		}
		return out
	}
	send := func(port, src, dst string) {
		s.run(sw, "ovs-appctl", "netdev-dummy/receive", port, "in_port(1),eth(src="+src+",dst="+dst+
			"),eth_type(0x0800),ipv4(src=10.0.0.1,dst=10.0.0.2,proto=17,tos=0,ttl=64,frag=no),udp(src=1,dst=2)")
	}
	// What the controller does not know it floods: a packet of each host comes
	// before there are flows.
	var got string
	s.until("flows both ways", func() bool {
		send("p1", first, second)
		send("p2", second, first)
		got = flows()
		return strings.Contains(got, "dl_dst="+first) && strings.Contains(got, "dl_dst="+second)
	})
	return strings.Join(sorted(got), "\n")
}

// terminate ends a daemon by a signal and waits until it is gone: the original's
// ovs-testcontroller has no command for that.
func (s *stack) terminate(daemon string) {
	s.t.Helper()
	text, err := os.ReadFile(s.path(daemon + ".pid"))
	if err != nil {
		s.t.Errorf("%s is not there any more: %v", daemon, err)
		return
	}
	pid, err := strconv.Atoi(strings.TrimSpace(string(text)))
	if err == nil {
		err = syscall.Kill(pid, syscall.SIGTERM)
	}
	if err != nil || !programs.Wait(func() bool { return !s.running(daemon) }) {
		s.t.Errorf("%s does not end: %v", daemon, err)
	}
}

// sorted are the lines of flows, in an order of their own. How much of a packet
// comes up is left out: the original asks for 128 bytes, so that longer packets
// are flooded cut short, and ours for all.
func sorted(text string) []string {
	text = strings.ReplaceAll(maskXIDs(text), "CONTROLLER:128", "CONTROLLER:65535")
	var lines []string
	for line := range strings.Lines(text) {
		lines = append(lines, strings.TrimSpace(line))
	}
	slices.Sort(lines)
	return lines
}
