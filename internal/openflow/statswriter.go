package openflow

// FlowStatsWriter encodes a FlowStatsReply of any length, entry by entry, into
// messages that it passes on as they become full. Begin with
// [NewFlowStatsWriter], end with Close.
type FlowStatsWriter struct {
	e    encoder
	send func(msg []byte)
}

// NewFlowStatsWriter begins a reply; send gets its messages, which are its to
// keep.
func NewFlowStatsWriter(p Protocol, xid uint32, send func(msg []byte)) *FlowStatsWriter {
	w := &FlowStatsWriter{encoder{proto: p, v: p.Version(), xid: xid, t: msgTable(), buf: buf{plan: new(wirePlan)}}, send}
	w.e.startFlowStats()
	return w
}

// Add encodes an entry.
func (w *FlowStatsWriter) Add(s *FlowStats) error {
	w.e.flowStats(s)
	w.pass()
	return w.e.err
}

// Dropped counts entries that were left out because no message can hold them.
func (w *FlowStatsWriter) Dropped() int { return w.e.dropped }

// Close ends the last message.
func (w *FlowStatsWriter) Close() error {
	if w.e.err == nil {
		w.e.finish(false)
	}
	w.pass()
	return w.e.err
}

func (w *FlowStatsWriter) pass() {
	for _, msg := range w.e.msgs {
		w.send(msg)
	}
	w.e.msgs = w.e.msgs[:0]
}

func (e *encoder) startFlowStats() {
	name := "OFPST_FLOW_REPLY"
	if e.v == V10 && e.proto&PAnyNXM != 0 {
		name = "NXST_FLOW_REPLY"
	}
	e.start(name)
}
