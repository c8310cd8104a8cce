package openflow

// Codecs of packet-in and packet-out (OpenFlow 1.0, 5.3.6 and 5.4.1; 1.3.1,
// A.4.1; 1.5, 7.3.6; NXT_PACKET_IN, NXT_PACKET_IN2, NXT_RESUME).

func setInPort(m *Match, p PortNo) {
	m.Key.InPort, m.Mask.InPort = uint32(p), 0xffffffff
}

// InPort is the port of a packet's metadata, PortNone when there is none.
func InPort(m *Match) PortNo {
	if m.Mask.InPort == 0 {
		return PortNone
	}
	return PortNo(m.Key.InPort)
}

func decPacketIn(d *decoder) Message {
	m := &PacketIn{BufferID: d.u32(), Cookie: ^uint64(0)}
	switch d.Version {
	case V10:
		m.TotalLen = int(d.u16())
		setInPort(&m.Metadata, Port10(d.u16()))
		m.Reason = PacketInReason(d.u8())
		d.skip(1)
	case V11:
		setInPort(&m.Metadata, d.port32())
		d.skip(4)
		m.TotalLen = int(d.u16())
		m.Reason, m.TableID = PacketInReason(d.u8()), d.u8()
	default:
		m.TotalLen = int(d.u16())
		m.Reason, m.TableID = PacketInReason(d.u8()), d.u8()
		if d.Version >= V13 {
			m.Cookie = d.u64()
		}
		m.Metadata = d.match11(matchOptions{loose: true})
		d.skip(2)
	}
	m.Data = d.rest()
	return m
}

func decNXPacketIn(d *decoder) Message {
	m := &PacketIn{Format: PacketInNXT, BufferID: d.u32(), TotalLen: int(d.u16())}
	m.Reason, m.TableID, m.Cookie = PacketInReason(d.u8()), d.u8(), d.u64()
	n := int(d.u16())
	d.skip(6)
	m.Metadata = d.nxMatchLen(n, matchOptions{loose: true})
	d.skip(2)
	m.Data = d.rest()
	return m
}

// Properties of NXT_PACKET_IN2.
const (
	pin2Packet = iota
	pin2FullLen
	pin2BufferID
	pin2TableID
	pin2Cookie
	pin2Reason
	pin2Metadata
	pin2Userdata
	pin2Continuation
)

func decPacketIn2(d *decoder) Message {
	m := d.packetIn2()
	return m
}

func decResume(d *decoder) Message { return &Resume{*d.packetIn2()} }

func (d *decoder) packetIn2() *PacketIn {
	m := &PacketIn{Format: PacketInNXT2, BufferID: NoBuffer, Cookie: ^uint64(0), TotalLen: -1}
	for d.left() > 0 && d.err == nil {
		t, _, b := d.prop()
		switch t {
		case pin2Packet:
			m.Data = b.rest()
		case pin2FullLen:
			m.TotalLen = int(b.u32())
		case pin2BufferID:
			m.BufferID = b.u32()
		case pin2TableID:
			m.TableID = b.u8()
		case pin2Cookie:
			b.skip(4)
			m.Cookie = b.u64()
		case pin2Reason:
			m.Reason = PacketInReason(b.u8())
			if m.Reason >= NumPacketInReason {
				d.fail(ErrNXBRCBadReason)
			}
		case pin2Metadata:
			m.Metadata = d.nxMatch(&b, matchOptions{loose: true})
		case pin2Userdata:
			m.Userdata = b.rest()
		case pin2Continuation:
			b.skip(4)
			m.Continuation = &Continuation{Raw: b.rest()}
		default:
			if t&0x8000 == 0 {
				d.fail(ErrBPCBadType)
			}
			b.rest()
		}
		d.endProp(&b)
	}
	if d.err == nil && len(m.Data) == 0 && m.TotalLen < 0 {
		d.fail(ErrBPCBadLen)
	}
	switch {
	case m.TotalLen < 0:
		m.TotalLen = len(m.Data)
	case m.TotalLen < len(m.Data):
		m.TotalLen = len(m.Data)
	}
	return m
}

// wireReason folds the reasons that a version lacks to those it has.
func wireReason(r PacketInReason, v Version) uint8 {
	switch r {
	case ReasonExplicit:
		if v < V13 {
			return uint8(ReasonAction)
		}
		return uint8(ReasonNoMatch)
	case ReasonImplicit:
		return uint8(ReasonNoMatch)
	}
	if v < V14 && r > ReasonInvalidTTL {
		return uint8(ReasonAction)
	}
	return uint8(r)
}

func (e *encoder) encodePacketIn(m *PacketIn) {
	switch m.Format {
	case PacketInNXT:
		e.packetInNXT(m)
		return
	case PacketInNXT2:
		e.start("NXT_PACKET_IN2")
		e.packetIn2(m)
		return
	}
	e.start("OFPT_PACKET_IN")
	reason := wireReason(m.Reason, e.v)
	e.u32(m.BufferID)
	switch e.v {
	case V10:
		e.u16(uint16(m.TotalLen))
		e.u16(InPort(&m.Metadata).To10())
		e.u8(reason)
		e.pad(1)
	case V11:
		p := uint32(InPort(&m.Metadata))
		e.u32(p)
		e.u32(p)
		e.u16(uint16(m.TotalLen))
		e.u8(reason)
		e.u8(m.TableID)
	default:
		e.u16(uint16(m.TotalLen))
		e.u8(reason)
		e.u8(m.TableID)
		if e.v >= V13 {
			e.u64(m.Cookie)
		}
		e.match11(&m.Metadata)
		e.pad(2)
	}
	e.bytes(m.Data)
}

func (e *encoder) packetInNXT(m *PacketIn) {
	e.start("NXT_PACKET_IN")
	e.u32(m.BufferID)
	e.u16(uint16(m.TotalLen))
	e.u8(wireReason(m.Reason, e.v))
	e.u8(m.TableID)
	e.u64(m.Cookie)
	at := e.len()
	e.u16(0)
	e.pad(6)
	e.put16(at, e.nxMatch(&m.Metadata, 0, 0))
	e.pad(2)
	e.bytes(m.Data)
}

func (e *encoder) packetIn2(m *PacketIn) {
	if len(m.Data) > 0 {
		p := e.propStart(pin2Packet)
		e.bytes(m.Data)
		e.propEnd(p)
	}
	if m.TotalLen != len(m.Data) {
		p := e.propStart(pin2FullLen)
		e.u32(uint32(m.TotalLen))
		e.propEnd(p)
	}
	if m.BufferID != NoBuffer {
		p := e.propStart(pin2BufferID)
		e.u32(m.BufferID)
		e.propEnd(p)
	}
	if m.Continuation == nil || m.TableID != 0 {
		p := e.propStart(pin2TableID)
		e.u8(m.TableID)
		e.propEnd(p)
	}
	if m.Cookie != ^uint64(0) {
		p := e.propStart(pin2Cookie)
		e.pad(4)
		e.u64(m.Cookie)
		e.propEnd(p)
	}
	p := e.propStart(pin2Reason)
	e.u8(wireReason(m.Reason, max(e.v, V14)))
	e.propEnd(p)
	p = e.propStart(pin2Metadata)
	e.nxFields(&m.Metadata, e.nxmVersion())
	e.propEnd(p)
	if len(m.Userdata) > 0 {
		p = e.propStart(pin2Userdata)
		e.bytes(m.Userdata)
		e.propEnd(p)
	}
	if m.Continuation != nil {
		p = e.propStart(pin2Continuation)
		e.pad(4)
		e.bytes(m.Continuation.Raw)
		e.propEnd(p)
	}
}

func decPacketOut(d *decoder) Message {
	m := &PacketOut{BufferID: d.u32()}
	m.Metadata.SetDefaultPacketType()
	var n int
	switch {
	case d.Version == V10:
		setInPort(&m.Metadata, Port10(d.u16()))
		n = int(d.u16())
	case d.Version < V15:
		setInPort(&m.Metadata, d.port32())
		n = int(d.u16())
		d.skip(6)
	default:
		n = int(d.u16())
		d.skip(2)
		m.Metadata = d.match11(matchOptions{pipeline: true, loose: true})
		m.Metadata.SetDefaultPacketType()
		if d.err == nil && m.Metadata.Mask.InPort == 0 {
			d.fail(ErrBRCBadPort)
		}
	}
	d.checkInPort(InPort(&m.Metadata))
	if n%8 != 0 && d.err == nil {
		d.logf("ofp_actions", true, sprintf("OpenFlow message actions length %d is not a multiple of 8", n))
		d.fail(ErrBRCBadLen)
	}
	if d.err == nil && n > d.left() {
		d.logf("ofp_actions", true, sprintf("OpenFlow message actions length %d exceeds remaining message length (%d)", n, d.left()))
		d.fail(ErrBRCBadLen)
	}
	c := d.sub(n, ErrBRCBadLen)
	m.Actions = d.actions(&c)
	if m.BufferID == NoBuffer {
		m.Data = d.rest()
	} else {
		d.off = len(d.b)
	}
	return m
}

// checkInPort refuses the reserved ports that a packet can't come in on.
func (d *decoder) checkInPort(p PortNo) {
	if d.err == nil && p >= PortMax && p != PortLocal && p != PortNone && p != PortController {
		d.logf("ofp_packet", true, sprintf("packet-out has bad input port %#x", uint32(p)))
		d.fail(ErrBRCBadPort)
	}
}

func (e *encoder) encodePacketOut(m *PacketOut) {
	e.start("OFPT_PACKET_OUT")
	e.u32(m.BufferID)
	at := 0
	switch {
	case e.v == V10:
		e.u16(InPort(&m.Metadata).To10())
		at = e.len()
		e.u16(0)
	case e.v < V15:
		e.u32(uint32(InPort(&m.Metadata)))
		at = e.len()
		e.u16(0)
		e.pad(6)
	default:
		at = e.len()
		e.u16(0)
		e.pad(2)
		e.match11(&m.Metadata)
	}
	start := e.len()
	e.actions(m.Actions)
	e.put16(at, e.len()-start)
	if m.BufferID == NoBuffer {
		e.bytes(m.Data)
	}
}

// Codecs of flow monitors (NXST_FLOW_MONITOR; OpenFlow 1.4, 7.3.5.17).

func decFlowMonitorRequest(d *decoder) Message {
	m := &FlowMonitorRequest{}
	for d.left() > 0 && d.err == nil {
		m.Monitors = append(m.Monitors, d.flowMonitor())
	}
	return m
}

func (d *decoder) flowMonitor() FlowMonitor {
	f := FlowMonitor{ID: d.u32(), OutGroup: GroupAny}
	switch d.row.kind {
	case kindNXST:
		f.Flags = d.monitorFlags(d.u16(), 0x3f)
		if f.Flags&nxMonitorOwn != 0 {
			f.Flags = f.Flags&^nxMonitorOwn | MonitorOnlyOwn
		}
		f.OutPort = Port10(d.u16())
		n := int(d.u16())
		f.TableID = d.u8()
		d.zeros(5, ErrNXBRCMustBeZero)
		f.Match = d.nxMatchLen(n, matchOptions{})
	case kindONFST:
		f.Flags = d.monitorFlags(d.u16(), 0x3f)
		if f.Flags&nxMonitorOwn != 0 {
			f.Flags = f.Flags&^nxMonitorOwn | MonitorOnlyOwn
		}
		d.skip(2)
		f.OutPort = d.port32()
		f.TableID = d.u8()
		d.zeros(3, ErrNXBRCMustBeZero)
		f.Match = d.match11(matchOptions{})
	default:
		port := d.sub(4, ErrBRCBadLen)
		f.OutGroup = d.u32()
		flags := d.u16()
		f.TableID, f.Command = d.u8(), FlowMonitorCommand(d.u8())
		if f.Command > MonitorCmdDelete {
			d.fail(ErrMOFCBadCommand)
		}
		if f.Command != MonitorCmdDelete { // which looks at the number alone
			f.Flags = d.monitorFlags(flags, 0x7f)
		}
		f.OutPort = port.port32()
		d.failErr(port.err)
		f.Match = d.match11(matchOptions{})
	}
	return f
}

// monitorFlags checks flags, of which some are known and one or more must name a
// change to tell of.
func (d *decoder) monitorFlags(flags uint16, known FlowMonitorFlags) FlowMonitorFlags {
	f := FlowMonitorFlags(flags)
	if f&^known != 0 || f&(MonitorAdd|MonitorRemoved|MonitorModify) == 0 {
		d.fail(ErrMOFCBadFlags)
	}
	return f
}

// nxMonitorOwn is NXFMF_OWN.
const nxMonitorOwn FlowMonitorFlags = 32

func (e *encoder) encodeFlowMonitor(m *FlowMonitorRequest) {
	e.start(monitorName(e.v, "ST_FLOW_MONITOR_REQUEST"))
	for i := range m.Monitors {
		f := &m.Monitors[i]
		e.u32(f.ID)
		switch e.row.kind {
		case kindNXST:
			flags := f.Flags & 0x1f
			if f.Flags&MonitorOnlyOwn != 0 {
				flags |= nxMonitorOwn
			}
			e.u16(uint16(flags))
			e.u16(f.OutPort.To10())
			at := e.len()
			e.u16(0)
			e.u8(f.TableID)
			e.pad(5)
			e.put16(at, e.nxMatch(&f.Match, 0, 0))
		case kindONFST:
			flags := f.Flags & 0x1f
			if f.Flags&MonitorOnlyOwn != 0 {
				flags |= nxMonitorOwn
			}
			e.u16(uint16(flags))
			at := e.len()
			e.u16(0)
			e.u32(uint32(f.OutPort))
			e.u8(f.TableID)
			e.pad(3)
			start := e.len()
			e.match11(&f.Match)
			e.put16(at, e.len()-start)
		default:
			e.u32(uint32(f.OutPort))
			e.u32(f.OutGroup)
			e.u16(uint16(f.Flags))
			e.u8(f.TableID)
			e.u8(uint8(f.Command))
			e.match11(&f.Match)
		}
		e.endEntry()
	}
}

// monitorName puts the prefix of the version before a name of a monitor message.
func monitorName(v Version, s string) string {
	switch {
	case v < V13:
		return "NX" + s
	case v == V13:
		return "ONF" + s
	}
	return "OFP" + s
}

// Events of OpenFlow 1.4 in the order of their numbers.
var events14 = []FlowUpdateEvent{
	UpdateInitial, UpdateAdded, UpdateDeleted, UpdateModified, UpdateAbbrev, UpdatePaused, UpdateResumed,
}

func decFlowMonitorReply(d *decoder) Message {
	m := &FlowMonitorReply{}
	for d.left() > 0 && d.err == nil {
		m.Updates = append(m.Updates, d.flowUpdate())
	}
	return m
}

func (d *decoder) flowUpdate() FlowUpdate {
	n := int(d.u16())
	ev := int(d.u16())
	var u FlowUpdate
	if d.err == nil && (n < 8 || n%8 != 0) {
		d.fail(ErrNXBRCFMBadEvent)
	}
	std := d.row.kind == kindOFPST
	switch {
	case std && ev < len(events14):
		u.Event = events14[ev]
	case !std && ev <= int(UpdateAbbrev):
		u.Event = FlowUpdateEvent(ev)
	default:
		d.fail(ErrNXBRCFMBadEvent)
	}
	c := &decoder{cursor: d.sub(n-4, ErrBRCBadLen), MsgHeader: d.MsgHeader, row: d.row, opt: d.opt, t: d.t}
	switch {
	case u.Event == UpdateAbbrev:
		u.Xid = c.u32()
	case u.Event == UpdatePaused || u.Event == UpdateResumed:
		c.skip(4)
	case std:
		u.TableID = c.u8()
		u.Reason = FlowRemovedReason(c.u8())
		u.IdleTimeout, u.HardTimeout, u.Priority = c.u16(), c.u16(), c.u16()
		c.skip(4)
		u.Cookie = c.u64()
		u.Match = c.match11(matchOptions{})
		u.Actions = c.instructions(&c.cursor)
	default:
		u.Reason = FlowRemovedReason(c.u16())
		u.Priority, u.IdleTimeout, u.HardTimeout = c.u16(), c.u16(), c.u16()
		mlen := int(c.u16())
		u.TableID = c.u8()
		c.skip(1)
		u.Cookie = c.u64()
		if d.row.kind == kindONFST {
			u.Match = c.match11(matchOptions{})
		} else {
			u.Match = c.nxMatchLen(mlen, matchOptions{})
		}
		if d.row.kind == kindNXST {
			u.Actions = c.actions(&c.cursor)
		} else {
			u.Actions = c.instructions(&c.cursor)
		}
	}
	d.failErr(c.err)
	return u
}

func (e *encoder) encodeFlowUpdates(m *FlowMonitorReply) {
	e.start(monitorName(e.v, "ST_FLOW_MONITOR_REPLY"))
	for i := range m.Updates {
		e.flowUpdate(&m.Updates[i])
		e.endEntry()
	}
}

func (e *encoder) flowUpdate(u *FlowUpdate) {
	start := e.len()
	std := e.row.kind == kindOFPST
	ev := uint16(u.Event)
	if std {
		for i, x := range events14 {
			if x == u.Event {
				ev = uint16(i)
			}
		}
	} else if u.Event == UpdateInitial {
		ev = uint16(UpdateAdded)
	}
	e.u16(0)
	e.u16(ev)
	switch {
	case u.Event == UpdateAbbrev:
		e.u32(u.Xid)
	case u.Event == UpdatePaused || u.Event == UpdateResumed:
		e.pad(4)
	case std:
		e.u8(u.TableID)
		e.u8(uint8(u.Reason))
		e.u16(u.IdleTimeout)
		e.u16(u.HardTimeout)
		e.u16(u.Priority)
		e.pad(4)
		e.u64(u.Cookie)
		e.match11(&u.Match)
		e.instructions(u.Actions)
	default:
		e.u16(uint16(u.Reason))
		e.u16(u.Priority)
		e.u16(u.IdleTimeout)
		e.u16(u.HardTimeout)
		at := e.len()
		e.u16(0)
		e.u8(u.TableID)
		e.pad(1)
		e.u64(u.Cookie)
		if e.row.kind == kindONFST {
			s := e.len()
			e.match11(&u.Match)
			e.put16(at, e.len()-s)
		} else {
			e.put16(at, e.nxMatch(&u.Match, 0, 0))
		}
		if e.row.kind == kindNXST {
			e.actions(u.Actions)
		} else {
			e.instructions(u.Actions)
		}
	}
	e.put16(start, e.len()-start)
}

func decFlowMonitorCancel(d *decoder) Message { return &FlowMonitorCancel{ID: d.u32()} }
