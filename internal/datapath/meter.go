package datapath

// MeterBand drops what exceeds a rate. Rate is packets, or kilobits, per
// second; Burst is packets or kilobits, 0 for what Rate lets through in a
// second.
type MeterBand struct{ Rate, Burst uint32 }

// MeterConfig is a meter: a packet that exceeds any of the bands is dropped.
type MeterConfig struct {
	Packets bool // bands count packets, not kilobits
	Bands   []MeterBand
}

// MeterCount is a number of packets and their bytes.
type MeterCount struct{ Packets, Bytes uint64 }

// MeterStats is what a meter saw, and what each of its bands dropped.
type MeterStats struct {
	In    MeterCount
	Bands []MeterCount
}

// Meterer is a Datapath with meters, which the action Meter names. Errors are
// fs.ErrNotExist for a meter that isn't there.
type Meterer interface {
	// MeterSet makes a meter or changes it; its counters start from zero.
	MeterSet(id uint32, config MeterConfig) error
	MeterDel(id uint32) error
	MeterStats(id uint32) (MeterStats, error)
}
