package xlate

import (
	"slices"

	"weir/internal/datapath"
	"weir/internal/flow"
	"weir/internal/openflow"
	"weir/internal/tunnel"
)

// freeze keeps what the rest of the translation needs: what no data path
// carries, and the actions left.
func (x *Translator) freeze(rest []openflow.Action) *State {
	s := &State{
		Bridge: x.bridge, Table: x.table, SentTable: x.table, RuleCookie: x.cookie, WasMPLS: x.wasMPLS,
		Mirrored: x.mirrored,
		Stack:    slices.Clone(x.stack), Actions: rest, ActionSet: slices.Clone(x.actionSet),
	}
	kw, fw := s.Key.Words(), x.flow.Words()
	copy(kw[:flow.FirstDatapathWord], fw[:flow.FirstDatapathWord])
	s.Key.Tunnel = x.flow.Tunnel
	s.Key.InPort = x.flow.InPort
	x.markOptions()
	return s
}

// freezeForData is freeze for a packet whose key the data path keeps. As long
// as its options are those that it came with, they are none of the state: other
// packets with the same state may have others.
func (x *Translator) freezeForData(rest []openflow.Action) *State {
	if !x.asCame || x.flow.TunMetaPresent != x.in.Key.TunMetaPresent || x.flow.TunMeta != x.in.Key.TunMeta {
		return x.freeze(rest)
	}
	wc, meta := x.wc.TunMetaPresent, x.wc.TunMeta
	s := x.freeze(rest)
	x.wc.TunMetaPresent, x.wc.TunMeta = wc, meta
	s.Key.TunMetaPresent, s.Key.TunMeta = 0, [flow.TunMetaBytes]byte{}
	s.Received = true
	return s
}

// freezeHere makes the actions after this one run only after recirculation.
func (x *Translator) freezeHere() {
	x.freezing = true
	x.frozenAt = place{x.table, x.cookie}
}

// keepForLater adds actions to those that run after recirculation. The lists
// of the rules that led here follow each other then, each with an action before
// it that says where it stands, if that matters to it.
func (x *Translator) keepForLater(rest []openflow.Action) {
	placed := false
	for _, a := range rest {
		if !placed && needsPlace(a) {
			x.frozen = append(x.frozen, &openflow.UnrollXlate{Table: x.table, Cookie: x.cookie})
			placed = true
		}
		if g, ok := a.(*openflow.GotoTable); ok {
			a = &openflow.Resubmit{InPort: openflow.PortInPort, Table: g.Table}
		}
		x.frozen = append(x.frozen, a)
	}
}

// needsPlace reports whether what an action does depends on the table and the
// cookie of its rule: it may send the packet to a controller, or look it up
// in the table where it is.
func needsPlace(a openflow.Action) bool {
	switch a := a.(type) {
	case *openflow.Resubmit:
		return a.Table == openflow.TableAny
	case *openflow.Output, *openflow.OutputReg, *openflow.OutputTrunc, *openflow.Controller, *openflow.Bundle,
		*openflow.Group, *openflow.Enqueue, *openflow.DecTTL, *openflow.DecMPLSTTL, *openflow.DecNSHTTL,
		*openflow.Clone, *openflow.CheckPktLarger, *openflow.UnrollXlate:
		return true
	}
	return false
}

// finishFreezing recirculates the packet into what is left to do.
func (x *Translator) finishFreezing() {
	x.freezing = false
	x.commit()
	frozen := x.frozen
	x.frozen = nil
	x.exit = true
	if c := x.pause; c != nil {
		x.pause = nil
		table, cookie := x.table, x.cookie
		s := x.freeze(frozen)
		s.SentTable = x.frozenAt.table
		x.cookie = x.frozenAt.cookie
		x.sendFrozen(c, s)
		x.table, x.cookie = table, cookie
		return
	}
	if x.recircHash != nil {
		x.emit(x.recircHash)
		x.recircHash = nil
	}
	// The packet is parsed again when it comes back.
	x.wasMPLS = false
	id := x.cfg.Recircs.Alloc(x.freezeForData(frozen))
	x.res.Recircs = append(x.res.Recircs, id)
	x.emit(&datapath.Recirc{ID: id})
}

// thaw goes on where freeze left off.
func (x *Translator) thaw() {
	s := x.in.Frozen
	fw, kw := x.flow.Words(), s.Key.Words()
	copy(fw[:flow.FirstDatapathWord], kw[:flow.FirstDatapathWord])
	if x.asCame = s.Received; s.Received {
		x.flow.TunMetaPresent, x.flow.TunMeta = x.in.Key.TunMetaPresent, x.in.Key.TunMeta
	}
	x.flow.Tunnel = s.Key.Tunnel
	x.flow.InPort = s.Key.InPort
	x.table, x.cookie, x.wasMPLS, x.mirrored = s.Table, s.RuleCookie, s.WasMPLS, s.Mirrored
	x.stack = append(x.stack, s.Stack...)
	x.actionSet = append(x.actionSet, s.ActionSet...)
	x.traceThaw(s)
	if s.Lookup {
		x.again(openflow.PortNo(x.flow.InPort), s.Table, true, true, true)
	} else {
		x.run(s.Actions, true)
	}
	x.finishActions()
}

// traceThaw notes what was restored.
func (x *Translator) traceThaw(s *State) {
	if x.trace == nil {
		return
	}
	into := x.traceInto(NodeThaw, "thaw")
	x.trace.add(NodeThaw, "Resuming from table %d", s.Table)
	if len(x.actionSet) > 0 {
		x.trace.add(NodeThaw, "Restoring action set%s", x.setText())
	}
	if len(s.Actions) > 0 {
		x.trace.add(NodeThaw, "Restoring actions: %s", actionsText(s.Actions, x.portNames()))
	}
	x.traceBack(into)
}

// Start finds where a packet from a data path is to be translated: key has a
// data path port in InPort, and gets the OpenFlow port, and for options of a
// tunnel the fields of the bridge. ok is false when the
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
		tunnel.ReadOptions(key, b.Pipeline.TLV())
		return b, s, true
	}
	p := c.PortOf(key)
	if p == nil {
		return nil, nil, false
	}
	key.InPort = uint32(p.No)
	tunnel.ReadOptions(key, p.Bridge.Pipeline.TLV())
	return p.Bridge, nil, true
}

// PortOf is the port on which a packet came in, with the data path's port number
// in its key; nil if it belongs to none.
func (c *Config) PortOf(key *flow.Key) *Port {
	if p := c.ByDP[datapath.PortNo(key.InPort)]; p != nil {
		return p
	}
	p, _ := c.Tunnels.Find(key.InPort, &key.Tunnel, key.PacketType)
	return p
}
