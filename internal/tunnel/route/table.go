package route

import (
	"errors"
	"maps"
	"net/netip"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/gaissmai/bart"
)

// ErrNotFound is the error of deleting a route that no user has added.
var ErrNotFound = errors.New("Not found") //nolint:staticcheck // users' scripts match the text

// ErrNoSource is the error of adding a route by a device that has no address from
// which the gateway or the destination could be reached.
var ErrNoSource = errors.New("Error while inserting route.") //nolint:staticcheck // users' scripts match the text

// Table is all routes and rules, and the addresses of devices that routes take
// their source addresses from. Its mutex owns what was last told; readers take
// the snapshot that now points to, without a lock.
type Table struct {
	now atomic.Pointer[snapshot]
	seq atomic.Uint64

	mu        sync.Mutex
	system    System
	systemSet *entrySet // of the host's routes, which may be many: made when they are told
	user      []Entry
	userRules []Rule
	own       map[string][]netip.Prefix // of devices that the host doesn't know
	onChange  func()
}

// System is what the host says: its routes and rules, and the addresses of its
// devices, with the lengths of their networks' prefixes. Routes without a source
// address get one of their device's.
type System struct {
	Entries   []Entry
	Rules     []Rule
	Addresses map[string][]netip.Prefix
}

// trie is the routes of one class by their prefixes; an address's longest prefix
// is the best of the class.
type trie = bart.Table[*Entry]

// lookups names the tries of a table for a packet mark.
type lookups struct {
	table, mark uint32
}

// entrySet is routes with what finds them; nothing in it changes.
type entrySet struct {
	entries []Entry
	tries   map[lookups]*[3]trie // by class
}

// newSet makes a set of entries, which it keeps. Of several for one prefix the
// lowest metric serves, and of these the first.
func newSet(entries []Entry) *entrySet {
	s := &entrySet{entries, map[lookups]*[3]trie{}}
	for i := range entries {
		e := &entries[i]
		at := lookups{e.Table, e.Mark}
		if s.tries[at] == nil {
			s.tries[at] = new([3]trie)
		}
		s.tries[at][e.class()].Modify(e.Prefix, func(other *Entry, ok bool) (*Entry, bool) {
			if ok && other.Metric <= e.Metric {
				return other, false
			}
			return e, false
		})
	}
	return s
}

// better is the best of the set's routes of one table and of e, which may be nil.
func (s *entrySet) better(e *Entry, at lookups, dst netip.Addr) *Entry {
	tries := s.tries[at]
	if tries == nil {
		return e
	}
	for class := range tries {
		if f, ok := tries[class].Lookup(dst); ok && (e == nil || f.Priority() > e.Priority()) {
			e = f
		}
	}
	return e
}

// snapshot is a state of the table; nothing in it changes.
type snapshot struct {
	system, own *entrySet
	rules       []Rule
	addrs       map[string][]netip.Prefix
}

// NewTable makes a table without routes, and the rules that every host begins
// with.
func NewTable() *Table {
	t := &Table{system: System{Rules: standardRules()}, systemSet: newSet(nil), own: map[string][]netip.Prefix{}}
	t.publish()
	return t
}

// OnChange sets the function that is called after each change. It may not change
// the table.
func (t *Table) OnChange(fn func()) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.onChange = fn
}

// Seq counts changes after which a lookup may give another answer.
func (t *Table) Seq() uint64 { return t.seq.Load() }

// publish makes the snapshot anew. The caller holds mu, but for NewTable.
func (t *Table) publish() {
	s := &snapshot{rules: t.rules(), system: t.systemSet, addrs: maps.Clone(t.system.Addresses)}
	if s.addrs == nil {
		s.addrs = map[string][]netip.Prefix{}
	}
	maps.Copy(s.addrs, t.own)
	s.own = newSet(slices.Concat(t.connected(), t.user))
	t.now.Store(s)
	t.seq.Add(1)
	if t.onChange != nil {
		t.onChange()
	}
}

// Lookup finds the route to dst of packets with the source address src (invalid
// where it is still open) and a mark. Addresses are plain ones: IPv4-mapped ones
// don't match IPv4 routes. It takes no lock and allocates nothing.
func (t *Table) Lookup(dst, src netip.Addr, mark uint32) (Route, bool) {
	s := t.now.Load()
	for i := range s.rules {
		r := &s.rules[i]
		if !r.selects(dst, src) {
			continue
		}
		at := lookups{r.Table, mark}
		if e := s.system.better(s.own.better(nil, at, dst), at, dst); e != nil {
			return e.Route, true
		}
	}
	return Route{}, false
}

// Entries lists all routes, sorted as [Sort] does.
func (t *Table) Entries() []Entry {
	s := t.now.Load()
	es := slices.Concat(s.system.entries, s.own.entries)
	Sort(es)
	return es
}

// Add adds a user's route, or replaces the one for the same prefix, mark and
// table. Without a source address it gets that address of the device from whose
// network the gateway, or without one the destination, is reached.
func (t *Table) Add(e Entry) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	e.User, e.Prefix = true, e.Prefix.Masked()
	addrs, ok := t.addresses(e.Device), true
	if e.Src.IsValid() {
		ok = contains(addrs, e.Src)
	} else {
		e.Src, ok = sourceFor(addrs, &e)
	}
	if !ok {
		return ErrNoSource
	}
	if i := t.indexUser(&e); i >= 0 {
		t.user[i] = e
	} else {
		t.user = append(t.user, e)
	}
	t.publish()
	return nil
}

// Delete deletes a user's route.
func (t *Table) Delete(prefix netip.Prefix, mark, table uint32) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	i := t.indexUser(&Entry{Prefix: prefix.Masked(), Mark: mark, Table: table})
	if i < 0 {
		return ErrNotFound
	}
	t.user = slices.Delete(t.user, i, i+1)
	t.publish()
	return nil
}

func (t *Table) indexUser(e *Entry) int {
	return slices.IndexFunc(t.user, func(u Entry) bool {
		return u.Prefix == e.Prefix && u.Mark == e.Mark && u.Table == e.Table
	})
}

// SetSystem makes sys what the host says; it belongs to the table from then on.
// A route for whose source no address of its device serves is left out.
func (t *Table) SetSystem(sys System) {
	t.mu.Lock()
	defer t.mu.Unlock()
	sys.Rules = mergeFamilies(sys.Rules)
	if len(sys.Rules) == 0 {
		sys.Rules = standardRules()
	}
	sys.Entries = slices.DeleteFunc(sys.Entries, func(e Entry) bool { return !e.Src.IsValid() && !sys.source(&e).IsValid() })
	for i := range sys.Entries {
		if e := &sys.Entries[i]; !e.Src.IsValid() {
			e.Src = sys.source(e)
		}
	}
	t.system, t.systemSet = sys, newSet(sys.Entries)
	t.publish()
}

// source is the address that packets of a route come from: one on the network
// that the route leads to, else any that reaches further than the link.
func (sys *System) source(e *Entry) netip.Addr {
	addrs := sys.Addresses[e.Device]
	src, ok := sourceFor(addrs, e)
	for _, p := range addrs {
		if a := p.Addr(); !ok && a.Is4() == e.Prefix.Addr().Is4() && !a.IsLinkLocalUnicast() {
			return a
		}
	}
	return src
}

// SetAddresses makes addrs, with the lengths of their networks' prefixes, all the
// addresses of a device that the host doesn't know; without any it is forgotten.
// They bring a route to each network along.
func (t *Table) SetAddresses(device string, addrs []netip.Prefix) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if slices.Equal(t.own[device], addrs) {
		return
	}
	delete(t.own, device)
	if len(addrs) > 0 {
		t.own[device] = slices.Clone(addrs)
	}
	t.publish()
}

// connected are the routes that addresses of devices have brought along.
func (t *Table) connected() (es []Entry) {
	for _, device := range slices.Sorted(maps.Keys(t.own)) {
		for _, p := range t.own[device] {
			es = append(es, Entry{Route: Route{Device: device, Src: p.Addr(), Local: true}, Prefix: p.Masked(), Table: TableMain})
		}
	}
	return es
}

// addresses are those of a device. The caller holds mu.
func (t *Table) addresses(device string) []netip.Prefix {
	if addrs, ok := t.own[device]; ok {
		return addrs
	}
	return t.system.Addresses[device]
}

// Addresses are those of a device, with the lengths of their networks' prefixes.
// The caller may not change them.
func (t *Table) Addresses(device string) []netip.Prefix { return t.now.Load().addrs[device] }

// HasAddress reports whether an address is one of a device. It takes no lock and
// allocates nothing.
func (t *Table) HasAddress(device string, a netip.Addr) bool {
	return contains(t.now.Load().addrs[device], a)
}

func contains(addrs []netip.Prefix, a netip.Addr) bool {
	for i := range addrs {
		if addrs[i].Addr() == a {
			return true
		}
	}
	return false
}

// sourceFor is the address from whose network a route's gateway, or without one
// its destination, is reached: of several, the one with the longest prefix. A
// gateway's link-local address says nothing of the network: any address that
// reaches as far as the destination does serves then (RFC 6724, section 5, rule
// 2).
func sourceFor(addrs []netip.Prefix, e *Entry) (src netip.Addr, ok bool) {
	towards := e.Prefix.Addr()
	if e.Gateway.IsValid() {
		towards = e.Gateway
	}
	if e.Gateway.IsLinkLocalUnicast() && !e.Prefix.Addr().IsLinkLocalUnicast() {
		for _, p := range addrs {
			if a := p.Addr(); a.Is4() == towards.Is4() && !a.IsLinkLocalUnicast() {
				return a, true
			}
		}
	}
	best := -1
	for _, p := range addrs {
		if p.Contains(towards) && p.Bits() > best {
			src, best = p.Addr(), p.Bits()
		}
	}
	return src, best >= 0
}
