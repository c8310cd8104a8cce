// Package coverage counts events by name and tells their rates, as
// `ovs-appctl coverage/show` does.
//
// Counters are package-level variables of the code that counts. Counting is one
// atomic addition. The rates come from samples that Tick takes every five seconds
// of the daemon's clock; a mutex owns them.
package coverage

import (
	"fmt"
	"hash/crc32"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// Interval is how often Tick is to be called.
const Interval = 5 * time.Second

const (
	fives   = int(time.Minute / Interval) // samples of five seconds kept
	minutes = 60                          // samples of a minute kept
)

// Counter counts one kind of event.
type Counter struct {
	name    string
	n       atomic.Uint64
	last    uint64          // n at the last sample
	recent  [fives]uint64   // events per sample of five seconds, a ring
	history [minutes]uint64 // events per minute, a ring
}

// table holds the process's counters; its mutex owns their samples too.
var table struct {
	mu       sync.Mutex
	counters []*Counter
	ticks    int
}

// New makes a counter of that name, for a package-level variable.
func New(name string) *Counter {
	c := &Counter{name: name}
	table.mu.Lock()
	defer table.mu.Unlock()
	table.counters = append(table.counters, c)
	return c
}

// Inc counts one event.
func (c *Counter) Inc() { c.n.Add(1) }

// Add counts n events.
func (c *Counter) Add(n uint64) { c.n.Add(n) }

// Load returns the number of events so far.
func (c *Counter) Load() uint64 { return c.n.Load() }

// Tick takes a sample; it is to be called once every Interval.
func Tick() {
	table.mu.Lock()
	defer table.mu.Unlock()
	five, minute := table.ticks%fives, table.ticks/fives%minutes
	for _, c := range table.counters {
		n := c.n.Load()
		c.recent[five] = n - c.last
		if five == 0 {
			c.history[minute] = 0
		}
		c.history[minute] += n - c.last
		c.last = n
	}
	table.ticks++
}

func sum(samples []uint64) (total uint64) {
	for _, s := range samples {
		total += s
	}
	return total
}

// Event is one kind of event that has happened, with average rates per second.
type Event struct {
	Name       string  `json:"name"`
	FiveSecond float64 `json:"per_second_5s"`
	Minute     float64 `json:"per_second_1m"`
	Hour       float64 `json:"per_second_1h"`
	Total      uint64  `json:"total"`
}

// Table is all counters at one time: those that have counted, by name, and how
// many have not.
type Table struct {
	Events []Event `json:"events"`
	Never  int     `json:"never_hit"`
}

// Now returns the table of all counters. Counters made under one name count
// together.
func Now() *Table {
	table.mu.Lock()
	defer table.mu.Unlock()
	sorted := slices.Clone(table.counters)
	slices.SortFunc(sorted, func(a, b *Counter) int { return strings.Compare(a.name, b.name) })
	t := &Table{Events: []Event{}}
	for i, c := range sorted {
		if i == 0 || sorted[i-1].name != c.name {
			t.Events = append(t.Events, Event{Name: c.name})
		}
		e := &t.Events[len(t.Events)-1]
		e.FiveSecond += float64(c.recent[(table.ticks+fives-1)%fives]) / Interval.Seconds()
		e.Minute += float64(sum(c.recent[:])) / 60
		e.Hour += float64(sum(c.history[:])) / 3600
		e.Total += c.n.Load()
	}
	all := len(t.Events)
	t.Events = slices.DeleteFunc(t.Events, func(e Event) bool { return e.Total == 0 })
	t.Never = all - len(t.Events)
	return t
}

// String is the table as coverage/show prints it.
func (t *Table) String() string {
	var rows strings.Builder
	hash := crc32.NewIEEE()
	for _, e := range t.Events {
		fmt.Fprintf(hash, "%s\n", e.Name)
		fmt.Fprintf(&rows, "%-24s %5.1f/sec %9.3f/sec %13.4f/sec   total: %d\n", e.Name, e.FiveSecond, e.Minute, e.Hour, e.Total)
	}
	return fmt.Sprintf("Event coverage, avg rate over last: 5 seconds, last minute, last hour,  hash=%08x:\n%s%d events never hit\n",
		hash.Sum32(), rows.String(), t.Never)
}

// Read returns the count of the counter of that name. Counters made under one
// name count together.
func Read(name string) (n uint64, ok bool) {
	table.mu.Lock()
	defer table.mu.Unlock()
	for _, c := range table.counters {
		if c.name == name {
			n += c.n.Load()
			ok = true
		}
	}
	return n, ok
}
