package program

import (
	"encoding/binary"
	"errors"
	"math/rand/v2"
	"net"
	"net/netip"
	"testing"
	"time"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/link"
	"golang.org/x/sys/unix"

	"weir/internal/datapath"
	"weir/internal/flow"
	"weir/internal/lab"
	"weir/internal/netdev"
	"weir/internal/packet"
)

// churner installs and removes flows at random as fast as it can. Flow i sends
// packets from address i to port outPort or altPort, by its parity, and writes i
// into the destination.
type churner struct {
	set   *Set
	key   flow.Key
	refs  map[uint32]Ref
	masks []flow.Mask
	rng   *rand.Rand
	puts  int
}

func (c *churner) step() error {
	i := c.rng.Uint32N(200)
	if r, ok := c.refs[i]; ok {
		c.set.Delete(r)
		delete(c.refs, i)
		if c.rng.IntN(20) == 0 {
			return c.set.Reclaim()
		}
		return nil
	}
	k := c.key
	k.IPSrc = i
	to := packet.MACFromUint64(uint64(i))
	actions := []datapath.Action{
		&datapath.SetEthernet{Dst: to, DstMask: packet.MACFromUint64(1<<48 - 1)},
		&datapath.Output{Port: outPort + datapath.PortNo(i%2)},
	}
	m := c.masks[i%uint32(len(c.masks))]
	code, _ := c.set.Compile(&k, &m, actions)
	r, err := c.set.Put(&k, &m, datapath.UFID{}, code)
	if errors.Is(err, ErrFull) {
		return c.set.Reclaim()
	}
	if err != nil {
		return err
	}
	c.refs[i] = r
	c.puts++
	if c.rng.IntN(200) == 0 {
		return c.set.Reorder()
	}
	return c.set.Commit()
}

// While flows and masks come and go, memory is used again and mains are
// replaced, every packet goes where its flow says or comes up: never elsewhere,
// never lost.
func TestChurnMisroutesNothing(t *testing.T) {
	n := newTapnet(t, Config{MaxFlows: 128})
	frame, k := udp(t, 0, 2)
	masks := make([]flow.Mask, 5)
	for i := range masks {
		masks[i] = *l2Mask()
		masks[i].IPSrc, masks[i].NwFrag = ^uint32(0), 3
		masks[i].IPDst = ^uint32(0) << i
	}
	c := &churner{set: n.set, key: k, refs: map[uint32]Ref{}, masks: masks, rng: rand.New(rand.NewPCG(1, 2))}
	stop, ended := make(chan struct{}), make(chan error, 1)
	go func() {
		for {
			select {
			case <-stop:
				ended <- nil
				return
			default:
			}
			if err := c.step(); err != nil {
				ended <- err
				return
			}
		}
	}()
	sent, routed, up := 0, 0, 0
	start := time.Now()
	enough := func() bool {
		took := time.Since(start)
		return took > 2*time.Second && routed > 0 && up > 0 || took > 30*time.Second
	}
	for ; !enough(); sent++ {
		i := uint32(sent % 200)
		binary.BigEndian.PutUint32(frame[26:], i)
		n.send(t, frame, netdev.Offload{})
		for no, dev := range n.out {
			for _, p := range n.drain(dev) {
				routed++
				f := p.Data()
				if src := packet.Be32(f[26:]); src != i || uint64(src) != packet.MAC(f[:6]).Uint64() || no != outPort+datapath.PortNo(src%2) {
					t.Fatalf("packet %d of flow %d went out of port %d as %x", sent, i, no, f)
				}
			}
		}
		up += len(n.drain(n.up))
	}
	close(stop)
	if err := <-ended; err != nil {
		t.Fatal(err)
	}
	if routed+up != sent || routed == 0 || up == 0 {
		t.Errorf("of %d packets %d went out and %d came up", sent, routed, up)
	}
	t.Logf("%d packets, %d by flows; %d flows installed", sent, routed, c.puts)
}

// An internal port: output to it arrives at the host's sockets, and what the
// host sends on it comes into the switch.
func TestInternalPort(t *testing.T) {
	n := newTapnet(t, Config{})
	if err := lab.IP("addr add 10.2.2.1/24 dev alt", "neigh add 10.2.2.2 lladdr 02:00:00:00:00:09 dev alt"); err != nil {
		t.Fatal(err)
	}
	idx, err := ifindex("alt")
	if err != nil {
		t.Fatal(err)
	}
	port := view[Port](n.set.ports, n.set.cfg.MaxPorts)[altPort]
	port.Flags = PortToStack
	n.port(t, altPort, port)
	egress, err := n.set.Entry(altPort, Egress, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer egress.Close()
	l, err := link.AttachTCX(link.TCXOptions{Interface: idx, Program: egress, Attach: ebpf.AttachTCXEgress})
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	mac, err := net.InterfaceByIndex(idx)
	if err != nil {
		t.Fatal(err)
	}

	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(fd)
	if err := unix.Bind(fd, &unix.SockaddrInet4{Port: 2000, Addr: netip.MustParseAddr("10.2.2.1").As4()}); err != nil {
		t.Fatal(err)
	}
	frame, k := udp(t, 0x0a020202, 0x0a020201)
	copy(frame, mac.HardwareAddr)
	copy(k.EthDst[:], mac.HardwareAddr)
	n.install(t, &k, l2Mask(), "3")
	n.send(t, frame, netdev.Offload{})
	// The kernel may leave it to a thread of its own (ksoftirqd).
	if _, err := unix.Poll([]unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}, 60_000); err != nil {
		t.Fatal(err)
	}
	buf := make([]byte, 100)
	if got, _, err := unix.Recvfrom(fd, buf, 0); err != nil || got != 40 {
		t.Errorf("the socket got %d bytes: %v", got, err)
	}

	back := flow.Key{InPort: altPort}
	n.install(t, &back, &flow.Mask{InPort: ^uint32(0), RecircID: ^uint32(0)}, "push_vlan(vid=7,pcp=0),2")
	if err := unix.Sendto(fd, []byte("answer"), 0, &unix.SockaddrInet4{Port: 9, Addr: netip.MustParseAddr("10.2.2.2").As4()}); err != nil {
		t.Fatal(err)
	}
	out := n.drain(n.out[outPort])
	if len(out) != 1 || packet.Be16(out[0].Data()[12:]) != packet.EtherTypeVLAN || packet.Be16(out[0].Data()[14:]) != 7 {
		t.Errorf("%d packets of the host's went out", len(out))
	}
	if own := n.drain(n.out[altPort]); len(own) != 0 {
		t.Errorf("%d packets left the internal device itself", len(own))
	}
}
