package ofproto

import (
	"cmp"
	"slices"
	"time"

	"weir/internal/flow"
	"weir/internal/netdev"
	"weir/internal/openflow"
	"weir/internal/pipeline"
	"weir/internal/version"
)

// query answers a request for information; of one that has no answer, reply is nil.
func (s *session) query(msg openflow.Message) (openflow.Message, error) {
	b := s.m.b
	switch msg := msg.(type) {
	case *openflow.FeaturesRequest:
		return s.features(), nil
	case *openflow.GetConfigRequest:
		return s.config(), nil
	case *openflow.GetAsyncRequest:
		s.mu.Lock()
		defer s.mu.Unlock()
		return &openflow.GetAsyncReply{Config: s.async}, nil
	case *openflow.DescRequest:
		return b.descReply(), nil
	case *openflow.IPFIXBridgeStatsRequest, *openflow.IPFIXFlowStatsRequest:
		return nil, openflow.ErrNXSTNotConfigured.Err() // there are no exporters
	case *openflow.TableStatsRequest:
		return b.tableStats(s.version()), nil
	case *openflow.TableDescRequest:
		return b.tableDesc(), nil
	case *openflow.PortDescRequest:
		return b.portDesc(msg.Port), nil
	case *openflow.PortStatsRequest:
		return b.portStats(msg.Port)
	case *openflow.QueueStatsRequest:
		return b.queueStats(msg)
	case *openflow.QueueConfigRequest:
		return b.queueConfig(msg)
	case *openflow.TLVTableRequest:
		return &openflow.TLVTableReply{MaxSpace: flow.TunMetaBytes, MaxFields: flow.NumTunMeta, Maps: b.pipe.TLV().Maps()}, nil
	}
	if reply, known := b.groupQuery(msg, s.version(), s.now()); known {
		return reply, nil
	}
	if reply, known, err := b.meterQuery(msg, s.now()); known {
		return reply, err
	}
	if m, ok := msg.(*openflow.FlowMonitorRequest); ok {
		return s.flowMonitor(m)
	}
	if m, ok := msg.(*openflow.FlowMonitorCancel); ok {
		return nil, s.cancelMonitor(m)
	}
	return nil, openflow.ErrBRCBadType.Err()
}

func (s *session) features() openflow.Message {
	b := s.m.b
	b.be.mu.Lock()
	defer b.be.mu.Unlock()
	r := &openflow.FeaturesReply{
		DatapathID: b.cfg.DPID, NumTables: pipeline.NumTables - 1,
		Capabilities: openflow.CapFlowStats | openflow.CapTableStats | openflow.CapPortStats |
			openflow.CapQueueStats | openflow.CapARPMatchIP | openflow.CapGroupStats | openflow.CapBundles,
		Actions: 0xfff,
	}
	for _, p := range b.sortedPorts() {
		r.Ports = append(r.Ports, p.desc)
	}
	return r
}

func (s *session) config() openflow.Message {
	b := s.m.b
	r := &openflow.GetConfigReply{}
	b.be.mu.Lock()
	r.Frags = b.frags
	b.be.mu.Unlock()
	s.mu.Lock()
	r.MissSendLen = s.missLen
	r.InvalidTTLToController = s.async.Primary[openflow.AsyncPacketIn]&(1<<openflow.ReasonInvalidTTL) != 0
	s.mu.Unlock()
	return r
}

func (b *Bridge) descReply() openflow.Message {
	b.be.mu.Lock()
	defer b.be.mu.Unlock()
	c := &b.cfg
	or := func(v, def string) string {
		if v == "" {
			return def
		}
		return v
	}
	return &openflow.DescReply{
		Manufacturer: or(c.Manufacturer, "Nicira, Inc."), Hardware: or(c.Hardware, "Open vSwitch"),
		Software: or(c.Software, version.OVS), Serial: or(c.Serial, "None"), Datapath: or(c.Description, "None"),
	}
}

// selection turns a request into what the pipeline selects by.
func selection(r *openflow.FlowStatsRequest) *pipeline.Selection {
	return &pipeline.Selection{
		Match: &r.Match, Cookie: r.Cookie, CookieMask: r.CookieMask,
		OutPort: r.OutPort, OutGroup: r.OutGroup, Table: r.TableID,
	}
}

// sendAggregate answers a request for the sums of flows.
func (s *session) sendAggregate(xid uint32, r *openflow.FlowStatsRequest) error {
	packets, bytes, n, err := s.m.b.pipe.Aggregate(selection(r))
	if err != nil {
		return err
	}
	return s.sendAs(s.statsProtocol(r), xid, &openflow.AggregateStatsReply{Packets: packets, Bytes: bytes, Flows: uint32(n)})
}

// statsProtocol is the protocol to answer a request for statistics of flows in.
func (s *session) statsProtocol(r *openflow.FlowStatsRequest) openflow.Protocol {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.ver != openflow.V10:
		return s.proto
	case r.NXM:
		return openflow.PNXM
	}
	return openflow.P10
}

// sendFlows answers a request for the statistics of flows. There may be many:
// they go out as the client takes them.
func (s *session) sendFlows(xid uint32, r *openflow.FlowStatsRequest) error {
	b, now := s.m.b, s.now()
	rules, err := b.pipe.Select(selection(r))
	if err != nil {
		return err
	}
	w := openflow.NewFlowStatsWriter(s.statsProtocol(r), xid, func(msg []byte) {
		s.sendRaw(msg)
		s.awaitRoom()
	})
	var f openflow.FlowStats
	for _, rule := range rules {
		b.ruleStats(&f, rule, now)
		if err := w.Add(&f); err != nil {
			return err
		}
	}
	logDropped(w.Dropped())
	return w.Close()
}

// logDropped tells of flows that are too long for any message.
func logDropped(flows int) {
	if flows > 0 {
		flowLog.Warn("Flow exceeded the maximum flow statistics reply size and was excluded from the response set")
	}
}

// ruleStats writes all of f: the statistics of a rule. There are many, and an
// entry is large, so its members are set one by one.
func (b *Bridge) ruleStats(f *openflow.FlowStats, r *pipeline.Rule, now time.Time) {
	f.Cookie, f.TableID, f.Priority = r.Cookie, r.Table, uint16(r.Priority())
	f.IdleTimeout, f.HardTimeout = r.IdleTimeout(), r.HardTimeout()
	f.IdleAge, f.HardAge = int(now.Sub(r.LastUsed())/time.Second), int(now.Sub(r.Since())/time.Second)
	f.Packets, f.Bytes = r.Stats.Packets.Load(), r.Stats.Bytes.Load()
	f.Flags, f.Importance, f.Actions = r.Flags, r.Importance, r.Actions()
	f.DurationSec, f.DurationNsec = duration(now.Sub(r.Created()))
	b.pipe.MatchInto(r, &f.Match)
}

func (b *Bridge) tableStats(v openflow.Version) openflow.Message {
	r := &openflow.TableStatsReply{Features: b.tableFeatures(v)}
	for id := range uint8(pipeline.NumTables - 1) {
		t := b.pipe.Table(id)
		hit, miss := t.Matched.Load(), t.Missed.Load()
		r.Stats = append(r.Stats, openflow.TableStats{TableID: id, Active: uint32(b.pipe.Active(id)), Lookup: hit + miss, Matched: hit})
	}
	return r
}

// maxEntries is the number of flows that a table is said to hold.
const maxEntries = 1000000

func (b *Bridge) tableFeatures(v openflow.Version) []openflow.TableFeatures {
	b.be.mu.Lock()
	defer b.be.mu.Unlock()
	out := make([]openflow.TableFeatures, 0, pipeline.NumTables-1)
	for id := range uint8(pipeline.NumTables - 1) {
		conf := b.pipe.Table(id).Conf()
		f := featuresOf(id, v)
		f.Name, f.MaxEntries, f.MissConfig = conf.Name, maxEntries, conf.Miss
		if conf.Limit >= 0 {
			f.MaxEntries = min(f.MaxEntries, uint32(conf.Limit))
		}
		out = append(out, f)
	}
	return out
}

func (b *Bridge) tableDesc() openflow.Message {
	r := &openflow.TableDescReply{}
	for id := range uint8(pipeline.NumTables - 1) {
		r.Tables = append(r.Tables, b.tableDescOf(id))
	}
	return r
}

func (b *Bridge) portDesc(no openflow.PortNo) openflow.Message {
	b.be.mu.Lock()
	defer b.be.mu.Unlock()
	r := &openflow.PortDescReply{}
	for _, p := range b.sortedPorts() {
		if no == openflow.PortNone || no == p.no {
			r.Ports = append(r.Ports, p.desc)
		}
	}
	return r
}

func (b *Bridge) portStats(no openflow.PortNo) (openflow.Message, error) {
	b.be.mu.Lock()
	ports := b.sortedPorts()
	b.be.mu.Unlock()
	r := &openflow.PortStatsReply{}
	now := b.be.clock.Now()
	for _, p := range ports {
		if no != openflow.PortNone && no != p.no {
			continue
		}
		st, err := p.stats()
		if err != nil {
			st = unknownStats()
		}
		ps := openflow.PortStats{
			PortNo: p.no, RxPackets: st.RxPackets, TxPackets: st.TxPackets, RxBytes: st.RxBytes, TxBytes: st.TxBytes,
			RxDropped: st.RxDropped, TxDropped: st.TxDropped, RxErrors: st.RxErrors, TxErrors: st.TxErrors,
			RxFrameErr: st.RxFrameErr, RxOverErr: st.RxOverErr, RxCRCErr: st.RxCRCErr, Collisions: st.Collisions, HasDuration: true,
		}
		if c, ok := p.conf.Device.(netdev.CustomStatser); ok {
			for _, st := range c.CustomStats() {
				ps.Custom = append(ps.Custom, openflow.CustomCounter{Name: st.Name, Value: st.Value})
			}
			slices.SortFunc(ps.Custom, func(a, b openflow.CustomCounter) int { return cmp.Compare(a.Name, b.Name) })
		}
		ps.DurationSec, ps.DurationNsec = duration(now.Sub(p.created))
		r.Stats = append(r.Stats, ps)
	}
	return r, nil
}
