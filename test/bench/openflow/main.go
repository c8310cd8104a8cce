// Command openflow measures ovs-vswitchd and ovs-ofctl beside Debian's C
// programs on the same jobs, in turn in one run, and prints the ratios:
// `make bench-openflow`. Our tools work on our switch, theirs on theirs.
package main

import "weir/test/bench/compare"

// side and figure are those of the frame.
type (
	side   = compare.Side
	figure = compare.Figure
)

// flows is the size of the tables.
const flows = 100_000

// jobs is the table of all measurements.
var jobs = []compare.Job{
	{Name: "add-flows, 100,000 exact 5-tuples", Unit: "per s", Higher: true, Want: 5, Run: func(s side) (figure, error) { return addFlows(s) }},
	{Name: "add-flows --bundle, 100,000", Unit: "per s", Higher: true, Want: 1.5, Run: func(s side) (figure, error) { return addFlows(s, "--bundle") }},
	{Name: "memory per flow, plain", Unit: "bytes", Want: 1.25, Run: func(s side) (figure, error) { return memoryPerFlow(s) }},
	{Name: "memory per flow, bundle", Unit: "bytes", Want: 1.25, Run: func(s side) (figure, error) { return memoryPerFlow(s, "--bundle") }},
	{Name: "dump-flows of 100,000", Unit: "s", Want: 1, Run: dumpFlows},
	{Name: "diff-flows, 100,000 in switch and file", Unit: "s", Want: 2, Run: diffFlows},
	{Name: "replace-flows, 10 % of 100,000 changed", Unit: "s", Want: 3, Run: replaceFlows},
	{Name: "ofproto/trace over 100,000 flows, one by one", Unit: "per s", Higher: true, Want: 1.5, Run: func(s side) (figure, error) { return trace(s, 1) }},
	{Name: "ofproto/trace over 100,000 flows, 8 unanswered", Unit: "per s", Higher: true, Want: 1.5, Run: func(s side) (figure, error) { return trace(s, 8) }},
	{Name: "start of ovs-vswitchd until it answers", Unit: "ms", Run: startUp},
	{Name: "memory of a switch with 1,000 ports", Unit: "MB", Run: manyPorts},
	{Name: "idle CPU with 1,000 ports", Unit: "ms per s", Run: idle},
}

func main() { compare.Main(jobs) }
