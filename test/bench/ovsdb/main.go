// Command ovsdb measures ovsdb-server beside Debian's C server on the same jobs,
// in turn in one run, and prints the ratios: `make bench-ovsdb`. The clients are
// this process; they speak over unix sockets and keep requests in flight.
package main

import (
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"slices"
	"strings"
)

// figure is what one run of a job measured.
type figure struct {
	Value  float64 `json:"value"`   // in the job's unit
	CPU    float64 `json:"cpu_s"`   // CPU seconds that the server used during the job
	PeakMB float64 `json:"peak_mb"` // the server's peak resident memory
}

// job is one measurement.
type job struct {
	name   string
	unit   string
	higher bool // whether a higher value is better
	run    func(s side) (figure, error)
}

// jobs is the table of all measurements.
var jobs = []job{
	{"single-row transactions, 1 client", "per s", true, func(s side) (figure, error) { return transactions(s, 1, 1, 60_000) }},
	{"single-row transactions, 16 clients", "per s", true, func(s side) (figure, error) { return transactions(s, 16, 1, 100_000) }},
	{"100-row transactions, 1 client", "per s", true, func(s side) (figure, error) { return transactions(s, 1, 100, 2_000) }},
	{"100-row transactions, 16 clients", "per s", true, func(s side) (figure, error) { return transactions(s, 16, 100, 2_000) }},
	{"commit to 200 monitors, p50 (10,000 rows)", "ms", false, fanOut},
	{"initial dump of 10,000 rows to 50 clients", "s", false, func(s side) (figure, error) { return dumps(s, 50) }},
	{"initial dump of 10,000 rows to 200 clients", "s", false, func(s side) (figure, error) { return dumps(s, 200) }},
	{"open 200,000 rows, log", "s", false, func(s side) (figure, error) { return open(s, false) }},
	{"open 200,000 rows, compacted", "s", false, func(s side) (figure, error) { return open(s, true) }},
	{"longest stall while compacting 200,000 rows", "ms", false, compactionStall},
	{"500 ovs-vsctl add-port, one after another", "s", false, addPorts},
}

// report is the result of a job, for -json.
type report struct {
	Job    string   `json:"job"`
	Unit   string   `json:"unit"`
	Ours   []figure `json:"ours"`
	Theirs []figure `json:"theirs"`
	Better float64  `json:"times_better"`
}

func main() {
	runs := flag.Int("n", 3, "runs of each job on each side, in turn")
	only := flag.String("job", "", "only jobs whose name contains this")
	asJSON := flag.Bool("json", false, "print JSON")
	flag.Parse()
	if err := run(*runs, *only, *asJSON); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

func run(runs int, only string, asJSON bool) error {
	var reports []report
	if !asJSON {
		fmt.Printf("%-46s %10s %10s %7s  %15s %15s\n", "job (medians)", "ours", "C server", "times", "CPU s ours/C", "peak MB ours/C")
	}
	for _, j := range jobs {
		if !strings.Contains(j.name, only) {
			continue
		}
		r := report{Job: j.name, Unit: j.unit}
		for i := range runs {
			fmt.Fprintf(os.Stderr, "\r%-60s run %d of %d", j.name, i+1, runs)
			a, err := j.run(ours)
			if err != nil {
				return fmt.Errorf("%s, ours: %w", j.name, err)
			}
			b, err := j.run(theirs)
			if err != nil {
				return fmt.Errorf("%s, C: %w", j.name, err)
			}
			r.Ours, r.Theirs = append(r.Ours, a), append(r.Theirs, b)
		}
		fmt.Fprintf(os.Stderr, "\r%-78s\r", "")
		a, b := median(r.Ours), median(r.Theirs)
		r.Better = a.Value / b.Value
		if !j.higher {
			r.Better = b.Value / a.Value
		}
		reports = append(reports, r)
		if !asJSON {
			fmt.Printf("%-46s %10s %10s %6.2fx  %15s %15s\n", j.name, show(a.Value, j.unit), show(b.Value, j.unit), r.Better,
				fmt.Sprintf("%.2f/%.2f", a.CPU, b.CPU), fmt.Sprintf("%.0f/%.0f", a.PeakMB, b.PeakMB))
		}
	}
	if asJSON {
		enc := json.NewEncoder(os.Stdout)
		enc.SetIndent("", "  ")
		return enc.Encode(reports)
	}
	return nil
}

func show(v float64, unit string) string {
	if v >= 100 {
		return fmt.Sprintf("%.0f %s", v, unit)
	}
	return fmt.Sprintf("%.3g %s", v, unit)
}

// median takes each figure's median by itself.
func median(f []figure) figure {
	pick := func(get func(figure) float64) float64 {
		v := make([]float64, len(f))
		for i := range f {
			v[i] = get(f[i])
		}
		slices.Sort(v)
		return v[len(v)/2]
	}
	return figure{
		pick(func(f figure) float64 { return f.Value }),
		pick(func(f figure) float64 { return f.CPU }),
		pick(func(f figure) float64 { return f.PeakMB }),
	}
}
