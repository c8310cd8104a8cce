package vswitchd

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"weir/internal/ofproto"
	"weir/internal/pipeline"
	"weir/internal/unixctl"
	"weir/internal/upcall"
)

// errNoBridge is what scripts know.
var errNoBridge = errors.New("no such bridge")

// Register adds the switch's commands to a control socket. Handlers that need
// configuration state get it on the loop.
func (s *Switch) Register(srv *unixctl.Server) {
	s.registerBridges(srv)
	s.registerFDB(srv)
	s.registerUpcalls(srv)
	s.registerDatapaths(srv)
	s.registerTrace(srv)
	s.registerNone(srv)
	s.registerNoBonds(srv)
	srv.RegisterMemory(s.memory)
	if s.dummies != nil {
		s.dummies.Register(srv)
		s.registerRenumber(srv)
	}
	if s.dpctl != nil {
		s.dpctl(srv)
	}
}

// ofprotos lists the bridge objects by name.
func (s *Switch) ofprotos() []*ofproto.Bridge {
	var out []*ofproto.Bridge
	s.loop.Call(func() {
		for _, b := range s.bridges {
			if o, ok := b.obj.(*ofproto.Bridge); ok {
				out = append(out, o)
			}
		}
	})
	slices.SortFunc(out, func(a, b *ofproto.Bridge) int { return strings.Compare(a.Name(), b.Name()) })
	return out
}

// ofproto finds a bridge object.
func (s *Switch) ofproto(name string) (*ofproto.Bridge, error) {
	var o *ofproto.Bridge
	s.loop.Call(func() {
		if b := s.byName[name]; b != nil {
			o, _ = b.obj.(*ofproto.Bridge)
		}
	})
	if o == nil {
		return nil, errNoBridge
	}
	return o, nil
}

// providers lists the data paths in use, by type.
func (s *Switch) providers() []*provider {
	s.loop.Call(func() {}) // what changes them now has an end
	return s.providersNow()
}

// providersNow is providers without waiting for a change under way.
func (s *Switch) providersNow() []*provider {
	if p := s.inUse.Load(); p != nil {
		return *p
	}
	return nil
}

// publishBackends shows a change of the backends to the commands.
func (s *Switch) publishBackends() {
	var out []*provider
	for _, b := range s.backends {
		if p, ok := b.Backend.(*provider); ok {
			out = append(out, p)
		}
	}
	slices.SortFunc(out, func(a, b *provider) int { return strings.Compare(a.dp.Type(), b.dp.Type()) })
	s.inUse.Store(&out)
}

func (s *Switch) registerBridges(srv *unixctl.Server) {
	srv.Register("ofproto/list", "", 0, 0, func(r *unixctl.Request) (string, error) {
		var names unixctl.Lines
		for _, o := range s.ofprotos() {
			names = append(names, o.Name())
		}
		return r.Answer(names)
	})
	srv.Register("bridge/dump-flows", "[--offload-stats] bridge", 1, 2, func(r *unixctl.Request) (string, error) {
		o, err := s.ofproto(r.Args[len(r.Args)-1])
		if err != nil {
			return "", errors.New("Unknown bridge") //nolint:staticcheck // what scripts know
		}
		offloads := len(r.Args) == 2
		if offloads && r.Args[0] != "--offload-stats" {
			return "", fmt.Errorf("%s: unknown option", r.Args[0])
		}
		return r.Answer(unixctl.Both{Text: o.DumpFlows(offloads), JSON: o.DescribeFlows()})
	})
	srv.Register("bridge/reconnect", "[bridge]", 0, 1, func(r *unixctl.Request) (string, error) {
		if len(r.Args) == 1 {
			o, err := s.ofproto(r.Args[0])
			if err != nil {
				return "", errors.New("Unknown bridge") //nolint:staticcheck // users' scripts match the text
			}
			o.ReconnectControllers()
			return "", nil
		}
		for _, o := range s.ofprotos() {
			o.ReconnectControllers()
		}
		return "", nil
	})
}

func (s *Switch) registerUpcalls(srv *unixctl.Server) {
	each := func(f func(*upcall.Engine)) {
		for _, p := range s.providers() {
			f(p.Engine())
		}
	}
	simple := func(name, reply string, f func(*upcall.Engine)) {
		srv.Register(name, "", 0, 0, func(*unixctl.Request) (string, error) {
			each(f)
			return reply, nil
		})
	}
	srv.Register("upcall/show", "", 0, 0, func(r *unixctl.Request) (string, error) {
		states := upcallStates{}
		each(func(e *upcall.Engine) { states = append(states, e.State()) })
		return r.Answer(states)
	})
	simple("upcall/disable-megaflows", "megaflows disabled\n", func(e *upcall.Engine) { e.SetMegaflows(false) })
	simple("upcall/enable-megaflows", "megaflows enabled\n", func(e *upcall.Engine) { e.SetMegaflows(true) })
	simple("upcall/disable-ufid", "Datapath dumping tersely using UFID disabled\n", func(e *upcall.Engine) { e.SetUFID(false) })
	simple("upcall/enable-ufid", "Datapath dumping tersely using UFID enabled for supported datapaths\n",
		func(e *upcall.Engine) { e.SetUFID(true) })
	srv.Register("upcall/set-flow-limit", "flow-limit-number", 1, 1, func(r *unixctl.Request) (string, error) {
		n, err := strconv.ParseUint(r.Args[0], 10, 31)
		if err != nil {
			return "", fmt.Errorf("%s: not a number of flows", r.Args[0])
		}
		each(func(e *upcall.Engine) { e.SetFlowLimit(int(n)) })
		return fmt.Sprintf("set flow_limit to %d\n", n), nil
	})
	simple("revalidator/wait", "", func(e *upcall.Engine) { e.Revalidate() })
	simple("revalidator/purge", "", func(e *upcall.Engine) { e.Purge() })
	simple("revalidator/pause", "", func(e *upcall.Engine) { e.Pause() })
	simple("revalidator/resume", "", func(e *upcall.Engine) { e.Resume() })
}

// upcallStates is the answer of upcall/show.
type upcallStates []upcall.State

// String is one block for each data path.
func (us upcallStates) String() string {
	var b strings.Builder
	for i := range us {
		b.WriteString(us[i].String())
	}
	return b.String()
}

// memory is what memory/show counts.
func (s *Switch) memory() []unixctl.Usage {
	var ports, rules, keys int
	for _, o := range s.ofprotos() {
		for t := range pipeline.NumTables {
			rules += o.Pipeline().Active(uint8(t))
		}
	}
	dps := s.providers()
	for _, p := range dps {
		keys += p.Engine().Len()
	}
	s.loop.Call(func() {
		for _, b := range s.bridges {
			ports += len(b.ofports)
		}
	})
	workers := min(len(dps), 1)
	return []unixctl.Usage{
		{Name: "handlers", Count: workers},
		{Name: "idl-cells-Open_vSwitch", Count: s.db.Snapshot().Cells()},
		{Name: "ports", Count: ports},
		{Name: "revalidators", Count: workers},
		{Name: "rules", Count: rules},
		{Name: "udpif keys", Count: keys},
	}
}

// registerNone adds the commands that show objects of kinds that this version
// doesn't have, so that there is none of them.
func (s *Switch) registerNone(srv *unixctl.Server) {
	none := func(name, usage string, max int, all, unknown string) {
		srv.Register(name, usage, 0, max, func(r *unixctl.Request) (string, error) {
			if len(r.Args) > 0 && unknown != "" {
				return "", errors.New(unknown)
			}
			return r.Answer(unixctl.Both{Text: all, JSON: []string{}})
		})
	}
	none("bond/list", "", 0, "bond\ttype\trecircID\tmembers\n", "")
	none("bond/show", "[port]", 1, "", "no such bond")
	none("lacp/show", "[port]", 1, "", "no such lacp object")
	none("lacp/show-stats", "[port]", 1, "", "no such lacp object")
	none("bfd/show", "[interface]", 1, "", "no such bfd object")
	none("cfm/show", "[interface]", 1, "", "no such CFM object")
	none("stp/show", "[bridge]", 1, "", "no such stp object")
	none("rstp/show", "[bridge]", 1, "", "No such RSTP object")
	s.registerRefused(srv)
	s.registerTunnels(srv)
	s.registerRoutes(srv)
	s.registerNeighbours(srv)
	srv.Register("mdb/show", "bridge", 1, 1, func(r *unixctl.Request) (string, error) {
		if _, err := s.ofproto(r.Args[0]); err != nil {
			return "", err
		}
		return "", errors.New("multicast snooping is disabled")
	})
	srv.Register("qos/show", "interface", 1, 1, func(r *unixctl.Request) (string, error) {
		if err := s.knowsInterface(r.Args[0]); err != nil {
			return "", err
		}
		return r.Answer(unixctl.Both{Text: "QoS not configured on " + r.Args[0] + "\n", JSON: map[string]string{}})
	})
	srv.Register("qos/show-types", "interface", 1, 1, func(r *unixctl.Request) (string, error) {
		if err := s.knowsInterface(r.Args[0]); err != nil {
			return "", err
		}
		return r.Answer(unixctl.Both{Text: "No QoS types supported for interface: " + r.Args[0] + "\n", JSON: []string{}})
	})
}

// registerRefused adds the commands that would change or list what this version
// doesn't have, so that whoever tries them reads why they don't work.
func (s *Switch) registerRefused(srv *unixctl.Server) {
	const offload = "hardware offload is not supported yet: no data path has any"
	for _, c := range []struct{ name, usage, reason string }{
		{"autoattach/show-isid", "[bridge]", "LLDP and auto-attach are not supported yet"},
		{"autoattach/statistics", "[bridge]", "LLDP and auto-attach are not supported yet"},
		{"autoattach/status", "[bridge]", "LLDP and auto-attach are not supported yet"},
		{"cfm/set-fault", "[interface] normal|false|true", "CFM is not supported yet: no interface has a session"},
		{"dpif/offload/classes", "", offload},
		{"dpif/offload/show", "", offload},
		{"mdb/flush", "[bridge]", "multicast snooping is not supported yet: there is nothing to flush"},
		{"rstp/tcn", "[bridge]", "RSTP is not supported yet"},
		{"stp/tcn", "[bridge]", "STP is not supported yet"},
	} {
		srv.Register(c.name, c.usage, 0, -1, func(*unixctl.Request) (string, error) { return "", errors.New(c.reason) })
	}
}

func (s *Switch) knowsInterface(name string) error {
	known := false
	s.loop.Call(func() { known = s.ifaces[name] != nil && s.ifaces[name].dev != nil })
	if !known {
		return errors.New("no such interface")
	}
	return nil
}
