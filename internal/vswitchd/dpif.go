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
	"weir/internal/ofproto"
	"weir/internal/openflow"
	"weir/internal/unixctl"
	"weir/internal/xlate"
)

func (s *Switch) registerDatapaths(srv *unixctl.Server) {
	srv.Register("dpif/dump-dps", "", 0, 0, func(*unixctl.Request) (string, error) {
		var b strings.Builder
		for _, o := range s.ofprotos() {
			fmt.Fprintf(&b, "%s@%s\n", o.Backend().Datapath().Type(), o.Name())
		}
		return b.String(), nil
	})
	srv.Register("dpif/show", "", 0, 0, func(*unixctl.Request) (string, error) {
		var b strings.Builder
		for _, p := range s.providers() {
			s.showDatapath(&b, p)
		}
		return b.String(), nil
	})
	srv.Register("dpif/show-slow", "", 0, 0, s.showSlow)
	s.registerFeatures(srv)
	srv.Register("dpif/dump-flows", "[-m] [--names | --no-names] bridge", 1, 3, s.dumpBridgeFlows)
}

func (s *Switch) showDatapath(b *strings.Builder, p *provider) {
	st := p.dp.Stats()
	fmt.Fprintf(b, "%s@%s: hit:%d missed:%d\n", p.dp.Type(), p.dp.Name(), st.Hit, st.Missed)
	types := map[string]string{}
	options := map[string]string{}
	s.loop.Call(func() {
		for name, i := range s.ifaces {
			if i.dev != nil {
				types[name] = i.dev.Type()
				options[name] = optionsText(i.dev)
			}
		}
	})
	snap := p.Snapshot()
	for _, name := range slices.Sorted(maps.Keys(snap.Bridges)) {
		fmt.Fprintf(b, "  %s:\n", name)
		ports := slices.Clone(snap.Bridges[name].Order)
		slices.SortFunc(ports, func(a, c *xlate.Port) int { return strings.Compare(a.Name, c.Name) })
		for _, port := range ports {
			no := port.No
			if no == openflow.PortLocal {
				no = 65534
			}
			dp := "none"
			if port.DP != datapath.PortNone {
				dp = fmt.Sprint(port.DP)
			}
			fmt.Fprintf(b, "    %s %d/%s: (%s%s)\n", port.Name, no, dp, types[port.Name], options[port.Name])
		}
	}
}

// optionsText is the options in effect of a device as dpif/show prints them.
func optionsText(dev netdev.Device) string {
	c, ok := dev.(netdev.Configurer)
	if !ok {
		return ""
	}
	options := c.Options()
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
func (s *Switch) showSlow(*unixctl.Request) (string, error) {
	var b strings.Builder
	for _, p := range s.providers() {
		if d, ok := p.dp.(*ebpf.DP); ok {
			b.WriteString(d.ShowSlow())
		}
	}
	return b.String(), nil
}

// dumpBridgeFlows prints the data path flows of the packets that come into a
// bridge.
func (s *Switch) dumpBridgeFlows(r *unixctl.Request) (string, error) {
	opt := datapath.DumpOptions{Now: s.clock.Now()}
	names, verbose := false, false
	args := r.Args
	for len(args) > 0 && strings.HasPrefix(args[0], "-") {
		switch args[0] {
		case "-m", "--more":
			verbose, names = true, true
		case "--names":
			names = true
		case "--no-names":
			names = false
		default:
			return "", fmt.Errorf("%s: unknown option (it takes -m, --names, --no-names)", args[0])
		}
		args = args[1:]
	}
	if len(args) != 1 {
		return "", errors.New("exactly one bridge is required")
	}
	o, err := s.ofproto(args[0])
	if err != nil {
		return "", err
	}
	dp := o.Backend().Datapath()
	opt.Verbose = verbose
	opt.Names = datapath.PortNamer(dp.Ports())
	if !names {
		opt.Names = opt.Names.NumbersOnly()
	}
	var b strings.Builder
	mine := bridgePorts(o)
	dp.FlowDump(func(f *datapath.Flow) bool {
		if mine[datapath.PortNo(f.Key.InPort)] {
			line := *f
			line.Layer = ""
			if line.UFID = (datapath.UFID{}); verbose {
				b.WriteString(datapath.FormatUFID(f.UFID) + " ")
			}
			b.WriteString(datapath.FormatFlow(&line, &opt))
			b.WriteByte('\n')
		}
		return true
	})
	return b.String(), nil
}

// bridgePorts are the data path ports of a bridge.
func bridgePorts(o *ofproto.Bridge) map[datapath.PortNo]bool {
	m := map[datapath.PortNo]bool{}
	if br := o.Backend().Snapshot().Bridges[o.Name()]; br != nil {
		for _, p := range br.Order {
			if p.DP != datapath.PortNone {
				m[p.DP] = true
			}
		}
	}
	return m
}
