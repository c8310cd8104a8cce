// Command datapath measures forwarding between network namespaces on one
// machine, side by side in one run: a bare veth pair, a Linux bridge, Debian's
// Open vSwitch with its netdev data path, our data path in user space, and our
// eBPF data path. All switches are real daemons with a database. Rounds
// alternate between them, medians count, and ratios are what is told.
//
// It prints a table, and writes JSON with -json FILE and a picture with
// -svg FILE.
//
// Needs root, ip(8), iperf3(1) and Debian's openvswitch-switch (not started;
// its daemons run here with directories of their own), and our programs in
// bin/.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"slices"
	"strings"
	"time"
)

func main() {
	if len(os.Args) > 1 {
		// Roles that this program plays in the hosts' namespaces.
		roles := map[string]func([]string) error{"generate": generateMain, "connect": connectMain, "ping": pingMain, "echo": echoMain}
		if role := roles[os.Args[1]]; role != nil {
			exit(role(os.Args[2:]))
		}
	}
	o := options{}
	flag.IntVar(&o.rounds, "rounds", 3, "how often each measurement is made; the median counts")
	flag.DurationVar(&o.length, "time", 2*time.Second, "length of one measurement")
	only := flag.String("only", "", "only these switches: "+strings.Join(switchNames(), ","))
	jobs := flag.String("job", "", "only jobs whose names contain this")
	flag.StringVar(&o.json, "json", "", "write the result to this file")
	flag.StringVar(&o.svg, "svg", "", "draw the result to this file")
	from := flag.String("from", "", "measure nothing: put together the results in these files, separated by commas")
	flag.Parse()
	if *from != "" {
		exit(together(&o, strings.Split(*from, ",")))
	}
	for _, s := range switches {
		if *only == "" || slices.Contains(strings.Split(*only, ","), s.name) {
			o.switches = append(o.switches, s)
		}
	}
	for _, j := range jobTable {
		if strings.Contains(j.name, *jobs) {
			o.jobs = append(o.jobs, j)
		}
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	exit(run(ctx, &o))
}

func exit(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
	os.Exit(0)
}

// options are what the command line asks for.
type options struct {
	rounds    int
	length    time.Duration
	switches  []subject
	jobs      []job
	json, svg string
}

// run measures each job on each switch in turn, so that slow drifts of the
// machine fall on all alike.
func run(ctx context.Context, o *options) error {
	r := newReport()
	for _, j := range o.jobs {
		for round := range o.rounds {
			for _, s := range o.switches {
				if !j.does(s) || ctx.Err() != nil {
					continue
				}
				fmt.Fprintf(os.Stderr, "%s, %s, round %d of %d: ", j.name, s.name, round+1, o.rounds)
				v, err := measure(ctx, o, &j, s)
				if err != nil {
					fmt.Fprintln(os.Stderr, err)
					r.fail(&j, s, err)
					continue
				}
				fmt.Fprintf(os.Stderr, "%.4g\n", v)
				r.add(&j, s, v)
			}
		}
		r.printJob(os.Stdout, &j)
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	return r.write(o)
}

// measure builds the stage for one switch, runs one job on it once, and takes
// it down.
func measure(ctx context.Context, o *options, j *job, s subject) (v []float64, err error) {
	st, err := newStage(ctx, o.length, s)
	if err != nil {
		return nil, err
	}
	defer st.close()
	return j.run(st)
}
