package netns

import (
	"context"
	"strconv"
	"strings"
	"testing"

	"weir/internal/lab"
)

func TestMirror(t *testing.T) { eachDatapath(t, (*sw).testMirror) }

// A monitoring host gets a copy of what two others say to each other, cut short
// where the mirror says so, and can't take part itself; RSPAN carries copies in
// a VLAN of their own.
func (s *sw) testMirror(t *testing.T) {
	s.must(lab.WithoutIPv6(space)) // so that m hears nothing but copies
	a, b, m := s.host("a", "10.80.0.1"), s.host("b", "10.80.0.2"), s.host("m", "10.80.0.3")
	s.vsctl("add-br br0 -- add-port br0 %s tag=5 -- add-port br0 %s tag=5 -- add-port br0 %s", a.Port, b.Port, m.Port)
	s.expect(a, "10.80.0.2", true)
	before, said := s.received(m), s.sent(a)+s.sent(b)
	s.vsctl("-- --id=@m get Port %s -- --id=@x create Mirror name=m0 select_all=true output_port=@m -- set Bridge br0 mirrors=@x", m.Port)
	s.expect(a, "10.80.0.2", true)
	// Three requests and three replies, once each although they come in and go out.
	s.eventually("six copies", func() bool { return s.received(m) >= before+6 })
	if copies, most := s.received(m)-before, s.sent(a)+s.sent(b)-said; copies > most {
		t.Errorf("%d copies of %d packets", copies, most)
	}
	s.eventually("Mirror statistics", func() bool {
		n, _ := strconv.Atoi(strings.Trim(s.vsctl("--if-exists get Mirror m0 statistics:tx_packets"), `"`))
		return n >= 6
	})
	s.expect(m, "10.80.0.1", false)

	s.vsctl("set Mirror m0 snaplen=60")
	s.expect(a, "10.80.0.2", true)
	packets, bytes := s.received(m), s.counter(m, receivedBytes)
	s.expect(a, "10.80.0.2", true)
	s.eventually("copies cut to 60 bytes", func() bool {
		p, n := s.received(m)-packets, s.counter(m, receivedBytes)-bytes
		return p >= 6 && n <= 64*p
	})

	s.vsctl("-- clear Mirror m0 output_port -- clear Mirror m0 snaplen -- set Mirror m0 output_vlan=99 -- set Port %s tag=99", m.Port)
	packets = s.received(m)
	s.expect(a, "10.80.0.2", true)
	s.eventually("copies in VLAN 99", func() bool { return s.received(m) >= packets+6 })
}

// Counters of a device in /proc/net/dev (proc_pid_net(5)), by their place.
const (
	receivedBytes   = 0
	receivedPackets = 1
	sentPackets     = 9
)

func (s *sw) received(h lab.Host) int { return s.counter(h, receivedPackets) }
func (s *sw) sent(h lab.Host) int     { return s.counter(h, sentPackets) }

// counter is a counter of a host's device.
func (s *sw) counter(h lab.Host, which int) int {
	s.t.Helper()
	out, err := lab.Command(context.Background(), h.Space, "cat", "/proc/net/dev").Output()
	s.must(err)
	_, line, ok := strings.Cut(string(out), "eth0:")
	counters := strings.Fields(line)
	if !ok || len(counters) <= which {
		s.t.Fatalf("%s: no counters of eth0 in\n%s", h.Space, out)
	}
	n, err := strconv.Atoi(counters[which])
	s.must(err)
	return n
}
