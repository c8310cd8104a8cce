package linux

import (
	"encoding/binary"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"unsafe"

	"golang.org/x/sys/unix"

	"weir/internal/flow"
	"weir/internal/netdev"
	"weir/internal/tunnel"
)

// TunnelSocket carries tunnels of a kind that is UDP's for a data path in user
// space: sockets at the tunnels' port, one for IPv4 and one for IPv6, each a
// receive queue. Whether a packet had an outer checksum isn't known of it.
type TunnelSocket struct {
	*netdev.Virtual
	tx *tunnelSender

	mu     sync.RWMutex // held for writing by Close only
	rx     []*tunnelReceiver
	closed bool

	rxPackets, rxBytes, txPackets, txBytes, drops atomic.Uint64
}

var _ netdev.Device = (*TunnelSocket)(nil)

// tunnelReceiver is one socket with the memory that recvmmsg(2) fills in; the
// reader of its queue owns it.
type tunnelReceiver struct {
	kind    *tunnel.Kind
	fd      int
	v6      bool
	hdrs    [maxBatch]mmsghdr
	iovs    [maxBatch]unix.Iovec
	addrs   [maxBatch]unix.RawSockaddrInet6
	control [maxBatch][128]byte
	tunnels [maxBatch]netdev.Outer
}

// OpenTunnelSocket opens the sockets of a tunnel's port. EADDRINUSE says that
// another program, or a device of the kernel, has it.
func OpenTunnelSocket(c *tunnel.Config) (netdev.Device, error) {
	d := &TunnelSocket{Virtual: netdev.NewVirtual(c.DeviceName(), c.Kind.Type), tx: newTunnelSender(c)}
	for _, v6 := range []bool{false, true} {
		r, err := newTunnelReceiver(c.Kind, v6, c.DstPort)
		if v6 && errors.Is(err, unix.EAFNOSUPPORT) {
			break // a kernel without IPv6
		}
		if err != nil {
			_ = d.Close()
			return nil, fmt.Errorf("UDP port %d for %s tunnels: %w", c.DstPort, c.Kind.Type, err)
		}
		d.rx = append(d.rx, r)
	}
	return d, nil
}

func newTunnelReceiver(kind *tunnel.Kind, v6 bool, port uint16) (*tunnelReceiver, error) {
	family, level := unix.AF_INET, unix.IPPROTO_IP
	options := []int{unix.IP_PKTINFO, unix.IP_RECVTOS, unix.IP_RECVTTL}
	var addr unix.Sockaddr = &unix.SockaddrInet4{Port: int(port)}
	if v6 {
		family, level = unix.AF_INET6, unix.IPPROTO_IPV6
		options = []int{unix.IPV6_V6ONLY, unix.IPV6_RECVPKTINFO, unix.IPV6_RECVTCLASS, unix.IPV6_RECVHOPLIMIT}
		addr = &unix.SockaddrInet6{Port: int(port)}
	}
	fd, err := unix.Socket(family, unix.SOCK_DGRAM|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, unix.IPPROTO_UDP)
	if err != nil {
		return nil, err
	}
	for _, o := range options {
		if err == nil {
			err = unix.SetsockoptInt(fd, level, o, 1)
		}
	}
	if err == nil && v6 { // peers may send without checksum (RFC 6935)
		err = unix.SetsockoptInt(fd, unix.IPPROTO_UDP, unix.UDP_NO_CHECK6_RX, 1)
	}
	_ = unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_RCVBUFFORCE, socketBuffer)
	if err == nil {
		err = unix.Bind(fd, addr)
	}
	if err != nil {
		_ = unix.Close(fd)
		return nil, err
	}
	r := &tunnelReceiver{kind: kind, fd: fd, v6: v6}
	for i := range r.hdrs {
		h := &r.hdrs[i].hdr
		h.Iov = &r.iovs[i]
		h.SetIovlen(1)
		h.Name = (*byte)(unsafe.Pointer(&r.addrs[i]))
		h.Control = &r.control[i][0]
	}
	return r, nil
}

// NumRxQueues is 2, or 1 where the kernel has no IPv6.
func (d *TunnelSocket) NumRxQueues() int { return len(d.rx) }

// RecvFD is the queue's socket.
func (d *TunnelSocket) RecvFD(q int) int {
	d.mu.RLock()
	defer d.mu.RUnlock()
	if d.closed {
		return -1
	}
	return d.rx[q].fd
}

// Recv reads a batch with one system call, and takes the frames out of it.
func (d *TunnelSocket) Recv(q int, batch []netdev.Packet) (int, error) {
	d.mu.RLock()
	defer d.mu.RUnlock()
	if d.closed {
		return 0, nil
	}
	r := d.rx[q]
	n := min(len(batch), maxBatch)
	for i := range n {
		b := &batch[i]
		r.iovs[i].Base = &b.Buf[netdev.Headroom]
		r.iovs[i].SetLen(len(b.Buf) - netdev.Headroom)
		r.hdrs[i].hdr.SetControllen(len(r.control[i]))
		r.hdrs[i].hdr.Namelen = unix.SizeofSockaddrInet6
	}
	got, _, errno := unix.RawSyscall6(unix.SYS_RECVMMSG, uintptr(r.fd), uintptr(unsafe.Pointer(&r.hdrs[0])), uintptr(n), unix.MSG_DONTWAIT, 0, 0)
	if errno != 0 {
		return 0, nil // none now; errors of earlier sends are not the receiver's
	}
	for i := range int(got) {
		r.packet(i, &batch[i])
		d.rxPackets.Add(1)
		d.rxBytes.Add(uint64(batch[i].Len))
	}
	return int(got), nil
}

// packet makes a packet of a datagram; what isn't the tunnel's, or holds no frame,
// becomes one of length 0.
func (r *tunnelReceiver) packet(i int, p *netdev.Packet) {
	outer := &r.tunnels[i]
	t := &outer.Tunnel
	*t = flow.Tunnel{}
	*p = netdev.Packet{Buf: p.Buf, Off: netdev.Headroom, Tunnel: outer}
	datagram := p.Buf[netdev.Headroom:][:r.hdrs[i].len]
	in, err := r.kind.PopShim(datagram, t)
	if err != nil || in.PacketType != 0 {
		return
	}
	p.Off, p.Len = p.Off+in.Len, len(datagram)-in.Len
	outer.Options = in.Options
	netdev.FindPartial(p)
	if r.v6 {
		t.IPv6Src = r.addrs[i].Addr
	} else {
		t.Src = binary.BigEndian.Uint32((*unix.RawSockaddrInet4)(unsafe.Pointer(&r.addrs[i])).Addr[:])
	}
	r.metadata(r.control[i][:r.hdrs[i].hdr.Controllen], t)
}

// metadata reads the control messages: destination, type of service, time to
// live.
func (r *tunnelReceiver) metadata(b []byte, t *flow.Tunnel) {
	for len(b) >= unix.SizeofCmsghdr {
		h := (*unix.Cmsghdr)(unsafe.Pointer(&b[0]))
		if int(h.Len) < unix.SizeofCmsghdr || int(h.Len) > len(b) {
			return
		}
		data := b[unix.CmsgLen(0):h.Len]
		switch {
		case h.Level == unix.IPPROTO_IP && h.Type == unix.IP_PKTINFO && len(data) >= unix.SizeofInet4Pktinfo:
			t.Dst = binary.BigEndian.Uint32((*unix.Inet4Pktinfo)(unsafe.Pointer(&data[0])).Addr[:])
		case h.Level == unix.IPPROTO_IP && h.Type == unix.IP_TOS && len(data) >= 1:
			t.TOS = data[0]
		case h.Level == unix.IPPROTO_IP && h.Type == unix.IP_TTL && len(data) >= 4:
			t.TTL = uint8(binary.NativeEndian.Uint32(data))
		case h.Level == unix.IPPROTO_IPV6 && h.Type == unix.IPV6_PKTINFO && len(data) >= unix.SizeofInet6Pktinfo:
			t.IPv6Dst = (*unix.Inet6Pktinfo)(unsafe.Pointer(&data[0])).Addr
		case h.Level == unix.IPPROTO_IPV6 && h.Type == unix.IPV6_TCLASS && len(data) >= 4:
			t.TOS = uint8(binary.NativeEndian.Uint32(data))
		case h.Level == unix.IPPROTO_IPV6 && h.Type == unix.IPV6_HOPLIMIT && len(data) >= 4:
			t.TTL = uint8(binary.NativeEndian.Uint32(data))
		}
		next := unix.CmsgSpace(int(h.Len) - unix.CmsgLen(0))
		if next > len(b) {
			return
		}
		b = b[next:]
	}
}

// Send encapsulates packets and sends them.
func (d *TunnelSocket) Send(_ int, batch []*netdev.Packet) (int, error) {
	sent, err := d.tx.send(batch)
	d.txPackets.Add(uint64(sent))
	d.drops.Add(uint64(len(batch) - sent))
	for _, p := range batch {
		d.txBytes.Add(uint64(p.Len))
	}
	return sent, err
}

// Stats are what the sockets carried, without outer headers.
func (d *TunnelSocket) Stats() (netdev.Stats, error) {
	s, err := d.Virtual.Stats()
	s.RxPackets, s.RxBytes = d.rxPackets.Load(), d.rxBytes.Load()
	s.TxPackets, s.TxBytes, s.TxDropped = d.txPackets.Load(), d.txBytes.Load(), d.drops.Load()
	return s, err
}

// Options are the port, where it isn't the usual one.
func (d *TunnelSocket) Options() map[string]string { return underlayOptions(d.tx.conf) }

// SetOptions changes nothing: the options are those of the ports that use it.
func (d *TunnelSocket) SetOptions(map[string]string) error { return nil }

// Close closes the sockets.
func (d *TunnelSocket) Close() error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.closed {
		return nil
	}
	d.closed = true
	d.tx.close()
	var errs []error
	for _, r := range d.rx {
		errs = append(errs, unix.Close(r.fd))
	}
	return errors.Join(errs...)
}
