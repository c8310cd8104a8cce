package dpctl

import (
	"errors"
	"fmt"
	"strconv"
	"strings"

	"weir/internal/clock"
	"weir/internal/datapath"
	"weir/internal/datapath/userspace"
	"weir/internal/numa"
	"weir/internal/unixctl"
)

// pmdCall is a call of a command on threads.
type pmdCall struct {
	*unixctl.Request
	dp   *userspace.DP
	core int // that it is about, -1: all
	secs int
	perf perfOptions
}

// registerPMD adds the commands on the threads of the user-space data path.
func (c *Commands) registerPMD(srv *unixctl.Server) {
	for _, cmd := range []struct {
		name, usage string
		max         int
		run         func(*pmdCall) (string, error)
	}{
		{"pmd-stats-show", "[-pmd core] [dp]", 3, (*pmdCall).showStats},
		{"pmd-stats-clear", "[-pmd core] [dp]", 3, (*pmdCall).clearStats},
		{"pmd-rxq-show", "[-pmd core] [-secs secs] [dp]", 5, (*pmdCall).showQueues},
		{"pmd-rxq-rebalance", "[dp]", 1, (*pmdCall).rebalance},
		{"pmd-sleep-show", "[dp]", 1, (*pmdCall).showSleep},
		{"pmd-perf-show", "[-nh] [-it iter-history-len] [-ms ms-history-len] [-pmd core] [dp]", 8, (*pmdCall).showPerf},
		{"bond-show", "[dp]", 1, (*pmdCall).showBonds},
	} {
		srv.Register("dpif-netdev/"+cmd.name, cmd.usage, 0, cmd.max, func(r *unixctl.Request) (string, error) {
			p, err := c.pmdCall(r)
			if err != nil {
				return "", err
			}
			return cmd.run(p)
		})
	}
	srv.Register("dpif-netdev/pmd-perf-log-set", "on|off [-b before] [-a after] [-e|-ne] [-us usec] [-q qlen]", 0, 10, c.setPerfLog)
}

// pmdCall reads the arguments of a command on threads.
func (c *Commands) pmdCall(r *unixctl.Request) (*pmdCall, error) {
	p := &pmdCall{Request: r, core: -1, secs: 60}
	name := ""
	for i := 0; i < len(r.Args); i++ {
		a := r.Args[i]
		number := func(to *int) error {
			if i++; i >= len(r.Args) {
				return fmt.Errorf("%s requires a number", a)
			}
			n, err := strconv.ParseInt(r.Args[i], 10, 32)
			if err != nil {
				return fmt.Errorf("%s: %s is not a number", a, r.Args[i])
			}
			*to = int(n)
			return nil
		}
		var err error
		switch a {
		case "-pmd":
			err = number(&p.core)
		case "-secs":
			err = number(&p.secs)
		case "-it":
			err = number(&p.perf.iterations)
		case "-ms":
			err = number(&p.perf.millis)
		case "-nh":
			p.perf.noHistograms = true
		default:
			name = a
		}
		if err != nil {
			return nil, err
		}
	}
	d, err := c.userspace(name)
	p.dp = d
	return p, err
}

// userspace finds a data path in this process; without a name it is the only one.
func (c *Commands) userspace(name string) (*userspace.DP, error) {
	var found []*userspace.DP
	for _, d := range c.List() {
		if w, ok := d.(interface{ Unwrap() datapath.Datapath }); ok {
			d = w.Unwrap()
		}
		if u, ok := d.(*userspace.DP); ok && (name == "" || u.Name() == name || fullName(u) == name) {
			found = append(found, u)
		}
	}
	switch {
	case len(found) == 1:
		return found[0], nil
	case len(found) == 0 && name != "":
		return nil, fmt.Errorf("could not find dpif-netdev \"%s\"", name)
	case len(found) == 0:
		return nil, errors.New("no user-space data path exists")
	}
	return nil, errors.New("please specify an existing datapath")
}

// threadName heads what is said of a thread.
func threadName(t *numa.Core) string {
	if t == nil {
		return "main thread:"
	}
	return fmt.Sprintf("pmd thread numa_id %d core_id %d:", t.Node, t.ID)
}

func ratio(a, b uint64) float64 {
	if b == 0 {
		return 0
	}
	return float64(a) / float64(b)
}

// each calls fn for the statistics of the threads that the command is about.
func (p *pmdCall) each(fn func(*userspace.WorkerStats)) {
	for _, s := range p.dp.WorkerStats() {
		if p.core >= 0 && (s.Thread == nil || s.Thread.ID != p.core) {
			continue
		}
		fn(&s)
	}
}

func (p *pmdCall) clearStats() (string, error) {
	p.dp.ClearWorkerStats(p.core, clock.Ticks())
	return "", nil
}

func (p *pmdCall) rebalance() (string, error) {
	p.dp.Rebalance()
	return "pmd rxq rebalance requested.\n", nil
}

// showBonds has nothing to show: this version has no bonds in the data path.
func (p *pmdCall) showBonds() (string, error) {
	return p.Answer(unixctl.Both{JSON: []struct{}{}})
}

// threadDoc is what a thread counted, for JSON.
type threadDoc struct {
	NUMA *int `json:"numa_id"` // null: outside of threads
	Core *int `json:"core_id"`
	*userspace.WorkerStats
}

func documentStats(s *userspace.WorkerStats) threadDoc {
	d := threadDoc{WorkerStats: s}
	if s.Thread != nil {
		d.NUMA, d.Core = &s.Thread.Node, &s.Thread.ID
	}
	return d
}

func (p *pmdCall) showStats() (string, error) {
	var b strings.Builder
	docs := []threadDoc{}
	p.each(func(s *userspace.WorkerStats) {
		docs = append(docs, documentStats(s))
		fmt.Fprintf(&b, "%s\n", threadName(s.Thread))
		fmt.Fprintf(&b, "  packets received: %d\n  packet recirculations: %d\n", s.Received, s.Recirculated)
		fmt.Fprintf(&b, "  avg. datapath passes per packet: %.2f\n", ratio(s.Received+s.Recirculated, s.Received))
		fmt.Fprintf(&b, "  phwol hits: 0\n  mfex opt hits: 0\n  simple match hits: 0\n")
		fmt.Fprintf(&b, "  emc hits: %d\n  smc hits: %d\n  megaflow hits: %d\n", s.CacheHits, s.SignatureHits, s.MegaflowHits)
		fmt.Fprintf(&b, "  avg. subtable lookups per megaflow hit: %.2f\n", ratio(s.MaskHits, s.MegaflowHits))
		fmt.Fprintf(&b, "  miss with success upcall: %d\n  miss with failed upcall: %d\n", s.Missed-s.Lost, s.Lost)
		fmt.Fprintf(&b, "  avg. packets per output batch: %.2f\n", ratio(s.OutPackets, s.OutBatches))
		writeCycles(&b, s)
	})
	return p.Answer(unixctl.Both{Text: b.String(), JSON: docs})
}

// writeCycles tells how a thread spent its time. A cycle is a nanosecond here.
func writeCycles(b *strings.Builder, s *userspace.WorkerStats) {
	total := s.Busy + s.Idle + s.Asleep
	if total == 0 {
		return
	}
	idle := s.Idle + s.Asleep
	fmt.Fprintf(b, "  idle cycles: %d (%.2f%%)\n", idle, ratio(idle*100, total))
	fmt.Fprintf(b, "  processing cycles: %d (%.2f%%)\n", s.Busy, ratio(s.Busy*100, total))
	if s.Received > 0 {
		fmt.Fprintf(b, "  avg cycles per packet: %.2f (%d/%d)\n", ratio(total, s.Received), total, s.Received)
		fmt.Fprintf(b, "  avg processing cycles per packet: %.2f (%d/%d)\n", ratio(s.Busy, s.Received), s.Busy, s.Received)
	}
}

// rxqDoc is a thread with its receive queues, for JSON; a share of null has not
// been measured yet.
type rxqDoc struct {
	NUMA     int        `json:"numa_id"`
	Core     int        `json:"core_id"`
	Isolated bool       `json:"isolated"`
	Queues   []queueDoc `json:"queues"`
	Overhead *int       `json:"overhead_percent"`
}

type queueDoc struct {
	Port    string `json:"port"`
	Queue   int    `json:"queue_id"`
	Enabled bool   `json:"enabled"`
	Usage   *int   `json:"usage_percent"`
}

// share is a part of a thread's time as text, and for JSON.
func share(percent int) (string, *int) {
	if percent < 0 {
		return "NOT AVAIL", nil
	}
	return fmt.Sprintf("%2d %%", percent), &percent
}

func (p *pmdCall) showQueues() (string, error) {
	const interval, most = 5, 60
	secs := (p.secs + interval - 1) / interval * interval
	if secs <= 0 || secs > most {
		secs = most
	}
	var b strings.Builder
	fmt.Fprintf(&b, "Displaying last %d seconds pmd usage %%\n", secs)
	docs := []rxqDoc{}
	for _, t := range p.dp.Threads(secs / interval) {
		if p.core >= 0 && t.Core != p.core {
			continue
		}
		doc := rxqDoc{NUMA: t.Node, Core: t.Core, Isolated: t.Isolated, Queues: []queueDoc{}}
		fmt.Fprintf(&b, "%s\n  isolated : %t\n", threadName(&numa.Core{ID: t.Core, Node: t.Node}), t.Isolated)
		for _, q := range t.Queues {
			text, usage := share(q.Percent)
			fmt.Fprintf(&b, "  port: %-16s  queue-id: %2d (enabled)   pmd usage: %s\n", q.Port, q.Queue, text)
			doc.Queues = append(doc.Queues, queueDoc{q.Port, q.Queue, q.Enabled, usage})
		}
		if len(t.Queues) > 0 {
			var text string
			text, doc.Overhead = share(t.Overhead)
			fmt.Fprintf(&b, "  overhead: %s\n", text)
		}
		docs = append(docs, doc)
	}
	return p.Answer(unixctl.Both{Text: b.String(), JSON: docs})
}

// sleepDoc is the answer of pmd-sleep-show for JSON, in microseconds.
type sleepDoc struct {
	Default int64          `json:"default_max_sleep_us"`
	Threads []sleepThreads `json:"threads"`
}

type sleepThreads struct {
	NUMA     int   `json:"numa_id"`
	Core     int   `json:"core_id"`
	MaxSleep int64 `json:"max_sleep_us"`
}

func (p *pmdCall) showSleep() (string, error) {
	var b strings.Builder
	doc := sleepDoc{Default: p.dp.DefaultMaxSleep() / 1000, Threads: []sleepThreads{}}
	fmt.Fprintf(&b, "Default max sleep: %d us\n", doc.Default)
	for _, t := range p.dp.Threads(0) {
		us := t.MaxSleep / 1000
		fmt.Fprintf(&b, "%s\n  max sleep: %4d us\n", threadName(&numa.Core{ID: t.Core, Node: t.Node}), us)
		doc.Threads = append(doc.Threads, sleepThreads{t.Node, t.Core, us})
	}
	return p.Answer(unixctl.Both{Text: b.String(), JSON: doc})
}
