package pipeline

import (
	"cmp"
	"container/heap"
	"slices"
	"strings"
	"time"

	"weir/internal/flow"
	"weir/internal/openflow"
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
	order   evictGroups
}

// evictEntry is a flow in its group. Flows in use expire later than when says:
// that is noticed when their turn comes.
type evictEntry struct {
	rule  *Rule
	when  time.Time // of expiry, or before
	group *evictGroup
	index int
}

// evictGroup is a heap of flows, the next victim first.
type evictGroup struct {
	key     string
	index   int
	entries []*evictEntry
}

func (e *evictEntry) compare(o *evictEntry) int {
	return cmp.Or(cmp.Compare(e.rule.Importance, o.rule.Importance), e.when.Compare(o.when))
}

// Len, Less, Swap, Push and Pop are heap.Interface's.

func (g *evictGroup) Len() int           { return len(g.entries) }
func (g *evictGroup) Less(i, j int) bool { return g.entries[i].compare(g.entries[j]) < 0 }
func (g *evictGroup) Swap(i, j int) {
	g.entries[i], g.entries[j] = g.entries[j], g.entries[i]
	g.entries[i].index, g.entries[j].index = i, j
}

// Push is heap.Interface's.
func (g *evictGroup) Push(x any) {
	e := x.(*evictEntry)
	e.index = len(g.entries)
	g.entries = append(g.entries, e)
}

// Pop is heap.Interface's.
func (g *evictGroup) Pop() any {
	last := g.entries[len(g.entries)-1]
	g.entries = g.entries[:len(g.entries)-1]
	return last
}

// evictGroups is a heap of groups, the largest first.
type evictGroups []*evictGroup

func (gs evictGroups) Len() int { return len(gs) }
func (gs evictGroups) Less(i, j int) bool {
	a, b := gs[i], gs[j]
	if len(a.entries) != len(b.entries) {
		return len(a.entries) > len(b.entries)
	}
	return len(a.entries) > 0 && a.entries[0].compare(b.entries[0]) < 0
}
func (gs evictGroups) Swap(i, j int) {
	gs[i], gs[j] = gs[j], gs[i]
	gs[i].index, gs[j].index = i, j
}

// Push is heap.Interface's.
func (gs *evictGroups) Push(x any) {
	g := x.(*evictGroup)
	g.index = len(*gs)
	*gs = append(*gs, g)
}

// Pop is heap.Interface's.
func (gs *evictGroups) Pop() any {
	last := (*gs)[len(*gs)-1]
	*gs = (*gs)[:len(*gs)-1]
	return last
}

// newEvictor makes an evictor without flows. Names of fields that there are
// not are ignored, as the database's manual says.
func newEvictor(fields []string) *evictor {
	e := &evictor{entries: map[*Rule]*evictEntry{}, groups: map[string]*evictGroup{}}
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
		g = &evictGroup{key: key}
		e.groups[key] = g
		heap.Push(&e.order, g)
	}
	entry := &evictEntry{rule: r, when: when, group: g}
	e.entries[r] = entry
	heap.Push(g, entry)
	heap.Fix(&e.order, g.index)
}

func (e *evictor) remove(r *Rule) {
	entry := e.entries[r]
	if entry == nil {
		return
	}
	delete(e.entries, r)
	g := entry.group
	heap.Remove(g, entry.index)
	if len(g.entries) > 0 {
		heap.Fix(&e.order, g.index)
		return
	}
	heap.Remove(&e.order, g.index)
	delete(e.groups, g.key)
}

// hasten notes that a flow expires sooner now than it did.
func (e *evictor) hasten(r *Rule) {
	e.remove(r)
	e.add(r)
}

// victim is the flow to evict, nil when none ever expires.
func (e *evictor) victim() *Rule {
	for len(e.order) > 0 {
		g := e.order[0]
		entry := g.entries[0]
		when, _ := entry.rule.expiry()
		if !when.After(entry.when) {
			return entry.rule
		}
		entry.when = when
		heap.Fix(g, 0)
		heap.Fix(&e.order, 0)
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
