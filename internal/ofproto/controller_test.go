package ofproto

import (
	"fmt"
	"net"
	"net/netip"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"weir/internal/openflow"
	"weir/internal/packet"
	"weir/internal/ratelimit"
)

// listen waits for the switch to connect to a controller of the test; the
// target is that of its configuration.
func (r *rig) listen(name string) (target string, accept func(openflow.Version) *peer) {
	r.t.Helper()
	path := filepath.Join(r.dir, name)
	l, err := net.Listen("unix", path)
	if err != nil {
		r.t.Fatal(err)
	}
	r.t.Cleanup(func() { _ = l.Close() })
	return "unix:" + path, func(v openflow.Version) *peer {
		for {
			c, err := l.Accept()
			if err != nil {
				return nil // the test has ended
			}
			p := &peer{t: r.t, c: c, p: v.Protocol()}
			hello, _ := openflow.Encode(p.p, 1, &openflow.Hello{Versions: openflow.Versions(v)})
			if _, err := c.Write(hello); err != nil {
				continue
			}
			// Time that runs ahead of the connection makes the switch give it up.
			if _, err := readMessage(c); err != nil {
				continue
			}
			r.t.Cleanup(func() { _ = c.Close() })
			return p
		}
	}
}

// eventually waits for what another goroutine of the process does.
func (r *rig) eventually(what string, ok func() bool) {
	r.t.Helper()
	for end := time.Now().Add(time.Minute); time.Now().Before(end); {
		if ok() {
			return
		}
		time.Sleep(time.Millisecond)
	}
	r.t.Fatal(what)
}

func hiddenFlows(b *Bridge) (priorities []int) {
	for _, f := range b.pipe.Table(0).Rules(b.pipe.Version()) {
		if f.Hidden() {
			priorities = append(priorities, f.Priority())
		}
	}
	return priorities
}

// A standalone bridge becomes a learning switch when its controllers have been
// lost for three probe intervals, and hands back when one returns.
func TestFailOpen(t *testing.T) {
	r := newRig(t)
	b := r.bridge("br0", 3, false)
	target, accept := r.listen("controller")
	lost := "unix:" + filepath.Join(r.dir, "none")
	b.SetControllers([]ControllerConfig{{Target: target, Probe: 4 * time.Second, MaxBackoff: time.Second}, {Target: lost, Probe: 2 * time.Second}})
	p := accept(openflow.V13)
	p.send(addFlow("in_port=1", &openflow.Output{Port: 2}))
	ask[*openflow.BarrierReply](p, &openflow.BarrierRequest{})
	_ = p.c.Close()
	r.eventually("the session stays", func() bool { return !b.ControllerStatus()[target].Connected })
	r.clk.Warp(10*time.Second, 500*time.Millisecond)
	if n := b.pipe.Active(0); n != 1 || hiddenFlows(b) != nil {
		t.Fatalf("after 10 s: %d flows, hidden %v", n, hiddenFlows(b))
	}
	r.clk.Warp(3*time.Second, 500*time.Millisecond)
	if n := b.pipe.Active(0); n != 0 || !cmp.Equal(hiddenFlows(b), []int{failOpenPriority}) {
		t.Fatalf("after 13 s: %d flows, hidden %v", n, hiddenFlows(b))
	}
	r.receive("p1", hostA)
	r.receive("p2", hostB)
	if r.sent("p2") != 1 || r.sent("p3") != 1 || r.sent("p1") != 1 {
		t.Fatalf("no learning switch: p1 %d, p2 %d, p3 %d", r.sent("p1"), r.sent("p2"), r.sent("p3"))
	}
	go func() {
		for accept(openflow.V13) != nil {
		}
	}()
	r.eventually("the bridge doesn't hand back", func() bool {
		// Slowly: a handshake must be over within its second of this clock.
		r.clk.Warp(20*time.Millisecond, 0)
		return hiddenFlows(b) == nil
	})
	// No warp of the clock: the flows of the data path change at once.
	r.eventually("the bridge forwards by itself under a controller", func() bool {
		before := r.sent("p2")
		r.receive("p1", hostA)
		return r.sent("p2") == before
	})
}

// A secure bridge stays as the controllers left it, also when it had failed
// open before it was made secure.
func TestFailSecure(t *testing.T) {
	r := newRig(t)
	b := r.bridge("br0", 1, false)
	b.SetControllers([]ControllerConfig{{Target: "unix:" + filepath.Join(r.dir, "none"), Probe: -1}})
	r.clk.Warp(16*time.Second, time.Second)
	if hiddenFlows(b) == nil {
		t.Fatal("no takeover after 15 s")
	}
	if err := b.Configure(Config{Name: "br0", Secure: true}); err != nil {
		t.Fatal(err)
	}
	r.clk.Warp(30*time.Second, time.Second)
	if hiddenFlows(b) != nil {
		t.Fatal("a secure bridge forwards by itself")
	}
}

// Packets to a controller are held to its rate, each reason by itself.
func TestPacketInRate(t *testing.T) {
	r := newRig(t)
	b := r.bridge("br0", 2, true)
	target, accept := r.listen("controller")
	b.SetControllers([]ControllerConfig{{Target: target, Probe: 0, RateLimit: 100, BurstLimit: 25}})
	p := accept(openflow.V13)
	p.send(addFlow("in_port=1", &openflow.Output{Port: openflow.PortController, MaxLen: 0xffff}))
	ask[*openflow.BarrierReply](p, &openflow.BarrierRequest{})
	for range 60 {
		r.receive("p1", hostA)
	}
	want := map[string]ratelimit.Stats{
		"action": {Bypassed: 25, Queued: 35, Dropped: 10, Backlog: 25}, "miss": {},
	}
	if d := cmp.Diff(want, b.ControllerStatus()[target].PacketIns); d != "" {
		t.Fatal(d)
	}
	for range 25 {
		p.packetIn()
	}
	r.clk.Warp(50*time.Millisecond, 10*time.Millisecond)
	for range 5 {
		p.packetIn()
	}
	if got := b.ControllerStatus()[target].PacketIns["action"].Backlog; got != 20 {
		t.Fatalf("a backlog of %d", got)
	}
	b.SetControllers([]ControllerConfig{{Target: target, Probe: 0}})
	if st := b.ControllerStatus()[target]; !st.Connected || st.PacketIns != nil {
		t.Fatalf("without a limit: %+v", st)
	}
	r.receive("p1", hostA)
	p.packetIn()
}

func (p *peer) packetIn() {
	p.t.Helper()
	if m, ok := p.recv().(*openflow.PacketIn); !ok {
		p.t.Fatalf("%T, not a packet", m)
	}
}

// A controller that doesn't want asynchronous messages gets none until it asks.
func TestNoAsync(t *testing.T) {
	r := newRig(t)
	b := r.bridge("br0", 2, true)
	target, accept := r.listen("controller")
	b.SetControllers([]ControllerConfig{{Target: target, Probe: 0, NoAsync: true}})
	p := accept(openflow.V14)
	p.send(addFlow("in_port=1", &openflow.Output{Port: openflow.PortController, MaxLen: 0xffff}))
	ask[*openflow.BarrierReply](p, &openflow.BarrierRequest{})
	r.receive("p1", hostA)
	ask[*openflow.BarrierReply](p, &openflow.BarrierRequest{})
	var on openflow.SetAsync
	on.Config = defaultAsync(openflow.V14)
	on.Set = 1 << openflow.AsyncPacketIn
	p.send(&on)
	ask[*openflow.BarrierReply](p, &openflow.BarrierRequest{})
	r.receive("p1", hostA)
	p.packetIn()
}

// The flows of in-band control let a bridge that drops everything else reach
// its controllers; controllers can't see or change them.
func TestInBand(t *testing.T) {
	r := newRig(t)
	hop := packet.MAC{2, 0, 0, 0, 0, 1}
	r.be.opts.Router = func(ip netip.Addr) (packet.MAC, bool) { return hop, ip == netip.MustParseAddr("127.0.0.1") }
	b := r.bridge("br0", 1, true)
	controllers := []ControllerConfig{
		{Target: "tcp:127.0.0.1:1"}, {Target: "tcp:127.0.0.2:1", OutOfBand: true}, {Target: "unix:/nowhere"},
	}
	b.SetControllers(controllers)
	if d := cmp.Diff([]int{180008, 180007, 180006, 180005, 180004, 180003, 180002, 180001, 180000}, hiddenFlows(b)); d != "" {
		t.Fatal(d)
	}
	p := r.connect("br0", openflow.V13)
	st := ask[*openflow.FlowStatsReply](p, &openflow.FlowStatsRequest{OutPort: openflow.PortNone, OutGroup: openflow.GroupAny, TableID: openflow.TableAny})
	if len(st.Stats) != 0 {
		t.Fatalf("controllers see %v", st.Stats)
	}
	r.receive("p1", "dl_src=02:00:00:00:00:01,dl_dst=ff:ff:ff:ff:ff:ff,arp,arp_op=1,arp_spa=127.0.0.1,arp_tpa=10.0.0.9")
	r.receive("p1", "dl_src=50:54:00:00:00:05,dl_dst=ff:ff:ff:ff:ff:ff,arp,arp_op=1,arp_spa=10.0.0.7,arp_tpa=10.0.0.9")
	r.receive("p1", "dl_src=50:54:00:00:00:05,dl_dst=50:54:00:00:00:06,udp,udp_src=67,udp_dst=68")
	if got := r.sent("br0"); got != 2 {
		t.Fatalf("the local port got %d packets, not the controller's ARP and the DHCP reply", got)
	}
	if err := b.Configure(Config{Name: "br0", Secure: true, DisableInBand: true}); err != nil {
		t.Fatal(err)
	}
	if got := hiddenFlows(b); got != nil {
		t.Fatalf("disabled: %v", got)
	}
}

// In-band control over IPv6 has neighbour discovery where that over IPv4 has ARP.
func TestInBandIPv6(t *testing.T) {
	r := newRig(t)
	r.be.opts.Router = func(ip netip.Addr) (packet.MAC, bool) {
		return packet.MAC{2, 0, 0, 0, 0, 1}, ip == netip.MustParseAddr("2001:db8::1")
	}
	b := r.bridge("br0", 1, true)
	b.SetControllers([]ControllerConfig{{Target: "tcp:[2001:db8::1]:6653"}})
	if got := len(b.conns.inBand.rules); got != 12 {
		t.Fatalf("%d hidden flows", got)
	}
	for i, test := range []struct {
		packet string
		passes bool
	}{
		{"dl_src=02:00:00:00:00:01,dl_dst=33:33:ff:00:00:09,icmp6,icmpv6_type=135,ipv6_src=fe80::1,ipv6_dst=ff02::1:ff00:9", true},
		{"dl_src=50:54:00:00:00:05,dl_dst=33:33:ff:00:00:09,icmp6,icmpv6_type=135,ipv6_src=2001:db8::1,ipv6_dst=ff02::1:ff00:9", true},
		{"dl_src=50:54:00:00:00:05,dl_dst=33:33:ff:00:00:09,icmp6,icmpv6_type=135,ipv6_src=2001:db8::7,ipv6_dst=ff02::1:ff00:9", false},
		{"dl_src=50:54:00:00:00:05,dl_dst=33:33:00:00:00:01,icmp6,icmpv6_type=134,ipv6_src=fe80::5,ipv6_dst=ff02::1", true},
		{"dl_src=50:54:00:00:00:05,dl_dst=ff:ff:ff:ff:ff:ff,tcp6,ipv6_src=2001:db8::1,ipv6_dst=2001:db8::9,tcp_src=6653,tcp_dst=1", true},
		{"dl_src=50:54:00:00:00:05,dl_dst=ff:ff:ff:ff:ff:ff,tcp6,ipv6_src=2001:db8::1,ipv6_dst=2001:db8::9,tcp_src=22,tcp_dst=1", false},
	} {
		before := r.sent("br0")
		r.receive("p1", test.packet)
		if got := r.sent("br0") > before; got != test.passes {
			t.Errorf("packet %d came through: %v", i, got)
		}
	}
}

// Packets that match no flow are credited to the hidden flow of their fate.
func TestFates(t *testing.T) {
	r := newRig(t)
	b := r.bridge("br0", 1, true)
	r.receive("p1", hostA)
	r.receive("p1", hostA)
	r.be.Engine().Revalidate()
	if n := b.fates.Drop.Stats.Packets.Load(); n != 2 {
		t.Fatalf("%d packets dropped", n)
	}
	p := r.connect("br0", openflow.V10)
	ask[*openflow.BarrierReply](p, &openflow.BarrierRequest{})
	r.be.Engine().Revalidate()
	r.receive("p1", hostB)
	r.be.Engine().Revalidate()
	if n := b.fates.ToController.Stats.Packets.Load(); n != 1 {
		t.Fatalf("%d packets to controllers", n)
	}
}

// A table tells when it has become too full, and then when there is room again,
// once each.
func TestVacancyEvents(t *testing.T) {
	r := newRig(t)
	b := r.bridge("br0", 0, true)
	target, accept := r.listen("controller")
	b.SetControllers([]ControllerConfig{{Target: target, Probe: 0}})
	p := accept(openflow.V14)
	cfg := Config{Name: "br0", Secure: true, Tables: map[uint8]TableConfig{0: {Limit: 10}}}
	if err := b.Configure(cfg); err != nil {
		t.Fatal(err)
	}
	p.send(&openflow.TableMod{TableID: 0, Eviction: -1, Vacancy: 1, VacancyDown: 20, VacancyUp: 80})
	for i := range 10 {
		p.send(addFlow(fmt.Sprintf("reg0=%d", i+1), &openflow.Output{Port: 1}))
	}
	del := addFlow("")
	del.Command = openflow.FlowDelete
	p.send(del)
	ask := &openflow.BarrierRequest{}
	p.send(ask)
	var got []openflow.TableStatusReason
	for {
		m := p.recv()
		if st, ok := m.(*openflow.TableStatus); ok {
			got = append(got, st.Reason)
		}
		if _, ok := m.(*openflow.BarrierReply); ok {
			break
		}
	}
	if d := cmp.Diff([]openflow.TableStatusReason{openflow.VacancyDownEvent, openflow.VacancyUpEvent}, got); d != "" {
		t.Fatal(d)
	}
}

// A bridge that becomes standalone, with flows of whoever had it before, is a
// normal switch at once: no version of the tables has neither.
func TestStandaloneAtOnce(t *testing.T) {
	r := newRig(t)
	b := r.bridge("br0", 1, true)
	before := b.pipe.Version()
	if err := b.Configure(Config{Name: "br0"}); err != nil {
		t.Fatal(err)
	}
	if n, after := b.pipe.Active(0), b.pipe.Version(); n != 1 || after != before+1 {
		t.Errorf("%d flows after %d changes, want 1 after 1", n, after-before)
	}
}

// A controller that stays silent is probed, dropped and connected to again; a
// change of the configured interval counts at once, and so does being told to
// connect again.
func TestActiveTargetIsKept(t *testing.T) {
	r := newRig(t)
	b := r.bridge("br0", 1, true)
	target, accept := r.listen("controller")
	b.SetControllers([]ControllerConfig{{Target: target, Probe: 0}})
	first := accept(openflow.V13)
	ask[*openflow.BarrierReply](first, &openflow.BarrierRequest{})
	r.clk.Warp(time.Minute, time.Second)
	if st := b.ControllerStatus()[target]; !st.Connected || st.State != "ACTIVE" {
		t.Fatalf("without probes: %+v", st)
	}
	b.SetControllers([]ControllerConfig{{Target: target, Probe: 2 * time.Second}})
	if _, ok := first.recv().(*openflow.EchoRequest); !ok {
		t.Fatal("a controller that has been silent for longer was not probed at once")
	}
	first.send(&openflow.EchoReply{})
	ask[*openflow.BarrierReply](first, &openflow.BarrierRequest{})
	r.clk.Warp(2*time.Second, 100*time.Millisecond)
	if st := b.ControllerStatus()[target]; st.State != "IDLE" {
		t.Fatalf("with probes: %+v", st)
	}
	r.clk.Warp(2*time.Second, 100*time.Millisecond)
	if !first.ended() {
		t.Fatal("a silent controller stays connected")
	}
	accepted := make(chan *peer)
	go func() { accepted <- accept(openflow.V10) }()
	var second *peer
	r.eventually("no second connection", func() bool {
		select {
		case second = <-accepted:
			return true
		default:
			r.clk.Warp(50*time.Millisecond, 50*time.Millisecond)
			return false
		}
	})
	ask[*openflow.BarrierReply](second, &openflow.BarrierRequest{})
	r.eventually("misses don't go to a controller of version 1.0", func() bool { return b.conns.tableMiss() == openflow.MissController })
	b.ReconnectControllers()
	if !second.ended() {
		t.Error("told to connect again, the bridge keeps its connection")
	}
	if st := b.ControllerStatus()[target]; st.LastError != "" {
		t.Errorf("what we end ourselves is an error: %+v", st)
	}
}
