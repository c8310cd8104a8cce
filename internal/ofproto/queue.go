package ofproto

import (
	"weir/internal/netdev"
	"weir/internal/openflow"
)

// queuesOf lists the queues of the ports that a request names. A port whose
// device has none of its own has no queue.
func (b *Bridge) queuesOf(no openflow.PortNo, queue uint32, each func(no openflow.PortNo, q netdev.Queue)) error {
	b.be.mu.Lock()
	ports := b.sortedPorts()
	b.be.mu.Unlock()
	all := no == openflow.PortNone
	known, found := false, false
	for _, p := range ports {
		if !all && p.no != no {
			continue
		}
		known = true
		dev, ok := p.conf.Device.(netdev.Queuer)
		if !ok {
			continue
		}
		for _, q := range dev.Queues() {
			if queue == openflow.QueueAll || queue == q.ID {
				found = true
				each(p.no, q)
			}
		}
	}
	switch {
	case !all && !known:
		return openflow.ErrQOFCBadPort.Err()
	case queue != openflow.QueueAll && !found:
		return openflow.ErrQOFCBadQueue.Err()
	}
	return nil
}

func (b *Bridge) queueStats(r *openflow.QueueStatsRequest) (openflow.Message, error) {
	reply := &openflow.QueueStatsReply{}
	err := b.queuesOf(r.Port, r.Queue, func(no openflow.PortNo, q netdev.Queue) {
		reply.Stats = append(reply.Stats, openflow.QueueStats{
			Port: no, Queue: q.ID, TxBytes: q.TxBytes, TxPackets: q.TxPackets, TxErrors: q.TxErrors,
			DurationSec: ^uint32(0), DurationNsec: ^uint32(0),
		})
	})
	return reply, err
}

func (b *Bridge) queueConfig(r *openflow.QueueConfigRequest) (openflow.Message, error) {
	reply := &openflow.QueueConfigReply{Port: r.Port}
	err := b.queuesOf(r.Port, r.Queue, func(no openflow.PortNo, q netdev.Queue) {
		reply.Queues = append(reply.Queues, openflow.QueueConfig{Port: no, Queue: q.ID, MinRate: 0xffff, MaxRate: 0xffff})
	})
	return reply, err
}
