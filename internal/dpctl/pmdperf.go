package dpctl

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"weir/internal/clock"
	"weir/internal/datapath"
	"weir/internal/datapath/userspace"
	"weir/internal/unixctl"
)

// perfOptions are those of pmd-perf-show.
type perfOptions struct {
	noHistograms       bool
	iterations, millis int // of the history that is shown
}

// showPerf tells what the threads spent their time on. A cycle is a nanosecond
// of the monotonic clock.
func (p *pmdCall) showPerf() (string, error) {
	var b strings.Builder
	docs := []threadDoc{}
	now := clock.Ticks()
	p.each(func(s *userspace.WorkerStats) {
		fmt.Fprintf(&b, "\nTime: %s\n", time.Now().UTC().Format("15:04:05.000"))
		fmt.Fprintf(&b, "Measurement duration: %.3f s\n\n%s\n\n", float64(now-s.Since)/1e9, threadName(s.Thread))
		writePerf(&b, s, now-s.Since)
		if m := s.Detail; m != nil {
			m.Iterations = m.Iterations[:min(p.perf.iterations, len(m.Iterations))]
			m.Millis = m.Millis[:min(p.perf.millis, len(m.Millis))]
			if !p.perf.noHistograms {
				writeHistograms(&b, m)
			}
			writeHistory(&b, m)
		}
		b.WriteString("\n")
		docs = append(docs, documentStats(s))
	})
	return p.Answer(unixctl.Both{Text: b.String(), JSON: docs})
}

// figure writes a line whose number ends in column 34.
func figure(b *strings.Builder, name string, n uint64, format string, args ...any) {
	const column = 34
	fmt.Fprintf(b, "  %s%*d", name, max(column-2-len(name), 1), n)
	if format != "" {
		fmt.Fprintf(b, "  ("+format+")", args...)
	}
	b.WriteByte('\n')
}

func writePerf(b *strings.Builder, s *userspace.WorkerStats, duration int64) {
	used := s.Busy + s.Idle
	percent := func(part, whole uint64) float64 { return 100 * ratio(part, whole) }
	if s.Thread != nil {
		figure(b, "Iterations:", s.Iterations, "%.2f us/it", ratio(used, s.Iterations)/1000)
		figure(b, "- Used TSC cycles:", used, "%5.1f %% of total cycles", percent(used, uint64(max(duration, 1))))
		figure(b, "- idle iterations:", s.Iterations-s.BusyIterations, "%5.1f %% of used cycles", percent(s.Idle, used))
		figure(b, "- busy iterations:", s.BusyIterations, "%5.1f %% of used cycles", percent(s.Busy, used))
		figure(b, "- sleep iterations:", s.SleepIterations, "%5.1f %% of iterations", percent(s.SleepIterations, s.Iterations))
		figure(b, "Sleep time (us):", s.Asleep/1000, "%3.0f us/iteration avg.", ratio(s.Asleep, s.SleepIterations)/1000)
	}
	if s.Received == 0 {
		figure(b, "Rx packets:", 0, "")
		figure(b, "Tx packets:", s.OutPackets, "")
		return
	}
	seconds := float64(max(duration, 1)) / 1e9
	passes := s.Received + s.Recirculated
	figure(b, "Rx packets:", s.Received, "%.0f Kpps, %.0f cycles/pkt", float64(s.Received)/seconds/1000, ratio(s.Busy, s.Received))
	figure(b, "Datapath passes:", passes, "%.2f passes/pkt", ratio(passes, s.Received))
	figure(b, "- PHWOL hits:", 0, "%5.1f %%", 0.0)
	figure(b, "- MFEX Opt hits:", 0, "%5.1f %%", 0.0)
	figure(b, "- Simple Match hits:", 0, "%5.1f %%", 0.0)
	figure(b, "- EMC hits:", s.CacheHits, "%5.1f %%", percent(s.CacheHits, passes))
	figure(b, "- SMC hits:", s.SignatureHits, "%5.1f %%", percent(s.SignatureHits, passes))
	figure(b, "- Megaflow hits:", s.MegaflowHits, "%5.1f %%, %.2f subtbl lookups/hit", percent(s.MegaflowHits, passes), ratio(s.MaskHits, s.MegaflowHits))
	figure(b, "- Upcalls:", s.Missed, "%5.1f %%, %.1f us/upcall", percent(s.Missed, passes), ratio(s.UpcallTime, s.Missed)/1000)
	figure(b, "- Lost upcalls:", s.Lost, "%5.1f %%", percent(s.Lost, passes))
	if s.OutPackets == 0 {
		figure(b, "Tx packets:", 0, "")
		return
	}
	figure(b, "Tx packets:", s.OutPackets, "%.0f Kpps", float64(s.OutPackets)/seconds/1000)
	figure(b, "Tx batches:", s.OutBatches, "%.2f pkts/batch", ratio(s.OutPackets, s.OutBatches))
}

func writeHistograms(b *strings.Builder, m *userspace.Metrics) {
	columns := []struct {
		name string
		h    *userspace.Histogram
	}{
		{"cycles/it", &m.Time}, {"packets/it", &m.Packets}, {"cycles/pkt", &m.TimePerPacket},
		{"upcalls/it", &m.Upcalls}, {"cycles/upcall", &m.TimePerUpcall},
	}
	b.WriteString("\nHistograms\n")
	for _, c := range columns {
		fmt.Fprintf(b, "   %-20s", c.name)
	}
	b.WriteByte('\n')
	for i := range m.Time.Counts {
		for _, c := range columns {
			limit := ">"
			if i < len(c.h.Limits) {
				limit = fmt.Sprint(c.h.Limits[i])
			}
			fmt.Fprintf(b, "   %-9s %-10d", limit, c.h.Counts[i])
		}
		b.WriteByte('\n')
	}
	b.WriteString(strings.Repeat("-", 23*len(columns)) + "\n")
	for _, c := range columns {
		fmt.Fprintf(b, "   %-20.5g", ratio(c.h.Sum, c.h.Samples()))
	}
	b.WriteByte('\n')
}

func writeHistory(b *strings.Builder, m *userspace.Metrics) {
	if len(m.Iterations) > 0 {
		b.WriteString("\n" + userspace.HistoryHeading)
		for i := range m.Iterations {
			b.WriteString(m.Iterations[i].String() + "\n")
		}
	}
	if len(m.Millis) > 0 {
		fmt.Fprintf(b, "\n   %-14s %-12s %-12s %-12s %-12s %s\n", "ms", "iterations", "cycles/it", "Kpps", "cycles/pkt", "upcalls")
		for _, it := range m.Millis {
			fmt.Fprintf(b, "   %-14d %-12d %-12.0f %-12d %-12.0f %d\n",
				it.Stamp, it.Passes, ratio(it.Time, it.Passes), it.Packets, ratio(it.Busy, it.Packets), it.Upcalls)
		}
	}
}

var errPerfLog = errors.New("Usage: ovs-appctl dpif-netdev/pmd-perf-log-set [on|off] [-b before] [-a after] [-e|-ne] [-us usec] [-q qlen]") //nolint:staticcheck // the peer's text

// parsePerfLog parses the words of pmd-perf-log-set.
func parsePerfLog(words []string) (userspace.PerfLog, error) {
	l := userspace.PerfLog{On: true, Before: 5, After: 5, Micros: 250}
	queue := 128
	for i := 0; i < len(words); i++ {
		number := func(to *int, most int) error {
			if i++; i >= len(words) {
				return errPerfLog
			}
			n, err := strconv.Atoi(words[i])
			if err != nil || n < 0 || n > most {
				return errPerfLog
			}
			*to = n
			return nil
		}
		var err error
		switch words[i] {
		case "on":
			l.On = true
		case "off":
			l.On = false
		case "-e":
			l.Extend = true
		case "-ne":
			l.Extend = false
		case "-b":
			err = number(&l.Before, 100)
		case "-a":
			err = number(&l.After, 100)
		case "-us":
			err = number(&l.Micros, 1<<30)
		case "-q":
			err = number(&queue, 1<<30) // of vhost devices, which there are none of
		default:
			err = errPerfLog
		}
		if err != nil {
			return l, err
		}
	}
	return l, nil
}

// setPerfLog turns the logging of suspicious iterations on or off.
func (c *Commands) setPerfLog(r *unixctl.Request) (string, error) {
	l, err := parsePerfLog(r.Args)
	if err != nil {
		return "", err
	}
	for _, d := range c.List() {
		if w, ok := d.(interface{ Unwrap() datapath.Datapath }); ok {
			d = w.Unwrap()
		}
		if u, ok := d.(*userspace.DP); ok {
			u.LogPerf(l)
		}
	}
	return "", nil
}
