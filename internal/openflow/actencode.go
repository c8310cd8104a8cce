package openflow

import (
	"fmt"

	"weir/internal/flow"
	"weir/internal/packet"
)

// of starts a standard action, nxa a Nicira one; actEnd pads it to a multiple
// of eight bytes and writes the length.
func (e *encoder) of(num uint16) int {
	e.u16(num)
	e.u16(0)
	return e.len() - 4
}

func (e *encoder) nxa(num uint16) int {
	e.u16(0xffff)
	e.u16(0)
	e.u32(VendorNicira)
	e.u16(num)
	return e.len() - 10
}

func (e *encoder) actEnd(start int) {
	e.padTo8(start)
	e.put16(start+2, e.len()-start)
}

// either starts the standard action num from OpenFlow 1.1 on, and the Nicira
// action nx in 1.0.
func (e *encoder) either(num, nxnum uint16) int {
	if e.v == V10 {
		return e.nxa(nxnum)
	}
	return e.of(num)
}

// v10 chooses between the numbers of OpenFlow 1.0 and later.
func (e *encoder) v10(a, b uint16) uint16 {
	if e.v == V10 {
		return a
	}
	return b
}

// actions writes an action list.
func (e *encoder) actions(as []Action) {
	for _, a := range as {
		e.action(a)
	}
}

func (e *encoder) arg8(start int, v uint8) {
	e.u8(v)
	e.actEnd(start)
}

func (e *encoder) arg16(start int, v uint16) {
	e.u16(v)
	e.actEnd(start)
}

// arg32 aligns a 32-bit argument.
func (e *encoder) arg32(start int, v uint32) {
	if (e.len()-start)%4 != 0 {
		e.pad(2)
	}
	e.u32(v)
	e.actEnd(start)
}

func (e *encoder) action(a Action) {
	if e.outputAction(a) || e.headerAction(a) || e.plainAction(a) || e.fieldAction(a) || e.bigAction(a) {
		return
	}
	e.fail(fmt.Errorf("action %s has no form in OpenFlow %s", ActionName(a), e.v.Dotted()))
}

func (e *encoder) outputAction(a Action) bool {
	switch a := a.(type) {
	case *Output:
		s := e.of(0)
		e.port(a.Port)
		e.u16(a.MaxLen)
		e.actEnd(s)
	case *Enqueue:
		if e.v > V10 {
			e.enqueueAsQueue(a)
			return true
		}
		s := e.of(11)
		e.u16(a.Port.To10())
		e.pad(6)
		e.u32(a.Queue)
		e.actEnd(s)
	case *OutputReg:
		e.outputReg(a)
	case *OutputTrunc:
		s := e.nxa(39)
		e.u16(a.Port.To10())
		e.u32(a.MaxLen)
		e.actEnd(s)
	case *Controller:
		e.controller(a)
	case *Group:
		e.arg32(e.either(22, 40), a.ID)
	case *SetQueue:
		e.arg32(e.either(21, 4), a.Queue)
	case *PopQueue:
		e.actEnd(e.nxa(5))
	default:
		return false
	}
	return true
}

// enqueueAsQueue: OpenFlow 1.1 has set_queue, output and pop_queue instead.
func (e *encoder) enqueueAsQueue(a *Enqueue) {
	e.action(&SetQueue{Queue: a.Queue})
	e.action(&Output{Port: a.Port, MaxLen: 0xffff})
	e.action(&PopQueue{})
}

func (e *encoder) controller(c *Controller) {
	if !c.V2 && len(c.Userdata) == 0 && !c.Pause && c.MeterID == 0 {
		s := e.nxa(20)
		e.u16(c.MaxLen)
		e.u16(c.ControllerID)
		e.u8(c.Reason)
		e.actEnd(s)
		return
	}
	s := e.nxa(37)
	e.pad(6)
	if c.MaxLen != 0xffff {
		e.prop16(0, c.MaxLen)
	}
	if c.ControllerID != 0 {
		e.prop16(1, c.ControllerID)
	}
	if c.Reason != uint8(ReasonAction) {
		p := e.propStart(2)
		e.u8(c.Reason)
		e.propEnd(p)
	}
	if len(c.Userdata) > 0 {
		p := e.propStart(3)
		e.bytes(c.Userdata)
		e.propEnd(p)
	}
	if c.Pause {
		p := e.propStart(4)
		e.propEnd(p)
	}
	if c.MeterID != 0 {
		p := e.propStart(5)
		e.u32(c.MeterID)
		e.propEnd(p)
	}
	e.actEnd(s)
}

// headerAction writes the actions that change a header by their own number.
// OpenFlow 1.2 and later have set_field instead.
func (e *encoder) headerAction(a Action) bool {
	if id, v, ok := headerField(a); ok && e.setExact(id, v) {
		return true
	}
	return e.tagAction(a) || e.oldHeaderAction(a)
}

// headerField returns the field that an action sets, and to what, where OpenFlow 1.2
// and later have no other way to say it.
func headerField(a Action) (id flow.FieldID, v uint64, ok bool) {
	switch a := a.(type) {
	case *SetEthSrc:
		return flow.FieldEthSrc, macValue(a.MAC), true
	case *SetEthDst:
		return flow.FieldEthDst, macValue(a.MAC), true
	case *SetIPv4Src:
		return flow.FieldIPv4Src, uint64(a.Addr), true
	case *SetIPv4Dst:
		return flow.FieldIPv4Dst, uint64(a.Addr), true
	case *SetIPDSCP:
		return flow.FieldIPDSCP, uint64(a.DSCP) >> 2, true
	case *SetIPECN:
		return flow.FieldIPECN, uint64(a.ECN), true
	case *SetL4SrcPort:
		return l4Field(a.Proto, flow.FieldTCPSrc, flow.FieldUDPSrc, flow.FieldSCTPSrc), uint64(a.Port), true
	case *SetL4DstPort:
		return l4Field(a.Proto, flow.FieldTCPDst, flow.FieldUDPDst, flow.FieldSCTPDst), uint64(a.Port), true
	}
	return 0, 0, false
}

// tagAction writes the actions on VLAN tags. OpenFlow 1.0 pushes a tag by setting it.
func (e *encoder) tagAction(a Action) bool {
	pushIf := func(wanted, there bool) {
		if e.v != V10 && wanted && !there {
			e.arg16(e.of(17), 0x8100)
		}
	}
	switch a := a.(type) {
	case *SetVLANVID:
		pushIf(a.PushIfNeeded, a.FlowHasVLAN)
		if !e.setExact(flow.FieldVLANVID, uint64(a.VID)|flow.VLANPresent) {
			e.arg16(e.of(1), a.VID)
		}
	case *SetVLANPCP:
		pushIf(a.PushIfNeeded, a.FlowHasVLAN)
		if !e.setExact(flow.FieldVLANPCP, uint64(a.PCP)) {
			e.arg8(e.of(2), a.PCP)
		}
	case *StripVLAN:
		e.actEnd(e.of(e.v10(3, 18)))
	case *PushVLAN:
		if e.v != V10 {
			e.arg16(e.of(17), a.EthType)
		}
	default:
		return false
	}
	return true
}

// oldHeaderAction writes the actions of OpenFlow 1.0 and 1.1, and set_nw_ttl.
func (e *encoder) oldHeaderAction(a Action) bool {
	num := func(v10, v11 uint16) int { return e.of(e.v10(v10, v11)) }
	switch a := a.(type) {
	case *SetEthSrc:
		s := num(4, 3)
		e.bytes(a.MAC[:])
		e.actEnd(s)
	case *SetEthDst:
		s := num(5, 4)
		e.bytes(a.MAC[:])
		e.actEnd(s)
	case *SetIPv4Src:
		e.arg32(num(6, 5), a.Addr)
	case *SetIPv4Dst:
		e.arg32(num(7, 6), a.Addr)
	case *SetIPDSCP:
		e.arg8(num(8, 7), a.DSCP)
	case *SetIPECN:
		if e.v == V10 {
			e.setFieldLoad(flow.FieldIPECN, uint64(a.ECN))
		} else {
			e.arg8(e.of(8), a.ECN)
		}
	case *SetL4SrcPort:
		e.arg16(e.of(9), a.Port)
	case *SetL4DstPort:
		e.arg16(e.of(10), a.Port)
	case *SetIPTTL:
		if e.v == V10 {
			e.setFieldLoad(flow.FieldIPTTL, uint64(a.TTL))
		} else {
			e.arg8(e.of(23), a.TTL)
		}
	default:
		return false
	}
	return true
}

// l4Field chooses the field of a protocol's port, TCP's when it isn't known.
func l4Field(proto uint8, tcp, udp, sctp flow.FieldID) flow.FieldID {
	switch proto {
	case packet.ProtoUDP:
		return udp
	case packet.ProtoSCTP:
		return sctp
	}
	return tcp
}

func (e *encoder) setFieldLoad(id flow.FieldID, v uint64) {
	f := id.Field()
	e.regLoads(&SetField{Field: f, Value: flow.V(v), Mask: f.Exact()})
}

func macValue(m [6]byte) uint64 { return flow.ValueFromBytes(m[:]).Lo }

// plainAction writes the actions that have one form in all versions, or two.
func (e *encoder) plainAction(a Action) bool {
	switch a := a.(type) {
	case *DecTTL:
		e.decTTL(a)
	case *SetTunnelID:
		e.setTunnelID(a)
	case *Resubmit:
		e.resubmit(a)
	case *Exit:
		e.actEnd(e.nxa(17))
	case *Note:
		s := e.nxa(8)
		e.bytes(a.Data)
		e.actEnd(s)
	case *FinTimeout:
		s := e.nxa(19)
		e.u16(a.Idle)
		e.arg16(s, a.Hard)
	case *Conjunction:
		s := e.nxa(34)
		e.u8(a.Clause)
		e.u8(a.N)
		e.u32(a.ID)
		e.actEnd(s)
	case *CTClear:
		e.actEnd(e.nxa(43))
	case *DecNSHTTL:
		e.actEnd(e.nxa(48))
	case *DebugSlow:
		e.actEnd(e.nxa(254))
	case *DebugRecirc:
		e.actEnd(e.nxa(255))
	case *Decap:
		s := e.nxa(47)
		e.pad(2)
		e.u32(a.NewPacketType)
		e.actEnd(s)
	default:
		return e.labelAction(a) || e.instructionAsAction(a)
	}
	return true
}

func (e *encoder) decTTL(a *DecTTL) {
	if !a.FromIDs && (len(a.IDs) == 0 || len(a.IDs) == 1 && a.IDs[0] == 0) {
		e.actEnd(e.either(24, 18))
		return
	}
	s := e.nxa(21)
	e.u16(uint16(len(a.IDs)))
	e.pad(4)
	for _, id := range a.IDs {
		e.u16(id)
	}
	e.actEnd(s)
}

// labelAction writes the actions on MPLS labels.
func (e *encoder) labelAction(a Action) bool {
	switch a := a.(type) {
	case *SetMPLSLabel:
		if !e.setExact(flow.FieldMPLSLabel, uint64(a.Label)) {
			e.arg32(e.either(13, 30), a.Label)
		}
	case *SetMPLSTC:
		if !e.setExact(flow.FieldMPLSTC, uint64(a.TC)) {
			e.arg8(e.either(14, 31), a.TC)
		}
	case *SetMPLSTTL:
		e.arg8(e.either(15, 25), a.TTL)
	case *DecMPLSTTL:
		e.actEnd(e.either(16, 26))
	case *PushMPLS:
		e.arg16(e.either(19, 23), a.EthType)
	case *PopMPLS:
		e.arg16(e.either(20, 24), a.EthType)
	default:
		return false
	}
	return true
}

// instructionAsAction writes the instructions that have an action form.
func (e *encoder) instructionAsAction(a Action) bool {
	switch a := a.(type) {
	case *MeterInst:
		if e.v >= V15 {
			e.arg32(e.of(29), a.ID)
		}
	case *WriteMetadata:
		s := e.nxa(22)
		e.pad(6)
		e.u64(a.Value)
		e.u64(a.Mask)
		e.actEnd(s)
	case *GotoTable:
		s := e.nxa(14)
		e.u16(PortInPort.To10())
		e.u8(a.Table)
		e.pad(3)
		e.actEnd(s)
	case *ClearActions, *WriteActions:
		// Instructions alone; OpenFlow 1.0 can't say them.
	default:
		return false
	}
	return true
}

func (e *encoder) resubmit(a *Resubmit) {
	if a.Table == TableAny && !a.WithCT && !a.FromTable {
		e.arg16(e.nxa(1), a.InPort.To10())
		return
	}
	num := uint16(14)
	if a.WithCT {
		num = 44
	}
	s := e.nxa(num)
	e.u16(a.InPort.To10())
	e.u8(a.Table)
	e.pad(3)
	e.actEnd(s)
}

// outputReg uses the first form where the field's header has four bytes.
func (e *encoder) outputReg(a *OutputReg) {
	c, _ := a.Src.Field.NXM()
	if c.Header.Class() == flow.ClassExperimenter {
		s := e.nxa(32)
		e.u16(packOfsNBits(a.Src))
		e.u16(a.MaxLen)
		e.nxmHead(a.Src.Field)
		e.pad(24 - (e.len() - s))
		e.actEnd(s)
		return
	}
	s := e.nxa(15)
	e.u16(packOfsNBits(a.Src))
	e.nxmHead(a.Src.Field)
	e.u16(a.MaxLen)
	e.pad(6)
	e.actEnd(s)
}

// nxmHead writes a field's header as Nicira actions have it.
func (e *encoder) nxmHead(f *flow.Field) { e.oxmHead(f, false, V10) }
