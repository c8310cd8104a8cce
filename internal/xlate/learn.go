package xlate

import (
	"fmt"
	"strings"
	"time"

	"weir/internal/flow"
	"weir/internal/openflow"
	"weir/internal/pipeline"
)

// learn adds the flow that a learn action makes of the packet.
func (x *Translator) learn(a *openflow.Learn) {
	for i := range a.Specs {
		if s := &a.Specs[i]; !s.FromImm {
			x.mark(s.Src)
		}
	}
	fm := x.learned(a)
	x.res.Effects = append(x.res.Effects, Effect{Kind: EffectLearn, Bridge: x.bridge, FlowMod: fm, Limit: a.Limit})
	if !x.in.Learn {
		x.warn("suppressing side effects, so learn action ignored")
		return
	}
	if x.trace != nil {
		x.detail("%s", learnText(fm, x.portNames()))
	}
	ok := learn(x.bridge.Pipeline, fm, a.Limit, x.now())
	if a.Flags&openflow.LearnWriteResult != 0 && a.ResultDst.Field != nil {
		v := uint64(0)
		if ok {
			v = 1
		}
		x.mark(a.ResultDst)
		x.set(a.ResultDst, flow.V(v))
	}
	if !ok {
		x.detail("LEARN_LIMIT of %d reached", a.Limit)
	}
}

// learned is the flow mod that a learn action makes of the packet.
func (x *Translator) learned(a *openflow.Learn) *openflow.FlowMod {
	fm := &openflow.FlowMod{
		Command: openflow.FlowModifyStrict, TableID: a.TableID, Priority: a.Priority,
		NewCookie: a.Cookie, ModifyCookie: a.Cookie != ^uint64(0),
		Origin: pipeline.OriginLearn, IdleTimeout: a.IdleTimeout, HardTimeout: a.HardTimeout, Importance: 0,
		BufferID: openflow.NoBuffer, OutPort: openflow.PortNone, OutGroup: openflow.GroupAny,
	}
	if a.Flags&openflow.LearnSendFlowRem != 0 {
		fm.Flags |= openflow.FlowSendRem
	}
	if a.FinIdleTimeout != 0 || a.FinHardTimeout != 0 {
		fm.Actions = append(fm.Actions, &openflow.FinTimeout{Idle: a.FinIdleTimeout, Hard: a.FinHardTimeout})
	}
	for i := range a.Specs {
		s := &a.Specs[i]
		v := s.Imm
		if !s.FromImm {
			v = x.get(s.Src)
		}
		switch s.Dst {
		case openflow.LearnMatch:
			at, bits := v.Shl(int(s.DstSub.Ofs)), flow.Ones(int(s.NBits)).Shl(int(s.DstSub.Ofs))
			s.DstSub.Field.SetMasked(&fm.Match.Key, at, bits)
			s.DstSub.Field.Mark(&fm.Match.Mask, bits)
		case openflow.LearnLoad:
			bits := flow.Ones(int(s.NBits)).Shl(int(s.DstSub.Ofs))
			fm.Actions = append(fm.Actions, &openflow.SetField{Field: s.DstSub.Field, FromLoad: true,
				Value: v.Shl(int(s.DstSub.Ofs)).And(bits), Mask: bits})
		case openflow.LearnOutput:
			fm.Actions = append(fm.Actions, &openflow.Output{Port: openflow.PortNo(v.Lo)})
		}
	}
	fm.Match.TLV = x.bridge.Pipeline.TLV()
	fm.Match.CompletePacketType()
	fm.Match.ZeroWild()
	return fm
}

func learnText(fm *openflow.FlowMod, names flow.PortNames) string {
	var b strings.Builder
	fmt.Fprintf(&b, "table=%d ", fm.TableID)
	if m := fm.Match.Format(flow.DefaultPriority, names); m != "" {
		b.WriteString(m + " ")
	}
	fmt.Fprintf(&b, "priority=%d", fm.Priority)
	if fm.NewCookie != 0 {
		fmt.Fprintf(&b, " cookie=%#x", fm.NewCookie)
	}
	if fm.IdleTimeout != 0 {
		fmt.Fprintf(&b, " idle=%d", fm.IdleTimeout)
	}
	if fm.HardTimeout != 0 {
		fmt.Fprintf(&b, " hard=%d", fm.HardTimeout)
	}
	b.WriteString(" actions=")
	b.WriteString(actionsText(fm.Actions, names))
	return b.String()
}

// learn adds the flow of a learn action, or restarts the timeouts of the one
// that is there already. It says false when limit flows of the same cookie
// are in the table already (0: no limit).
func learn(p *pipeline.Pipeline, fm *openflow.FlowMod, limit uint32, now time.Time) bool {
	if r := findLearned(p, fm); r != nil {
		r.Refresh(now)
		return true
	}
	if limit != 0 {
		rules, err := p.Select(&pipeline.Selection{Cookie: fm.NewCookie, CookieMask: ^uint64(0),
			OutPort: openflow.PortNone, OutGroup: openflow.GroupAny, Table: fm.TableID})
		if err == nil && len(rules) >= int(limit) && !replaces(rules, fm) {
			return false
		}
	}
	m := *fm
	m.Command = openflow.FlowAdd
	// A flow that can't be added (the table is full) is the same as none.
	_, _ = p.FlowMod(&m, now)
	return true
}

// findLearned finds the flow that the flow mod would add, when adding it would
// change nothing.
func findLearned(p *pipeline.Pipeline, fm *openflow.FlowMod) *pipeline.Rule {
	r := p.Find(fm.TableID, &fm.Match, int(fm.Priority))
	if r == nil || r.Cookie != fm.NewCookie || r.IdleTimeout() != fm.IdleTimeout || r.HardTimeout() != fm.HardTimeout ||
		!pipeline.SameActions(r.Actions(), fm.Actions) {
		return nil
	}
	return r
}

func replaces(rules []*pipeline.Rule, fm *openflow.FlowMod) bool {
	for _, r := range rules {
		m := r.Match()
		if r.Priority() == int(fm.Priority) && m.Key == fm.Match.Key && m.Mask == fm.Match.Mask {
			return true
		}
	}
	return false
}
