package vswitchd

import (
	"errors"
	"fmt"
	"net/netip"
	"strconv"
	"strings"
	"time"

	"weir/internal/packet"
	"weir/internal/tunnel"
	"weir/internal/tunnel/neigh"
	"weir/internal/unixctl"
)

// registerNeighbours registers the commands about the neighbours of tunnels, under
// both their names (ovs-vswitchd(8), "Datapath commands").
func (s *Switch) registerNeighbours(srv *unixctl.Server) {
	if s.reach == nil {
		return
	}
	c := neighbourCommands{s, s.reach.Neighbours}
	for _, prefix := range []string{"tnl/arp/", "tnl/neigh/"} {
		srv.Register(prefix+"show", "", 0, 0, c.show)
		srv.Register(prefix+"set", "BRIDGE IP MAC", 3, 3, c.set)
		srv.Register(prefix+"flush", "", 0, 0, c.flush)
		srv.Register(prefix+"aging", "[SECS]", 0, 1, c.aging)
	}
	srv.Register("tnl/neigh/retrans_time", "[MSECS]", 0, 1, c.retrans)
	srv.Register("tnl/egress_port_range", "min max", 0, 2, egressCommand(s.reach.Egress))
}

type neighbourCommands struct {
	sw    *Switch
	cache *neigh.Cache
}

// shownNeighbours is the answer of tnl/neigh/show.
type shownNeighbours []shownNeighbour

type shownNeighbour struct {
	IP     netip.Addr `json:"ip"`
	MAC    string     `json:"mac,omitempty"`
	Bridge string     `json:"bridge"`
	// Complete says that the neighbour has answered.
	Complete bool `json:"complete"`
}

// String is the table that scripts know: of those that have answered.
func (s shownNeighbours) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%-46s%-20s%s\n%s\n", "IP", "MAC", "Bridge", strings.Repeat("=", 74))
	for _, n := range s {
		if n.Complete {
			fmt.Fprintf(&b, "%-46s%-20s%s\n", n.IP, n.MAC, n.Bridge)
		}
	}
	return b.String()
}

func (c neighbourCommands) show(r *unixctl.Request) (string, error) {
	s := shownNeighbours{}
	for _, e := range c.cache.Entries(c.sw.clock.Now()) {
		n := shownNeighbour{IP: e.IP, Bridge: e.Bridge, Complete: e.Complete}
		if e.Complete {
			n.MAC = e.MAC.String()
		}
		s = append(s, n)
	}
	return r.Answer(s)
}

func (c neighbourCommands) set(r *unixctl.Request) (string, error) {
	ip, ok := parseIP(r.Args[1])
	if !ok {
		return "", errors.New("bad IP address")
	}
	mac, ok := packet.ParseMAC(r.Args[2])
	if !ok {
		return "", errors.New("bad MAC address")
	}
	c.cache.Learn(r.Args[0], ip, mac, c.sw.clock.Now())
	return "OK", nil
}

func (c neighbourCommands) flush(*unixctl.Request) (string, error) {
	c.cache.FlushAll()
	return "OK", nil
}

// The longest times that can be set.
const (
	maxNeighbourAging   = 3600 // seconds (ovs-vswitchd(8))
	maxNeighbourRetrans = 60000
)

func (c neighbourCommands) aging(r *unixctl.Request) (string, error) {
	if len(r.Args) == 0 {
		return showNumber(r, int64(c.cache.Aging()/time.Second), "seconds")
	}
	n, err := strconv.Atoi(r.Args[0])
	if err != nil || n < 1 || n > maxNeighbourAging {
		return "", errors.New("bad aging value")
	}
	c.cache.SetAging(time.Duration(n)*time.Second, c.sw.clock.Now())
	return "OK", nil
}

func (c neighbourCommands) retrans(r *unixctl.Request) (string, error) {
	if len(r.Args) == 0 {
		return showNumber(r, c.cache.Retrans().Milliseconds(), "milliseconds")
	}
	n, err := strconv.Atoi(r.Args[0])
	if err != nil || n < 0 || n > maxNeighbourRetrans {
		return "", errors.New("bad retrans_time value")
	}
	c.cache.SetRetrans(millis(int64(n)))
	return "OK", nil
}

// showNumber answers with a bare number, in JSON with its unit.
func showNumber(r *unixctl.Request, n int64, unit string) (string, error) {
	return r.Answer(unixctl.Both{Text: strconv.FormatInt(n, 10), JSON: map[string]int64{unit: n}})
}

// egressCommand shows the range of source ports, or sets it where it is given two
// numbers. Bad ones are no error: scripts know the answers.
func egressCommand(e *tunnel.EgressPorts) func(*unixctl.Request) (string, error) {
	return func(r *unixctl.Request) (string, error) {
		if len(r.Args) < 2 {
			first, last := e.Range()
			return r.Answer(unixctl.Both{
				Text: fmt.Sprintf("Tunnel UDP source port range: %d-%d\n", first, last),
				JSON: map[string]uint16{"min": first, "max": last},
			})
		}
		var ends [2]uint16
		for i, name := range []string{"min", "max"} {
			n, err := strconv.ParseUint(r.Args[i], 10, 16)
			if err != nil || n == 0 {
				return "Invalid " + name + ".", nil
			}
			ends[i] = uint16(n)
		}
		e.SetRange(ends[0], ends[1])
		return "OK", nil
	}
}
