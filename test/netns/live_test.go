package netns

import (
	"context"
	"os"
	"regexp"
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
	ping := lab.Command(ctx, a.Space, "ping", "-n", "-q", "-i", "0.01", "10.81.0.2")
	var pinged strings.Builder
	ping.Stdout = &pinged
	s.must(ping.Start())
	out := s.run("ovs-appctl", "ofproto/trace", "--live", "br0", "icmp,nw_src=10.81.0.1", "-n", "10", "--names")
	s.must(ping.Process.Signal(os.Interrupt)) // it prints what it counted
	s.must(ping.Wait())
	counts := regexp.MustCompile(`(\d+) packets transmitted, (\d+) received`).FindStringSubmatch(pinged.String())
	if counts == nil {
		t.Fatalf("ping says %q", pinged.String())
	}
	sent, _ := strconv.Atoi(counts[1])
	received, _ := strconv.Atoi(counts[2])
	if sent < 10 || received < sent-1 { // one may be on its way
		t.Errorf("%d of %d packets came back", received, sent)
	}
	head := regexp.MustCompile(`(?m)^Packet (\d+) of 10: [0-9:.]+, 98 bytes, came in on ` + a.Port + `, met ufid:`)
	if n := len(head.FindAllString(out, -1)); n < 9 { // a flow may be made anew
		t.Errorf("%d packets met a flow, want 10:\n%s", n, out)
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
