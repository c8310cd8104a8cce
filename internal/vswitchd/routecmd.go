package vswitchd

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"weir/internal/tunnel/route"
	"weir/internal/unixctl"
)

// registerRoutes registers the commands about the routes of tunnels
// (ovs-vswitchd(8), "Datapath commands").
func (s *Switch) registerRoutes(srv *unixctl.Server) {
	if s.reach == nil {
		return
	}
	c := routeCommands{s.reach.Routes}
	srv.Register("ovs/route/add", "ip/plen dev [gw] [pkt_mark=mark] [src=src_ip] [table=id]", 2, 6, c.add)
	srv.Register("ovs/route/show", "[table=id|all]", 0, 1, c.show)
	srv.Register("ovs/route/del", "ip/plen [pkt_mark=mark] [table=id]", 1, 3, c.del)
	srv.Register("ovs/route/lookup", "ip_addr [pkt_mark=mark] [src=src_ip]", 1, 3, c.lookup)
	srv.Register("ovs/route/rule/show", "", 0, 0, c.ruleShow)
	srv.Register("ovs/route/rule/add", "[not] from=all|ip/plen [prio=num] table=local|main|default|id", 2, 4, c.ruleAdd)
	srv.Register("ovs/route/rule/del", "[not] from=all|ip/plen [prio=num] table=local|main|default|id", 2, 4, c.ruleDel)
}

type routeCommands struct{ table *route.Table }

// Texts that users' scripts know.
var (
	errRouteArgs    = errors.New("Invalid parameters")          //nolint:staticcheck // see above
	errRouteGateway = errors.New("Invalid pkt_mark or gateway") //nolint:staticcheck // see above
	errRouteMark    = errors.New("Invalid pkt_mark")            //nolint:staticcheck // see above
	errRouteSrc     = errors.New("Invalid src_ip")              //nolint:staticcheck // see above
	errRouteTable   = errors.New("Invalid table")               //nolint:staticcheck // see above
)

// routeOptions are the words NAME=VALUE of a command about routes.
type routeOptions struct {
	mark  uint32
	src   netip.Addr
	table uint32
}

// parse reads words; those that aren't among the names may are bad, as a value
// that can't be read is, and other says why.
func (o *routeOptions) parse(words []string, other error, may ...string) error {
	o.table = route.TableMain
	for _, w := range words {
		name, value, _ := strings.Cut(w, "=")
		if !slices.Contains(may, name) {
			return other
		}
		ok := true
		switch name {
		case "pkt_mark":
			n, err := strconv.ParseUint(value, 0, 32)
			if o.mark = uint32(n); err != nil {
				return errRouteMark
			}
		case "src":
			if o.src, ok = parseIP(value); !ok {
				return errRouteSrc
			}
		case "table":
			if o.table, ok = parseTable(value); !ok {
				return errRouteTable
			}
		}
	}
	return nil
}

func parseIP(text string) (netip.Addr, bool) {
	a, err := netip.ParseAddr(text)
	return a, err == nil && a.Zone() == "" && !a.Is4In6()
}

// parseRoutePrefix reads IP or IP/PLEN.
func parseRoutePrefix(text string) (netip.Prefix, bool) {
	if !strings.Contains(text, "/") {
		a, ok := parseIP(text)
		return netip.PrefixFrom(a, a.BitLen()), ok
	}
	p, err := netip.ParsePrefix(text)
	return p, err == nil && !p.Addr().Is4In6()
}

// parseTable reads the number of a table, or the name of one that has a name.
func parseTable(text string) (uint32, bool) {
	for id, name := range tableNames {
		if text == name {
			return id, true
		}
	}
	n, err := strconv.ParseUint(text, 0, 32)
	return uint32(n), err == nil && n != 0
}

// tableNames are those that ip-route(8) knows without a file.
var tableNames = map[uint32]string{route.TableLocal: "local", route.TableMain: "main", route.TableDefault: "default"}

// tableName is what ip-rule(8) shows of a table.
func tableName(id uint32) string {
	if name, ok := tableNames[id]; ok {
		return name
	}
	return strconv.FormatUint(uint64(id), 10)
}

func (c routeCommands) add(r *unixctl.Request) (string, error) {
	p, ok := parseRoutePrefix(r.Args[0])
	if !ok {
		return "", errRouteArgs
	}
	e := route.Entry{Prefix: p, Route: route.Route{Device: r.Args[1]}}
	words, wrong := r.Args[2:], errRouteGateway
	if len(words) > 0 {
		if gw, ok := parseIP(words[0]); ok && gw.Is4() == p.Addr().Is4() {
			e.Gateway, words, wrong = gw, words[1:], errRouteMark
		} else if ok {
			return "", errRouteGateway
		}
	}
	var o routeOptions
	if err := o.parse(words, wrong, "pkt_mark", "src", "table"); err != nil {
		return "", err
	}
	if o.src.IsValid() && o.src.Is4() != p.Addr().Is4() {
		return "", errRouteSrc
	}
	e.Mark, e.Src, e.Table = o.mark, o.src, o.table
	if err := c.table.Add(e); err != nil {
		return "", err
	}
	return "OK", nil
}

func (c routeCommands) del(r *unixctl.Request) (string, error) {
	p, ok := parseRoutePrefix(r.Args[0])
	if !ok {
		return "", errRouteArgs
	}
	var o routeOptions
	if err := o.parse(r.Args[1:], errRouteMark, "pkt_mark", "table"); err != nil {
		return "", err
	}
	if err := c.table.Delete(p, o.mark, o.table); err != nil {
		return "", err
	}
	return "OK", nil
}

// foundRoute is the answer of ovs/route/lookup.
type foundRoute struct {
	Src     netip.Addr  `json:"src"`
	Gateway *netip.Addr `json:"gateway,omitempty"`
	Device  string      `json:"dev"`
}

// String is the lines that scripts know: without a gateway, that is "::".
func (f foundRoute) String() string {
	gw := netip.IPv6Unspecified()
	if f.Gateway != nil {
		gw = *f.Gateway
	}
	return fmt.Sprintf("src %s\ngateway %s\ndev %s\n", f.Src, gw, f.Device)
}

func (c routeCommands) lookup(r *unixctl.Request) (string, error) {
	dst, ok := parseIP(r.Args[0])
	if !ok {
		return "", errRouteArgs
	}
	var o routeOptions
	if err := o.parse(r.Args[1:], errRouteMark, "pkt_mark", "src"); err != nil {
		return "", err
	}
	found, ok := c.table.Lookup(dst, o.src, o.mark)
	if !ok {
		return "", route.ErrNotFound
	}
	f := foundRoute{Src: found.Src, Device: found.Device}
	if found.Gateway.IsValid() {
		f.Gateway = &found.Gateway
	}
	return r.Answer(f)
}
