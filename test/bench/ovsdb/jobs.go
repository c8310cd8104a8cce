package main

import (
	"fmt"
	"os"
	"runtime"
	"slices"
	"strings"
	"sync"
	"time"
)

// inFlight is how many requests a client keeps unanswered.
const inFlight = 8

// insert is a transact request that inserts the rows n to n+count-1, each as
// row prints it.
func insert(n, count int, row func(int) string) string {
	var b strings.Builder
	b.WriteString(`"method":"transact","params":["B"`)
	for i := range count {
		b.WriteString(`,{"op":"insert","table":"T","row":`)
		b.WriteString(row(n + i))
		b.WriteByte('}')
	}
	b.WriteString(`]`)
	return b.String()
}

// requests is a sequence of requests, made before the clock starts.
type requests struct {
	text []byte
	ends []int
}

func (r *requests) add(request string) {
	r.text = fmt.Appendf(r.text, `{"id":%d,%s}`, len(r.ends), request)
	r.ends = append(r.ends, len(r.text))
}

// slice is the text of the requests from..to-1.
func (r *requests) slice(from, to int) []byte {
	start := 0
	if from > 0 {
		start = r.ends[from-1]
	}
	return r.text[start:r.ends[to-1]]
}

// run sends the requests, inFlight unanswered at most: as many in one write as
// the replies that came in one read made room for.
func (r *requests) run(path string) error {
	c, err := dial(path)
	if err != nil {
		return err
	}
	defer c.close()
	for sent, done := 0, 0; done < len(r.ends); {
		if to := min(len(r.ends), done+inFlight); to > sent {
			if _, err := c.conn.Write(r.slice(sent, to)); err != nil {
				return err
			}
			sent = to
		}
		if err := c.read(); err != nil {
			return err
		}
		n, err := c.replies()
		if err != nil {
			return err
		}
		done += n
	}
	return nil
}

// fillRows inserts rows, many to a transaction.
func fillRows(v *server, rows int) error {
	c, err := dial(v.path("db.sock"))
	if err != nil {
		return err
	}
	defer c.close()
	for n := 0; n < rows; n += 500 {
		if _, err := c.call(insert(n, min(500, rows-n), row)); err != nil {
			return err
		}
	}
	return nil
}

// filled starts a server with rows.
func filled(s side, rows int) (*server, error) {
	v, err := newServer(s)
	if err == nil {
		if err = fillRows(v, rows); err != nil {
			v.remove()
		}
	}
	return v, err
}

// measured runs a job on a server that is up and adds CPU and memory.
func measured(v *server, f func() (float64, error)) (figure, error) {
	before := v.cpu()
	value, err := f()
	return figure{Value: value, CPU: v.cpu() - before, PeakMB: v.peak()}, err
}

// together runs f once per client, at the same time, and returns the first error.
func together(clients int, f func(i int) error) error {
	errs := make([]error, clients)
	var wg sync.WaitGroup
	for i := range clients {
		wg.Go(func() { errs[i] = f(i) })
	}
	wg.Wait()
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}

// transactions measures transactions per second that insert rows.
func transactions(s side, clients, rows, total int) (figure, error) {
	v, err := newServer(s)
	if err != nil {
		return figure{}, err
	}
	defer v.remove()
	mine := make([]requests, clients)
	for i := range total {
		mine[i%clients].add(insert(i*rows, rows, smallRow))
	}
	runtime.GC() // of what was made for this, before the clock starts
	return measured(v, func() (float64, error) {
		start := time.Now()
		err := together(clients, func(i int) error { return mine[i].run(v.path("db.sock")) })
		return float64(total) / time.Since(start).Seconds(), err
	})
}

// monitor is a monitor_cond_since request for all of table T.
const monitor = `"method":"monitor_cond_since","params":["B","m",{"T":[{"columns":["name","n","up","tags","ids"]}]},"00000000-0000-0000-0000-000000000000"]`

// quietMonitor is monitor without the initial dump.
var quietMonitor = strings.Replace(monitor, `}]}`, `,"select":{"initial":false}}]}`, 1)

// fanOut measures the median time from sending a transaction to its update
// having come to each of 200 monitors.
func fanOut(s side) (figure, error) {
	const monitors, commits = 200, 200
	v, err := filled(s, 10_000)
	if err != nil {
		return figure{}, err
	}
	defer v.remove()
	clients := make([]*client, monitors)
	err = together(monitors, func(i int) (err error) {
		if clients[i], err = dial(v.path("db.sock")); err == nil {
			_, err = clients[i].call(quietMonitor)
		}
		return err
	})
	if err != nil {
		return figure{}, err
	}
	writer, err := dial(v.path("db.sock"))
	if err != nil {
		return figure{}, err
	}
	defer writer.close()
	readers, err := newPoll(clients)
	if err != nil {
		return figure{}, err
	}
	defer readers.close()
	return measured(v, func() (float64, error) {
		var took []time.Duration
		for n := range commits {
			start := time.Now()
			if err := writer.send(fmt.Sprintf(`"method":"transact","params":["B",{"op":"update","table":"T","where":[["n","==",%d]],"row":{"name":"changed"}}]`, n)); err != nil {
				return 0, err
			}
			if err := readers.updates(n + 1); err != nil {
				return 0, err
			}
			took = append(took, time.Since(start))
			if _, err := writer.reply(); err != nil {
				return 0, err
			}
		}
		slices.Sort(took)
		return took[len(took)/2].Seconds() * 1000, nil
	})
}

// dumps measures the time until each of many clients that connect at once has a
// dump of 10,000 rows.
func dumps(s side, clients int) (figure, error) {
	v, err := filled(s, 10_000)
	if err != nil {
		return figure{}, err
	}
	defer v.remove()
	// Every dump is as long as the first one: clients need not look for its end.
	first, err := dial(v.path("db.sock"))
	if err != nil {
		return figure{}, err
	}
	defer first.close()
	dump, err := first.call(monitor)
	if err != nil {
		return figure{}, err
	}
	length := len(dump)
	if length < 1_000_000 {
		return figure{}, fmt.Errorf("a dump of %d bytes: %s", length, dump[:min(length, 200)])
	}
	return measured(v, func() (float64, error) {
		start := time.Now()
		err := together(clients, func(int) error {
			c, err := dial(v.path("db.sock"))
			if err != nil {
				return err
			}
			defer c.close()
			if err := c.send(monitor); err != nil {
				return err
			}
			if err := c.read(); err != nil {
				return err
			}
			if !isReply(c.buf[:c.fill]) || isError(c.buf[:c.fill]) {
				return fmt.Errorf("not a dump: %s", c.buf[:min(c.fill, 200)])
			}
			if last, err := c.skip(length); err != nil || last != '}' {
				return fmt.Errorf("a dump that ends with %q: %w", last, err)
			}
			return nil
		})
		return time.Since(start).Seconds(), err
	})
}

// lateReaders measures the server's peak memory when 200 clients ask for a dump
// of 10,000 rows and begin to read only when the server has nothing more to do.
func lateReaders(s side) (figure, error) {
	const clients = 200
	v, err := filled(s, 10_000)
	if err != nil {
		return figure{}, err
	}
	defer v.remove()
	return measured(v, func() (float64, error) {
		waiting := make([]*client, clients)
		for i := range waiting {
			c, err := dial(v.path("db.sock"))
			if err != nil {
				return 0, err
			}
			defer c.close()
			if err := c.send(monitor); err != nil {
				return 0, err
			}
			waiting[i] = c
		}
		for used := -1.0; v.cpu() > used; time.Sleep(time.Second) {
			used = v.cpu()
		}
		peak := v.peak()
		for _, c := range waiting {
			if err := c.read(); err != nil || !isReply(c.buf[:c.fill]) || isError(c.buf[:c.fill]) {
				return 0, fmt.Errorf("not a dump: %s (%v)", c.buf[:min(c.fill, 200)], err)
			}
		}
		return peak, nil
	})
}

// open measures how long a server needs to open 200,000 rows.
func open(s side, compacted bool) (figure, error) {
	v, err := filled(s, 200_000)
	if err != nil {
		return figure{}, err
	}
	defer v.remove()
	v.stop()
	if compacted {
		if err := v.tool("ovsdb-tool", "compact", v.path("conf.db")); err != nil {
			return figure{}, err
		}
	}
	os.Remove(v.path("db.sock"))
	start := time.Now()
	if err := v.start(); err != nil {
		return figure{}, err
	}
	return figure{Value: time.Since(start).Seconds(), CPU: v.cpu(), PeakMB: v.peak()}, nil
}

// compactionStall measures the longest wait for an echo, and a transaction,
// while the server compacts 200,000 rows.
func compactionStall(s side) (figure, error) {
	v, err := filled(s, 200_000)
	if err != nil {
		return figure{}, err
	}
	defer v.remove()
	c, err := dial(v.path("db.sock"))
	if err != nil {
		return figure{}, err
	}
	defer c.close()
	return measured(v, func() (float64, error) {
		done := make(chan error, 1)
		go func() { done <- v.tool("ovs-appctl", "-t", "ovsdb-server", "ovsdb-server/compact") }()
		var worst time.Duration
		for n := 0; ; n++ {
			start := time.Now()
			if _, err := c.call(insert(1_000_000+n, 1, smallRow)); err != nil {
				return 0, err
			}
			worst = max(worst, time.Since(start))
			select {
			case err := <-done:
				return worst.Seconds() * 1000, err
			case <-time.After(time.Millisecond):
			}
		}
	})
}

// addPorts measures 500 runs of ovs-vsctl add-port, each a process of its own.
func addPorts(s side) (figure, error) {
	text, err := os.ReadFile("schema/vswitch.ovsschema")
	if err != nil {
		return figure{}, err
	}
	v, err := newDatabase(s, string(text))
	if err != nil {
		return figure{}, err
	}
	defer v.remove()
	if err := v.start(); err != nil {
		return figure{}, err
	}
	if err := v.tool("ovs-vsctl", "--no-wait", "add-br", "br0"); err != nil {
		return figure{}, err
	}
	return measured(v, func() (float64, error) {
		var first, last, total time.Duration
		for i := range 500 {
			start := time.Now()
			if err := v.tool("ovs-vsctl", "--no-wait", "add-port", "br0", fmt.Sprintf("p%d", i)); err != nil {
				return 0, err
			}
			took := time.Since(start)
			if total += took; i < 50 {
				first += took
			} else if i >= 450 {
				last += took
			}
		}
		fmt.Fprintf(os.Stderr, "\rthe last 50 took %.1f times what the first 50 took\n", last.Seconds()/first.Seconds())
		return total.Seconds(), nil
	})
}
