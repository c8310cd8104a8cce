package program

import (
	"os"
	"runtime"
	"slices"
	"testing"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/link"
	"golang.org/x/sys/unix"

	"weir/internal/datapath"
	"weir/internal/lab"
	"weir/internal/netdev"
	"weir/internal/netdev/linux"
)

// Ports of a tapnet.
const (
	inPort  = 1
	outPort = 2
	altPort = 3
)

// tapnet is programs in earnest: a network namespace with tap devices, to which
// the test holds the other ends. What it writes to the first comes in at port
// inPort; what the programs send is read from the others, in the same system
// call's wake.
type tapnet struct {
	set *Set
	in  netdev.Device
	out map[datapath.PortNo]netdev.Device
	up  netdev.Device

	bufs []netdev.Packet
}

// newTapnet moves the test's goroutine into a namespace of its own, which ends
// with it.
func newTapnet(t *testing.T, cfg Config) *tapnet {
	t.Helper()
	n := &tapnet{set: newSet(t, cfg), out: map[datapath.PortNo]netdev.Device{}}
	runtime.LockOSThread()
	if err := unix.Unshare(unix.CLONE_NEWNET); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile("/proc/thread-self/root/proc/sys/net/ipv6/conf/default/disable_ipv6", []byte("1"), 0); err != nil {
		t.Log(err)
	}
	host := linux.NewHost()
	open := func(name string) (netdev.Device, int) {
		dev, err := host.Providers().Open(name, "tap", nil)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { dev.Close() })
		if err := lab.IP("link set dev " + name + " mtu 9000 up"); err != nil {
			t.Fatal(err)
		}
		idx, err := ifindex(name)
		if err != nil {
			t.Fatal(err)
		}
		return dev, idx
	}
	attach := func(idx int, p *ebpf.Program, at ebpf.AttachType) {
		l, err := link.AttachTCX(link.TCXOptions{Interface: idx, Program: p, Attach: at})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { l.Close() })
	}
	var idx, up int
	n.up, up = open("upcall")
	attach(up, n.set.Upcall(), ebpf.AttachTCXEgress)
	for no, name := range map[datapath.PortNo]string{outPort: "out", altPort: "alt"} {
		dev, idx := open(name)
		n.out[no] = dev
		n.port(t, no, Port{Ifindex: uint32(idx), Upcall: uint32(up)})
	}
	n.in, idx = open("in")
	n.port(t, inPort, Port{Ifindex: uint32(idx), Upcall: uint32(up)})
	attach(idx, entryFor(t, n.set, inPort), ebpf.AttachTCXIngress)
	for range 8 {
		n.bufs = append(n.bufs, netdev.NewPacket(netdev.MaxFrame+UpcallLen))
	}
	return n
}

func (n *tapnet) port(t *testing.T, no datapath.PortNo, p Port) {
	if err := n.set.SetPort(no, p); err != nil {
		t.Fatal(err)
	}
}

// ifindex of a device in the thread's namespace.
func ifindex(name string) (int, error) {
	req, err := unix.NewIfreq(name)
	if err != nil {
		return 0, err
	}
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return 0, err
	}
	defer unix.Close(fd)
	err = unix.IoctlIfreq(fd, unix.SIOCGIFINDEX, req)
	return int(req.Uint32()), err
}

// inject lets a packet come in.
func (n *tapnet) inject(pkt *netdev.Packet) error {
	_, err := n.in.Send(0, []*netdev.Packet{pkt})
	return err
}

// drain reads what has been sent to a device.
func (n *tapnet) drain(dev netdev.Device) []netdev.Packet {
	var all []netdev.Packet
	for {
		got, err := dev.Recv(0, n.bufs)
		if err != nil || got == 0 {
			return all
		}
		for i := range got {
			p := n.bufs[i]
			p.Buf, p.Off = slices.Clone(p.Data()), 0
			all = append(all, p)
		}
	}
}
