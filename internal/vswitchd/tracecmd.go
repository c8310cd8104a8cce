package vswitchd

import (
	"errors"
	"slices"

	"weir/internal/datapath"
	"weir/internal/trace"
	"weir/internal/unixctl"
)

func (s *Switch) registerTrace(srv *unixctl.Server) {
	register := func(name, usage string, minArgs int, run func(*trace.Env, []string) (*trace.Report, error)) {
		srv.Register(name, usage, minArgs, -1, func(r *unixctl.Request) (string, error) {
			p := s.traced(r.Args)
			if p == nil {
				return "", errors.New("there is no bridge to trace in")
			}
			env := trace.Env{Config: p.Snapshot(), Datapaths: map[string]*datapath.Namer{}, Now: s.clock.Now()}
			names := datapath.PortNamer(p.dp.Ports())
			env.Datapaths[p.dp.Name()] = names
			env.Datapaths[p.dp.Type()+"@"+p.dp.Name()] = names
			report, err := run(&env, r.Args)
			switch {
			case err != nil:
				return "", err
			case r.JSON:
				return r.ReplyJSON(report.Document())
			}
			return report.String(), nil
		})
	}
	register("ofproto/trace", trace.Usage, 1, trace.Run)
	register("ofproto/trace-packet-out", trace.UsagePacketOut, 2, trace.RunPacketOut)
}

// traced is the data path that the arguments of ofproto/trace name, by itself
// or by a bridge on it, or else the first one.
func (s *Switch) traced(args []string) *provider {
	dps := s.providers()
	for _, p := range dps {
		snap := p.Snapshot()
		named := slices.ContainsFunc(args, func(a string) bool {
			return snap.Bridges[a] != nil || a == p.dp.Name() || a == p.dp.Type()+"@"+p.dp.Name()
		})
		if named {
			return p
		}
	}
	if len(dps) > 0 {
		return dps[0]
	}
	return nil
}
