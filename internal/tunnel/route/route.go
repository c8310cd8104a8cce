// Package route is the routes by which tunnels of the user-space data path reach
// their other ends: those of the host, which it is told, and those that users
// add, in tables that rules choose among by the source address, as ip-route(8)
// and ip-rule(8) have them. ovs-vswitchd(8), "ovs/route/...".
//
// It does no I/O: whoever listens to the host calls [Table.SetSystem] and
// [Table.SetAddresses].
package route

import (
	"cmp"
	"net/netip"
	"slices"
)

// Tables that every host has, as rtnetlink(7) numbers them.
const (
	TableDefault = 253
	TableMain    = 254
	TableLocal   = 255
)

// Route is the answer of a lookup: the device by which a packet leaves, the next
// router (invalid where the destination is on the device's own network), and the
// address that the packet comes from. Local is set where the destination is the
// host's own.
type Route struct {
	Device  string
	Gateway netip.Addr
	Src     netip.Addr
	Local   bool
}

// Entry is one route of a table. Prefix is masked. Mark is the packet mark that
// the route is for: lookups with another don't see it. User is set on routes
// that users added, which go before those of the host.
type Entry struct {
	Route
	Prefix netip.Prefix
	Mark   uint32
	Table  uint32
	Metric uint32 // of several for one prefix, the lowest serves
	User   bool
}

// Bonuses in the priority of a route.
const (
	userBonus  = 32
	localBonus = 64
	v4Bits     = 96 // an IPv4 prefix counts as one of IPv4-mapped addresses
)

// Priority orders the routes of a table for a destination, the highest first: the
// length of the prefix, as one of IPv6, with a bonus for users' routes and for
// local ones. (The command ovs/route/show of Open vSwitch 3.6 and later shows it
// in JSON.)
func (e *Entry) Priority() int {
	p := e.Prefix.Bits()
	if e.Prefix.Addr().Is4() {
		p += v4Bits
	}
	switch {
	case e.Local:
		p += localBonus
	case e.User:
		p += userBonus
	}
	return p
}

// class is which of a table's tries an entry stands in; all entries of a class
// have the same bonus, so that the longest prefix of a class is its best.
func (e *Entry) class() int {
	switch {
	case e.Local:
		return 2
	case e.User:
		return 1
	}
	return 0
}

// compareEntries is the order of listings: the highest priority first.
func compareEntries(a, b *Entry) int {
	return cmp.Or(
		cmp.Compare(b.Priority(), a.Priority()),
		a.Prefix.Addr().Compare(b.Prefix.Addr()),
		cmp.Compare(a.Mark, b.Mark),
		cmp.Compare(a.Metric, b.Metric),
	)
}

// Sort sorts entries as listings show them: tables with numbers of users' own
// first, then the highest priority.
func Sort(es []Entry) {
	slices.SortStableFunc(es, func(a, b Entry) int {
		return cmp.Or(cmp.Compare(group(b.Table), group(a.Table)), compareEntries(&a, &b))
	})
}

// group is one number for all standard tables, which listings show as one.
func group(table uint32) uint32 {
	if Standard(table) {
		return 0
	}
	return table
}

// Standard reports whether a table is one of those that every host has: lookups
// without rules of one's own see these alone.
func Standard(table uint32) bool {
	return table == TableLocal || table == TableMain || table == TableDefault
}
