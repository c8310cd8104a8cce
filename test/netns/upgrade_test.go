package netns

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"weir/internal/datapath"
	"weir/internal/flow"
	"weir/internal/lab"
	"weir/test/programs"
)

// Traffic of the tests below.
const (
	steadyFlows = 100
	sinkPort    = 9
)

// steadyPPS is the rate of the stream, in packets a second. The whole of it
// takes a machine that does nothing else beside: where both ends and the switch
// wait for a CPU, the kernel's own queues overflow.
func steadyPPS() int {
	if pps, err := strconv.Atoi(os.Getenv("WEIR_PPS")); err == nil {
		return pps // for emulated machines
	}
	if os.Getenv("WEIR_LONG") != "" {
		return 100000
	}
	return 20000
}

// steadyWindow is how many packets may be on their way, so that no queue of the
// kernel overflows where the machine stands still; 0 is any number.
func steadyWindow() int {
	if os.Getenv("WEIR_LONG") != "" {
		return 0
	}
	return 256
}

// steady is a stream of UDP packets from one host to another that goes on while
// something is done to the switch.
type steady struct {
	s       *sw
	from    lab.Host
	to      lab.Host
	sink    int
	counted *os.File // /proc/net/snmp of to
	before  int
	stop    chan struct{}
	sent    chan int // how many, at the end
	err     error
}

// steadyStream starts the stream.
func (s *sw) steadyStream(from, to lab.Host) *steady {
	s.t.Helper()
	st := &steady{s: s, from: from, to: to, stop: make(chan struct{}), sent: make(chan int, 1)}
	s.must(lab.Within(to.Space, func() (err error) {
		if st.sink, err = unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0); err != nil {
			return err
		}
		// What its filter refuses is counted at once.
		refuse := unix.SockFilter{Code: unix.BPF_RET | unix.BPF_K}
		if err := unix.SetsockoptSockFprog(st.sink, unix.SOL_SOCKET, unix.SO_ATTACH_FILTER, &unix.SockFprog{Len: 1, Filter: &refuse}); err != nil {
			return err
		}
		if err := unix.Bind(st.sink, &unix.SockaddrInet4{Port: sinkPort}); err != nil {
			return err
		}
		st.counted, err = os.Open("/proc/thread-self/net/snmp")
		return err
	}))
	s.t.Cleanup(func() { _ = unix.Close(st.sink); _ = st.counted.Close() })
	st.before = st.total()
	var sender *lab.Sender
	s.must(lab.Within(from.Space, func() (err error) {
		sender, err = lab.NewSender("eth0", steadyFrames(s.t, from, to))
		return err
	}))
	go st.send(sender)
	return st
}

// send sends until stop.
func (st *steady) send(sender *lab.Sender) {
	defer sender.Close()
	pps, window, total := steadyPPS(), steadyWindow(), 0
	defer func() { st.sent <- total }()
	for {
		select {
		case <-st.stop:
			return
		default:
		}
		room := 0
		if window > 0 {
			if room = window - (total - st.arrived()); room <= 0 {
				time.Sleep(time.Millisecond)
				continue
			}
		}
		n, err := sender.Run(5*time.Millisecond, pps, room)
		if total += n; err != nil {
			st.err = err
			return
		}
	}
}

// steadyFrames are UDP packets of as many flows as the stream has.
func steadyFrames(t *testing.T, from, to lab.Host) (frames [][]byte) {
	t.Helper()
	text := fmt.Sprintf("eth(src=%s,dst=%s),eth_type(0x0800),ipv4(src=%s,dst=%s,proto=17,tos=0,ttl=64,frag=no),udp(src=1024,dst=%d)",
		from.MAC, to.MAC, from.IPAddr(), to.IPAddr(), sinkPort)
	k, _, err := datapath.ParseKey(text, nil)
	if err != nil {
		t.Fatal(err)
	}
	for i := range steadyFlows {
		key := *k
		key.TpSrc += uint16(i)
		frames = append(frames, flow.Compose(&key, make([]byte, 18)))
	}
	return frames
}

// arrived is how many packets of the stream have come.
func (st *steady) arrived() int { return st.total() - st.before }

// flows waits until so many more packets have come.
func (st *steady) flows(n int) {
	st.s.t.Helper()
	n += st.arrived()
	st.s.eventually("the stream goes on", func() bool { return st.arrived() >= n })
}

// total is how many UDP packets the receiver's stack has had, whatever became of them.
func (st *steady) total() (n int) {
	text := make([]byte, 1<<14)
	size, _ := st.counted.ReadAt(text, 0)
	var names []string
	for line := range strings.Lines(string(text[:size])) {
		f := strings.Fields(line)
		switch {
		case f[0] != "Udp:":
		case names == nil:
			names = f
		default:
			for i, name := range names {
				if name == "InDatagrams" || name == "NoPorts" || name == "InErrors" {
					v, _ := strconv.Atoi(f[i])
					n += v
				}
			}
		}
	}
	return n
}

// end stops the stream and fails unless each packet arrived once.
func (st *steady) end() {
	st.s.t.Helper()
	close(st.stop)
	sent, came := <-st.sent, 0
	st.s.must(st.err)
	programs.Wait(func() bool {
		came = st.arrived()
		return came >= sent
	})
	if came != sent {
		st.s.t.Errorf("%d packets sent, %d arrived", sent, came)
		for _, at := range [][2]string{{st.from.Space, "eth0"}, {space, st.from.Port}, {space, st.to.Port}, {st.to.Space, "eth0"}} {
			out, _ := exec.Command("ip", "-n", at[0], "-s", "link", "show", at[1]).CombinedOutput()
			st.s.t.Logf("%s", out)
		}
	}
}

// otherBuild is our programs with another layout of the memory that they share
// with the kernel: WEIR_OTHER, or built now.
func otherBuild(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	weir := filepath.Join(dir, "weir")
	if built := os.Getenv("WEIR_OTHER"); built != "" {
		if err := os.Symlink(built, weir); err != nil {
			t.Fatal(err)
		}
	} else if out, err := exec.Command("go", "build", "-tags", "otherlayout", "-o", weir, "../../cmd/weir").CombinedOutput(); err != nil {
		t.Fatalf("go build: %v\n%s", err, out)
	}
	names, err := exec.Command(weir, "--programs").Output()
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range strings.Fields(string(names)) {
		if err := os.Symlink("weir", filepath.Join(dir, name)); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// TestPacketsOverRestart has the switch restarted, upgraded to a build that
// can't take over the memory of the present one, and killed and started, all by
// ovs-ctl, while packets pass: each must arrive once.
func TestPacketsOverRestart(t *testing.T) {
	other := otherBuild(t)
	s := start(t)
	s.datapath = "system"
	a := lab.Host{Space: prefix + "a", Port: "p-a", MAC: "02:00:00:00:00:0a", Addr: "10.80.0.1/24"}
	b := lab.Host{Space: prefix + "b", Port: "p-b", MAC: "02:00:00:00:00:0b", Addr: "10.80.0.2/24"}
	s.must(a.Attach(s.space))
	s.must(b.Attach(s.space))
	s.vsctl("add-br br0 -- set-fail-mode br0 secure -- add-port br0 %s -- add-port br0 %s", a.Port, b.Port)
	s.run("ovs-ofctl", "add-flow", "br0", "priority=3,actions=normal")
	s.expect(a, "10.80.0.2", true)
	restart := func() { s.run("ovs-ctl", "--system-id=random", "--no-mlockall", "restart") }
	change := func(bin string) func() {
		return func() {
			s.bin = bin
			restart()
		}
	}
	old := s.bin
	// Packets before and after each step.
	before, after := steadyPPS()/2, steadyPPS()*7/10
	for _, step := range []struct {
		name string
		do   func()
	}{
		{"restart", restart},
		{"upgrade", change(other)},
		{"downgrade", change(old)},
		{"kill", s.killAndStart},
	} {
		t.Run(step.name, func(t *testing.T) {
			s.t = t
			st := s.steadyStream(a, b)
			st.flows(before)
			step.do()
			st.flows(after)
			st.end()
			if t.Failed() {
				for _, command := range []string{"dpif/show-slow", "dpctl/show -s", "drops/show", "dpctl/dump-flows"} {
					out, _ := s.try("ovs-appctl", strings.Fields(command)...)
					t.Logf("%s:\n%s", command, out)
				}
			}
		})
	}
	s.t = t
}

// killAndStart kills the switch as nothing else can, and has ovs-ctl start it.
// Its OpenFlow tables are empty then; so the bridge forwards on its own.
func (s *sw) killAndStart() {
	s.t.Helper()
	s.vsctl("set-fail-mode br0 standalone")
	s.kill()
	time.Sleep(300 * time.Millisecond) // without a switch
	s.startAgain()
}
