package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// Namespaces: src and dst are the hosts, sw holds the switch.
const (
	nsSrc = "weirbench-src"
	nsDst = "weirbench-dst"
	nsSw  = "weirbench-sw"

	macSrc, macDst = "02:00:00:00:00:01", "02:00:00:00:00:02"
	ipSrc, ipDst   = "10.99.0.1", "10.99.0.2"
)

// bench is one run.
type bench struct {
	ctx    context.Context
	length time.Duration
	report report
	dir    string
}

// run measures each switch in each round, so that slow drifts of the machine
// fall on all of them alike.
func (b *bench) run(switches []string, rounds int) error {
	dir, err := os.MkdirTemp("", "weirbench")
	if err != nil {
		return err
	}
	b.dir = dir
	defer func() { _ = os.RemoveAll(dir) }()
	defer b.removeNamespaces()
	for round := range rounds {
		for _, name := range switches {
			fmt.Fprintf(os.Stderr, "round %d of %d: %s\n", round+1, rounds, name)
			r := b.report.Results[name]
			if r == nil {
				r = &result{}
				b.report.Results[name] = r
			}
			if err := b.measure(name, r); err != nil {
				return fmt.Errorf("%s: %w", name, err)
			}
		}
	}
	return nil
}

func (b *bench) command(ns string, args ...string) *exec.Cmd {
	if ns != "" {
		args = append([]string{"ip", "netns", "exec", ns}, args...)
	}
	cmd := exec.CommandContext(b.ctx, args[0], args[1:]...)
	cmd.Env = append(os.Environ(), "OVS_RUNDIR="+b.dir, "OVS_LOGDIR="+b.dir, "OVS_DBDIR="+b.dir)
	return cmd
}

func (b *bench) do(ns string, args ...string) (string, error) {
	out, err := b.command(ns, args...).CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("%s: %w: %s", strings.Join(args, " "), err, out)
	}
	return string(out), nil
}

func (b *bench) removeNamespaces() {
	for _, ns := range []string{nsSrc, nsDst, nsSw} {
		_ = exec.Command("ip", "netns", "del", ns).Run()
	}
}

// build makes the namespaces and the veth pairs: straight from host to host
// for "veth", else each to the switch's namespace as s1 and s2.
func (b *bench) build(direct bool) error {
	b.removeNamespaces()
	steps := [][]string{{"netns", "add", nsSrc}, {"netns", "add", nsDst}, {"netns", "add", nsSw}}
	if direct {
		steps = append(steps, []string{"link", "add", "e0", "netns", nsSrc, "type", "veth", "peer", "name", "e0", "netns", nsDst})
	} else {
		steps = append(steps,
			[]string{"link", "add", "e0", "netns", nsSrc, "type", "veth", "peer", "name", "s1", "netns", nsSw},
			[]string{"link", "add", "e0", "netns", nsDst, "type", "veth", "peer", "name", "s2", "netns", nsSw},
			[]string{"-n", nsSw, "link", "set", "s1", "up"}, []string{"-n", nsSw, "link", "set", "s2", "up"})
	}
	for _, h := range [][3]string{{nsSrc, macSrc, ipSrc}, {nsDst, macDst, ipDst}} {
		steps = append(steps,
			[]string{"-n", h[0], "link", "set", "lo", "up"},
			[]string{"-n", h[0], "link", "set", "e0", "address", h[1]},
			[]string{"-n", h[0], "addr", "add", h[2] + "/24", "dev", "e0"},
			[]string{"-n", h[0], "link", "set", "e0", "up"})
	}
	steps = append(steps,
		[]string{"-n", nsSrc, "neigh", "replace", ipDst, "lladdr", macDst, "dev", "e0"},
		[]string{"-n", nsDst, "neigh", "replace", ipSrc, "lladdr", macSrc, "dev", "e0"})
	for _, ns := range []string{nsSrc, nsDst, nsSw} {
		if _, err := b.do("", "ip", "netns", "add", ns); err != nil {
			return err
		}
		// No chatter of IPv6 on the wires.
		if _, err := b.do(ns, "sh", "-c", "echo 1 > /proc/sys/net/ipv6/conf/default/disable_ipv6"); err != nil {
			return err
		}
	}
	for _, s := range steps[3:] {
		if _, err := b.do("", append([]string{"ip"}, s...)...); err != nil {
			return err
		}
	}
	return nil
}

// measure builds the stage for one switch and measures it once.
func (b *bench) measure(name string, r *result) error {
	if err := b.build(name == "veth"); err != nil {
		return err
	}
	stop := func() {}
	var err error
	switch name {
	case "weir":
		stop, err = b.startWeir()
	case "ovs":
		stop, err = b.startOVS()
	}
	if err != nil {
		return err
	}
	defer stop()
	if _, err := b.do(nsSrc, "ping", "-c", "2", "-i", "0.2", "-W", "2", ipDst); err != nil {
		return err
	}
	for _, m := range []struct {
		flows   int
		samples *[]float64
	}{{1, &r.PPS1Samples}, {1000, &r.PPS1000Samples}} {
		v, err := b.packets(m.flows)
		if err != nil {
			return err
		}
		*m.samples = append(*m.samples, v)
	}
	if name == "ovs" {
		// Its data path drops packets with partial checksums, so that TCP between
		// veth devices moves nothing until the hosts compute checksums.
		for _, ns := range []string{nsSrc, nsDst} {
			if _, err := b.do(ns, "ethtool", "-K", "e0", "tx", "off"); err != nil {
				return err
			}
		}
	}
	v, err := b.tcp()
	if err != nil {
		return err
	}
	r.TCPSamples = append(r.TCPSamples, v)
	fmt.Fprintf(os.Stderr, "  %.0f and %.0f kpps, TCP %.2f Gbit/s\n", last(r.PPS1Samples)/1e3, last(r.PPS1000Samples)/1e3, v/1e9)
	return nil
}

func last(s []float64) float64 { return s[len(s)-1] }

// packets counts what arrives per second while the generator sends all it can.
func (b *bench) packets(flows int) (float64, error) {
	self, err := os.Executable()
	if err != nil {
		return 0, err
	}
	gen := b.command(nsSrc, self, "generate", "-flows", strconv.Itoa(flows), "-time", (b.length + time.Second).String(), "e0")
	gen.Stderr = os.Stderr
	if err := gen.Start(); err != nil {
		return 0, err
	}
	time.Sleep(700 * time.Millisecond)
	before, err := b.received()
	if err != nil {
		return 0, err
	}
	start := time.Now()
	time.Sleep(b.length)
	after, err := b.received()
	took := time.Since(start)
	if err != nil {
		return 0, err
	}
	return float64(after-before) / took.Seconds(), gen.Wait()
}

func (b *bench) received() (uint64, error) {
	out, err := b.do(nsDst, "cat", "/sys/class/net/e0/statistics/rx_packets")
	if err != nil {
		return 0, err
	}
	return strconv.ParseUint(strings.TrimSpace(out), 10, 64)
}

// tcp measures one connection by iperf3 in bits per second received.
func (b *bench) tcp() (float64, error) {
	server := b.command(nsDst, "iperf3", "-s", "-1", "-B", ipDst)
	if err := server.Start(); err != nil {
		return 0, err
	}
	defer func() { _ = server.Process.Kill(); _ = server.Wait() }()
	time.Sleep(500 * time.Millisecond)
	out, err := b.do(nsSrc, "iperf3", "-J", "-c", ipDst, "-t", strconv.Itoa(int(b.length.Seconds())))
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
	if err := json.Unmarshal([]byte(out), &r); err != nil {
		return 0, err
	}
	return r.End.SumReceived.BitsPerSecond, nil
}

// startWeir runs our data path on s1 and s2 with two flows.
func (b *bench) startWeir() (func(), error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	cmd := b.command(nsSw, self, "switch", "s1", "s2")
	cmd.Stderr = os.Stderr
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	time.Sleep(500 * time.Millisecond)
	return func() { _ = cmd.Process.Signal(os.Interrupt); _ = cmd.Wait() }, nil
}

// startOVS runs Debian's switch on s1 and s2 as a bridge with two flows.
func (b *bench) startOVS() (func(), error) {
	db := filepath.Join(b.dir, "conf.db")
	sock := "unix:" + filepath.Join(b.dir, "db.sock")
	stop := func() {
		_, _ = b.do("", "/usr/bin/ovs-appctl", "-t", "ovs-vswitchd", "exit")
		_, _ = b.do("", "/usr/bin/ovs-appctl", "-t", "ovsdb-server", "exit")
		time.Sleep(300 * time.Millisecond)
		_ = os.Remove(db)
	}
	for _, args := range [][]string{
		{"/usr/bin/ovsdb-tool", "create", db, "/usr/share/openvswitch/vswitch.ovsschema"},
		{"/usr/sbin/ovsdb-server", "--detach", "--no-chdir", "--pidfile", "--log-file", "--remote=p" + sock, db},
		{"/usr/bin/ovs-vsctl", "--db=" + sock, "--no-wait", "init"},
		{"/usr/sbin/ovs-vswitchd", "--detach", "--no-chdir", "--pidfile", "--log-file", sock},
		{"/usr/bin/ovs-vsctl", "--db=" + sock, "add-br", "br0", "--", "set", "bridge", "br0", "datapath_type=netdev", "fail_mode=secure",
			"--", "add-port", "br0", "s1", "--", "set", "interface", "s1", "ofport_request=1",
			"--", "add-port", "br0", "s2", "--", "set", "interface", "s2", "ofport_request=2"},
		{"/usr/bin/ovs-ofctl", "add-flow", "br0", "in_port=1,actions=2"},
		{"/usr/bin/ovs-ofctl", "add-flow", "br0", "in_port=2,actions=1"},
	} {
		if _, err := b.do(nsSw, args...); err != nil {
			stop()
			return nil, err
		}
	}
	return stop, nil
}
