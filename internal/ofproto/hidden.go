package ofproto

import (
	"weir/internal/flow"
	"weir/internal/openflow"
	"weir/internal/pipeline"
	"weir/internal/xlate"
)

// addHidden installs a flow of the switch's own in table 0.
func (b *Bridge) addHidden(match *flow.Match, priority int, actions []openflow.Action) *pipeline.Rule {
	x := b.pipe.Begin(b.be.clock.Now())
	r := x.AddHidden(0, match, priority, actions)
	x.Commit()
	b.be.engine.Wake()
	return r
}

// removeHidden removes a flow that addHidden made.
func (b *Bridge) removeHidden(r *pipeline.Rule) {
	x := b.pipe.Begin(b.be.clock.Now())
	x.RemoveHidden(r)
	x.Commit()
	b.be.engine.Wake()
}

// internalRules fills the internal table with the flows to which packets are
// credited that match none: each stands for one fate, by a number in reg0. The
// first keeps packets out that have not been recirculated.
func (b *Bridge) internalRules() {
	x := b.pipe.Begin(b.be.clock.Now())
	defer x.Commit()
	add := func(priority int, field flow.FieldID, value uint64, actions ...openflow.Action) *pipeline.Rule {
		var m flow.Match
		m.SetExact(field.Field(), flow.V(value))
		return x.AddHidden(pipeline.TableInternal, &m, priority, actions)
	}
	add(2, flow.FieldRecircID, 0)
	b.fates = xlate.Fates{
		ToController: add(0, flow.FieldReg0, 1, &openflow.Controller{MaxLen: 0xffff, Reason: uint8(openflow.ReasonImplicit)}),
		Drop:         add(0, flow.FieldReg0, 2),
		Fragment:     add(0, flow.FieldReg0, 3),
	}
}
