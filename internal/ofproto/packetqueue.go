package ofproto

import (
	"time"

	"weir/internal/clock"
	"weir/internal/coverage"
	"weir/internal/openflow"
	"weir/internal/ratelimit"
)

var coverQueueFull = coverage.New("rconn_overflow")

// packetKind is why a packet goes to the controller, as far as rates are
// limited by it.
type packetKind uint8

const (
	byMiss packetKind = iota
	byAction
	numPacketKinds
)

// packetKindNames are as in the Controller table's status column.
var packetKindNames = [numPacketKinds]string{byMiss: "miss", byAction: "action"}

// packetQueue is what packets pass on their way to one controller: first a
// limit of their rate, each reason's by itself (ovs-vswitchd.conf.db(5),
// "Controller Rate Limiting"), then a bound on those that wait to be written
// (controller_queue_size). The session's mu owns it.
type packetQueue struct {
	limiters [numPacketKinds]*ratelimit.Limiter[*openflow.PacketIn] // nil without a limit
	timer    *clock.Timer                                           // for the next token; nil before the first wait
	size     int
	waiting  int // in session.queue, or being written
}

// defaultPacketQueue is how many packets may wait to be written.
const defaultPacketQueue = 100

// limit obeys the limits of a configuration.
func (s *session) limit(conf *ControllerConfig) {
	s.mu.Lock()
	defer s.mu.Unlock()
	q := &s.packetIns
	q.size = conf.QueueSize
	if q.size <= 0 {
		q.size = defaultPacketQueue
	}
	burst := conf.BurstLimit
	if burst <= 0 {
		burst = conf.RateLimit / 4
	}
	for kind := range q.limiters {
		switch l := q.limiters[kind]; {
		case conf.RateLimit <= 0:
			q.limiters[kind] = nil
		case l == nil:
			q.limiters[kind] = ratelimit.New[*openflow.PacketIn](conf.RateLimit, burst, s.now())
		default:
			l.Configure(conf.RateLimit, burst, s.now())
		}
	}
	s.schedulePacketIns()
}

// sendPacketIn sends a packet that came in on a port, when the rate allows.
func (s *session) sendPacketIn(kind packetKind, port uint32, msg *openflow.PacketIn) {
	s.mu.Lock()
	if l := s.packetIns.limiters[kind]; l != nil && !l.Offer(port, msg, s.now()) {
		s.schedulePacketIns()
		s.mu.Unlock()
		return
	}
	out := s.encodePacketIn(msg)
	s.mu.Unlock()
	s.enqueueAll(out)
}

// encodePacketIn makes what is to be written for a packet, nothing when too
// many wait already. The caller holds s.mu.
func (s *session) encodePacketIn(msg *openflow.PacketIn) []queued {
	if s.packetIns.waiting >= s.packetIns.size {
		coverQueueFull.Inc()
		return nil
	}
	all, err := openflow.EncodeAll(s.proto, 0, msg)
	if err != nil {
		log.Dbg("%s: packet-in: %s", s.conn.Name, err)
		return nil
	}
	out := make([]queued, len(all))
	for i, b := range all {
		out[i] = queued{b: b, kind: packetInMsg}
	}
	s.packetIns.waiting += len(out)
	return out
}

func (s *session) enqueueAll(all []queued) {
	for _, q := range all {
		s.enqueue(q)
	}
}

// schedulePacketIns has releasePacketIns called when there is the next token.
// The caller holds s.mu.
func (s *session) schedulePacketIns() {
	q := &s.packetIns
	now := s.now()
	var wait time.Duration
	waits := false
	for _, l := range q.limiters {
		if l == nil {
			continue
		}
		if d, ok := l.Wait(now); ok && (!waits || d < wait) {
			wait, waits = d, true
		}
	}
	switch {
	case !waits || s.closed:
	case q.timer == nil:
		q.timer = s.m.b.be.clock.AfterFunc(wait, s.releasePacketIns)
	default:
		q.timer.Reset(wait)
	}
}

// releasePacketIns sends the packets that had to wait and now may go.
func (s *session) releasePacketIns() {
	s.mu.Lock()
	now := s.now()
	var out []queued
	for _, l := range s.packetIns.limiters {
		if l == nil || s.closed {
			continue
		}
		for msg, ok := l.Next(now); ok; msg, ok = l.Next(now) {
			out = append(out, s.encodePacketIn(msg)...)
		}
	}
	s.schedulePacketIns()
	s.mu.Unlock()
	s.enqueueAll(out)
}

// stop ends the timer. The caller holds the session's mu.
func (q *packetQueue) stop() {
	if q.timer != nil {
		q.timer.Stop()
	}
}

// packetInStats counts what the limits did, nil without limits.
func (s *session) packetInStats() map[string]ratelimit.Stats {
	s.mu.Lock()
	defer s.mu.Unlock()
	var out map[string]ratelimit.Stats
	for kind, l := range s.packetIns.limiters {
		if l == nil {
			continue
		}
		if out == nil {
			out = map[string]ratelimit.Stats{}
		}
		out[packetKindNames[kind]] = l.Stats()
	}
	return out
}
