package pipeline

import (
	"cmp"
	"slices"
	"strings"
	"time"

	"weir/internal/flow"
	"weir/internal/openflow"
	"weir/internal/pqueue"
)

// evictor chooses the flow that makes room in a full table
// (ovs-vswitchd.conf.db(5), Flow_Table, "Eviction Policy"): of the largest
// group of flows that agree in some fields, the one of the least importance
// that expires soonest. Only flows with a timeout are in it. The pipeline's mu
// owns it.
type evictor struct {
	fields  []openflow.Subfield
	entries map[*Rule]*evictEntry
	groups  map[string]*evictGroup // by the values of fields
	order   pqueue.Queue[*evictGroup]
}

// evictEntry is a flow in its group. Flows in use expire later than when says:
// that is noticed when their turn comes.
type evictEntry struct {
	rule  *Rule
	when  time.Time // of expiry, or before
	group *evictGroup
	index int
}

// evictGroup is flows, the next victim first.
type evictGroup struct {
	key     string
	index   int
	entries pqueue.Queue[*evictEntry]
}

func (e *evictEntry) compare(o *evictEntry) int {
	return cmp.Or(cmp.Compare(e.rule.Importance, o.rule.Importance), e.when.Compare(o.when))
}

func (e *evictEntry) before(o *evictEntry) bool { return e.compare(o) < 0 }

func (e *evictEntry) place() *int { return &e.index }

// before puts larger groups first.
func (g *evictGroup) before(o *evictGroup) bool {
	if g.entries.Len() != o.entries.Len() {
		return g.entries.Len() > o.entries.Len()
	}
	return g.entries.Len() > 0 && g.entries.First().before(o.entries.First())
}

func (g *evictGroup) place() *int { return &g.index }

// newEvictor makes an evictor without flows. Names of fields that there are
// not are ignored, as the database's manual says.
func newEvictor(fields []string) *evictor {
	e := &evictor{
		entries: map[*Rule]*evictEntry{}, groups: map[string]*evictGroup{},
		order: pqueue.New((*evictGroup).before, (*evictGroup).place),
	}
	for _, name := range fields {
		if sub, err := openflow.ParseSubfield(name); err == nil {
			e.fields = append(e.fields, sub)
		}
	}
	return e
}

// key tells the group of a flow: the values of the fields, 0 where it doesn't
// match on one.
func (e *evictor) key(r *Rule) string {
	if len(e.fields) == 0 {
		return ""
	}
	var key strings.Builder
	m := r.Match()
	m.ZeroWild()
	for _, f := range e.fields {
		v := f.Field.Get(&m.Key).Shr(int(f.Ofs)).And(flow.Ones(int(f.N)))
		b := make([]byte, (f.N+7)/8)
		v.PutBytes(b)
		key.Write(b)
	}
	return key.String()
}

// add enters a flow, if it ever expires.
func (e *evictor) add(r *Rule) {
	when, ok := r.expiry()
	if !ok || r.Hidden() {
		return
	}
	key := e.key(r)
	g := e.groups[key]
	if g == nil {
		g = &evictGroup{key: key, entries: pqueue.New((*evictEntry).before, (*evictEntry).place)}
		e.groups[key] = g
		e.order.Push(g)
	}
	entry := &evictEntry{rule: r, when: when, group: g}
	e.entries[r] = entry
	g.entries.Push(entry)
	e.order.Fix(g)
}

func (e *evictor) remove(r *Rule) {
	entry := e.entries[r]
	if entry == nil {
		return
	}
	delete(e.entries, r)
	g := entry.group
	g.entries.Remove(entry)
	if g.entries.Len() > 0 {
		e.order.Fix(g)
		return
	}
	e.order.Remove(g)
	delete(e.groups, g.key)
}

// hasten notes that a flow expires sooner now than it did.
func (e *evictor) hasten(r *Rule) {
	e.remove(r)
	e.add(r)
}

// victim is the flow to evict, nil when none ever expires.
func (e *evictor) victim() *Rule {
	for e.order.Len() > 0 {
		g := e.order.First()
		entry := g.entries.First()
		when, _ := entry.rule.expiry()
		if !when.After(entry.when) {
			return entry.rule
		}
		entry.when = when
		g.entries.Fix(entry)
		e.order.Fix(g)
	}
	return nil
}

// configureEviction gives the table an evictor when it evicts now, or takes it
// away.
func (t *Table) configureEviction(old *TableConf, rules func() []*Rule) {
	conf := t.Conf()
	switch {
	case !conf.Evicts():
		t.evictor = nil
	case t.evictor == nil || !slices.Equal(old.EvictGroups, conf.EvictGroups):
		t.evictor = newEvictor(conf.EvictGroups)
		for _, r := range rules() {
			t.evictor.add(r)
		}
	}
}
