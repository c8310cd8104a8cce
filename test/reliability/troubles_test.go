package reliability

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// Either daemon is killed or stands still at random moments, while ports and flows come
// and go and packets pass. What tools were told is done stays done, and in the end the
// switch is what the database says.
func TestRandomTroubles(t *testing.T) {
	for _, kinds := range []struct{ dataPath, ports string }{{"dummy", "dummy"}, {"system", "internal"}} {
		t.Run(kinds.dataPath, func(t *testing.T) { survivesTroubles(t, kinds.dataPath, kinds.ports) })
	}
}

func survivesTroubles(t *testing.T, dataPath, ports string) {
	p := newPair(t)
	p.start()
	p.run("ovs-vsctl", "add-br", "br0", "--", "set", "Bridge", "br0", "datapath_type="+dataPath, "protocols=OpenFlow10,OpenFlow13")
	rng := rand.New(rand.NewPCG(seed(), 5))
	count := 6
	if long() {
		count = 60
	}
	var wg sync.WaitGroup
	over := make(chan struct{})
	acked := make([]map[string]bool, 3)
	for i := range acked {
		acked[i] = map[string]bool{}
		wg.Go(func() { p.changePorts(i, ports, acked[i], over) })
	}
	wg.Go(func() { p.sendPackets(over) })
	for range count {
		time.Sleep(time.Duration(rng.IntN(300)) * time.Millisecond)
		p.trouble(rng)
	}
	close(over)
	wg.Wait()
	if t.Failed() {
		return
	}
	for i, want := range acked {
		p.hasPorts(i, want)
	}
	got := p.outcome()
	p.restartSwitch()
	if want := p.outcome(); got != want {
		t.Errorf("after the troubles there is\n%s\nand a fresh switch makes of it\n%s", onlyIn(got, want), onlyIn(want, got))
	}
}

// trouble kills a daemon and starts it again, or has it stand still for a while.
func (p *pair) trouble(rng *rand.Rand) {
	name := []string{serverName, switchName}[rng.IntN(2)]
	if rng.IntN(2) == 0 {
		process := p.running[name].Process
		_ = process.Signal(syscall.SIGSTOP)
		time.Sleep(time.Duration(rng.IntN(1000)) * time.Millisecond)
		_ = process.Signal(syscall.SIGCONT)
		return
	}
	p.kill(name)
	if name == serverName {
		p.startServer()
	} else {
		p.startSwitch()
	}
}

// changePorts adds and removes ports of its own, and notes which the database has for
// sure (true) or surely not (false).
func (p *pair) changePorts(i int, typ string, acked map[string]bool, over chan struct{}) {
	for n := 0; ; n++ {
		select {
		case <-over:
			return
		default:
		}
		port := fmt.Sprintf("w%d-%d", i, n%5)
		args := []string{"--no-wait", "--may-exist", "add-port", "br0", port, "--", "set", "Interface", port, "type=" + typ}
		add := n/5%2 == 0
		if !add {
			args = []string{"--no-wait", "--if-exists", "del-port", "br0", port}
		}
		if n%3 > 0 {
			args = args[1:] // wait for the switch
		}
		delete(acked, port)
		if _, err := p.try("ovs-vsctl", append([]string{"--timeout=20"}, args...)...); err == nil {
			acked[port] = add
		}
		if n%4 == 0 { // which fails without a switch
			_, _ = p.try("ovs-ofctl", "-OOpenFlow13", "add-meter", p.path("br0.mgmt"), fmt.Sprintf("meter=%d,pktps,band=type=drop,rate=5", n%9+1))
			_, _ = p.try("ovs-ofctl", "-OOpenFlow13", "add-flow", p.path("br0.mgmt"), fmt.Sprintf("priority=%d,actions=meter:%d,normal", n%9, n%9+1))
		}
	}
}

// sendPackets has packets come in as long as there is a port for them.
func (p *pair) sendPackets(over chan struct{}) {
	for n := 0; ; n++ {
		select {
		case <-over:
			return
		case <-time.After(5 * time.Millisecond):
		}
		_, _ = p.appctl(switchName, "netdev-dummy/receive", fmt.Sprintf("w%d-%d", n%3, n%5),
			fmt.Sprintf("in_port(1),eth(src=50:54:00:00:00:%02x,dst=50:54:00:00:00:07),eth_type(0x1234)", n%256))
	}
}

// hasPorts compares the database with what a writer was told.
func (p *pair) hasPorts(i int, acked map[string]bool) {
	p.t.Helper()
	ports := strings.Fields(p.run("ovs-vsctl", "list-ports", "br0"))
	for port, there := range acked {
		if found := fmt.Sprint(ports); strings.Contains(found, port) != there {
			p.t.Errorf("writer %d was told that %s is there: %v; the ports are %s", i, port, there, found)
		}
	}
}
