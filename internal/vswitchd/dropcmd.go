package vswitchd

import (
	"strings"

	"weir/internal/coverage"
	"weir/internal/datapath"
	"weir/internal/datapath/ebpf"
	"weir/internal/ofproto"
	"weir/internal/trace"
	"weir/internal/unixctl"
)

// registerDrops adds the commands that say which packets were dropped and why,
// which the peer has not.
func (s *Switch) registerDrops(srv *unixctl.Server) {
	srv.Register("drops/show", "[bridge]", 0, 1, s.showDrops)
	srv.Register("drops/clear", "", 0, 0, func(*unixctl.Request) (string, error) {
		for _, p := range s.providers() {
			p.Engine().Purge() // its flows count for the reasons that are there now
			p.Drops().Clear()
		}
		s.unsent.clear(s.ofprotos())
		return "", nil
	})
	srv.Register("drops/explain", trace.Usage, 1, -1, func(r *unixctl.Request) (string, error) {
		env, err := s.traceEnv(r.Args)
		if err != nil {
			return "", err
		}
		e, err := trace.ExplainDrop(env, r.Args)
		if err != nil {
			return "", err
		}
		return r.Answer(e)
	})
}

// showDrops lists the reasons for drops: those that translation knows, meters,
// and the data path's own.
func (s *Switch) showDrops(r *unixctl.Request) (string, error) {
	bridge := ""
	if len(r.Args) == 1 {
		bridge = r.Args[0]
		if _, err := s.ofproto(bridge); err != nil {
			return "", err
		}
	}
	d := &trace.Drops{Reasons: []trace.DropDocument{}, Meters: []trace.MeterDocument{}, Ports: []trace.PortDocument{}, Datapath: map[string]uint64{}}
	for _, p := range s.providers() {
		p.Engine().Revalidate() // counts what the data path has seen until now
		d.AddDrops(&trace.Env{Config: p.Snapshot(), Now: s.clock.Now()}, p.Drops(), bridge)
	}
	for _, o := range s.ofprotos() {
		if bridge == "" || o.Name() == bridge {
			d.Meters = append(d.Meters, meterDrops(o)...)
			d.Ports = append(d.Ports, s.unsent.since(o)...)
		}
	}
	if bridge == "" {
		d.Datapath = s.datapathDrops()
	}
	return r.Answer(d)
}

// meterDrops are the packets that a bridge's meters dropped.
func meterDrops(o *ofproto.Bridge) (out []trace.MeterDocument) {
	m, ok := o.Backend().Datapath().(datapath.Meterer)
	if !ok {
		return nil
	}
	for _, meter := range o.Pipeline().Meters() {
		no, ok := o.MeterID(meter.ID)
		if !ok {
			continue
		}
		st, err := m.MeterStats(no)
		if err != nil {
			continue
		}
		doc := trace.MeterDocument{Bridge: o.Name(), Meter: meter.ID}
		for _, b := range st.Bands {
			doc.Packets += b.Packets
			doc.Bytes += b.Bytes
		}
		if doc.Packets > 0 {
			out = append(out, doc)
		}
	}
	return out
}

// datapathDrops are the counters of packets that data paths dropped for reasons
// of their own. Drops by the actions of flows stand among the reasons.
func (s *Switch) datapathDrops() map[string]uint64 {
	out := map[string]uint64{}
	for _, e := range coverage.Now().Events {
		if strings.HasPrefix(e.Name, "datapath_drop_") {
			out[e.Name] = e.Total
		}
	}
	for _, p := range s.providers() {
		d, ok := p.dp.(*ebpf.DP)
		if !ok {
			continue
		}
		for name, n := range d.Drops() {
			if n > 0 {
				out[name] += n
			}
		}
	}
	return out
}
