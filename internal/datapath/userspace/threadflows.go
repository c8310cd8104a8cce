package userspace

import (
	"time"

	"weir/internal/datapath"
	"weir/internal/flow"
	"weir/internal/numa"
)

// ThreadFlows is the part that one thread has in the flows, which all threads
// share.
type ThreadFlows struct {
	Thread *numa.Core // nil: what runs outside of threads
	Flows  []*datapath.Flow
}

// FlowsByThread lists for each thread, and first for what runs outside of
// threads, the flows that its packets made or met, with the statistics of these packets. What
// somebody else put stands with all that may meet it.
func (d *DP) FlowsByThread() []ThreadFlows {
	d.conf.Lock()
	defer d.conf.Unlock()
	out := []ThreadFlows{{}}
	threads := *d.workers.Load()
	for _, w := range threads {
		core := w.poller.core
		out = append(out, ThreadFlows{Thread: &core})
	}
	for _, e := range d.entries() {
		if e.dead.Load() {
			continue
		}
		if d.has(e, nil) {
			out[0].Flows = append(out[0].Flows, d.part(e, 0))
		}
		for i, w := range threads {
			if d.has(e, w) {
				out[1+i].Flows = append(out[1+i].Flows, d.part(e, w.slot))
			}
		}
	}
	return out
}

// has reports whether a flow stands with a thread, or with nil, what runs
// outside of threads.
func (d *DP) has(e *entry, w *worker) bool {
	slot := 0
	if w != nil {
		slot = w.slot
	}
	if maker := int(e.maker.Load()); maker == slot || slot < len(e.stats) && e.stats[slot].packets.Load() > 0 {
		return true
	} else if maker >= 0 {
		return false
	}
	if w == nil {
		return true
	}
	var k flow.Key
	e.keyInto(&k)
	for _, q := range *w.poller.queues.Load() {
		if uint32(q.port.no) == k.InPort {
			return true
		}
	}
	return false
}

// part is a flow with what was counted in one slot of its statistics.
func (d *DP) part(e *entry, slot int) *datapath.Flow {
	f := d.export(e)
	f.Stats = datapath.Stats{}
	defer d.logDump(f)
	if slot >= len(e.stats) {
		return f
	}
	s := &e.stats[slot]
	f.Stats.Packets, f.Stats.Bytes, f.Stats.TCPFlags = s.packets.Load(), s.bytes.Load(), uint16(s.flags.Load())
	if used := s.used.Load(); used != 0 {
		f.Stats.Used = time.Unix(0, used)
	}
	return f
}
