package userspace

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestSettings(t *testing.T) {
	s := parseSettings(map[string]string{
		"pmd-rxq-assign": "group", "pmd-rxq-isolate": "false", "pmd-auto-lb": "true", "pmd-auto-lb-rebal-interval": "7",
		"pmd-auto-lb-load-threshold": "101", "pmd-auto-lb-improvement-threshold": "0", "tx-flush-interval": "50",
		"emc-insert-inv-prob": "0", "smc-enable": "true", "pmd-perf-metrics": "true",
	})
	want := settings{
		assign: AssignGroup, balance: balanceSettings{true, 7 * time.Minute, 95, 0}, metrics: true,
		txFlush: 50 * time.Microsecond, smc: true,
	}
	if diff := cmp.Diff(want, s, cmp.AllowUnexported(settings{}, balanceSettings{}, sleepSettings{})); diff != "" {
		t.Error(diff)
	}
	s = parseSettings(map[string]string{"pmd-rxq-assign": "guess", "pmd-rxq-isolate": "false"})
	if !s.badAssign || !s.badIsolate || s.assign != AssignCycles || !s.isolate || s.emcInvert != 1 {
		t.Errorf("%+v", s)
	}
}

func TestSleep(t *testing.T) {
	us := time.Microsecond
	for _, tc := range []struct {
		text string
		core int
		want time.Duration
	}{
		{"", 0, 0}, {"50", 3, 50 * us}, {"99999", 0, 10000 * us}, {"x", 0, 0},
		{"50,2:100,3:0", 1, 50 * us}, {"50,2:100,3:0", 2, 100 * us}, {"50,2:100,3:0", 3, 0}, {"1:70", 0, 0}, {"1:70,-1:5", 1, 70 * us},
	} {
		s := parseSleep(tc.text)
		if got := s.of(tc.core); got != tc.want {
			t.Errorf("%q: core %d sleeps %v, want %v", tc.text, tc.core, got, tc.want)
		}
	}
	old := parseSettings(map[string]string{"pmd-maxsleep": "30"})
	if old.sleep.of(0) != 30*us {
		t.Errorf("pmd-maxsleep: %v", old.sleep)
	}
}

func TestAffinity(t *testing.T) {
	got, err := ParseAffinity("0:3, 2:5")
	if diff := cmp.Diff(map[int]int{0: 3, 2: 5}, got); diff != "" || err != nil {
		t.Error(diff, err)
	}
	for _, bad := range []string{"0", "0:", "x:1", "0:-1", "0:1,2"} {
		if _, err := ParseAffinity(bad); err == nil {
			t.Errorf("%q was taken", bad)
		}
	}
}

func TestHistogram(t *testing.T) {
	h := linear(0, 30)
	for _, v := range []uint64{0, 1, 1, 30, 31, 1000} {
		h.add(v)
	}
	if h.Counts[0] != 1 || h.Counts[1] != 2 || h.Counts[30] != 1 || h.Counts[31] != 2 || h.Samples() != 6 || h.Sum != 1063 {
		t.Errorf("%+v", h)
	}
	l := logarithmic(500, 24000000)
	for i := 1; i < len(l.Limits); i++ {
		if l.Limits[i] <= l.Limits[i-1] {
			t.Fatalf("limits don't grow: %v", l.Limits)
		}
	}
	if l.Limits[0] != 500 || l.Limits[bins-2] < 23999990 {
		t.Error(l.Limits)
	}
}

// FuzzSettings checks that no text of other_config is more than refused.
func FuzzSettings(f *testing.F) {
	for _, s := range []string{"50,2:100", "0:3,1:0", "f", "group", "true", "100", ":", ",,", "-1"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		other := map[string]string{}
		for _, key := range []string{"pmd-cpu-mask", "pmd-rxq-assign", "pmd-rxq-isolate", "pmd-auto-lb", "pmd-auto-lb-rebal-interval",
			"pmd-auto-lb-load-threshold", "pmd-auto-lb-improvement-threshold", "tx-flush-interval", "emc-insert-inv-prob", "pmd-sleep-max"} {
			other[key] = text
		}
		s := parseSettings(other)
		if s.sleep.most < 0 || s.sleep.most > mostSleep || s.txFlush < 0 || s.balance.interval <= 0 || s.balance.load > 100 {
			t.Errorf("%q makes %+v", text, s)
		}
		for core, d := range s.sleep.byCore {
			if core < 0 || d < 0 || d > mostSleep {
				t.Errorf("%q has core %d sleep %v", text, core, d)
			}
		}
		if pins, err := ParseAffinity(text); err == nil {
			for q, core := range pins {
				if q < 0 || core < 0 {
					t.Errorf("%q pins queue %d to core %d", text, q, core)
				}
			}
		}
	})
}
