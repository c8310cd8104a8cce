// Package neigh is the cache of the Ethernet addresses of neighbours, by bridge
// and IP address, that tunnels of the user-space data path send to. It learns
// from ARP replies (RFC 826) and neighbour advertisements (RFC 4861) that reach a
// bridge, forgets what is not used for a while, and says how often an unknown
// neighbour may be asked for. ovs-vswitchd(8), "tnl/neigh/...".
//
// It does no I/O and holds no clock: callers pass the time.
package neigh

import (
	"bytes"
	"cmp"
	"maps"
	"net/netip"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/gaissmai/bart"

	"weir/internal/packet"
)

// Times of a new cache: how long an entry stays that nothing uses, and how long
// after a request for a neighbour the next one for it may follow.
const (
	DefaultAging   = 900 * time.Second
	DefaultRetrans = time.Second
)

// maxPerBridge bounds the entries of a bridge: whoever can send to it makes them.
const maxPerBridge = 65536

// Entry is what the cache knows of a neighbour. One that was asked for and hasn't
// answered is not Complete, and has no MAC.
type Entry struct {
	Bridge   string
	IP       netip.Addr
	MAC      packet.MAC
	Complete bool
	Expires  time.Time
}

// neighbour is a stored entry; only its times change.
type neighbour struct {
	mac      packet.MAC
	complete bool
	expires  atomic.Int64 // nanoseconds since the cache's epoch
	asked    atomic.Int64 // when a request was last sent; of incomplete ones
}

type table = bart.Table[*neighbour]

// Cache maps bridges and IP addresses to Ethernet addresses. Lookups take no lock:
// they read the tables that now points to, which writers replace; mu is the
// writers'.
type Cache struct {
	now     atomic.Pointer[map[string]*table]
	seq     atomic.Uint64
	aging   atomic.Int64
	retrans atomic.Int64
	epoch   time.Time

	onChange atomic.Pointer[func()]
	mu       sync.Mutex
}

// New makes an empty cache.
func New() *Cache {
	c := &Cache{epoch: time.Now()}
	c.now.Store(&map[string]*table{})
	c.aging.Store(int64(DefaultAging))
	c.retrans.Store(int64(DefaultRetrans))
	return c
}

// OnChange sets the function that is called after each change that Seq counts. It
// may not change the cache.
func (c *Cache) OnChange(fn func()) { c.onChange.Store(&fn) }

func (c *Cache) changed() {
	c.seq.Add(1)
	if fn := c.onChange.Load(); fn != nil {
		(*fn)()
	}
}

// Seq counts changes after which a lookup may give another answer.
func (c *Cache) Seq() uint64 { return c.seq.Load() }

func (c *Cache) at(now time.Time) int64 { return int64(now.Sub(c.epoch)) }

func (c *Cache) get(bridge string, ip netip.Addr) *neighbour {
	t := (*c.now.Load())[bridge]
	if t == nil {
		return nil
	}
	n, _ := t.Lookup(ip)
	return n
}

// Lookup finds the Ethernet address of a neighbour of a bridge. It takes no lock
// and allocates nothing.
func (c *Cache) Lookup(bridge string, ip netip.Addr, now time.Time) (packet.MAC, bool) {
	n := c.get(bridge, ip)
	if n == nil || !n.complete || n.expires.Load() <= c.at(now) {
		return packet.MAC{}, false
	}
	return n.mac, true
}

// Touch keeps the entry of a neighbour from ageing, because packets went to it.
func (c *Cache) Touch(bridge string, ip netip.Addr, now time.Time) {
	if n := c.get(bridge, ip); n != nil && n.complete && n.expires.Load() > c.at(now) {
		n.expires.Store(c.at(now) + c.aging.Load())
	}
}

// Learn enters a neighbour that has told its address. It reports whether that is
// news.
func (c *Cache) Learn(bridge string, ip netip.Addr, mac packet.MAC, now time.Time) bool {
	if n := c.get(bridge, ip); n != nil && n.complete && n.mac == mac && n.expires.Load() > c.at(now) {
		n.expires.Store(c.at(now) + c.aging.Load())
		return false
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	n := &neighbour{mac: mac, complete: true}
	n.expires.Store(c.at(now) + c.aging.Load())
	if !c.insert(bridge, ip, n) {
		return false
	}
	c.changed()
	return true
}

// MayAsk reports whether a request for an unknown neighbour may be sent now, and
// notes that it is: the next one is due only after the time of [Cache.Retrans].
func (c *Cache) MayAsk(bridge string, ip netip.Addr, now time.Time) bool {
	at, wait := c.at(now), c.retrans.Load()
	if n := c.get(bridge, ip); n != nil && !n.complete {
		last := n.asked.Load()
		if at-last < wait || !n.asked.CompareAndSwap(last, at) {
			return false
		}
		n.expires.Store(at + c.aging.Load())
		return true
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if n := c.get(bridge, ip); n != nil && (!n.complete || n.expires.Load() > at) {
		return false // somebody else was here first
	}
	n := new(neighbour)
	n.asked.Store(at)
	n.expires.Store(at + c.aging.Load())
	return c.insert(bridge, ip, n)
}

// insert has the tables show n, and reports false where the bridge is full. The
// caller holds mu.
func (c *Cache) insert(bridge string, ip netip.Addr, n *neighbour) bool {
	tables := maps.Clone(*c.now.Load())
	t := tables[bridge]
	if t == nil {
		t = new(table)
	}
	host := hostPrefix(ip)
	if _, ok := t.Get(host); !ok && t.Size() >= maxPerBridge {
		return false
	}
	tables[bridge] = t.InsertPersist(host, n)
	c.now.Store(&tables)
	return true
}

func hostPrefix(ip netip.Addr) netip.Prefix { return netip.PrefixFrom(ip, ip.BitLen()) }

// Flush forgets the neighbours of a bridge.
func (c *Cache) Flush(bridge string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	tables := maps.Clone(*c.now.Load())
	if tables[bridge] == nil {
		return
	}
	delete(tables, bridge)
	c.now.Store(&tables)
	c.changed()
}

// FlushAll forgets all neighbours.
func (c *Cache) FlushAll() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now.Store(&map[string]*table{})
	c.changed()
}

// Expire forgets what has aged. It should be called every second or so.
func (c *Cache) Expire(now time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	at := c.at(now)
	var tables map[string]*table
	for bridge, t := range *c.now.Load() {
		var left *table
		for p, n := range t.All() {
			if n.expires.Load() > at {
				continue
			}
			if left == nil {
				left = t
			}
			left = left.DeletePersist(p)
		}
		if left == nil {
			continue
		}
		if tables == nil {
			tables = maps.Clone(*c.now.Load())
		}
		tables[bridge] = left
		if left.Size() == 0 {
			delete(tables, bridge)
		}
	}
	if tables != nil {
		c.now.Store(&tables)
		c.changed()
	}
}

// Aging is how long an entry stays that nothing uses.
func (c *Cache) Aging() time.Duration { return time.Duration(c.aging.Load()) }

// SetAging changes it. Entries that would stay longer have the new time left.
func (c *Cache) SetAging(d time.Duration, now time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.aging.Store(int64(d))
	limit := c.at(now) + int64(d)
	for _, t := range *c.now.Load() {
		for _, n := range t.All() {
			if n.expires.Load() > limit {
				n.expires.Store(limit)
			}
		}
	}
}

// Retrans is the least time between two requests for one neighbour.
func (c *Cache) Retrans() time.Duration { return time.Duration(c.retrans.Load()) }

// SetRetrans changes it.
func (c *Cache) SetRetrans(d time.Duration) { c.retrans.Store(int64(d)) }

// Entries lists what has not aged, by bridge and address.
func (c *Cache) Entries(now time.Time) (es []Entry) {
	at := c.at(now)
	for bridge, t := range *c.now.Load() {
		for p, n := range t.All() {
			if expires := n.expires.Load(); expires > at {
				es = append(es, Entry{bridge, p.Addr(), n.mac, n.complete, c.epoch.Add(time.Duration(expires))})
			}
		}
	}
	slices.SortFunc(es, func(a, b Entry) int {
		return cmp.Or(cmp.Compare(a.Bridge, b.Bridge), a.IP.Compare(b.IP), bytes.Compare(a.MAC[:], b.MAC[:]))
	})
	return es
}
