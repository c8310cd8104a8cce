package netns

import (
	"context"
	"fmt"
	"os/exec"
	"strings"
	"testing"

	"weir/internal/lab"
)

// ethtool changes the offloads of a device.
func (s *sw) ethtool(space, device, offloads string) {
	s.t.Helper()
	out, err := lab.Command(context.Background(), space, append([]string{"ethtool", "-K", device}, strings.Fields(offloads)...)...).CombinedOutput()
	if err != nil {
		s.t.Fatalf("ethtool -K %s %s: %v\n%s", device, offloads, err, out)
	}
}

func needEthtool(t *testing.T) {
	if _, err := exec.LookPath("ethtool"); err != nil {
		t.Skip("needs ethtool(8)")
	}
}

// Tags are put on and taken off whatever the devices do themselves: tags, checksums,
// segments; also with jumbo frames.
func TestTrunkWithoutOffloads(t *testing.T) { eachDatapath(t, (*sw).testTrunkWithoutOffloads) }

func (s *sw) testTrunkWithoutOffloads(t *testing.T) {
	needEthtool(t)
	a, b := s.host("a", "10.80.0.1"), s.host("b", "10.80.0.2")
	s.must(lab.IP("-n "+space+" link add t1 type veth peer name t2", "-n "+space+" link set t1 up", "-n "+space+" link set t2 up"))
	s.vsctl("add-br br1 -- add-port br1 %s tag=7 -- add-port br1 t1 trunks=7", a.Port)
	s.vsctl("add-br br2 -- add-port br2 %s tag=7 -- add-port br2 t2 trunks=7", b.Port)
	s.expect(a, "10.80.0.2", true)
	devices := [][2]string{{space, "t1"}, {space, "t2"}, {space, a.Port}, {space, b.Port}, {a.Space, "eth0"}, {b.Space, "eth0"}}
	for _, offloads := range []string{"rxvlan off txvlan off", "tso off gso off", "gro on", "tx off", "tso on gso on tx on rxvlan on"} {
		for _, d := range devices {
			s.ethtool(d[0], d[1], offloads)
		}
		s.stream(a, b)
	}
	for _, d := range devices {
		s.must(lab.IP(fmt.Sprintf("-n %s link set %s mtu 9000", d[0], d[1])))
	}
	for _, size := range []string{"8972", "8968"} {
		out, err := lab.Command(context.Background(), a.Space, "ping", "-n", "-q", "-i", "0.2", "-c", "2", "-w", fmt.Sprint(patience.Seconds()), "-M", "do", "-s", size, "10.80.0.2").CombinedOutput()
		if err != nil {
			t.Errorf("ping of %s bytes: %v\n%s", size, err, out)
		}
	}
	s.stream(b, a)
}

// Super-packets go through tunnels whose outer checksums are computed or not, from
// hosts that compute the inner ones or leave that to others.
func TestVXLANChecksums(t *testing.T) { eachDatapath(t, (*sw).testVXLANChecksums) }

func (s *sw) testVXLANChecksums(t *testing.T) {
	needEthtool(t)
	a := s.host("a", "10.80.0.1")
	s.must(lab.AddNamespace(remote))
	s.joinUnderlay()
	s.vsctl("add-br br0 -- add-port br0 %s tag=7 -- add-port br0 v0 tag=7 -- set Interface v0 type=vxlan options:remote_ip=%s options:key=42", a.Port, outerThere)
	far := lab.Host{Space: remote, Addr: "10.80.0.2/24"}
	for _, outer := range []string{"udpcsum", "noudpcsum"} {
		s.must(lab.IP(
			"-n "+remote+" link add vx address 02:00:00:00:00:42 type vxlan id 42 dstport 4789 local "+outerThere+" remote "+outerHere+" "+outer,
			"-n "+remote+" addr add 10.80.0.2/24 dev vx", "-n "+remote+" link set vx mtu 1500 up"))
		s.vsctl("set Interface v0 options:csum=%v", outer == "udpcsum")
		s.expect(a, "10.80.0.2", true)
		for _, inner := range []string{"tx off", "tx on"} {
			s.ethtool(a.Space, "eth0", inner)
			s.ethtool(remote, "vx", inner)
			s.stream(a, far)
			s.stream(far, a)
		}
		s.must(lab.IP("-n " + remote + " link del vx"))
	}
}
