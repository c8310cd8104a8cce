package ofproto

import (
	"sync"
	"time"

	"weir/internal/clock"
	"weir/internal/stream"
)

// keeper watches over an accepted connection as an FSM does over one that we
// made: when nothing has come for the inactivity probe's interval it asks for a
// sign of life, and ends the session when none comes for as long again
// (ovs-vswitchd.conf.db(5), Controller, inactivity_probe).
type keeper struct {
	s *session

	mu     sync.Mutex
	timer  *clock.Timer
	probed bool // since something came last
	done   bool
}

// keepAlive begins to watch over the session, until stop is called.
func (s *session) keepAlive() (stop func()) {
	k := &keeper{s: s}
	s.heard.Store(s.now().UnixNano())
	k.mu.Lock()
	k.wait(s.probeInterval())
	k.mu.Unlock()
	return func() {
		k.mu.Lock()
		defer k.mu.Unlock()
		k.done = true
		k.timer.Stop()
	}
}

// probeInterval is the interval in force, 0 for no probes.
func (s *session) probeInterval() time.Duration {
	c := s.of.config()
	return c.probe()
}

// wait looks again after d; without probes after the default interval, for they
// may have been turned on then. The caller holds mu.
func (k *keeper) wait(d time.Duration) {
	if d <= 0 {
		d = stream.ProbeInterval
	}
	k.timer = k.s.m.b.be.clock.AfterFunc(d, k.look)
}

// look does what is due.
func (k *keeper) look() {
	k.mu.Lock()
	defer k.mu.Unlock()
	every := k.s.probeInterval()
	idle := k.s.now().Sub(time.Unix(0, k.s.heard.Load()))
	switch {
	case k.done:
		return
	case every <= 0 || idle < every:
		k.probed = false
		k.wait(every - max(0, idle))
	case !k.probed:
		k.probed = true
		k.s.probe()
		k.wait(every)
	default:
		rconnLog.Err("%s<->%s: no response to inactivity probe after %d seconds, disconnecting",
			k.s.m.b.name, k.s.conn.Name, int(idle/time.Second))
		go k.s.close()
	}
}
