package main

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"runtime"
	"slices"
	"strings"

	"golang.org/x/sys/unix"
)

// report is what was measured.
type report struct {
	Kernel  string    `json:"kernel"`
	CPUs    int       `json:"cpus"`
	Figures []*result `json:"figures"`
}

// result is one figure on all switches.
type result struct {
	Name    string               `json:"name"`
	Unit    string               `json:"unit"`
	Lower   bool                 `json:"lower_is_better,omitempty"`
	Samples map[string][]float64 `json:"samples"`
	Failed  map[string]string    `json:"failed,omitempty"`
	Medians map[string]float64   `json:"medians"`
	Wants   []wanted             `json:"wants,omitempty"`

	job string
}

// wanted is what the ebpf data path was to reach, and did.
type wanted struct {
	Than  string  `json:"than,omitempty"` // empty: a number
	Ratio float64 `json:"wanted"`
	Got   float64 `json:"got"`
	Met   bool    `json:"met"`
}

func newReport() *report {
	r := &report{CPUs: runtime.NumCPU()}
	var u unix.Utsname
	if unix.Uname(&u) == nil {
		r.Kernel = unix.ByteSliceToString(u.Release[:])
	}
	return r
}

// results are those of a job's figures.
func (r *report) results(j *job) []*result {
	var out []*result
	for _, x := range r.Figures {
		if x.job == j.name {
			out = append(out, x)
		}
	}
	if out == nil {
		for _, f := range j.figures {
			out = append(out, &result{Name: f.name, Unit: f.unit, Lower: f.lower, job: j.name,
				Samples: map[string][]float64{}, Failed: map[string]string{}, Medians: map[string]float64{}})
		}
		r.Figures = append(r.Figures, out...)
	}
	return out
}

func (r *report) add(j *job, s subject, v []float64) {
	for i, x := range r.results(j) {
		x.Samples[s.name] = append(x.Samples[s.name], v[i]/j.figures[i].scale)
		x.Medians[s.name] = median(x.Samples[s.name])
		x.judge(&j.figures[i])
	}
}

func (r *report) fail(j *job, s subject, err error) {
	for _, x := range r.results(j) {
		x.Failed[s.name] = err.Error()
	}
}

func median(s []float64) float64 {
	s = slices.Sorted(slices.Values(s))
	return s[len(s)/2]
}

// judge compares the ebpf data path with what is wanted of it.
func (x *result) judge(f *figure) {
	x.Wants = nil
	mine, ok := x.Medians["ebpf"]
	if !ok {
		return
	}
	for _, w := range f.wants {
		got := mine
		if w.than != "" {
			base, ok := x.Medians[w.than]
			if !ok || base == 0 {
				continue
			}
			got = mine / base
		}
		met := got >= w.ratio
		if f.lower {
			met = got <= w.ratio
		}
		x.Wants = append(x.Wants, wanted{w.than, w.ratio, got, met})
	}
}

func (r *report) printJob(out io.Writer, j *job) {
	if len(r.Figures) > 0 && r.Figures[0].job == j.name {
		printHeading(out)
	}
	printTable(out, r.results(j))
}

func printHeading(out io.Writer) {
	fmt.Fprintf(out, "%-44s", "medians")
	for _, name := range switchNames() {
		fmt.Fprintf(out, "%10s", name)
	}
	fmt.Fprintln(out)
}

func printTable(out io.Writer, results []*result) {
	for _, x := range results {
		fmt.Fprintf(out, "%-44s", x.Name+", "+x.Unit)
		for _, name := range switchNames() {
			v, ok := x.Medians[name]
			switch {
			case ok:
				fmt.Fprintf(out, "%10s", number(v))
			case x.Failed[name] != "":
				fmt.Fprintf(out, "%10s", "failed")
			default:
				fmt.Fprintf(out, "%10s", "-")
			}
		}
		fmt.Fprintln(out, "  "+x.verdict())
	}
}

func (x *result) verdict() string {
	var parts []string
	for _, w := range x.Wants {
		mark := "missed"
		if w.Met {
			mark = "met"
		}
		if w.Than == "" {
			parts = append(parts, fmt.Sprintf("%s wanted: %s", number(w.Ratio), mark))
		} else {
			parts = append(parts, fmt.Sprintf("%.2f of %s (%.2f wanted: %s)", w.Got, w.Than, w.Ratio, mark))
		}
	}
	return strings.Join(parts, ", ")
}

func number(v float64) string {
	switch {
	case v == 0:
		return "0"
	case v >= 100 || v <= -100:
		return fmt.Sprintf("%.0f", v)
	}
	return fmt.Sprintf("%.3g", v)
}

// together prints and writes what earlier runs measured, in the order of the files.
func together(o *options, files []string) error {
	all := newReport()
	for _, name := range files {
		text, err := os.ReadFile(name)
		if err != nil {
			return err
		}
		var r report
		if err := json.Unmarshal(text, &r); err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		all.Kernel, all.CPUs = r.Kernel, r.CPUs
		all.Figures = append(all.Figures, r.Figures...)
	}
	printHeading(os.Stdout)
	printTable(os.Stdout, all.Figures)
	return all.write(o)
}

// write writes the files that were asked for.
func (r *report) write(o *options) error {
	if o.json != "" {
		text, err := json.MarshalIndent(r, "", "  ")
		if err != nil {
			return err
		}
		if err := os.WriteFile(o.json, append(text, '\n'), 0o644); err != nil {
			return err
		}
	}
	if o.svg != "" {
		return os.WriteFile(o.svg, []byte(r.draw()), 0o644)
	}
	return nil
}
