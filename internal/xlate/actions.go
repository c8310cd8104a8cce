package xlate

import (
	"weir/internal/datapath"
	"weir/internal/flow"
	"weir/internal/openflow"
	"weir/internal/packet"
	"weir/internal/pipeline"
)

// run runs actions one after the other. last says that nothing follows the
// last of them, so that it may leave the packet changed.
func (x *Translator) run(actions []openflow.Action, last bool) {
	final := lastToUse(actions)
	for i, a := range actions {
		if x.res.Err != ErrNone || x.exit {
			return
		}
		if x.wasMPLS && !x.freezing && x.freezesAfterMPLS(a) {
			x.freezeHere()
		}
		if x.freezing {
			x.keepForLater(actions[i:])
			return
		}
		x.traceAction(a)
		x.act(a, actions[i+1:], last && i >= final)
		if x.stop {
			x.stop = false
			return
		}
	}
}

// lastToUse is the place of the last action that does more than change the
// packet or the stack: after it nobody sees what became of the packet.
func lastToUse(actions []openflow.Action) int {
	for i := len(actions) - 1; i >= 0; i-- {
		switch actions[i].(type) {
		case *openflow.SetField, *openflow.Move, *openflow.Push, *openflow.Pop, *openflow.Note:
		default:
			return i
		}
	}
	return -1
}

// act runs one action.
func (x *Translator) act(a openflow.Action, rest []openflow.Action, last bool) {
	switch a := a.(type) {
	case *openflow.Output:
		x.output(a.Port, a.MaxLen, last)
	case *openflow.OutputReg:
		x.mark(a.Src)
		port := openflow.PortNo(x.get(a.Src).Lo)
		x.detail("output port is %s", flow.FormatPort(uint32(port), x.portNames()))
		x.output(port, a.MaxLen, last)
	case *openflow.OutputTrunc:
		x.outputTrunc(a, last)
	case *openflow.Controller:
		if a.Pause {
			x.pause = a
			x.freezeHere()
			return
		}
		x.controller(a)
	case *openflow.Enqueue:
		x.enqueue(a, last)
	case *openflow.SetQueue:
		x.flow.SkbPriority = x.queuePriority(a.Queue)
	case *openflow.PopQueue:
		x.flow.SkbPriority = x.origPriority
		x.detail("queue = %s", cNumber(x.origPriority))
	case *openflow.Resubmit:
		x.resubmit(a, last)
	case *openflow.GotoTable:
		x.again(openflow.PortNo(x.flow.InPort), a.Table, true, true, last)
	case *openflow.Group:
		x.toGroup(a.ID, last)
	case *openflow.Clone:
		x.clone(a.Actions, last)
	case *openflow.Exit:
		x.exit = true
	case *openflow.WriteActions:
		x.writeActions(a.Actions)
		if x.trace != nil {
			x.detail("action set is%s", x.setText())
		}
	case *openflow.ClearActions:
		if x.trace != nil {
			x.detail("action set was%s", x.setText())
		}
		x.actionSet = x.actionSet[:0]
		x.noteActsetOutput()
	case *openflow.WriteMetadata:
		x.flow.Metadata = x.flow.Metadata&^a.Mask | a.Value&a.Mask
		x.wc.Metadata |= a.Mask
	case *openflow.MeterInst:
		x.meter(a.ID)
	case *openflow.Push:
		x.mark(a.Src)
		x.stack = append(x.stack, x.get(a.Src))
	case *openflow.Pop:
		x.popStack(a.Dst)
	case *openflow.FinTimeout:
		x.finTimeout(a)
	case *openflow.Note, *openflow.Conjunction:
	default:
		if !x.change(a) {
			x.moreActions(a, rest, last)
		}
	}
}

func (x *Translator) portNames() flow.PortNames {
	if x.trace != nil {
		return x.trace.PortNames
	}
	return nil
}

// change runs the actions that change fields of the packet.
func (x *Translator) change(a openflow.Action) bool {
	f, w := &x.flow, x.wc
	switch a := a.(type) {
	case *openflow.SetField:
		x.setField(a)
	case *openflow.Move:
		x.move(a)
	case *openflow.SetEthSrc:
		if f.PacketType == 0 {
			f.EthSrc, w.EthSrc = a.MAC, packet.Broadcast
		}
	case *openflow.SetEthDst:
		if f.PacketType == 0 {
			f.EthDst, w.EthDst = a.MAC, packet.Broadcast
		}
	case *openflow.SetVLANVID:
		x.setTCI(vidMask, a.VID, a.PushIfNeeded)
	case *openflow.SetVLANPCP:
		x.setTCI(0xe000, uint16(a.PCP)<<13, a.PushIfNeeded)
	case *openflow.StripVLAN:
		x.popVLAN()
	case *openflow.PushVLAN:
		x.pushVLAN(a.EthType)
	case *openflow.SetMPLSLabel:
		x.setLSE(lseLabelMask, a.Label<<lseLabelShift)
	case *openflow.SetMPLSTC:
		x.setLSE(lseTCMask, uint32(a.TC)<<lseTCShift)
	case *openflow.SetMPLSTTL:
		x.setLSE(lseTTLMask, uint32(a.TTL))
	case *openflow.DecMPLSTTL:
		x.decMPLSTTL()
	case *openflow.PushMPLS:
		x.pushMPLS(a.EthType)
	case *openflow.PopMPLS:
		x.popMPLS(a.EthType)
	case *openflow.SetTunnelID:
		f.Tunnel.ID = a.ID
	case *openflow.DecTTL:
		x.decTTL(a)
	case *openflow.DecNSHTTL:
		x.decNSHTTL()
	case *openflow.Encap:
		x.encap(a)
	case *openflow.Decap:
		x.decap(a)
	default:
		return x.changeL3(a)
	}
	return true
}

// changeL3 runs the mod_nw_* and mod_tp_* actions, which act on packets that
// have the header.
func (x *Translator) changeL3(a openflow.Action) bool {
	f, w := &x.flow, x.wc
	v4 := f.L3Type() == packet.EtherTypeIPv4
	if isIP(f.L3Type()) {
		// Without a protocol the data path can't set anything.
		switch a.(type) {
		case *openflow.SetIPv4Src, *openflow.SetIPv4Dst, *openflow.SetIPDSCP, *openflow.SetIPECN, *openflow.SetIPTTL,
			*openflow.SetL4SrcPort, *openflow.SetL4DstPort:
			w.NwProto = 0xff
		}
	}
	switch a := a.(type) {
	case *openflow.SetIPv4Src:
		if v4 {
			f.IPSrc, w.IPSrc = a.Addr, ^uint32(0)
		}
	case *openflow.SetIPv4Dst:
		if v4 {
			f.IPDst, w.IPDst = a.Addr, ^uint32(0)
		}
	case *openflow.SetIPDSCP:
		if isIP(f.L3Type()) {
			f.NwTOS = f.NwTOS&3 | a.DSCP&^3
			w.NwTOS |= 0xfc
		}
	case *openflow.SetIPECN:
		if isIP(f.L3Type()) {
			f.NwTOS = f.NwTOS&^3 | a.ECN&3
			w.NwTOS |= 3
		}
	case *openflow.SetIPTTL:
		if isIP(f.L3Type()) {
			f.NwTTL, w.NwTTL = a.TTL, 0xff
		}
	case *openflow.SetL4SrcPort:
		if x.portsSettable() {
			f.TpSrc, w.TpSrc = a.Port, 0xffff
		}
	case *openflow.SetL4DstPort:
		if x.portsSettable() {
			f.TpDst, w.TpDst = a.Port, 0xffff
		}
	default:
		return false
	}
	return true
}

func (x *Translator) portsSettable() bool {
	return hasPorts(&x.flow) && x.flow.NwFrag&flow.FragLater == 0
}

// mark makes the bits of a subfield count.
func (x *Translator) mark(s openflow.Subfield) {
	s.Field.Mark(x.wc, flow.Ones(int(s.N)).Shl(int(s.Ofs)))
}

// get reads a subfield.
func (x *Translator) get(s openflow.Subfield) flow.Value {
	return s.Field.Get(&x.flow).Shr(int(s.Ofs)).And(flow.Ones(int(s.N)))
}

// set writes a subfield.
func (x *Translator) set(s openflow.Subfield, v flow.Value) {
	x.write(s.Field, v.Shl(int(s.Ofs)), flow.Ones(int(s.N)).Shl(int(s.Ofs)))
}

// write sets bits of a field. A tag that comes into being so is one of 802.1Q.
func (x *Translator) write(f *flow.Field, v, mask flow.Value) {
	f.SetMasked(&x.flow, v, mask)
	if f.ID < flow.FieldVLANTCI || f.ID > flow.FieldVLANPCP {
		return
	}
	x.wc.VLANs[0].TCI |= flow.VLANPresent
	switch t := &x.flow.VLANs[0]; {
	case t.TCI == 0:
		t.TPID = 0
	case t.TPID == 0:
		t.TPID = packet.EtherTypeVLAN
	}
}

func (x *Translator) setField(a *openflow.SetField) {
	f := a.Field
	f.MarkPrereqs(x.wc)
	if !f.Applies(&x.flow) {
		x.warn("unmet prerequisites for %s, set_field ignored", f.Name)
		return
	}
	x.markIPSet(f)
	f.Mark(x.wc, a.Mask)
	x.write(f, a.Value, a.Mask)
}

// markIPSet marks the protocol, or the operation of ARP, when a field of the
// header is changed: a data path can't change packets without one.
func (x *Translator) markIPSet(f *flow.Field) {
	ip := f.ID >= flow.FieldIPv4Src && f.ID <= flow.FieldIPTTL && isIP(x.flow.L3Type())
	arp := f.ID >= flow.FieldARPOp && f.ID <= flow.FieldARPTHA && x.flow.L3Type() == packet.EtherTypeARP
	if ip || arp {
		x.wc.NwProto = 0xff
	}
}

func (x *Translator) move(a *openflow.Move) {
	for _, f := range []*flow.Field{a.Src.Field, a.Dst.Field} {
		f.MarkPrereqs(x.wc)
		if !f.Applies(&x.flow) {
			return
		}
	}
	x.mark(a.Src)
	x.mark(a.Dst)
	x.set(a.Dst, x.get(a.Src))
	x.detailSubfield(a.Dst)
}

// detailSubfield notes what a subfield now holds.
func (x *Translator) detailSubfield(s openflow.Subfield) {
	if x.trace == nil {
		return
	}
	v := s.Field.Get(&x.flow)
	mask := s.Field.Exact()
	if int(s.N) != s.Field.NBits {
		// A part is shown as the whole would be with only that part in it.
		v = v.And(flow.Ones(int(s.N)).Shl(int(s.Ofs)))
		x.detail("%s is now %s", s, formatNumber(v.Shr(int(s.Ofs))))
		return
	}
	x.detail("%s is now %s", s, s.Field.FormatValue(v, mask, x.portNames()))
}

func (x *Translator) popStack(dst openflow.Subfield) {
	n := len(x.stack)
	if n == 0 {
		x.complain("stack underflow")
		return
	}
	v := x.stack[n-1]
	x.stack = x.stack[:n-1]
	x.mark(dst)
	x.set(dst, v.And(flow.Ones(int(dst.N))))
	x.detailSubfield(dst)
}

// setTCI changes a part of the outer tag; without a tag it pushes one if it may.
func (x *Translator) setTCI(mask, bits uint16, push bool) {
	if x.flow.PacketType != 0 {
		return
	}
	v := &x.flow.VLANs[0]
	x.wc.VLANs[0].TCI |= mask | flow.VLANPresent
	if v.TCI&flow.VLANPresent == 0 {
		if !push {
			return
		}
	}
	if v.TPID == 0 {
		v.TPID = packet.EtherTypeVLAN
	}
	v.TCI = v.TCI&^mask | bits | flow.VLANPresent
}

func (x *Translator) markVLANs() {
	for i := range x.wc.VLANs {
		x.wc.VLANs[i] = flow.VLAN{TPID: 0xffff, TCI: 0xffff}
	}
}

func (x *Translator) popVLAN() {
	if x.flow.PacketType != 0 {
		return
	}
	v := &x.flow.VLANs
	n := numVLANs(&x.flow)
	x.wc.VLANs[0].TCI |= flow.VLANPresent
	if n == 0 {
		return
	}
	x.markVLANs()
	copy(v[:], v[1:])
	v[len(v)-1] = flow.VLAN{}
}

// pushVLAN pushes a tag of VLAN 0 and priority 0. OpenFlow 1.1 and later would have
// it copied from the tag below; Open vSwitch does not, and flows rely on that.
func (x *Translator) pushVLAN(tpid uint16) {
	if x.flow.PacketType != 0 {
		return
	}
	x.markVLANs()
	v := &x.flow.VLANs
	copy(v[1:], v[:])
	v[0] = flow.VLAN{TPID: tpid, TCI: flow.VLANPresent}
}

// decTTL decrements the IP TTL. A packet whose TTL expires goes to the
// controllers that the action names, and no further.
func (x *Translator) decTTL(a *openflow.DecTTL) {
	f := &x.flow
	if !isIP(f.L3Type()) {
		return
	}
	x.wc.NwTTL = 0xff
	x.wc.NwProto = 0xff
	if f.NwTTL > 1 {
		f.NwTTL--
		return
	}
	if f.L3Type() == packet.EtherTypeIPv4 {
		x.warn("IPv4 decrement TTL exception")
	} else {
		x.warn("IPv6 decrement TTL exception")
	}
	x.expired(a.IDs)
}

// expired sends a packet whose TTL ran out to controllers and ends the list of
// actions; those of an earlier table go on.
func (x *Translator) expired(ids []uint16) {
	if len(ids) == 0 {
		ids = []uint16{0}
	}
	for _, id := range ids {
		x.controller(&openflow.Controller{MaxLen: 0xffff, ControllerID: id, Reason: uint8(openflow.ReasonInvalidTTL)})
	}
	x.deny(DropTTL)
	x.stop = true
}

func (x *Translator) resubmit(a *openflow.Resubmit, last bool) {
	inPort, table := a.InPort, a.Table
	if inPort == openflow.PortInPort {
		inPort = openflow.PortNo(x.flow.InPort)
	}
	if table == openflow.TableAny {
		table = x.table
	}
	internal := x.rule != nil && x.rule.Table == pipeline.TableInternal
	if a.WithCT {
		defer x.withConnectionTuple()()
	}
	x.again(inPort, table, internal, internal, last)
}

// withConnectionTuple makes lookups see the addresses and ports of the
// connection's original direction, until the function that it returns is
// called.
func (x *Translator) withConnectionTuple() (undo func()) {
	f := &x.flow
	old := *f
	if f.CTNwProto == 0 {
		return func() {}
	}
	f.NwProto = f.CTNwProto
	f.IPSrc, f.IPDst, f.IPv6Src, f.IPv6Dst = f.CTIPSrc, f.CTIPDst, f.CTIPv6Src, f.CTIPv6Dst
	f.TpSrc, f.TpDst = f.CTTpSrc, f.CTTpDst
	return func() {
		f.NwProto = old.NwProto
		f.IPSrc, f.IPDst, f.IPv6Src, f.IPv6Dst = old.IPSrc, old.IPDst, old.IPv6Src, old.IPv6Dst
		f.TpSrc, f.TpDst = old.TpSrc, old.TpDst
	}
}

func (x *Translator) outputTrunc(a *openflow.OutputTrunc, last bool) {
	port := a.Port
	if p := x.bridge.Ports[port]; p != nil && p.Patch {
		if x.trace != nil {
			x.trace.add(NodeError, "output_trunc does not support patch port %d", port)
		}
		return
	}
	switch {
	case port == openflow.PortInPort:
		x.outputPort(openflow.PortNo(x.flow.InPort), last, a.MaxLen)
	case port == openflow.PortNo(x.flow.InPort):
		x.warn("skipping output to input port")
	case port == openflow.PortLocal || port < openflow.PortMax:
		x.outputPort(port, last, a.MaxLen)
	default:
		x.warn("output_trunc does not support port: %s", flow.FormatPort(uint32(port), nil))
	}
}

// queuePriority is the priority by which the data path knows a queue.
func (x *Translator) queuePriority(queue uint32) uint32 {
	if x.cfg.QueuePriority == nil {
		return queue
	}
	return x.cfg.QueuePriority(queue)
}

func (x *Translator) enqueue(a *openflow.Enqueue, last bool) {
	old := x.flow.SkbPriority
	x.flow.SkbPriority = x.queuePriority(a.Queue)
	port := a.Port
	if port == openflow.PortInPort {
		port = openflow.PortNo(x.flow.InPort)
	} else if port == openflow.PortNo(x.flow.InPort) {
		x.flow.SkbPriority = old
		return
	}
	x.outputPort(port, last, 0)
	x.flow.SkbPriority = old
}

// meter is the meter instruction: the data path does it.
func (x *Translator) meter(id uint32) {
	if x.bridge.Pipeline.Meter(id) == nil {
		x.warn("meter %d does not exist", id)
		return
	}
	if x.bridge.MeterID == nil {
		x.warn("the data path has no meters, meter %d ignored", id)
		return
	}
	if dp, ok := x.bridge.MeterID(id); ok {
		x.commit()
		x.irreversible++
		x.emit(&datapath.Meter{ID: dp})
	}
}

// finTimeout lowers the rule's timeouts when the connection ends.
func (x *Translator) finTimeout(a *openflow.FinTimeout) {
	if !isIP(x.flow.L3Type()) || x.flow.NwProto != protoTCP || x.rule == nil {
		return
	}
	x.wc.NwProto = 0xff
	x.res.HasFin = true
	x.effect(Effect{Kind: EffectFinTimeout, Rule: x.rule, Bridge: x.bridge, Idle: a.Idle, Hard: a.Hard})
}
