package main

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
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
		fmt.Fprintf(&b, `,{"op":"insert","table":"T","row":%s}`, row(n+i))
	}
	b.WriteString(`]`)
	return b.String()
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
	return measured(v, func() (float64, error) {
		start := time.Now()
		err := together(clients, func(i int) error {
			c, err := dial(v.path("db.sock"))
			if err != nil {
				return err
			}
			defer c.close()
			mine, sent := total/clients, 0
			for done := 0; done < mine; {
				for ; sent < mine && sent-done < inFlight; sent++ {
					if err := c.send(insert((i*mine+sent)*rows, rows, smallRow)); err != nil {
						return err
					}
				}
				if _, err := c.reply(); err != nil {
					return err
				}
				done++
			}
			return nil
		})
		return float64(total) / time.Since(start).Seconds(), err
	})
}

// monitor is a monitor_cond_since request for all of table T.
const monitor = `"method":"monitor_cond_since","params":["B","m",{"T":[{"columns":["name","n","up","tags","ids"]}]},"00000000-0000-0000-0000-000000000000"]`

// fanOut measures the median time from sending a transaction to its update
// having come to each of 200 monitors.
func fanOut(s side) (figure, error) {
	const monitors, commits = 200, 60
	v, err := newServer(s)
	if err != nil {
		return figure{}, err
	}
	defer v.remove()
	if err := fillRows(v, 10_000); err != nil {
		return figure{}, err
	}
	clients := make([]*client, monitors)
	err = together(monitors, func(i int) (err error) {
		if clients[i], err = dial(v.path("db.sock")); err == nil {
			_, err = clients[i].call(monitor)
		}
		return err
	})
	if err != nil {
		return figure{}, err
	}
	var got atomic.Int64
	all := make(chan struct{}, commits)
	for _, c := range clients {
		defer c.close()
		go func() {
			for {
				m, err := c.next()
				if err != nil {
					return
				}
				if !isReply(m) && strings.Contains(string(m[:min(len(m), 100)]), "update3") && got.Add(1)%monitors == 0 {
					all <- struct{}{}
				}
			}
		}()
	}
	writer, err := dial(v.path("db.sock"))
	if err != nil {
		return figure{}, err
	}
	defer writer.close()
	return measured(v, func() (float64, error) {
		var took []time.Duration
		for n := range commits {
			start := time.Now()
			if _, err := writer.call(fmt.Sprintf(`"method":"transact","params":["B",{"op":"update","table":"T","where":[["n","==",%d]],"row":{"name":"changed"}}]`, n)); err != nil {
				return 0, err
			}
			select {
			case <-all:
			case <-time.After(10 * time.Second):
				return 0, fmt.Errorf("update %d came to %d of %d monitors within 10 s", n, got.Load()%monitors, monitors)
			}
			took = append(took, time.Since(start))
		}
		slices.Sort(took)
		return took[len(took)/2].Seconds() * 1000, nil
	})
}

// dumps measures the time until each of many clients that connect at once has a
// dump of 10,000 rows.
func dumps(s side, clients int) (figure, error) {
	v, err := newServer(s)
	if err != nil {
		return figure{}, err
	}
	defer v.remove()
	if err := fillRows(v, 10_000); err != nil {
		return figure{}, err
	}
	return measured(v, func() (float64, error) {
		start := time.Now()
		err := together(clients, func(int) error {
			c, err := dial(v.path("db.sock"))
			if err != nil {
				return err
			}
			defer c.close()
			m, err := c.call(monitor)
			if err == nil && len(m) < 1_000_000 {
				err = fmt.Errorf("a dump of %d bytes: %s", len(m), m[:min(len(m), 200)])
			}
			return err
		})
		return time.Since(start).Seconds(), err
	})
}

// open measures how long a server needs to open 200,000 rows.
func open(s side, compacted bool) (figure, error) {
	v, err := newServer(s)
	if err != nil {
		return figure{}, err
	}
	defer v.remove()
	if err := fillRows(v, 200_000); err != nil {
		return figure{}, err
	}
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
	v, err := newServer(s)
	if err != nil {
		return figure{}, err
	}
	defer v.remove()
	if err := fillRows(v, 200_000); err != nil {
		return figure{}, err
	}
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
		start := time.Now()
		for i := range 500 {
			if err := v.tool("ovs-vsctl", "--no-wait", "add-port", "br0", fmt.Sprintf("p%d", i)); err != nil {
				return 0, err
			}
		}
		return time.Since(start).Seconds(), nil
	})
}
