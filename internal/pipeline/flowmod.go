package pipeline

import (
	"cmp"
	"slices"
	"time"

	"weir/internal/classifier"
	"weir/internal/flow"
	"weir/internal/openflow"
)

// FlowMod applies one flow mod by itself; see [Txn.FlowMod].
func (p *Pipeline) FlowMod(fm *openflow.FlowMod, now time.Time) ([]Event, error) {
	x := p.Begin(now)
	defer x.Abort()
	if err := x.FlowMod(fm); err != nil {
		return nil, err
	}
	return x.Commit(), nil
}

// FlowMod adds, modifies or deletes flows. On an *openflow.Error the
// transaction may hold part of the change and must be aborted. The actions of
// fm pass to the pipeline, and its match may be completed.
func (x *Txn) FlowMod(fm *openflow.FlowMod) error {
	// Whether a message says that it is about Ethernet packets, where that is
	// implied, depends on its version and format; flows that match the same
	// must be the same.
	fm.Match.CompletePacketType()
	var prog *program
	if err := checkTable(fm.TableID, fm.Flags); err != nil {
		return err
	}
	if fm.Command <= openflow.FlowModifyStrict {
		prog = x.p.programs.get(fm.Actions)
		if err := x.check(prog); err != nil {
			return err
		}
	}
	switch fm.Command {
	case openflow.FlowAdd:
		return x.add(x.newRule(fm, prog), fm.Flags)
	case openflow.FlowModify, openflow.FlowModifyStrict:
		return x.modify(fm, prog)
	case openflow.FlowDelete, openflow.FlowDeleteStrict:
		for _, r := range x.selected(fm) {
			x.remove(r, openflow.RemovedDelete)
		}
		return nil
	}
	return openflow.ErrFMFCBadCommand.Err()
}

// checkTable refuses tables that don't exist or are the switch's own.
func checkTable(id uint8, flags openflow.FlowFlags) error {
	if id != openflow.TableAny && int(id) >= NumTables {
		return openflow.ErrFMFCBadTableID.Err()
	}
	if id == TableInternal && flags&openflow.FlowNoReadonly == 0 {
		return openflow.ErrFMFCEPerm.Err()
	}
	return nil
}

// AddHidden installs, or replaces, a flow of the switch itself, whose priority
// may be above PriorityMax, in any table.
func (x *Txn) AddHidden(table uint8, match *flow.Match, priority int, actions []openflow.Action) *Rule {
	fm := &openflow.FlowMod{Match: *match, Actions: actions}
	r := ruleOf(fm, newProgram(actions), table)
	r.created, r.modified = x.now.UnixNano(), x.now.UnixNano()
	x.p.tables[table].cls.Init(&r.cls, &match.Key, &match.Mask, priority, nil, r)
	if old := x.p.tables[table].Find(x.version, match, priority); old != nil {
		x.hide(old)
	}
	x.insert(r)
	x.events = append(x.events, Event{Kind: Added, Rule: r})
	return r
}

// RemoveHidden removes a flow that AddHidden installed.
func (x *Txn) RemoveHidden(r *Rule) {
	if r.VisibleIn(x.version) {
		x.remove(r, openflow.RemovedDelete)
	}
}

// keptFlags are the flags of a flow mod that its flow keeps.
const keptFlags = openflow.FlowSendRem | openflow.FlowCheckOverlap | openflow.FlowResetCounts |
	openflow.FlowNoPktCounts | openflow.FlowNoBytCounts

// ruleOf is the rule that a flow mod adds, its place in a classifier and the
// time left out.
func ruleOf(fm *openflow.FlowMod, prog *program, table uint8) *Rule {
	if table == openflow.TableAny {
		table = 0
	}
	r := &Rule{
		Table: table, Origin: fm.Origin, Cookie: fm.NewCookie, Importance: fm.Importance, Flags: fm.Flags & keptFlags,
		program: prog, Stats: new(Stats),
	}
	if fm.Priority == 0 {
		mask := fm.Match.Mask
		mask.PacketType = 0
		r.miss = mask == (flow.Mask{})
	}
	r.setTimeouts(fm.IdleTimeout, fm.HardTimeout)
	return r
}

func (x *Txn) newRule(fm *openflow.FlowMod, prog *program) *Rule {
	r := ruleOf(fm, prog, fm.TableID)
	x.p.tables[r.Table].cls.Init(&r.cls, &fm.Match.Key, &fm.Match.Mask, int(fm.Priority), prog.facts().conj, r)
	return r
}

// add puts a new rule into its table; flags are those of its flow mod.
func (x *Txn) add(r *Rule, flags openflow.FlowFlags) error {
	t := x.p.tables[r.Table]
	r.created, r.modified = x.now.UnixNano(), x.now.UnixNano()
	var old *Rule
	if same := t.cls.FindSame(x.version, &r.cls); same != nil {
		old = same.Value
		if flags&openflow.FlowResetCounts == 0 {
			r.Stats = old.Stats
		} else {
			r.Stats = old.Stats.reset()
		}
		x.hide(old)
	} else if err := x.room(t, r, flags); err != nil {
		return err
	}
	x.insert(r)
	x.events = append(x.events, Event{Kind: Added, Rule: r, Old: old})
	return nil
}

// room refuses a new flow that overlaps others where that is not wanted, or
// that the table has no room for.
func (x *Txn) room(t *Table, r *Rule, flags openflow.FlowFlags) error {
	if flags&openflow.FlowCheckOverlap != 0 {
		if m := r.Match(); t.cls.Overlapping(x.version, &m.Key, &m.Mask, r.Priority()) != nil {
			return openflow.ErrFMFCOverlap.Err()
		}
	}
	if conf := t.Conf(); conf.Limit >= 0 && t.flows >= conf.Limit && (!conf.Evicts() || !x.evict(t)) {
		return openflow.ErrFMFCTableFull.Err()
	}
	return nil
}

func (x *Txn) modify(fm *openflow.FlowMod, prog *program) error {
	rules := x.selected(fm)
	if len(rules) == 0 {
		// OpenFlow 1.0 adds the flow then; later versions (whose codec leaves
		// no new cookie) and requests that match on a cookie don't.
		if fm.CookieMask != 0 || fm.NewCookie == ^uint64(0) {
			return nil
		}
		return x.add(x.newRule(fm, prog), fm.Flags)
	}
	for _, old := range rules {
		r := &Rule{
			Table: old.Table, Origin: fm.Origin, Cookie: old.Cookie, Importance: old.Importance, Flags: old.Flags, miss: old.miss,
			program: prog, created: old.created, modified: x.now.UnixNano(), Stats: old.Stats,
		}
		if fm.ModifyCookie {
			r.Cookie = fm.NewCookie
		}
		if fm.Flags&openflow.FlowResetCounts != 0 {
			r.Stats = old.Stats.reset()
		}
		r.timeouts.Store(old.timeouts.Load())
		r.cls.InitLike(&old.cls, prog.facts().conj, r)
		x.hide(old)
		x.insert(r)
		x.events = append(x.events, Event{Kind: Modified, Rule: r, Old: old,
			ActionsChanged: old.program != prog && !SameActions(old.Actions(), r.Actions())})
	}
	return nil
}

// selected lists the flows that a modify or delete is about. Hidden flows and
// tables are out of reach.
func (x *Txn) selected(fm *openflow.FlowMod) []*Rule {
	strict := fm.Command == openflow.FlowModifyStrict || fm.Command == openflow.FlowDeleteStrict
	inTable := func(id uint8) bool {
		return fm.TableID == id || fm.TableID == openflow.TableAny && id != TableInternal
	}
	wanted := func(r *Rule) bool {
		return !r.Hidden() && (r.Cookie^fm.Cookie)&fm.CookieMask == 0 &&
			(fm.Command < openflow.FlowDelete || r.OutputsTo(fm.OutPort) && r.UsesGroup(fm.OutGroup))
	}
	var out []*Rule
	if !strict && fm.CookieMask == ^uint64(0) {
		// A cookie that is matched whole names few flows.
		for r := x.p.byCookie[fm.Cookie]; r != nil; r = r.nextOfCookie {
			if inTable(r.Table) && wanted(r) && r.cls.Within(&fm.Match.Key, &fm.Match.Mask) {
				out = append(out, r)
			}
		}
		slices.SortFunc(out, func(a, b *Rule) int { return cmp.Compare(a.Table, b.Table) })
		return out
	}
	for _, t := range x.p.tables {
		switch {
		case !inTable(t.ID):
		case strict:
			if r := t.Find(x.version, &fm.Match, int(fm.Priority)); r != nil && wanted(r) {
				out = append(out, r)
			}
		default:
			t.cls.EachWithin(x.version, &fm.Match.Key, &fm.Match.Mask, func(r *classifier.Rule[*Rule]) bool {
				if wanted(r.Value) {
					out = append(out, r.Value)
				}
				return true
			})
		}
	}
	return out
}

// evict makes room in t by removing the flow that its evictor chooses.
func (x *Txn) evict(t *Table) bool {
	if t.evictor == nil {
		return false
	}
	victim := t.evictor.victim()
	if victim == nil {
		return false
	}
	x.remove(victim, openflow.RemovedEviction)
	return true
}

// deleteLearned deletes the flows that learn actions with delete_learned made,
// when the last flow with such an action is gone (ovs-actions(7), "learn").
func (x *Txn) deleteLearned() {
	for i := 0; i < len(x.events); i++ {
		gone := x.events[i].Rule
		if x.events[i].Kind != Deleted {
			gone = x.events[i].Old
		}
		if gone == nil {
			continue
		}
		for _, l := range gone.program.facts().learned {
			if x.p.learners[l] != 0 {
				continue
			}
			for r, next := x.p.byCookie[l.cookie], (*Rule)(nil); r != nil; r = next {
				next = r.nextOfCookie
				if r.Table == l.table && !r.Hidden() {
					x.remove(r, openflow.RemovedDelete)
				}
			}
		}
	}
}
