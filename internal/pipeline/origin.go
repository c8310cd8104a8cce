package pipeline

import "sync"

// Numbers of the origins that every pipeline has.
const (
	OriginSwitch = iota // the switch itself
	OriginLearn         // a learn action
	firstOrigin
)

// origins numbers those who change flows, so that a flow can say who did with
// two bytes. Its mutex owns what it holds.
type origins struct {
	mu      sync.Mutex
	names   []string // from firstOrigin on
	numbers map[string]uint16
}

// maxOrigins bounds them; all later ones are nobody in particular.
const maxOrigins = 4096

// Origin numbers somebody who changes flows, by a name for people: a
// controller's target, or the socket of a tool.
func (p *Pipeline) Origin(name string) uint16 {
	o := &p.origins
	o.mu.Lock()
	defer o.mu.Unlock()
	if n, ok := o.numbers[name]; ok {
		return n
	}
	if len(o.names) >= maxOrigins {
		return OriginSwitch
	}
	if o.numbers == nil {
		o.numbers = map[string]uint16{}
	}
	n := uint16(firstOrigin + len(o.names))
	o.names = append(o.names, name)
	o.numbers[name] = n
	return n
}

// OriginName is who a number stands for.
func (p *Pipeline) OriginName(n uint16) string {
	switch n {
	case OriginSwitch:
		return "the switch itself"
	case OriginLearn:
		return "a learn action"
	}
	o := &p.origins
	o.mu.Lock()
	defer o.mu.Unlock()
	if i := int(n) - firstOrigin; i < len(o.names) {
		return o.names[i]
	}
	return "nobody known"
}
