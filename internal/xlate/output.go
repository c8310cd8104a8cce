package xlate

import (
	"weir/internal/classifier"
	"weir/internal/datapath"
	"weir/internal/flow"
	"weir/internal/openflow"
	"weir/internal/packet"
	"weir/internal/pipeline"
)

// output is the output of a packet to any port, reserved ones too.
func (x *Translator) output(port openflow.PortNo, maxLen uint16, last bool) {
	switch port {
	case openflow.PortInPort:
		x.outputPort(openflow.PortNo(x.flow.InPort), last, 0)
	case openflow.PortTable:
		x.again(openflow.PortNo(x.flow.InPort), 0, true, true, last)
	case openflow.PortNormal:
		x.normal()
	case openflow.PortFlood:
		x.toAll(false)
	case openflow.PortAll:
		x.toAll(true)
	case openflow.PortController:
		reason := openflow.ReasonAction
		switch {
		case x.in.Actions != nil:
			reason = openflow.ReasonPacketOut
		case x.inActionSet:
			reason = openflow.ReasonActionSet
		case x.inGroup:
			reason = openflow.ReasonGroup
		}
		x.controller(&openflow.Controller{MaxLen: maxLen, Reason: uint8(reason)})
	case openflow.PortNone:
	default:
		if port == openflow.PortNo(x.flow.InPort) {
			x.warn("skipping output to input port")
			x.denyPort(DropInputPort, port)
			return
		}
		x.outputPort(port, last, 0)
	}
}

// toAll is FLOOD, or ALL with the ports that don't take part in flooding.
func (x *Translator) toAll(all bool) {
	for _, p := range x.bridge.Order {
		if p.No == openflow.PortNo(x.flow.InPort) {
			continue
		}
		if all || p.Config&PortNoFlood == 0 {
			x.outputPort(p.No, false, 0)
		}
	}
}

// outputPort sends the packet out of one port, cut to trunc bytes if that is
// not zero.
func (x *Translator) outputPort(no openflow.PortNo, last bool, trunc uint32) {
	p := x.bridge.Ports[no]
	switch {
	case p == nil:
		x.warn("Nonexistent output port")
		x.denyPort(DropPortMissing, no)
		return
	case p.Config&PortNoFwd != 0:
		x.warn("OFPPC_NO_FWD set, skipping output")
		x.denyPort(DropPortNoForward, no)
		return
	case p.NoForward:
		x.warn("STP not in forwarding state, skipping output")
		x.denyPort(DropPortNoForward, no)
		return
	}
	if p.Patch {
		if p.Peer == nil {
			x.warn("Nonexistent output port")
			x.denyPort(DropPortMissing, no)
			return
		}
		if x.wasMPLS {
			// The other bridge sees what stands behind the label that was popped.
			x.freezeHere()
			x.keepForLater([]openflow.Action{&openflow.Output{Port: no}})
			return
		}
		x.throughPatch(p, p.Peer, last)
		x.mirrorOut(p)
		return
	}
	if p.DP == datapath.PortNone {
		x.warn("Nonexistent output port")
		x.denyPort(DropPortMissing, no)
		return
	}
	if x.flow.PacketType != 0 && p.PacketTypes == PacketsL2 {
		x.warn("Trying to send non-Ethernet packet through legacy L2 port. Dropping packet.")
		x.denyPort(DropPacketType, no)
		return
	}
	if p.Tunnel != nil {
		x.outputTunnel(p, trunc, last)
		return
	}
	if dp, ok := x.received(p); ok {
		x.commit()
		x.emit(&datapath.TunnelPop{Port: dp})
		x.mirrorOut(p)
		return
	}
	tos := x.flow.NwTOS
	x.markQueue(p)
	x.commit()
	if trunc != 0 {
		x.emit(&datapath.Trunc{MaxLen: trunc})
	}
	x.emit(p.outAction())
	x.flow.NwTOS = tos
	x.mirrorOut(p)
}

// markQueue gives the packet the DSCP of the queue that it leaves by, where the
// port has one for it.
func (x *Translator) markQueue(p *Port) {
	dscp, ok := p.DSCP[x.flow.SkbPriority]
	if !ok || !isIP(x.flow.L3Type()) {
		return
	}
	x.wc.NwTOS |= dscpMask
	x.flow.NwTOS = x.flow.NwTOS&^dscpMask | dscp<<2
}

// dscpMask is the part of the type of service that is the DSCP (RFC 2474).
const dscpMask = 0xfc

// outAction is the action that outputs to the port.
func (p *Port) outAction() *datapath.Output {
	if p.Out == nil || p.Out.Port != p.DP {
		return &datapath.Output{Port: p.DP}
	}
	return p.Out
}

// outside is what a packet leaves behind when it goes into another bridge.
type outside struct {
	key         flow.Key
	bridge      *Bridge
	version     classifier.Version
	table       uint8
	stack       []flow.Value
	actionSet   []openflow.Action
	exit        bool
	wasMPLS     bool
	conntracked bool
	mirrored    MirrorSet
	asCame      bool
	cookie      uint64
	traceLen    int
}

// throughPatch continues in the bridge at the other end of a patch port. What
// is done to the packet there has no effect on what follows here.
func (x *Translator) throughPatch(out, in *Port, last bool) {
	if !x.mayGoOn() {
		return
	}
	last = x.ends(last)
	x.effect(Effect{Kind: EffectTx, Port: out})
	x.effect(Effect{Kind: EffectRx, Port: in})
	o := x.goOutside(in.Bridge)
	x.enterBridge(in)
	p := x.here()
	if x.enterFrom(&o, in, last) && in.NoForward {
		// NORMAL and learn have seen the packet; nothing may leave.
		x.backTo(p)
	}
}

// goOutside leaves the bridge for another, whose tables it begins to read, and
// returns what is left behind.
func (x *Translator) goOutside(to *Bridge) outside {
	o := outside{
		key: x.flow, bridge: x.bridge, version: x.version, table: x.table,
		stack: x.stack, actionSet: x.actionSet,
		exit: x.exit, wasMPLS: x.wasMPLS, conntracked: x.conntracked,
		mirrored: x.mirrored, asCame: x.asCame, cookie: x.cookie,
	}
	x.bridge = to
	to.Pipeline.Enter(x.seat)
	x.version = to.Pipeline.Version()
	x.stack, x.actionSet, x.exit, x.conntracked, x.mirrored = nil, nil, false, false, 0
	x.cookie = 0 // that of a miss
	return o
}

// enterFrom has the packet come in on a port of the bridge that goOutside went to,
// reports whether the port received it, and comes back to what o is.
func (x *Translator) enterFrom(o *outside, in *Port, last bool) (received bool) {
	o.traceLen = x.traceBridge(in.Bridge.Name)
	x.depth++
	if received = x.mayReceive(in); received {
		x.resubmits++
		x.mirrorIn(in)
		x.first(func(r *pipeline.Rule) { x.runRuleApart(r, last) })
	}
	x.depth--
	in.Bridge.Pipeline.Leave(x.seat)
	x.traceBack(o.traceLen)
	x.flow, x.bridge, x.version, x.table = o.key, o.bridge, o.version, o.table
	x.stack, x.actionSet = o.stack, o.actionSet
	x.exit, x.wasMPLS, x.conntracked = o.exit, o.wasMPLS, o.conntracked
	x.mirrored, x.asCame, x.cookie = o.mirrored, o.asCame, o.cookie
	return received
}

// enterBridge makes the packet one that just came in on a port.
func (x *Translator) enterBridge(in *Port) {
	f := &x.flow
	f.InPort = uint32(in.No)
	f.Metadata = 0
	f.Tunnel = flow.Tunnel{}
	f.TunMetaPresent, f.TunMeta = 0, [flow.TunMetaBytes]byte{}
	x.asCame = false
	if x.base.TunMetaPresent != 0 {
		x.forgetTunnel() // the fields of this bridge may stand elsewhere
	}
	f.Regs = [flow.NumRegs]uint32{}
	f.ActsetOutput = uint32(openflow.PortUnset)
	forgetConnection(f)
}

// deliverDHCP has DHCP replies reach the local port of a bridge that is
// controlled in-band, whatever its flows do with them: the local port may be
// waiting for its address. The packet is not parsed further, so that replies to
// other hosts come along.
func (x *Translator) deliverDHCP() {
	const server, client = 67, 68
	f := &x.flow
	if !x.bridge.InBand || f.L3Type() != packet.EtherTypeIPv4 || f.NwProto != protoUDP {
		return
	}
	x.wc.NwProto = 0xff
	x.wc.TpSrc, x.wc.TpDst = 0xffff, 0xffff
	local := x.bridge.Ports[openflow.PortLocal]
	if f.TpSrc != server || f.TpDst != client || local == nil || f.InPort == uint32(openflow.PortLocal) || x.outputsTo(local) {
		return
	}
	x.detail("outputting DHCP packet to local port for in-band control")
	x.outputPort(openflow.PortLocal, false, 0)
}

// outputsTo reports whether the actions so far output to a port.
func (x *Translator) outputsTo(p *Port) bool {
	for _, a := range x.res.Actions {
		if o, ok := a.(*datapath.Output); ok && o.Port == p.DP {
			return true
		}
	}
	return false
}

// controller sends the packet, as it now is, to the controllers.
func (x *Translator) controller(c *openflow.Controller) {
	x.commit()
	x.sendFrozen(c, x.freezeForData(nil))
}

// sendFrozen sends the packet to the controllers with the state of its
// translation, which a paused packet goes on from.
func (x *Translator) sendFrozen(c *openflow.Controller, s *State) {
	reason := c.Reason
	if r := x.rule; reason == uint8(openflow.ReasonAction) && r != nil && r.TableMiss() {
		reason = uint8(openflow.ReasonExplicit)
	}
	s.Userdata = c.Userdata
	id := x.cfg.Recircs.Alloc(s)
	x.res.Recircs = append(x.res.Recircs, id)
	meter := c.MeterID
	if meter == 0 {
		meter = openflow.MeterController
	}
	x.emit(x.bridge.Metered(meter, &datapath.Userspace{
		Cookie: datapath.Cookie{
			Kind: datapath.CookieController, InPort: x.flow.InPort, Bridge: x.bridge.ID,
			RecircID: id, RuleCookie: x.cookie, ControllerID: c.ControllerID, MaxLen: c.MaxLen,
			Reason: reason, DontSend: x.trace != nil && !x.in.Learn, Continuation: c.Pause,
		},
	}))
}

// Metered is an action that hands the packet to the switch, by way of a meter
// of the bridge if there is that meter. What the meter does must not end the
// packet itself, so it acts on a copy.
func (b *Bridge) Metered(id uint32, a *datapath.Userspace) datapath.Action {
	if b.MeterID == nil || b.Pipeline.Meter(id) == nil {
		return a
	}
	dp, ok := b.MeterID(id)
	if !ok {
		return a
	}
	return &datapath.Sample{Probability: ^uint32(0), Actions: []datapath.Action{&datapath.Meter{ID: dp}, a}}
}
