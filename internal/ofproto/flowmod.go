package ofproto

import (
	"time"

	"weir/internal/openflow"
	"weir/internal/pipeline"
)

// checkFlowMod refuses what no table can do, and settles what the version
// leaves open.
func (s *session) checkFlowMod(fm *openflow.FlowMod) error {
	fm.Origin = s.origin
	if fm.Flags&openflow.FlowEmerg != 0 {
		if fm.IdleTimeout != 0 || fm.HardTimeout != 0 {
			return openflow.ErrFMFCBadEmergTimeout.Err()
		}
		return openflow.ErrFMFCTableFull.Err()
	}
	if fm.TableID == pipeline.TableInternal && fm.Flags&openflow.FlowNoReadonly == 0 {
		return openflow.ErrBRCEPerm.Err()
	}
	if m := &fm.Match.Mask; fm.Command < openflow.FlowDelete && fm.Flags&openflow.FlowNoReadonly == 0 && (m.RecircID != 0 || m.DPHash != 0) {
		return openflow.ErrBRCEPerm.Err() // which packets have which of these is the switch's own business
	}
	if s.version() == openflow.V11 && fm.CookieMask == 0 && (fm.Command == openflow.FlowModify || fm.Command == openflow.FlowModifyStrict) {
		// In this version only, such a modification of no flow adds one.
		fm.NewCookie = fm.Cookie
	}
	if fm.Command == openflow.FlowAdd && s.version() < openflow.V12 {
		fm.Flags |= openflow.FlowResetCounts // as these versions always do
	}
	if err := checkActions(fm.Actions); err != nil {
		return err
	}
	if err := s.checkConsistency(fm); err != nil {
		return err
	}
	if fm.BufferID != openflow.NoBuffer && fm.Command <= openflow.FlowModifyStrict {
		return openflow.ErrBRCBufferUnknown.Err() // there are no buffers
	}
	return nil
}

// checkConsistency refuses actions that don't go with the match, as sets of fields
// that the packets needn't have: OpenFlow 1.0 leaves them without effect.
func (s *session) checkConsistency(fm *openflow.FlowMod) error {
	if fm.Command >= openflow.FlowDelete || openflow.AlwaysConsistent(fm.Actions) {
		return nil
	}
	s.mu.Lock()
	p := s.proto
	s.mu.Unlock()
	usable, err := openflow.CheckActions(fm.Actions, &fm.Match, openflow.ActionCheck{
		MaxPorts: openflow.PortMax, TableID: fm.TableID, NTables: pipeline.NumTables, Usable: p, Keep: true, Log: logDecode,
	})
	if err == nil && usable == 0 {
		err = openflow.ErrBACMatchInconsistent.Err()
	}
	return err
}

// checkActions refuses outputs to ports that can't be.
func checkActions(actions []openflow.Action) error {
	bad := func(p openflow.PortNo) bool {
		return p == openflow.PortNone || p >= openflow.PortMax && p < openflow.PortInPort
	}
	for _, a := range actions {
		switch a := a.(type) {
		case *openflow.Output:
			if bad(a.Port) {
				return openflow.ErrBACBadOutPort.Err()
			}
		case *openflow.Enqueue:
			if a.Port >= openflow.PortMax && a.Port != openflow.PortInPort && a.Port != openflow.PortLocal {
				return openflow.ErrBACBadOutPort.Err()
			}
		case *openflow.WriteActions:
			if err := checkActions(a.Actions); err != nil {
				return err
			}
		case *openflow.Clone:
			if err := checkActions(a.Actions); err != nil {
				return err
			}
		}
	}
	return nil
}

func (s *session) flowMod(raw []byte, fm *openflow.FlowMod) error {
	if later, err := s.postpone(raw, fm); later {
		return err
	}
	s.applyAdditions()
	if err := s.checkFlowMod(fm); err != nil {
		return err
	}
	b := s.m.b
	events, err := b.pipe.FlowMod(fm, s.now())
	b.flowEvents(events, s)
	if err != nil {
		return err
	}
	s.mods.add(fm.Command, 1, s.now())
	return nil
}

func (s *session) groupMod(raw []byte, gm *openflow.GroupMod) error {
	for i := range gm.Buckets {
		if err := checkActions(gm.Buckets[i].Actions); err != nil {
			return err
		}
	}
	told := forwardable(gm, s.m.b.pipe.Group(gm.ID) != nil)
	events, err := s.m.b.pipe.GroupMod(gm, s.now())
	s.m.b.flowEvents(events, s)
	if err != nil {
		return err
	}
	s.forward(told, raw, 0)
	return nil
}

// forwardable is a group mod as other controllers are told of it: its command is
// one of OpenFlow's. known says that the group was there before.
func forwardable(gm *openflow.GroupMod, known bool) *openflow.GroupMod {
	told := *gm
	switch {
	case gm.Command != openflow.GroupAddOrMod:
	case known:
		told.Command = openflow.GroupModify
	default:
		told.Command = openflow.GroupAdd
	}
	return &told
}

func (s *session) meterMod(raw []byte, mm *openflow.MeterMod) error {
	events, err := s.m.b.pipe.MeterMod(mm, s.now())
	s.m.b.syncMeters(true)
	s.m.b.flowEvents(events, s)
	if err == nil {
		s.forward(mm, raw, 1)
	}
	return err
}

// forward tells the other controllers of a group or meter mod.
func (s *session) forward(msg openflow.Message, raw []byte, reason uint8) {
	h, err := openflow.DecodeHeader(raw)
	if err != nil {
		return
	}
	s.m.each(func(o *session) {
		if o == s || !o.wants(openflow.AsyncRequestForward, reason) {
			return
		}
		o.mu.Lock()
		p := o.proto
		o.mu.Unlock()
		if inner, err := openflow.Encode(p, h.Xid, msg); err == nil {
			o.asynchronous(&openflow.RequestForward{Raw: inner})
		}
	})
}

func (s *session) portMod(pm *openflow.PortMod) error {
	return s.m.b.setPortConfig(pm.PortNo, pm.HWAddr, pm.Config, pm.Mask)
}

func (s *session) tableMod(tm *openflow.TableMod) error {
	b := s.m.b
	if tm.TableID != openflow.TableAny && int(tm.TableID) >= pipeline.NumTables-1 {
		return openflow.ErrTMFCEPerm.Err() // the table of the switch's own flows
	}
	for id := range uint8(pipeline.NumTables - 1) {
		if tm.TableID != openflow.TableAny && tm.TableID != id {
			continue
		}
		conf := *b.pipe.Table(id).Conf()
		conf.Miss = tm.Miss
		if tm.Eviction >= 0 {
			conf.EvictAsked = tm.Eviction == 1
		}
		if tm.Vacancy >= 0 {
			conf.VacancyEvents, conf.VacancyDown, conf.VacancyUp = tm.Vacancy == 1, tm.VacancyDown, tm.VacancyUp
		}
		events, err := b.pipe.ConfigureTable(id, conf, s.now())
		b.flowEvents(events, s)
		b.awaitVacancy(id)
		if err != nil {
			return err
		}
	}
	b.be.engine.Wake()
	return nil
}

// flowEvents tells the controllers of flows that went away and of changes that
// they monitor. by is the session that caused them, nil for none.
func (b *Bridge) flowEvents(events []pipeline.Event, by *session) {
	now := b.be.clock.Now()
	for i := range events {
		e := &events[i]
		if e.Kind == pipeline.Deleted && e.Rule.Flags&openflow.FlowSendRem != 0 && !e.Rule.Hidden() {
			msg := removedMessage(b.pipe, e, now)
			b.conns.each(func(s *session) {
				m := *msg
				s.mu.Lock()
				m.NXM = s.proto&openflow.PAnyNXM != 0
				s.mu.Unlock()
				s.asyncIf(openflow.AsyncFlowRemoved, uint8(e.Reason), &m)
			})
		}
	}
	b.monitorEvents(events, by)
	b.checkVacancies(events)
}

func removedMessage(p *pipeline.Pipeline, e *pipeline.Event, now time.Time) *openflow.FlowRemoved {
	r := e.Rule
	m := &openflow.FlowRemoved{
		Match: p.Match(r), Priority: uint16(r.Priority()), Cookie: r.Cookie, Reason: e.Reason, TableID: r.Table,
		IdleTimeout: r.IdleTimeout(), HardTimeout: r.HardTimeout(),
		Packets: r.Stats.Packets.Load(), Bytes: r.Stats.Bytes.Load(),
	}
	m.DurationSec, m.DurationNsec = duration(now.Sub(r.Created()))
	return m
}

func duration(d time.Duration) (sec, nsec uint32) {
	d = max(d, 0).Truncate(time.Millisecond) // as finely as the peer counts
	return uint32(d / time.Second), uint32(d % time.Second)
}
