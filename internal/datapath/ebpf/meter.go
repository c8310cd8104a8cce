package ebpf

import "weir/internal/datapath"

// MeterSet makes or changes a meter.
func (d *DP) MeterSet(id uint32, config datapath.MeterConfig) error {
	return d.soft.MeterSet(id, config)
}

// MeterDel removes a meter.
func (d *DP) MeterDel(id uint32) error { return d.soft.MeterDel(id) }

// MeterStats are a meter's counters.
func (d *DP) MeterStats(id uint32) (datapath.MeterStats, error) { return d.soft.MeterStats(id) }
