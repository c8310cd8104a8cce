package ovsdbserver

import "testing"

func TestCollectAt(t *testing.T) {
	for _, tt := range []struct {
		live uint64
		want int
	}{{0, 800}, {5 << 20, 800}, {20 << 20, 400}, {40 << 20, 200}, {80 << 20, 100}, {1 << 30, 100}} {
		if got := collectAt(tt.live); got != tt.want {
			t.Errorf("%d MB in use: %d %%, want %d %%", tt.live>>20, got, tt.want)
		}
	}
}
