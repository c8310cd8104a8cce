// Command ovsdb measures ovsdb-server beside Debian's C server on the same jobs,
// in turn in one run, and prints the ratios: `make bench-ovsdb`. The clients are
// this process; they speak over unix sockets and keep requests in flight.
package main

import "weir/test/bench/compare"

// side and figure are those of the frame.
type (
	side   = compare.Side
	figure = compare.Figure
)

// jobs is the table of all measurements.
var jobs = []compare.Job{
	{Name: "single-row transactions, 1 client", Unit: "per s", Higher: true, Run: func(s side) (figure, error) { return transactions(s, 1, 1, 60_000) }},
	{Name: "single-row transactions, 16 clients", Unit: "per s", Higher: true, Run: func(s side) (figure, error) { return transactions(s, 16, 1, 100_000) }},
	{Name: "100-row transactions, 1 client", Unit: "per s", Higher: true, Run: func(s side) (figure, error) { return transactions(s, 1, 100, 2_000) }},
	{Name: "100-row transactions, 16 clients", Unit: "per s", Higher: true, Run: func(s side) (figure, error) { return transactions(s, 16, 100, 2_000) }},
	{Name: "commit to 200 monitors, p50 (10,000 rows)", Unit: "ms", Run: fanOut},
	{Name: "initial dump of 10,000 rows to 50 clients", Unit: "s", Run: func(s side) (figure, error) { return dumps(s, 50) }},
	{Name: "initial dump of 10,000 rows to 200 clients", Unit: "s", Run: func(s side) (figure, error) { return dumps(s, 200) }},
	{Name: "memory for 200 dumps that nobody reads yet", Unit: "MB", Run: lateReaders},
	{Name: "open 200,000 rows, log", Unit: "s", Run: func(s side) (figure, error) { return open(s, false) }},
	{Name: "open 200,000 rows, compacted", Unit: "s", Run: func(s side) (figure, error) { return open(s, true) }},
	{Name: "longest stall while compacting 200,000 rows", Unit: "ms", Run: compactionStall},
	{Name: "500 ovs-vsctl add-port, one after another", Unit: "s", Run: addPorts},
}

func main() { compare.Main(jobs) }
