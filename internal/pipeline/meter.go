package pipeline

import (
	"cmp"
	"slices"
	"time"

	"weir/internal/openflow"
)

// Limits of meters, as the features reply tells them.
const (
	MaxMeters = 0x40000
	MaxBands  = 8
)

// Meter is an entry of the meter table (OpenFlow 1.3.1, 5.7). Immutable but for
// the counters; the data path does the metering.
type Meter struct {
	openflow.MeterConfig
	Created time.Time
	Stats   *Stats
}

// Meter finds a meter, nil where there is none.
func (p *Pipeline) Meter(id uint32) *Meter { return (*p.meters.Load())[id] }

// Meters lists all meters by number.
func (p *Pipeline) Meters() []*Meter {
	var out []*Meter
	for _, m := range *p.meters.Load() {
		out = append(out, m)
	}
	slices.SortFunc(out, func(a, b *Meter) int { return cmp.Compare(a.ID, b.ID) })
	return out
}

// MeterMod applies one meter mod by itself; see [Txn.MeterMod].
func (p *Pipeline) MeterMod(mm *openflow.MeterMod, now time.Time) ([]Event, error) {
	x := p.Begin(now)
	defer x.Abort()
	if err := x.MeterMod(mm); err != nil {
		return nil, err
	}
	return x.Commit(), nil
}

// MeterFlows counts the flows that name a meter.
func (p *Pipeline) MeterFlows(id uint32) int {
	n := 0
	for _, t := range p.tables {
		for _, r := range p.Rules(t.ID) {
			if slices.Contains(r.program.facts().meters, id) {
				n++
			}
		}
	}
	return n
}

// MeterMod changes the meter table; errors are *openflow.Error. Deleting a
// meter deletes the flows that name it.
func (x *Txn) MeterMod(mm *openflow.MeterMod) error {
	id := mm.Meter.ID
	old := x.meter(id)
	if mm.Command != openflow.MeterDelete {
		if err := checkMeter(mm.Command, &mm.Meter, old); err != nil {
			return err
		}
	}
	switch mm.Command {
	case openflow.MeterAdd:
		x.changeMeters()[id] = &Meter{MeterConfig: mm.Meter, Created: x.now, Stats: new(Stats)}
	case openflow.MeterModify:
		x.changeMeters()[id] = &Meter{MeterConfig: mm.Meter, Created: old.Created, Stats: old.Stats}
	case openflow.MeterDelete:
		if id == openflow.MeterAll || old != nil {
			x.deleteMeters(id)
		}
	default:
		return openflow.ErrMMFCBadCommand.Err()
	}
	return nil
}

// meterFlags are those that a meter may have, one of the units with them.
const meterFlags = openflow.MeterKbps | openflow.MeterPktps | openflow.MeterBurst | openflow.MeterStatsFlag

// checkMeter makes the checks in the original's order, since a message may have
// several faults: the number, bands that can't be, whether the meter is there,
// what it is to do.
func checkMeter(command openflow.MeterModCommand, m *openflow.MeterConfig, old *Meter) error {
	special := m.ID == openflow.MeterController || m.ID == openflow.MeterSlowpath
	switch {
	case m.ID == 0 || m.ID > openflow.MeterMax && !special:
		return openflow.ErrMMFCInvalidMeter.Err()
	case len(m.Bands) > MaxBands:
		return openflow.ErrMMFCOutOfBands.Err()
	case command == openflow.MeterAdd && old != nil:
		return openflow.ErrMMFCMeterExists.Err()
	case command == openflow.MeterModify && old == nil:
		return openflow.ErrMMFCUnknownMeter.Err()
	}
	if m.Flags&^meterFlags != 0 || m.Flags&(openflow.MeterKbps|openflow.MeterPktps) == 0 {
		return openflow.ErrMMFCBadFlags.Err()
	}
	if len(m.Bands) == 0 {
		return openflow.ErrMMFCOutOfBands.Err()
	}
	if slices.ContainsFunc(m.Bands, func(b openflow.MeterBand) bool { return b.Rate == 0 }) {
		return openflow.ErrMMFCBadRate.Err()
	}
	if slices.ContainsFunc(m.Bands, func(b openflow.MeterBand) bool { return b.Type != openflow.BandDrop }) {
		return openflow.ErrMMFCBadBand.Err()
	}
	return nil
}

func (x *Txn) deleteMeters(id uint32) {
	meters := x.changeMeters()
	for mid := range meters {
		if id == openflow.MeterAll || mid == id {
			delete(meters, mid)
		}
	}
	for _, t := range x.p.tables {
		for _, r := range t.Rules(x.version) {
			for _, mid := range r.program.facts().meters {
				if meters[mid] == nil {
					x.remove(r, openflow.RemovedMeterDelete)
					break
				}
			}
		}
	}
}
