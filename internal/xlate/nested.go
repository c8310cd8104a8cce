package xlate

import (
	"slices"
	"strconv"

	"weir/internal/datapath"
	"weir/internal/flow"
	"weir/internal/openflow"
	"weir/internal/pipeline"
)

// runRuleApart runs the rule that a packet meets in another bridge, and the
// action set there, so that nothing of it remains on the packet outside.
func (x *Translator) runRuleApart(r *pipeline.Rule, last bool) {
	oldRule, oldCookie := x.rule, x.cookie
	x.effect(Effect{Kind: EffectRule, Rule: r})
	x.rule, x.cookie = r, r.Cookie
	if x.trace != nil && len(r.Actions()) == 0 {
		x.trace.add(NodeAction, "drop")
	}
	x.apart(r.Actions(), last)
	x.rule, x.cookie = oldRule, oldCookie
}

// apart runs actions, and then the action set, on a copy of the packet.
func (x *Translator) apart(actions []openflow.Action, last bool) {
	x.aside(actions, last, func() {
		x.run(actions, last)
		x.finishActions()
	})
}

// ends reports whether nothing follows an action: nothing of its list, and no
// action set that was collected before.
func (x *Translator) ends(last bool) bool { return last && len(x.actionSet) == 0 }

// aside has run act on a copy of the packet: the caller restores the flow
// after it, and commit sets the fields back. Only where the data path can't
// undo what was done, and something follows, is the packet copied there.
// Actions are what run will do, or what it begins with.
func (x *Translator) aside(actions []openflow.Action, last bool, run func()) {
	if last {
		run()
		return
	}
	known := !reversible(actions)
	if known {
		// What is to be done to the packet anyway is done once, before the copy.
		x.commit()
	}
	p := x.here()
	run()
	if known || x.irreversible != p.irreversible {
		x.copySince(p)
	}
}

// point is what the data path has made of the packet at some point, after so many
// actions.
type point struct {
	base         flow.Key
	outer        outerChange
	irreversible int
	actions      int
}

func (x *Translator) here() point { return point{x.base, x.outer, x.irreversible, len(x.res.Actions)} }

// backTo takes back the actions since p.
func (x *Translator) backTo(p point) {
	x.res.Actions = x.res.Actions[:p.actions]
	x.base, x.outer, x.irreversible = p.base, p.outer, p.irreversible
}

// copySince has the actions since p run on a copy of the packet.
func (x *Translator) copySince(p point) {
	inner := slices.Clone(x.res.Actions[p.actions:])
	x.backTo(p)
	if len(inner) > 0 {
		x.emitCopy(inner)
	}
}

// emitCopy has the data path run actions on a copy of the packet: by a sample
// of all packets where it has no clone.
func (x *Translator) emitCopy(inner []datapath.Action) {
	f := &x.cfg.Features
	switch {
	case f.Clone:
		x.emit(&datapath.Clone{Actions: inner})
	case sampleDepth(inner)+2 < f.SampleNesting: // a sample stands in a sample sometimes
		x.emit(&datapath.Sample{Probability: ^uint32(0), Actions: inner})
	default:
		x.complain("Failed to compose clone action: the data path has no clone, and samples nest %d deep at most", f.SampleNesting)
	}
}

// sampleDepth is how deep samples nest in actions.
func sampleDepth(actions []datapath.Action) (depth int) {
	for _, a := range actions {
		if s, ok := a.(*datapath.Sample); ok {
			depth = max(depth, 1+sampleDepth(s.Actions))
		}
	}
	return depth
}

// reversible reports whether setting fields back undoes the actions.
func reversible(actions []openflow.Action) bool {
	for _, a := range actions {
		switch a := a.(type) {
		case *openflow.MeterInst, *openflow.OutputTrunc, *openflow.CT, *openflow.Encap, *openflow.Decap:
			return false
		case *openflow.Clone:
			if !reversible(a.Actions) {
				return false
			}
		case *openflow.WriteActions:
			if !reversible(a.Actions) {
				return false
			}
		}
	}
	return true
}

// clone runs actions on a copy of the packet and its metadata.
func (x *Translator) clone(actions []openflow.Action, last bool) {
	key, stack, set := x.flow, x.stack, x.actionSet
	last = x.ends(last)
	exit, mpls, conn := x.exit, x.wasMPLS, x.conntracked
	rule, table := x.rule, x.table
	x.actionSet = nil
	x.stack = append([]flow.Value(nil), stack...)
	x.apart(actions, last)
	x.flow, x.stack, x.actionSet = key, stack, set
	x.exit, x.wasMPLS, x.conntracked = exit, mpls, conn
	x.rule, x.table = rule, table
}

// findGroup finds a group of the bridge that the packet is in.
func (x *Translator) findGroup(id uint32) *pipeline.Group {
	if x.in.Group != nil && x.bridge == x.in.Bridge {
		return x.in.Group(id)
	}
	return x.bridge.Pipeline.Group(id)
}

// toGroup hands the packet to a group.
func (x *Translator) toGroup(id uint32, last bool) {
	g := x.findGroup(id)
	if g == nil {
		x.warn("output to nonexistent group %d", id)
		x.deny(DropGroup).Group = id
		return
	}
	if !x.mayGoOn() {
		return
	}
	wasIn := x.inGroup
	x.inGroup = true
	switch g.Type {
	case openflow.GroupTypeAll:
		x.effect(Effect{Kind: EffectBucket, Group: g})
		for i := range g.Buckets {
			x.bucket(g, i, last && i+1 == len(g.Buckets))
		}
	case openflow.GroupTypeIndirect:
		if len(g.Buckets) > 0 {
			x.bucket(g, 0, last)
		}
	case openflow.GroupTypeFF:
		if i := x.firstLive(g); i >= 0 {
			x.detail("using bucket %d", g.Buckets[i].ID)
			x.bucket(g, i, last)
		} else {
			x.detail("no live bucket")
			x.deny(DropGroup).Group = id
			x.effect(Effect{Kind: EffectBucket, Group: g})
		}
	case openflow.GroupTypeSelect:
		x.selectBucket(g, last)
	}
	x.inGroup = wasIn
}

// bucket runs a bucket's actions as an action set. They have no effect on what
// follows.
func (x *Translator) bucket(g *pipeline.Group, i int, last bool) {
	b := g.Buckets[i]
	x.effect(Effect{Kind: EffectBucket, Group: g, Bucket: b})
	depth := x.traceInto(NodeBucket, "bucket %d", b.ID)
	last = x.ends(last)
	key, mpls := x.flow, x.wasMPLS
	outer := x.actionSet
	x.actionSet = append([]openflow.Action(nil), b.Actions...)
	set := append([]openflow.Action(nil), x.orderedSet()...)
	x.actionSet = outer
	x.depth++
	if n := len(set); n > 0 && rank(set[n-1]) >= rankFinal {
		x.aside(set, last, func() {
			x.run(set, last)
			// A recirculation or an exit in a bucket ends only the bucket.
			if x.freezing {
				x.finishFreezing()
			}
		})
	}
	x.depth--
	x.traceBack(depth)
	x.flow, x.wasMPLS = key, mpls
	x.exit = false
}

// live reports whether a bucket may be used: what it watches is up.
func (x *Translator) live(b *pipeline.Bucket, depth int) bool {
	if b.WatchPort == openflow.PortNone && (b.WatchGroup == openflow.GroupAny) {
		return true
	}
	if depth > MaxDepth {
		return false
	}
	if b.WatchPort != openflow.PortNone {
		if b.WatchPort == openflow.PortController {
			return x.bridge.HasController
		}
		if p := x.bridge.Ports[b.WatchPort]; p != nil && p.Up() {
			return true
		}
	}
	if b.WatchGroup != openflow.GroupAny {
		if g := x.findGroup(b.WatchGroup); g != nil {
			for _, o := range g.Buckets {
				if x.live(o, depth+1) {
					return true
				}
			}
		}
	}
	return false
}

func (x *Translator) firstLive(g *pipeline.Group) int {
	for i, b := range g.Buckets {
		if x.live(b, 0) {
			return i
		}
	}
	return -1
}

func formatNumber(v flow.Value) string {
	if v.Hi == 0 {
		return "0x" + strconv.FormatUint(v.Lo, 16)
	}
	s := strconv.FormatUint(v.Lo, 16)
	for len(s) < 16 {
		s = "0" + s
	}
	return "0x" + strconv.FormatUint(v.Hi, 16) + s
}
