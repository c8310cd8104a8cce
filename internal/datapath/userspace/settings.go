package userspace

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

// settings is what other_config of the Open_vSwitch row says to the data path.
type settings struct {
	cpuMask   string
	assign    AssignMode
	isolate   bool // what pmd-rxq-isolate comes to, given the mode
	balance   balanceSettings
	sleep     sleepSettings
	metrics   bool
	txFlush   time.Duration
	emcInvert uint32 // an insertion into the exact-match cache happens with probability 1/emcInvert; 0: never
	smc       bool

	// badAssign and badIsolate say that a value was refused.
	badAssign, badIsolate bool
}

// balanceSettings are those of the automatic load balancing.
type balanceSettings struct {
	on          bool
	interval    time.Duration
	load        int // percent
	improvement int // percent
}

// sleepSettings is how long threads may sleep while there is little to do.
type sleepSettings struct {
	most   time.Duration
	byCore map[int]time.Duration
}

// of is the longest sleep of a thread on a core.
func (s *sleepSettings) of(core int) time.Duration {
	if d, ok := s.byCore[core]; ok {
		return d
	}
	return s.most
}

// Defaults and bounds of ovs-vswitchd.conf.db(5).
const (
	defaultInterval    = 1 // minutes
	mostInterval       = 20000
	defaultLoad        = 95
	defaultImprovement = 25
	mostSleep          = 10000 * time.Microsecond
	mostTxFlush        = 1000000 // us
)

// bounded reads a number; the default stands in for what isn't one or is out of
// bounds.
func bounded(other map[string]string, key string, def, least, most int64) int64 {
	n, err := strconv.ParseInt(other[key], 10, 64)
	if err != nil || n < least || n > most {
		return def
	}
	return n
}

// parseSettings reads other_config. The exact-match cache, which costs a
// pointer a line here, takes every flow unless emc-insert-inv-prob says
// otherwise.
func parseSettings(other map[string]string) settings {
	s := settings{
		cpuMask: other["pmd-cpu-mask"],
		isolate: other["pmd-rxq-isolate"] != "false",
		balance: balanceSettings{
			on:          other["pmd-auto-lb"] == "true",
			interval:    time.Duration(bounded(other, "pmd-auto-lb-rebal-interval", defaultInterval, 1, mostInterval)) * time.Minute,
			load:        int(bounded(other, "pmd-auto-lb-load-threshold", defaultLoad, 0, 100)),
			improvement: int(bounded(other, "pmd-auto-lb-improvement-threshold", defaultImprovement, 0, 100)),
		},
		metrics:   other["pmd-perf-metrics"] == "true",
		txFlush:   time.Duration(bounded(other, "tx-flush-interval", 0, 0, mostTxFlush)) * time.Microsecond,
		emcInvert: uint32(bounded(other, "emc-insert-inv-prob", 1, 0, 1<<32-1)),
		smc:       other["smc-enable"] == "true",
	}
	if name, ok := other["pmd-rxq-assign"]; ok {
		s.assign, ok = parseAssignMode(name)
		s.badAssign = !ok
	}
	if !s.isolate && s.assign != AssignGroup {
		s.isolate, s.badIsolate = true, true
	}
	sleep, ok := other["pmd-sleep-max"]
	if !ok {
		sleep = other["pmd-maxsleep"] // the name that release 3.1 had
	}
	s.sleep = parseSleep(sleep)
	return s
}

// parseSleep reads pmd-sleep-max: microseconds for all threads, or a list of
// CORE:MICROSECONDS, and among them one without a core for the others.
func parseSleep(text string) sleepSettings {
	s := sleepSettings{}
	limit := func(us uint64) time.Duration {
		return min(time.Duration(min(us, uint64(mostSleep/time.Microsecond)))*time.Microsecond, mostSleep)
	}
	for _, part := range strings.FieldsFunc(text, func(r rune) bool { return r == ',' || r == ' ' }) {
		coreText, us, hasCore := strings.Cut(part, ":")
		if !hasCore {
			us = coreText
		}
		n, err := strconv.ParseUint(us, 10, 64)
		if err != nil {
			continue
		}
		if !hasCore {
			s.most = limit(n)
			continue
		}
		if core, err := strconv.Atoi(coreText); err == nil && core >= 0 {
			if s.byCore == nil {
				s.byCore = map[int]time.Duration{}
			}
			s.byCore[core] = limit(n)
		}
	}
	return s
}

// ParseAffinity reads pmd-rxq-affinity of an Interface: a list of QUEUE:CORE.
func ParseAffinity(text string) (map[int]int, error) {
	pins := map[int]int{}
	for _, part := range strings.FieldsFunc(text, func(r rune) bool { return r == ',' || r == ' ' }) {
		q, core, _ := strings.Cut(part, ":")
		qid, err1 := strconv.Atoi(q)
		c, err2 := strconv.Atoi(core)
		if err1 != nil || err2 != nil || qid < 0 || c < 0 {
			return nil, fmt.Errorf("%q is not a list of QUEUE:CORE", text)
		}
		pins[qid] = c
	}
	return pins, nil
}
