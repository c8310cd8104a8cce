package xlate

import (
	"math"
	"slices"

	"weir/internal/datapath"
	"weir/internal/flow"
	"weir/internal/openflow"
)

// moreActions runs the actions that make flows, choose between ports, or
// split translation.
func (x *Translator) moreActions(a openflow.Action, rest []openflow.Action, last bool) {
	switch a := a.(type) {
	case *openflow.Learn:
		x.learn(a)
	case *openflow.Multipath:
		x.multipath(a)
	case *openflow.Bundle:
		x.bundle(a, last)
	case *openflow.CheckPktLarger:
		x.checkPktLarger(a, rest, last)
	case *openflow.CT:
		x.ct(a)
	case *openflow.CTClear:
		x.clearConnection()
	case *openflow.UnrollXlate:
		x.table, x.cookie, x.rule = a.Table, a.Cookie, nil
		if x.trace != nil {
			x.trace.add(NodeAction, "restored state: table=%d, cookie=%s", a.Table, cNumber(a.Cookie))
		}
	case *openflow.DebugSlow:
		x.res.Slow |= datapath.SlowAction
	case *openflow.DebugRecirc:
		x.freezeHere()
	case *openflow.Sample:
		// Without a collector of that set a sample goes nowhere.
		x.detail("no collector set %d", a.CollectorSetID)
	case *openflow.DeleteField:
		a.Field.RemoveOption(&x.flow)
		x.detail("delete %s", a.Field.Name)
	default:
		x.warn("action %s is not supported, ignored", actionText(a, x.portNames()))
	}
}

// checkPktLarger runs the rest of the list of actions twice: for packets longer
// than the limit, and for the others. The lists that led here go on for both, with
// the packet as it was, unless the longer ones exit, as in the original.
func (x *Translator) checkPktLarger(a *openflow.CheckPktLarger, rest []openflow.Action, last bool) {
	if !x.cfg.Features.CheckPktLen {
		// The switch itself runs the actions, on each packet in hand.
		x.res.Slow |= datapath.SlowAction
		larger := uint64(0)
		if len(x.in.Packet) > int(a.Len) {
			larger = 1
		}
		x.mark(a.Dst)
		x.set(a.Dst, flow.V(larger))
		return
	}
	// The branches set fields for themselves only; what both need is set here.
	x.commit()
	outer, flow0, base0 := x.res.Actions, x.flow, x.base
	stack, set := slices.Clone(x.stack), slices.Clone(x.actionSet)
	branch := func(larger uint64) []datapath.Action {
		x.flow, x.base = flow0, base0
		x.stack, x.actionSet = slices.Clone(stack), slices.Clone(set)
		x.res.Actions, x.outer = nil, outerChange{}
		x.exit, x.freezing, x.frozen = false, false, nil
		x.set(a.Dst, flow.V(larger))
		x.mark(a.Dst)
		x.run(rest, last)
		x.finishActions()
		return x.res.Actions
	}
	greater := branch(1)
	exits := x.exit
	lessEqual := branch(0)
	x.flow, x.base = flow0, base0
	x.res.Actions = outer
	x.stack, x.actionSet, x.freezing, x.frozen, x.outer = stack, nil, false, nil, outerChange{}
	x.emit(&datapath.CheckPktLen{Size: a.Len, Greater: greater, LessEqual: lessEqual})
	x.exit, x.stop = exits, true
}

// freezesAfterMPLS reports whether an action needs what stands behind the last
// label that was popped, so that the packet must be parsed again before it.
func (x *Translator) freezesAfterMPLS(a openflow.Action) bool {
	switch a := a.(type) {
	case *openflow.PushMPLS:
		// A label takes its TTL from the IP header, if there is one.
		return isIP(x.flow.L3Type()) && x.flow.NwTTL == 0
	case *openflow.Output, *openflow.Controller, *openflow.Enqueue, *openflow.OutputReg, *openflow.OutputTrunc,
		*openflow.SetVLANVID, *openflow.SetVLANPCP, *openflow.StripVLAN, *openflow.PushVLAN,
		*openflow.SetEthSrc, *openflow.SetEthDst, *openflow.SetTunnelID, *openflow.SetQueue, *openflow.PopQueue,
		*openflow.Group, *openflow.Note, *openflow.WriteMetadata, *openflow.WriteActions, *openflow.ClearActions,
		*openflow.Exit, *openflow.SetMPLSLabel, *openflow.SetMPLSTC, *openflow.SetMPLSTTL,
		*openflow.Sample, *openflow.Conjunction:
		return false
	case *openflow.SetField:
		return a.Field.ID >= flow.FieldIPv4Src
	}
	return true
}

// selectBucket chooses a bucket of a select group by a hash of the packet.
func (x *Translator) selectBucket(g *group, last bool) {
	var i int
	if g.Props.SelectionMethod == "hash" || len(g.Slots()) == 0 {
		if x.wasMPLS {
			// The fields to choose by stand behind the label that was popped.
			x.freezeHere()
			x.frozen = append(x.frozen, &openflow.Group{ID: g.ID})
			return
		}
		i = x.bestByFields(g)
	} else {
		if x.flow.DPHash == 0 {
			// The data path computes the hash and the packet comes back with it.
			basis := uint32(g.Props.SelectionParam)
			alg := uint32(datapath.HashL4)
			if g.Props.SelectionMethod == "" {
				alg = datapath.HashSymL4
			}
			x.recircHash = &datapath.Hash{Alg: alg, Basis: basis}
			x.freezeHere()
			x.frozen = append(x.frozen, &openflow.Group{ID: g.ID})
			x.detail("no live bucket")
			return
		}
		i = x.byDPHash(g)
	}
	if i < 0 {
		x.detail("no live bucket")
		x.deny(DropGroup).Group = g.ID
		x.effect(Effect{Kind: EffectBucket, Group: g})
		return
	}
	x.detail("using bucket %d", g.Buckets[i].ID)
	x.bucket(g, i, last)
}

// byDPHash chooses by the hash that the data path computed.
func (x *Translator) byDPHash(g *group) int {
	slots := g.Slots()
	if len(slots) == 0 {
		return -1
	}
	mask := uint32(len(slots) - 1)
	x.wc.DPHash |= mask
	i := int(slots[x.flow.DPHash&mask])
	if x.live(g.Buckets[i], 0) {
		return i
	}
	x.wc.DPHash = ^uint32(0)
	return x.bestLive(g, uint64(x.flow.DPHash))
}

// bestLive chooses the live bucket whose score is highest: packets of buckets that
// stay live stay with them. The score is the weight over a random number of
// exponential distribution, made of a hash of the bucket's number and the packet, so
// that each bucket's share is its weight's in their sum (OpenFlow 1.5, 5.10.1;
// weighted rendezvous hashing).
func (x *Translator) bestLive(g *group, basis uint64) int {
	best, top := -1, 0.0
	for i, b := range g.Buckets {
		if !x.live(b, 0) {
			continue
		}
		uniform := (float64(uint32(mix(uint64(b.ID)+1, basis))) + 0.5) / (1 << 32)
		score := float64(b.Weight) / -math.Log(uniform)
		if score > top {
			best, top = i, score
		}
		x.detail("bucket %d: score %d", b.ID, uint64(score))
	}
	return best
}

// bestByFields chooses by the fields that the group names.
func (x *Translator) bestByFields(g *group) int {
	basis := g.Props.SelectionParam
	if g.Props.FieldSet.Empty() {
		return x.bestLive(g, uint64(x.hashFields(openflow.HashSymmetricL4, 0)))
	}
	for id := flow.FieldID(0); id < flow.NumFields; id++ {
		if !g.Props.FieldSet.Has(uint16(id)) {
			continue
		}
		f := id.Field()
		if !f.Applies(&x.flow) {
			continue
		}
		f.MarkPrereqs(x.wc)
		mask := f.Get(&g.Props.Fields.Mask)
		if mask.IsZero() {
			mask = f.Exact()
		}
		f.Mark(x.wc, mask)
		v := f.Get(&x.flow).And(mask)
		basis = mix(mix(basis, v.Hi), v.Lo)
	}
	return x.bestLive(g, basis)
}

// mix hashes two words to one.
func mix(a, b uint64) uint64 {
	h := (a ^ b*0x9e3779b97f4a7c15) * 0xff51afd7ed558ccd
	h ^= h >> 32
	h *= 0xc4ceb9fe1a85ec53
	return h ^ h>>29
}
