package interop

import (
	"slices"
	"strings"
	"testing"
)

// Each side's ovs-testcontroller makes a learning switch of the other side's
// switch, and of its own, which shows what is to be seen.
func TestTestController(t *testing.T) {
	for _, version := range []string{"OpenFlow10", "OpenFlow13"} {
		for _, sw := range []side{ours, theirs} {
			t.Run(version+" switch "+string(sw), func(t *testing.T) {
				want := learned(t, sw, sw, version)
				if got := learned(t, sw.other(), sw, version); got != want {
					t.Errorf("the flows of %s controller:\n%s\nof %s:\n%s", sw.other(), got, sw, want)
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
	t.Cleanup(func() { _, _ = s.try(ours, "ovs-appctl", "-t", "ovs-testcontroller", "exit") })
	s.run(sw, "ovs-vsctl", "set-controller", "br0", "unix:"+socket, "--", "set", "Bridge", "br0", "protocols="+version)
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
	s.until("flows both ways", func() bool {
		send("p1", first, second)
		send("p2", second, first)
		got := flows()
		return strings.Contains(got, "dl_dst="+first) && strings.Contains(got, "dl_dst="+second)
	})
	return strings.Join(sorted(flows()), "\n")
}

// sorted are the lines of flows, in an order of their own. How much of a packet
// comes up is left out: the original asks for 128 bytes, so that longer packets
// are flooded cut short, and ours for all.
func sorted(text string) []string {
	text = strings.ReplaceAll(maskXIDs(text), "CONTROLLER:128", "CONTROLLER:65535")
	lines := strings.Split(strings.TrimSpace(text), "\n")
	slices.Sort(lines)
	return lines
}
