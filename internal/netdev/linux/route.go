package linux

import (
	"fmt"
	"net"
	"net/netip"

	"github.com/vishvananda/netlink"

	"weir/internal/packet"
)

// NextHop is the Ethernet address to which the host sends packets for an IP
// address: that of its gateway, or its own. ok is false without a route, and
// while the kernel hasn't resolved the address.
func (h *Host) NextHop(ip netip.Addr) (mac packet.MAC, ok bool) {
	routes, err := netlink.RouteGet(ip.AsSlice())
	if err != nil || len(routes) == 0 {
		return mac, false
	}
	via := routes[0].Gw
	if via == nil {
		via = ip.AsSlice()
	}
	family := netlink.FAMILY_V4
	if via.To4() == nil {
		family = netlink.FAMILY_V6
	}
	neighbours, err := netlink.NeighList(routes[0].LinkIndex, family)
	if err != nil {
		return mac, false
	}
	for i := range neighbours {
		n := &neighbours[i]
		if n.IP.Equal(via) && len(n.HardwareAddr) == len(mac) {
			copy(mac[:], n.HardwareAddr)
			return mac, !mac.IsZero()
		}
	}
	return mac, false
}

// SetIPv4 makes addr the IPv4 address of the device, with its netmask, and
// gateway, if it is valid, the way to everywhere else.
func (l *link) SetIPv4(addr netip.Prefix, gateway netip.Addr) error {
	return l.change("address "+addr.String(), func(nl netlink.Link) error {
		have, err := netlink.AddrList(nl, netlink.FAMILY_V4)
		if err != nil {
			return err
		}
		for i := range have {
			if have[i].IP.Equal(addr.Addr().AsSlice()) {
				continue
			}
			if err := netlink.AddrDel(nl, &have[i]); err != nil {
				return err
			}
		}
		want := &netlink.Addr{IPNet: &net.IPNet{IP: addr.Addr().AsSlice(), Mask: net.CIDRMask(addr.Bits(), 32)}}
		if err := netlink.AddrReplace(nl, want); err != nil || !gateway.IsValid() {
			return err
		}
		if err := netlink.RouteReplace(&netlink.Route{LinkIndex: nl.Attrs().Index, Gw: gateway.AsSlice()}); err != nil {
			return fmt.Errorf("gateway %s: %w", gateway, err)
		}
		return nil
	})
}
