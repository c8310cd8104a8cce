package linux

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"time"

	"github.com/vishvananda/netlink"
	"github.com/vishvananda/netlink/nl"
	"golang.org/x/sys/unix"

	"weir/internal/tunnel/route"
)

// routeGroups are the kinds of event after which routes, rules or addresses may
// be others (rtnetlink(7)).
var routeGroups = []uint{
	unix.RTNLGRP_LINK, unix.RTNLGRP_IPV4_IFADDR, unix.RTNLGRP_IPV6_IFADDR,
	unix.RTNLGRP_IPV4_ROUTE, unix.RTNLGRP_IPV6_ROUTE, unix.RTNLGRP_IPV4_RULE, unix.RTNLGRP_IPV6_RULE,
}

// Pauses between two looks at all routes: long enough for changes that come
// together to be seen together, and for looks at many routes to cost a small
// part of a processor.
const (
	minRoutePause   = 20 * time.Millisecond
	routePauseRatio = 10 // times what the last look cost
)

// FollowRoutes tells t the host's addresses, and with routes its routes and
// rules, at once and after each change, until ctx ends.
func FollowRoutes(ctx context.Context, t *route.Table, routes bool) error {
	sock, err := nl.Subscribe(unix.NETLINK_ROUTE, routeGroups...)
	if err != nil {
		return fmt.Errorf("subscribe to route events: %w", err)
	}
	defer sock.Close()
	changed := make(chan error, 1)
	stop := make(chan struct{})
	defer close(stop)
	go hearRoutes(sock, changed, stop)
	for {
		began := time.Now()
		sys, err := hostRoutes(routes)
		if err != nil {
			return err
		}
		t.SetSystem(sys)
		pause := max(minRoutePause, routePauseRatio*time.Since(began))
		select {
		case <-ctx.Done():
			return nil
		case err := <-changed:
			if err != nil {
				return err
			}
		}
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(pause):
		}
	}
}

// hearRoutes puts a word into changed when there is an event, until the socket
// fails or stop is closed. Events that the socket had no room for are events too.
func hearRoutes(sock *nl.NetlinkSocket, changed chan<- error, stop <-chan struct{}) {
	timeout := unix.NsecToTimeval(int64(time.Second / 4)) // after which stop is looked at
	err := sock.SetReceiveTimeout(&timeout)
	for err == nil {
		select {
		case <-stop:
			return
		default:
		}
		_, _, e := sock.Receive()
		switch {
		case e == nil, errors.Is(e, unix.ENOBUFS):
			select {
			case changed <- nil:
			default: // it is known already
			}
		case errors.Is(e, unix.EAGAIN), errors.Is(e, unix.EINTR):
		default:
			err = fmt.Errorf("listen to route events: %w", e)
		}
	}
	select {
	case changed <- err:
	case <-stop:
	}
}

// hostRoutes asks the kernel for all addresses, and with routes for all routes and
// rules.
func hostRoutes(routes bool) (sys route.System, err error) {
	links, err := netlink.LinkList()
	if err := dumpError("list devices", err); err != nil {
		return sys, err
	}
	names := make(map[int]string, len(links))
	for _, l := range links {
		names[l.Attrs().Index] = l.Attrs().Name
	}
	addrs, err := netlink.AddrList(nil, netlink.FAMILY_ALL)
	if err := dumpError("list addresses", err); err != nil {
		return sys, err
	}
	sys.Addresses = map[string][]netip.Prefix{}
	for i := range addrs {
		if p, ok := prefixOf(addrs[i].IPNet); ok {
			name := names[addrs[i].LinkIndex]
			sys.Addresses[name] = append(sys.Addresses[name], p)
		}
	}
	if !routes {
		return sys, nil
	}
	all, err := netlink.RouteListFiltered(netlink.FAMILY_ALL, &netlink.Route{Table: unix.RT_TABLE_UNSPEC}, netlink.RT_FILTER_TABLE)
	if err := dumpError("list routes", err); err != nil {
		return sys, err
	}
	for i := range all {
		if e, ok := routeEntry(&all[i], names); ok {
			sys.Entries = append(sys.Entries, e)
		}
	}
	sys.Rules, err = routeRules()
	return sys, err
}

// dumpError is what kept the kernel from telling all of something. That it changed
// meanwhile doesn't: there is an event for that, after which it is asked again.
func dumpError(what string, err error) error {
	if err == nil || errors.Is(err, netlink.ErrDumpInterrupted) {
		return nil
	}
	return fmt.Errorf("%s: %w", what, err)
}

// routeEntry is a route of the kernel's, if it leads somewhere. Of several next
// hops the first is taken.
func routeEntry(r *netlink.Route, names map[int]string) (e route.Entry, ok bool) {
	if r.Type != unix.RTN_UNICAST && r.Type != unix.RTN_LOCAL {
		return e, false
	}
	link, gw, via := r.LinkIndex, r.Gw, r.Via
	if len(r.MultiPath) > 0 {
		link, gw, via = r.MultiPath[0].LinkIndex, r.MultiPath[0].Gw, r.MultiPath[0].Via
	}
	if via != nil {
		return e, false // a router of the other family
	}
	e.Device = names[link]
	e.Prefix, ok = prefixOf(r.Dst)
	if r.Dst == nil {
		e.Prefix, ok = netip.PrefixFrom(netip.IPv4Unspecified(), 0), true
		if r.Family == netlink.FAMILY_V6 {
			e.Prefix = netip.PrefixFrom(netip.IPv6Unspecified(), 0)
		}
	}
	e.Gateway, e.Src = addrOf(gw), addrOf(r.Src)
	e.Table, e.Metric, e.Local = uint32(r.Table), uint32(r.Priority), r.Type == unix.RTN_LOCAL
	return e, ok && e.Device != ""
}

// routeRules are the kernel's rules that look at nothing but the source address.
func routeRules() (out []route.Rule, err error) {
	for family, of := range map[int]route.Family{netlink.FAMILY_V4: route.IPv4, netlink.FAMILY_V6: route.IPv6} {
		rules, err := netlink.RuleList(family)
		if err := dumpError("list routing rules", err); err != nil {
			return nil, err
		}
		for i := range rules {
			r := &rules[i]
			if r.Table == 0 || !onlySource(r) {
				continue
			}
			rule := route.Rule{Priority: uint32(r.Priority), Not: r.Invert, Table: uint32(r.Table), Family: of}
			if r.Src != nil {
				rule.From, _ = prefixOf(r.Src)
			}
			out = append(out, rule)
		}
	}
	return out, nil
}

// onlySource reports whether a rule looks at nothing but the source address.
func onlySource(r *netlink.Rule) bool {
	return r.Dst == nil && r.Mark == 0 && (r.Mask == nil || *r.Mask == 0) && r.Tos == 0 && r.TunID == 0 && r.Goto < 0 &&
		r.IifName == "" && r.OifName == "" && r.Dport == nil && r.Sport == nil && r.IPProto == 0 && r.UIDRange == nil &&
		r.SuppressIfgroup < 0 && r.SuppressPrefixlen < 0
}

func addrOf(ip net.IP) netip.Addr {
	a, _ := netip.AddrFromSlice(ip)
	return a.Unmap()
}

func prefixOf(n *net.IPNet) (netip.Prefix, bool) {
	if n == nil {
		return netip.Prefix{}, false
	}
	a := addrOf(n.IP)
	bits, size := n.Mask.Size()
	if size == 128 && a.Is4() {
		bits -= 96
	}
	p := netip.PrefixFrom(a, bits)
	return p, p.IsValid()
}
