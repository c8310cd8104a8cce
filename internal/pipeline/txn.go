package pipeline

import (
	"maps"
	"slices"
	"time"

	"weir/internal/classifier"
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
