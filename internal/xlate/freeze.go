package xlate

import (
	"slices"

	"weir/internal/datapath"
	"weir/internal/flow"
	"weir/internal/openflow"
)

// freeze keeps what the rest of the translation needs: what no data path
// carries, and the actions left.
func (x *Translator) freeze(rest []openflow.Action) *State {
	s := &State{
		Bridge: x.bridge, Table: x.table, RuleCookie: x.cookie, WasMPLS: x.wasMPLS, Mirrored: x.mirrored,
		Stack: slices.Clone(x.stack), Actions: rest, ActionSet: slices.Clone(x.actionSet),
	}
	kw, fw := s.Key.Words(), x.flow.Words()
	copy(kw[:flow.FirstDatapathWord], fw[:flow.FirstDatapathWord])
	s.Key.Tunnel = x.flow.Tunnel
	s.Key.InPort = x.flow.InPort
	return s
}

// freezeHere makes the actions after this one run only after recirculation.
func (x *Translator) freezeHere() {
	x.freezing = true
	x.frozenAt = place{x.table, x.cookie}
}

// finishFreezing recirculates the packet into what is left to do.
func (x *Translator) finishFreezing() {
	x.freezing = false
	x.commit()
	if c := x.pause; c != nil {
		x.pause = nil
		s := x.freeze(x.frozen)
		s.Table, x.cookie = x.frozenAt.table, x.frozenAt.cookie
		x.sendFrozen(c, s)
		x.frozen = nil
		x.exit = true
		return
	}
	if x.recircHash != nil {
		x.emit(x.recircHash)
		x.recircHash = nil
	}
	// The packet is parsed again when it comes back.
	x.wasMPLS = false
	s := x.freeze(x.frozen)
	s.Table, s.RuleCookie = x.frozenAt.table, x.frozenAt.cookie
	id := x.cfg.Recircs.Alloc(s)
	x.frozen = nil
	x.res.Recircs = append(x.res.Recircs, id)
	x.emit(&datapath.Recirc{ID: id})
	x.exit = true
}

// thaw goes on where freeze left off.
func (x *Translator) thaw() {
	s := x.in.Frozen
	fw, kw := x.flow.Words(), s.Key.Words()
	copy(fw[:flow.FirstDatapathWord], kw[:flow.FirstDatapathWord])
	x.flow.Tunnel = s.Key.Tunnel
	x.flow.InPort = s.Key.InPort
	x.table, x.cookie, x.wasMPLS, x.mirrored = s.Table, s.RuleCookie, s.WasMPLS, s.Mirrored
	x.stack = append(x.stack, s.Stack...)
	x.actionSet = append(x.actionSet, s.ActionSet...)
	x.traceInto(NodeThaw, "thaw")
	if s.Table != 0 {
		x.detail("Resuming from table %d", s.Table)
	}
	x.run(s.Actions, true)
	x.finishActions()
}

// Start finds where a packet from a data path is to be translated: key has a
// data path port in InPort, and gets the OpenFlow port. ok is false when the
// port, or the recirculation id, is not known.
func (c *Config) Start(key *flow.Key) (b *Bridge, frozen *State, ok bool) {
	if key.RecircID != 0 {
		s := c.Recircs.Lookup(key.RecircID)
		if s == nil {
			return nil, nil, false
		}
		b := c.Bridges[s.Bridge.Name]
		if b == nil {
			return nil, nil, false
		}
		key.InPort = s.Key.InPort
		return b, s, true
	}
	p := c.ByDP[datapath.PortNo(key.InPort)]
	if p == nil {
		return nil, nil, false
	}
	key.InPort = uint32(p.No)
	return p.Bridge, nil, true
}
