package ofproto

import (
	"sync"
	"time"

	"weir/internal/openflow"
	"weir/internal/pipeline"
)

// updateQueue bounds the updates of flow monitors that wait for a controller
// that reads slowly. When there are too many, the controller is told that
// updates pause; from then on it is told only that flows go that it knows. When
// all has been written it is told what changed meanwhile, and that updates
// resume (OpenFlow 1.5.1, 7.3.6.2; NXT_FLOW_MONITOR_PAUSED). mu, which is taken
// before the session's, owns all.
type updateQueue struct {
	mu      sync.Mutex
	waiting int       // bytes
	paused  time.Time // zero: not paused
}

// maxUpdates is how many bytes of updates may wait.
const maxUpdates = 128 << 10

// tells reports whether the controller is to hear of an event now: always but
// while updates pause. The caller holds mu.
func (q *updateQueue) tells(e *pipeline.Event) bool {
	return q.paused.IsZero() || e.Kind == pipeline.Deleted && e.Rule.Created().Before(q.paused)
}

// sendUpdates queues updates, and pauses those that follow when it is too much.
// The caller holds updates.mu.
func (s *session) sendUpdates(reply *openflow.FlowMonitorReply) {
	s.queueUpdates(reply)
	if q := &s.updates; q.paused.IsZero() && q.waiting > maxUpdates {
		q.paused = s.now()
		s.queueUpdates(s.monitorNotice(openflow.UpdatePaused, &openflow.FlowMonitorPaused{}))
	}
}

// monitorNotice says that updates pause or resume: since OpenFlow 1.4 that is
// an event, before it was a message.
func (s *session) monitorNotice(event openflow.FlowUpdateEvent, old openflow.Message) openflow.Message {
	if s.version() >= openflow.V14 {
		return &openflow.FlowMonitorReply{Updates: []openflow.FlowUpdate{{Event: event}}}
	}
	return old
}

func (s *session) queueUpdates(msg openflow.Message) {
	s.mu.Lock()
	p := s.proto
	s.mu.Unlock()
	all, err := openflow.EncodeAll(p, 0, msg)
	if err != nil {
		log.Dbg("%s: %T: %s", s.conn.Name, msg, err)
		return
	}
	for _, b := range all {
		s.updates.waiting += len(b)
		s.enqueue(queued{b: b, kind: updateMsg})
	}
}

// updatesWritten notes that bytes of updates have left, and resumes when they
// all have.
func (s *session) updatesWritten(bytes int) {
	if bytes == 0 {
		return
	}
	q := &s.updates
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.waiting -= bytes; q.waiting > 0 || q.paused.IsZero() {
		return
	}
	since := q.paused
	q.paused = time.Time{}
	s.queueUpdates(s.changesSince(since))
	s.queueUpdates(s.monitorNotice(openflow.UpdateResumed, &openflow.FlowMonitorResumed{}))
}

// changesSince lists the flows that were added or modified since a time, once
// each.
func (s *session) changesSince(since time.Time) *openflow.FlowMonitorReply {
	reply := &openflow.FlowMonitorReply{}
	told := map[*pipeline.Rule]bool{}
	monitors := s.sortedMonitors()
	for _, m := range monitors {
		rules, err := s.m.b.pipe.Select(&pipeline.Selection{
			Match: &m.Match, OutPort: m.OutPort, OutGroup: m.OutGroup, Table: m.TableID})
		if err != nil {
			continue // the table was one of another time
		}
		for _, r := range rules {
			if told[r] || r.Modified().Before(since) {
				continue
			}
			e := pipeline.Event{Kind: pipeline.Modified, Rule: r}
			if !r.Created().Before(since) {
				e.Kind = pipeline.Added
			}
			if u, ok := monitored(s.m.b.pipe, &e, monitors, false); ok {
				told[r] = true
				reply.Updates = append(reply.Updates, u)
			}
		}
	}
	return reply
}
