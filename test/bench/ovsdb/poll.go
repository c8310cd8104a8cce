package main

import (
	"fmt"
	"net"
	"strings"

	"golang.org/x/sys/unix"
)

// poll reads from many clients on one thread, so that counting what comes costs
// little beside what the server does.
type poll struct {
	fd      int
	clients map[int32]*client
	got     int // updates
}

// newPoll returns a poll of clients, whose descriptors it duplicates.
func newPoll(clients []*client) (*poll, error) {
	fd, err := unix.EpollCreate1(0)
	if err != nil {
		return nil, err
	}
	p := &poll{fd: fd, clients: map[int32]*client{}}
	for _, c := range clients {
		file, err := c.conn.(*net.UnixConn).File()
		if err != nil {
			return nil, err
		}
		if err := unix.SetNonblock(int(file.Fd()), true); err != nil {
			return nil, err
		}
		c.close()
		c.conn, c.file = nil, file
		p.clients[int32(file.Fd())] = c
		if err := unix.EpollCtl(fd, unix.EPOLL_CTL_ADD, int(file.Fd()), &unix.EpollEvent{Events: unix.EPOLLIN, Fd: int32(file.Fd())}); err != nil {
			return nil, err
		}
	}
	return p, nil
}

func (p *poll) close() {
	unix.Close(p.fd)
	for _, c := range p.clients {
		c.file.Close()
	}
}

// updates waits until each client has got n updates.
func (p *poll) updates(n int) error {
	events := make([]unix.EpollEvent, len(p.clients))
	for want := n * len(p.clients); p.got < want; {
		k, err := unix.EpollWait(p.fd, events, 10_000)
		if err == unix.EINTR {
			continue
		}
		if err != nil {
			return err
		}
		if k == 0 {
			return fmt.Errorf("update %d came to %d of %d monitors within 10 s", n, p.got-(n-1)*len(p.clients), len(p.clients))
		}
		for _, e := range events[:k] {
			if err := p.read(p.clients[e.Fd]); err != nil {
				return err
			}
		}
	}
	return nil
}

// read takes what has come for a client.
func (p *poll) read(c *client) error {
	c.makeRoom()
	n, err := unix.Read(int(c.file.Fd()), c.buf[c.fill:])
	if err == unix.EAGAIN || err == unix.EINTR {
		return nil
	}
	if n <= 0 {
		return fmt.Errorf("connection to the server ended (%v)", err)
	}
	c.fill += n
	for m := c.arrived(); m != nil; m = c.arrived() {
		if strings.Contains(string(m[:min(len(m), 100)]), `"update3"`) {
			p.got++
		}
	}
	return nil
}
