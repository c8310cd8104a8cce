package trace

import (
	"fmt"
	"net/netip"
	"sync"
	"time"

	"weir/internal/datapath"
	"weir/internal/flow"
	"weir/internal/openflow"
	"weir/internal/packet"
	"weir/internal/xlate"
)

// Env is the switch that is traced.
type Env struct {
	Config *xlate.Config
	// Datapaths holds the port names of each data path, by the name that a user
	// gives: "netdev@ovs-netdev" or "ovs-netdev".
	Datapaths map[string]*datapath.Namer
	Now       time.Time
}

// Usage is the arguments of ofproto/trace, in the notation of list-commands.
const Usage = "{[dp_name] odp_flow | bridge br_flow} [OPTIONS...] [-generate|packet]"

// UsagePacketOut is the arguments of ofproto/trace-packet-out.
const UsagePacketOut = "[-consistent] {[dp_name] odp_flow | bridge br_flow} [-generate|packet] actions"

// Run carries out ofproto/trace. Its errors are those that users of the peer
// know.
func Run(env *Env, args []string) (*Report, error) {
	req, err := parse(env, args)
	if err != nil {
		return nil, err
	}
	return req.run(env), nil
}

// RunPacketOut carries out ofproto/trace-packet-out: what becomes of a packet
// that a controller sends with actions.
func RunPacketOut(env *Env, args []string) (*Report, error) {
	if len(args) < 2 {
		return nil, fmt.Errorf("Must specify bridge name, flow and actions")
	}
	req, err := parse(env, args[:len(args)-1])
	if err != nil {
		return nil, err
	}
	text := args[len(args)-1]
	var usable openflow.Protocol
	req.actions, usable, err = openflow.ParseInstructions(text, &openflow.Names{Ports: portNames{req.bridge}})
	if err != nil {
		return nil, err
	}
	if err := req.check(usable); err != nil {
		return nil, err
	}
	if req.actions == nil {
		req.actions = []openflow.Action{}
	}
	return req.run(env), nil
}

// Explain translates a packet and tells every step, in text.
func Explain(in *xlate.Input) string {
	x := xlate.NewTranslator()
	defer x.Release()
	rep := &Report{dp: (*datapath.Namer)(nil).NumbersOnly(), tlv: in.Bridge.Pipeline.TLV()}
	t := &xlate.Trace{}
	traced := *in
	traced.Trace = t
	res := x.Translate(&traced)
	rep.Rounds = []Round{{Key: *in.Key, Steps: t.Roots, Result: res, bridge: in.Bridge}}
	return rep.String()
}

// check refuses actions that don't go with the packet, if that is asked for or
// if only versions of OpenFlow can say them that refuse it.
func (r *request) check(usable openflow.Protocol) error {
	m := openflow.Match{Key: r.key, Mask: r.key.MaskExact()}
	if r.consistent {
		usable &^= openflow.PAny10
	}
	if _, err := openflow.CheckActions(r.actions, &m, openflow.ActionCheck{Usable: usable}); err != nil {
		return fmt.Errorf("Inconsistent actions (%w)", err)
	}
	return nil
}

// Report is what one ofproto/trace found: the packet's way, and those of its
// copies that recirculate through connection tracking.
type Report struct {
	Rounds []Round
	names  bool
	ports  flow.PortNames
	dp     *datapath.Namer
	tlv    *flow.TLVTable
}

// Round is one translation.
type Round struct {
	// Fork is what the packet comes from, nil for the first round.
	Fork    *xlate.Fork
	CTState uint8
	Assumed bool      // no --ct-next said what the tracker finds
	Before  *flow.Key // the packet before NAT, nil where nothing changed
	Key     flow.Key
	Steps   []*xlate.Node
	Result  *xlate.Result
	bridge  *xlate.Bridge
}

// maxRounds bounds the recirculations that one trace follows.
const maxRounds = 64

// translators are kept for who traces packet after packet: they are large.
var translators = sync.Pool{New: func() any { return xlate.NewTranslator() }}

// run translates the packet, and then what recirculates.
func (r *request) run(env *Env) *Report {
	rep := &Report{names: r.names, dp: r.dp.NumbersOnly(), tlv: r.bridge.Pipeline.TLV()}
	if r.names {
		rep.ports, rep.dp = portNames{r.bridge}, r.dp
	}
	x := translators.Get().(*xlate.Translator)
	defer func() {
		x.Release()
		translators.Put(x)
	}()
	recircs := env.Config.Recircs
	next := Round{Key: r.key, bridge: r.bridge}
	frozen, actions := r.frozen, r.actions
	var waiting []Round
	for {
		t := &xlate.Trace{PortNames: rep.ports}
		round := next
		round.Result = x.Translate(&xlate.Input{
			Config: env.Config, Bridge: round.bridge, Key: &round.Key, Packet: r.frame, Frozen: frozen,
			Now: env.Now, Actions: actions, Learn: r.frame != nil && !r.dry, Trace: t,
		}).Clone()
		round.Steps = t.Roots
		rep.Rounds = append(rep.Rounds, round)
		for i := range t.Forks {
			recircs.Ref(t.Forks[i].ID)
			defer recircs.Unref(t.Forks[i].ID)
			waiting = append(waiting, r.tracked(&t.Forks[i]))
		}
		if len(waiting) == 0 || len(rep.Rounds) >= maxRounds {
			return rep
		}
		next, waiting = waiting[0], waiting[1:]
		if frozen = recircs.Lookup(next.Fork.ID); frozen == nil {
			return rep
		}
		next.bridge, actions = frozen.Bridge, nil
	}
}

// tracked is a packet as it comes back from the connection tracker, which finds
// what the user says, or a new connection.
func (r *request) tracked(f *xlate.Fork) Round {
	n := Round{Fork: f, Key: f.Key, CTState: flow.CTTrk | flow.CTNew, Assumed: true}
	if len(r.nextCT) > 0 {
		n.CTState, n.Assumed, r.nextCT = r.nextCT[0], false, r.nextCT[1:]
	}
	k := &n.Key
	k.RecircID, k.CTState, k.CTZone = f.ID, n.CTState, f.CT.Zone
	k.CTMark = f.CT.Mark & f.CT.MarkMask
	for i, m := range f.CT.LabelMask {
		k.CTLabel[i] = f.CT.Label[i] & m
	}
	if nat := f.CT.NAT; nat != nil && translateAddress(k, nat) {
		before := f.Key
		n.Before = &before
	}
	return n
}

// translateAddress puts the first address and port of a range where a NAT
// action would put one of them.
func translateAddress(k *flow.Key, nat *datapath.NAT) bool {
	if !nat.MinAddr.IsValid() && nat.MinPort == 0 {
		return false
	}
	v4, v6 := &k.IPSrc, &k.IPv6Src
	port := &k.TpSrc
	if nat.Dst {
		v4, v6, port = &k.IPDst, &k.IPv6Dst, &k.TpDst
	}
	setAddr(v4, v6, k.EthType, nat.MinAddr)
	if nat.MinPort != 0 && (k.NwProto == packet.ProtoTCP || k.NwProto == packet.ProtoUDP || k.NwProto == packet.ProtoSCTP) {
		*port = nat.MinPort
	}
	return true
}

func setAddr(v4 *uint32, v6 *[16]byte, ethType uint16, a netip.Addr) {
	switch {
	case a.Is4() && ethType == packet.EtherTypeIPv4:
		b := a.As4()
		*v4 = packet.Be32(b[:])
	case a.Is6() && ethType == packet.EtherTypeIPv6:
		*v6 = a.As16()
	}
}
