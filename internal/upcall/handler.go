package upcall

import (
	"errors"
	"io/fs"
	"slices"

	"weir/internal/datapath"
	"weir/internal/flow"
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
	if !miss {
		// A flow of the data path counted the packet already.
		e.execute(u, res.Actions)
		return datapath.Verdict{}
	}
	return e.verdict(u, in, res, gen, seq)
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

// verdict answers a miss and records the flow that it installs.
func (e *Engine) verdict(u *datapath.Upcall, in *xlate.Input, res *xlate.Result, gen, seq uint64) datapath.Verdict {
	if res.Err == xlate.ErrNoRecirc || e.count.Load() >= e.limit.Load() {
		if res.Err == xlate.ErrNone {
			coverFlowLimit.Inc()
		}
		return datapath.Verdict{Actions: actions(res)}
	}
	m := e.record(u.Key, in, res, gen)
	v := datapath.Verdict{Actions: m.actions}
	if res.Slow != 0 {
		v.Actions = actions(res)
	}
	if !e.insert(m) {
		e.masks.put(m.mask)
		return v
	}
	e.ref(m.recircs)
	e.enter(m, in.Key, res, seq)
	if res.Slow != 0 {
		// The flow's actions are not what this packet needs, so it isn't the
		// data path that installs them.
		f := m.flow(m.actions)
		if err := e.dp.FlowPut(f, datapath.PutCreate); err != nil {
			e.drop(m)
		}
		return v
	}
	v.Mask, v.UFID, v.Install = &m.mask.mask, m.ufid, true
	return v
}

// enter has the index find a record by what its translation met.
func (e *Engine) enter(m *megaflow, key *flow.Key, res *xlate.Result, seq uint64) {
	deps, entry := depsOf(key, res)
	e.index.put(m, deps, entry, seq)
	if m.isGone() {
		e.index.remove(m)
	}
}

func (m *megaflow) isGone() bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.gone
}

// vidMask is the VLAN of a tag.
const vidMask = 0xfff

// record makes the record of a translated flow.
func (e *Engine) record(key *flow.Key, in *xlate.Input, res *xlate.Result, gen uint64) *megaflow {
	mask := &res.Mask
	if e.noMegaflows.Load() {
		*mask = key.MaskExact()
	}
	// A flow of a data path either has a tag or it has none: that can't be
	// left open.
	if mask.VLANs[0].TCI == 0 {
		mask.VLANs[0] = flow.VLAN{TPID: 0xffff, TCI: vidMask | flow.VLANPresent}
	}
	mask.InPort, mask.RecircID = ^uint32(0), ^uint32(0)
	m := &megaflow{key: *dpPart(key), created: in.Now, gen: gen}
	m.ufid = e.ufid(&m.key, dpPart(mask))
	m.mask = e.masks.get(dpPart(mask))
	m.adopt(in, res)
	return m
}

// flow is the flow of the data path with these actions.
func (m *megaflow) flow(actions []datapath.Action) *datapath.Flow {
	return &datapath.Flow{UFID: m.ufid, Key: m.key.whole(), Mask: m.mask.mask, Actions: actions}
}

// adopt takes over what a translation found.
func (m *megaflow) adopt(in *xlate.Input, res *xlate.Result) {
	m.actions = installed(in, res)
	m.effects = slices.Clone(res.Effects)
	m.recircs = slices.Clone(res.Recircs)
	m.normal = res.HasNormal
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

// actions are those of the result; of a translation that gave up, a drop for
// that reason, which the data path counts.
func actions(res *xlate.Result) []datapath.Action {
	if res.Err != xlate.ErrNone {
		return []datapath.Action{&datapath.Drop{Reason: uint32(res.Err)}}
	}
	return append([]datapath.Action(nil), res.Actions...)
}

// Installed drops the record of a flow that could not be installed.
func (e *Engine) Installed(u *datapath.Upcall, v *datapath.Verdict, err error) {
	if err == nil || errors.Is(err, fs.ErrExist) {
		return
	}
	if m := e.find(v.UFID); m != nil {
		e.drop(m)
	}
	log.Dbg("installing a flow: %s", err)
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
