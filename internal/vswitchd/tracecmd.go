package vswitchd

import (
	"errors"
	"slices"

	"weir/internal/trace"
	"weir/internal/unixctl"
)

func (s *Switch) registerTrace(srv *unixctl.Server) {
	register := func(name, usage string, minArgs int, run func(*trace.Env, []string) (*trace.Report, error)) {
		srv.Register(name, usage, minArgs, -1, func(r *unixctl.Request) (string, error) {
			if live, ok, err := trace.ParseLive(r.Args); ok && name == "ofproto/trace" {
				if err != nil {
					return "", err
				}
				return s.traceLive(r, live)
			}
			env, err := s.traceEnv(r.Args)
			if err != nil {
				return "", err
			}
			report, err := run(env, r.Args)
			if err != nil {
				return "", err
			}
			defer report.Release()
			return r.Answer(report)
		})
	}
	register("ofproto/trace", trace.Usage, 1, trace.Run)
	register("ofproto/trace-packet-out", trace.UsagePacketOut, 2, trace.RunPacketOut)
	srv.Register("ofproto/detrace", trace.UsageDetrace, 1, 3, s.detrace)
	s.registerDrops(srv)
}

// traceEnv is what the arguments of ofproto/trace are to be understood in.
func (s *Switch) traceEnv(args []string) (*trace.Env, error) {
	p := s.traced(args)
	if p == nil {
		return nil, errors.New("there is no bridge to trace in")
	}
	return &trace.Env{Config: p.Snapshot(), Datapath: p.dp, Now: s.clock.Now(), Punt: p.Punt}, nil
}

// traced is the data path that the arguments of ofproto/trace name, by itself
// or by a bridge on it, or else the first one.
func (s *Switch) traced(args []string) *provider {
	dps := s.providersNow()
	switch len(dps) {
	case 0:
		return nil
	case 1:
		return dps[0]
	}
	for _, p := range dps {
		snap := p.Snapshot()
		named := slices.ContainsFunc(args, func(a string) bool {
			return snap.Bridges[a] != nil || a == p.dp.Name() || a == p.dp.Type()+"@"+p.dp.Name()
		})
		if named {
			return p
		}
	}
	return dps[0]
}
