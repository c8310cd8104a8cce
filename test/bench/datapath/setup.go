package main

import (
	"bufio"
	"errors"
	"flag"
	"fmt"
	"io"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/vishvananda/netlink"

	"weir/internal/lab"
	"weir/internal/unixctl"
	"weir/test/bench/compare"
)

// connectMain sends one packet of each of many flows out of e0, and keeps at
// most a window of them on their way to the receiver's e0, as the peers of
// connections would: a switch is offered what it can take, and no packets are
// lost in its queues. It prints "ready", then "done" when it has sent all, and
// goes on with those that were lost until it is ended.
func connectMain(args []string) error {
	fs := flag.NewFlagSet("connect", flag.ContinueOnError)
	flows := fs.Int("flows", 1, "number of flows")
	window := fs.Int("window", 256, "packets on their way")
	if err := fs.Parse(args); err != nil {
		return err
	}
	list := frames(*flows, false, false, false)
	for _, f := range list {
		f[5] = 0x99 // a host that isn't there: the receiver's stack leaves the packet alone
	}
	g, err := lab.NewSender("e0", list)
	if err != nil {
		return err
	}
	arrived, err := counter(nsDst, "e0")
	if err != nil {
		return err
	}
	fmt.Println("ready")
	for range 100 {
		if err := paced(g, *flows, *window, arrived); err != nil {
			return err
		}
		fmt.Println("done")
	}
	return errors.New("flows did not get through")
}

// counter reads how many packets a device of another namespace has received.
func counter(space, device string) (read func() (int, error), err error) {
	var h *netlink.Handle
	var index int
	err = lab.Within(space, func() (err error) {
		if h, err = netlink.NewHandle(); err != nil {
			return err
		}
		l, err := h.LinkByName(device)
		if err == nil {
			index = l.Attrs().Index
		}
		return err
	})
	return func() (int, error) {
		l, err := h.LinkByIndex(index)
		if err != nil {
			return 0, err
		}
		return int(l.Attrs().Statistics.RxPackets), nil
	}, err
}

// stuckAfter is how long nothing arrives until what is on its way counts as lost.
const stuckAfter = 20 * time.Millisecond

// paced sends n frames with at most window of them on their way.
func paced(g *lab.Sender, n, window int, arrived func() (int, error)) error {
	base, err := arrived()
	if err != nil {
		return err
	}
	sent, last, moved := 0, 0, time.Now()
	for sent < n || sent-last > 0 {
		now, err := arrived()
		if err != nil {
			return err
		}
		switch got := now - base; {
		case got != last:
			last, moved = got, time.Now()
		case time.Since(moved) > stuckAfter:
			base -= sent - last
			last, moved = sent, time.Now()
		}
		const batch = 64 // of one system call
		room := min(window-(sent-last), n-sent, batch)
		if room < min(batch/2, n-sent) || room <= 0 {
			time.Sleep(20 * time.Microsecond)
			continue
		}
		m, err := g.Send(room)
		if err != nil {
			return err
		}
		sent += m
	}
	return nil
}

// control is a connection to the switch's control socket, by which it is asked
// without the start of a program.
func (st *stage) control() (*unixctl.Client, error) {
	found, err := filepath.Glob(st.path("ovs-vswitchd.*.ctl"))
	if err != nil || len(found) != 1 {
		return nil, fmt.Errorf("control socket of ovs-vswitchd: %q %w", found, err)
	}
	return unixctl.Dial(found[0])
}

// numFlows is how many flows the switch has.
func numFlows(c *unixctl.Client) (int, error) {
	v, err := shown(c, "(current ", ")")
	return int(v), err
}

// shown is a number in what upcall/show prints.
func shown(c *unixctl.Client, before, after string) (float64, error) {
	out, remote, err := c.Transact("upcall/show", nil)
	if err = errors.Join(remote, err); err != nil {
		return 0, err
	}
	_, rest, _ := strings.Cut(out, before)
	n, _, _ := strings.Cut(rest, after)
	return strconv.ParseFloat(n, 64)
}

// exactFlows has every packet make a flow of its own, of which there may be many.
func (st *stage) exactFlows() error {
	return st.tools(
		"ovs-vsctl set Open_vSwitch . other_config:flow-limit=400000 other_config:max-idle=600000",
		"ovs-appctl upcall/disable-megaflows",
		"ovs-appctl upcall/set-flow-limit 400000")
}

// fill has n flows set up, and returns how long that took until all of them
// are installed and their packets have arrived.
func (st *stage) fill(n int) (took time.Duration, err error) {
	var flows func() (int, error)
	if st.sub.program != nil {
		if err := st.exactFlows(); err != nil {
			return 0, err
		}
		c, err := st.control()
		if err != nil {
			return 0, err
		}
		defer c.Close()
		// Turning megaflows off has removed the flows there were, or will soon.
		flows = func() (int, error) { return numFlows(c) }
	}
	gen := st.command(nsSrc, st.self, "connect", "-flows", strconv.Itoa(n))
	out, err := gen.StdoutPipe()
	if err != nil {
		return 0, err
	}
	if err := gen.Start(); err != nil {
		return 0, err
	}
	defer func() { _ = gen.Process.Kill(); _ = gen.Wait() }()
	return awaitFlows(bufio.NewReader(out), n, flows)
}

// awaitFlows waits for the sender's rounds until there are n flows. A switch
// counts its flows in its own time: Debian's up to 100 ms late.
func awaitFlows(sender *bufio.Reader, n int, flows func() (int, error)) (time.Duration, error) {
	have := 0
	var start time.Time
	for {
		line, err := sender.ReadString('\n')
		if err != nil && !errors.Is(err, io.EOF) {
			return 0, err
		}
		switch strings.TrimSpace(line) {
		case "ready":
			start = time.Now()
		case "done":
			took := time.Since(start)
			if flows == nil {
				return took, nil
			}
			for deadline := time.Now().Add(200 * time.Millisecond); time.Now().Before(deadline); time.Sleep(2 * time.Millisecond) {
				if have, err = flows(); err != nil || have >= n {
					return took, err
				}
			}
		default:
			return 0, fmt.Errorf("%d of %d flows got installed", have, n)
		}
	}
}

// runSetup measures how many flows are set up in a second, and what the
// switch's process keeps of each.
func runSetup(st *stage) ([]float64, error) {
	const n = 100000
	if st.sub.program == nil {
		took, err := st.fill(n)
		return []float64{n / took.Seconds(), 0, 0}, err
	}
	pid, err := st.pid()
	if err != nil {
		return nil, err
	}
	memory, cpu := compare.Resident(pid), compare.CPU(pid)
	took, err := st.fill(n)
	if err != nil {
		return nil, err
	}
	cpu = compare.CPU(pid) - cpu
	time.Sleep(time.Second)
	kept := (compare.Resident(pid) - memory) * (1 << 20) / n
	return []float64{n / took.Seconds(), kept, cpu / n}, nil
}

// runRevalidate measures how long it takes until 200,000 flows have been looked
// at, first without a change of the tables and then after one of the rule that
// all of them met, made while revalidation pauses. The time is that of commands
// on the control socket, since a switch's own word, "dump duration", is of its
// last pass only, whatever that had to do.
func runRevalidate(st *stage) ([]float64, error) {
	const n = 200000
	if _, err := st.fill(n); err != nil {
		return nil, err
	}
	c, err := st.control()
	if err != nil {
		return nil, err
	}
	defer c.Close()
	timed := func(commands ...string) (float64, error) {
		start := time.Now()
		for _, cmd := range commands {
			if _, remote, err := c.Transact(cmd, nil); remote != nil || err != nil {
				return 0, errors.Join(remote, err)
			}
		}
		return time.Since(start).Seconds(), nil
	}
	var quiet, changed []float64
	for i := range 5 {
		v, err := timed("revalidator/wait")
		if err != nil {
			return nil, err
		}
		if _, err := timed("revalidator/pause"); err != nil {
			return nil, err
		}
		if err := st.tools(fmt.Sprintf("ovs-ofctl mod-flows br0 in_port=1,actions=load:%d->NXM_NX_REG0[],output:2", i+1)); err != nil {
			return nil, err
		}
		w, err := timed("revalidator/resume", "revalidator/wait")
		if err != nil {
			return nil, err
		}
		quiet, changed = append(quiet, v), append(changed, w)
	}
	if have, err := numFlows(c); err != nil || have < n {
		return nil, fmt.Errorf("%d of %d flows are left: %w", have, n, err)
	}
	return []float64{slices.Min(quiet), slices.Min(changed)}, nil
}
