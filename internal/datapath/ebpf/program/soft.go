package program

import (
	"maps"

	"weir/internal/datapath"
)

// softPorts are the ports whose devices user space alone has.
type softPorts map[datapath.PortNo]bool

// SetSoft says whether user space alone has a port's device: what is to go out
// there goes to user space. Calls must not overlap; [Set.Compile] may meanwhile.
func (s *Set) SetSoft(no datapath.PortNo, soft bool) {
	ports := softPorts{}
	if old := s.soft.Load(); old != nil {
		ports = maps.Clone(*old)
	}
	delete(ports, no)
	if soft {
		ports[no] = true
	}
	s.soft.Store(&ports)
}

// softIn are the ports of user space, nil if no action outputs to one.
func (s *Set) softIn(actions []datapath.Action) softPorts {
	ports := s.soft.Load()
	if ports == nil || len(*ports) == 0 || !ports.among(actions) {
		return nil
	}
	return *ports
}

// among reports whether an action outputs to one of the ports.
func (p softPorts) among(actions []datapath.Action) bool {
	for a := range datapath.All(actions) {
		if out, ok := a.(*datapath.Output); ok && p[out.Port] {
			return true
		}
	}
	return false
}
