package ebpf

import "weir/internal/datapath"

// A meter is there twice: the programs have theirs, and packets that user space
// executes pass the other, of the same rates.

// MeterSet makes or changes a meter.
func (d *DP) MeterSet(id uint32, config datapath.MeterConfig) error {
	if err := d.set.SetMeter(id, config); err != nil {
		return err
	}
	return d.soft.MeterSet(id, config)
}

// MeterDel removes a meter.
func (d *DP) MeterDel(id uint32) error {
	if err := d.set.DelMeter(id); err != nil {
		return err
	}
	return d.soft.MeterDel(id)
}

// MeterStats are a meter's counters, of both.
func (d *DP) MeterStats(id uint32) (datapath.MeterStats, error) {
	stats, err := d.soft.MeterStats(id)
	if err != nil {
		return stats, err
	}
	kernel, err := d.set.MeterStats(id)
	if err != nil {
		return stats, err
	}
	sum := func(a *datapath.MeterCount, b datapath.MeterCount) {
		a.Packets += b.Packets
		a.Bytes += b.Bytes
	}
	sum(&stats.In, kernel.In)
	for i := range min(len(stats.Bands), len(kernel.Bands)) {
		sum(&stats.Bands[i], kernel.Bands[i])
	}
	return stats, nil
}
