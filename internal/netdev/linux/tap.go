package linux

import (
	"fmt"
	"net"
	"sync"
	"unsafe"

	"golang.org/x/sys/unix"

	"weir/internal/netdev"
)

// Offloads of TUNSETOFFLOAD that the switch can carry: partial checksums and
// TCP super-packets.
const tapOffloads = 0x01 | 0x02 | 0x04 | 0x08 // TUN_F_CSUM, TSO4, TSO6, TSO_ECN

// Tap is a "tap" or "internal" device: made by opening it, gone with Close.
type Tap struct {
	*link
	mu sync.RWMutex // held for writing by Close only
	fd int          // -1 when closed

	rx tapIO
	tx sync.Pool // of *tapIO
}

// tapIO is the memory of one readv(2) or writev(2).
type tapIO struct {
	iov  [2]unix.Iovec
	vnet [VnetLen]byte
	cut  cutter
}

var _ netdev.Device = (*Tap)(nil)

func (h *Host) openTap(name, typ string) (*Tap, error) {
	fd, err := unix.Open("/dev/net/tun", unix.O_RDWR|unix.O_NONBLOCK|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, fmt.Errorf("open /dev/net/tun: %w", err)
	}
	t := &Tap{link: &link{host: h, name: name, typ: typ, swapped: true}, fd: fd}
	if err := t.setup(); err != nil {
		_ = unix.Close(fd)
		return nil, err
	}
	t.keeper = t
	t.rx.init()
	t.tx.New = func() any { io := new(tapIO); io.init(); return io }
	h.add(t.link)
	return t, nil
}

func (t *Tap) setup() error {
	req, err := unix.NewIfreq(t.name)
	if err != nil {
		return fmt.Errorf("name: %w", err)
	}
	req.SetUint16(unix.IFF_TAP | unix.IFF_NO_PI | unix.IFF_VNET_HDR)
	if err := unix.IoctlIfreq(t.fd, unix.TUNSETIFF, req); err != nil {
		return fmt.Errorf("make tap device: %w", err)
	}
	if err := unix.IoctlSetInt(t.fd, unix.TUNSETOFFLOAD, tapOffloads); err != nil {
		return fmt.Errorf("offloads of tap device: %w", err)
	}
	return t.refresh()
}

func (io *tapIO) init() {
	io.iov[0].Base = &io.vnet[0]
	io.iov[0].SetLen(VnetLen)
}

// NumRxQueues is 1.
func (t *Tap) NumRxQueues() int { return 1 }

// RecvFD is the tap's descriptor.
func (t *Tap) RecvFD(int) int {
	t.mu.RLock()
	defer t.mu.RUnlock()
	return t.fd
}

// Recv reads packets one by one until there are none or the batch is full.
func (t *Tap) Recv(_ int, batch []netdev.Packet) (int, error) {
	t.mu.RLock()
	defer t.mu.RUnlock()
	if t.fd < 0 {
		return 0, net.ErrClosed
	}
	n := 0
	for n < len(batch) {
		b := &batch[n]
		t.rx.iov[1].Base = &b.Buf[netdev.Headroom]
		t.rx.iov[1].SetLen(len(b.Buf) - netdev.Headroom)
		got, _, errno := unix.RawSyscall(unix.SYS_READV, uintptr(t.fd), uintptr(unsafe.Pointer(&t.rx.iov[0])), 2)
		if errno == unix.EINTR {
			continue
		}
		if errno != 0 {
			if errno == unix.EAGAIN || n > 0 {
				errno = 0
			}
			if errno != 0 {
				t.lost(errno)
				return n, errno
			}
			return n, nil
		}
		b.Off, b.Mark, b.Prio, b.RxHash = netdev.Headroom, 0, 0, 0
		b.Len = max(int(got)-VnetLen, 0)
		GetVnet(&t.rx.vnet, &b.Offload)
		n++
	}
	return n, nil
}

// Send writes packets one by one; one that the kernel refuses, as it does
// while the device is down, is dropped and counted.
func (t *Tap) Send(_ int, batch []*netdev.Packet) (int, error) {
	t.mu.RLock()
	defer t.mu.RUnlock()
	if t.fd < 0 {
		return 0, net.ErrClosed
	}
	io := t.tx.Get().(*tapIO)
	defer t.tx.Put(io)
	sent := 0
	for _, p := range batch {
		switch {
		case uncut(p):
			if io.cut.cut(p, func(p *netdev.Packet) bool { return t.write(io, p) }) {
				sent++
			}
		case t.write(io, p):
			sent++
		}
	}
	return sent, nil
}

// write hands a packet to the kernel, and reports whether it took it.
func (t *Tap) write(io *tapIO, p *netdev.Packet) bool {
	PutVnet(&io.vnet, &p.Offload)
	io.iov[1].Base = &p.Buf[p.Off]
	io.iov[1].SetLen(p.Len)
	_, _, errno := unix.RawSyscall(unix.SYS_WRITEV, uintptr(t.fd), uintptr(unsafe.Pointer(&io.iov[0])), 2)
	if errno != 0 {
		t.refused(errno)
	}
	return errno == 0
}

// Stats are the kernel's counters, in whatever namespace the tap is.
func (t *Tap) Stats() (netdev.Stats, error) { return t.stats(t.find()) }

// Close removes the device.
func (t *Tap) Close() error {
	t.host.remove(t.link)
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.fd < 0 {
		return nil
	}
	fd := t.fd
	t.fd = -1
	return unix.Close(fd)
}
