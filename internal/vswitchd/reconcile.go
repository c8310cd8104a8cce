package vswitchd

import (
	"cmp"
	"maps"
	"slices"

	"weir/internal/ofproto"
	"weir/internal/ovsdb"
)

// apply carries out what changed: first everything that goes away, so that
// names and numbers are free, then what comes or changes.
func (s *Switch) apply(ch *Changes) {
	s.retry = slices.Collect(maps.Keys(s.failed))
	for id := range ch.Bridges {
		b := s.bridges[id]
		want := s.desired.Bridges[id]
		if b != nil && (want == nil || want.Name != b.conf.Name || want.DatapathType != b.conf.DatapathType) {
			s.deleteBridge(b)
		}
	}
	for id := range ch.Ports {
		s.removeStalePort(id)
	}
	s.addBridges(ch)
	for _, id := range s.sortedPorts(ch) {
		if b := s.bridgeOf(id); b != nil {
			s.configurePort(b, s.desired.Ports[id])
		}
	}
	s.retryFailed()
	for id := range ch.Bridges {
		if b := s.bridges[id]; b != nil {
			s.configureBridge(b)
			delete(s.moved, b)
		}
	}
	s.followDevices()
	s.checkPatches()
	s.closeUnusedBackends()
}

// followDevices settles the addresses of the bridges whose devices came, went or
// changed.
func (s *Switch) followDevices() {
	for b := range s.moved {
		if s.byName[b.conf.Name] == b && pickMAC(b) != b.mac {
			s.configureBridge(b)
		}
	}
	clear(s.moved)
}

func (s *Switch) bridgeOf(port ovsdb.UUID) *bridge {
	id, ok := s.desired.PortBridge(port)
	if !ok || s.desired.Ports[port] == nil {
		return nil
	}
	return s.bridges[id]
}

// removeStalePort removes a port that is no longer wanted where it is.
func (s *Switch) removeStalePort(id ovsdb.UUID) {
	if p := s.ports[id]; p != nil && s.bridgeOf(id) != p.bridge {
		s.deletePort(p)
	}
}

// addBridges makes the bridges that are wanted and not there, in the order of
// their names.
func (s *Switch) addBridges(ch *Changes) {
	var add []*BridgeConf
	for id := range ch.Bridges {
		if want := s.desired.Bridges[id]; want != nil && s.bridges[id] == nil {
			add = append(add, want)
		}
	}
	slices.SortFunc(add, func(a, b *BridgeConf) int { return cmp.Compare(a.Name, b.Name) })
	for _, want := range add {
		if b := s.addBridge(want); b != nil {
			// All its ports are to be made, also those that failed to be before.
			for _, p := range want.Ports {
				ch.Ports[p] = true
			}
		}
	}
	for id := range ch.Bridges {
		if b := s.bridges[id]; b != nil {
			b.conf = s.desired.Bridges[id]
		}
	}
}

// sortedPorts lists the changed ports in the order in which they are made:
// the local port, those that ask for a number, then by name with numbers in it counting
// as numbers.
func (s *Switch) sortedPorts(ch *Changes) []ovsdb.UUID {
	var ports []*PortConf
	for id := range ch.Ports {
		if p := s.desired.Ports[id]; p != nil {
			ports = append(ports, p)
		}
	}
	asks := func(p *PortConf) int {
		if b := s.bridgeOf(p.UUID); b != nil && p.Name == b.conf.Name {
			return -1 // the local port comes first
		}
		for _, i := range p.Interfaces {
			if i.OfportRequest > 0 || i.Ofport > 0 {
				return 0
			}
		}
		return 1
	}
	slices.SortFunc(ports, func(a, b *PortConf) int {
		return cmp.Or(cmp.Compare(asks(a), asks(b)), ofproto.CompareNames(a.Name, b.Name))
	})
	ids := make([]ovsdb.UUID, len(ports))
	for i, p := range ports {
		ids[i] = p.UUID
	}
	return ids
}

// retryFailed tries the interfaces again that could not be made before: their
// devices may have come, or their names or numbers become free.
func (s *Switch) retryFailed() {
	// An interface may take its number from another one, which then is next.
	for len(s.retry) > 0 {
		retry := s.retry
		s.retry = nil
		slices.SortFunc(retry, func(a, b *iface) int { return ofproto.CompareNames(a.conf.Name, b.conf.Name) })
		for _, i := range retry {
			if s.failed[i] {
				s.openInterface(i)
				s.configureBundle(i.port)
			}
		}
	}
}
