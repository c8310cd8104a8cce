package openflow

// Codecs of the message that a flow is gone.

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

// removedHead writes the members from the cookie to the idle timeout, as all versions
// before 1.5 have them; 1.0 has no table.
func (e *encoder) removedHead(m *FlowRemoved, table uint8) {
	e.u64(m.Cookie)
	e.u16(m.Priority)
	e.u8(uint8(m.Reason))
	e.u8(table)
	e.u32(m.DurationSec)
	e.u32(m.DurationNsec)
	e.u16(m.IdleTimeout)
}

func (e *encoder) encodeFlowRemoved(m *FlowRemoved) {
	switch {
	case e.v == V10 && (m.NXM || e.proto&PAnyNXM != 0):
		e.start("NXT_FLOW_REMOVED")
		e.removedHead(m, m.TableID+1)
		at := e.len()
		e.u16(0)
		e.u64(m.Packets)
		e.u64(m.Bytes)
		e.put16(at, e.nxMatch(&m.Match, 0, 0))
	case e.v == V10:
		e.start("OFPT_FLOW_REMOVED")
		e.match10(&m.Match)
		e.removedHead(m, 0)
		e.pad(2)
		e.u64(m.Packets)
		e.u64(m.Bytes)
	case e.v < V15:
		e.start("OFPT_FLOW_REMOVED")
		e.removedHead(m, m.TableID)
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
