package netns

import (
	"context"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"weir/internal/lab"
)

// TestLiveTrace explains packets that flows of the data path forward, in the
// kernel as in user space, and checks that they go on meanwhile.
func TestLiveTrace(t *testing.T) { eachDatapath(t, (*sw).testLiveTrace) }

func (s *sw) testLiveTrace(t *testing.T) {
	a, b := s.host("a", "10.81.0.1"), s.host("b", "10.81.0.2")
	s.vsctl("add-br br0 -- add-port br0 %s -- add-port br0 %s", a.Port, b.Port)
	s.expect(a, "10.81.0.2", true)
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	ping := lab.Command(ctx, a.Space, "ping", "-n", "-i", "0.01", "10.81.0.2")
	var pinged strings.Builder
	ping.Stdout = &pinged
	s.must(ping.Start())
	out := s.run("ovs-appctl", "ofproto/trace", "--live", "br0", "icmp,nw_src=10.81.0.1", "-n", "10", "--names")
	s.must(ping.Process.Signal(os.Interrupt))
	s.must(ping.Wait())
	// How many are on their way when ping ends nobody knows: those before the last
	// that came back did so, too.
	received := regexp.MustCompile(`icmp_seq=(\d+) ttl=`).FindAllStringSubmatch(pinged.String(), -1)
	for i, r := range received {
		if r[1] != strconv.Itoa(i+1) {
			t.Errorf("packet %s came back where %d is due:\n%s", r[1], i+1, &pinged)
			break
		}
	}
	if len(received) < 10 {
		t.Errorf("%d packets came back:\n%s", len(received), &pinged)
	}
	head := regexp.MustCompile(`(?m)^Packet \d+ of 10: [0-9:.]+, 98 bytes, came in on ` + a.Port + `, met (ufid:)?`)
	heads := head.FindAllStringSubmatch(out, -1)
	// A flow may be made anew, more than once where the switch has hardly a CPU.
	if len(heads) != 10 || !slices.ContainsFunc(heads, func(h []string) bool { return h[1] != "" }) {
		t.Errorf("of 10 packets %d are shown, or none of them met a flow:\n%s", len(heads), out)
	}
	if n := strings.Count(out, "Datapath actions: "+b.Port); n != 10 {
		t.Errorf("%d packets went to %s, want 10:\n%s", n, b.Port, out)
	}
	// Nothing of it stays in the flows.
	for range 3 {
		if dump := s.run("ovs-appctl", "dpctl/dump-flows"); strings.Contains(dump, "userspace") {
			t.Errorf("flows still send packets up: %s", dump)
		}
	}
	s.expect(a, "10.81.0.2", true)
	if slow := s.run("ovs-appctl", "dpif/show-slow"); s.datapath == "system" && !strings.Contains(slow, "userspace action") {
		t.Errorf("no packet of a flow in the kernel was shown: %s", slow)
	}
}
