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

// heard is a packet socket that notes the last byte of the source address of what
// framed made.
type heard struct {
	fd  int
	ids map[byte]int
}

// hear listens at a host's device.
func (s *sw) hear(h lab.Host) *heard {
	s.t.Helper()
	r := &heard{ids: map[byte]int{}}
	s.must(lab.Within(h.Space, func() error {
		dev, err := net.InterfaceByName("eth0")
		if err == nil {
			r.fd, err = unix.Socket(unix.AF_PACKET, unix.SOCK_RAW|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, 0)
		}
		if err == nil {
			err = unix.Bind(r.fd, &unix.SockaddrLinklayer{Protocol: 0x0300, Ifindex: dev.Index}) // ETH_P_ALL, in network order
		}
		return err
	}))
	s.t.Cleanup(func() { _ = unix.Close(r.fd) })
	return r
}

// has reads what came, and reports whether a frame has.
func (r *heard) has(id byte) bool {
	buf := make([]byte, 1<<16)
	for {
		n, _, err := unix.Recvfrom(r.fd, buf, 0)
		if err != nil {
			return r.ids[id] > 0
		}
		if n > 12 && [5]byte(buf[6:11]) == [5]byte{2} && buf[0] == 2 {
			r.ids[buf[11]]++
		}
	}
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
	send := func(frames ...[]byte) {
		t.Helper()
		s.must(lab.Within(a.Space, func() error {
			sender, err := lab.NewSender("eth0", frames)
			if err != nil {
				return err
			}
			defer sender.Close()
			_, err = sender.Run(time.Minute, 0, len(frames))
			return err
		}))
	}
	// Flows first, so that what follows keeps its order.
	const ready, end = 0x20, 0x30
	for i, kind := range [][]uint16{nil, {q}, {q, q}, {ad}} {
		for _, id := range []byte{ready + byte(i), 0x60 + byte(i)} {
			if !programs.Wait(func() bool { send(framed(id, 64, kind...)); return r.has(id) }) {
				t.Fatalf("frames with tags %#x do not arrive", kind)
			}
		}
	}
	s.run("ovs-appctl", "revalidator/wait")
	for _, c := range cases {
		send(framed(c.id, mtu+14+c.over, c.tags...))
	}
	send(framed(end, 64))
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
