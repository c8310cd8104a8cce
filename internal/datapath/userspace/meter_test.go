package userspace

import (
	"testing"

	"weir/internal/datapath"
)

func TestMeter(t *testing.T) {
	const second = 1e9
	for _, tc := range []struct {
		name   string
		config datapath.MeterConfig
		bytes  int
		sendAt []int64 // nanoseconds
		passed int
	}{
		{"packets", datapath.MeterConfig{Packets: true, Bands: []datapath.MeterBand{{Rate: 1, Burst: 1}}}, 60, []int64{0, 0, 0, 0, 0}, 1},
		{"packets refill", datapath.MeterConfig{Packets: true, Bands: []datapath.MeterBand{{Rate: 1, Burst: 1}}}, 60, []int64{0, second / 2, second, 2 * second}, 3},
		{"kilobits", datapath.MeterConfig{Bands: []datapath.MeterBand{{Rate: 1, Burst: 2}}}, 60, []int64{0, 0, 0, 0, 0, 0, 0}, 4},
		{"no burst is a second's worth", datapath.MeterConfig{Packets: true, Bands: []datapath.MeterBand{{Rate: 3}}}, 60, []int64{0, 0, 0, 0, 0}, 3},
		{"rate 0 drops all", datapath.MeterConfig{Bands: []datapath.MeterBand{{}}}, 60, []int64{0, second}, 0},
		{"no bands", datapath.MeterConfig{}, 60, []int64{0, 0}, 2},
	} {
		m := newMeter(&tc.config)
		passed := 0
		for _, at := range tc.sendAt {
			if m.pass(at+5*second, tc.bytes) {
				passed++
			}
		}
		if passed != tc.passed {
			t.Errorf("%s: %d packets passed, want %d", tc.name, passed, tc.passed)
		}
		if got := m.in.get(); got.Packets != uint64(len(tc.sendAt)) {
			t.Errorf("%s: %d packets counted", tc.name, got.Packets)
		}
	}
}
