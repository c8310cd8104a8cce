package vswitchd

import (
	"net/netip"

	"weir/internal/netdev"
	"weir/internal/ofproto"
	"weir/internal/openflow"
	"weir/internal/ovsdb/client"
	"weir/internal/stream"
	"weir/internal/vlog"
)

// inBandManagers are the managers that the bridges carry the traffic of: those
// that are connected to, and not out of band (ovs-vswitchd.conf.db(5), Manager,
// connection_mode).
func inBandManagers(s *client.Snapshot, open *client.Row) []netip.AddrPort {
	var out []netip.AddrPort
	for _, id := range open.Refs("manager_options") {
		m := s.Row("Manager", id)
		if m == nil || m.String("connection_mode") == "out-of-band" {
			continue
		}
		if r, ok := ofproto.Remote(m.String("target"), stream.OVSDBPort); ok {
			out = append(out, r)
		}
	}
	return out
}

// localIP is the address that in-band control wants on a bridge's local port.
type localIP struct {
	addr    netip.Prefix
	gateway netip.Addr
}

// wantedIP reads the address of a controller's row ("Additional In-Band
// Configuration"). Without a netmask it is that of the address's class (RFC
// 791, 3.2).
func wantedIP(c *ControllerConf) (want localIP, ok bool) {
	addr, err := netip.ParseAddr(c.LocalIP)
	if err != nil || !addr.Is4() || c.ConnectionGiven && !c.InBand {
		return want, false
	}
	bits := 24
	switch first := addr.As4()[0]; {
	case first < 128:
		bits = 8
	case first < 192:
		bits = 16
	}
	if mask, err := netip.ParseAddr(c.LocalNetmask); err == nil && mask.Is4() {
		if bits, ok = maskBits(mask); !ok {
			log.WarnRL(&addressRL, "controller %s: local_netmask %s has holes: no address is set", c.Target, mask)
			return want, false
		}
	}
	want.addr = netip.PrefixFrom(addr, bits)
	if gw, err := netip.ParseAddr(c.LocalGateway); err == nil && gw.Is4() {
		want.gateway = gw
	}
	return want, true
}

// maskBits is the length of a netmask; ok is false when it has holes.
func maskBits(mask netip.Addr) (bits int, ok bool) {
	b := mask.As4()
	n := uint32(b[0])<<24 | uint32(b[1])<<16 | uint32(b[2])<<8 | uint32(b[3])
	for bits < 32 && n&(1<<(31-bits)) != 0 {
		bits++
	}
	return bits, n == ^uint32(0)<<(32-bits)
}

// configureLocalIP gives the local port the address that a controller's row
// asks for.
func (s *Switch) configureLocalIP(b *bridge) {
	if boolOption(b.conf.OtherConfig, "disable-in-band", false) {
		return
	}
	local := b.ofports[openflow.PortLocal]
	for i := range b.conf.Controllers {
		want, ok := wantedIP(&b.conf.Controllers[i])
		if !ok || local == nil || local.dev == nil || want == b.localIP {
			continue
		}
		b.localIP = want
		dev, ok := local.dev.(netdev.Addresser)
		if !ok {
			log.Warn("bridge %s: address %s: a device of type %s can't be given one", b.conf.Name, want.addr, local.dev.Type())
			return
		}
		if err := dev.SetIPv4(want.addr, want.gateway); err != nil {
			log.Warn("bridge %s: could not set address %s (%s)", b.conf.Name, want.addr, vlog.ErrText(err))
			return
		}
		log.Info("bridge %s: configured IP address %s", b.conf.Name, want.addr)
		return
	}
}
