package openflow

import "encoding/binary"

// Codecs of flow mods, flow statistics and flow removed messages (OpenFlow
// 1.0, 5.3.3; 1.1, A.3.4.1; 1.5, 7.3.4.2; NXT_FLOW_MOD and NXST_FLOW).

// flowFlags reads the flags of a flow mod; unknown ones are an error.
func (d *decoder) flowFlags(raw uint16) FlowFlags {
	f := FlowFlags(raw)
	known := FlowSendRem | FlowCheckOverlap
	switch {
	case d.Version == V10:
		if raw&4 != 0 {
			f = f&^4 | FlowEmerg
		}
		known |= FlowEmerg
	case d.Version >= V13:
		known |= FlowResetCounts | FlowNoPktCounts | FlowNoBytCounts
	case d.Version >= V12:
		known |= FlowResetCounts
	}
	if f&^known != 0 {
		d.fail(ErrFMFCBadFlags)
	}
	return f & known
}

func encFlowFlags(f FlowFlags, v Version) uint16 {
	known := FlowSendRem | FlowCheckOverlap
	switch {
	case v >= V13:
		known |= FlowResetCounts | FlowNoPktCounts | FlowNoBytCounts
	case v >= V12:
		known |= FlowResetCounts
	}
	out := uint16(f & known)
	if v == V10 && f&FlowEmerg != 0 {
		out |= 4
	}
	return out
}

func decFlowMod(d *decoder) Message {
	if d.Version >= V11 {
		return d.flowMod11()
	}
	m := d.newFlowMod()
	m.OutGroup = GroupAny
	m.Match = d.match10()
	m.NewCookie = d.u64()
	d.flowMod10Tail(m)
	if d.exact10 {
		m.Priority = 0xffff
	}
	if d.err == nil {
		NormalizeMatch(&m.Match, d.opt.Log)
	}
	m.Actions = d.flowActions()
	return m
}

// flowMod10Tail reads what follows the match or the cookie in OpenFlow 1.0.
func (d *decoder) flowMod10Tail(m *FlowMod) {
	d.flowCommand(m, d.u16())
	m.IdleTimeout, m.HardTimeout, m.Priority = d.u16(), d.u16(), d.u16()
	m.BufferID = d.u32()
	m.OutPort = Port10(d.u16())
	m.Flags = d.flowFlags(d.u16())
	m.ModifyCookie = m.NewCookie != ^uint64(0)
}

// flowCommand takes the table id out of a command of OpenFlow 1.0.
func (d *decoder) flowCommand(m *FlowMod, cmd uint16) {
	m.TableID = TableAny
	if d.opt.TableID {
		m.TableID = uint8(cmd >> 8)
		cmd &= 0xff
	}
	if cmd > uint16(FlowDeleteStrict) {
		if cmd > 0xff {
			d.logf("ofp_flow", true, "flow_mod has explicit table_id but flow_mod_table_id extension is not enabled")
		}
		d.fail(ErrFMFCBadCommand)
	}
	m.Command = FlowModCommand(cmd)
}

func decNXFlowMod(d *decoder) Message {
	m := d.newFlowMod()
	m.OutGroup = GroupAny
	m.NewCookie = d.u64()
	d.flowMod10Tail(m)
	n := int(d.u16())
	d.skip(6)
	var cookie [2]uint64
	d.nxMatchInto(&m.Match, n, matchOptions{cookie: &cookie})
	m.Cookie, m.CookieMask = cookie[0], cookie[1]
	if d.err == nil && m.Command == FlowAdd && m.CookieMask != 0 {
		d.fail(ErrNXBRCNXMInvalid)
	}
	m.Actions = d.flowActions()
	return m
}

func (d *decoder) flowMod11() Message {
	m := d.newFlowMod()
	m.Cookie, m.CookieMask, m.TableID = d.u64(), d.u64(), d.u8()
	cmd := d.u8()
	if cmd > uint8(FlowDeleteStrict) {
		d.fail(ErrFMFCBadCommand)
	}
	m.Command = FlowModCommand(cmd)
	m.IdleTimeout, m.HardTimeout, m.Priority = d.u16(), d.u16(), d.u16()
	m.BufferID = d.u32()
	out := d.u32()
	m.OutPort = PortNo(out)
	if out > 0xfeff && out < uint32(PortMax) {
		d.fail(ErrBACBadOutPort)
	}
	m.OutGroup = d.u32()
	m.Flags = d.flowFlags(d.u16())
	imp := d.u16()
	if d.Version >= V14 {
		m.Importance = imp
	}
	if m.Command == FlowAdd {
		m.NewCookie, m.Cookie, m.CookieMask = m.Cookie, 0, 0
		if d.Version >= V14 {
			m.Importance = imp
		}
	} else {
		m.NewCookie = ^uint64(0)
	}
	d.match11Into(&m.Match, matchOptions{})
	m.Actions = d.flowActions()
	return m
}

func (e *encoder) encodeFlowMod(m *FlowMod) {
	if e.v >= V11 {
		e.flowMod11(m)
		return
	}
	cmd := uint16(m.Command)
	if e.proto&PTID != 0 {
		cmd |= uint16(m.TableID) << 8
	}
	cookie := m.NewCookie
	nxm := e.proto&PAnyNXM != 0 || m.CookieMask != 0
	if nxm {
		e.start("NXT_FLOW_MOD")
		e.u64(cookie)
	} else {
		e.start("OFPT_FLOW_MOD")
		e.match10(&m.Match)
		e.u64(cookie)
	}
	e.u16(cmd)
	e.u16(m.IdleTimeout)
	e.u16(m.HardTimeout)
	e.u16(m.Priority)
	e.u32(m.BufferID)
	e.u16(m.OutPort.To10())
	e.u16(encFlowFlags(m.Flags, e.v))
	if nxm {
		at := e.len()
		e.u16(0)
		e.pad(6)
		e.put16(at, e.nxMatch(&m.Match, m.Cookie, m.CookieMask))
	}
	e.actions(m.Actions)
}

func (e *encoder) flowMod11(m *FlowMod) {
	e.start("OFPT_FLOW_MOD")
	if m.Command == FlowAdd {
		e.u64(m.NewCookie)
		e.u64(0)
	} else {
		e.u64(m.Cookie & m.CookieMask)
		e.u64(m.CookieMask)
	}
	// "Any" table exists for deletion only, and not before OpenFlow 1.2.
	table := m.TableID
	if table == TableAny && (e.v < V12 || m.Command != FlowDelete && m.Command != FlowDeleteStrict) {
		table = 0
	}
	e.u8(table)
	e.u8(uint8(m.Command))
	e.u16(m.IdleTimeout)
	e.u16(m.HardTimeout)
	e.u16(m.Priority)
	e.u32(m.BufferID)
	e.u32(uint32(m.OutPort))
	e.u32(m.OutGroup)
	e.u16(encFlowFlags(m.Flags, e.v))
	if e.v >= V14 && m.Command == FlowAdd {
		e.u16(m.Importance)
	} else {
		e.u16(0)
	}
	e.match11(&m.Match)
	e.instructions(m.Actions)
}

func decFlowStatsRequest(d *decoder) Message { return d.flowRequest(false) }
func decAggregateRequest(d *decoder) Message { return d.flowRequest(true) }

func (d *decoder) flowRequest(aggregate bool) Message {
	m := &FlowStatsRequest{Aggregate: aggregate, OutGroup: GroupAny}
	switch {
	case d.row.kind == kindNXST:
		m.OutPort = Port10(d.u16())
		n := int(d.u16())
		m.TableID = d.u8()
		d.skip(3)
		var cookie [2]uint64
		m.Match = d.nxMatchLen(n, matchOptions{cookie: &cookie})
		m.Cookie, m.CookieMask = cookie[0], cookie[1]
	case d.Version == V10:
		m.Match = d.match10()
		m.TableID = d.u8()
		d.skip(1)
		m.OutPort = Port10(d.u16())
	default:
		m.TableID = d.u8()
		d.skip(3)
		m.OutPort = d.port32()
		m.OutGroup = d.u32()
		d.skip(4)
		m.Cookie, m.CookieMask = d.u64(), d.u64()
		m.Match = d.match11(matchOptions{})
		if d.Version >= V15 && aggregate {
			d.rest() // the statistics to ask for: always all
		}
	}
	return m
}

func (e *encoder) encodeFlowRequest(m *FlowStatsRequest) {
	what := "FLOW_REQUEST"
	if m.Aggregate {
		what = "AGGREGATE_REQUEST"
	}
	switch {
	case e.v == V10 && e.proto&PAnyNXM != 0:
		e.start("NXST_" + what)
		e.u16(m.OutPort.To10())
		at := e.len()
		e.u16(0)
		e.u8(m.TableID)
		e.pad(3)
		e.put16(at, e.nxMatch(&m.Match, m.Cookie, m.CookieMask))
	case e.v == V10:
		e.start("OFPST_" + what)
		e.match10(&m.Match)
		e.u8(m.TableID)
		e.pad(1)
		e.u16(m.OutPort.To10())
	default:
		e.start("OFPST_" + what)
		e.u8(m.TableID)
		e.pad(3)
		e.u32(uint32(m.OutPort))
		e.u32(m.OutGroup)
		e.pad(4)
		e.u64(m.Cookie)
		e.u64(m.CookieMask)
		e.match11(&m.Match)
	}
}

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

func decFlowRemoved(d *decoder) Message {
	m := &FlowRemoved{TableID: TableAny}
	switch {
	case d.Version == V10:
		m.Match = d.match10()
		m.Cookie, m.Priority = d.u64(), d.u16()
		if d.exact10 {
			m.Priority = 0xffff
		}
		m.Reason = d.removedReason(d.u8())
		d.skip(1)
		m.DurationSec, m.DurationNsec = d.u32(), d.u32()
		m.IdleTimeout = d.u16()
		d.skip(2)
		m.Packets, m.Bytes = d.u64(), d.u64()
	case d.Version < V15:
		m.Cookie, m.Priority = d.u64(), d.u16()
		m.Reason = d.removedReason(d.u8())
		m.TableID = d.u8()
		m.DurationSec, m.DurationNsec = d.u32(), d.u32()
		m.IdleTimeout, m.HardTimeout = d.u16(), d.u16()
		m.Packets, m.Bytes = d.u64(), d.u64()
		m.Match = d.match11(matchOptions{})
	default:
		m.TableID = d.u8()
		m.Reason = d.removedReason(d.u8())
		m.Priority, m.IdleTimeout, m.HardTimeout = d.u16(), d.u16(), d.u16()
		m.Cookie = d.u64()
		m.Match = d.match11(matchOptions{})
		x := d.oxs()
		m.DurationSec, m.DurationNsec, m.Packets, m.Bytes = x.durationSec, x.durationNsec, x.packets, x.bytes
	}
	return m
}

// removedReason reads a reason. Up to OpenFlow 1.3, NXT messages have eviction
// as 4.
func (d *decoder) removedReason(r uint8) FlowRemovedReason { return FlowRemovedReason(r) }

func decNXFlowRemoved(d *decoder) Message {
	m := &FlowRemoved{NXM: true, Cookie: d.u64(), Priority: d.u16(), Reason: FlowRemovedReason(d.u8())}
	m.TableID = d.u8() - 1
	m.DurationSec, m.DurationNsec = d.u32(), d.u32()
	m.IdleTimeout = d.u16()
	n := int(d.u16())
	m.Packets, m.Bytes = d.u64(), d.u64()
	m.Match = d.nxMatchLen(n, matchOptions{})
	return m
}

func (e *encoder) encodeFlowRemoved(m *FlowRemoved) {
	switch {
	case e.v == V10 && (m.NXM || e.proto&PAnyNXM != 0):
		e.start("NXT_FLOW_REMOVED")
		e.u64(m.Cookie)
		e.u16(m.Priority)
		e.u8(uint8(m.Reason))
		e.u8(m.TableID + 1)
		e.u32(m.DurationSec)
		e.u32(m.DurationNsec)
		e.u16(m.IdleTimeout)
		at := e.len()
		e.u16(0)
		e.u64(m.Packets)
		e.u64(m.Bytes)
		e.put16(at, e.nxMatch(&m.Match, 0, 0))
	case e.v == V10:
		e.start("OFPT_FLOW_REMOVED")
		e.match10(&m.Match)
		e.u64(m.Cookie)
		e.u16(m.Priority)
		e.u8(uint8(m.Reason))
		e.pad(1)
		e.u32(m.DurationSec)
		e.u32(m.DurationNsec)
		e.u16(m.IdleTimeout)
		e.pad(2)
		e.u64(m.Packets)
		e.u64(m.Bytes)
	case e.v < V15:
		e.start("OFPT_FLOW_REMOVED")
		e.u64(m.Cookie)
		e.u16(m.Priority)
		e.u8(uint8(m.Reason))
		e.u8(m.TableID)
		e.u32(m.DurationSec)
		e.u32(m.DurationNsec)
		e.u16(m.IdleTimeout)
		e.u16(m.HardTimeout)
		e.u64(m.Packets)
		e.u64(m.Bytes)
		e.match11(&m.Match)
	default:
		e.start("OFPT_FLOW_REMOVED")
		e.u8(m.TableID)
		e.u8(uint8(m.Reason))
		e.u16(m.Priority)
		e.u16(m.IdleTimeout)
		e.u16(m.HardTimeout)
		e.u64(m.Cookie)
		e.match11(&m.Match)
		e.oxs(&oxs{
			haveDuration: true, durationSec: m.DurationSec, durationNsec: m.DurationNsec,
			packets: m.Packets, bytes: m.Bytes,
		})
	}
}
