package maclearn

import (
	"time"

	"weir/internal/packet"
)

// Flush forgets all addresses that were learned; static entries stay.
func (t *Table) Flush() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.flushLocked(func(e *entry) bool { return !e.Static })
}

// FlushOwner forgets what was learned, or pinned, on a bundle.
func (t *Table) FlushOwner(owner any) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.flushLocked(func(e *entry) bool { return e.Owner == owner })
}

// Forget removes the entry of an address that was learned.
func (t *Table) Forget(mac packet.MAC, vlan uint16) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.flushLocked(func(e *entry) bool { return !e.Static && e.MAC == mac && e.VLAN == vlan })
}

// FlushVLANs forgets the entries of a bundle in VLANs that keep refuses.
func (t *Table) FlushVLANs(owner any, keep func(vlan uint16) bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.flushLocked(func(e *entry) bool { return e.Owner == owner && !keep(e.VLAN) })
}

// Expire removes the entries whose time has passed and reports whether there
// were any.
func (t *Table) Expire(now time.Time) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	expired := false
	for e := t.lru.next; e != &t.lru; {
		next := e.next
		if !e.Static {
			if now.Before(e.Expires) {
				break
			}
			t.removeLocked(e)
			t.stats.Expired++
			coverExpired.Inc()
			expired = true
		}
		e = next
	}
	if expired {
		t.gen++
	}
	return expired
}

func (t *Table) removeLocked(e *entry) {
	e.unlink()
	delete(t.m, key{e.MAC, e.VLAN})
	t.usages.remove(e)
	if e.Static {
		t.statics--
	}
}

func (t *Table) flushLocked(which func(*entry) bool) {
	for e := t.lru.next; e != &t.lru; {
		next := e.next
		if which(e) {
			t.removeLocked(e)
			t.gen++
		}
		e = next
	}
}

// evictLocked removes the least recently used entry of the port that has the
// most, so that one port's flood of addresses cannot push out those of others.
func (t *Table) evictLocked() bool {
	e := t.usages.victim()
	if e == nil {
		return false
	}
	t.removeLocked(e)
	t.stats.Evicted++
	coverEvicted.Inc()
	t.gen++
	return true
}
