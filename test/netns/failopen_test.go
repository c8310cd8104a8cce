package netns

import (
	"io"
	"net"
	"path/filepath"
	"testing"

	"weir/internal/openflow"
)

func TestFailOpen(t *testing.T) { eachDatapath(t, (*sw).testFailOpen) }

// A standalone bridge obeys its flows while its controller may still return,
// becomes a learning switch after three probe intervals, and hands back to a
// controller that comes.
func (s *sw) testFailOpen(t *testing.T) {
	a, b := s.host("a", "10.80.0.1"), s.host("b", "10.80.0.2")
	controller := filepath.Join(s.dir, "controller")
	s.vsctl("add-br br0 -- set Bridge br0 fail_mode=standalone -- add-port br0 %s -- add-port br0 %s", a.Port, b.Port)
	s.vsctl("set-controller br0 unix:%s -- set Controller br0 inactivity_probe=600000 max_backoff=1000", controller)
	s.expect(a, "10.80.0.2", false)
	s.vsctl("set Controller br0 inactivity_probe=2000")
	s.eventually("the bridge takes over", func() bool { return s.ping(a, "10.80.0.2", false) })

	l, err := net.Listen("unix", controller)
	s.must(err)
	defer l.Close()
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			hello, _ := openflow.Encode(openflow.V13.Protocol(), 1, &openflow.Hello{Versions: openflow.Versions(openflow.V13)})
			_, _ = c.Write(hello)
			go func() { _, _ = io.Copy(io.Discard, c) }()
		}
	}()
	s.eventually("the bridge hands back", func() bool { return !s.ping(a, "10.80.0.2", false) })
	s.eventually("is_connected", func() bool { return s.vsctl("get Controller br0 is_connected") == "true" })
}
