package ofproto

import (
	"sync"
	"sync/atomic"

	"weir/internal/datapath"
	"weir/internal/openflow"
	"weir/internal/pipeline"
)

// meterPool numbers the meters of a data path for all of its bridges. Its
// mutex owns used.
type meterPool struct {
	mu   sync.Mutex
	used map[uint32]bool
}

// take is the lowest free number.
func (p *meterPool) take() uint32 {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.used == nil {
		p.used = map[uint32]bool{}
	}
	for id := uint32(0); ; id++ {
		if !p.used[id] {
			p.used[id] = true
			return id
		}
	}
}

func (p *meterPool) give(id uint32) {
	p.mu.Lock()
	delete(p.used, id)
	p.mu.Unlock()
}

// placed is a meter of the bridge as it stands in the data path.
type placed struct {
	dp    uint32
	meter *pipeline.Meter
}

// bridgeMeters puts the bridge's meters into the data path. The mutex owns
// changing them; translation reads the snapshot.
type bridgeMeters struct {
	mu     sync.Mutex
	placed atomic.Pointer[map[uint32]placed]
}

func (b *Bridge) meterer() datapath.Meterer {
	m, _ := b.be.dp.(datapath.Meterer)
	return m
}

// meterID is the data path's number of a meter.
func (b *Bridge) meterID(id uint32) (uint32, bool) {
	all := b.meters.placed.Load()
	if all == nil {
		return 0, false
	}
	p, ok := (*all)[id]
	return p.dp, ok
}

// MeterID is the data path's number of a meter of the bridge.
func (b *Bridge) MeterID(id uint32) (uint32, bool) { return b.meterID(id) }

// syncMeters makes the data path's meters those of the pipeline, or removes
// them all.
func (b *Bridge) syncMeters(all bool) {
	dp := b.meterer()
	if dp == nil {
		return
	}
	b.meters.mu.Lock()
	defer b.meters.mu.Unlock()
	old := map[uint32]placed{}
	if m := b.meters.placed.Load(); m != nil {
		old = *m
	}
	now := map[uint32]placed{}
	if all {
		for _, m := range b.pipe.Meters() {
			p, ok := old[m.ID]
			if !ok {
				p.dp = b.be.meterIDs.take()
			}
			if p.meter != m {
				p.meter = m
				if err := dp.MeterSet(p.dp, meterConfig(m)); err != nil {
					log.Warn("%s: meter %d: %v", b.name, m.ID, err)
				}
			}
			now[m.ID] = p
		}
	}
	b.meters.placed.Store(&now)
	for id, p := range old {
		if _, ok := now[id]; !ok {
			_ = dp.MeterDel(p.dp)
			b.be.meterIDs.give(p.dp)
		}
	}
}

func meterConfig(m *pipeline.Meter) datapath.MeterConfig {
	c := datapath.MeterConfig{Packets: m.Flags&openflow.MeterPktps != 0}
	for _, band := range m.Bands {
		burst := uint32(0)
		if m.Flags&openflow.MeterBurst != 0 {
			burst = band.Burst
		}
		c.Bands = append(c.Bands, datapath.MeterBand{Rate: band.Rate, Burst: burst})
	}
	return c
}

// meterCounts fills in what the data path counted.
func (b *Bridge) meterCounts(id uint32, st *openflow.MeterStats) {
	st.FlowCount = uint32(b.pipe.MeterFlows(id))
	dp := b.meterer()
	no, ok := b.meterID(id)
	if dp == nil || !ok {
		return
	}
	s, err := dp.MeterStats(no)
	if err != nil {
		return
	}
	st.PacketIn, st.ByteIn = s.In.Packets, s.In.Bytes
	for i := range min(len(st.Bands), len(s.Bands)) {
		st.Bands[i] = openflow.BucketStats{Packets: s.Bands[i].Packets, Bytes: s.Bands[i].Bytes}
	}
}
