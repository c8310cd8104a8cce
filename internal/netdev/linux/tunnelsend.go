package linux

import (
	"encoding/binary"
	"fmt"
	"net"
	"sync"
	"unsafe"

	"golang.org/x/sys/unix"

	"weir/internal/flow"
	"weir/internal/netdev"
	"weir/internal/tunnel"
)

// tunnelSender puts frames into datagrams of a tunnel and sends them by UDP sockets,
// so that routes, neighbours, fragmentation and the outer checksum are the
// kernel's matter. Sockets are opened when they are first needed: what can't be
// said of a single datagram is said of a socket. It is safe for concurrent use.
type tunnelSender struct {
	conf *tunnel.Config // one of those that share the port

	mu      sync.RWMutex // held for writing while sockets are opened or closed
	sockets [numVariants]int
	closed  bool

	rings sync.Pool // of *tunnelRing
}

// A variant of socket, in bits: IPv6, don't fragment, checksum, and the number
// of the socket among equals, which tells flows apart by its source port.
const (
	variantV6 = 1 << iota
	variantDF
	variantCsum
	variantFlow
	sourcePorts = 4
	numVariants = variantFlow * sourcePorts
)

// tunnelRing is the memory that sendmmsg(2) reads.
type tunnelRing struct {
	hdrs    [maxBatch]mmsghdr
	iovs    [maxBatch][3]unix.Iovec
	shims   [maxBatch][tunnel.MaxShim]byte
	heads   [maxBatch][netdev.MaxHeaders]byte
	addrs   [maxBatch]unix.RawSockaddrInet6
	control [maxBatch][128]byte
	n       int
	fd      int // of what waits
	seg     netdev.Segmenter
	outer   tunnel.Outer
}

func newTunnelSender(c *tunnel.Config) *tunnelSender {
	s := &tunnelSender{conf: c}
	for i := range s.sockets {
		s.sockets[i] = -1
	}
	s.rings.New = func() any {
		r := new(tunnelRing)
		for i := range r.hdrs {
			r.iovs[i][0].Base = &r.shims[i][0]
			r.iovs[i][1].Base = &r.heads[i][0]
			h := &r.hdrs[i].hdr
			h.Iov = &r.iovs[i][0]
			h.SetIovlen(3)
			h.Name = (*byte)(unsafe.Pointer(&r.addrs[i]))
			h.Control = &r.control[i][0]
		}
		return r
	}
	return s
}

// send sends a batch and returns how many went out whole.
func (s *tunnelSender) send(batch []*netdev.Packet) (int, error) {
	r := s.rings.Get().(*tunnelRing)
	defer s.rings.Put(r)
	s.mu.RLock()
	defer s.mu.RUnlock()
	sent := 0
	var first error
	for _, p := range batch {
		if err := s.packet(r, p); err != nil {
			if first == nil {
				first = err
			}
			continue
		}
		sent++
	}
	sent -= r.flush()
	return max(sent, 0), first
}

// packet queues the datagrams of one packet.
func (s *tunnelSender) packet(r *tunnelRing, p *netdev.Packet) error {
	if p.Tunnel == nil {
		return errNoEndpoint
	}
	t := &p.Tunnel.Tunnel
	if t.Dst == 0 && t.IPv6Dst == [16]byte{} {
		return errNoEndpoint
	}
	fd, err := s.socket(t, p)
	if err != nil {
		return err
	}
	if fd != r.fd {
		r.flush()
		r.fd = fd
	}
	if err := r.seg.Start(p); err != nil {
		return err
	}
	for {
		n, payload, ok := r.seg.Next(r.heads[r.n][:])
		if !ok {
			return nil
		}
		i := r.n
		r.outer.Tunnel, r.outer.Options = t, p.Tunnel.Options
		shim, err := s.conf.AppendShim(r.shims[i][:0], &r.outer)
		if err != nil {
			return err
		}
		r.iovs[i][0].SetLen(len(shim))
		r.iovs[i][1].SetLen(n)
		r.iovs[i][2] = unix.Iovec{}
		if len(payload) > 0 {
			r.iovs[i][2].Base = &payload[0]
			r.iovs[i][2].SetLen(len(payload))
		}
		s.address(r, i, t, p.Mark)
		if r.n++; r.n == maxBatch {
			r.flush()
		}
	}
}

var errNoEndpoint = fmt.Errorf("a packet for a tunnel says not where it is to go: %w", unix.EDESTADDRREQ)

// address says where a datagram goes, and what else a datagram can say.
func (s *tunnelSender) address(r *tunnelRing, i int, t *flow.Tunnel, mark uint32) {
	h := &r.hdrs[i].hdr
	c := controlWriter{buf: r.control[i][:0]}
	ttl := int32(t.TTL)
	if ttl == 0 {
		ttl = tunnel.DefaultTTL
	}
	port := [2]byte{byte(s.conf.DstPort >> 8), byte(s.conf.DstPort)}
	if t.Dst != 0 {
		a := (*unix.RawSockaddrInet4)(unsafe.Pointer(&r.addrs[i]))
		*a = unix.RawSockaddrInet4{Family: unix.AF_INET, Port: *(*uint16)(unsafe.Pointer(&port))}
		binary.BigEndian.PutUint32(a.Addr[:], t.Dst)
		h.Namelen = unix.SizeofSockaddrInet4
		c.int32(unix.IPPROTO_IP, unix.IP_TTL, ttl)
		c.int32(unix.IPPROTO_IP, unix.IP_TOS, int32(t.TOS))
		if t.Src != 0 {
			b := c.add(unix.IPPROTO_IP, unix.IP_PKTINFO, unix.SizeofInet4Pktinfo)
			binary.BigEndian.PutUint32((*unix.Inet4Pktinfo)(unsafe.Pointer(&b[0])).Spec_dst[:], t.Src)
		}
	} else {
		r.addrs[i] = unix.RawSockaddrInet6{Family: unix.AF_INET6, Port: *(*uint16)(unsafe.Pointer(&port)), Addr: t.IPv6Dst}
		h.Namelen = unix.SizeofSockaddrInet6
		c.int32(unix.IPPROTO_IPV6, unix.IPV6_HOPLIMIT, ttl)
		c.int32(unix.IPPROTO_IPV6, unix.IPV6_TCLASS, int32(t.TOS))
		if t.IPv6Src != [16]byte{} {
			b := c.add(unix.IPPROTO_IPV6, unix.IPV6_PKTINFO, unix.SizeofInet6Pktinfo)
			(*unix.Inet6Pktinfo)(unsafe.Pointer(&b[0])).Addr = t.IPv6Src
		}
	}
	if mark != 0 {
		c.int32(unix.SOL_SOCKET, unix.SO_MARK, int32(mark))
	}
	h.SetControllen(len(c.buf))
}

// controlWriter appends control messages (cmsg(3)) to a buffer with room for
// them.
type controlWriter struct{ buf []byte }

func (c *controlWriter) add(level, typ int32, size int) []byte {
	at := len(c.buf)
	c.buf = c.buf[:at+unix.CmsgSpace(size)]
	clear(c.buf[at:])
	h := (*unix.Cmsghdr)(unsafe.Pointer(&c.buf[at]))
	h.Level, h.Type = level, typ
	h.SetLen(unix.CmsgLen(size))
	return c.buf[at+unix.CmsgLen(0):]
}

func (c *controlWriter) int32(level, typ, value int32) {
	binary.NativeEndian.PutUint32(c.add(level, typ, 4), uint32(value))
}

// flush sends what waits and returns how many datagrams the kernel refused.
func (r *tunnelRing) flush() (refused int) {
	for at := 0; at < r.n; {
		got, _, errno := unix.RawSyscall6(unix.SYS_SENDMMSG, uintptr(r.fd), uintptr(unsafe.Pointer(&r.hdrs[at])), uintptr(r.n-at), unix.MSG_DONTWAIT, 0, 0)
		switch {
		case errno == unix.EINTR:
		case errno != 0:
			refused++
			at++
		default:
			at += int(got)
		}
	}
	r.n = 0
	return refused
}

// socket is the socket for a packet's metadata. The caller holds mu for
// reading.
func (s *tunnelSender) socket(t *flow.Tunnel, p *netdev.Packet) (int, error) {
	v := int(flowHash(p.Data())%sourcePorts) * variantFlow
	if t.Dst == 0 {
		v |= variantV6
	}
	if t.Flags&flow.TunnelDF != 0 {
		v |= variantDF
	}
	if t.Flags&flow.TunnelCsum != 0 {
		v |= variantCsum
	}
	if fd := s.sockets[v]; fd >= 0 {
		return fd, nil
	}
	s.mu.RUnlock()
	defer s.mu.RLock()
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return -1, net.ErrClosed
	}
	if s.sockets[v] < 0 {
		fd, err := openSendSocket(v)
		if err != nil {
			return -1, err
		}
		s.sockets[v] = fd
	}
	return s.sockets[v], nil
}

// flowHash tells the flows of frames apart by their addresses and what stands
// where an IPv4 header has its addresses and ports.
func flowHash(b []byte) uint32 {
	const n = 38
	if len(b) < n {
		return 0
	}
	h := uint32(2166136261) // FNV-1a
	for _, x := range b[26:n] {
		h = (h ^ uint32(x)) * 16777619
	}
	return h ^ h>>16
}

func openSendSocket(variant int) (int, error) {
	family := unix.AF_INET
	if variant&variantV6 != 0 {
		family = unix.AF_INET6
	}
	fd, err := unix.Socket(family, unix.SOCK_DGRAM|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, unix.IPPROTO_UDP)
	if err != nil {
		return -1, fmt.Errorf("socket for tunnels: %w", err)
	}
	pmtu := unix.IP_PMTUDISC_DONT
	if variant&variantDF != 0 {
		pmtu = unix.IP_PMTUDISC_DO
	}
	noSum := 1
	if variant&variantCsum != 0 {
		noSum = 0
	}
	if family == unix.AF_INET {
		err = unix.SetsockoptInt(fd, unix.IPPROTO_IP, unix.IP_MTU_DISCOVER, pmtu)
		if err == nil {
			err = unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_NO_CHECK, noSum)
		}
	} else {
		err = unix.SetsockoptInt(fd, unix.IPPROTO_IPV6, unix.IPV6_MTU_DISCOVER, pmtu)
		if err == nil {
			err = unix.SetsockoptInt(fd, unix.IPPROTO_UDP, unix.UDP_NO_CHECK6_TX, noSum)
		}
	}
	_ = unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_SNDBUFFORCE, socketBuffer)
	if err != nil {
		_ = unix.Close(fd)
		return -1, fmt.Errorf("socket for tunnels: %w", err)
	}
	return fd, nil
}

func (s *tunnelSender) close() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.closed = true
	for i, fd := range s.sockets {
		if fd >= 0 {
			_ = unix.Close(fd)
			s.sockets[i] = -1
		}
	}
}
