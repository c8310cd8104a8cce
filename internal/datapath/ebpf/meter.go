package ebpf

import (
	"golang.org/x/sys/unix"

	"weir/internal/datapath"
)

// Meters are in the memory that programs and user space share, so that what
// either forwards comes out of the same buckets.

// MeterSet makes or changes a meter.
func (d *DP) MeterSet(id uint32, config datapath.MeterConfig) error {
	if !d.life.enter() {
		return errClosed
	}
	defer d.life.leave()
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.set.SetMeter(id, config)
}

// MeterDel removes a meter.
func (d *DP) MeterDel(id uint32) error {
	if !d.life.enter() {
		return errClosed
	}
	defer d.life.leave()
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.set.DelMeter(id)
}

// MeterStats are a meter's counters.
func (d *DP) MeterStats(id uint32) (datapath.MeterStats, error) {
	if !d.life.enter() {
		return datapath.MeterStats{}, errClosed
	}
	defer d.life.leave()
	return d.set.MeterStats(id)
}

// passMeter applies a meter to a packet that user space handles.
func (d *DP) passMeter(id uint32, length int) bool {
	var now unix.Timespec
	_ = unix.ClockGettime(unix.CLOCK_MONOTONIC, &now) // it exists
	return d.set.PassMeter(id, uint64(now.Nano()), length)
}
