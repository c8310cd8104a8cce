package reliability

import (
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"slices"
	"sync"
	"testing"
	"time"

	"weir/internal/openflow"
)

// Configurations, commands, controllers and packets, all of them random and at once. The
// switch lives, takes a last configuration, and ends in order. This is what programs
// built with the race detector are for.
func TestEverythingAtOnce(t *testing.T) {
	p := newPair(t)
	p.start()
	p.furnish()
	commands := slices.DeleteFunc(p.commands(switchName), func(c namedCommand) bool { // after which less would happen
		return c.name == "time/stop" || c.name == "revalidator/pause" || c.name == "vlog/set"
	})
	seconds := 3
	if long() {
		seconds = 60
	}
	over := make(chan struct{})
	var wg sync.WaitGroup
	repeat := func(do func()) {
		wg.Go(func() {
			for {
				select {
				case <-over:
					return
				default:
					do()
				}
			}
		})
	}
	random := func(n uint64) *rand.Rand { return rand.New(rand.NewPCG(seed(), n)) }
	g := newConfigurator(t, p, random(1))
	repeat(func() { g.change(); time.Sleep(5 * time.Millisecond) })
	for i := range uint64(3) {
		c := &commander{t: t, path: p.path(switchName + ".ctl"), commands: commands, rng: random(10 + i)}
		t.Cleanup(c.hangUp)
		repeat(c.command)
		o := &controller{p: p, rng: random(20 + i)}
		repeat(o.session)
	}
	listener, err := net.Listen("unix", p.path("controller"))
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	wg.Go(func() { (&controller{p: p, rng: random(30)}).serve(listener) })
	wg.Go(func() { p.sendPackets(over) })
	time.Sleep(time.Duration(seconds) * time.Second)
	close(over)
	_ = listener.Close()
	wg.Wait()
	if p.over(switchName) {
		t.Fatal("the switch has ended")
	}
	p.run("ovs-vsctl", "emer-reset")
	p.run("ovs-vsctl", "--may-exist", "add-br", "last")
	p.restartSwitch()
}

// controller sends random requests to a switch.
type controller struct {
	p   *pair
	rng *rand.Rand
}

// session is one connection to a bridge's own socket, if there is that bridge.
func (o *controller) session() {
	c, err := net.Dial("unix", o.p.path(fmt.Sprintf("br%d.mgmt", o.rng.IntN(3))))
	if err != nil {
		time.Sleep(10 * time.Millisecond)
		return
	}
	o.talk(c)
}

// serve has one connection after the other that the switch makes.
func (o *controller) serve(l net.Listener) {
	for {
		c, err := l.Accept()
		if err != nil {
			return
		}
		o.talk(c)
	}
}

// talk sends requests and reads what comes, until it hangs up, now and then in the
// middle of a message.
func (o *controller) talk(c net.Conn) {
	defer c.Close()
	version := []openflow.Version{openflow.V10, openflow.V13, openflow.V14, openflow.V15}[o.rng.IntN(4)]
	_ = c.SetDeadline(time.Now().Add(patience))
	go func() { _, _ = io.Copy(io.Discard, c) }()
	first, err := openflow.Encode(version.Protocol(), 1, &openflow.Hello{Versions: openflow.Versions(version)})
	if err != nil {
		o.p.t.Error(err)
		return
	}
	if _, err := c.Write(first); err != nil {
		return
	}
	for range o.rng.IntN(200) {
		msg := o.message()
		if msg == nil {
			continue
		}
		all, _, err := openflow.EncodeParts(version.Protocol(), o.rng.Uint32(), msg)
		if err != nil {
			continue // not in this version
		}
		for _, b := range all {
			if o.rng.IntN(100) == 0 {
				b = b[:o.rng.IntN(len(b))]
			}
			if _, err := c.Write(b); err != nil {
				return
			}
		}
	}
}

func (o *controller) pick(from ...string) string { return from[o.rng.IntN(len(from))] }

// message is a random request, nil where it can't be.
func (o *controller) message() openflow.Message {
	switch o.rng.IntN(14) {
	case 0:
		m, _, err := openflow.ParseGroupMod(fmt.Sprintf("group_id=%d,type=%s", o.rng.IntN(4), o.pick("all,bucket=1,bucket=output:2", "select,bucket=weight:5,1,bucket=set_field:1->reg1,2",
			"ff,bucket=watch_port:1,output:1", "indirect,bucket=group:2")), int([]openflow.GroupModCommand{openflow.GroupAdd, openflow.GroupModify, openflow.GroupDelete}[o.rng.IntN(3)]), openflow.ParseOptions{})
		return known(m, err)
	case 1:
		m, err := openflow.ParseMeterMod(fmt.Sprintf("meter=%d,pktps,band=type=drop,rate=%d", 1+o.rng.IntN(4), o.rng.IntN(100)), []openflow.MeterModCommand{openflow.MeterAdd, openflow.MeterModify, openflow.MeterDelete}[o.rng.IntN(3)])
		return known(m, err)
	case 2:
		m, _, err := openflow.ParsePacketOut("in_port="+o.pick("controller", "1", "local")+",packet=505400000007505400000005080045000028000000004011f96bc0a80001c0a8000200080000,actions="+o.actions(), openflow.ParseOptions{})
		return known(m, err)
	case 3:
		m, _, err := openflow.ParseFlowRequest("table="+o.pick("0", "1", "255"), o.rng.IntN(2) == 0, openflow.ParseOptions{})
		return known(m, err)
	case 4:
		m, _, err := openflow.ParseFlowMonitor(o.pick("", "table=1", "ip"), o.rng.Uint32N(5), openflow.ParseOptions{})
		if err != nil {
			return nil
		}
		return &openflow.FlowMonitorRequest{Monitors: []openflow.FlowMonitor{*m}}
	case 5:
		return &openflow.PortStatsRequest{Port: openflow.PortNone}
	case 6:
		return &openflow.PortDescRequest{Port: openflow.PortNone}
	case 7:
		return &openflow.BarrierRequest{}
	case 8:
		return &openflow.EchoRequest{Data: make([]byte, o.rng.IntN(60000))}
	}
	commands := []openflow.FlowModCommand{openflow.FlowAdd, openflow.FlowAdd, openflow.FlowAdd, openflow.FlowModify, openflow.FlowDelete}
	n := o.rng.IntN(len(commands))
	text := fmt.Sprintf("table=%d,%s", o.rng.IntN(3), o.pick("ip", "tcp,tp_dst=80", "arp", "udp6", "in_port=1", "dl_dst=50:54:00:00:00:07", "tun_id=5", "metadata=7,reg1=5", "conj_id=5"))
	if commands[n] != openflow.FlowDelete {
		text += ",idle_timeout=" + o.pick("0", "1", "10") + ",actions=" + o.actions()
	}
	m, _, err := openflow.ParseFlowMod(text, int(commands[n]), openflow.ParseOptions{})
	return known(m, err)
}

func (o *controller) actions() string {
	return o.pick("output:1", "drop", "normal", "flood", "controller", "resubmit(,1)", "group:1", "meter:1,2", "learn(table=2,idle_timeout=1,NXM_OF_ETH_DST[]=NXM_OF_ETH_SRC[],output:NXM_OF_IN_PORT[])",
		"push_vlan:0x8100,set_field:4100->vlan_vid,all", "clone(set_field:5->reg1,resubmit(,2)),local", "ct(table=1)", "conjunction(5,1/2)", "set_field:9->tun_id,3", "controller(pause),2", "sample(probability=60000,collector_set_id=1),1")
}

// known is a message where it could be parsed.
func known[M openflow.Message](m M, err error) openflow.Message {
	if err != nil {
		return nil
	}
	return m
}
