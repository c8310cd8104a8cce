package vswitchd

import (
	"fmt"
	"net/netip"
	"strings"

	"weir/internal/tunnel/route"
	"weir/internal/unixctl"
)

// shownRoutes is the answer of ovs/route/show: routes below a heading.
type shownRoutes struct {
	heading string
	all     bool // of all tables: those that not every host has are named
	entries []route.Entry
}

// String is the heading and a line a route.
func (s shownRoutes) String() string {
	var b strings.Builder
	b.WriteString(s.heading)
	for i := range s.entries {
		writeRoute(&b, &s.entries[i])
		if t := s.entries[i].Table; s.all && !route.Standard(t) {
			fmt.Fprintf(&b, " table %d", t)
		}
		b.WriteByte('\n')
	}
	return b.String()
}

func writeRoute(b *strings.Builder, e *route.Entry) {
	kind := "Cached"
	if e.User {
		kind = "User"
	}
	fmt.Fprintf(b, "%s: %s", kind, e.Prefix)
	if e.Mark != 0 {
		fmt.Fprintf(b, " MARK %d", e.Mark)
	}
	fmt.Fprintf(b, " dev %s", e.Device)
	if e.Gateway.IsValid() {
		fmt.Fprintf(b, " GW %s", e.Gateway)
	}
	fmt.Fprintf(b, " SRC %s", e.Src)
	if e.Local {
		b.WriteString(" local")
	}
}

// shownRoute is a route in JSON, with the names of ip-route(8)'s.
type shownRoute struct {
	Dst      netip.Addr `json:"dst"`
	Local    bool       `json:"local"`
	Mark     uint32     `json:"mark,omitempty"`
	NextHops []nextHop  `json:"nexthops"`
	Prefix   int        `json:"prefix"`
	PrefSrc  netip.Addr `json:"prefsrc"`
	Priority int        `json:"priority"`
	Table    uint32     `json:"table,omitempty"`
	User     bool       `json:"user"`
}

type nextHop struct {
	Device  string      `json:"dev"`
	Gateway *netip.Addr `json:"gateway,omitempty"`
}

// Document is the routes as an array.
func (s shownRoutes) Document() any {
	out := []shownRoute{}
	for i := range s.entries {
		e := &s.entries[i]
		hop := nextHop{Device: e.Device}
		if e.Gateway.IsValid() {
			hop.Gateway = &e.Gateway
		}
		r := shownRoute{
			Dst: e.Prefix.Addr(), Local: e.Local, Mark: e.Mark, NextHops: []nextHop{hop}, Prefix: e.Prefix.Bits(),
			PrefSrc: e.Src, Priority: e.Priority(), User: e.User,
		}
		if !route.Standard(e.Table) {
			r.Table = e.Table
		}
		out = append(out, r)
	}
	return out
}

// show lists the routes of the tables that every host has, of one table, or of
// all.
func (c routeCommands) show(r *unixctl.Request) (string, error) {
	shown := func(t uint32) bool { return route.Standard(t) }
	s := shownRoutes{heading: "Route Table:\n"}
	if len(r.Args) > 0 {
		text, ok := strings.CutPrefix(r.Args[0], "table=")
		if !ok {
			return "", errRouteArgs
		}
		if text == "all" {
			s.heading, s.all, shown = "", true, func(uint32) bool { return true }
		} else {
			id, ok := parseTable(text)
			if !ok {
				return "", errRouteTable
			}
			s.heading, shown = fmt.Sprintf("Route Table #%d:\n", id), func(t uint32) bool { return t == id }
		}
	}
	for _, e := range c.table.Entries() {
		if shown(e.Table) {
			s.entries = append(s.entries, e)
		}
	}
	return r.Answer(s)
}
