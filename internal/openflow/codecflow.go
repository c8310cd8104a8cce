package openflow

import "weir/internal/packet"

// Codecs of flow mods and of requests about flows (OpenFlow
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
	flags := d.flowMod10Tail(m)
	if d.exact10 {
		m.Priority = 0xffff
	}
	if d.err == nil {
		NormalizeMatch(&m.Match, d.opt.Log)
	}
	d.checkTuple(&m.Match)
	m.Actions = d.flowActions()
	m.Flags = d.flowFlags(flags)
	return m
}

// checkTuple refuses a flow that matches on the addresses of a connection's
// original direction without saying that its packets are of their protocol.
func (d *decoder) checkTuple(m *Match) {
	v4, v6 := m.Mask.CTIPSrc|m.Mask.CTIPDst != 0, m.Mask.CTIPv6Src != [16]byte{} || m.Mask.CTIPv6Dst != [16]byte{}
	if v4 && m.Key.EthType != packet.EtherTypeIPv4 || v6 && m.Key.EthType != packet.EtherTypeIPv6 {
		d.fail(ErrBACMatchInconsistent)
	}
}

// flowMod10Tail reads what follows the match or the cookie in OpenFlow 1.0,
// and gives the flags, which are looked at last.
func (d *decoder) flowMod10Tail(m *FlowMod) (flags uint16) {
	d.flowCommand(m, d.u16())
	m.IdleTimeout, m.HardTimeout, m.Priority = d.u16(), d.u16(), d.u16()
	m.BufferID = d.u32()
	m.OutPort = Port10(d.u16())
	m.ModifyCookie = m.NewCookie != ^uint64(0)
	return d.u16()
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
	flags := d.flowMod10Tail(m)
	n := int(d.u16())
	d.skip(6)
	var cookie [2]uint64
	d.nxMatchInto(&m.Match, n, matchOptions{cookie: &cookie})
	m.Cookie, m.CookieMask = cookie[0], cookie[1]
	if d.err == nil && m.Command == FlowAdd && m.CookieMask != 0 {
		d.fail(ErrNXBRCNXMInvalid)
	}
	d.checkTuple(&m.Match)
	m.Actions = d.flowActions()
	m.Flags = d.flowFlags(flags)
	return m
}

// flowMod11 reads a flow mod of OpenFlow 1.1 and later. Of several faults it
// tells the first in this order: the match, where the flow is to go, the
// command, the instructions, the flags.
func (d *decoder) flowMod11() Message {
	m := d.newFlowMod()
	m.Cookie, m.CookieMask, m.TableID = d.u64(), d.u64(), d.u8()
	m.Command = FlowModCommand(d.u8())
	m.IdleTimeout, m.HardTimeout, m.Priority = d.u16(), d.u16(), d.u16()
	m.BufferID = d.u32()
	out := d.u32()
	m.OutPort = PortNo(out)
	m.OutGroup = d.u32()
	flags, imp := d.u16(), d.u16()
	if d.Version >= V14 {
		m.Importance = imp
	}
	if m.Command == FlowAdd {
		m.NewCookie, m.Cookie, m.CookieMask = m.Cookie, 0, 0
	} else {
		m.NewCookie = ^uint64(0)
	}
	d.match11Into(&m.Match, matchOptions{})
	d.checkTuple(&m.Match)
	if out > 0xfeff && out < uint32(PortMax) {
		d.fail(ErrBACBadOutPort)
	}
	if m.TableID == TableAny && m.Command != FlowDelete && m.Command != FlowDeleteStrict {
		d.fail(ErrFMFCBadTableID)
	}
	if m.Command > FlowDeleteStrict {
		d.fail(ErrFMFCBadCommand)
	}
	m.Actions = d.flowActions()
	m.Flags = d.flowFlags(flags)
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
		m.NXM = true
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
	}
	if d.Version > V10 {
		d.rest() // in OpenFlow 1.5 the statistics to ask for: always all
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
