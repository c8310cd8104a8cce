package main

import (
	"bufio"
	"errors"
	"fmt"
	"os"
	"time"

	"weir/test/bench/compare"
)

// writeFlows writes exact 5-tuples as text; those for which changed says true
// go to another port.
func writeFlows(name string, changed func(i int) bool) error {
	file, err := os.Create(name)
	if err != nil {
		return err
	}
	w := bufio.NewWriter(file)
	for i := range flows {
		out := 2
		if changed != nil && changed(i) {
			out = 3
		}
		fmt.Fprintf(w, "table=0,priority=100,%s,actions=output:%d\n", tuple(i), out)
	}
	return errors.Join(w.Flush(), file.Close())
}

// tuple is the i-th connection as a match.
func tuple(i int) string {
	return fmt.Sprintf("tcp,nw_src=10.%d.%d.%d,nw_dst=192.168.%d.%d,tp_src=%d,tp_dst=%d",
		i>>16&255, i>>8&255, i&255, i>>8&255, i*7&255, 1024+i%50000, 80+i%16)
}

// loaded starts a switch and adds the flows.
func loaded(s side, options ...string) (d *daemon, took time.Duration, f figure, err error) {
	if d, err = newDaemon(s); err != nil {
		return nil, 0, f, err
	}
	if err = writeFlows(d.path("flows"), nil); err == nil {
		took, f, err = d.measured("ovs-ofctl", append(options, "add-flows", "br0", d.path("flows"))...)
	}
	if err != nil {
		d.remove()
		return nil, 0, f, err
	}
	return d, took, f, nil
}

// addFlows measures how many flows a second a command adds.
func addFlows(s side, options ...string) (figure, error) {
	d, took, f, err := loaded(s, options...)
	if err != nil {
		return f, err
	}
	defer d.remove()
	f.Value = flows / took.Seconds()
	return f, nil
}

// memoryPerFlow measures by how much the switch has grown when it has come to
// rest.
func memoryPerFlow(s side, options ...string) (figure, error) {
	d, err := newDaemon(s)
	if err != nil {
		return figure{}, err
	}
	defer d.remove()
	if err := writeFlows(d.path("flows"), nil); err != nil {
		return figure{}, err
	}
	before := compare.Settled(d.pid, 30*time.Second)
	_, f, err := d.measured("ovs-ofctl", append(options, "add-flows", "br0", d.path("flows"))...)
	if err != nil {
		return f, err
	}
	after := compare.Settled(d.pid, 30*time.Second)
	f.Value = (after - before) * (1 << 20) / flows
	return f, nil
}

func dumpFlows(s side) (figure, error) {
	d, _, _, err := loaded(s, "--bundle")
	if err != nil {
		return figure{}, err
	}
	defer d.remove()
	took, f, err := d.measured("ovs-ofctl", "dump-flows", "br0")
	f.Value = took.Seconds()
	return f, err
}

// diffFlows measures the comparison of a switch with a file of the same flows.
func diffFlows(s side) (figure, error) {
	d, _, _, err := loaded(s, "--bundle")
	if err != nil {
		return figure{}, err
	}
	defer d.remove()
	took, f, err := d.measured("ovs-ofctl", "diff-flows", "br0", d.path("flows"))
	f.Value = took.Seconds()
	return f, err
}

// replaceFlows measures replace-flows with a file in which every tenth flow is
// another than in the switch.
func replaceFlows(s side) (figure, error) {
	d, _, _, err := loaded(s, "--bundle")
	if err != nil {
		return figure{}, err
	}
	defer d.remove()
	if err := writeFlows(d.path("flows"), func(i int) bool { return i%10 == 0 }); err != nil {
		return figure{}, err
	}
	took, f, err := d.measured("ovs-ofctl", "-O", "OpenFlow14", "replace-flows", "br0", d.path("flows"))
	if err != nil {
		return f, err
	}
	f.Value = took.Seconds()
	_, err = d.tool("ovs-ofctl", "-O", "OpenFlow14", "diff-flows", "br0", d.path("flows"))
	return f, err
}

// startUp measures the time from the start of ovs-vswitchd until it has
// configured an empty database.
func startUp(s side) (figure, error) {
	d, err := startDaemon(s)
	if err != nil {
		return figure{}, err
	}
	defer d.remove()
	if _, err := d.tool("ovs-appctl", "exit"); err != nil {
		return figure{}, err
	}
	for end := time.Now().Add(5 * time.Second); time.Now().Before(end); time.Sleep(time.Millisecond) {
		if _, err := os.Stat(d.path("ovs-vswitchd.pid")); err != nil {
			break
		}
	}
	start := time.Now()
	cmd, err := d.tool("ovs-vswitchd", "--detach", "--no-chdir", "--pidfile", "--log-file", "--enable-dummy", "--disable-system", "--disable-system-route")
	if err != nil {
		return figure{}, err
	}
	took := time.Since(start)
	if d.pid, err = d.pidOf("ovs-vswitchd"); err != nil {
		return figure{}, err
	}
	cpu, _ := compare.Used(cmd)
	return figure{Value: took.Seconds() * 1000, CPU: cpu + compare.CPU(d.pid), PeakMB: compare.Peak(d.pid)}, nil
}

// withPorts starts a switch with a bridge of 1,000 dummy ports and waits until
// it has come to rest.
func withPorts(s side) (*daemon, error) {
	d, err := startDaemon(s)
	if err != nil {
		return nil, err
	}
	args := []string{"add-br", "br0", "--", "set", "bridge", "br0", "datapath_type=dummy"}
	for i := range 1000 {
		args = append(args, "--", "add-port", "br0", fmt.Sprintf("p%d", i), "--", "set", "interface", fmt.Sprintf("p%d", i), "type=dummy")
	}
	if _, err := d.tool("ovs-vsctl", args...); err != nil {
		d.remove()
		return nil, err
	}
	return d, nil
}

// manyPorts measures the memory of a switch with 1,000 ports.
func manyPorts(s side) (figure, error) {
	d, err := withPorts(s)
	if err != nil {
		return figure{}, err
	}
	defer d.remove()
	mem := compare.Settled(d.pid, 30*time.Second)
	return figure{Value: mem, CPU: compare.CPU(d.pid), PeakMB: compare.Peak(d.pid)}, nil
}

// idle measures the CPU time that a switch with 1,000 ports uses when there is
// nothing to do.
func idle(s side) (figure, error) {
	d, err := withPorts(s)
	if err != nil {
		return figure{}, err
	}
	defer d.remove()
	compare.Settled(d.pid, 30*time.Second)
	const watch = 10 * time.Second
	before := compare.CPU(d.pid)
	time.Sleep(watch)
	used := compare.CPU(d.pid) - before
	return figure{Value: max(used, 0.001) * 1000 / watch.Seconds(), CPU: used, PeakMB: compare.Peak(d.pid)}, nil
}
