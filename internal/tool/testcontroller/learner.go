package testcontroller

import (
	"time"

	"weir/internal/flow"
	"weir/internal/openflow"
	"weir/internal/protocol/maclearn"
)

// policy is what the options ask the controller to do with packets.
type policy struct {
	hub       bool   // flood everything, learn nothing
	noFlow    bool   // add no flows
	normal    bool   // leave known destinations to the switch
	wildcards uint32 // OFPFW10_* of the flows that are added
	maxIdle   uint16 // idle timeout of flows in seconds; 0: none
	// queue is the queue of ports that portQueues doesn't name, noQueue for the
	// default one.
	queue      int64
	portQueues map[string]uint32
}

const noQueue = -1

// learner decides about the packets of one switch. It does no I/O: packet-ins
// go in, messages come out.
type learner struct {
	*policy
	macs   *maclearn.Table
	queues map[openflow.PortNo]uint32 // of portQueues, by number
}

func newLearner(p *policy) *learner {
	return &learner{policy: p, macs: maclearn.New(0, 0), queues: map[openflow.PortNo]uint32{}}
}

// portName notes the number of a port that has a queue.
func (l *learner) portName(p *openflow.PortDesc) {
	if q, ok := l.portQueues[p.Name]; ok {
		l.queues[p.PortNo] = q
	}
}

// packetIn says what to tell the switch about a packet: a flow for it and those
// like it, where its destination is known, and what to do with it.
func (l *learner) packetIn(pin *openflow.PacketIn, now time.Time) []openflow.Message {
	if pin.Reason != openflow.ReasonNoMatch && pin.Reason != openflow.ReasonAction {
		return nil
	}
	var k flow.Key
	flow.Extract(pin.Data, &k)
	in := openflow.InPort(&pin.Metadata)
	k.InPort = uint32(in)
	out := l.destination(&k, in, now)
	actions := l.actions(out, in)
	var ms []openflow.Message
	flowToo := !l.noFlow && (out != openflow.PortFlood || l.hub)
	if flowToo {
		ms = append(ms, &openflow.FlowMod{
			Match: matchOf(&k, l.wildcards), Command: openflow.FlowAdd, IdleTimeout: l.maxIdle, Priority: 1,
			BufferID: pin.BufferID, TableID: openflow.TableAny, OutPort: openflow.PortNone, OutGroup: openflow.GroupAny,
			Actions: actions,
		})
	}
	switch {
	case pin.BufferID != openflow.NoBuffer && flowToo:
		// The switch sends the packet that it keeps by the flow.
	case len(actions) == 0 && pin.BufferID == openflow.NoBuffer:
		// Not sent at all.
	default:
		po := &openflow.PacketOut{BufferID: pin.BufferID, Actions: actions}
		po.Metadata.SetExact(flow.FieldInPortOXM.Field(), flow.V(uint64(in)))
		if pin.BufferID == openflow.NoBuffer {
			po.Data = pin.Data
		}
		ms = append(ms, po)
	}
	return ms
}

// destination is the port for a packet: PortNone where it is to be dropped.
func (l *learner) destination(k *flow.Key, in openflow.PortNo, now time.Time) openflow.PortNo {
	vlan := k.VLANs[0].TCI & 0xfff
	if !l.hub && l.macs.MayLearn(k.EthSrc, vlan) {
		l.macs.Expire(now)
		l.macs.Learn(k.EthSrc, vlan, uint32(in), l, false, false, now)
	}
	if k.EthDst.IsReserved() {
		return openflow.PortNone
	}
	if !l.hub {
		if e, ok := l.macs.Lookup(k.EthDst, vlan); ok {
			switch {
			case openflow.PortNo(e.Port) == in:
				return openflow.PortNone
			case l.normal:
				return openflow.PortNormal
			}
			return openflow.PortNo(e.Port)
		}
	}
	return openflow.PortFlood
}

// actions send a packet to a port, through the queue for packets from in.
func (l *learner) actions(out, in openflow.PortNo) []openflow.Action {
	queue, ok := l.queue, l.queue != noQueue
	if q, named := l.queues[in]; named {
		queue, ok = int64(q), true
	}
	switch {
	case out == openflow.PortNone:
		return nil
	case ok && out < openflow.PortMax:
		return []openflow.Action{&openflow.Enqueue{Port: out, Queue: uint32(queue)}}
	}
	return []openflow.Action{&openflow.Output{Port: out, MaxLen: 0}}
}

// wildcardBits are the wildcards of OpenFlow 1.0 (5.2.3) for whole fields.
var wildcardBits = []struct {
	bit    uint32
	fields []flow.FieldID
}{
	{1 << 0, []flow.FieldID{flow.FieldInPortOXM}},
	{1 << 2, []flow.FieldID{flow.FieldEthSrc}},
	{1 << 3, []flow.FieldID{flow.FieldEthDst}},
	{1 << 4, []flow.FieldID{flow.FieldEthType}},
	{1 << 5, []flow.FieldID{flow.FieldIPProto, flow.FieldARPOp}},
	{1 << 6, []flow.FieldID{flow.FieldTCPSrc, flow.FieldUDPSrc, flow.FieldSCTPSrc, flow.FieldICMPv4Type, flow.FieldICMPv6Type}},
	{1 << 7, []flow.FieldID{flow.FieldTCPDst, flow.FieldUDPDst, flow.FieldSCTPDst, flow.FieldICMPv4Code, flow.FieldICMPv6Code}},
	{1 << 21, []flow.FieldID{flow.FieldIPDSCP}},
}

// Addresses have six bits of wildcards: how many low bits don't count.
const (
	wildSrcShift = 8
	wildDstShift = 14
	wildVLAN     = 1 << 1
	wildPCP      = 1 << 20
)

// matchOf is the match on a packet but for the wildcards.
func matchOf(k *flow.Key, wild uint32) openflow.Match {
	var m openflow.Match
	m.SetDefaultPacketType()
	for _, w := range wildcardBits {
		if wild&w.bit != 0 {
			continue
		}
		for _, id := range w.fields {
			if f := id.Field(); f.Applies(k) {
				m.SetExact(f, f.Get(k))
			}
		}
	}
	for _, a := range []struct {
		shift int
		ids   []flow.FieldID
	}{
		{wildSrcShift, []flow.FieldID{flow.FieldIPv4Src, flow.FieldARPSPA}},
		{wildDstShift, []flow.FieldID{flow.FieldIPv4Dst, flow.FieldARPTPA}},
	} {
		bits := min(32, wild>>a.shift&63)
		for _, id := range a.ids {
			if f := id.Field(); f.Applies(k) {
				m.Set(f, f.Get(k), flow.V(uint64(^uint32(0)<<bits)))
			}
		}
	}
	vlanMatch(&m, k.VLANs[0].TCI, wild)
	m.Normalize()
	return m
}

func vlanMatch(m *openflow.Match, tci uint16, wild uint32) {
	var mask uint16
	if wild&wildVLAN == 0 {
		mask |= 0xfff | flow.VLANPresent
	}
	if wild&wildPCP == 0 && tci != 0 {
		mask |= 0xe000 | flow.VLANPresent
	}
	m.Key.VLANs[0].TCI, m.Mask.VLANs[0].TCI = tci&mask, mask
}

// setup are the messages that a switch gets when it has said what it is. The
// later versions of OpenFlow need a flow for packets to come to a controller.
func setup(v openflow.Version) []openflow.Message {
	ms := []openflow.Message{&openflow.SetConfig{SwitchConfig: openflow.SwitchConfig{MissSendLen: missSendLen}}}
	if v >= openflow.V13 {
		ms = append(ms, &openflow.FlowMod{
			Command: openflow.FlowAdd, BufferID: openflow.NoBuffer, TableID: 0,
			OutPort: openflow.PortNone, OutGroup: openflow.GroupAny,
			Actions: []openflow.Action{&openflow.Output{Port: openflow.PortController, MaxLen: 0xffff}},
		})
	}
	return ms
}

// missSendLen is how much of a packet a switch sends. It must be all of it, for
// what it sends is what goes out again.
const missSendLen = 0xffff
