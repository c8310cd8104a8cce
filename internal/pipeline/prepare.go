package pipeline

import (
	"weir/internal/classifier"
	"weir/internal/openflow"
)

// Addition is a flow mod that adds a flow, made ready: it is small, as one of
// many in a bundle should be, and takes little time to apply.
type Addition struct {
	rule  *Rule
	flags openflow.FlowFlags
}

// Preparer makes additions; those of the same masks and actions share them. It
// belongs to one goroutine; its zero value is ready to use.
type Preparer struct {
	masks    classifier.Masks
	programs programCache
}

// Prepare makes a flow mod of the command FlowAdd ready for [Txn.Add]. It keeps
// nothing of fm but its actions, and may complete its match.
func (p *Preparer) Prepare(fm *openflow.FlowMod) (*Addition, error) {
	fm.Match.CompletePacketType()
	if err := checkTable(fm.TableID, fm.Flags); err != nil {
		return nil, err
	}
	prog := p.programs.get(fm.Actions)
	r := ruleOf(fm, prog, fm.TableID)
	r.cls.InitWith(&p.masks, &fm.Match.Key, &fm.Match.Mask, int(fm.Priority), prog.facts().conj, r)
	return &Addition{r, fm.Flags}, nil
}

// Add is [Txn.FlowMod] of an addition, which can be added once.
func (x *Txn) Add(a *Addition) error {
	if err := x.check(a.rule.program); err != nil {
		return err
	}
	return x.add(a.rule, a.flags)
}
