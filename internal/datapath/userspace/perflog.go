package userspace

import (
	"fmt"
	"strings"

	"weir/internal/vlog"
)

var perfLog = vlog.For("pmd_perf")

var perfRL vlog.RateLimit

// PerfLog says which iterations of threads are logged with their neighbours,
// while other_config:pmd-perf-metrics is on.
type PerfLog struct {
	On            bool
	Before, After int  // iterations that are shown around it
	Extend        bool // another one among those after it prolongs what is shown
	Micros        int  // what takes longer is suspicious
}

// LogPerf sets what is logged.
func (d *DP) LogPerf(l PerfLog) {
	what := "off"
	if l.On {
		what = "on"
	}
	perfLog.Info("pmd-perf-log-set: %s, before=%d, after=%d, extend=%t, us_thr=%d", what, l.Before, l.After, l.Extend, l.Micros)
	d.perfLog.Store(&l)
}

// HistoryHeading is the line above iterations.
const HistoryHeading = "   iter                cycles       packets      cycles/pkt   upcalls\n"

// String is a line below HistoryHeading.
func (it *Iteration) String() string {
	per := uint64(0)
	if it.Packets > 0 {
		per = it.Busy / it.Packets
	}
	return fmt.Sprintf("   %-19d %-12d %-12d %-12d %d", it.Stamp, it.Time, it.Packets, per, it.Upcalls)
}

// suspect notes a suspicious iteration, and logs an earlier one when as many
// iterations have passed as are to be shown after it. The caller holds the
// mutex; what is returned is to be logged without it.
func (d *detail) suspect(l *PerfLog, it *Iteration) string {
	const ns = 1000
	if !l.On {
		d.suspects, d.until = nil, 0
		return ""
	}
	if it.Time > uint64(l.Micros)*ns && (d.until == 0 || l.Extend) {
		d.suspects = append(d.suspects, fmt.Sprintf("iter=%d duration=%d us", it.Stamp, it.Time/ns))
		if d.from == 0 || d.until == 0 {
			d.from = max(d.nits-1-l.Before, 0)
		}
		d.until = d.nits + l.After
	}
	if d.until == 0 || d.nits < d.until && d.nits-d.from < historyLen {
		return ""
	}
	var b strings.Builder
	fmt.Fprintf(&b, "Suspicious iteration (Excessive total cycles): %s\n%s", strings.Join(d.suspects, "; "), HistoryHeading)
	for i := d.nits - 1; i >= max(d.from, d.nits-historyLen); i-- {
		b.WriteString(d.its[i%historyLen].String() + "\n")
	}
	d.suspects, d.from, d.until = nil, 0, 0
	return b.String()
}
