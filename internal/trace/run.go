package trace

import (
	"fmt"
	"net/netip"
	"strings"
	"time"

	"weir/internal/datapath"
	"weir/internal/flow"
	"weir/internal/openflow"
	"weir/internal/packet"
	"weir/internal/xlate"
)

// Env is the switch that is traced.
type Env struct {
	Config   *xlate.Config
	Datapath Datapath // nil: flows of a data path aren't understood
	Now      time.Time
	// Punt sends controllers what a packet, as it came in, sends them by its actions;
	// nil: they get nothing. What recirculates sends none.
	Punt func(b *xlate.Bridge, frame []byte, key *flow.Key, actions []datapath.Action)
}

// Datapath is what a trace asks the data path ([datapath.Datapath]) that a
// configuration is of.
type Datapath interface {
	Type() string
	Name() string
	Namer() *datapath.Namer
}

// named reports whether a user means a data path: "netdev@ovs-netdev" or
// "ovs-netdev".
func named(d Datapath, name string) bool {
	if name == d.Name() {
		return true
	}
	typ, rest, ok := strings.Cut(name, "@")
	return ok && typ == d.Type() && rest == d.Name()
}

// Usage is the arguments of ofproto/trace, in the notation of list-commands.
const Usage = "{[dp_name] odp_flow | bridge br_flow} [OPTIONS...] [-generate|packet]"

// UsagePacketOut is the arguments of ofproto/trace-packet-out.
const UsagePacketOut = "[-consistent] {[dp_name] odp_flow | bridge br_flow} [-generate|packet] actions"

// Run carries out ofproto/trace. Its errors are those that users of the peer
// know.
func Run(env *Env, args []string) (*Report, error) {
	rep := newReport()
	if err := rep.req.parse(env, args, false); err != nil {
		rep.Release()
		return nil, err
	}
	rep.run(env)
	return rep, nil
}

// RunPacketOut carries out ofproto/trace-packet-out: what becomes of a packet
// that a controller sends with actions.
func RunPacketOut(env *Env, args []string) (*Report, error) {
	if len(args) < 2 {
		return nil, fmt.Errorf("Must specify bridge name, flow and actions")
	}
	rep := newReport()
	r := &rep.req
	err := r.parse(env, args[:len(args)-1], true)
	if err == nil {
		err = r.parseActions(args[len(args)-1])
	}
	if err != nil {
		rep.Release()
		return nil, err
	}
	rep.run(env)
	return rep, nil
}

// parseActions reads the actions of a packet-out.
func (r *request) parseActions(text string) (err error) {
	var usable openflow.Protocol
	r.actions, usable, err = openflow.ParseInstructions(text, &openflow.Names{Ports: portNames{r.bridge}})
	if err != nil {
		return err
	}
	if r.actions == nil {
		r.actions = []openflow.Action{}
	}
	return r.check(usable)
}

// Explain translates a packet and tells every step, in text.
func Explain(in *xlate.Input) string {
	rep := newReport()
	defer rep.Release()
	rep.tlv = in.Bridge.Pipeline.TLV()
	r := rep.next()
	r.Key, r.in = *in.Key, *in
	r.translate(nil)
	defer r.translator.Release()
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

// maxRounds bounds the recirculations that one trace follows.
const maxRounds = 64

// run translates the packet, and then what recirculates.
func (rep *Report) run(env *Env) {
	req := &rep.req
	rep.tlv = req.bridge.Pipeline.TLV()
	if req.names {
		rep.ports, rep.dp = portNames{req.bridge}, req.namer(env)
	}
	recircs := env.Config.Recircs
	defer rep.unref(recircs)
	r := rep.next()
	r.Key = req.key
	r.in = xlate.Input{Bridge: req.bridge, Frozen: req.frozen, Actions: req.actions}
	for followed := 0; ; followed++ {
		r.in.Config, r.in.Packet, r.in.Now, r.in.Learn = env.Config, req.frame, env.Now, req.frame != nil && !req.dry
		r.translate(rep.ports)
		if r.in.Learn && followed == 0 && env.Punt != nil {
			env.Punt(r.in.Bridge, req.frame, &req.key, r.Result.Actions)
		}
		for i := range r.trace.Forks {
			f := &r.trace.Forks[i]
			recircs.Ref(f.ID)
			rep.forks = append(rep.forks, f)
		}
		if followed == len(rep.forks) || len(rep.Rounds) >= maxRounds {
			return
		}
		fork := rep.forks[followed]
		frozen := recircs.Lookup(fork.ID)
		if frozen == nil {
			return
		}
		r = rep.next()
		req.tracked(r, fork)
		r.in = xlate.Input{Bridge: frozen.Bridge, Frozen: frozen}
	}
}

// unref gives up the recirculation ids that the rounds have come upon.
func (rep *Report) unref(recircs *xlate.Recircs) {
	for _, f := range rep.forks {
		recircs.Unref(f.ID)
	}
	rep.forks = rep.forks[:0]
	for _, r := range rep.Rounds {
		r.translator.Release()
	}
}

// tracked makes a round of a packet as it comes back from the connection tracker,
// which finds what the user says, or a new connection.
func (r *request) tracked(n *Round, f *xlate.Fork) {
	n.Fork, n.Key, n.CTState, n.Assumed = f, f.Key, flow.CTTrk|flow.CTNew, true
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
	setAddr(v4, v6, k.L3Type(), nat.MinAddr)
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
