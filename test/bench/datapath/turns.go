package main

import (
	"fmt"
	"os/exec"
	"slices"
	"syscall"
	"time"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/asm"
	"github.com/cilium/ebpf/link"
	"github.com/vishvananda/netlink"

	"weir/internal/lab"
)

// Rates of TCP connections scatter by a tenth from one connection to the next,
// for the bare pair as for any switch. Differences of a hundredth show where two
// connections that are there all the time take turns of a third of a second, one
// through the switch and one by a bare pair. A third party takes turns, too, on
// the switch's connection: programs that do nothing but redirect to the other
// device's peer. No switch that forwards by eBPF can be faster than these.

const (
	barePrefix = "10.98.0." // of the bare pair's addresses
	turn       = 300 * time.Millisecond
	rest       = 50 * time.Millisecond  // of both, between turns
	settle     = 200 * time.Millisecond // from the begin of a turn to where it counts
)

// ratesInTurns are the rates, in bytes a second, of those who take turns.
type ratesInTurns struct{ bare, ours, redirect []float64 }

// runTurns measures, for both ends on one CPU and for a CPU each, the rate of the
// switch and of programs that only redirect, to that of the bare pair.
func runTurns(st *stage) ([]float64, error) {
	if err := st.barePair(); err != nil {
		return nil, err
	}
	var v []float64
	for _, p := range []placement{oneCPU, aCPUEach} {
		r, err := st.turns(p)
		if err != nil {
			return nil, err
		}
		bare := median(r.bare)
		v = append(v, median(r.ours)/bare, median(r.redirect)/bare)
	}
	return v, nil
}

// barePair joins the hosts by e1, beside the switch.
func (st *stage) barePair() error {
	steps := []string{"link add e1 netns " + nsSrc + " type veth peer name e1 netns " + nsDst}
	for i, ns := range []string{nsSrc, nsDst} {
		steps = append(steps,
			fmt.Sprintf("-n %s link set e1 address 02:00:00:00:01:0%d", ns, i+1),
			fmt.Sprintf("-n %s addr add %s%d/24 dev e1", ns, barePrefix, i+1),
			fmt.Sprintf("-n %s link set e1 up", ns))
	}
	return lab.IP(steps...)
}

// stream is a TCP connection that is there until it is closed, and can pause.
type stream struct{ server, client *exec.Cmd }

func (st *stage) stream(to string, p placement) (*stream, error) {
	server, err := st.receiver(to)
	if err != nil {
		return nil, err
	}
	s := &stream{server: server}
	s.client = st.command(nsSrc, append([]string{"iperf3", "-c", to, "-t", "86400", "-i", "0"}, p...)...)
	if err := s.client.Start(); err != nil {
		_ = s.server.Process.Kill()
		return nil, err
	}
	return s, nil
}

func (s *stream) pause() error  { return s.client.Process.Signal(syscall.SIGSTOP) }
func (s *stream) resume() error { return s.client.Process.Signal(syscall.SIGCONT) }

func (s *stream) close() {
	for _, c := range []*exec.Cmd{s.client, s.server} {
		_ = c.Process.Kill()
		_ = c.Wait()
	}
}

// turns has the three take turns for four times the length of a measurement.
func (st *stage) turns(p placement) (*ratesInTurns, error) {
	switched, err := st.stream(ipDst, p)
	if err != nil {
		return nil, err
	}
	defer switched.close()
	bare, err := st.stream(barePrefix+"2", p)
	if err != nil {
		return nil, err
	}
	defer bare.close()
	var r ratesInTurns
	order := []func() error{
		func() error { return st.turn("e1", bare, switched, &r.bare) },
		func() error { return st.turn("e0", switched, bare, &r.ours) },
		func() error {
			programs, err := st.onlyRedirect()
			defer closeAll(programs)
			if err != nil {
				return err
			}
			return st.turn("e0", switched, bare, &r.redirect)
		},
	}
	for end := time.Now().Add(4 * st.length); time.Now().Before(end); slices.Reverse(order) {
		for _, takeTurn := range order {
			if err := takeTurn(); err != nil {
				return nil, err
			}
		}
	}
	return &r, nil
}

// turn measures one connection while the other stands still. All turns begin
// alike, with both at rest.
func (st *stage) turn(dev string, on, off *stream, to *[]float64) error {
	for _, s := range []*stream{on, off} {
		if err := s.pause(); err != nil {
			return err
		}
	}
	time.Sleep(rest)
	if err := on.resume(); err != nil {
		return err
	}
	time.Sleep(settle)
	before, err := st.received(dev)
	if err != nil {
		return err
	}
	start := time.Now()
	time.Sleep(turn)
	after, err := st.received(dev)
	*to = append(*to, float64(after.bytes-before.bytes)/time.Since(start).Seconds())
	return err
}

// onlyRedirect puts a program in front of each of the switch's at s1 and s2, that
// redirects every packet to the peer of the other device, until the links are
// closed.
func (st *stage) onlyRedirect() (links []link.Link, err error) {
	err = lab.Within(st.sw, func() error {
		var index [2]int
		for i, name := range []string{"s1", "s2"} {
			l, err := netlink.LinkByName(name)
			if err != nil {
				return err
			}
			index[i] = l.Attrs().Index
		}
		for i := range index {
			p, err := ebpf.NewProgram(&ebpf.ProgramSpec{Type: ebpf.SchedCLS, License: "GPL", Instructions: asm.Instructions{
				asm.Mov.Imm(asm.R1, int32(index[1-i])),
				asm.Mov.Imm(asm.R2, 0),
				asm.FnRedirectPeer.Call(),
				asm.Return(),
			}})
			if err != nil {
				return err
			}
			l, err := link.AttachTCX(link.TCXOptions{Interface: index[i], Program: p, Attach: ebpf.AttachTCXIngress, Anchor: link.Head()})
			_ = p.Close()
			if err != nil {
				return err
			}
			links = append(links, l)
		}
		return nil
	})
	return links, err
}

func closeAll(links []link.Link) {
	for _, l := range links {
		_ = l.Close()
	}
}
