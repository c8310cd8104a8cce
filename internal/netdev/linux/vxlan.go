package linux

import (
	"fmt"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"weir/internal/netdev"
	"weir/internal/tunnel"
)

// Collector is the collect-metadata VXLAN device of a data path in the kernel:
// programs read and set the outer headers of its packets (bpf-helpers(7),
// bpf_skb_get_tunnel_key), and the kernel does the rest. What user space sends
// through it, it puts into UDP datagrams itself, since a packet socket can't say
// where a packet is to go. It outlives the process.
type Collector struct {
	*link
	tx *tunnelSender
}

var _ netdev.Device = (*Collector)(nil)

// collectorAlias marks devices of ours.
const collectorAlias = "data path's end of VXLAN tunnels"

// collectorMTU leaves the inner packets' size to what carries the outer ones.
const collectorMTU = 65000

// OpenCollector makes the device that carries VXLAN tunnels, or takes over that
// of an earlier process.
func (h *Host) OpenCollector(c *tunnel.Config, owner Owner) (netdev.Device, error) {
	name := c.DeviceName()
	old, err := netlink.LinkByName(name)
	switch {
	case err != nil:
		err = makeCollector(name, int(c.DstPort), owner)
	case !isKind(old.Attrs().Alias, collectorAlias):
		err = unix.EEXIST
	default:
		err = netlink.LinkSetAlias(old, owner.aliasOf(collectorAlias))
	}
	if err != nil {
		return nil, fmt.Errorf("device %s: %w", name, err)
	}
	d := &Collector{link: &link{host: h, name: name, typ: c.Kind.Type}, tx: newTunnelSender(c)}
	if err := d.refresh(); err != nil {
		return nil, err
	}
	h.add(d.link)
	return d, nil
}

func makeCollector(name string, port int, owner Owner) error {
	if err := owner.removeUnfinished(); err != nil {
		return err
	}
	l, err := owner.make(collectorAlias, name, func(first string) error {
		attrs := netlink.NewLinkAttrs()
		attrs.Name = first
		return netlink.LinkAdd(&netlink.Vxlan{LinkAttrs: attrs, FlowBased: true, Port: port, UDPCSum: true, UDP6ZeroCSumRx: true})
	})
	if err != nil {
		return err
	}
	WithoutIPv6(name)
	err = netlink.LinkSetMTU(l, collectorMTU)
	if err == nil {
		err = netlink.LinkSetUp(l)
	}
	if err != nil {
		_ = netlink.LinkDel(l)
	}
	return err
}

// Ingress is the index of the device at whose ingress packets are.
func (d *Collector) Ingress() int { return d.Ifindex() }

// NumRxQueues is 0: programs have what comes in.
func (d *Collector) NumRxQueues() int { return 0 }

// RecvFD is -1.
func (d *Collector) RecvFD(int) int { return -1 }

// Recv never has a packet.
func (d *Collector) Recv(int, []netdev.Packet) (int, error) { return 0, nil }

// Send encapsulates packets and sends them; those without tunnel metadata are
// dropped and counted.
func (d *Collector) Send(_ int, batch []*netdev.Packet) (int, error) {
	sent, err := d.tx.send(batch)
	d.drops.counts[netdev.SendRefused].Add(uint64(len(batch) - sent))
	return sent, err
}

// Options are the port, where it isn't the usual one.
func (d *Collector) Options() map[string]string { return underlayOptions(d.tx.conf) }

// SetOptions changes nothing: the options are those of the ports that use it.
func (d *Collector) SetOptions(map[string]string) error { return nil }

// Close removes the device.
func (d *Collector) Close() error {
	d.tx.close()
	d.host.remove(d.link)
	if d.Gone() {
		return nil
	}
	l, err := netlink.LinkByName(d.name)
	if err == nil {
		err = netlink.LinkDel(l)
	}
	return linkError(err)
}

// underlayOptions are what dpctl/show says of a device for tunnels.
func underlayOptions(c *tunnel.Config) map[string]string {
	m := map[string]string{"packet_type": "ptap"}
	if c.DstPort != c.Kind.Port {
		m["dst_port"] = fmt.Sprint(c.DstPort)
	}
	return m
}

// TunnelStatus says for Interface.status by which device a tunnel's packets
// leave, as routes now are.
func (h *Host) TunnelStatus(c *tunnel.Config) map[string]string {
	if !c.Remote.IsValid() {
		return nil
	}
	routes, err := netlink.RouteGet(c.Remote.AsSlice())
	if err != nil || len(routes) == 0 {
		return nil
	}
	l, err := netlink.LinkByIndex(routes[0].LinkIndex)
	if err != nil {
		return nil
	}
	carrier := "down"
	if l.Attrs().RawFlags&unix.IFF_RUNNING != 0 {
		carrier = "up"
	}
	m := map[string]string{"tunnel_egress_iface": l.Attrs().Name, "tunnel_egress_iface_carrier": carrier}
	if src := routes[0].Src; src != nil {
		m["source_ip"] = src.String()
	}
	return m
}
