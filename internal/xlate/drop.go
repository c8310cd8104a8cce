package xlate

import (
	"cmp"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"weir/internal/datapath"
	"weir/internal/flow"
	"weir/internal/openflow"
	"weir/internal/pipeline"
)

// DropKind says why a packet goes nowhere.
type DropKind uint8

// Kinds of drop.
const (
	DropOther           DropKind = iota // more reasons than are kept apart
	DropNoMatch                         // no flow of a table matches
	DropByFlow                          // a flow's actions let it end
	DropFragment                        // the bridge drops fragments
	DropPortNoReceive                   // the input port may not receive
	DropPortNoForward                   // the output port may not forward
	DropPortMissing                     // there is no such output port
	DropInputPort                       // it would leave by the port it came in by
	DropNoBundle                        // NORMAL: the input port is in no bundle
	DropVLAN                            // NORMAL: the input port doesn't carry the VLAN
	DropReserved                        // NORMAL: a reserved destination address
	DropMirrorPort                      // it came in on the output port of a mirror
	DropProtected                       // from a protected port to another
	DropPacketType                      // the output port carries Ethernet only
	DropGroup                           // a group that isn't there, or has no live bucket
	DropNoTracker                       // ct: the data path has no connection tracker
	DropError                           // translation gave up
	DropTunnelECN                       // marked as congested on its way through a tunnel, and knows no ECN
	DropTunnelEnd                       // a tunnel with remote_ip=flow, and no action said where to
	DropNoEgress                        // NORMAL: no other port carries the VLAN
	DropTunnelRoute                     // no route of a bridge leads to the end of a tunnel
	DropTunnelNeighbour                 // the next hop of a tunnel hasn't told its Ethernet address yet
	DropTunnelHeader                    // the tunnel can't carry the packet
	DropTTL                             // its TTL ran out; controllers may get it
)

// DropReason is why packets are dropped, and where. It is comparable.
type DropReason struct {
	Kind   DropKind
	Bridge string
	Table  uint8
	Rule   *pipeline.Rule // whose actions ran; nil: none
	Port   string         // the port that it is about
	VLAN   uint16
	Group  uint32
	Err    Err // of DropError
}

// DropCount counts the packets that were dropped for one reason.
type DropCount struct {
	Reason         DropReason
	Packets, Bytes atomic.Uint64
	last           atomic.Int64             // when a packet was last seen, in nanoseconds
	example        atomic.Pointer[flow.Key] // one of the packets
}

// Last is when a packet was last dropped so, zero if none was.
func (c *DropCount) Last() time.Time {
	if ns := c.last.Load(); ns != 0 {
		return time.Unix(0, ns)
	}
	return time.Time{}
}

// Example is a packet that was dropped so, nil if none is known.
func (c *DropCount) Example() *flow.Key { return c.example.Load() }

func (c *DropCount) credit(t Traffic) {
	if t.Packets == 0 {
		return
	}
	c.Packets.Add(t.Packets)
	c.Bytes.Add(t.Bytes)
	c.last.Store(t.Used.UnixNano())
}

// MaxDrops is how many reasons are kept apart; packets of further ones count
// together.
const MaxDrops = 1024

// Drops are the reasons for which packets were dropped. Translation asks it once
// for a flow that drops; packets are counted with the flow's other effects. It is
// safe for concurrent use.
type Drops struct {
	mu     sync.Mutex
	counts map[DropReason]*DropCount
	other  *DropCount
}

// NewDrops makes an empty set.
func NewDrops() *Drops {
	d := &Drops{}
	d.Clear()
	return d
}

// Clear forgets all reasons.
func (d *Drops) Clear() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.counts, d.other = map[DropReason]*DropCount{}, &DropCount{}
}

// count finds or makes the count of a reason.
func (d *Drops) count(r DropReason, packet *flow.Key) *DropCount {
	d.mu.Lock()
	defer d.mu.Unlock()
	c := d.counts[r]
	switch {
	case c != nil:
	case len(d.counts) >= MaxDrops:
		c = d.other
	default:
		c = &DropCount{Reason: r}
		d.counts[r] = c
	}
	if c.example.Load() == nil {
		k := *packet
		c.example.Store(&k)
	}
	return c
}

// List is all reasons, those of most packets first.
func (d *Drops) List() []*DropCount {
	d.mu.Lock()
	list := make([]*DropCount, 0, len(d.counts)+1)
	for _, c := range d.counts {
		list = append(list, c)
	}
	if d.other.Packets.Load() > 0 {
		list = append(list, d.other)
	}
	d.mu.Unlock()
	slices.SortFunc(list, func(a, b *DropCount) int {
		return cmp.Or(cmp.Compare(b.Packets.Load(), a.Packets.Load()),
			cmp.Compare(a.Reason.Bridge, b.Reason.Bridge), cmp.Compare(a.Reason.Kind, b.Reason.Kind),
			cmp.Compare(a.Reason.Table, b.Reason.Table), cmp.Compare(a.Reason.Port, b.Reason.Port))
	})
	return list
}

// deny notes why the packet does not go on here. Unless something else lets it
// pass, it is why the packet is dropped.
func (x *Translator) deny(kind DropKind) *DropReason {
	x.denied = DropReason{Kind: kind, Bridge: x.bridge.Name, Table: x.table, Rule: x.rule}
	return &x.denied
}

// denyPort is deny for what a port's configuration, or its absence, causes.
func (x *Translator) denyPort(kind DropKind, no openflow.PortNo) {
	r := x.deny(kind)
	if p := x.bridge.Ports[no]; p != nil {
		r.Port = p.Name
	} else {
		r.Port = flow.FormatPort(uint32(no), nil)
	}
}

// followed notes the rule, or the miss, that a lookup led to: the reason for a
// drop if nothing more particular is.
func (x *Translator) followed(r *pipeline.Rule, m miss, table uint8) {
	switch x.denied.Kind {
	case DropOther, DropNoMatch, DropByFlow:
	default:
		return
	}
	kind := DropByFlow
	switch {
	case m == missFrags:
		kind = DropFragment
	case r == nil:
		kind = DropNoMatch
	}
	x.denied = DropReason{Kind: kind, Bridge: x.bridge.Name, Table: table, Rule: r}
}

// noteDrop adds the effect that counts the packets of a flow that drops them.
func (x *Translator) noteDrop() {
	r := &x.res
	switch {
	case r.Err != ErrNone:
		x.deny(DropError).Err = r.Err
	case len(r.Actions) > 0 && (x.denied.Kind != DropTTL || !onlyToControllers(r.Actions)):
		return
	}
	r.Drop = x.denied
	x.countDrop(x.denied)
}

// onlyToControllers reports whether an action list has a packet go nowhere else.
func onlyToControllers(actions []datapath.Action) bool {
	for _, a := range actions {
		if _, ok := a.(*datapath.Userspace); !ok {
			return false
		}
	}
	return true
}

func (x *Translator) countDrop(reason DropReason) {
	if x.cfg.Drops != nil {
		x.effect(Effect{Kind: EffectDrop, Drop: x.cfg.Drops.count(reason, x.in.Key)})
	}
}
