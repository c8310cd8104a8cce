package xlate

import (
	"net/netip"
	"sync/atomic"
	"time"

	"weir/internal/classifier"
	"weir/internal/datapath"
	"weir/internal/flow"
	"weir/internal/openflow"
	"weir/internal/packet"
	"weir/internal/pipeline"
)

// Input is a packet to translate.
type Input struct {
	Config *Config
	// Bridge is where the packet is. Version is the version of its flow
	// tables to use, 0 for the newest.
	Bridge  *Bridge
	Version classifier.Version
	// Group finds the bridge's groups in a transaction that Version belongs to;
	// nil: those that are in force.
	Group func(id uint32) *pipeline.Group
	// Key is the packet's, with an OpenFlow port in InPort. Translate does not
	// change it.
	Key *flow.Key
	// Packet is the frame, nil when there is none (revalidation, trace by
	// flow). It is not kept.
	Packet []byte
	// Frozen is where translation goes on for a packet that was recirculated.
	Frozen *State
	// Actions, when not nil, are run instead of looking tables up (packet-out).
	Actions []openflow.Action
	// Now is the time of learned addresses.
	Now time.Time
	// Learn lets translation change tables at once: MAC addresses and flows
	// of learn actions are in place when Translate returns. The effects
	// repeat it for later packets.
	Learn bool
	// Credit counts the packet itself on rules, tables and ports at once, as
	// for a packet that no data path flow will count.
	Credit  bool
	Bytes   uint64
	TCPFlag uint16
	// Trace, when not nil, gets a record of every step.
	Trace *Trace
}

// Err says that translation gave up; the packet is dropped then.
type Err uint8

// Errors of translation, with the texts that ofproto/trace shows.
const (
	ErrNone Err = iota
	ErrBridgeNotFound
	ErrDepth
	ErrResubmits
	ErrStack
	ErrNoRecirc
	ErrRecircConflict
	ErrTooManyMPLS
	ErrInvalidTunnel
	ErrUnsupportedType
)

// String is the text after "Translation failed".
func (e Err) String() string {
	switch e {
	case ErrNone:
		return "OK"
	case ErrBridgeNotFound:
		return "Bridge not found"
	case ErrDepth:
		return "Recursion too deep"
	case ErrResubmits:
		return "Too many resubmits"
	case ErrStack:
		return "Stack too deep"
	case ErrNoRecirc:
		return "No recirculation context"
	case ErrRecircConflict:
		return "Recirculation conflict"
	case ErrTooManyMPLS:
		return "Too many MPLS labels"
	case ErrInvalidTunnel:
		return "Invalid tunnel metadata"
	}
	return "Unsupported packet type"
}

// Result is what a translation found. It belongs to the Translator, which
// reuses its memory: it is valid until the next Translate. Clone keeps it.
type Result struct {
	// Actions are what the data path does with the packet. No actions drop it.
	Actions []datapath.Action
	// Mask has the bits of the key that the result depends on.
	Mask flow.Mask
	// Effects are what each packet of the flow causes besides.
	Effects Effects
	// Slow is not zero when the actions can't be installed as they are: the
	// flow must send its packets to the switch, which runs Actions on each.
	Slow datapath.SlowReason
	Err  Err
	// Drop says why the packet goes nowhere, when there are no actions or the data
	// path can't finish them; its Bridge is empty otherwise.
	Drop DropReason
	// Key is the packet's key as it was when translation ended.
	Key flow.Key
	// Recircs are the recirculation ids that Actions name. The translator holds
	// a reference to each until the next Translate; whoever keeps the actions
	// longer takes his own (Recircs.Ref, Unref).
	Recircs []uint32
	// Solicits are requests for neighbours that the packet needs, where tables
	// learn.
	Solicits []Solicit
	// Wants says that a neighbour is missing.
	Wants bool
	// HasNormal, HasFin say that the flow used these, for revalidation.
	HasNormal, HasFin bool
	// Complaints are the errors in the flow tables that translation came upon,
	// for the log. There are none where a trace was asked for: it has them.
	Complaints []string
}

// Clone copies the result for keeping.
func (r *Result) Clone() *Result {
	out := *r
	out.Actions = append([]datapath.Action(nil), r.Actions...)
	out.Effects = append(Effects(nil), r.Effects...)
	out.Recircs = append([]uint32(nil), r.Recircs...)
	return &out
}

// EffectKind says what an Effect is about.
type EffectKind uint8

// Kinds of effect.
const (
	EffectRule            EffectKind = iota + 1 // credit Rule
	EffectMatched                               // a table lookup that hit
	EffectMissed                                // a table lookup that missed
	EffectMAC                                   // learn a MAC address
	EffectBucket                                // credit a group and its bucket
	EffectRx                                    // count as received by a patch port
	EffectTx                                    // count as sent by a patch port
	EffectLearn                                 // run a learn action again
	EffectMirror                                // count as copied by a mirror
	EffectFinTimeout                            // lower Rule's timeouts when the flow ends
	EffectDrop                                  // count in Drop
	EffectNeighbour                             // learn the Ethernet address of IP in Bridge
	EffectNeighbourUsed                         // keep that of IP in Bridge from ageing
	EffectNeighbourWanted                       // that of IP behind Port is missing ([Effects.Solicits])
)

// Effect is one thing that a packet causes. Which members count depends on Kind.
type Effect struct {
	Kind       EffectKind
	MAC        packet.MAC
	VLAN       uint16
	Bridge     *Bridge
	Rule       *pipeline.Rule
	Table      *pipeline.Table
	Port       *Port
	Group      *pipeline.Group
	Bucket     *pipeline.Bucket
	FlowMod    *openflow.FlowMod // of EffectLearn
	Limit      uint32
	Idle, Hard uint16 // of EffectFinTimeout
	Drop       *DropCount
	Mirror     *MirrorStats
	IP         [16]byte // IPv4 as in RFC 4291, 2.5.5.2
	reach      *Reach   // of the neighbours
	extra      uint32   // bytes that a packet has more than the data path counts
}

// Effects are the effects of one flow, in the order in which they happen.
type Effects []Effect

// PortStats counts the traffic of a patch port.
type PortStats struct {
	RxPackets, RxBytes, TxPackets, TxBytes atomic.Uint64
}

// Traffic is the packets since the last time, as a data path counted them.
type Traffic struct {
	Packets, Bytes uint64
	Used           time.Time // of the last packet
	TCPFlags       uint16
}

// Push credits traffic to everything that a flow used, and repeats what its
// packets cause, such as learning their source address.
func (es Effects) Push(t Traffic, now time.Time) {
	for i := range es {
		es[i].push(t, now)
	}
}

// Flags of TCP that end a connection.
const tcpFinRst = 0x01 | 0x04

func (e *Effect) push(t Traffic, now time.Time) {
	t.Bytes += t.Packets * uint64(e.extra)
	switch e.Kind {
	case EffectRule:
		e.Rule.Stats.Credit(t.Packets, t.Bytes, t.Used)
	case EffectMatched:
		e.Table.Matched.Add(t.Packets)
	case EffectMissed:
		e.Table.Missed.Add(t.Packets)
	case EffectMAC:
		if t.Packets > 0 && e.Port.Bundle != nil {
			e.Bridge.MACs.Learn(e.MAC, e.VLAN, uint32(e.Port.No), e.Port.Bundle.Owner, false, false, now)
		}
	case EffectBucket:
		// A group of all buckets counts a packet once, not once a bucket.
		if e.Bucket == nil || e.Group.Type != openflow.GroupTypeAll {
			e.Group.Stats.Credit(t.Packets, t.Bytes, t.Used)
		}
		if e.Bucket != nil {
			e.Bucket.Stats.Credit(t.Packets, t.Bytes, t.Used)
		}
	case EffectRx:
		if e.Port.Stats != nil {
			e.Port.Stats.RxPackets.Add(t.Packets)
			e.Port.Stats.RxBytes.Add(t.Bytes)
		}
	case EffectTx:
		if e.Port.Stats != nil {
			e.Port.Stats.TxPackets.Add(t.Packets)
			e.Port.Stats.TxBytes.Add(t.Bytes)
		}
	case EffectMirror:
		e.Mirror.Packets.Add(t.Packets)
		e.Mirror.Bytes.Add(t.Bytes)
	case EffectNeighbour:
		if t.Packets > 0 {
			e.reach.Neighbours.Learn(e.Bridge.Name, netip.AddrFrom16(e.IP).Unmap(), e.MAC, now)
		}
	case EffectNeighbourUsed:
		if t.Packets > 0 {
			e.reach.Neighbours.Touch(e.Bridge.Name, netip.AddrFrom16(e.IP).Unmap(), now)
		}
	case EffectDrop:
		e.Drop.credit(t)
	case EffectLearn:
		if t.Packets > 0 {
			learn(e.Bridge.Pipeline, e.FlowMod, e.Limit, now)
		}
	case EffectFinTimeout:
		if t.TCPFlags&tcpFinRst != 0 && e.Rule.ReduceTimeouts(e.Idle, e.Hard) {
			e.Bridge.Pipeline.Watch(e.Rule)
		}
	}
}
