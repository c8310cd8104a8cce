// Package linux is network devices of the Linux kernel: "system" devices that
// exist already, read and written through packet sockets, and "tap" devices
// that the switch makes. Both carry the virtio network header, so that partial
// checksums and super-packets pass unharmed. Needs CAP_NET_ADMIN and
// CAP_NET_RAW.
package linux

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"

	"github.com/cilium/ebpf"
	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"weir/internal/coverage"
	"weir/internal/netdev"
	"weir/internal/packet"
	"weir/internal/vlog"
)

var (
	log        = vlog.For("netdev_linux")
	overflows  = coverage.New("netlink_overflow")
	overflowRL vlog.RateLimit
)

// Host is the kernel's devices as this process uses them. Its mutex owns
// all members.
type Host struct {
	mu       sync.Mutex
	devices  map[*link]bool
	onChange func()
	lost     chan *link // taps that ended in another namespace

	dropAll     *ebpf.Program // for steal; nil until it is needed
	cannotSteal bool
}

// NewHost makes a host without open devices.
func NewHost() *Host { return &Host{devices: map[*link]bool{}, lost: make(chan *link, 16)} }

// Providers are "system", "tap" and "internal".
func (h *Host) Providers() netdev.Providers {
	return netdev.Providers{
		{Type: "system", Open: func(name string, _ map[string]string) (netdev.Device, error) { return h.openSystem(name) }},
		{Type: "tap", Open: func(name string, _ map[string]string) (netdev.Device, error) { return h.openTap(name, "tap") }},
		{Type: "internal", Open: func(name string, _ map[string]string) (netdev.Device, error) { return h.openTap(name, "internal") }},
	}
}

// OnChange sets the function that is called, on Run's goroutine, when the
// kernel reported a change of any device, open or not: one that was missing may
// have come.
func (h *Host) OnChange(fn func()) {
	h.mu.Lock()
	h.onChange = fn
	h.mu.Unlock()
}

// Run follows the kernel's link events until ctx ends. Without it, devices
// know their state as of when they were opened or last changed by the switch.
func (h *Host) Run(ctx context.Context) error {
	for ctx.Err() == nil {
		if err := h.hear(ctx); err != nil {
			return err
		}
	}
	return nil
}

// hear follows link events until ctx ends, or some were lost: a socket whose
// reader doesn't keep up loses what it has no room for, and the library gives it
// up then (ENOBUFS, netlink(7)).
func (h *Host) hear(ctx context.Context) error {
	updates := make(chan netlink.LinkUpdate, 64)
	done := make(chan struct{})
	defer close(done)
	if err := netlink.LinkSubscribe(updates, done); err != nil {
		return fmt.Errorf("subscribe to link events: %w", err)
	}
	h.notify(h.inspect) // what happened before isn't told
	for {
		select {
		case <-ctx.Done():
			return nil
		case u, ok := <-updates:
			if !ok {
				overflows.Inc()
				log.WarnRL(&overflowRL, "link events were lost; looking at all devices anew")
				return nil
			}
			h.update(u)
		case l := <-h.lost:
			h.notify(l.leave)
		}
	}
}

func (h *Host) update(u netlink.LinkUpdate) {
	h.notify(func() {
		for l := range h.devices {
			l.follow(u.Attrs(), u.Header.Type == unix.RTM_DELLINK)
		}
	})
}

// notify calls change with the mutex held and tells of it after.
func (h *Host) notify(change func()) {
	h.mu.Lock()
	change()
	notify := h.onChange
	h.mu.Unlock()
	if notify != nil {
		notify()
	}
}

// inspect asks for the state of all devices. The mutex is held.
func (h *Host) inspect() {
	for l := range h.devices {
		var nl netlink.Link
		var err error
		if s := l.state.Load(); s.away {
			nl, err = netlink.LinkByName(l.name)
		} else {
			nl, err = netlink.LinkByIndex(s.ifindex)
		}
		switch {
		case err == nil && l.is(nl.Attrs()):
			l.setState(nl.Attrs())
		case err == nil || linkError(err) == unix.ENODEV:
			l.leave()
		}
	}
}

func (h *Host) add(l *link) {
	h.mu.Lock()
	h.devices[l] = true
	h.mu.Unlock()
}

func (h *Host) remove(l *link) {
	h.mu.Lock()
	delete(h.devices, l)
	h.mu.Unlock()
}

// linkState is what the kernel last said of a device.
type linkState struct {
	ifindex int
	mac     packet.MAC
	mtu     int
	flags   netdev.Flags
	gone    bool
	away    bool // it is in another network namespace
}

// link is the part that packet sockets and taps share: the state of the
// kernel's device and what the switch sets of it.
type link struct {
	host    *Host
	name    string
	typ     string
	state   atomic.Pointer[linkState]
	changes atomic.Uint64
	resets  atomic.Uint64
	// swapped says that what the kernel sends is what the switch receives.
	swapped bool
	inner   int    // index of the data path's end of a pair; 0: the device is none
	keeper  keeper // nil: the device is of no use in another namespace
	drops   sendDrops
	bypass  atomic.Pointer[func() Bypass]
}

// refresh asks the kernel for the state.
func (l *link) refresh() error {
	if s := l.state.Load(); s != nil && s.away {
		l.leave()
		return nil
	}
	nl, err := netlink.LinkByName(l.name)
	if err != nil {
		return linkError(err)
	}
	l.setState(nl.Attrs())
	return nil
}

// linkError makes ENODEV of the library's error for a missing device.
func linkError(err error) error {
	if _, ok := err.(netlink.LinkNotFoundError); ok {
		return unix.ENODEV
	}
	return err
}

func (l *link) setState(a *netlink.LinkAttrs) {
	s := &linkState{ifindex: a.Index, mtu: a.MTU}
	if len(a.HardwareAddr) == len(s.mac) {
		s.mac = packet.MAC(a.HardwareAddr)
	}
	for _, f := range []struct {
		kernel uint32
		flag   netdev.Flags
	}{{unix.IFF_UP, netdev.Up}, {unix.IFF_RUNNING, netdev.Running}, {unix.IFF_PROMISC, netdev.Promiscuous}, {unix.IFF_LOOPBACK, netdev.Loopback}} {
		if a.RawFlags&f.kernel != 0 {
			s.flags |= f.flag
		}
	}
	old := l.state.Swap(s)
	if old != nil && *old != *s {
		l.changes.Add(1)
		if (old.flags^s.flags)&netdev.Running != 0 {
			l.resets.Add(1)
		}
	}
}

// Gone reports whether the kernel removed the device.
func (l *link) Gone() bool { return l.state.Load().gone }

// Name is the device's name.
func (l *link) Name() string { return l.name }

// Type is "system", "tap" or "internal".
func (l *link) Type() string { return l.typ }

// Ifindex is the kernel's index.
func (l *link) Ifindex() int { return l.state.Load().ifindex }

// MAC is the device's address.
func (l *link) MAC() packet.MAC { return l.state.Load().mac }

// MTU is the device's.
func (l *link) MTU() int { return l.state.Load().mtu }

// Flags are the device's; Running is its carrier.
func (l *link) Flags() netdev.Flags { return l.state.Load().flags }

// CarrierResets counts changes of carrier while the device is open.
func (l *link) CarrierResets() uint64 { return l.resets.Load() }

// Changes counts changes of the device's state.
func (l *link) Changes() uint64 { return l.changes.Load() }

// change runs fn on the kernel's device and reads the outcome back.
func (l *link) change(what string, fn func(netlink.Link) error) error {
	if l.state.Load().away {
		return l.awayError(what)
	}
	nl, err := netlink.LinkByName(l.name)
	if err == nil {
		err = fn(nl)
	}
	if err != nil {
		return fmt.Errorf("device %q: set %s: %w", l.name, what, linkError(err))
	}
	return l.refresh()
}

// SetMAC sets the device's address.
func (l *link) SetMAC(mac packet.MAC) error {
	if mac == l.MAC() {
		return nil
	}
	return l.change("address", func(nl netlink.Link) error { return netlink.LinkSetHardwareAddr(nl, mac[:]) })
}

// SetMTU sets the device's MTU.
func (l *link) SetMTU(mtu int) error {
	if mtu == l.MTU() {
		return nil
	}
	return l.change("MTU", func(nl netlink.Link) error { return netlink.LinkSetMTU(nl, mtu) })
}

// SetFlags sets and clears Up and Promiscuous.
func (l *link) SetFlags(set, clear netdev.Flags) error {
	have := l.Flags()
	if have&set == set && have&clear == 0 {
		return nil
	}
	return l.change("flags", func(nl netlink.Link) error {
		var err error
		switch {
		case set&^have&netdev.Up != 0:
			err = netlink.LinkSetUp(nl)
		case clear&have&netdev.Up != 0:
			err = netlink.LinkSetDown(nl)
		}
		switch {
		case err != nil:
		case set&^have&netdev.Promiscuous != 0:
			err = netlink.SetPromiscOn(nl)
		case clear&have&netdev.Promiscuous != 0:
			err = netlink.SetPromiscOff(nl)
		}
		return err
	})
}

// Stats are the kernel's counters, from the switch's point of view.
func (l *link) Stats() (netdev.Stats, error) {
	nl, err := netlink.LinkByName(l.name)
	return l.stats(nl, err)
}

// stats are the counters of nl, the device or what stands for it.
func (l *link) stats(nl netlink.Link, err error) (netdev.Stats, error) {
	if err != nil {
		return netdev.Stats{}, fmt.Errorf("device %q: statistics: %w", l.name, linkError(err))
	}
	k := nl.Attrs().Statistics
	if k == nil {
		return netdev.Stats{}, fmt.Errorf("device %q: the kernel gives no statistics", l.name)
	}
	s := netdev.Stats{
		RxPackets: k.RxPackets, TxPackets: k.TxPackets, RxBytes: k.RxBytes, TxBytes: k.TxBytes,
		RxErrors: k.RxErrors, TxErrors: k.TxErrors, RxDropped: k.RxDropped, TxDropped: k.TxDropped,
		Multicast: k.Multicast, Collisions: k.Collisions,
		RxOverErr: k.RxOverErrors, RxCRCErr: k.RxCrcErrors, RxFrameErr: k.RxFrameErrors, RxMissedErrors: k.RxMissedErrors,
	}
	if !l.swapped { // what a tap refuses, the kernel counts itself
		s.TxDropped += l.drops.uncounted()
	}
	if read := l.bypass.Load(); read != nil {
		b := (*read)()
		s.TxPackets += b.TxPackets
		s.TxBytes += b.TxBytes
		s.TxDropped += b.Drops[netdev.SendTooLong]
	}
	if l.swapped {
		s.RxPackets, s.TxPackets = s.TxPackets, s.RxPackets
		s.RxBytes, s.TxBytes = s.TxBytes, s.RxBytes
		s.RxErrors, s.TxErrors = s.TxErrors, s.RxErrors
		s.RxDropped, s.TxDropped = s.TxDropped, s.RxDropped
		s.Multicast, s.Collisions = 0, 0
		s.RxOverErr, s.RxCRCErr, s.RxFrameErr, s.RxMissedErrors = 0, 0, 0, 0
	}
	return s, nil
}
