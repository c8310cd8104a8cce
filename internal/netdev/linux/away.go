package linux

import (
	"fmt"
	"os"
	"syscall"

	"github.com/vishvananda/netlink"
	"github.com/vishvananda/netns"
	"golang.org/x/sys/unix"

	"weir/internal/netdev"
)

// Internal and tap devices are given to hosts by moving them to their network
// namespaces.  There they stay the switch's: the descriptor of a tap and the
// data path's end of a pair carry packets as before.  What the kernel says in
// this namespace is that the device was deleted; so a device that is deleted is
// asked for by what stayed here.

// keeper is what of a device stays here when it moves to another namespace.
type keeper interface {
	// elsewhere tells whether the device lives on in another namespace, and its
	// flags there as far as can be seen from here.
	elsewhere() (bool, netdev.Flags)
	// back tells whether the device of its name that came is the one that left.
	back(*netlink.LinkAttrs) bool
}

// follow takes up what the kernel said of a device: that it changed, or that it
// was deleted.
func (l *link) follow(attrs *netlink.LinkAttrs, deleted bool) {
	s := l.state.Load()
	switch {
	case l.inner != 0 && attrs.Index == l.inner && (deleted || s.away):
		l.leave()
	case deleted:
		if !s.away && attrs.Index == s.ifindex {
			l.leave()
		}
	case l.is(attrs):
		l.setState(attrs)
	}
}

// is tells whether what the kernel described in this namespace is the device.
func (l *link) is(attrs *netlink.LinkAttrs) bool {
	s := l.state.Load()
	if s.away {
		return attrs.Name == l.name && l.keeper.back(attrs)
	}
	return attrs.Index == s.ifindex
}

// leave notes that the device is no more in this namespace, or what has changed
// of one that wasn't.
func (l *link) leave() {
	old := l.state.Load()
	s := *old
	s.flags &^= netdev.Up | netdev.Running
	s.gone = true
	if l.keeper != nil {
		if lives, flags := l.keeper.elsewhere(); lives {
			s.gone, s.away = false, true
			s.flags |= flags
		}
	}
	l.state.Store(&s)
	if *old != s {
		l.changes.Add(1)
	}
	if (old.flags^s.flags)&netdev.Running != 0 {
		l.resets.Add(1)
	}
}

// elsewhere asks for the data path's end of the pair, which goes with the other
// and has its carrier while that is up.
func (d *Internal) elsewhere() (bool, netdev.Flags) {
	nl, err := netlink.LinkByIndex(d.inner)
	if err != nil {
		return false, 0
	}
	if nl.Attrs().RawFlags&unix.IFF_RUNNING == 0 {
		return true, 0
	}
	return true, netdev.Up | netdev.Running
}

func (d *Internal) back(a *netlink.LinkAttrs) bool { return a.ParentIndex == d.inner && a.NetNsID < 0 }

// tunGetDevNetns is TUNGETDEVNETNS of linux/if_tun.h, which x/sys lacks: it gives
// a descriptor of the namespace that the device is in.
const tunGetDevNetns = 0x54e3

// space is a descriptor of the namespace that the tap is in.
func (t *Tap) space() (netns.NsHandle, error) {
	t.mu.RLock()
	defer t.mu.RUnlock()
	fd, err := unix.IoctlRetInt(t.fd, tunGetDevNetns)
	return netns.NsHandle(fd), err
}

// elsewhere asks the descriptor.  Nothing is heard of a tap in another namespace,
// so that it counts as up: what it refuses it drops.
func (t *Tap) elsewhere() (bool, netdev.Flags) {
	ns, err := t.space()
	if err != nil {
		return false, 0
	}
	_ = ns.Close()
	return true, netdev.Up | netdev.Running
}

func (t *Tap) back(*netlink.LinkAttrs) bool {
	ns, err := t.space()
	if err != nil {
		return false
	}
	defer ns.Close()
	var its, ours unix.Stat_t
	return unix.Fstat(int(ns), &its) == nil && unix.Stat("/proc/thread-self/ns/net", &ours) == nil &&
		its.Dev == ours.Dev && its.Ino == ours.Ino
}

// find is the tap as its namespace has it, under the name that it has there.
func (t *Tap) find() (netlink.Link, error) {
	if !t.state.Load().away {
		return netlink.LinkByName(t.name)
	}
	ns, err := t.space()
	if err != nil {
		return nil, os.NewSyscallError("TUNGETDEVNETNS", err)
	}
	defer ns.Close()
	req, err := unix.NewIfreq(t.name)
	if err != nil {
		return nil, err
	}
	t.mu.RLock()
	err = unix.IoctlIfreq(t.fd, unix.TUNGETIFF, req)
	t.mu.RUnlock()
	if err != nil {
		return nil, os.NewSyscallError("TUNGETIFF", err)
	}
	h, err := netlink.NewHandleAt(ns, unix.NETLINK_ROUTE)
	if err != nil {
		return nil, err
	}
	defer h.Close()
	return h.LinkByName(req.Name())
}

// lost notes, for Run to look, that a tap which was in another namespace may have
// ended with it: nobody else says so.
func (t *Tap) lost(errno syscall.Errno) {
	if errno != unix.EBADFD || !t.state.Load().away {
		return
	}
	select {
	case t.host.lost <- t.link:
	default:
	}
}

// awayError is that of changes to a device in another namespace.
func (l *link) awayError(what string) error {
	return fmt.Errorf("device %q: set %s: it is in another network namespace", l.name, what)
}
