package ofproto

import (
	"time"

	"weir/internal/openflow"
	"weir/internal/pipeline"
)

// groupQuery answers requests about groups.
func (b *Bridge) groupQuery(msg openflow.Message, v openflow.Version, now time.Time) (openflow.Message, bool) {
	wanted := func(id uint32) []*pipeline.Group {
		if id == openflow.GroupAll || id == openflow.GroupAny {
			return b.pipe.Groups()
		}
		if g := b.pipe.Group(id); g != nil {
			return []*pipeline.Group{g}
		}
		return nil
	}
	switch msg := msg.(type) {
	case *openflow.GroupStatsRequest:
		r := &openflow.GroupStatsReply{}
		for _, g := range wanted(msg.ID) {
			st := openflow.GroupStats{ID: g.ID, RefCount: uint32(b.pipe.RefCount(g.ID)), HasDuration: true,
				Packets: g.Stats.Packets.Load(), Bytes: g.Stats.Bytes.Load()}
			st.DurationSec, st.DurationNsec = duration(now.Sub(g.Created))
			for _, bu := range g.Buckets {
				st.Buckets = append(st.Buckets, openflow.BucketStats{Packets: bu.Stats.Packets.Load(), Bytes: bu.Stats.Bytes.Load()})
			}
			r.Stats = append(r.Stats, st)
		}
		return r, true
	case *openflow.GroupDescRequest:
		r := &openflow.GroupDescReply{}
		for _, g := range wanted(msg.ID) {
			d := openflow.GroupDesc{Type: g.Type, ID: g.ID, Props: g.Props}
			for _, bu := range g.Buckets {
				d.Buckets = append(d.Buckets, bu.Bucket)
			}
			r.Groups = append(r.Groups, d)
		}
		return r, true
	case *openflow.GroupFeaturesRequest:
		r := &openflow.GroupFeaturesReply{Types: 0xf, Capabilities: 0x7}
		for i := range r.MaxGroups {
			r.MaxGroups[i] = openflow.GroupMax
			r.Actions[i] = actionsOf(v)
		}
		return r, true
	}
	return nil, false
}

// meterQuery answers requests about meters.
func (b *Bridge) meterQuery(msg openflow.Message, now time.Time) (reply openflow.Message, known bool, err error) {
	wanted := func(id uint32) ([]*pipeline.Meter, error) {
		if id == openflow.MeterAll {
			return b.pipe.Meters(), nil
		}
		if m := b.pipe.Meter(id); m != nil {
			return []*pipeline.Meter{m}, nil
		}
		return nil, openflow.ErrMMFCUnknownMeter.Err()
	}
	switch msg := msg.(type) {
	case *openflow.MeterConfigRequest:
		ms, err := wanted(msg.ID)
		r := &openflow.MeterConfigReply{}
		for _, m := range ms {
			r.Meters = append(r.Meters, m.MeterConfig)
		}
		return r, true, err
	case *openflow.MeterStatsRequest:
		ms, err := wanted(msg.ID)
		r := &openflow.MeterStatsReply{}
		for _, m := range ms {
			st := openflow.MeterStats{ID: m.ID, Bands: make([]openflow.BucketStats, len(m.Bands))}
			st.DurationSec, st.DurationNsec = duration(now.Sub(m.Created))
			b.meterCounts(m.ID, &st)
			r.Stats = append(r.Stats, st)
		}
		return r, true, err
	case *openflow.MeterFeaturesRequest:
		return &openflow.MeterFeaturesReply{
			MaxMeters: pipeline.MaxMeters, BandTypes: 1 << openflow.BandDrop, MaxBands: pipeline.MaxBands,
			Capabilities: openflow.MeterKbps | openflow.MeterPktps | openflow.MeterBurst | openflow.MeterStatsFlag,
		}, true, nil
	}
	return nil, false, nil
}
