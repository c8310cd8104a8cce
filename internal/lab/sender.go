package lab

import (
	"net"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// sendBatch is how many frames go to a system call.
const sendBatch = 64

// mmsghdr is struct mmsghdr of sendmmsg(2).
type mmsghdr struct {
	hdr unix.Msghdr
	len uint32
	_   [4]byte
}

// Sender sends frames out of a device, from a packet socket, up to 64 to a
// system call, round and round.
type Sender struct {
	fd     int
	frames [][]byte
	next   int
	hdrs   [sendBatch]mmsghdr
	iovs   [sendBatch]unix.Iovec
}

// NewSender opens the socket in the namespace of the thread that calls it.
func NewSender(device string, frames [][]byte) (*Sender, error) {
	dev, err := net.InterfaceByName(device)
	if err != nil {
		return nil, err
	}
	s := &Sender{frames: frames}
	s.fd, err = unix.Socket(unix.AF_PACKET, unix.SOCK_RAW|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, err
	}
	const qdiscBypass = 20 // PACKET_QDISC_BYPASS
	_ = unix.SetsockoptInt(s.fd, unix.SOL_PACKET, qdiscBypass, 1)
	for i := range s.hdrs {
		s.hdrs[i].hdr.Iov = &s.iovs[i]
		s.hdrs[i].hdr.SetIovlen(1)
	}
	if err := unix.Bind(s.fd, &unix.SockaddrLinklayer{Protocol: 0, Ifindex: dev.Index}); err != nil {
		_ = s.Close()
		return nil, err
	}
	return s, nil
}

// Close closes the socket.
func (s *Sender) Close() error { return unix.Close(s.fd) }

// Run sends until the time is over or count frames are sent, where count is not
// 0, and no more than pps a second, where that is not 0. It returns how many
// were sent.
func (s *Sender) Run(length time.Duration, pps, count int) (sent int, err error) {
	start := time.Now()
	for time.Since(start) < length && (count == 0 || sent < count) {
		n := sendBatch
		if pps > 0 {
			due := int(time.Since(start).Seconds()*float64(pps)) - sent
			if due <= 0 {
				time.Sleep(50 * time.Microsecond)
				continue
			}
			n = min(n, due)
		}
		if count > 0 {
			n = min(n, count-sent)
		}
		m, err := s.Send(n)
		if err != nil {
			return sent, err
		}
		sent += m
	}
	return sent, nil
}

// Send sends up to n frames and returns how many; none where the device takes
// none at present.
func (s *Sender) Send(n int) (int, error) {
	n = min(n, sendBatch)
	for i := range n {
		f := s.frames[(s.next+i)%len(s.frames)]
		s.iovs[i].Base = &f[0]
		s.iovs[i].SetLen(len(f))
	}
	m, _, errno := unix.Syscall6(unix.SYS_SENDMMSG, uintptr(s.fd), uintptr(unsafe.Pointer(&s.hdrs[0])), uintptr(n), 0, 0, 0)
	switch errno {
	case 0:
		s.next = (s.next + int(m)) % len(s.frames)
		return int(m), nil
	case unix.ENOBUFS, unix.EAGAIN:
		return 0, nil
	}
	return 0, errno
}
