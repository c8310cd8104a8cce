package netns

import (
	"encoding/binary"
	"fmt"
	"maps"
	"net"
	"slices"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"weir/internal/lab"
	"weir/test/programs"
)

// framed is a frame of so many bytes in all with tags of these types, the outermost
// first. Its source address ends with id.
func framed(id byte, length int, tags ...uint16) []byte {
	f := []byte{2, 0, 0, 0, 0, 0xb, 2, 0, 0, 0, 0, id}
	for _, tpid := range tags {
		f = binary.BigEndian.AppendUint16(f, tpid)
		f = binary.BigEndian.AppendUint16(f, 5)
	}
	f = append(f, 0x88, 0xb5) // for experiments (IEEE 802)
	return append(f, make([]byte, length-len(f))...)
}

// ear is a packet socket that hears what comes to a device of a namespace.
type ear struct{ fd int }

// listen makes one; with an empty name, it hears all devices.
func (s *sw) listen(space, device string) *ear {
	s.t.Helper()
	e := new(ear)
	s.must(lab.Within(space, func() (err error) {
		at := &unix.SockaddrLinklayer{Protocol: 0x0300} // ETH_P_ALL, in network order
		if device != "" {
			dev, err := net.InterfaceByName(device)
			if err != nil {
				return err
			}
			at.Ifindex = dev.Index
		}
		if e.fd, err = unix.Socket(unix.AF_PACKET, unix.SOCK_RAW|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, 0); err != nil {
			return err
		}
		_ = unix.SetsockoptInt(e.fd, unix.SOL_SOCKET, unix.SO_RCVBUFFORCE, 64<<20)
		return unix.Bind(e.fd, at)
	}))
	s.t.Cleanup(func() { _ = unix.Close(e.fd) })
	return e
}

// each yields the frames that have come by now, without an offloaded tag, and the
// indices of their devices.
func (e *ear) each(yield func(frame []byte, ifindex int)) {
	buf := make([]byte, 1<<16)
	for {
		n, from, err := unix.Recvfrom(e.fd, buf, 0)
		if err != nil {
			return
		}
		if at := from.(*unix.SockaddrLinklayer); at.Pkttype != unix.PACKET_OUTGOING {
			yield(buf[:n], at.Ifindex)
		}
	}
}

// idOf is the last byte of the source address of what framed made, false for others.
func idOf(frame []byte) (byte, bool) {
	if len(frame) < 14 || frame[0] != 2 || [5]byte(frame[6:11]) != [5]byte{2} {
		return 0, false
	}
	return frame[11], true
}

// heard counts by id what framed made.
type heard struct {
	*ear
	ids map[byte]int
}

// hear listens at a host's device.
func (s *sw) hear(h lab.Host) *heard {
	s.t.Helper()
	return &heard{s.listen(h.Space, "eth0"), map[byte]int{}}
}

// has reads what came, and reports whether a frame has.
func (r *heard) has(id byte) bool {
	r.each(func(frame []byte, _ int) {
		if id, ok := idOf(frame); ok {
			r.ids[id]++
		}
	})
	return r.ids[id] > 0
}

// send sends frames from a host's device, no more than pps a second where that is not
// 0, and returns how long that took.
func (s *sw) send(h lab.Host, pps int, frames ...[]byte) time.Duration {
	s.t.Helper()
	begin := time.Now()
	s.must(lab.Within(h.Space, func() error {
		sender, err := lab.NewSender("eth0", frames)
		if err != nil {
			return err
		}
		defer sender.Close()
		_, err = sender.Run(time.Minute, pps, len(frames))
		return err
	}))
	return time.Since(begin)
}

// A port takes frames of its MTU, and 4 bytes more where there is a tag, however
// many: as in the kernel's openvswitch, on each data path.
func TestFrameLengths(t *testing.T) { eachDatapath(t, (*sw).testFrameLengths) }

func (s *sw) testFrameLengths(t *testing.T) {
	const q, ad, mtu = 0x8100, 0x88a8, 1500
	a, b := s.host("a", "10.80.0.1"), s.host("b", "10.80.0.2")
	s.must(lab.IP("-n "+s.space+" link set "+a.Port+" mtu 9000", "-n "+a.Space+" link set eth0 mtu 9000"))
	s.vsctl("set Open_vSwitch . other_config:vlan-limit=2 -- add-br br0 -- set-fail-mode br0 secure -- add-port br0 %s -- add-port br0 %s", a.Port, b.Port)
	s.run("ovs-ofctl", "add-flow", "br0", fmt.Sprintf("in_port=%s,actions=output:%s", a.Port, b.Port))
	s.run("ovs-ofctl", "add-flow", "br0", fmt.Sprintf("priority=40000,in_port=%s,dl_vlan=5,dl_src=02:00:00:00:00:40/02:00:00:00:00:40,actions=strip_vlan,output:%s", a.Port, b.Port))
	cases := []struct {
		tags []uint16
		over int // bytes beyond MTU and Ethernet header
		want bool
		id   byte // 0x40: the outer tag is taken off
	}{
		{nil, 0, true, 1}, {nil, 1, false, 2}, {nil, 4, false, 3}, {nil, 5, false, 4},
		{[]uint16{q}, 4, true, 5}, {[]uint16{q}, 5, false, 6},
		{[]uint16{q, q}, 4, true, 7}, {[]uint16{q, q}, 5, false, 8}, {[]uint16{q, q}, 8, false, 9},
		{[]uint16{q}, 4, true, 0x41}, {[]uint16{q}, 5, false, 0x42},
		{[]uint16{q, q}, 8, true, 0x43}, {[]uint16{q, q}, 9, false, 0x44},
		{[]uint16{ad}, 4, true, 10}, {[]uint16{ad}, 5, false, 11},
	}
	r := s.hear(b)
	// Flows first, so that what follows keeps its order.
	const ready, end = 0x20, 0x30
	for i, kind := range [][]uint16{nil, {q}, {q, q}, {ad}} {
		for _, id := range []byte{ready + byte(i), 0x60 + byte(i)} {
			if !programs.Wait(func() bool { s.send(a, 0, framed(id, 64, kind...)); return r.has(id) }) {
				t.Fatalf("frames with tags %#x do not arrive", kind)
			}
		}
	}
	s.run("ovs-appctl", "revalidator/wait")
	for _, c := range cases {
		s.send(a, 0, framed(c.id, mtu+14+c.over, c.tags...))
	}
	s.send(a, 0, framed(end, 64))
	if !programs.Wait(func() bool { return r.has(end) }) {
		t.Fatal("the last frame does not arrive")
	}
	got := slices.Sorted(maps.Keys(r.ids))
	for _, c := range cases {
		if _, came := slices.BinarySearch(got, c.id); came != c.want {
			t.Errorf("tags %#x, taken off: %v, %d bytes beyond the MTU and the header: arrived %v, want %v", c.tags, c.id >= 0x40, c.over, came, c.want)
		}
	}
	if t.Failed() {
		flows, _ := s.try("ovs-appctl", "dpctl/dump-flows", "--names")
		drops, _ := s.try("ovs-appctl", "drops/show")
		t.Logf("%s\n%s", flows, drops)
	}
}
