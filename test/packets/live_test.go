package packets

import (
	"encoding/json"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"weir/test/programs"
)

// TestLive has packets of two flows pass while they are traced: by two traces at
// once, by one whose client goes away, and, where flows outlive the switch, by
// one whose switch is killed.
func TestLive(t *testing.T) {
	s := start(t)
	for _, datapath := range datapaths {
		t.Run(datapath, func(t *testing.T) { s.bridge(t, datapath).testLive(t) })
	}
}

// streamed is how many packets a stream has at least.
const streamed = 100

// stream sends packets of two flows, one or the other by chance, until stop, which
// returns how many were sent and how many came out of port 2. One that doesn't come
// out ends it.
func (b *bridge) stream(t *testing.T) (stop func() (sent, came int)) {
	t.Helper()
	var frames [2][]byte
	for i := range frames {
		f := plain()
		ports(1001, uint16(2001+i))(f)
		frames[i] = f.build()
	}
	var ends atomic.Bool
	var wg sync.WaitGroup
	sent, came := 0, 0
	wg.Add(1)
	go func() {
		defer wg.Done()
		for came == sent && (!ends.Load() || sent < streamed) {
			if err := b.wires[1].send(frames[rand.IntN(2)]); err != nil {
				t.Error(err)
				return
			}
			sent++
			if _, err := b.wires[2].receive(within); err == nil {
				came++
			}
			time.Sleep(time.Millisecond)
		}
	}()
	return func() (int, int) {
		ends.Store(true)
		wg.Wait()
		return sent, came
	}
}

// live is a running trace.
type live struct {
	cmd *exec.Cmd
	out strings.Builder
}

func (b *bridge) live(t *testing.T, args ...string) *live {
	t.Helper()
	l := &live{}
	l.cmd = exec.Command("nsenter", append([]string{"--net=/run/netns/" + space, "--", filepath.Join(b.bin, "ovs-appctl"), "--format", "json", "ofproto/trace", "--live", b.name, "--timeout", "300"}, args...)...)
	l.cmd.Env = append(os.Environ(), "OVS_RUNDIR="+b.dir)
	l.cmd.Stdout = &l.out
	check(t, l.cmd.Start())
	return l
}

// saw is the destination ports of the packets that a trace that has ended
// explained.
func (l *live) saw(t *testing.T) (ports []string) {
	t.Helper()
	if err := l.cmd.Wait(); err != nil {
		t.Errorf("ofproto/trace --live: %v: %s", err, &l.out)
		return nil
	}
	var got struct {
		Packets []struct {
			Trace struct{ Rounds []struct{ Flow string } }
		}
	}
	check(t, json.Unmarshal([]byte(l.out.String()), &got))
	for _, p := range got.Packets {
		if len(p.Trace.Rounds) == 0 {
			t.Errorf("a packet without its trace: %s", &l.out)
			continue
		}
		_, port, _ := strings.Cut(p.Trace.Rounds[0].Flow, "tp_dst=")
		ports = append(ports, port)
	}
	return ports
}

// unmarked waits until no flow sends packets up.
func (b *bridge) unmarked(t *testing.T) {
	t.Helper()
	if !programs.Wait(func() bool {
		before := b.seenPackets()
		time.Sleep(50 * time.Millisecond)
		return b.seenPackets() == before
	}) {
		t.Errorf("flows still send packets up: %s", b.run("ovs-appctl", "dpif/show-slow"))
	}
}

// seenPackets is how many packets flows in the kernel have sent up by an action.
func (b *bridge) seenPackets() (n int) {
	for line := range strings.Lines(b.run("ovs-appctl", "dpif/show-slow")) {
		if what, count, ok := strings.Cut(line, ": "); ok && strings.Contains(what, "userspace action") {
			n, _ = strconv.Atoi(strings.Fields(count)[0])
		}
	}
	return n
}

func (b *bridge) testLive(t *testing.T) {
	b.flows("OpenFlow13", "udp,actions=output:2")
	stop := b.stream(t)
	defer stop()
	time.Sleep(50 * time.Millisecond)

	// Two at once, on the same flows and on others. That all packets of one are of
	// the same flow has a chance of 2 to the -29th.
	all, one := b.live(t, "udp", "-n", "30"), b.live(t, "udp,udp_dst=2002", "-n", "12")
	if ports := one.saw(t); len(ports) != 12 || strings.Join(ports, " ") != strings.TrimSpace(strings.Repeat("2002 ", 12)) {
		t.Errorf("a trace of one flow saw %q", ports)
	}
	if ports := all.saw(t); len(ports) != 30 || !contains(ports, "2001") || !contains(ports, "2002") {
		t.Errorf("a trace of two flows saw %q", ports)
	}
	b.unmarked(t)

	// A client that goes away.
	gone := b.live(t, "udp", "-n", "10000")
	time.Sleep(100 * time.Millisecond)
	check(t, gone.cmd.Process.Kill())
	_ = gone.cmd.Wait()
	b.unmarked(t)
	if sent, came := stop(); sent != came || sent < streamed {
		t.Errorf("%d packets of %d came out while they were traced", came, sent)
	}
	if b.datapath == "system" {
		b.testKilledLive(t)
	}
}

func contains(list []string, s string) bool {
	return strings.Contains(" "+strings.Join(list, " ")+" ", " "+s+" ")
}

// testKilledLive kills the switch while a flow is to send its next packet up to
// be traced. It goes on forwarding, and the next process takes the mark away.
func (b *bridge) testKilledLive(t *testing.T) {
	trace := b.live(t, "udp", "-n", "10000")
	time.Sleep(300 * time.Millisecond)
	pid, err := os.ReadFile(filepath.Join(b.dir, "ovs-vswitchd.pid"))
	check(t, err)
	n, err := strconv.Atoi(strings.TrimSpace(string(pid)))
	check(t, err)
	check(t, syscall.Kill(n, syscall.SIGKILL))
	stop := b.stream(t)
	if err := trace.cmd.Wait(); err == nil {
		t.Error("the trace of a switch that was killed ends well")
	}
	sent, came := stop()
	b.run("ovs-vsctl", "--no-wait", "set", "Open_vSwitch", ".", "other_config:flow-restore-wait=true")
	b.run("ovs-vswitchd", "--detach", "--no-chdir", "--pidfile", "--log-file", "--enable-dummy")
	if dump := b.run("ovs-appctl", "dpctl/dump-flows", "system@ovs-system"); !strings.Contains(dump, "proto=17") || strings.Contains(dump, "userspace") {
		t.Errorf("flows of the killed switch, which were taken over: %s", dump)
	}
	b.addFlows("OpenFlow13", "udp,actions=output:2")
	b.run("ovs-vsctl", "remove", "Open_vSwitch", ".", "other_config", "flow-restore-wait")
	stop = b.stream(t)
	b.unmarked(t)
	more, alsoCame := stop()
	if sent, came = sent+more, came+alsoCame; sent != came {
		t.Errorf("%d packets of %d came out while the switch was killed in the middle of a trace", came, sent)
	}
}
