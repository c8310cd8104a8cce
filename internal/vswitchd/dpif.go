package vswitchd

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"weir/internal/datapath"
	"weir/internal/datapath/ebpf"
	"weir/internal/netdev"
	"weir/internal/openflow"
	"weir/internal/unixctl"
)

func (s *Switch) registerDatapaths(srv *unixctl.Server) {
	srv.Register("dpif/dump-dps", "", 0, 0, func(r *unixctl.Request) (string, error) {
		var names unixctl.Lines
		for _, o := range s.ofprotos() {
			names = append(names, o.Backend().Datapath().Type()+"@"+o.Name())
		}
		return r.Answer(names)
	})
	srv.Register("dpif/show", "", 0, 0, func(r *unixctl.Request) (string, error) {
		out := shownDatapaths{}
		for _, p := range s.providers() {
			out = append(out, s.showDatapath(p))
		}
		return r.Answer(out)
	})
	srv.Register("dpif/show-slow", "", 0, 0, s.showSlow)
	s.registerFeatures(srv)
	srv.Register("dpif/dump-flows", "[-m] [--names | --no-names] bridge", 1, 3, s.dumpBridgeFlows)
}

// shownDatapaths is the answer of dpif/show: a data path with the bridges that
// use it.
type shownDatapaths []shownDatapath

type shownDatapath struct {
	Name    string        `json:"name"`
	Hit     uint64        `json:"hit"`
	Missed  uint64        `json:"missed"`
	Bridges []shownBridge `json:"bridges"`
}

type shownBridge struct {
	Name  string      `json:"name"`
	Ports []shownPort `json:"ports"`
}

type shownPort struct {
	Name    string            `json:"name"`
	No      uint32            `json:"ofport"`
	DP      *datapath.PortNo  `json:"dp_port"` // null: the data path doesn't know it
	Type    string            `json:"type"`
	Options map[string]string `json:"config,omitempty"`
}

// String is the data paths as users know them.
func (ds shownDatapaths) String() string {
	var b strings.Builder
	for _, d := range ds {
		fmt.Fprintf(&b, "%s: hit:%d missed:%d\n", d.Name, d.Hit, d.Missed)
		for _, br := range d.Bridges {
			fmt.Fprintf(&b, "  %s:\n", br.Name)
			for _, p := range br.Ports {
				dp := "none"
				if p.DP != nil {
					dp = fmt.Sprint(*p.DP)
				}
				fmt.Fprintf(&b, "    %s %d/%s: (%s%s)\n", p.Name, p.No, dp, p.Type, optionsText(p.Options))
			}
		}
	}
	return b.String()
}

func (s *Switch) showDatapath(p *provider) shownDatapath {
	st := p.dp.Stats()
	out := shownDatapath{Name: p.dp.Type() + "@" + p.dp.Name(), Hit: st.Hit, Missed: st.Missed, Bridges: []shownBridge{}}
	types := map[string]string{}
	options := map[string]map[string]string{}
	s.loop.Call(func() {
		for name, i := range s.ifaces {
			if i.dev == nil {
				continue
			}
			types[name] = i.dev.Type()
			if c, ok := i.dev.(netdev.Configurer); ok {
				options[name] = c.Options()
			}
		}
	})
	snap := p.Snapshot()
	for _, name := range slices.Sorted(maps.Keys(snap.Bridges)) {
		br := shownBridge{Name: name, Ports: []shownPort{}}
		for _, port := range snap.Bridges[name].Order {
			sp := shownPort{Name: port.Name, No: uint32(port.No), Type: types[port.Name], Options: options[port.Name]}
			if port.No == openflow.PortLocal {
				sp.No = 65534
			}
			if port.DP != datapath.PortNone {
				sp.DP = &port.DP
			}
			br.Ports = append(br.Ports, sp)
		}
		slices.SortFunc(br.Ports, func(a, c shownPort) int { return strings.Compare(a.Name, c.Name) })
		out.Bridges = append(out.Bridges, br)
	}
	return out
}

// optionsText is the options in effect of a device as dpif/show prints them.
func optionsText(options map[string]string) string {
	var parts []string
	for _, k := range slices.Sorted(maps.Keys(options)) {
		parts = append(parts, k+"="+options[k])
	}
	if len(parts) == 0 {
		return ""
	}
	return ": " + strings.Join(parts, ", ")
}

// showSlow says which packets data paths in the kernel left to this process,
// why and how many.
func (s *Switch) showSlow(r *unixctl.Request) (string, error) {
	list := slowPaths{}
	for _, p := range s.providers() {
		if d, ok := p.dp.(*ebpf.DP); ok {
			list = append(list, d.Slow())
		}
	}
	return r.Answer(list)
}

// slowPaths is the answer of dpif/show-slow.
type slowPaths []ebpf.SlowPath

// String is one after the other.
func (l slowPaths) String() (out string) {
	for i := range l {
		out += l[i].String()
	}
	return out
}

// parseDumpFlows reads the arguments of dpif/dump-flows.
func parseDumpFlows(args []string) (bridge string, names, verbose bool, err error) {
	for len(args) > 0 && strings.HasPrefix(args[0], "-") {
		switch args[0] {
		case "-m", "--more":
			verbose, names = true, true
		case "--names":
			names = true
		case "--no-names":
			names = false
		default:
			return "", false, false, fmt.Errorf("%s: unknown option (it takes -m, --names, --no-names)", args[0])
		}
		args = args[1:]
	}
	if len(args) != 1 {
		return "", false, false, errors.New("exactly one bridge is required")
	}
	return args[0], names, verbose, nil
}

// dumpBridgeFlows prints the data path flows of the packets that come into a
// bridge.
func (s *Switch) dumpBridgeFlows(r *unixctl.Request) (string, error) {
	bridge, names, verbose, err := parseDumpFlows(r.Args)
	if err != nil {
		return "", err
	}
	o, err := s.ofproto(bridge)
	if err != nil {
		return "", err
	}
	dp := o.Backend().Datapath()
	opt := datapath.DumpOptions{Now: s.clock.Now(), Verbose: verbose, Names: dp.Namer()}
	if !names {
		opt.Names = opt.Names.NumbersOnly()
	}
	var b strings.Builder
	docs := []datapath.FlowDocument{}
	snap := o.Backend().Snapshot()
	dp.FlowDump(func(f *datapath.Flow) bool {
		if p := snap.PortOf(&f.Key); p == nil || p.Bridge.Name != o.Name() {
			return true
		}
		docs = append(docs, datapath.DescribeFlow(f, &opt))
		line := *f
		line.Layer = ""
		if line.UFID = (datapath.UFID{}); verbose {
			b.WriteString(datapath.FormatUFID(f.UFID) + " ")
		}
		b.WriteString(datapath.FormatFlow(&line, &opt) + "\n")
		return true
	})
	return r.Answer(unixctl.Both{Text: b.String(), JSON: docs})
}
