package ofproto

import (
	"sync"
	"time"

	"weir/internal/flow"
	"weir/internal/openflow"
	"weir/internal/pipeline"
	"weir/internal/stream"
	"weir/internal/vlog"
)

var failOpenLog = vlog.For("fail_open")

// failOpen is how a standalone bridge takes over from controllers that it has
// lost (ovs-vsctl(8), "Controller Failure Settings"): a hidden flow above all
// others makes it a MAC-learning switch. Its mu is taken before any other lock.
type failOpen struct {
	mu   sync.Mutex
	rule *pipeline.Rule // nil: the controllers, or the flows, are in charge
}

// failOpenPriority is above all that OpenFlow can give a flow, and below those
// of in-band control.
const failOpenPriority = 0xf0f0f0

// probesUntilTakeover is how many inactivity probe intervals the controllers
// may be silent: one until it is probed, one for it to answer, and one to
// connect again.
const probesUntilTakeover = 3

// checkFailOpen takes over from the controllers, or hands back to them.
func (m *connManager) checkFailOpen() {
	f := &m.failOpen
	f.mu.Lock()
	defer f.mu.Unlock()
	silence, limit := m.controllerSilence()
	switch {
	case f.rule == nil && limit > 0 && silence >= limit:
		failOpenLog.Warn("Could not connect to controller (or switch failed controller's post-connection admission control policy) for %d seconds, failing open",
			silence/time.Second)
		m.flushFlows()
		f.rule = m.b.addHidden(&flow.Match{}, failOpenPriority, []openflow.Action{&openflow.Output{Port: openflow.PortNormal}})
	case f.rule != nil && (limit == 0 || silence == 0):
		failOpenLog.Warn("No longer in fail-open mode")
		m.b.removeHidden(f.rule)
		f.rule = nil
	}
}

// controllerSilence is how long there has been no primary controller, and how
// long the bridge bears that: 0 is for ever.
func (m *connManager) controllerSilence() (silence, limit time.Duration) {
	m.mu.Lock()
	defer m.mu.Unlock()
	first := true
	for _, t := range m.targets {
		conf := t.config()
		if conf.Kind != PrimaryController {
			continue
		}
		if d := t.silence(); first || d < silence {
			silence, first = d, false
		}
		probe := conf.probe()
		if probe == 0 {
			probe = stream.ProbeInterval // a connection that is lost is so without probes too
		}
		limit = max(limit, probesUntilTakeover*probe)
	}
	if m.secure {
		limit = 0
	}
	return silence, limit
}
