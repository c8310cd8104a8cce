package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"weir/internal/lab"
)

// Namespaces: src and dst are the hosts, sw holds the switch.
const (
	prefix = "weirbench-"
	nsSrc  = prefix + "src"
	nsDst  = prefix + "dst"
	nsSw   = prefix + "sw"

	macSrc, macDst = "02:00:00:00:00:01", "02:00:00:00:00:02"
	ipSrc, ipDst   = "10.99.0.1", "10.99.0.2"
)

// floodPorts is how many more hosts a stage has that only listen.
const floodPorts = 15

// stage is the hosts with one switch between them.
type stage struct {
	ctx    context.Context
	length time.Duration
	sub    subject
	sw     string // the namespace of the switch
	dir    string // of the switch's files
	self   string
}

// newStage builds the namespaces and starts the switch.
func newStage(ctx context.Context, length time.Duration, s subject) (*stage, error) {
	dir, err := os.MkdirTemp("", "weirbench")
	if err != nil {
		return nil, err
	}
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	st := &stage{ctx: ctx, length: length, sub: s, sw: nsSw, dir: dir, self: self}
	err = st.build()
	if err == nil && s.start != nil {
		err = s.start(st)
	}
	if err == nil {
		_, err = st.in(nsSrc, "ping", "-q", "-c", "3", "-i", "0.2", "-W", "2", ipDst)
	}
	if err != nil {
		st.close()
		return nil, err
	}
	return st, nil
}

func (st *stage) close() {
	if st.sub.stop != nil {
		st.sub.stop(st)
	}
	lab.RemoveNamespaces(prefix)
	_ = os.RemoveAll(st.dir)
}

// build makes the namespaces and the veth pairs: straight from host to host
// for a bare pair, else each to the switch's namespace as s1, s2 and so on.
func (st *stage) build() error {
	lab.RemoveNamespaces(prefix)
	for _, ns := range []string{nsSrc, nsDst, nsSw} {
		if err := lab.AddNamespace(ns); err != nil {
			return err
		}
		if err := lab.WithoutIPv6(ns); err != nil {
			return err
		}
	}
	var steps []string
	if st.sub.start == nil {
		steps = append(steps, "link add e0 netns "+nsSrc+" type veth peer name e0 netns "+nsDst)
	} else {
		steps = append(steps,
			"link add e0 netns "+nsSrc+" type veth peer name s1 netns "+nsSw,
			"link add e0 netns "+nsDst+" type veth peer name s2 netns "+nsSw,
			"-n "+nsSw+" link set s1 up", "-n "+nsSw+" link set s2 up")
	}
	for _, h := range [][3]string{{nsSrc, macSrc, ipSrc}, {nsDst, macDst, ipDst}} {
		steps = append(steps,
			"-n "+h[0]+" link set e0 address "+h[1],
			"-n "+h[0]+" addr add "+h[2]+"/24 dev e0",
			"-n "+h[0]+" link set e0 up")
	}
	steps = append(steps,
		"-n "+nsSrc+" neigh replace "+ipDst+" lladdr "+macDst+" dev e0",
		"-n "+nsDst+" neigh replace "+ipSrc+" lladdr "+macSrc+" dev e0")
	return lab.IP(steps...)
}

// listeners adds the hosts that only listen, at s3 and so on.
func (st *stage) listeners() error {
	for i := range floodPorts {
		if err := lab.IP(
			fmt.Sprintf("link add l%d netns %s type veth peer name s%d netns %s", i, nsDst, i+3, nsSw),
			fmt.Sprintf("-n %s link set l%d up", nsDst, i),
			fmt.Sprintf("-n %s link set s%d up", nsSw, i+3)); err != nil {
			return err
		}
	}
	return nil
}

func (st *stage) command(ns string, args ...string) *exec.Cmd {
	cmd := lab.Command(st.ctx, ns, args...)
	cmd.Env = append(os.Environ(), "OVS_RUNDIR="+st.dir, "OVS_LOGDIR="+st.dir, "OVS_DBDIR="+st.dir, "OVS_SYSCONFDIR="+st.dir,
		"OVS_SYSLOG_METHOD=null", "OVS_CTL_TIMEOUT=30")
	return cmd
}

// in runs a command in a namespace to its end and returns what it printed.
func (st *stage) in(ns string, args ...string) (string, error) {
	out, err := st.command(ns, args...).CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("%s: %w: %s", strings.Join(args, " "), err, strings.TrimSpace(string(out)))
	}
	return string(out), nil
}

// tool runs one of the switch's programs in its namespace.
func (st *stage) tool(args ...string) (string, error) {
	return st.in(st.sw, append([]string{st.sub.program(args[0])}, args[1:]...)...)
}

// tools runs several, until one fails.
func (st *stage) tools(lines ...string) error {
	for _, l := range lines {
		if _, err := st.tool(strings.Fields(l)...); err != nil {
			return err
		}
	}
	return nil
}

func (st *stage) path(name string) string { return filepath.Join(st.dir, name) }

// arrived is what devices have had.
type arrived struct{ packets, bytes uint64 }

// received is what devices of the receiver's have had together.
func (st *stage) received(devices ...string) (sum arrived, err error) {
	for _, dev := range devices {
		err := lab.Within(nsDst, func() error {
			l, err := netlink.LinkByName(dev)
			if err == nil {
				s := l.Attrs().Statistics
				sum.packets, sum.bytes = sum.packets+s.RxPackets, sum.bytes+s.RxBytes
			}
			return err
		})
		if err != nil {
			return sum, err
		}
	}
	return sum, nil
}

// openSink is a socket in the receiver's namespace that the generator's packets
// are for. Nobody reads it: they end there when it is full. Without it the
// receiver would look up several routes for each packet to tell the sender that
// nobody is there, which costs more than what is measured.
func openSink() (fd int, err error) {
	err = lab.Within(nsDst, func() error {
		fd, err = udpSocket([4]byte{}, sinkPort)
		return err
	})
	return fd, err
}

// rate is how many packets a second the devices receive while args run in the
// sender's namespace.
func (st *stage) rate(devices []string, args ...string) (float64, error) {
	sink, err := openSink()
	if err != nil {
		return 0, err
	}
	defer func() { _ = unix.Close(sink) }()
	gen := st.command(nsSrc, append([]string{st.self, "generate"}, args...)...)
	gen.Stderr = os.Stderr
	if err := gen.Start(); err != nil {
		return 0, err
	}
	defer func() { _ = gen.Wait() }()
	time.Sleep(700 * time.Millisecond)
	before, err := st.received(devices...)
	if err != nil {
		return 0, err
	}
	start := time.Now()
	time.Sleep(st.length)
	after, err := st.received(devices...)
	return float64(after.packets-before.packets) / time.Since(start).Seconds(), err
}
