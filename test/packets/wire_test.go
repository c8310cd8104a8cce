package packets

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"

	"weir/internal/lab"
	"weir/test/programs"
)

// wire is the far end of a switch's port.
type wire interface {
	send(frame []byte) error
	// receive returns the next frame that the switch sent, or after the time
	// os.ErrDeadlineExceeded.
	receive(within time.Duration) ([]byte, error)
	close()
}

// cable is the far end of a veth pair: a packet socket.
type cable struct {
	fd int
	at unix.SockaddrLinklayer
}

// openCable opens a device in a namespace.
func openCable(space, device string) (*cable, error) {
	c := &cable{fd: -1}
	err := lab.Within(space, func() error {
		dev, err := net.InterfaceByName(device)
		if err != nil {
			return err
		}
		if c.fd, err = unix.Socket(unix.AF_PACKET, unix.SOCK_RAW|unix.SOCK_CLOEXEC, 0); err != nil {
			return err
		}
		c.at = unix.SockaddrLinklayer{Protocol: 0x0300 /* ETH_P_ALL in network order */, Ifindex: dev.Index}
		return errors.Join(unix.Bind(c.fd, &c.at), unix.SetsockoptInt(c.fd, unix.SOL_PACKET, unix.PACKET_AUXDATA, 1),
			unix.SetsockoptInt(c.fd, unix.SOL_PACKET, unix.PACKET_IGNORE_OUTGOING, 1))
	})
	return c, err
}

func (c *cable) send(frame []byte) error { return unix.Sendto(c.fd, frame, 0, &c.at) }

func (c *cable) receive(within time.Duration) ([]byte, error) {
	for end := time.Now().Add(within); ; {
		left := time.Until(end)
		if left <= 0 {
			return nil, os.ErrDeadlineExceeded
		}
		n, err := unix.Poll([]unix.PollFd{{Fd: int32(c.fd), Events: unix.POLLIN}}, int(left/time.Millisecond)+1)
		if err != nil && err != unix.EINTR {
			return nil, err
		}
		if n > 0 {
			return c.read()
		}
	}
}

// read takes a frame and puts back the tag that the kernel took out.
func (c *cable) read() ([]byte, error) {
	b, oob := make([]byte, 1<<16), make([]byte, 256)
	n, oobn, _, _, err := unix.Recvmsg(c.fd, b, oob, 0)
	if err != nil {
		return nil, err
	}
	b = b[:n]
	msgs, err := unix.ParseSocketControlMessage(oob[:oobn])
	if err != nil {
		return nil, err
	}
	for _, m := range msgs {
		if m.Header.Level != unix.SOL_PACKET || m.Header.Type != unix.PACKET_AUXDATA {
			continue
		}
		aux := (*unix.TpacketAuxdata)(unsafe.Pointer(&m.Data[0]))
		if aux.Status&unix.TP_STATUS_VLAN_VALID != 0 {
			t := binary.BigEndian.AppendUint16(nil, aux.Vlan_tpid)
			t = binary.BigEndian.AppendUint16(t, aux.Vlan_tci)
			b = append(append(append([]byte{}, b[:12]...), t...), b[12:]...)
		}
	}
	return b, nil
}

func (c *cable) close() { _ = unix.Close(c.fd) }

// plug is the far end of a dummy device: a unix socket that carries frames
// after their lengths.
type plug struct {
	c net.Conn
	r *bufio.Reader
}

func openPlug(path string) (*plug, error) {
	var err error
	var c net.Conn
	if !programs.Wait(func() bool { // the device listens a moment after the port was added
		c, err = net.Dial("unix", path)
		return err == nil
	}) {
		return nil, fmt.Errorf("dummy device: %w", err)
	}
	return &plug{c, bufio.NewReader(c)}, nil
}

func (p *plug) send(frame []byte) error {
	_, err := p.c.Write(append(binary.BigEndian.AppendUint16(nil, uint16(len(frame))), frame...))
	return err
}

func (p *plug) receive(within time.Duration) ([]byte, error) {
	_ = p.c.SetReadDeadline(time.Now().Add(within))
	head, err := p.r.Peek(2)
	if err != nil {
		return nil, err
	}
	b := make([]byte, 2+int(binary.BigEndian.Uint16(head)))
	_, err = io.ReadFull(p.r, b)
	return b[2:], err
}

func (p *plug) close() { _ = p.c.Close() }
