package pipeline

import (
	"cmp"
	"maps"
	"slices"
	"time"

	"weir/internal/classifier"
	"weir/internal/flow"
	"weir/internal/openflow"
)

// EventKind says what happened to a flow.
type EventKind uint8

// Kinds of event.
const (
	Added EventKind = iota + 1
	Modified
	Deleted
)

// Event is a change of a flow that a commit made, for flow-removed messages
// and flow monitors.
type Event struct {
	Kind EventKind
	Rule *Rule // the new rule, or the one deleted
	Old  *Rule // of Modified, and of Added that replaced a flow
	// Reason of Deleted.
	Reason openflow.FlowRemovedReason
	// ActionsChanged of Modified: other actions than before.
	ActionsChanged bool
}

// Txn is a set of changes that lookups see all at once, or never. It holds
// the pipeline's lock: end it with Commit or Abort, soon.
type Txn struct {
	p       *Pipeline
	now     time.Time
	version classifier.Version // that the commit makes current
	events  []Event
	changes []change // of the classifiers, in order
	done    bool

	// The transaction's own copies, nil until it changes them.
	groups map[uint32]*Group
	meters map[uint32]*Meter
}

// change is what a transaction did to the classifiers: it showed a rule, or hid
// one.
type change struct {
	rule *Rule
	hid  bool
}

// hidden is a rule that no lookup of a new version sees, still in its
// classifier for those of older ones.
type hidden struct {
	rule *Rule
	at   time.Time
}

// Begin starts a transaction.
func (p *Pipeline) Begin(now time.Time) *Txn {
	p.mu.Lock()
	return p.begin(now)
}

// begin is Begin for those who hold the lock and keep it over commit.
func (p *Pipeline) begin(now time.Time) *Txn {
	p.collect(now)
	return &Txn{p: p, now: now, version: p.Version() + 1}
}

// collect takes rules out of the classifiers that no version has from the newest
// on: all of them where nobody reads, so that no lookup is led by what isn't there;
// else those that only lookups of older versions than the last two could still
// want, or such as have been under way for a second. Such a lookup finds by
// [Pipeline.Keeps] that it came too late.
func (p *Pipeline) collect(now time.Time) {
	const keep = 2
	if len(p.garbage) == 0 {
		return
	}
	v, none := p.Version(), p.readers.none()
	n := 0
	for _, h := range p.garbage {
		if !none && h.rule.cls.Removed()+keep > v && now.Sub(h.at) < time.Second {
			break
		}
		p.oldest.Store(max(p.oldest.Load(), uint64(h.rule.cls.Removed()))) // before it is missing
		p.tables[h.rule.Table].cls.Remove(&h.rule.cls)
		n++
	}
	p.garbage = slices.Delete(p.garbage, 0, n)
	if len(p.garbage) == 0 {
		p.garbage = nil // a large one is not kept
	}
}

// Version is that in which lookups see the tables as the transaction has made
// them so far, before it is committed.
func (x *Txn) Version() classifier.Version { return x.version }

// Commit makes the changes visible and says what they were.
func (x *Txn) Commit() []Event {
	if x.done {
		return nil
	}
	defer x.p.mu.Unlock()
	return x.commit()
}

func (x *Txn) commit() []Event {
	x.done = true
	p := x.p
	x.deleteLearned()
	if len(x.events) == 0 && x.groups == nil && x.meters == nil {
		return nil
	}
	if x.groups != nil {
		p.groups.Store(&x.groups)
	}
	if x.meters != nil {
		p.meters.Store(&x.meters)
	}
	p.version.Store(uint64(x.version))
	if p.onChange != nil {
		events := x.events
		if x.groups != nil || x.meters != nil {
			events = nil
		}
		p.onChange(p, events)
	}
	p.collect(x.now)
	return x.events
}

// Abort undoes the changes. After Commit it does nothing, so that a caller
// may defer it.
func (x *Txn) Abort() {
	if x.done {
		return
	}
	x.done = true
	for _, c := range slices.Backward(x.changes) {
		x.undo(c)
	}
	x.p.mu.Unlock()
}

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

// remove deletes r.
func (x *Txn) remove(r *Rule, reason openflow.FlowRemovedReason) {
	x.hide(r)
	x.events = append(x.events, Event{Kind: Deleted, Rule: r, Reason: reason})
}

// insert shows r from the transaction's version on.
func (x *Txn) insert(r *Rule) {
	x.p.tables[r.Table].cls.Insert(&r.cls, x.version)
	x.p.index(r)
	x.changes = append(x.changes, change{rule: r})
}

// hide makes r invisible from the transaction's version on.
func (x *Txn) hide(r *Rule) {
	p := x.p
	r.cls.HideFrom(x.version)
	p.unindex(r)
	p.garbage = append(p.garbage, hidden{r, x.now})
	x.changes = append(x.changes, change{rule: r, hid: true})
}

// undo takes back the last change.
func (x *Txn) undo(c change) {
	p, r := x.p, c.rule
	if !c.hid {
		p.unindex(r)
		p.tables[r.Table].cls.Remove(&r.cls)
		return
	}
	r.cls.HideFrom(classifier.NotRemoved)
	p.index(r)
	p.garbage = p.garbage[:len(p.garbage)-1]
}

// index enters a rule in what the writer keeps beside the classifiers.
func (p *Pipeline) index(r *Rule) {
	if !r.Hidden() {
		p.tables[r.Table].flows++
	}
	if r.timeouts.Load() != 0 {
		p.timed[r] = struct{}{}
	}
	if e := p.tables[r.Table].evictor; e != nil {
		e.add(r)
	}
	if r.nextOfCookie = p.byCookie[r.Cookie]; r.nextOfCookie != nil {
		r.nextOfCookie.prevOfCookie = r
	}
	p.byCookie[r.Cookie] = r
	if e := r.program.extra; e != nil {
		for _, g := range e.groups {
			link(p.byGroup, g, r)
		}
		for _, l := range e.learned {
			p.learners[l]++
		}
	}
}

func (p *Pipeline) unindex(r *Rule) {
	if !r.Hidden() {
		p.tables[r.Table].flows--
	}
	delete(p.timed, r)
	if e := p.tables[r.Table].evictor; e != nil {
		e.remove(r)
	}
	p.unlinkCookie(r)
	if e := r.program.extra; e != nil {
		for _, g := range e.groups {
			unlink(p.byGroup, g, r)
		}
		for _, l := range e.learned {
			if p.learners[l]--; p.learners[l] == 0 {
				delete(p.learners, l)
			}
		}
	}
}

// unlinkCookie takes a rule out of the list of those of its cookie.
func (p *Pipeline) unlinkCookie(r *Rule) {
	prev, next := r.prevOfCookie, r.nextOfCookie
	if next != nil {
		next.prevOfCookie = prev
	}
	switch {
	case prev != nil:
		prev.nextOfCookie = next
	case next != nil:
		p.byCookie[r.Cookie] = next
	default:
		delete(p.byCookie, r.Cookie)
	}
	r.prevOfCookie, r.nextOfCookie = nil, nil
}

func link[K comparable](m map[K]map[*Rule]struct{}, k K, r *Rule) {
	if m[k] == nil {
		m[k] = map[*Rule]struct{}{}
	}
	m[k][r] = struct{}{}
}

func unlink[K comparable](m map[K]map[*Rule]struct{}, k K, r *Rule) {
	delete(m[k], r)
	if len(m[k]) == 0 {
		delete(m, k)
	}
}

// check refuses actions that name groups or meters that are not there.
func (x *Txn) check(prog *program) error {
	if prog.extra == nil {
		return nil
	}
	for _, id := range prog.extra.groups {
		if x.Group(id) == nil {
			return openflow.ErrBACBadOutGroup.Err()
		}
	}
	for _, id := range prog.extra.meters {
		if x.meter(id) == nil {
			return openflow.ErrMMFCInvalidMeter.Err()
		}
	}
	return nil
}

// Group finds a group as the transaction has made it so far, nil for none.
func (x *Txn) Group(id uint32) *Group {
	if x.groups != nil {
		return x.groups[id]
	}
	return x.p.Group(id)
}

func (x *Txn) meter(id uint32) *Meter {
	if x.meters != nil {
		return x.meters[id]
	}
	return x.p.Meter(id)
}

// changeGroups gives the transaction its own copy of the groups.
func (x *Txn) changeGroups() map[uint32]*Group {
	if x.groups == nil {
		x.groups = maps.Clone(*x.p.groups.Load())
	}
	return x.groups
}

func (x *Txn) changeMeters() map[uint32]*Meter {
	if x.meters == nil {
		x.meters = maps.Clone(*x.p.meters.Load())
	}
	return x.meters
}
