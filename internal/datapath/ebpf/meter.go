package ebpf

import (
	"errors"
	"io/fs"

	"weir/internal/datapath"
)

// Meters are kept twice: the programs' own limit what they forward, those of
// user space what comes up. Statistics are the sums.

// MeterSet makes or changes a meter.
func (d *DP) MeterSet(id uint32, config datapath.MeterConfig) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if err := d.set.SetMeter(id, config); err != nil {
		return err
	}
	return d.soft.MeterSet(id, config)
}

// MeterDel removes a meter.
func (d *DP) MeterDel(id uint32) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if err := d.set.DelMeter(id); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return d.soft.MeterDel(id)
}

// MeterStats are a meter's counters.
func (d *DP) MeterStats(id uint32) (datapath.MeterStats, error) {
	s, err := d.soft.MeterStats(id)
	if err != nil {
		return s, err
	}
	k, err := d.set.MeterStats(id)
	if err != nil {
		return s, err
	}
	addCount(&s.In, k.In)
	for i := range min(len(s.Bands), len(k.Bands)) {
		addCount(&s.Bands[i], k.Bands[i])
	}
	return s, nil
}

func addCount(a *datapath.MeterCount, b datapath.MeterCount) {
	a.Packets += b.Packets
	a.Bytes += b.Bytes
}
