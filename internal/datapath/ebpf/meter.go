package ebpf

import "weir/internal/datapath"

// MeterSet makes or changes a meter.
func (d *DP) MeterSet(id uint32, config datapath.MeterConfig) error {
	if err := d.soft.MeterSet(id, config); err != nil {
		return err
	}
	return d.set.SetMeter(id, &config)
}

// MeterDel removes a meter.
func (d *DP) MeterDel(id uint32) error {
	if err := d.soft.MeterDel(id); err != nil {
		return err
	}
	return d.set.SetMeter(id, nil)
}

// MeterStats are a meter's counters.
func (d *DP) MeterStats(id uint32) (datapath.MeterStats, error) {
	s, err := d.soft.MeterStats(id)
	if err != nil {
		return s, err
	}
	k := d.set.MeterStats(id)
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
