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

	mu          sync.Mutex
	system      []Entry
	user        []Entry
	systemRules []Rule
	userRules   []Rule
	addrs       map[string][]netip.Prefix
	connected   map[string]bool // devices whose addresses bring routes along
}

// trie is the routes of one class by their prefixes; an address's longest prefix
// is the best of the class.
type trie = bart.Table[*Entry]

// lookups names the tries of a table for a packet mark.
type lookups struct {
	table, mark uint32
}

// snapshot is a state of the table; nothing in it changes.
type snapshot struct {
	entries []Entry
	rules   []Rule
	tries   map[lookups]*[3]trie // by class
	addrs   map[string][]netip.Prefix
}

// NewTable makes a table without routes, and the rules that every host begins
// with.
func NewTable() *Table {
	t := &Table{systemRules: standardRules(), addrs: map[string][]netip.Prefix{}, connected: map[string]bool{}}
	t.publish()
	return t
}

// Seq counts changes after which a lookup may give another answer.
func (t *Table) Seq() uint64 { return t.seq.Load() }

// publish makes the snapshot anew. The caller holds mu, but for NewTable.
func (t *Table) publish() {
	s := &snapshot{rules: t.rules(), tries: map[lookups]*[3]trie{}, addrs: maps.Clone(t.addrs)}
	s.entries = slices.Concat(t.system, t.connectedRoutes(), t.user)
	Sort(s.entries)
	for i := range s.entries {
		e := &s.entries[i]
		at := lookups{e.Table, e.Mark}
		if s.tries[at] == nil {
			s.tries[at] = new([3]trie)
		}
		tr := &s.tries[at][e.class()]
		if _, ok := tr.Get(e.Prefix); !ok { // of several, the lowest metric stands first
			tr.Insert(e.Prefix, e)
		}
	}
	t.now.Store(s)
	t.seq.Add(1)
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
		if e := s.find(lookups{r.Table, mark}, dst); e != nil {
			return e.Route, true
		}
	}
	return Route{}, false
}

// find is the best route of one table.
func (s *snapshot) find(at lookups, dst netip.Addr) (best *Entry) {
	tries := s.tries[at]
	if tries == nil {
		return nil
	}
	for class := range tries {
		if e, ok := tries[class].Lookup(dst); ok && (best == nil || e.Priority() > best.Priority()) {
			best = e
		}
	}
	return best
}

// Entries lists all routes, sorted as [Sort] does.
func (t *Table) Entries() []Entry { return slices.Clone(t.now.Load().entries) }

// Add adds a user's route, or replaces the one for the same prefix, mark and
// table. Without a source address it gets that address of the device from whose
// network the gateway, or without one the destination, is reached.
func (t *Table) Add(e Entry) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	e.User, e.Prefix = true, e.Prefix.Masked()
	if e.Src.IsValid() {
		if !t.isLocal(e.Device, e.Src) {
			return ErrNoSource
		}
	} else {
		towards := e.Gateway
		if !towards.IsValid() {
			towards = e.Prefix.Addr()
		}
		src, ok := sourceFor(t.addrs[e.Device], towards)
		if !ok {
			return ErrNoSource
		}
		e.Src = src
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

// SetSystem makes entries and rules all those of the host.
func (t *Table) SetSystem(entries []Entry, rules []Rule) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.system, t.systemRules = slices.Clone(entries), mergeFamilies(rules)
	t.publish()
}

// SetAddresses makes addrs, with the lengths of their networks' prefixes, all the
// addresses of a device; without any it is forgotten. With connected they bring a
// route to each network along, as devices that no host knows need.
func (t *Table) SetAddresses(device string, addrs []netip.Prefix, connected bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if slices.Equal(t.addrs[device], addrs) && t.connected[device] == connected {
		return
	}
	delete(t.addrs, device)
	delete(t.connected, device)
	if len(addrs) > 0 {
		t.addrs[device] = slices.Clone(addrs)
	}
	if connected && len(addrs) > 0 {
		t.connected[device] = true
	}
	t.publish()
}

// connectedRoutes are those that addresses of devices have brought along.
func (t *Table) connectedRoutes() (es []Entry) {
	for _, device := range slices.Sorted(maps.Keys(t.connected)) {
		for _, p := range t.addrs[device] {
			es = append(es, Entry{Route: Route{Device: device, Src: p.Addr(), Local: true}, Prefix: p.Masked(), Table: TableMain})
		}
	}
	return es
}

// Addresses are those of a device, with the lengths of their networks' prefixes.
// The caller may not change them.
func (t *Table) Addresses(device string) []netip.Prefix { return t.now.Load().addrs[device] }

// HasAddress reports whether an address is one of a device.
func (t *Table) HasAddress(device string, a netip.Addr) bool {
	return contains(t.now.Load().addrs[device], a)
}

func (t *Table) isLocal(device string, a netip.Addr) bool { return contains(t.addrs[device], a) }

func contains(addrs []netip.Prefix, a netip.Addr) bool {
	for i := range addrs {
		if addrs[i].Addr() == a {
			return true
		}
	}
	return false
}

// sourceFor is the address of a device from whose network another address is
// reached: of several, the one with the longest prefix.
func sourceFor(addrs []netip.Prefix, towards netip.Addr) (src netip.Addr, ok bool) {
	best := -1
	for _, p := range addrs {
		if p.Contains(towards) && p.Bits() > best {
			src, best = p.Addr(), p.Bits()
		}
	}
	return src, best >= 0
}
