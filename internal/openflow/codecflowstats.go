package openflow

import (
	"encoding/binary"
)

// Codecs of what a switch tells of its flows: statistics of each and of all.

func decFlowStatsReply(d *decoder) Message {
	m := &FlowStatsReply{}
	if d.left() > 2 {
		// Entries are mostly of one length.
		first := max(int(binary.BigEndian.Uint16(d.b[d.off:])), 48)
		m.Stats = make([]FlowStats, 0, d.left()/first+1)
	}
	for d.left() > 0 && d.err == nil {
		m.Stats = append(m.Stats, FlowStats{})
		d.flowStats(&m.Stats[len(m.Stats)-1])
	}
	return m
}

// flowStats reads an entry into a zero FlowStats.
func (d *decoder) flowStats(s *FlowStats) {
	start := d.off
	n := int(d.u16())
	s.IdleAge, s.HardAge = -1, -1
	switch {
	case d.Version >= V15:
		d.flowStats15(s)
	case d.Version >= V11:
		d.flowStats11(s)
	case d.row.kind == kindNXST:
		d.flowStatsNX(s)
	default:
		d.flowStats10(s)
	}
	if d.err == nil && n < d.off-start {
		d.fail(ErrBRCBadLen)
	}
	c := d.sub(n-(d.off-start), ErrBRCBadLen)
	if d.err == nil && d.reuse != nil {
		s.Actions = d.reuse.acts.decode(d, &c)
	} else if d.err == nil {
		s.Actions = d.instructions(&c)
	}
	d.failErr(c.err)
}

func (d *decoder) flowStats10(s *FlowStats) {
	s.TableID = d.u8()
	d.skip(1)
	s.Match = d.match10()
	s.DurationSec, s.DurationNsec, s.Priority = d.u32(), d.u32(), d.u16()
	if d.exact10 {
		s.Priority = 0xffff
	}
	s.IdleTimeout, s.HardTimeout = d.u16(), d.u16()
	d.skip(6)
	s.Cookie, s.Packets, s.Bytes = d.u64(), d.u64(), d.u64()
}

func (d *decoder) flowStats11(s *FlowStats) {
	s.TableID = d.u8()
	d.skip(1)
	s.DurationSec, s.DurationNsec, s.Priority = d.u32(), d.u32(), d.u16()
	s.IdleTimeout, s.HardTimeout = d.u16(), d.u16()
	flags, imp := d.u16(), d.u16()
	d.skip(2)
	s.Cookie, s.Packets, s.Bytes = d.u64(), d.u64(), d.u64()
	if d.Version >= V13 {
		s.Flags = d.flowFlags(flags)
	}
	if d.Version >= V14 {
		s.Importance = imp
	}
	d.match11Into(&s.Match, matchOptions{})
}

func (d *decoder) flowStatsNX(s *FlowStats) {
	s.TableID = d.u8()
	d.skip(1)
	s.DurationSec, s.DurationNsec, s.Priority = d.u32(), d.u32(), d.u16()
	s.IdleTimeout, s.HardTimeout = d.u16(), d.u16()
	n := int(d.u16())
	s.IdleAge, s.HardAge = int(d.u16())-1, int(d.u16())-1
	s.Cookie, s.Packets, s.Bytes = d.u64(), d.u64(), d.u64()
	d.nxMatchInto(&s.Match, n, matchOptions{})
}

func (d *decoder) flowStats15(s *FlowStats) {
	d.skip(2)
	s.TableID = d.u8()
	d.skip(1)
	s.Priority = d.u16()
	s.IdleTimeout, s.HardTimeout = d.u16(), d.u16()
	s.Flags = d.flowFlags(d.u16())
	s.Importance = d.u16()
	s.Cookie = d.u64()
	d.match11Into(&s.Match, matchOptions{})
	x := d.oxs()
	s.DurationSec, s.DurationNsec = x.durationSec, x.durationNsec
	s.Packets, s.Bytes = x.packets, x.bytes
	s.IdleAge = -1
	if x.haveIdle {
		s.IdleAge = int(x.idleSec)
	}
}

func (e *encoder) flowStats(s *FlowStats) {
	start := e.len()
	e.u16(0)
	if e.v >= V15 {
		e.pad(2)
		e.u8(s.TableID)
		e.pad(1)
		e.u16(s.Priority)
		e.u16(s.IdleTimeout)
		e.u16(s.HardTimeout)
		e.u16(encFlowFlags(s.Flags, e.v))
		e.u16(s.Importance)
		e.u64(s.Cookie)
		e.match11(&s.Match)
		e.oxs(&oxs{
			haveDuration: true, durationSec: s.DurationSec, durationNsec: s.DurationNsec,
			haveIdle: s.IdleAge >= 0, idleSec: uint32(max(s.IdleAge, 0)), packets: s.Packets, bytes: s.Bytes,
		})
	} else {
		e.flowStatsOld(s)
	}
	e.instructions(s.Actions)
	e.put16(start, e.len()-start)
	e.endEntry()
}

func (e *encoder) flowStatsOld(s *FlowStats) {
	nxm := e.v == V10 && e.proto&PAnyNXM != 0
	e.u8(s.TableID)
	e.pad(1)
	if e.v == V10 && !nxm {
		e.match10(&s.Match)
	}
	e.u32(s.DurationSec)
	e.u32(s.DurationNsec)
	e.u16(s.Priority)
	e.u16(s.IdleTimeout)
	e.u16(s.HardTimeout)
	switch {
	case nxm:
		at := e.len()
		e.u16(0)
		e.u16(ageField(s.IdleAge))
		e.u16(ageField(s.HardAge))
		e.u64s([]*uint64{&s.Cookie, &s.Packets, &s.Bytes})
		e.put16(at, e.nxMatch(&s.Match, 0, 0))
	case e.v == V10:
		e.pad(6)
		e.u64s([]*uint64{&s.Cookie, &s.Packets, &s.Bytes})
	default:
		var flags, imp uint16
		if e.v >= V13 {
			flags = encFlowFlags(s.Flags, e.v)
		}
		if e.v >= V14 {
			imp = s.Importance
		}
		e.u16(flags)
		e.u16(imp)
		e.pad(2)
		e.u64s([]*uint64{&s.Cookie, &s.Packets, &s.Bytes})
		e.match11(&s.Match)
	}
}

// ageField is an age in seconds as NXST_FLOW has it: one more, 0 for unknown.
func ageField(age int) uint16 {
	switch {
	case age < 0:
		return 0
	case age >= 0xffff:
		return 0xffff
	}
	return uint16(age + 1)
}

func decAggregateReply(d *decoder) Message {
	m := &AggregateStatsReply{}
	if d.Version >= V15 {
		x := d.oxs()
		m.Packets, m.Bytes, m.Flows = x.packets, x.bytes, x.flows
		return m
	}
	m.Packets, m.Bytes, m.Flows = d.u64(), d.u64(), d.u32()
	d.skip(4)
	return m
}

func (e *encoder) encodeAggregate(m *AggregateStatsReply) {
	name := "OFPST_AGGREGATE_REPLY"
	if e.v == V10 && e.proto&PAnyNXM != 0 {
		name = "NXST_AGGREGATE_REPLY"
	}
	e.start(name)
	if e.v >= V15 {
		e.oxs(&oxs{packets: m.Packets, bytes: m.Bytes, flows: m.Flows, haveFlows: true})
		return
	}
	e.u64(m.Packets)
	e.u64(m.Bytes)
	e.u32(m.Flows)
	e.pad(4)
}

// oxs are the statistics of OpenFlow 1.5 (7.2.6).
type oxs struct {
	haveDuration, haveIdle, haveFlows bool
	durationSec, durationNsec         uint32
	idleSec                           uint32
	flows                             uint32
	packets, bytes                    uint64
}

func (d *decoder) oxs() oxs {
	x := oxs{packets: ^uint64(0), bytes: ^uint64(0)}
	start := d.off
	d.skip(2)
	n := int(d.u16())
	if d.err == nil && n < 4 {
		d.fail(ErrBRCBadLen)
	}
	c := d.sub(n-4, ErrBRCBadLen)
	for c.left() > 0 && c.err == nil {
		h := c.u32()
		b := c.sub(int(h&0xff), ErrBRCBadLen)
		if c.err != nil {
			break
		}
		if h>>16 != 0x8002 {
			continue
		}
		switch h >> 9 & 0x7f {
		case 0:
			x.durationSec, x.durationNsec, x.haveDuration = b.u32(), b.u32(), true
		case 1:
			x.idleSec, x.haveIdle = b.u32(), true
		case 3:
			x.flows, x.haveFlows = b.u32(), true
		case 4:
			x.packets = b.u64()
		case 5:
			x.bytes = b.u64()
		}
		c.failErr(b.err)
	}
	d.failErr(c.err)
	d.skip(pad8(d.off-start) - (d.off - start))
	return x
}

func (e *encoder) oxs(x *oxs) {
	start := e.len()
	e.u16(0)
	e.u16(0)
	head := func(num, n uint32) { e.u32(0x80020000 | num<<9 | n) }
	if x.haveDuration {
		head(0, 8)
		e.u32(x.durationSec)
		e.u32(x.durationNsec)
	}
	if x.haveIdle {
		head(1, 8)
		e.u32(x.idleSec)
		e.u32(0)
	}
	if x.haveFlows {
		head(3, 4)
		e.u32(x.flows)
	}
	if x.packets != ^uint64(0) {
		head(4, 8)
		e.u64(x.packets)
	}
	if x.bytes != ^uint64(0) {
		head(5, 8)
		e.u64(x.bytes)
	}
	e.put16(start+2, e.len()-start)
	e.padTo8(start)
}
