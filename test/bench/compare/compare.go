// Package compare is the frame of the benchmarks that run our programs beside
// Debian's C programs: jobs run on either side in turn within one run, medians
// count, and ratios are what is told.
package compare

import (
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
)

// Side says whose programs run.
type Side int

// The sides.
const (
	Ours Side = iota
	Theirs
)

// String names the side as tables do.
func (s Side) String() string {
	if s == Ours {
		return "ours"
	}
	return "C"
}

// Program is the path of a side's program: ours in bin/ of the current
// directory, Debian's where its packages have it.
func (s Side) Program(name string) string {
	if s == Ours {
		if path, err := filepath.Abs("bin/" + name); err == nil {
			return path
		}
		return name
	}
	for _, dir := range []string{"/usr/bin/", "/usr/sbin/"} {
		if _, err := os.Stat(dir + name); err == nil {
			return dir + name
		}
	}
	return name
}

// Figure is what one run of a job measured.
type Figure struct {
	Value  float64 `json:"value"`             // in the job's unit
	CPU    float64 `json:"cpu_s"`             // CPU seconds of all programs of the side during the job
	PeakMB float64 `json:"peak_mb"`           // the daemon's peak resident memory
	ToolMB float64 `json:"tool_mb,omitempty"` // the command's peak resident memory, where a command is what is measured
}

// Job is one measurement.
type Job struct {
	Name   string
	Unit   string
	Higher bool    // whether a higher value is better
	Want   float64 // how many times better ours is to be; 0: nothing said
	Run    func(s Side) (Figure, error)
}

// Report is the result of a job.
type Report struct {
	Job    string   `json:"job"`
	Unit   string   `json:"unit"`
	Ours   []Figure `json:"ours"`
	Theirs []Figure `json:"theirs"`
	Better float64  `json:"times_better"` // of the medians
	Want   float64  `json:"times_wanted,omitempty"`
}

// Main reads the command line, runs jobs on both sides in turn, and prints a
// table. It ends the program with status 1 on an error.
func Main(jobs []Job) {
	o := options{}
	flag.IntVar(&o.runs, "n", 3, "runs of each job on each side, in turn; medians count")
	flag.StringVar(&o.only, "job", "", "only jobs whose name contains this")
	flag.StringVar(&o.side, "side", "", "only this side: ours or C")
	flag.StringVar(&o.json, "json", "", "also write the result as JSON to this file, - for standard output instead of the table")
	flag.Parse()
	if err := o.run(jobs, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

type options struct {
	runs             int
	only, side, json string
}

func (o *options) run(jobs []Job, out io.Writer) error {
	if o.json == "-" {
		out = io.Discard
	}
	var reports []Report
	fmt.Fprintf(out, "%-46s %10s %10s %7s %6s  %15s %15s %15s\n", "job (medians)", "ours", "C", "times", "want", "CPU s ours/C", "peak MB ours/C", "tool MB ours/C")
	for _, j := range jobs {
		if !strings.Contains(j.Name, o.only) {
			continue
		}
		r, err := o.measure(&j)
		if err != nil {
			return err
		}
		reports = append(reports, *r)
		r.print(out)
	}
	if o.json == "" {
		return nil
	}
	text, err := json.MarshalIndent(reports, "", "  ")
	if err != nil {
		return err
	}
	text = append(text, '\n')
	if o.json == "-" {
		_, err = os.Stdout.Write(text)
		return err
	}
	return os.WriteFile(o.json, text, 0o644)
}

// measure runs a job on the sides in turn.
func (o *options) measure(j *Job) (*Report, error) {
	r := &Report{Job: j.Name, Unit: j.Unit, Want: j.Want}
	for i := range o.runs {
		fmt.Fprintf(os.Stderr, "\r%-60s run %d of %d", j.Name, i+1, o.runs)
		for _, s := range []Side{Ours, Theirs} {
			if o.side != "" && o.side != s.String() {
				continue
			}
			f, err := j.Run(s)
			if err != nil {
				return nil, fmt.Errorf("%s, %s: %w", j.Name, s, err)
			}
			if s == Ours {
				r.Ours = append(r.Ours, f)
			} else {
				r.Theirs = append(r.Theirs, f)
			}
		}
	}
	fmt.Fprintf(os.Stderr, "\r%-78s\r", "")
	if a, b := Median(r.Ours).Value, Median(r.Theirs).Value; a != 0 && b != 0 {
		r.Better = a / b
		if !j.Higher {
			r.Better = b / a
		}
	}
	return r, nil
}

func (r *Report) print(out io.Writer) {
	a, b := Median(r.Ours), Median(r.Theirs)
	want, tool := "", ""
	if r.Want != 0 {
		want = fmt.Sprintf("%.3g", r.Want)
	}
	if a.ToolMB != 0 || b.ToolMB != 0 {
		tool = fmt.Sprintf("%.0f/%.0f", a.ToolMB, b.ToolMB)
	}
	fmt.Fprintf(out, "%-46s %10s %10s %6.2fx %6s  %15s %15s %15s\n", r.Job, show(a.Value, r.Unit), show(b.Value, r.Unit), r.Better, want,
		fmt.Sprintf("%.2f/%.2f", a.CPU, b.CPU), fmt.Sprintf("%.0f/%.0f", a.PeakMB, b.PeakMB), tool)
}

func show(v float64, unit string) string {
	if v >= 100 {
		return fmt.Sprintf("%.0f %s", v, unit)
	}
	return fmt.Sprintf("%.3g %s", v, unit)
}

// Median takes each figure's median by itself; of none it is zero.
func Median(f []Figure) Figure {
	if len(f) == 0 {
		return Figure{}
	}
	pick := func(get func(Figure) float64) float64 {
		v := make([]float64, len(f))
		for i := range f {
			v[i] = get(f[i])
		}
		slices.Sort(v)
		return v[len(v)/2]
	}
	return Figure{
		Value:  pick(func(f Figure) float64 { return f.Value }),
		CPU:    pick(func(f Figure) float64 { return f.CPU }),
		PeakMB: pick(func(f Figure) float64 { return f.PeakMB }),
		ToolMB: pick(func(f Figure) float64 { return f.ToolMB }),
	}
}

// Stop interrupts a program and waits for its end, which it forces after a
// few seconds.
func Stop(cmd *exec.Cmd) {
	_ = cmd.Process.Signal(os.Interrupt)
	waitOrKill(cmd)
}
