// Package pipeline is the programmed state of one bridge: its OpenFlow tables
// with their flows, its groups and meters, and the versions by which a set of
// changes becomes visible at one instant (OpenFlow 1.5.1, sections 5 and 6.9).
package pipeline

import (
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"weir/internal/classifier"
	"weir/internal/flow"
	"weir/internal/openflow"
)

// NumTables is the number of tables, of which the last, TableInternal, is the
// switch's own and hidden.
const (
	NumTables     = 255
	TableInternal = 254
)

// Table is one flow table. Its configuration belongs to the pipeline's writer;
// the counters are atomic.
type Table struct {
	ID  uint8
	cls *classifier.Classifier[*Rule]

	conf atomic.Pointer[TableConf]

	// Lookups that found a flow, and that found none.
	Matched, Missed atomic.Uint64

	// Guarded by the pipeline's mu.
	flows   int      // not hidden, in the newest version
	evictor *evictor // nil in a table that doesn't evict
}

// TableConf is the configuration of a table, immutable once set.
type TableConf struct {
	Name      string
	NameLevel int // who named it: 2 the database, 1 OpenFlow, 0 nobody
	Limit     int // most flows, negative for any number
	// Evict and EvictAsked make room by removing flows instead of refusing new
	// ones: what the database says, and what a controller asked for (OpenFlow
	// 1.4.0, 7.3.4.1). Either is enough.
	Evict, EvictAsked bool
	// EvictGroups are subfields; eviction takes from the largest group of
	// flows that agree in them.
	EvictGroups []string
	Miss        openflow.TableMiss
	Prefixes    []string // fields whose prefixes lookups track; none: the default
	// Vacancy events (OpenFlow 1.4), in percent.
	VacancyEvents          bool
	VacancyDown, VacancyUp uint8
}

// Evicts reports whether the table makes room for new flows.
func (c *TableConf) Evicts() bool { return c.Evict || c.EvictAsked }

// Conf is the table's configuration.
func (t *Table) Conf() *TableConf { return t.conf.Load() }

// Lookup finds the rule that a key matches in version v; see
// [classifier.Classifier.Lookup]. The answer is right if the pipeline then still
// keeps that version.
func (t *Table) Lookup(v classifier.Version, key *flow.Key, wc *flow.Mask, s *classifier.Scratch[*Rule]) *Rule {
	if r := t.cls.Lookup(v, key, wc, s); r != nil {
		return r.Value
	}
	return nil
}

// Rules lists the flows of a table in version v, hidden ones too, by
// descending priority. That is all of them if the pipeline then still keeps that
// version.
func (t *Table) Rules(v classifier.Version) []*Rule {
	rs := t.cls.Rules(v)
	out := make([]*Rule, len(rs))
	for i, r := range rs {
		out[i] = r.Value
	}
	return out
}

// Find finds the flow of exactly this match and priority, nil for none.
func (t *Table) Find(v classifier.Version, match *flow.Match, priority int) *Rule {
	if r := t.cls.FindExact(v, &match.Key, &match.Mask, priority); r != nil {
		return r.Value
	}
	return nil
}

// Pipeline is the tables, groups and meters of a bridge. Translation reads it
// beside the writer without a lock; mu is held by whoever changes it.
type Pipeline struct {
	mu      sync.Mutex
	version atomic.Uint64
	oldest  atomic.Uint64 // version that is still whole; see Keeps
	tables  [NumTables]*Table
	groups  atomic.Pointer[map[uint32]*Group]
	meters  atomic.Pointer[map[uint32]*Meter]
	tlv     atomic.Pointer[flow.TLVTable]
	origins origins
	readers readers

	// Guarded by mu.
	timed    map[*Rule]struct{} // rules with a timeout
	byCookie map[uint64]*Rule   // first of a list
	byGroup  map[uint32]map[*Rule]struct{}
	learners map[learned]int // rules that make these flows
	garbage  []hidden        // oldest first
	programs programCache
	onChange func(p *Pipeline, events []Event)
}

// New makes a pipeline with empty tables. onChange, which may be nil, is
// called after each change, with the pipeline's lock held, so it must be quick
// and not use the pipeline: events say which flows changed, or are nil where
// groups, meters or the meaning of tunnel options changed.
func New(onChange func(p *Pipeline, events []Event)) *Pipeline {
	p := &Pipeline{
		timed:    map[*Rule]struct{}{},
		byCookie: map[uint64]*Rule{},
		byGroup:  map[uint32]map[*Rule]struct{}{},
		learners: map[learned]int{},
		onChange: onChange,
	}
	for i := range p.tables {
		t := &Table{ID: uint8(i), cls: classifier.New[*Rule](classifier.DefaultPrefixes()...)}
		t.conf.Store(&TableConf{Limit: -1})
		p.tables[i] = t
	}
	p.groups.Store(&map[uint32]*Group{})
	p.meters.Store(&map[uint32]*Meter{})
	p.tlv.Store(&flow.TLVTable{})
	p.version.Store(uint64(classifier.MinVersion))
	return p
}

// Version is the newest version that lookups may use.
func (p *Pipeline) Version() classifier.Version { return classifier.Version(p.version.Load()) }

// Keeps reports whether what was read of version v before was all of it: rules
// of versions that are some commits old go for good.
func (p *Pipeline) Keeps(v classifier.Version) bool { return uint64(v) >= p.oldest.Load() }

// read has fn read the newest version, again if commits overtook it; the last
// time they wait. fn may be called by whoever doesn't hold mu.
func (p *Pipeline) read(fn func(v classifier.Version)) {
	const seat = 0
	p.Enter(seat)
	v := p.Version()
	fn(v)
	p.Leave(seat)
	if p.Keeps(v) {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	fn(p.Version())
}

// Rules lists the flows of a table in the newest version, as [Table.Rules] does.
func (p *Pipeline) Rules(table uint8) (out []*Rule) {
	p.read(func(v classifier.Version) { out = p.tables[table].Rules(v) })
	return out
}

// Find finds the flow of exactly this match and priority in the newest version of a
// table, nil for none.
func (p *Pipeline) Find(table uint8, match *flow.Match, priority int) (r *Rule) {
	if t := p.Table(table); t != nil {
		p.read(func(v classifier.Version) { r = t.Find(v, match, priority) })
	}
	return r
}

// Table gives a table by number, nil for 255.
func (p *Pipeline) Table(id uint8) *Table {
	if int(id) >= NumTables {
		return nil
	}
	return p.tables[id]
}

// TableByName finds a table that the configuration names, nil for none.
func (p *Pipeline) TableByName(name string) *Table {
	for _, t := range p.tables {
		if name != "" && t.Conf().Name == name {
			return t
		}
	}
	return nil
}

// ConfigureTable changes a table's configuration. Flows above a new limit are
// evicted where the table evicts, and stay otherwise. Prefix fields that can't be
// tracked, as [CheckPrefixes] has it, are passed over.
func (p *Pipeline) ConfigureTable(id uint8, conf TableConf, now time.Time) ([]Event, error) {
	t := p.Table(id)
	if t == nil {
		return nil, fmt.Errorf("table %d: no such table (tables are numbered 0 to %d)", id, NumTables-1)
	}
	prefixes, _ := prefixFields(conf.Prefixes)
	p.mu.Lock()
	defer p.mu.Unlock()
	if !slices.Equal(conf.Prefixes, t.Conf().Prefixes) {
		t.cls.SetPrefixes(prefixes...)
	}
	old := t.Conf()
	t.conf.Store(&conf)
	t.configureEviction(old, func() []*Rule { return t.Rules(p.Version()) })
	if !conf.Evicts() || conf.Limit < 0 || t.flows <= conf.Limit {
		return nil, nil
	}
	x := p.begin(now)
	for t.flows > conf.Limit && x.evict(t) {
	}
	return x.commit(), nil
}

// CheckPrefixes fails where a field is no one whose prefixes can be tracked.
func CheckPrefixes(names []string) error {
	_, err := prefixFields(names)
	return err
}

// prefixFields are the fields of these names; the error is about the first that can't
// be tracked.
func prefixFields(names []string) (out []classifier.PrefixField, err error) {
	if len(names) == 0 {
		return classifier.DefaultPrefixes(), nil
	}
	for _, name := range names {
		if name == "none" {
			continue
		}
		switch f, ok := classifier.PrefixFieldByName(name); {
		case ok:
			out = append(out, f)
		case err == nil:
			err = fmt.Errorf("prefixes of field %q can't be tracked (use nw_src, nw_dst, ipv6_src, ipv6_dst, tun_src or tun_dst)", name)
		}
	}
	return out, err
}

// Active is the number of flows of a table that are not hidden; 0 for a table
// that does not exist.
func (p *Pipeline) Active(id uint8) int {
	if int(id) >= NumTables {
		return 0
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.tables[id].flows
}

// Selection says which flows a statistics request is about.
type Selection struct {
	Match              *flow.Match // nil: all
	Cookie, CookieMask uint64
	OutPort            openflow.PortNo // PortNone: any
	OutGroup           uint32          // GroupAny: any
	Table              uint8           // TableAny: all but the hidden ones
	Hidden             bool            // hidden flows and tables, too
}

// Select lists the flows that a statistics request asks for, by table and then
// by descending priority. It fails with an *openflow.Error for a bad table.
func (p *Pipeline) Select(s *Selection) ([]*Rule, error) {
	if s.Table != openflow.TableAny && int(s.Table) >= NumTables {
		return nil, openflow.ErrBRCBadTableID.Err()
	}
	match := s.Match
	if match == nil {
		match = new(flow.Match)
	}
	var out []*Rule
	p.read(func(v classifier.Version) { out = p.choose(s, v, match) })
	return out, nil
}

// choose lists the flows of a version that a selection with this match finds.
func (p *Pipeline) choose(s *Selection, v classifier.Version, match *flow.Match) (out []*Rule) {
	for _, t := range p.tables {
		if s.Table != t.ID && (s.Table != openflow.TableAny || t.ID == TableInternal && !s.Hidden) {
			continue
		}
		from := len(out)
		t.cls.EachWithin(v, &match.Key, &match.Mask, func(r *classifier.Rule[*Rule]) bool {
			rule := r.Value
			if (s.Hidden || !rule.Hidden()) && (rule.Cookie^s.Cookie)&s.CookieMask == 0 &&
				rule.OutputsTo(s.OutPort) && rule.UsesGroup(s.OutGroup) {
				out = append(out, rule)
			}
			return true
		})
		slices.SortStableFunc(out[from:], func(a, b *Rule) int { return b.Priority() - a.Priority() })
	}
	return out
}

// Aggregate sums up the flows that a selection finds.
func (p *Pipeline) Aggregate(s *Selection) (packets, bytes uint64, flows int, err error) {
	rules, err := p.Select(s)
	for _, r := range rules {
		packets += r.Stats.Packets.Load()
		bytes += r.Stats.Bytes.Load()
	}
	return packets, bytes, len(rules), err
}

// Watch makes sure that a rule whose timeouts were reduced expires.
func (p *Pipeline) Watch(r *Rule) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if r.VisibleIn(p.Version()) {
		p.timed[r] = struct{}{}
		if e := p.tables[r.Table].evictor; e != nil {
			e.hasten(r)
		}
	}
}

// Expire removes the flows whose timeouts have passed.
func (p *Pipeline) Expire(now time.Time) []Event {
	p.mu.Lock()
	defer p.mu.Unlock()
	x := p.begin(now)
	for r := range p.timed {
		if reason, ok := r.expired(now); ok {
			x.remove(r, reason)
		}
	}
	return x.commit()
}

// Clear removes all flows, groups and meters but hidden flows, as a change of
// controller does.
func (x *Txn) Clear() {
	for _, t := range x.p.tables {
		for _, r := range t.Rules(x.version) {
			if !r.Hidden() && t.ID != TableInternal {
				x.remove(r, openflow.RemovedDelete)
			}
		}
	}
	clear(x.changeGroups())
	clear(x.changeMeters())
}
