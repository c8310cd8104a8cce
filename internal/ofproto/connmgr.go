package ofproto

import (
	"sync"
	"sync/atomic"

	"weir/internal/flow"
	"weir/internal/openflow"
	"weir/internal/pipeline"
	"weir/internal/upcall"
)

// connManager holds the OpenFlow connections of a bridge and the policy for
// when there is no controller. mu owns its fields; it is never held while
// be.mu is being waited for.
type connManager struct {
	b *Bridge

	mu       sync.Mutex
	secure   bool
	targets  map[string]*target
	sessions map[*session]struct{}
	closed   bool
	serving  sync.WaitGroup // goroutines of accepted connections; none is added once closed

	failOpen failOpen
	inBand   inBand
	paused   paused
	lastMiss atomic.Uint32 // what tableMiss said last

	// Of the roles (OpenFlow 1.3.1, 6.3.4).
	generation     uint64
	haveGeneration bool
}

func newConnManager(b *Bridge) *connManager {
	return &connManager{b: b, targets: map[string]*target{}, sessions: map[*session]struct{}{}}
}

// hasControllers reports whether primary controllers are configured.
func (m *connManager) hasControllers() bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.hasPrimaries()
}

func (m *connManager) hasPrimaries() bool {
	for _, t := range m.targets {
		if t.config().Kind == PrimaryController {
			return true
		}
	}
	return false
}

// tableMiss is what a packet that no flow matches meets: it goes to the
// controllers, if there is one that speaks a version that wants that.
func (m *connManager) tableMiss() openflow.TableMiss {
	m.mu.Lock()
	defer m.mu.Unlock()
	for s := range m.sessions {
		if s.kind != SnoopController && s.wantsMisses() {
			return openflow.MissController
		}
	}
	for _, t := range m.targets {
		if t.link != nil && t.current() == nil {
			return openflow.MissController // nobody knows yet what it will speak
		}
	}
	return openflow.MissDrop
}

// configure applies the bridge's configuration. A change of the fail mode
// without controllers starts the flow tables afresh.
func (m *connManager) configure(old, cfg Config) {
	m.mu.Lock()
	changed := m.secure != cfg.Secure
	m.secure = cfg.Secure
	flush := changed && !m.hasPrimaries()
	m.mu.Unlock()
	if flush {
		m.flushFlows()
	}
	m.checkFailOpen()
	m.listen(cfg)
}

// flushFlows empties the tables, as when controllers come or go, and puts in
// place what a bridge without controllers forwards by. No packet sees the tables
// in between.
func (m *connManager) flushFlows() {
	x := m.b.pipe.Begin(m.b.be.clock.Now())
	defer x.Abort()
	x.Clear()
	m.addNormal(x)
	m.b.flowEvents(x.Commit(), nil)
}

// flowsFlushed puts in place what a new bridge without controllers forwards by.
func (m *connManager) flowsFlushed() {
	x := m.b.pipe.Begin(m.b.be.clock.Now())
	defer x.Abort()
	m.addNormal(x)
	x.Commit()
}

// addNormal adds the flow of a standalone bridge, which is a normal switch.
func (m *connManager) addNormal(x *pipeline.Txn) {
	m.mu.Lock()
	normal := !m.secure && !m.hasPrimaries()
	m.mu.Unlock()
	if !normal {
		return
	}
	fm := &openflow.FlowMod{
		Command: openflow.FlowAdd, OutPort: openflow.PortNone, OutGroup: openflow.GroupAny,
		Match:   flow.Match{},
		Actions: []openflow.Action{&openflow.Output{Port: openflow.PortNormal}},
	}
	if err := x.FlowMod(fm); err != nil {
		log.Err("bridge %s: could not add the flow of a normal switch: %s", m.b.name, err)
	}
}

// packetIn delivers a packet that a flow or a miss sends to the controllers.
func (be *Backend) packetIn(p *upcall.PacketIn) {
	be.mu.Lock()
	b := be.byID[p.Bridge.ID]
	be.mu.Unlock()
	if b != nil {
		b.conns.packetIn(p)
	}
}
