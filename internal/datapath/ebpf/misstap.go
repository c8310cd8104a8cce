package ebpf

import (
	"errors"
	"fmt"
	"sync"
	"unsafe"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/asm"
	"github.com/cilium/ebpf/link"
	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"weir/internal/netdev"
	"weir/internal/netdev/linux"
)

// Packets that the programs can't finish come to this process through a tap
// device: the programs prepend what they know of a packet and redirect it
// there, whole and with its offload state. The tap has a queue for each port,
// so that one port's flood neither fills another's queue nor is served before
// it: a bound and fairness that the kernel keeps for us.

const (
	// maxQueues is what a tap device can have (MAX_TAP_QUEUES). Ports beyond
	// that share queues.
	maxQueues = 256
	// queueLength is how many packets of a port may wait.
	queueLength = 512
	// burstLength is as many while all flows of a busy switch are missing: what
	// arrives in a tenth of a second at 160,000 packets a second.
	burstLength = 16384
	// steerable is how many port numbers the steering program knows.
	steerable = 65536
	// tapOffloads of TUNSETOFFLOAD: partial checksums, TCP and UDP super-packets.
	tapOffloads = 0x01 | 0x02 | 0x04 | 0x08 | usoOffloads
	usoOffloads = 0x20 | 0x40 // TUN_F_USO4, TUN_F_USO6, since Linux 6.2
)

// missTap is the device. Its mutex owns what changes; queues only ever grow,
// since the kernel renumbers those that stay when one is closed.
type missTap struct {
	name    string
	ifindex int
	steer   *ebpf.Map // port number -> queue
	prog    *ebpf.Program
	egress  link.Link // nil until attach

	mu     sync.Mutex
	queues []int // descriptors
	users  []int // ports per queue
	portQ  map[uint32]int
	closed bool
}

// newMissTap makes the device with its first queue. portOffset is where the
// programs write the port number, in host order.
func newMissTap(portOffset int) (*missTap, error) {
	t := &missTap{name: "weir%d", portQ: map[uint32]int{}}
	if err := t.open(portOffset); err != nil {
		t.close()
		return nil, fmt.Errorf("device for misses: %w", err)
	}
	return t, nil
}

func (t *missTap) open(portOffset int) error {
	if err := t.addQueue(); err != nil {
		return err
	}
	nl, err := netlink.LinkByName(t.name)
	if err != nil {
		return err
	}
	t.ifindex = nl.Attrs().Index
	if err := t.steerWith(portOffset); err != nil {
		return err
	}
	linux.WithoutIPv6(t.name)
	return errors.Join(
		netlink.LinkSetTxQLen(nl, queueLength),
		netlink.LinkSetMTU(nl, 65535-64),
		netlink.LinkSetARPOff(nl),
		netlink.LinkSetUp(nl),
	)
}

// addQueue opens one more queue; the first one makes the device.
func (t *missTap) addQueue() error {
	fd, err := unix.Open("/dev/net/tun", unix.O_RDWR|unix.O_NONBLOCK|unix.O_CLOEXEC, 0)
	if err != nil {
		return fmt.Errorf("open /dev/net/tun: %w", err)
	}
	req, err := unix.NewIfreq(t.name)
	if err == nil {
		req.SetUint16(unix.IFF_TAP | unix.IFF_NO_PI | unix.IFF_VNET_HDR | unix.IFF_MULTI_QUEUE)
		err = unix.IoctlIfreq(fd, unix.TUNSETIFF, req)
	}
	if err == nil {
		t.name = req.Name()
		err = unix.IoctlSetInt(fd, unix.TUNSETOFFLOAD, tapOffloads)
		if err != nil {
			err = unix.IoctlSetInt(fd, unix.TUNSETOFFLOAD, tapOffloads&^usoOffloads)
		}
	}
	if err != nil {
		_ = unix.Close(fd)
		return fmt.Errorf("tap queue: %w", err)
	}
	t.queues = append(t.queues, fd)
	t.users = append(t.users, 0)
	return nil
}

// steerWith has packets go to the queues of their ports.
func (t *missTap) steerWith(portOffset int) (err error) {
	t.steer, err = ebpf.NewMap(&ebpf.MapSpec{Name: "weir_steer", Type: ebpf.Array, KeySize: 4, ValueSize: 4, MaxEntries: steerable})
	if err != nil {
		return err
	}
	const port = -8
	t.prog, err = ebpf.NewProgram(&ebpf.ProgramSpec{
		Name: "weir_steer", Type: ebpf.SocketFilter, License: "Apache-2.0",
		Instructions: asm.Instructions{
			asm.StoreImm(asm.RFP, port, 0, asm.Word),
			asm.Mov.Imm(asm.R2, int32(portOffset)),
			asm.Mov.Reg(asm.R3, asm.RFP),
			asm.Add.Imm(asm.R3, port),
			asm.Mov.Imm(asm.R4, 4),
			asm.FnSkbLoadBytes.Call(),
			asm.LoadMapPtr(asm.R1, t.steer.FD()),
			asm.Mov.Reg(asm.R2, asm.RFP),
			asm.Add.Imm(asm.R2, port),
			asm.FnMapLookupElem.Call(),
			asm.JEq.Imm(asm.R0, 0, "none"),
			asm.LoadMem(asm.R0, asm.R0, 0, asm.Word),
			asm.Return(),
			asm.Mov.Imm(asm.R0, 0).WithSymbol("none"),
			asm.Return(),
		},
	})
	if err != nil {
		return err
	}
	fd := int32(t.prog.FD())
	if _, _, errno := unix.Syscall(unix.SYS_IOCTL, uintptr(t.queues[0]), unix.TUNSETSTEERINGEBPF, uintptr(unsafe.Pointer(&fd))); errno != 0 {
		return fmt.Errorf("steering program: %w", errno)
	}
	return nil
}

// attach runs a program on what goes into the device, before it is queued.
func (t *missTap) attach(prog *ebpf.Program) (err error) {
	t.egress, err = link.AttachTCX(link.TCXOptions{Interface: t.ifindex, Program: prog, Attach: ebpf.AttachTCXEgress})
	if err != nil {
		return fmt.Errorf("device for misses: %w", err)
	}
	return nil
}

// assign gives a port a queue, its own while there are enough, and says which
// descriptor is new, -1 for none.
func (t *missTap) assign(port uint32) (added int, err error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	added = -1
	q := 0
	for i, n := range t.users {
		if n < t.users[q] {
			q = i
		}
	}
	if t.users[q] > 0 && len(t.queues) < maxQueues {
		if err := t.addQueue(); err != nil {
			return -1, err
		}
		q = len(t.queues) - 1
		added = t.queues[q]
	}
	t.users[q]++
	t.portQ[port] = q
	return added, t.steer.Put(port, uint32(q))
}

// release takes a port's queue back.
func (t *missTap) release(port uint32) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if q, ok := t.portQ[port]; ok {
		t.users[q]--
		delete(t.portQ, port)
	}
}

// close ends the device.
func (t *missTap) close() {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.closed {
		return
	}
	t.closed = true
	for _, fd := range t.queues {
		_ = unix.Close(fd)
	}
	if t.egress != nil {
		_ = t.egress.Close()
	}
	if t.prog != nil {
		_ = t.prog.Close()
	}
	if t.steer != nil {
		_ = t.steer.Close()
	}
}

// resize changes how many packets of each port may wait. What is beyond that is
// dropped.
func (t *missTap) resize(length int) error {
	nl, err := netlink.LinkByIndex(t.ifindex)
	if err == nil {
		err = netlink.LinkSetTxQLen(nl, length)
	}
	if err != nil {
		return fmt.Errorf("queues for misses: %w", err)
	}
	return nil
}

// readTap takes one packet of a queue, with its first byte at offset at of the
// buffer and the virtio_net header before it; false says that there is none.
func readTap(fd int, p *netdev.Packet, at int) bool {
	const vnet = linux.VnetLen
	buf := p.Buf[at-vnet:]
	for {
		// A raw system call: it never blocks, and the scheduler need not know.
		n, _, errno := unix.RawSyscall(unix.SYS_READ, uintptr(fd), uintptr(unsafe.Pointer(&buf[0])), uintptr(len(buf)))
		if errno == unix.EINTR {
			continue
		}
		if errno != 0 || int(n) < vnet {
			return false
		}
		*p = netdev.Packet{Buf: p.Buf, Off: at, Len: int(n) - vnet}
		linux.GetVnet((*[vnet]byte)(buf), &p.Offload)
		return true
	}
}
