package ofproto

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"net/netip"
	"slices"

	"weir/internal/datapath"
	"weir/internal/netdev"
	"weir/internal/openflow"
	"weir/internal/packet"
	"weir/internal/tunnel"
	"weir/internal/unixctl"
	"weir/internal/vlog"
	"weir/internal/xlate"
)

var tunnelLog = vlog.For("tunnel")

// underlay is a device of the data path that carries tunnels. The backend's mu
// owns it.
type underlay struct {
	dev  netdev.Device
	dp   datapath.PortNo
	kind *tunnel.Kind
	port uint16 // UDP destination
	// carries: packets leave by the device itself, by the host's routes.
	carries bool
	gbp     bool // a group stands in the header: all its tunnels have it, or none
	ports   int  // that use it
}

// attachTunnel finds or opens the underlay of a tunnel port. It is called by the
// goroutine that owns the configuration, and by no other.
func (be *Backend) attachTunnel(p *port, t netdev.Tunnel) error {
	c := t.Tunnel()
	name, gbp := c.DeviceName(), c.Has("gbp")
	be.mu.Lock()
	u := be.underlays[name]
	var other *port
	if u != nil {
		other = be.sameTunnel(u.dp, c)
	}
	be.mu.Unlock()
	switch {
	case other != nil:
		tunnelLog.Warn("%s: attempting to add tunnel port with same config as port '%s' (%s, dp port=%d)", p.conf.Name, other.conf.Name, c, u.dp)
		return fs.ErrExist
	case u != nil && u.gbp != gbp:
		return errors.New("VXLAN-GBP, and non-VXLAN-GBP tunnels can't be configured on the same dst_port")
	case u == nil:
		dev, err := t.OpenUnderlay()
		if err != nil {
			return err
		}
		dp, err := be.dp.PortAdd(dev, c.Kind.Type, datapath.PortNone)
		if err != nil {
			_ = dev.Close()
			return err
		}
		u = &underlay{dev: dev, dp: dp, gbp: gbp, kind: c.Kind, port: c.DstPort}
		carrier, ok := dev.(netdev.Carrier)
		u.carries = !ok || carrier.Carries()
	}
	be.mu.Lock()
	defer be.mu.Unlock()
	if be.underlays == nil {
		be.underlays = map[string]*underlay{}
	}
	be.underlays[name] = u
	u.ports++
	be.tunnels.Add(1)
	p.dp, p.tunnel = u.dp, c
	return nil
}

// listeners are the underlays whose outer headers are taken off where they come
// out of a port of the host, by the data path's port. The caller holds mu.
func (be *Backend) listeners() (list []xlate.Listener) {
	for _, u := range be.underlays {
		if u.kind.Native() && !(be.opts.DevicesFirst && u.carries) {
			list = append(list, xlate.Listener{DP: u.dp, Proto: u.kind.Proto(), Port: u.port, V4: u.kind.V4()})
		}
	}
	slices.SortFunc(list, func(a, b xlate.Listener) int { return cmp.Compare(a.DP, b.DP) })
	return list
}

// sharing are the underlays that get each other's packets: all whose protocol has no
// ports.
func sharing(list []xlate.Listener) (ports []uint32) {
	for _, l := range list {
		if l.Proto != packet.ProtoUDP {
			ports = append(ports, uint32(l.DP))
		}
	}
	return ports
}

// sameTunnel is the port that has the packets which c asks for, nil if there is
// none. The caller holds mu.
func (be *Backend) sameTunnel(dp datapath.PortNo, c *tunnel.Config) *port {
	var table tunnel.Table[*port]
	for _, b := range be.bridges {
		for _, p := range b.ports {
			if p.tunnel != nil && p.dp == dp {
				table.Add(uint32(dp), p.tunnel, p)
			}
		}
	}
	if other, free := table.Add(uint32(dp), c, nil); !free {
		return other
	}
	return nil
}

// detachTunnel lets go of a tunnel port's underlay, which ends with its last
// port.
func (be *Backend) detachTunnel(p *port) error {
	name := p.tunnel.DeviceName()
	be.mu.Lock()
	u := be.underlays[name]
	if u == nil { // closed with the data path
		be.mu.Unlock()
		return nil
	}
	u.ports--
	be.tunnels.Add(-1)
	last := u.ports == 0
	if last {
		delete(be.underlays, name)
	}
	be.mu.Unlock()
	if !last {
		return nil
	}
	err := be.dp.PortDel(u.dp)
	if e := u.dev.Close(); err == nil {
		err = e
	}
	return err
}

// Listeners are the packets whose outer headers are taken off, a line each: the
// device, and what a packet looks like that comes out of a port of the host.
func (be *Backend) Listeners() unixctl.Lines {
	if be.opts.Reach == nil || !be.Features().TNLPush {
		return nil
	}
	cfg := be.Snapshot()
	namer := be.dp.Namer()
	var out unixctl.Lines
	for _, name := range slices.Sorted(maps.Keys(cfg.Hosts)) {
		local := cfg.Hosts[name]
		for _, a := range be.opts.Reach.Routes.Addresses(local.Name) {
			for _, l := range cfg.Listeners {
				if a := a.Addr(); a.Is6() || l.V4 {
					device, _ := namer.Name(l.DP)
					out = append(out, fmt.Sprintf("%s (%d) : %s", device, l.DP, listenerText(local, a, l)))
				}
			}
		}
	}
	return out
}

func listenerText(local *xlate.Port, a netip.Addr, l xlate.Listener) string {
	typ, family := packet.EtherTypeIPv4, "ipv4"
	if a.Is6() {
		typ, family = packet.EtherTypeIPv6, "ipv6"
	}
	s := fmt.Sprintf("eth(dst=%s),eth_type(0x%04x),%s(dst=%s,proto=%d,frag=no)", local.MAC, typ, family, a, l.Proto)
	if l.Proto == packet.ProtoUDP {
		s += fmt.Sprintf(",udp(dst=%d)", l.Port)
	}
	return s
}

// CloseUnderlays closes the devices that carry tunnels, when the data path is
// no more.
func (be *Backend) CloseUnderlays() {
	be.mu.Lock()
	defer be.mu.Unlock()
	for name, u := range be.underlays {
		if err := u.dev.Close(); err != nil {
			tunnelLog.Warn("closing device %s: %v", name, err)
		}
	}
	be.underlays = nil
}

// ReachChanged says that routes or neighbours of tunnels have changed: where there
// are tunnels that translation builds, all flows are looked at again.
func (be *Backend) ReachChanged() {
	if be.opts.Reach != nil && be.tunnels.Load() > 0 {
		be.engine.Wake()
	}
}

// TunnelPort is a tunnel port as ofproto/list-tunnels shows it.
type TunnelPort struct {
	DP     datapath.PortNo   `json:"dp_port"`
	Name   string            `json:"name"`
	Bridge string            `json:"bridge"`
	Port   openflow.PortNo   `json:"ofport"`
	Type   string            `json:"type"`
	Config map[string]string `json:"config"`
	text   string
}

// TunnelPorts are the tunnel ports of all bridges, by the data path's port and
// name.
func (be *Backend) TunnelPorts() []TunnelPort {
	be.mu.Lock()
	defer be.mu.Unlock()
	var out []TunnelPort
	for _, b := range be.bridges {
		for _, p := range b.ports {
			if c := p.tunnel; c != nil {
				out = append(out, TunnelPort{DP: p.dp, Name: p.conf.Name, Bridge: b.name, Port: p.no, Type: c.Kind.Type, Config: c.Options(),
					text: fmt.Sprintf("port %d: %s (%s: %s, dp port=%d%s)", p.dp, p.conf.Name, c.Kind.Type, c, p.dp, c.Outgoing())})
			}
		}
	}
	slices.SortFunc(out, func(a, b TunnelPort) int { return cmp.Or(cmp.Compare(a.DP, b.DP), cmp.Compare(a.Name, b.Name)) })
	return out
}

// String is the port's line.
func (t TunnelPort) String() string { return t.text }

// Underlays are the devices that carry tunnels, a line each: name, number and
// how many ports use it.
func (be *Backend) Underlays() unixctl.Lines {
	be.mu.Lock()
	defer be.mu.Unlock()
	var out unixctl.Lines
	for name, u := range be.underlays {
		out = append(out, fmt.Sprintf("%s (%d) ref_cnt=%d", name, u.dp, u.ports))
	}
	slices.Sort(out)
	return out
}
