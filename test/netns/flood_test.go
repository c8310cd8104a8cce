package netns

import (
	"fmt"
	"os/exec"
	"strings"
	"testing"

	"weir/internal/lab"
	"weir/test/programs"
)

// floodPorts is how many ports a frame is flooded to.
const floodPorts = 200

// A frame to an unknown address leaves by each of 200 ports once, whoever sends it:
// user space the first, the programs those after it.
func TestFloodToManyPorts(t *testing.T) { eachDatapath(t, (*sw).testFloodToManyPorts) }

func (s *sw) testFloodToManyPorts(t *testing.T) {
	const sink = prefix + "sink"
	a := s.host("a", "10.80.0.1")
	s.must(lab.AddNamespace(sink))
	s.must(lab.WithoutIPv6(sink))
	var here, there strings.Builder
	args := []string{"add-port", "br0", a.Port}
	for i := range floodPorts {
		port := fmt.Sprint("n", i)
		fmt.Fprintf(&here, "link add %s type veth peer name e%d netns %s\nlink set %s up\n", port, i, sink, port)
		fmt.Fprintf(&there, "link set e%d up\n", i)
		args = append(args, "--", "add-port", "br0", port)
	}
	s.batch(s.space, here.String())
	s.batch(sink, there.String())
	s.vsctl("add-br br0")
	s.run("ovs-vsctl", args...)
	e := s.listen(sink, "")
	for id := byte(1); id <= 5; id++ {
		came := map[int]int{} // by device
		s.send(a, 0, framed(id, 200))
		programs.Wait(func() bool {
			e.each(func(frame []byte, ifindex int) {
				if got, ok := idOf(frame); ok && got == id {
					came[ifindex]++
				} else if ok {
					t.Errorf("frame %d came when %d was sent", got, id)
				}
			})
			return len(came) >= floodPorts
		})
		for ifindex, n := range came {
			if n != 1 {
				t.Errorf("frame %d came %d times by device %d", id, n, ifindex)
			}
		}
		if len(came) != floodPorts {
			t.Errorf("frame %d came by %d ports, want %d", id, len(came), floodPorts)
		}
		s.run("ovs-appctl", "revalidator/wait")
	}
	if slow := s.run("ovs-appctl", "dpif/show-slow"); strings.Contains(slow, "action") {
		t.Errorf("the programs left the flood to user space:\n%s", slow)
	}
}

// batch runs commands of ip(8), a line each, in a namespace.
func (s *sw) batch(space, commands string) {
	s.t.Helper()
	cmd := exec.Command("ip", "-n", space, "-batch", "-")
	cmd.Stdin = strings.NewReader(commands)
	if out, err := cmd.CombinedOutput(); err != nil {
		s.t.Fatalf("ip -n %s -batch: %v\n%s", space, err, out)
	}
}
