package netns

import (
	"strings"
	"testing"
	"time"

	"weir/internal/lab"
)

// An internal port is a host's device once it is moved to the host's namespace,
// as Neutron, OVN's examples and container tools do.
func TestMovedInternalPorts(t *testing.T) { eachDatapath(t, (*sw).testMovedInternalPorts) }

func (s *sw) testMovedInternalPorts(t *testing.T) {
	s.vsctl("add-br br0")
	a, b := s.moved("a", "10.90.0.1"), s.moved("b", "10.90.0.2")
	s.expect(a, "10.90.0.2", true)
	s.vsctl("set Port vm-a tag=7 -- set Port vm-b tag=7 -- add-port br0 vm-c -- set Interface vm-c type=internal")
	s.expect(a, "10.90.0.2", true)
	for _, port := range []string{"vm-a", "vm-b"} {
		s.eventually(port+" is up and has no error", func() bool { return s.vsctl("get Interface %s error admin_state", port) == "[]\nup" })
	}
	s.eventually("packets of vm-a are counted", func() bool {
		got := s.vsctl("get Interface vm-a statistics:rx_packets statistics:tx_packets")
		return !strings.HasPrefix(got, "0\n") && !strings.HasSuffix(got, "\n0")
	})
	if s.datapath == "system" { // a tap ends with the process, a pair doesn't
		s.run("ovs-ctl", "--system-id=random", "--no-mlockall", "restart")
		s.expect(a, "10.90.0.2", true)
		s.eventually("vm-a has no error after a restart", func() bool { return s.vsctl("get Interface vm-a error") == "[]" })
	}
	// Back again.
	s.must(lab.IP("-n "+a.Space+" link set vm-a netns "+space, "-n "+space+" addr add 10.90.0.1/24 dev vm-a", "-n "+space+" link set vm-a up"))
	s.expect(lab.Host{Space: space}, "10.90.0.2", true)
	// The namespace ends, and the device with it: the port gets a new one.
	lab.RemoveNamespaces(b.Space)
	s.eventually("vm-b is back", func() bool {
		return lab.IP("-n "+space+" link show vm-b") == nil && s.vsctl("get Interface vm-b error") == "[]"
	})
	// Deleting a port deletes its device, wherever it is.
	s.must(lab.IP("-n " + space + " link set vm-c netns " + a.Space))
	s.vsctl("del-port vm-c")
	s.eventually("the device of vm-c goes", func() bool { return lab.IP("-n "+a.Space+" link show vm-c") != nil })
	s.vsctl("add-port br0 vm-c -- set Interface vm-c type=internal")
}

// moved makes an internal port and gives it to a new host.
func (s *sw) moved(name, addr string) lab.Host {
	s.t.Helper()
	h := lab.Host{Space: prefix + name, Port: "vm-" + name, Addr: addr + "/24"}
	s.vsctl("add-port br0 %s -- set Interface %s type=internal", h.Port, h.Port)
	s.must(lab.AddNamespace(h.Space))
	s.must(lab.IP("-n "+space+" link set "+h.Port+" netns "+h.Space,
		"-n "+h.Space+" addr add "+h.Addr+" dev "+h.Port, "-n "+h.Space+" link set "+h.Port+" up"))
	return h
}

// A device that leaves for another namespace while packets come for it, and comes
// back, is the port's again, each time.
func TestPortsLeaveUnderTraffic(t *testing.T) { eachDatapath(t, (*sw).testPortsLeaveUnderTraffic) }

func (s *sw) testPortsLeaveUnderTraffic(t *testing.T) {
	const elsewhere = prefix + "elsewhere"
	a, b := s.host("a", "10.90.0.1"), s.host("b", "10.90.0.2")
	s.must(lab.AddNamespace(elsewhere))
	s.vsctl("add-br br0 -- set-fail-mode br0 secure -- add-port br0 %s -- add-port br0 %s", a.Port, b.Port)
	s.run("ovs-ofctl", "add-flow", "br0", "actions=all")
	s.expect(a, "10.90.0.2", true)
	stop, stopped := make(chan bool), make(chan error, 1)
	go func() {
		stopped <- lab.Within(a.Space, func() error {
			sender, err := lab.NewSender("eth0", [][]byte{framed(1, 100), framed(2, 1000)})
			if err != nil {
				return err
			}
			defer sender.Close()
			for {
				select {
				case <-stop:
					return nil
				default:
				}
				if _, err := sender.Run(5*time.Millisecond, 20000, 0); err != nil {
					return err
				}
			}
		})
	}()
	for range 4 {
		s.must(lab.IP("-n " + space + " link set " + b.Port + " netns " + elsewhere))
		s.eventually("the port has an error", func() bool { return s.vsctl("get Interface %s error", b.Port) != "[]" })
		s.must(lab.IP("-n "+elsewhere+" link set "+b.Port+" netns "+space, "-n "+space+" link set "+b.Port+" up"))
		s.eventually("the port works", func() bool { return s.vsctl("get Interface %s error", b.Port) == "[]" })
		r := s.hear(b)
		s.eventually("frames come", func() bool { return r.has(1) && r.has(2) })
		s.expect(a, "10.90.0.2", true)
	}
	close(stop)
	s.must(<-stopped)
}
