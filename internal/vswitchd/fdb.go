package vswitchd

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"weir/internal/ofproto"
	"weir/internal/openflow"
	"weir/internal/protocol/maclearn"
	"weir/internal/unixctl"
)

func (s *Switch) registerFDB(srv *unixctl.Server) {
	srv.Register("fdb/show", "[bridge...]", 0, -1, s.fdbShow)
	srv.Register("fdb/stats-show", "bridge", 1, 1, s.fdbStats)
	srv.Register("fdb/flush", "[bridge]", 0, 1, s.eachFDB("table successfully flushed", func(t *maclearn.Table) { t.Flush() }))
	srv.Register("fdb/stats-clear", "[bridge]", 0, 1, s.eachFDB("statistics successfully cleared", func(t *maclearn.Table) { t.ClearStats() }))
	srv.Register("fdb/add", "bridge port vlan mac", 4, 4, s.fdbAdd)
	srv.Register("fdb/del", "bridge vlan mac", 3, 3, s.fdbDel)
}

// fdbTables is the answer of fdb/show: the MAC tables of bridges.
type fdbTables []fdbTable

type fdbTable struct {
	bridge  string
	entries []fdbEntry
}

type fdbEntry struct {
	Port   uint32 `json:"port"`
	VLAN   uint16 `json:"vlan"`
	MAC    string `json:"mac"`
	Age    *int   `json:"age,omitempty"`
	Static bool   `json:"static"`
}

// Document is the tables by the names of their bridges.
func (ts fdbTables) Document() any {
	m := map[string][]fdbEntry{}
	for _, t := range ts {
		m[t.bridge] = t.entries
	}
	return m
}

// String is the one table as scripts know it; of several one, in which the first
// entry of each bridge has its name before it, and a bridge without entries a
// line of its own.
func (ts fdbTables) String() string {
	var b strings.Builder
	if len(ts) == 1 {
		b.WriteString(" port  VLAN  MAC                Age\n")
		for i := range ts[0].entries {
			b.WriteString(ts[0].entries[i].String())
		}
		return b.String()
	}
	width := len("Bridge")
	for _, t := range ts {
		width = max(width, len(t.bridge))
	}
	fmt.Fprintf(&b, "%-*s   Port  VLAN  MAC                Age\n", width, "Bridge")
	for _, t := range ts {
		if len(t.entries) == 0 {
			b.WriteString(t.bridge + "\n")
		}
		for i := range t.entries {
			name := ""
			if i == 0 {
				name = t.bridge
			}
			fmt.Fprintf(&b, "%-*s  %s", width, name, &t.entries[i])
		}
	}
	return b.String()
}

// String is the line of an entry.
func (e *fdbEntry) String() string {
	port, age := fmt.Sprint(e.Port), "static"
	if e.Port == uint32(openflow.PortLocal) {
		port = "LOCAL"
	}
	if !e.Static {
		age = fmt.Sprintf("%3d", *e.Age)
	}
	return fmt.Sprintf("%5s  %4d  %s  %s\n", port, e.VLAN, e.MAC, age)
}

// fdbShow shows the MAC tables of the bridges that are named, or of all.
func (s *Switch) fdbShow(r *unixctl.Request) (string, error) {
	var bridges []*ofproto.Bridge
	for _, name := range r.Args {
		o, err := s.ofproto(name)
		if err != nil {
			return "", err
		}
		bridges = append(bridges, o)
	}
	if len(r.Args) == 0 {
		bridges = s.ofprotos()
	}
	tables := fdbTables{}
	for _, o := range bridges {
		tables = append(tables, tableOf(o, s.clock.Now()))
	}
	return r.Answer(tables)
}

// tableOf is the MAC table of a bridge, the oldest address first.
func tableOf(o *ofproto.Bridge, now time.Time) fdbTable {
	table := o.MACs()
	entries := table.Entries()
	slices.SortStableFunc(entries, func(a, b maclearn.Entry) int { return cmp.Compare(table.Age(&b, now), table.Age(&a, now)) })
	t := fdbTable{bridge: o.Name(), entries: []fdbEntry{}}
	for i := range entries {
		e := fdbEntry{Port: entries[i].Port, VLAN: entries[i].VLAN, MAC: entries[i].MAC.String(), Static: entries[i].Static}
		if !e.Static {
			age := int(table.Age(&entries[i], now) / time.Second)
			e.Age = &age
		}
		t.entries = append(t.entries, e)
	}
	return t
}

func (s *Switch) fdbStats(r *unixctl.Request) (string, error) {
	o, err := s.ofproto(r.Args[0])
	if err != nil {
		return "", err
	}
	n, statics, limit := o.MACs().Len()
	st := o.MACs().Stats()
	text := fmt.Sprintf(`Statistics for bridge "%s":
  Current/maximum MAC entries in the table: %d/%d
  Current static MAC entries in the table : %d
  Total number of learned MAC entries     : %d
  Total number of expired MAC entries     : %d
  Total number of evicted MAC entries     : %d
  Total number of port moved MAC entries  : %d
`, o.Name(), n, limit, statics, st.Learned, st.Expired, st.Evicted, st.Moved)
	return r.Answer(unixctl.Both{Text: text, JSON: map[string]any{o.Name(): map[string]any{
		"entries": map[string]any{"current": n, "maximum": limit, "static": statics},
		"events":  map[string]any{"learned": st.Learned, "expired": st.Expired, "evicted": st.Evicted, "moved": st.Moved},
	}}})
}

// eachFDB makes a command for one bridge or all of them.
func (s *Switch) eachFDB(reply string, f func(*maclearn.Table)) unixctl.Handler {
	return func(r *unixctl.Request) (string, error) {
		bridges := s.ofprotos()
		if len(r.Args) == 1 {
			o, err := s.ofproto(r.Args[0])
			if err != nil {
				return "", err
			}
			bridges = []*ofproto.Bridge{o}
		}
		for _, o := range bridges {
			f(o.MACs())
			o.Backend().Engine().Wake()
		}
		return reply, nil
	}
}

// fdbArgs reads a VLAN and an address.
func fdbArgs(vlan, mac string) (vid uint16, addr [6]byte, err error) {
	n, err := strconv.ParseUint(vlan, 10, 16)
	if err != nil {
		return 0, addr, errors.New("bad vlan")
	}
	m, ok := parseMAC(mac)
	if !ok {
		return 0, addr, errors.New("bad MAC address")
	}
	return uint16(n), m, nil
}

func (s *Switch) fdbAdd(r *unixctl.Request) (string, error) {
	o, err := s.ofproto(r.Args[0])
	if err != nil {
		return "", err
	}
	vid, mac, err := fdbArgs(r.Args[2], r.Args[3])
	if err != nil {
		return "", err
	}
	for _, p := range o.Backend().Snapshot().Bridges[o.Name()].Order {
		if p.Name == r.Args[1] && p.Bundle != nil {
			was, there := o.MACs().Lookup(mac, vid)
			o.MACs().AddStatic(mac, vid, uint32(p.No), p.Bundle.Owner)
			o.Backend().Engine().Wake()
			if there && (!was.Static || was.Port != uint32(p.No)) {
				kind := "dynamic"
				if was.Static {
					kind = "static"
				}
				return fmt.Sprintf("Overriding already existing %s entry on %d\n", kind, was.Port), nil
			}
			return "", nil
		}
	}
	return "", errors.New("software error, odp port is present but no ofp port")
}

func (s *Switch) fdbDel(r *unixctl.Request) (string, error) {
	o, err := s.ofproto(r.Args[0])
	if err != nil {
		return "", err
	}
	vid, mac, err := fdbArgs(r.Args[1], r.Args[2])
	if err != nil {
		return "", err
	}
	if !o.MACs().DelStatic(mac, vid) {
		return "", errors.New("could not find static mac entry")
	}
	o.Backend().Engine().Wake()
	return "", nil
}
