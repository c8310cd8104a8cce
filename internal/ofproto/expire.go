package ofproto

import "time"

// expireInterval is how often timeouts of flows and ages of addresses are
// looked at.
const expireInterval = time.Second

// startTimers has flows and addresses expire.
func (be *Backend) startTimers() {
	be.mu.Lock()
	defer be.mu.Unlock()
	if be.closed || be.timer != nil {
		return
	}
	be.timer = be.clock.AfterFunc(expireInterval, be.tick)
}

// stopTimers ends what startTimers began, and waits for what is under way.
func (be *Backend) stopTimers() {
	be.mu.Lock()
	be.closed = true
	if be.timer != nil {
		be.timer.Stop()
	}
	be.mu.Unlock()
	be.ticking.Lock()
	defer be.ticking.Unlock()
}

// tick expires flows and addresses, after the data path's statistics have
// been taken in, so that nothing in use expires.
func (be *Backend) tick() {
	be.ticking.Lock()
	defer be.ticking.Unlock()
	if be.isClosed() {
		return
	}
	bridges := be.Bridges()
	timed := false
	for _, b := range bridges {
		timed = timed || b.pipe.HasTimeouts()
	}
	if timed {
		be.engine.Revalidate()
	}
	now := be.clock.Now()
	for _, b := range bridges {
		b.flowEvents(b.pipe.Expire(now), nil)
		b.conns.each(func(s *session) {
			s.expireBundles(now)
			s.logMods(s.mods.due(now))
		})
		b.conns.checkFailOpen()
		b.updateInBand()
		if b.macs.Expire(now) {
			be.engine.Wake()
		}
	}
	be.mu.Lock()
	defer be.mu.Unlock()
	if !be.closed {
		be.timer.Reset(expireInterval)
	}
}

func (be *Backend) isClosed() bool {
	be.mu.Lock()
	defer be.mu.Unlock()
	return be.closed
}
