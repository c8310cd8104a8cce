// Command bench measures forwarding between two network namespaces: our
// user-space data path, Debian's Open vSwitch with its own (the netdev data
// path), and a bare veth pair, alternately in one run on the same kind of veth
// pairs. It prints ratios as text, and as JSON with -json FILE.
//
// Needs root, ip(8), iperf3(1) and Debian's openvswitch-switch (not started;
// its daemons run here with directories of their own).
package main

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"runtime"
	"slices"
	"strings"
	"time"
)

func main() {
	if len(os.Args) > 1 {
		switch os.Args[1] {
		case "generate": // in the sender's namespace
			os.Exit(generateMain(os.Args[2:]))
		case "switch": // in the switch's namespace
			os.Exit(switchMain(os.Args[2:]))
		}
	}
	rounds := flag.Int("rounds", 3, "how often each measurement is made; the median counts")
	seconds := flag.Int("seconds", 3, "length of one measurement")
	only := flag.String("only", "veth,weir,ovs", "which of veth, weir, ovs to measure")
	jsonFile := flag.String("json", "", "write the result to this file")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	b := &bench{ctx: ctx, length: time.Duration(*seconds) * time.Second, report: report{CPUs: runtime.NumCPU(), Results: map[string]*result{}}}
	if err := b.run(strings.Split(*only, ","), *rounds); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
	b.report.finish()
	b.report.print(os.Stdout)
	if *jsonFile != "" {
		text, err := json.MarshalIndent(&b.report, "", "  ")
		if err == nil {
			err = os.WriteFile(*jsonFile, append(text, '\n'), 0o644)
		}
		if err != nil {
			fmt.Fprintln(os.Stderr, "bench:", err)
			os.Exit(1)
		}
	}
}

// result is what was measured of one switch, the medians and every sample.
type result struct {
	PPS1, PPS1000, TCP                      float64 // packets per second, bits per second
	PPS1Samples, PPS1000Samples, TCPSamples []float64
}

type report struct {
	CPUs    int
	Results map[string]*result
	// Ratios of weir to ovs.
	RatioPPS1, RatioPPS1000, RatioTCP float64
}

func median(s []float64) float64 {
	if len(s) == 0 {
		return 0
	}
	s = slices.Sorted(slices.Values(s))
	return s[len(s)/2]
}

func (r *report) finish() {
	for _, v := range r.Results {
		v.PPS1, v.PPS1000, v.TCP = median(v.PPS1Samples), median(v.PPS1000Samples), median(v.TCPSamples)
	}
	if w, o := r.Results["weir"], r.Results["ovs"]; w != nil && o != nil {
		r.RatioPPS1, r.RatioPPS1000, r.RatioTCP = w.PPS1/o.PPS1, w.PPS1000/o.PPS1000, w.TCP/o.TCP
	}
}

func (r *report) print(w *os.File) {
	fmt.Fprintf(w, "%-6s %14s %14s %12s\n", "", "kpps, 1 flow", "kpps, 1000", "TCP Gbit/s")
	for _, name := range []string{"veth", "weir", "ovs"} {
		if v := r.Results[name]; v != nil {
			fmt.Fprintf(w, "%-6s %14.0f %14.0f %12.2f\n", name, v.PPS1/1e3, v.PPS1000/1e3, v.TCP/1e9)
		}
	}
	if r.RatioPPS1 != 0 {
		fmt.Fprintf(w, "weir/ovs %12.2f %14.2f %12.2f\n", r.RatioPPS1, r.RatioPPS1000, r.RatioTCP)
	}
}
