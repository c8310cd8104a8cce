package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"weir/internal/lab"
)

// job is one measurement.
type job struct {
	name    string
	figures []figure
	// skip names the switches that the job is not for.
	skip []string
	// run measures on a stage that is ready; it returns a value for each figure.
	run func(*stage) ([]float64, error)
}

// figure is one number that a job gives.
type figure struct {
	name, unit string
	scale      float64 // of the unit
	lower      bool    // lower is better
	// wants are what the ebpf data path must reach, as ratios to switches'
	// figures, or as a number of the unit for "".
	wants []want
}

type want struct {
	than  string
	ratio float64
}

func (j *job) does(s subject) bool { return !slices.Contains(j.skip, s.name) }

var plain = []string{"veth", "bridge"}

var jobTable = []job{
	{name: "tcp", run: runTCP, figures: []figure{
		{name: "TCP, one stream", unit: "Gbit/s", scale: 1e9, wants: []want{{"veth", 1}}},
		{name: "the same, both ends on one CPU", unit: "Gbit/s", scale: 1e9, wants: []want{{"veth", 1}}},
		{name: "the same, a CPU for each end", unit: "Gbit/s", scale: 1e9, wants: []want{{"veth", 1}}}}},
	{name: "turns", skip: []string{"veth", "bridge", "C", "userspace"}, run: runTurns, figures: []figure{
		{name: "TCP in turns with a bare pair, both ends on one CPU, to it", unit: "ratio", scale: 1, wants: []want{{"", 1}}},
		{name: "the same by programs that only redirect", unit: "ratio", scale: 1},
		{name: "TCP in turns with a bare pair, a CPU for each end, to it", unit: "ratio", scale: 1, wants: []want{{"", 1}}},
		{name: "the same by programs that only redirect", unit: "ratio", scale: 1}}},
	{name: "pps1", run: packets("-flows", "1"), figures: []figure{{name: "64-byte packets, 1 flow", unit: "kpps", scale: 1e3, wants: []want{{"veth", 0.85}, {"bridge", 1.4}, {"C", 1.6}}}}},
	{name: "pps1000", run: packets("-flows", "1000"), figures: []figure{{name: "64-byte packets, 1,000 flows", unit: "kpps", scale: 1e3, wants: []want{{"veth", 0.85}, {"bridge", 1.4}, {"C", 1.6}}}}},
	{name: "masks", skip: plain, run: runMasks, figures: []figure{
		{name: "packets of 64 kinds, 1 mask", unit: "kpps", scale: 1e3},
		{name: "packets of 64 kinds, 64 masks", unit: "kpps", scale: 1e3},
		{name: "64 masks to 1 mask", unit: "ratio", scale: 1, wants: []want{{"", 0.95}}}}},
	{name: "attack", skip: plain, run: runAttack, figures: []figure{
		{name: "packets of 1,000 flows through an ACL", unit: "kpps", scale: 1e3},
		{name: "the same under attack with 8,192 masks at 1,000 pps", unit: "kpps", scale: 1e3},
		{name: "under attack to undisturbed", unit: "ratio", scale: 1, wants: []want{{"", 0.8}}},
		{name: "masks in the data path under attack", unit: "", scale: 1, lower: true}}},
	{name: "live", skip: append([]string{"C"}, plain...), run: runLive, figures: []figure{
		{name: "1 flow, before it is traced", unit: "kpps", scale: 1e3},
		{name: "while other traffic is traced live, to before", unit: "ratio", scale: 1},
		{name: "while it is traced live itself, to before", unit: "ratio", scale: 1}}},
	{name: "rtt", run: runRTT, figures: []figure{
		{name: "round trip, median", unit: "us", scale: 1, lower: true, wants: []want{{"veth", 1.05}}},
		{name: "round trip, 99th percentile", unit: "us", scale: 1, lower: true, wants: []want{{"veth", 1.05}}}}},
	{name: "setup", skip: []string{"bridge"}, run: runSetup, figures: []figure{
		{name: "set-ups of 100,000 flows", unit: "k/s", scale: 1e3, wants: []want{{"", 150}, {"C", 1}}},
		{name: "the same, memory a flow", unit: "bytes", scale: 1, lower: true, wants: []want{{"C", 0.5}}},
		{name: "the same, CPU time a flow", unit: "us", scale: 1e-6, lower: true}}},
	{name: "revalidate", skip: plain, run: runRevalidate, figures: []figure{
		{name: "dump and revalidate 200,000 flows", unit: "ms", scale: 1e-3, lower: true, wants: []want{{"", 100}}},
		{name: "the same, all translated again", unit: "ms", scale: 1e-3, lower: true}}},
	{name: "restart", skip: plain, run: disturbed(restart), figures: []figure{{name: "lost over ovs-ctl restart at 100,000 pps", unit: "packets", scale: 1, lower: true, wants: []want{{"", 0}}}}},
	{name: "kill", skip: plain, run: disturbed(kill), figures: []figure{{name: "lost over kill -9 at 100,000 pps", unit: "packets", scale: 1, lower: true, wants: []want{{"", 0}}}}},
	{name: "vxlan", skip: []string{"veth", "C"}, run: runVXLAN, figures: []figure{{name: "VXLAN, TCP one stream", unit: "Gbit/s", scale: 1e9, wants: []want{{"bridge", 1}}}}},
	{name: "flood", skip: []string{"veth"}, run: runFlood, figures: []figure{{name: "flood to 16 ports, sum of receivers", unit: "kpps", scale: 1e3, wants: []want{{"bridge", 1}}}}},
}

// placement is where iperf3 keeps the two ends of a connection. It counts for as
// much as the switch does: on one CPU the ends take turns, on two the sender's
// does the switch's work and wakes the other.
type placement []string

var (
	asScheduled = placement{}
	oneCPU      = placement{"-A", "0,0"}
	aCPUEach    = placement{"-A", fmt.Sprintf("0,%d", runtime.NumCPU()-1)}
)

// runTCP measures one connection with its ends placed in each way.
func runTCP(st *stage) ([]float64, error) {
	var v []float64
	for _, p := range []placement{asScheduled, oneCPU, aCPUEach} {
		rate, err := st.connection(p)
		if err != nil {
			return nil, err
		}
		v = append(v, rate)
	}
	return v, nil
}

// connection is what one connection of iperf3 moves, in bits per second received.
func (st *stage) connection(p placement) (float64, error) {
	server, err := st.receiver(ipDst)
	if err != nil {
		return 0, err
	}
	defer func() { _ = server.Process.Kill(); _ = server.Wait() }()
	args := append([]string{"iperf3", "-J", "-c", ipDst, "-t", fmt.Sprint(max(1, int(st.length.Seconds())))}, p...)
	out, err := st.in(nsSrc, args...)
	if err != nil {
		return 0, err
	}
	var r struct {
		End struct {
			SumReceived struct {
				BitsPerSecond float64 `json:"bits_per_second"`
			} `json:"sum_received"`
		} `json:"end"`
	}
	err = json.Unmarshal([]byte(out), &r)
	return r.End.SumReceived.BitsPerSecond, err
}

// receiver starts an iperf3 that takes one connection to an address.
func (st *stage) receiver(addr string) (*exec.Cmd, error) {
	server := st.command(nsDst, "iperf3", "-s", "-1", "-B", addr)
	if err := server.Start(); err != nil {
		return nil, err
	}
	time.Sleep(300 * time.Millisecond)
	return server, nil
}

// packets counts what arrives per second while the generator sends all it can.
func packets(args ...string) func(*stage) ([]float64, error) {
	return func(st *stage) ([]float64, error) {
		v, err := st.rate([]string{"e0"}, append([]string{"-time", (st.length + time.Second).String()}, args...)...)
		return []float64{v}, err
	}
}

// runMasks sends packets of many kinds, first with one flow for all of them and
// then with a flow of its own mask for each kind, which are put into the data
// path as they are: the OpenFlow tables allow wider ones.
func runMasks(st *stage) ([]float64, error) {
	send := packets("-flows", "1000", "-masks")
	one, err := send(st)
	if err != nil {
		return nil, err
	}
	var file strings.Builder
	for i := range numMasks {
		fmt.Fprintf(&file, "add recirc_id(0),in_port(%s),packet_type(ns=0,id=0),eth_type(0x0800),%s %s\n", st.dpPort("s1"), maskedFlow(i), st.dpPort("s2"))
	}
	if err := os.WriteFile(st.path("flows"), []byte(file.String()), 0o600); err != nil {
		return nil, err
	}
	// The flow that there is matches all of their packets.
	if err := st.tools("ovs-appctl dpctl/del-flows", "ovs-appctl dpctl/add-flows "+st.path("flows")); err != nil {
		return nil, err
	}
	many, err := send(st)
	if err != nil {
		return nil, err
	}
	return []float64{one[0], many[0], many[0] / one[0]}, nil
}

// dpPort is the data path's number of a port.
func (st *stage) dpPort(name string) string {
	out, _ := st.tool("ovs-appctl", "dpctl/show")
	for line := range strings.Lines(out) {
		if rest, ok := strings.CutPrefix(strings.TrimSpace(line), "port "); ok {
			no, dev, _ := strings.Cut(rest, ": ")
			if strings.Fields(dev)[0] == name {
				return no
			}
		}
	}
	return ""
}

func runRTT(st *stage) ([]float64, error) {
	echo := st.command(nsDst, st.self, "echo")
	if err := echo.Start(); err != nil {
		return nil, err
	}
	defer func() { _ = echo.Process.Kill(); _ = echo.Wait() }()
	time.Sleep(200 * time.Millisecond)
	out, err := st.in(nsSrc, st.self, "ping", st.length.String())
	if err != nil {
		return nil, err
	}
	return numbers(out)
}

func numbers(text string) (v []float64, err error) {
	for _, f := range strings.Fields(text) {
		x, err := strconv.ParseFloat(f, 64)
		if err != nil {
			return nil, err
		}
		v = append(v, x)
	}
	return v, nil
}

// disturbed counts the packets lost at 100,000 a second while something is
// done to the switch.
func disturbed(disturb func(*stage) error) func(*stage) ([]float64, error) {
	return func(st *stage) ([]float64, error) {
		const pps, length = 100000, 8 * time.Second
		before, err := st.received("e0")
		if err != nil {
			return nil, err
		}
		gen := st.command(nsSrc, st.self, "generate", "-flows", "100", "-pps", strconv.Itoa(pps), "-time", length.String())
		out := make(chan []byte, 1)
		go func() {
			text, _ := gen.Output()
			out <- text
		}()
		time.Sleep(2 * time.Second)
		if err := disturb(st); err != nil {
			return nil, err
		}
		sent, err := numbers(string(<-out))
		if err != nil || len(sent) != 1 {
			return nil, errors.New("the generator failed")
		}
		time.Sleep(300 * time.Millisecond)
		after, err := st.received("e0")
		return []float64{sent[0] - float64(after.packets-before.packets)}, err
	}
}

// restart stops and starts the switch as an upgrade does; Debian's without its
// scripts, which expect to be the only ones on a machine.
func restart(st *stage) error {
	if st.sub.name != "C" {
		_, err := st.tool("ovs-ctl", "--system-id=random", "--no-mlockall", "--no-ovsdb-server", "restart")
		return err
	}
	pid, err := st.pid()
	if err != nil {
		return err
	}
	if _, err := st.tool("ovs-appctl", "exit"); err != nil {
		return err
	}
	for syscall.Kill(pid, 0) == nil {
		time.Sleep(5 * time.Millisecond)
	}
	return st.again()
}

// kill kills the switch and starts it again.
func kill(st *stage) error {
	pid, err := st.pid()
	if err != nil {
		return err
	}
	if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
		return err
	}
	time.Sleep(500 * time.Millisecond)
	return st.again()
}

// again starts the switch and gives it its flows back, as ovs-ctl does.
func (st *stage) again() error {
	return st.tools(
		"ovs-vsctl --no-wait set Open_vSwitch . other_config:flow-restore-wait=true",
		"ovs-vswitchd --detach --no-chdir --pidfile --log-file",
		"ovs-ofctl add-flow br0 in_port=1,actions=2",
		"ovs-ofctl add-flow br0 in_port=2,actions=1",
		"ovs-vsctl --no-wait remove Open_vSwitch . other_config flow-restore-wait")
}

func (st *stage) pid() (int, error) {
	text, err := os.ReadFile(st.path("ovs-vswitchd.pid"))
	if err != nil {
		return 0, err
	}
	return strconv.Atoi(strings.TrimSpace(string(text)))
}

// runFlood sends broadcasts to 16 ports and sums what they receive.
func runFlood(st *stage) ([]float64, error) {
	if err := st.listeners(); err != nil {
		return nil, err
	}
	devices := []string{"e0"}
	for i := range floodPorts {
		devices = append(devices, fmt.Sprintf("l%d", i))
		if st.sub.name == "bridge" {
			if err := lab.IP(fmt.Sprintf("-n %s link set s%d master br0", nsSw, i+3)); err != nil {
				return nil, err
			}
		} else if _, err := st.tool("ovs-vsctl", "add-port", "br0", fmt.Sprintf("s%d", i+3)); err != nil {
			return nil, err
		}
	}
	if st.sub.program != nil {
		if err := st.tools("ovs-ofctl add-flow br0 in_port=1,actions=flood"); err != nil {
			return nil, err
		}
	}
	v, err := st.rate(devices, "-time", (st.length + time.Second).String(), "-broadcast")
	return []float64{v}, err
}
