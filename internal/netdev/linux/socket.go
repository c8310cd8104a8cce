package linux

import (
	"fmt"
	"io"
	"net"
	"sync"
	"sync/atomic"
	"unsafe"

	"golang.org/x/sys/unix"

	"weir/internal/netdev"
)

// maxBatch bounds the messages of one system call.
const maxBatch = 64

// socketBuffer is what a packet socket may hold: some dozens of super-packets.
const socketBuffer = 8 << 20

// Socket options of packet(7) that x/sys doesn't name.
const (
	packetQdiscBypass    = 20
	packetIgnoreOutgoing = 23
)

// Socket is a "system" device: a packet socket on a device of the kernel.
type Socket struct {
	*link
	mu sync.RWMutex // held for writing by Close only
	fd int          // -1 when closed

	stolen io.Closer // may be nil

	rx *rxRing   // nil: only for sending
	tx sync.Pool // of *txRing
	// queued says that packets don't bypass the queueing discipline any more.
	queued atomic.Bool
}

var _ netdev.Device = (*Socket)(nil)

// rxRing is the memory that recvmmsg(2) fills in; owned by the one reader.
type rxRing struct {
	hdrs [maxBatch]mmsghdr
	iovs [maxBatch][2]unix.Iovec
	vnet [maxBatch][VnetLen]byte
	aux  []byte
}

// txRing is the memory that sendmmsg(2) reads.
type txRing struct {
	hdrs [maxBatch]mmsghdr
	iovs [maxBatch][2]unix.Iovec
	vnet [maxBatch][VnetLen]byte
	cut  cutter
}

func (h *Host) openSystem(name string) (*Socket, error) {
	s := &Socket{link: &link{host: h, name: name, typ: "system"}, fd: -1}
	if err := s.refresh(); err != nil {
		return nil, err
	}
	fd, err := packetSocket(s.Ifindex(), ethPAll)
	if err != nil {
		return nil, err
	}
	s.fd = fd
	if err := s.promiscuous(); err != nil {
		_ = unix.Close(fd)
		return nil, err
	}
	s.stolen = h.steal(s.Ifindex())
	s.rx = newRxRing()
	s.tx.New = func() any { return newTxRing() }
	h.add(s.link)
	return s, nil
}

// promiscuous has the device receive every packet for as long as the socket lives.
func (s *Socket) promiscuous() error {
	mreq := unix.PacketMreq{Ifindex: int32(s.Ifindex()), Type: unix.PACKET_MR_PROMISC}
	if err := unix.SetsockoptPacketMreq(s.fd, unix.SOL_PACKET, unix.PACKET_ADD_MEMBERSHIP, &mreq); err != nil {
		return fmt.Errorf("promiscuous mode: %w", err)
	}
	return nil
}

// ethPAll is ETH_P_ALL in network order.
const ethPAll = unix.ETH_P_ALL<<8&0xff00 | unix.ETH_P_ALL>>8

// packetSocket opens a non-blocking socket on a device that sees what it
// receives of a protocol, in network order: nothing of protocol 0.
func packetSocket(ifindex int, protocol uint16) (fd int, err error) {
	// Protocol 0 until it is bound: no packets of other devices.
	fd, err = unix.Socket(unix.AF_PACKET, unix.SOCK_RAW|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return -1, fmt.Errorf("packet socket: %w", err)
	}
	defer func() {
		if err != nil {
			_ = unix.Close(fd)
		}
	}()
	for _, o := range []struct {
		name  string
		level int
		opt   int
		value int
		must  bool
	}{
		{"PACKET_VNET_HDR", unix.SOL_PACKET, unix.PACKET_VNET_HDR, 1, true},
		{"PACKET_AUXDATA", unix.SOL_PACKET, unix.PACKET_AUXDATA, 1, true},
		{"PACKET_IGNORE_OUTGOING", unix.SOL_PACKET, packetIgnoreOutgoing, 1, true},
		{"PACKET_QDISC_BYPASS", unix.SOL_PACKET, packetQdiscBypass, 1, false},
		{"SO_RCVBUFFORCE", unix.SOL_SOCKET, unix.SO_RCVBUFFORCE, socketBuffer, false},
		{"SO_SNDBUFFORCE", unix.SOL_SOCKET, unix.SO_SNDBUFFORCE, socketBuffer, false},
	} {
		if e := unix.SetsockoptInt(fd, o.level, o.opt, o.value); e != nil && o.must {
			return -1, fmt.Errorf("socket option %s: %w", o.name, e)
		}
	}
	if err = unix.Bind(fd, &unix.SockaddrLinklayer{Protocol: protocol, Ifindex: ifindex}); err != nil {
		return -1, fmt.Errorf("bind: %w", err)
	}
	return fd, nil
}

func newRxRing() *rxRing {
	r := &rxRing{aux: make([]byte, maxBatch*auxSpace)}
	for i := range r.hdrs {
		r.iovs[i][0].Base = &r.vnet[i][0]
		r.iovs[i][0].SetLen(VnetLen)
		h := &r.hdrs[i].hdr
		h.Iov = &r.iovs[i][0]
		h.SetIovlen(2)
		h.Control = &r.aux[i*auxSpace]
	}
	return r
}

func newTxRing() *txRing {
	r := new(txRing)
	for i := range r.hdrs {
		r.iovs[i][0].Base = &r.vnet[i][0]
		r.iovs[i][0].SetLen(VnetLen)
		r.hdrs[i].hdr.Iov = &r.iovs[i][0]
		r.hdrs[i].hdr.SetIovlen(2)
	}
	return r
}

// NumRxQueues is 1, or 0 of a socket that only sends.
func (s *Socket) NumRxQueues() int {
	if s.rx == nil {
		return 0
	}
	return 1
}

// RecvFD is the socket.
func (s *Socket) RecvFD(int) int {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.fd
}

// Recv reads a batch with one system call.
func (s *Socket) Recv(_ int, batch []netdev.Packet) (int, error) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	if s.fd < 0 || s.rx == nil {
		return 0, net.ErrClosed
	}
	r := s.rx
	n := min(len(batch), maxBatch)
	for i := range n {
		b := &batch[i]
		r.iovs[i][1].Base = &b.Buf[netdev.Headroom]
		r.iovs[i][1].SetLen(len(b.Buf) - netdev.Headroom)
		r.hdrs[i].hdr.SetControllen(auxSpace)
	}
	// A raw system call: it never blocks, and the scheduler need not know.
	got, _, errno := unix.RawSyscall6(unix.SYS_RECVMMSG, uintptr(s.fd), uintptr(unsafe.Pointer(&r.hdrs[0])), uintptr(n), unix.MSG_DONTWAIT, 0, 0)
	if errno != 0 {
		if errno == unix.EAGAIN || errno == unix.EINTR || errno == unix.ENETDOWN {
			return 0, nil
		}
		return 0, errno
	}
	for i := range int(got) {
		b := &batch[i]
		b.Off, b.Mark, b.Prio, b.RxHash = netdev.Headroom, 0, 0, 0
		b.Len = max(int(r.hdrs[i].len)-VnetLen, 0)
		GetVnet(&r.vnet[i], &b.Offload)
		if aux := findAux(r.aux[i*auxSpace : i*auxSpace+int(r.hdrs[i].hdr.Controllen)]); aux != nil && aux.status&statusVLANValid != 0 && b.Len >= 12 {
			restoreVLAN(b, aux)
		}
	}
	return int(got), nil
}

// Send sends with as few system calls as can be. A packet that the kernel
// refuses is dropped and counted; the others go out.
func (s *Socket) Send(_ int, batch []*netdev.Packet) (int, error) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	if s.fd < 0 {
		return 0, net.ErrClosed
	}
	r := s.tx.Get().(*txRing)
	defer s.tx.Put(r)
	sent := 0
	for len(batch) > 0 {
		n := 0
		for n < min(len(batch), maxBatch) && !uncut(batch[n]) {
			r.put(n, batch[n])
			n++
		}
		if n == 0 {
			if r.cut.cut(batch[0], func(p *netdev.Packet) bool { r.put(0, p); return s.sendRing(r, 1) == 1 }) {
				sent++
			}
			batch = batch[1:]
			continue
		}
		sent += s.sendRing(r, n)
		batch = batch[n:]
	}
	return sent, nil
}

// put makes a packet the ring's message i.
func (r *txRing) put(i int, p *netdev.Packet) {
	PutVnet(&r.vnet[i], &p.Offload)
	r.iovs[i][1].Base = &p.Buf[p.Off]
	r.iovs[i][1].SetLen(p.Len)
}

// sendRing sends the first n messages of the ring.
func (s *Socket) sendRing(r *txRing, n int) int {
	sent := 0
	for at := 0; at < n; {
		got, _, errno := unix.RawSyscall6(unix.SYS_SENDMMSG, uintptr(s.fd), uintptr(unsafe.Pointer(&r.hdrs[at])), uintptr(n-at), unix.MSG_DONTWAIT, 0, 0)
		switch {
		case errno == unix.EINTR:
		case errno == unix.ENOBUFS && r.vnet[at][1] != unix.VIRTIO_NET_HDR_GSO_NONE && s.queue():
		case errno != 0:
			s.refused(errno)
			at++
		default:
			sent += int(got)
			at += int(got)
		}
	}
	return sent
}

// queue has packets take the way through the queueing discipline, as the kernel cuts
// super-packets for devices that don't do that themselves there only: on the way past
// it, it drops them. It reports whether they did not before.
func (s *Socket) queue() bool {
	if s.queued.Swap(true) || unix.SetsockoptInt(s.fd, unix.SOL_PACKET, packetQdiscBypass, 0) != nil {
		return false
	}
	s.drops.known.Add(1) // the kernel has counted the packet, which goes out now
	return true
}

// Close closes the socket.
func (s *Socket) Close() error {
	s.host.remove(s.link)
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.fd < 0 {
		return nil
	}
	fd := s.fd
	s.fd = -1
	if s.stolen != nil {
		_ = s.stolen.Close()
	}
	return unix.Close(fd)
}
