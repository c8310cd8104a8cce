package vswitchd

import (
	"weir/internal/packet"
)

// pickMAC chooses the address of a bridge's local port: other_config:hwaddr;
// else the lowest universally administered address among its devices (a
// Port's mac column standing in for its devices'); else one made of the
// bridge's UUID, so that it stays the same over restarts.
func pickMAC(b *bridge) packet.MAC {
	if text, ok := b.conf.OtherConfig["hwaddr"]; ok {
		if m, ok := parseMAC(text); ok && !m.IsMulticast() && !m.IsZero() {
			return m
		}
		log.WarnRL(&addressRL, "bridge %s: hwaddr %q is not a usable Ethernet address; another one is chosen", b.conf.Name, text)
	}
	var best packet.MAC
	found := false
	for _, p := range b.ports {
		a := &p.address
		if !a.known {
			a.mac, a.usable = portMAC(b, p)
			a.known = true
		}
		if a.usable && (!found || a.mac.Uint64() < best.Uint64()) {
			best, found = a.mac, true
		}
	}
	if found {
		return best
	}
	return uuidMAC(b)
}

// address is by which a port takes part in the choice, as portMAC last said. It
// is kept because a bridge's address is settled after each change of a port.
type address struct {
	mac           packet.MAC
	usable, known bool
}

// deviceMoved notes that an interface's device came, went or changed: its port's
// address, and so that of the bridge, may be another.
func (s *Switch) deviceMoved(i *iface) {
	i.port.address.known = false
	s.moved[i.port.bridge] = true
}

// portMAC is the address by which a port takes part in the choice.
func portMAC(b *bridge, p *port) (packet.MAC, bool) {
	if m, ok := parseMAC(p.conf.MAC); ok {
		return m, usableMAC(m)
	}
	var best packet.MAC
	found := false
	for _, i := range p.ifaces {
		if i.dev == nil || i.conf.EffectiveType(b.conf.Name) == "internal" {
			continue
		}
		if m := i.dev.MAC(); usableMAC(m) && (!found || m.Uint64() < best.Uint64()) {
			best, found = m, true
		}
	}
	return best, found
}

// usableMAC rejects addresses that don't identify hardware: groups, zero,
// locally administered ones, and those of IEEE 802.1D's reserved range.
func usableMAC(m packet.MAC) bool {
	const local = 0x02
	return !m.IsMulticast() && !m.IsZero() && m[0]&local == 0
}

// uuidMAC makes a locally administered unicast address of the bridge's UUID.
// Its first two groups are taken as little-endian numbers, as Open vSwitch on
// x86 does, so that a switch keeps its address over a change of programs.
func uuidMAC(b *bridge) packet.MAC {
	u := b.conf.UUID
	m := packet.MAC{u[3], u[2], u[1], u[0], u[7], u[6]}
	m[0] = m[0]&^0x01 | 0x02
	return m
}

// pickDPID chooses the datapath identifier: other_config:datapath-id, else the
// address of the local port.
func pickDPID(b *bridge) uint64 {
	if text, ok := b.conf.OtherConfig["datapath-id"]; ok {
		if id, ok := parseDPID(text); ok {
			return id
		}
		log.InfoRL(&addressRL, "bridge %s: datapath-id %q is not 16 hexadecimal digits other than zero; another one is chosen", b.conf.Name, text)
	}
	return b.mac.Uint64()
}
