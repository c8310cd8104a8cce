package upcall

import (
	"errors"
	"io/fs"
	"slices"

	"weir/internal/datapath"
	"weir/internal/flow"
	"weir/internal/netdev"
	"weir/internal/openflow"
	"weir/internal/xlate"
)

// input prepares a translation of a packet that came from the data path; ok is
// false when the packet belongs to no bridge.
func (e *Engine) input(cfg *xlate.Config, key *flow.Key, in *xlate.Input, of *flow.Key) (ok bool) {
	*of = *key
	*in = xlate.Input{Config: cfg, Key: of, Now: e.clock.Now()}
	in.Bridge, in.Frozen, ok = cfg.Start(of)
	return ok
}

// HandleUpcall translates a packet and says what to do with it.
func (e *Engine) HandleUpcall(u *datapath.Upcall) datapath.Verdict {
	if e.held.Load() {
		return datapath.Verdict{}
	}
	if u.Kind == datapath.UpcallAction && u.Cookie.Kind != datapath.CookieSlowPath {
		e.toController(u)
		return datapath.Verdict{}
	}
	tr := e.translator()
	defer e.release(tr)
	gen, seq := e.gen.Load(), e.index.now()
	in := &tr.in
	if !e.input(e.opts.Snapshot(), u.Key, in, &tr.key) {
		return datapath.Verdict{}
	}
	miss := u.Kind == datapath.UpcallMiss
	in.Packet = u.Packet.Data()
	in.Learn, in.Credit = true, miss
	in.Bytes, in.TCPFlag = uint64(u.Packet.Len), u.Key.TCPFlags
	res := tr.Translate(in)
	e.complain(in, res)
	e.Solicit(in.Config, res.Solicits)
	if !miss {
		// A flow of the data path counted the packet already.
		e.execute(u, res.Actions)
		return datapath.Verdict{}
	}
	return e.verdict(u, tr, res, gen, seq)
}

// Solicit sends the requests for neighbours that a translation found missing,
// through the flow tables of their bridges.
func (e *Engine) Solicit(cfg *xlate.Config, list []xlate.Solicit) {
	for i := range list {
		s := &list[i]
		pkt := netdev.PacketOf(s.Frame)
		key := flow.Key{InPort: uint32(s.Port.No)}
		flow.Extract(s.Frame, &key)
		tr := e.translator()
		tr.key = key
		tr.in = xlate.Input{Config: cfg, Bridge: s.Port.Bridge, Key: &tr.key, Packet: s.Frame, Now: e.clock.Now(),
			Learn: true, Credit: true, Bytes: uint64(len(s.Frame))}
		res := tr.Translate(&tr.in)
		key.InPort = uint32(s.Port.DP)
		e.execute(&datapath.Upcall{Packet: &pkt, Key: &key}, res.Actions)
		e.release(tr)
	}
}

// complain logs what is wrong with the flow tables that a packet met, and how
// it got there if it was dropped for that.
func (e *Engine) complain(in *xlate.Input, res *xlate.Result) {
	for _, c := range res.Complaints {
		xlateLog.WarnRL(&complaints, "%s", c)
	}
	if res.Err == xlate.ErrNone || len(res.Complaints) == 0 || e.opts.Explain == nil {
		return
	}
	again := *in
	again.Learn, again.Credit = false, false
	log.InfoRL(&explained, "%v", explanation{e, &again})
}

// explanation is made only if the log wants it.
type explanation struct {
	e  *Engine
	in *xlate.Input
}

// String explains a translation.
func (x explanation) String() string { return x.e.opts.Explain(x.in) }

func (e *Engine) execute(u *datapath.Upcall, actions []datapath.Action) {
	if len(actions) == 0 {
		return
	}
	acts := append([]datapath.Action(nil), actions...)
	if err := e.dp.Execute(u.Packet, u.Key, acts); err != nil {
		log.Dbg("executing actions of a slow-path packet: %s", err)
	}
}

// verdict answers a miss and makes the record of the flow that it installs.
func (e *Engine) verdict(u *datapath.Upcall, tr *translator, res *xlate.Result, gen, seq uint64) datapath.Verdict {
	if res.Err == xlate.ErrNoRecirc || e.count.Load() >= e.limit.Load() {
		if res.Err == xlate.ErrNone {
			coverFlowLimit.Inc()
		}
		return datapath.Verdict{Actions: slices.Clone(actions(res))}
	}
	m := &megaflow{key: *dpPart(u.Key), options: optionsOf(u.Key), created: tr.in.Now.UnixNano(), gen: gen}
	mask := e.maskOf(u.Key, tr.in.Bridge, res)
	m.ufid = e.ufid(u.Key, mask)
	m.mask = e.masks.get(mask, tr.mask)
	tr.mask = m.mask
	tr.found.find(&tr.in, res)
	out := e.enter(m, &tr.found, seq)
	if res.Slow != 0 {
		// The flow's actions are not what this packet needs, so it isn't the
		// data path that installs them.
		e.installed(m, e.dp.FlowPut(m.flow(out.actions), datapath.PutCreate))
		return datapath.Verdict{Actions: slices.Clone(actions(res))}
	}
	return datapath.Verdict{Actions: out.actions, Mask: &m.mask.mask, UFID: m.ufid, Owner: m, Install: true}
}

func (m *megaflow) isGone() bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.gone
}

// vidMask is the VLAN of a tag.
const vidMask = 0xfff

// whole is the flow's key.
func (m *megaflow) whole() flow.Key { return m.key.whole(m.options) }

// flow is the flow of the data path with these actions.
func (m *megaflow) flow(actions []datapath.Action) *datapath.Flow {
	return &datapath.Flow{UFID: m.ufid, Key: m.whole(), Mask: m.mask.mask, Actions: actions, Owner: m}
}

// installed are the actions that the data path gets: those of the result, or
// where they must be done by the switch, that they come to the switch.
func installed(in *xlate.Input, res *xlate.Result) []datapath.Action {
	if res.Slow == 0 {
		return actions(res)
	}
	return []datapath.Action{in.Bridge.Metered(openflow.MeterSlowpath, &datapath.Userspace{Cookie: datapath.Cookie{
		Kind: datapath.CookieSlowPath, Slow: res.Slow, InPort: in.Key.InPort, Bridge: in.Bridge.ID,
	}})}
}

// actions are those of the result; of a translation that gave up, and for a packet
// that met congestion, a drop for that reason, which the data path counts. They are the translator's.
func actions(res *xlate.Result) []datapath.Action {
	switch {
	case res.Err != xlate.ErrNone:
		return []datapath.Action{&datapath.Drop{Reason: uint32(res.Err)}}
	case res.Drop.Kind == xlate.DropTunnelECN && len(res.Actions) == 0:
		return []datapath.Action{&datapath.Drop{Reason: dropCongestion}}
	}
	return res.Actions
}

// dropCongestion is the reason, among those of the action, of a packet that met
// congestion on its way through a tunnel and can't tell (coverage counter
// drop_action_congestion).
const dropCongestion = 10

// Installed drops the record of a flow that could not be installed, be it that
// one of that name is there.
func (e *Engine) Installed(u *datapath.Upcall, v *datapath.Verdict, err error) {
	if m, ok := v.Owner.(*megaflow); ok {
		e.installed(m, err)
	}
	if err != nil && !errors.Is(err, fs.ErrExist) {
		log.Dbg("installing a flow: %s", err)
	}
}

// installed notes what became of a record's flow. One that was found wrong
// before it was there is looked at now.
func (e *Engine) installed(m *megaflow, err error) {
	if err != nil {
		e.drop(m)
		return
	}
	m.there.Store(true)
	if m.stale.Load() {
		e.index.again(m)
		e.poke()
	}
}

// Removed credits what a flow that has gone counted to the last, and drops its
// record.
func (e *Engine) Removed(owner any, stats datapath.Stats) {
	if m, ok := owner.(*megaflow); ok {
		e.push(m, &stats)
		e.drop(m)
	}
}

// toController hands a packet on to the controllers of its bridge.
func (e *Engine) toController(u *datapath.Upcall) {
	if u.Cookie.Kind != datapath.CookieController || u.Cookie.DontSend {
		return
	}
	cfg := e.opts.Snapshot()
	p := &PacketIn{Cookie: u.Cookie, Packet: u.Packet.Data(), Key: u.Key, State: cfg.Recircs.Lookup(u.Cookie.RecircID)}
	if port := cfg.PortOf(u.Key); port != nil {
		p.Port, p.Bridge = port.No, port.Bridge
	}
	if p.State != nil && p.State.Bridge != nil {
		p.Bridge = cfg.Bridges[p.State.Bridge.Name]
	}
	if p.Bridge != nil {
		e.opts.PacketIn(p)
	}
}
