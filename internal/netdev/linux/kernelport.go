package linux

import (
	"errors"
	"fmt"
	"hash/fnv"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"weir/internal/netdev"
)

// The devices of a data path in the kernel: programs at a device's ingress see
// its packets there, so nothing is received here. Packets are still sent.

// Bypass is what left through a device by a way on which the kernel doesn't
// count it there, as by redirection to the other end of a veth pair, and what
// programs had for it that was not sent. What is sent to a device that is down the
// kernel counts too.
type Bypass struct {
	TxPackets, TxBytes uint64
	Drops              netdev.SendDrops
}

// SetBypass has read asked whenever the device's statistics are.
func (l *link) SetBypass(read func() Bypass) { l.bypass.Store(&read) }

// KernelProviders are "system", "internal" and "tap" for a data path in the
// kernel. Devices but taps say by Ingress where their packets can be had. They
// outlive the process: what belongs to them stays until Close, or the owner's Sweep.
func (h *Host) KernelProviders(owner Owner) netdev.Providers {
	return netdev.Providers{
		{Type: "system", Open: func(name string, _ map[string]string) (netdev.Device, error) { return h.openOutlet(name) }},
		{Type: "internal", Open: func(name string, _ map[string]string) (netdev.Device, error) { return h.openInternal(name, owner) }},
		{Type: "tap", Open: func(name string, _ map[string]string) (netdev.Device, error) { return h.openTap(name, "tap") }},
	}
}

// Outlet is a "system" device of a data path in the kernel.
type Outlet struct{ *Socket }

var _ netdev.Device = Outlet{}

func (h *Host) openOutlet(name string) (Outlet, error) {
	s := &Socket{link: &link{host: h, name: name, typ: "system"}, fd: -1}
	if err := s.refresh(); err != nil {
		return Outlet{}, err
	}
	// Not by the socket: the device must stay so when the process ends.
	if err := s.SetFlags(netdev.Promiscuous, 0); err != nil {
		return Outlet{}, err
	}
	if err := s.openForSending(s.Ifindex()); err != nil {
		return Outlet{}, err
	}
	h.add(s.link)
	return Outlet{s}, nil
}

func (s *Socket) openForSending(ifindex int) error {
	fd, err := packetSocket(ifindex, 0)
	if err != nil {
		return err
	}
	s.fd = fd
	s.tx.New = func() any { return newTxRing() }
	return nil
}

// Ingress is the index of the device at whose ingress the port's packets are.
func (o Outlet) Ingress() int { return o.Ifindex() }

// Close ends promiscuous mode.
func (o Outlet) Close() error {
	err := o.Socket.Close()
	if o.Gone() {
		return err
	}
	if e := o.SetFlags(0, netdev.Promiscuous); !errors.Is(e, unix.ENODEV) { // it may have gone just now
		err = errors.Join(err, e)
	}
	return err
}

// Internal is an "internal" device of a data path in the kernel: one end of a
// veth pair, whose other end is the data path's. What the host sends through
// the device comes in at the ingress of the other end.
//
// It is in another namespace as good as here: what counts is the data path's end.
type Internal struct {
	*Socket // named after the device, sending through the other end
}

var _ netdev.Device = (*Internal)(nil)

// innerName names the data path's end of an internal device.
func innerName(name string) string {
	const suffix = "-dp"
	if len(name)+len(suffix) < unix.IFNAMSIZ {
		return name + suffix
	}
	h := fnv.New32a()
	_, _ = h.Write([]byte(name))
	return fmt.Sprintf("dp-%08x", h.Sum32())
}

// maxMTU of the data path's end: the length of packets is the matter of the
// device itself.
const maxMTU = 65535

// openInternal makes the pair, or takes over that of an earlier process.
func (h *Host) openInternal(name string, owner Owner) (*Internal, error) {
	inner, err := findInner(name, owner)
	if err != nil {
		return nil, err
	}
	s := &Socket{link: &link{host: h, name: name, typ: "internal", inner: inner.Attrs().Index}, fd: -1}
	d := &Internal{s}
	s.keeper = d
	if inner.Attrs().NetNsID >= 0 {
		s.state.Store(&linkState{ifindex: inner.Attrs().ParentIndex, away: true})
	}
	err = s.refresh()
	if err == nil {
		err = s.openForSending(d.inner)
	}
	if err != nil {
		_ = netlink.LinkDel(inner)
		return nil, err
	}
	h.add(s.link)
	return d, nil
}

// findInner is the data path's end of the pair that belongs to a name.
func findInner(name string, owner Owner) (netlink.Link, error) {
	if err := owner.removeUnfinished(); err != nil {
		return nil, err
	}
	other := innerName(name)
	if _, err := netlink.LinkByName(name); err == nil {
		return adoptPair(name, other, owner)
	}
	if inner, err := netlink.LinkByName(other); err == nil && isKind(inner.Attrs().Alias, innerAlias) && inner.Attrs().NetNsID >= 0 {
		return inner, nil // of an earlier process; the device was given to another namespace
	}
	inner, err := owner.make(innerAlias, other, func(inner string) error {
		attrs := netlink.NewLinkAttrs()
		attrs.Name = name
		return netlink.LinkAdd(&netlink.Veth{LinkAttrs: attrs, PeerName: inner})
	})
	if err != nil {
		return nil, fmt.Errorf("make veth pair: %w", err)
	}
	if err := prepareInner(inner, owner); err != nil {
		_ = netlink.LinkDel(inner)
		return nil, linkError(err)
	}
	return inner, nil
}

// adoptPair takes over a pair if it is one of ours.
func adoptPair(name, other string, owner Owner) (netlink.Link, error) {
	outer, err := netlink.LinkByName(name)
	if err != nil {
		return nil, linkError(err)
	}
	inner, err := netlink.LinkByName(other)
	if err != nil || outer.Type() != "veth" || inner.Type() != "veth" || inner.Attrs().ParentIndex != outer.Attrs().Index {
		return nil, unix.EEXIST // a device of that name that is somebody else's
	}
	return inner, prepareInner(inner, owner)
}

// prepareInner has the data path's end carry everything and say nothing itself.
func prepareInner(inner netlink.Link, owner Owner) error {
	WithoutIPv6(inner.Attrs().Name)
	return errors.Join(
		netlink.LinkSetAlias(inner, owner.aliasOf(innerAlias)),
		netlink.LinkSetARPOff(inner),
		netlink.LinkSetMTU(inner, maxMTU),
		netlink.SetPromiscOn(inner),
		netlink.LinkSetUp(inner),
	)
}

// Ingress is the index of the device at whose ingress the port's packets are.
func (d *Internal) Ingress() int { return d.inner }

// Stats are those of the data path's end, which receives what the host sends.
func (d *Internal) Stats() (netdev.Stats, error) {
	nl, err := netlink.LinkByIndex(d.inner)
	s, err := d.stats(nl, err)
	s.Multicast = 0
	return s, err
}

// Close removes the device, wherever it is.
func (d *Internal) Close() error {
	err := d.Socket.Close()
	if d.Gone() {
		return err
	}
	nl, e := netlink.LinkByIndex(d.inner)
	if e == nil {
		e = netlink.LinkDel(nl)
	}
	return errors.Join(err, linkError(e))
}

// innerAlias marks the data path's end of an internal device.
const innerAlias = "data path's end of an internal device"

// RemoveOwn removes the device of ours that has the index: an internal device,
// by its data path's end, or the device of tunnels. It leaves those alone that
// somebody else made.
func RemoveOwn(ingress int) error {
	l, err := netlink.LinkByIndex(ingress)
	if err != nil || !isKind(l.Attrs().Alias, innerAlias) && !isKind(l.Attrs().Alias, collectorAlias) {
		return nil
	}
	return netlink.LinkDel(l)
}
