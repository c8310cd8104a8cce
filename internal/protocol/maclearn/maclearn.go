// Package maclearn is the table of MAC addresses that a learning bridge keeps:
// behind which port it last saw each address of each VLAN (IEEE 802.1Q-2018,
// clause 8.7 and 8.8, "filtering database"). It holds no clock: callers pass
// the time.
package maclearn

import (
	"slices"
	"sync"
	"time"

	"weir/internal/coverage"
	"weir/internal/packet"
)

// Defaults of a table (ovs-vswitchd.conf.db(5), Bridge, mac-aging-time and
// mac-table-size).
const (
	DefaultAging = 300 * time.Second
	DefaultMax   = 8192
)

// GratARPLock is how long an entry learned from a gratuitous ARP resists a
// change by packets that come back from a bond.
const GratARPLock = 5 * time.Second

// NoPort is the port of an address that is not known.
const NoPort = 0xffffffff

// coverStaticMove counts packets with a pinned address from another port.
var (
	coverStaticMove = coverage.New("mac_learning_static_none_move")
	coverLearned    = coverage.New("mac_learning_learned")
	coverMoved      = coverage.New("mac_learning_moved")
	coverExpired    = coverage.New("mac_learning_expired")
	coverEvicted    = coverage.New("mac_learning_evicted")
)

// key names an entry.
type key struct {
	mac  packet.MAC
	vlan uint16
}

// Entry is what the table knows of one address. Entries returned are copies.
type Entry struct {
	MAC     packet.MAC
	VLAN    uint16
	Port    uint32 // an OpenFlow port of the bundle that owns the address
	Owner   any    // the bundle, compared by identity
	Expires time.Time
	Static  bool
	// GratLock is when the lock of a gratuitous ARP ends.
	GratLock time.Time
}

// entry is a stored Entry, linked into the list that runs from least to most
// recently used.
type entry struct {
	Entry
	prev, next *entry

	// Of an entry that was learned: those of its port.
	usage              *usage
	portPrev, portNext *entry
}

// Stats counts what happened in a table (fdb/stats-show).
type Stats struct {
	Learned, Expired, Evicted, Moved uint64
}

// Table maps (MAC, VLAN) to ports. It is safe for concurrent use: mu guards
// everything; lookups take it for reading.
type Table struct {
	mu      sync.RWMutex
	m       map[key]*entry
	lru     entry // ring; lru.next is the least recently used
	aging   time.Duration
	max     int
	flood   map[uint16]bool // VLANs without learning
	stats   Stats
	statics int
	gen     uint64
	usages  usages
}

// New makes a table. Zero aging and max mean the defaults.
func New(aging time.Duration, max int) *Table {
	t := &Table{m: map[key]*entry{}, usages: newUsages()}
	t.lru.prev, t.lru.next = &t.lru, &t.lru
	t.Configure(aging, max, nil)
	return t
}

// Configure changes the ageing time, the limit and the VLANs that are flooded
// without learning.
func (t *Table) Configure(aging time.Duration, max int, floodVLANs []uint16) {
	if aging <= 0 {
		aging = DefaultAging
	}
	if max <= 0 {
		max = DefaultMax
	}
	flood := map[uint16]bool{}
	for _, v := range floodVLANs {
		flood[v&0xfff] = true
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if aging != t.aging {
		for e := t.lru.next; e != &t.lru; e = e.next {
			e.Expires = e.Expires.Add(aging - t.aging)
		}
	}
	changed := len(flood) != len(t.flood)
	for v := range flood {
		changed = changed || !t.flood[v]
	}
	t.aging, t.max, t.flood = aging, max, flood
	if changed {
		t.flushLocked(func(e *entry) bool { return t.flood[e.VLAN] })
		t.gen++
	}
	for len(t.m) > t.max {
		if !t.evictLocked() {
			break
		}
	}
}

// Generation counts changes after which a lookup may give another answer.
func (t *Table) Generation() uint64 {
	t.mu.RLock()
	defer t.mu.RUnlock()
	return t.gen
}

// MayLearn reports whether the table learns addresses of a VLAN at all.
func (t *Table) MayLearn(mac packet.MAC, vlan uint16) bool {
	t.mu.RLock()
	defer t.mu.RUnlock()
	return !t.flood[vlan] && !mac.IsMulticast()
}

// Lookup finds the entry of an address that has not expired.
func (t *Table) Lookup(mac packet.MAC, vlan uint16) (Entry, bool) {
	if mac.IsMulticast() {
		return Entry{}, false
	}
	t.mu.RLock()
	defer t.mu.RUnlock()
	if t.flood[vlan] {
		return Entry{}, false
	}
	if e := t.m[key{mac, vlan}]; e != nil {
		return e.Entry, true
	}
	return Entry{}, false
}

// Leaver is an owner that may leave: once it has, and was flushed, nothing is learned on
// it any more, though packets that came before are counted late.
type Leaver interface{ Left() bool }

// Learn notes that an address was seen on a port, and reports whether lookups
// now answer differently. gratARP says that the packet was a gratuitous ARP
// from a bond, fromBond that it came in on a bond.
func (t *Table) Learn(mac packet.MAC, vlan uint16, port uint32, owner any, fromBond, gratARP bool, now time.Time) bool {
	if mac.IsMulticast() {
		return false
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if l, ok := owner.(Leaver); t.flood[vlan] || ok && l.Left() {
		return false
	}
	e := t.takeLocked(key{mac, vlan}, port, owner)
	if e == nil {
		return false
	}
	e.linkBefore(&t.lru)
	if e.usage != nil {
		t.usages.touch(e)
	}
	e.Expires = now.Add(t.aging)
	if fromBond {
		if gratARP {
			e.GratLock = now.Add(GratARPLock)
		} else if now.Before(e.GratLock) && e.Owner != nil {
			return false
		}
	}
	if e.Owner == owner && e.Port == port {
		return false
	}
	t.usages.remove(e)
	e.Port, e.Owner = port, owner
	t.usages.add(e)
	t.gen++
	return true
}

// takeLocked takes the entry of an address out of the order of use, or makes one; nil
// where it is static or the table is full.
func (t *Table) takeLocked(k key, port uint32, owner any) *entry {
	e := t.m[k]
	switch {
	case e == nil:
		if len(t.m) >= t.max && !t.evictLocked() {
			return nil
		}
		e = t.addLocked(k)
		t.stats.Learned++
		coverLearned.Inc()
	case e.Static:
		if e.Port != port {
			coverStaticMove.Inc()
		}
		return nil
	default:
		e.unlink()
		if e.Owner != owner {
			t.stats.Moved++
			coverMoved.Inc()
		}
	}
	return e
}

// Unchanged reports whether Learn would change no answer of lookups; it is
// the cheap check before Learn takes the lock for writing. Entries close to
// expiry count as changed, so that packets keep them alive.
func (t *Table) Unchanged(mac packet.MAC, vlan uint16, port uint32, owner any, now time.Time) bool {
	t.mu.RLock()
	defer t.mu.RUnlock()
	e := t.m[key{mac, vlan}]
	return e != nil && e.Owner == owner && e.Port == port && (e.Static || e.Expires.Sub(now) > t.aging-time.Second)
}

// AddStatic pins an address to a port until it is removed.
func (t *Table) AddStatic(mac packet.MAC, vlan uint16, port uint32, owner any) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	k := key{mac, vlan}
	e := t.m[k]
	if e == nil {
		if len(t.m) >= t.max && !t.evictLocked() {
			return false
		}
		e = t.addLocked(k)
	} else {
		e.unlink()
	}
	if !e.Static {
		t.statics++
	}
	e.linkBefore(&t.lru)
	t.usages.remove(e)
	e.Static, e.Port, e.Owner = true, port, owner
	t.gen++
	return true
}

// DelStatic removes a static entry and reports whether there was one.
func (t *Table) DelStatic(mac packet.MAC, vlan uint16) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	e := t.m[key{mac, vlan}]
	if e == nil || !e.Static {
		return false
	}
	t.removeLocked(e)
	t.gen++
	return true
}

// Owned lists the entries of a bundle.
func (t *Table) Owned(owner any) []Entry {
	t.mu.RLock()
	defer t.mu.RUnlock()
	var out []Entry
	for e := t.lru.next; e != &t.lru; e = e.next {
		if e.Owner == owner {
			out = append(out, e.Entry)
		}
	}
	return out
}

// NextExpiry is when the next entry expires; ok is false when none will.
func (t *Table) NextExpiry() (when time.Time, ok bool) {
	t.mu.RLock()
	defer t.mu.RUnlock()
	for e := t.lru.next; e != &t.lru; e = e.next {
		if !e.Static {
			return e.Expires, true
		}
	}
	return time.Time{}, false
}

// Age is how long ago an entry was last refreshed.
func (t *Table) Age(e *Entry, now time.Time) time.Duration {
	t.mu.RLock()
	defer t.mu.RUnlock()
	return t.aging - e.Expires.Sub(now)
}

// Entries lists all entries, the least recently used first (fdb/show).
func (t *Table) Entries() []Entry {
	t.mu.RLock()
	defer t.mu.RUnlock()
	out := make([]Entry, 0, len(t.m))
	for e := t.lru.next; e != &t.lru; e = e.next {
		out = append(out, e.Entry)
	}
	return out
}

// Len is the number of entries, Statics of the static ones, Max the limit.
func (t *Table) Len() (n, statics, max int) {
	t.mu.RLock()
	defer t.mu.RUnlock()
	return len(t.m), t.statics, t.max
}

// Stats are the counters since the table was made or they were cleared.
func (t *Table) Stats() Stats {
	t.mu.RLock()
	defer t.mu.RUnlock()
	return t.stats
}

// ClearStats zeroes the counters.
func (t *Table) ClearStats() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.stats = Stats{}
}

// FloodVLANs lists the VLANs without learning.
func (t *Table) FloodVLANs() []uint16 {
	t.mu.RLock()
	defer t.mu.RUnlock()
	var out []uint16
	for v := range t.flood {
		out = append(out, v)
	}
	slices.Sort(out)
	return out
}

func (t *Table) addLocked(k key) *entry {
	e := &entry{Entry: Entry{MAC: k.mac, VLAN: k.vlan, Port: NoPort}}
	t.m[k] = e
	return e
}

func (e *entry) unlink() { e.prev.next, e.next.prev = e.next, e.prev }

func (e *entry) linkBefore(o *entry) {
	e.prev, e.next = o.prev, o
	o.prev.next = e
	o.prev = e
}
