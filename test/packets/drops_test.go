package packets

import (
	"encoding/json"
	"fmt"
	"net"
	"strings"
	"testing"
	"time"

	"weir/internal/lab"
	"weir/test/programs"
)

// drop is a way for a packet to be dropped: what is set up before, the packet,
// and the reason that must be named. cure is of the commands that are offered
// the one that, carried out, lets the packet pass to port 2; empty: none does.
// P is the name of port 1 without its number, BR the bridge.
type drop struct {
	name   string
	flows  []string
	before []string // commands, of which the first word is the program
	frame  func() *frame
	packet string // the same for drops/explain
	reason string
	has    string // in the text or another member of the reason
	cure   string
	after  []string // undoes before and the cure
}

func plain() *frame { return v4(udp()) }

const udpText = "udp,dl_src=02:00:00:00:00:0a,dl_dst=02:00:00:00:00:0b,nw_src=10.1.0.1,nw_dst=10.2.0.2,nw_ttl=64,udp_src=1001,udp_dst=2001"

var drops = []drop{
	{name: "table miss", flows: []string{"tcp,actions=output:2"}, frame: plain, packet: udpText, reason: "no-match", has: "no flow of table 0 matches"},
	{name: "miss in a later table", flows: []string{"actions=resubmit(,5)"}, frame: plain, packet: udpText, reason: "no-match", has: "no flow of table 5 matches"},
	{name: "flow that drops", flows: []string{"cookie=0x77,priority=7,udp,actions=drop", "priority=1,actions=output:2"}, frame: plain, packet: udpText,
		reason: "flow", has: `"cookie":"0x77"`, cure: "ovs-ofctl --strict del-flows"},
	{name: "TTL", flows: []string{"ip,actions=dec_ttl,output:2"}, frame: func() *frame { return with(plain(), func(f *frame) { f.ip4.TTL = 1 }) },
		packet: strings.Replace(udpText, "nw_ttl=64", "nw_ttl=1", 1), reason: "ttl", has: "TTL"},
	{name: "hop limit", flows: []string{"ipv6,actions=dec_ttl,output:2"}, frame: func() *frame { return with(v6(udp()), func(f *frame) { f.ip6.HopLimit = 1 }) },
		packet: "udp6,ipv6_src=fd00:1::1,ipv6_dst=fd00:2::2,nw_ttl=1", reason: "ttl", has: "TTL"},
	{name: "TTL of MPLS", flows: []string{"mpls,actions=dec_mpls_ttl,output:2"}, frame: func() *frame { return with(labelled(plain(), 1), func(f *frame) { f.mpls[0].TTL = 1 }) },
		packet: "mpls,mpls_ttl=1,mpls_label=16000", reason: "ttl", has: "TTL"},
	{name: "VLAN of an access port", flows: []string{"actions=NORMAL"}, before: []string{"ovs-vsctl set port P1 tag=10"},
		frame: func() *frame { return tagged(plain(), tag{ctag, 0, 20}) }, packet: udpText + ",dl_vlan=20", reason: "vlan", has: `"port":"P1"`, cure: "ovs-vsctl",
		after: []string{"ovs-vsctl clear port P1 tag trunks vlan_mode"}},
	{name: "VLAN of a trunk", flows: []string{"actions=NORMAL"}, before: []string{"ovs-vsctl set port P1 trunks=10"},
		frame: func() *frame { return tagged(plain(), tag{ctag, 0, 20}) }, packet: udpText + ",dl_vlan=20", reason: "vlan", has: `"port":"P1"`, cure: "ovs-vsctl",
		after: []string{"ovs-vsctl clear port P1 trunks"}},
	{name: "trunk without untagged packets", flows: []string{"actions=NORMAL"}, before: []string{"ovs-vsctl set port P1 trunks=10"},
		frame: plain, packet: udpText, reason: "vlan", has: `"port":"P1"`, cure: "ovs-vsctl", after: []string{"ovs-vsctl clear port P1 trunks tag vlan_mode"}},
	{name: "no-receive", flows: []string{"actions=output:2"}, before: []string{"ovs-ofctl mod-port BR 1 no-receive"}, frame: plain, packet: udpText,
		reason: "port-no-receive", has: `"port":"P1"`, cure: "ovs-ofctl mod-port", after: []string{"ovs-ofctl mod-port BR 1 receive"}},
	{name: "no-forward", flows: []string{"actions=output:2"}, before: []string{"ovs-ofctl mod-port BR 2 no-forward"}, frame: plain, packet: udpText,
		reason: "port-no-forward", has: `"port":"P2"`, cure: "ovs-ofctl mod-port", after: []string{"ovs-ofctl mod-port BR 2 forward"}},
	{name: "missing port", flows: []string{"actions=output:77"}, frame: plain, packet: udpText, reason: "port-missing", has: "77"},
	{name: "patch port without peer", flows: []string{"actions=output:9"}, before: []string{"ovs-vsctl add-port BR Ppatch -- set Interface Ppatch type=patch options:peer=Pnone ofport_request=9"},
		frame: plain, packet: udpText, reason: "port-missing", has: "Ppatch", after: []string{"ovs-vsctl del-port Ppatch"}},
	{name: "back where it came from", flows: []string{"actions=output:1"}, frame: plain, packet: udpText, reason: "input-port", has: `"port":"P1"`},
	{name: "group without a live bucket", flows: []string{"actions=group:5"}, before: []string{"ovs-ofctl -O OpenFlow13 add-group BR group_id=5,type=ff,bucket=watch_port:77,output:2"},
		frame: plain, packet: udpText, reason: "group", has: "group 5", after: []string{"ovs-ofctl -O OpenFlow13 del-groups BR"}},
	{name: "resubmit without end", flows: []string{"actions=resubmit(,0)"}, frame: plain, packet: udpText, reason: "translation-error", has: "Recursion"},
	{name: "fragments", flows: []string{"actions=output:2"}, before: []string{"ovs-ofctl set-frags BR drop"}, frame: func() *frame { return piece(plain(), 0, 24, true) },
		packet: "udp,nw_frag=first", reason: "fragment", has: "fragment", cure: "ovs-ofctl set-frags", after: []string{"ovs-ofctl set-frags BR normal"}},
	{name: "protected ports", flows: []string{"actions=NORMAL"}, before: []string{"ovs-vsctl set port P1 protected=true -- set port P2 protected=true -- set port P3 protected=true -- set port BR protected=true"},
		frame: plain, packet: udpText, reason: "protected", has: "are protected", cure: "ovs-vsctl set port P1",
		after: []string{"ovs-vsctl set port P1 protected=false -- set port P2 protected=false -- set port P3 protected=false -- set port BR protected=false"}},
	{name: "no other port in the VLAN", flows: []string{"actions=NORMAL"}, before: []string{"ovs-vsctl set port P1 tag=10 -- set port P2 tag=11 -- set port P3 tag=11 -- set port BR tag=11"},
		frame: plain, packet: udpText, reason: "no-egress", has: "VLAN 10", after: []string{"ovs-vsctl clear port P1 tag -- clear port P2 tag -- clear port P3 tag -- clear port BR tag"}},
	{name: "reserved address", flows: []string{"actions=NORMAL"}, frame: func() *frame {
		return with(plain(), func(f *frame) { f.eth.DstMAC = net.HardwareAddr{1, 0x80, 0xc2, 0, 0, 0} })
	}, packet: "udp,dl_dst=01:80:c2:00:00:00", reason: "reserved-address", has: "reserved", cure: "ovs-vsctl set bridge", after: []string{"ovs-vsctl remove bridge BR other-config forward-bpdu"}},
	{name: "connection tracker", flows: []string{"ip,actions=ct(table=1)", "table=1,actions=output:2"}, frame: plain, packet: udpText, reason: "no-conntrack", has: "connection tracker"},
	{name: "packet without Ethernet header", flows: []string{"ip,actions=decap(),output:2"}, frame: plain, packet: udpText, reason: "packet-type", has: `"port":"P2"`},
	{name: "decap of a tagged packet", flows: []string{"actions=decap(),output:2"}, frame: func() *frame { return tagged(plain(), tag{ctag, 0, 20}) },
		packet: udpText + ",dl_vlan=20", reason: "translation-error", has: "Unsupported packet type"},
}

// TestUnsent has packets dropped after translation: by a meter, and by a port that
// is down or whose MTU is too small.
func TestUnsent(t *testing.T) {
	s := start(t)
	for _, datapath := range []string{"system", "netdev"} {
		t.Run(datapath, func(t *testing.T) { s.bridge(t, datapath).testUnsent(t) })
	}
}

func (b *bridge) testUnsent(t *testing.T) {
	const packets = 20
	frame := with(plain(), func(f *frame) { f.data = data(3000) }).build()
	send := func(patience time.Duration) (came int) {
		b.settled()
		b.run("ovs-appctl", "drops/clear")
		for range packets {
			check(t, b.wires[1].send(frame))
			if _, err := b.wires[2].receive(patience); err == nil {
				came++
			}
		}
		return came
	}
	// unsent checks that all packets are dropped, for one reason, and counted once;
	// and that they pass when that is mended.
	unsent := func(reason, text, column, cause, bad, cure, good string) {
		t.Helper()
		b.becomes(t, cause, column, bad)
		if came := send(10 * time.Millisecond); came != 0 {
			t.Errorf("%d of %d packets leave after %s", came, packets, cause)
		}
		var got []unsentPort
		if !programs.Wait(func() bool { // the last packets may be on their way
			got = b.unsent(t)
			return len(got) == 1 && got[0].Reason == reason && got[0].Port == b.names("P2") && got[0].Packets == packets &&
				strings.Contains(got[0].Text, b.names(text))
		}) {
			t.Errorf("after %s, drops/show says of packets that were not sent %+v", cause, got)
		}
		b.becomes(t, cure, column, good)
		if came := send(within); came != packets {
			t.Errorf("%d of %d packets leave after %s", came, packets, cure)
		}
		if got := b.unsent(t); len(got) != 0 {
			t.Errorf("after %s, drops/show says of packets that were not sent %+v", cure, got)
		}
	}
	for _, list := range []string{"actions=output:2", "actions=output:3,output:2"} { // one output, and several, go different ways
		b.flows("OpenFlow13", list)
		unsent("down", "ovs-ofctl mod-port BR P2 up", "admin_state", "ovs-ofctl mod-port BR 2 down", "down", "ovs-ofctl mod-port BR 2 up", "up")
		unsent("down", "the link of port P2 is down", "link_state",
			"ip -n "+farSpace+" link set P2-far down", "down", "ip -n "+farSpace+" link set P2-far up", "up")
		unsent("too-long", "mtu_request", "mtu",
			"ovs-vsctl set Interface P2 mtu_request=1500", "1500", fmt.Sprintf("ovs-vsctl set Interface P2 mtu_request=%d", mtu), fmt.Sprint(mtu))
	}
	b.command(t, "ovs-ofctl mod-port BR 2 down")
	if got := b.run("ovs-appctl", "drops/explain", b.name, "in_port=1,"+udpText); !strings.Contains(got, b.names("port P2 is down: ovs-ofctl mod-port BR P2 up")) {
		t.Errorf("drops/explain says nothing of the port that is down: %s", got)
	}
	b.command(t, "ovs-ofctl mod-port BR 2 up")
	b.command(t, "ovs-ofctl -O OpenFlow13 add-meter BR meter=1,pktps,burst,band=type=drop,rate=1,burst_size=2")
	b.flows("OpenFlow13", "actions=meter:1,output:2")
	began := time.Now()
	if came, most := send(10*time.Millisecond), 3+int(time.Since(began).Seconds()); came > most { // one more with each second
		t.Errorf("%d of %d packets pass a meter of 2", came, packets)
	}
	if !programs.Wait(func() bool {
		return strings.Contains(b.run("ovs-appctl", "--format", "json", "drops/show", b.name), `"meter":1`)
	}) {
		t.Errorf("drops/show lacks the meter: %s", b.run("ovs-appctl", "drops/show", b.name))
	}
	if got := b.run("ovs-appctl", "drops/explain", b.name, "in_port=1,"+udpText); !strings.Contains(got, "a meter may drop it") {
		t.Errorf("drops/explain says nothing of the meter: %s", got)
	}
	b.run("ovs-ofctl", "del-flows", b.name)
	b.command(t, "ovs-ofctl -O OpenFlow13 del-meters BR")
}

// unsentPort is one of the ports in the answer of drops/show.
type unsentPort struct {
	Reason, Port, Text string
	Packets            int
}

// unsent is what drops/show says of packets for port 2 that were not sent.
func (b *bridge) unsent(t *testing.T) (out []unsentPort) {
	t.Helper()
	var d struct{ Ports []unsentPort }
	check(t, json.Unmarshal([]byte(b.run("ovs-appctl", "--format", "json", "drops/show", b.name)), &d))
	for _, p := range d.Ports {
		if p.Port == b.names("P2") {
			out = append(out, p)
		}
	}
	return out
}

// becomes carries out a command that changes port 2, and waits for what comes of it.
func (b *bridge) becomes(t *testing.T, command, column, value string) {
	t.Helper()
	b.command(t, command)
	b.command(t, fmt.Sprintf("ovs-vsctl --timeout=60 wait-until Interface P2 %s=%s", column, value))
}

// TestDrops has packets dropped for each reason that there is, and checks that
// drops/show and drops/explain name it, and that what they offer helps.
func TestDrops(t *testing.T) {
	s := start(t)
	for _, datapath := range datapaths {
		t.Run(datapath, func(t *testing.T) {
			b := s.bridge(t, datapath)
			for _, d := range drops {
				t.Run(strings.ReplaceAll(d.name, " ", "-"), func(t *testing.T) { b.testDrop(t, d) })
			}
		})
	}
}

// command runs words of the table.
func (b *bridge) command(t *testing.T, words string) {
	t.Helper()
	args := strings.Fields(b.names(words))
	if args[0] == "ip" { // not one of ours
		check(t, lab.IP(strings.Join(args[1:], " ")))
		return
	}
	if out, err := b.try(args[0], args[1:]...); err != nil {
		t.Errorf("%s: %v\n%s", strings.Join(args, " "), err, out)
	}
}

func (b *bridge) names(text string) string {
	text = strings.ReplaceAll(text, "BR", b.name)
	for _, what := range []string{"1", "2", "3", "patch", "none"} {
		text = strings.ReplaceAll(text, "P"+what, b.datapath[:3]+"-"+what)
	}
	return text
}

// reasons is the part of the answer of drops/show that is looked at.
type reasons struct {
	Reasons []json.RawMessage `json:"reasons"`
}

func (b *bridge) testDrop(t *testing.T, d drop) {
	b.run("ovs-ofctl", "del-flows", b.name)
	for _, c := range d.before {
		b.command(t, c)
	}
	b.addFlows("OpenFlow13", d.flows...)
	defer func() {
		for _, c := range d.after {
			b.command(t, c)
		}
	}()
	b.run("ovs-appctl", "fdb/flush", b.name)
	b.settled()
	b.run("ovs-appctl", "drops/clear")
	frame := d.frame().build()
	const packets = 3
	for range packets {
		check(t, b.wires[1].send(frame))
		time.Sleep(2 * time.Millisecond)
	}
	var got string
	programs.Wait(func() bool {
		got = b.dropped(t, packets)
		return got != ""
	})
	is := fmt.Sprintf(`"reason":%q`, d.reason)
	has := b.names(d.has)
	if !strings.Contains(got, is) || !strings.Contains(got, has) {
		t.Errorf("drops/show has no reason %s with %s for %d packets: %s", is, has, packets, b.run("ovs-appctl", "drops/show"))
	}
	explained := b.run("ovs-appctl", "--format", "json", "drops/explain", b.name, "in_port=1,"+d.packet)
	if !strings.Contains(explained, is) || !strings.Contains(explained, has) {
		t.Errorf("drops/explain has no reason %s with %s: %s", is, has, explained)
	}
	if d.cure != "" {
		b.cured(t, d, frame, explained)
	}
}

// dropped is the reason that n packets were dropped for, empty if there is none.
func (b *bridge) dropped(t *testing.T, n int) string {
	t.Helper()
	var r reasons
	check(t, json.Unmarshal([]byte(b.run("ovs-appctl", "--format", "json", "drops/show", b.name)), &r))
	for _, reason := range r.Reasons {
		if strings.Contains(string(reason), fmt.Sprintf(`"packets":%d,`, n)) {
			return string(reason)
		}
	}
	return ""
}

// cured carries out the command that drops/explain offers; the packet must pass
// then.
func (b *bridge) cured(t *testing.T, d drop, frame []byte, explained string) {
	t.Helper()
	var e struct {
		Cures []string `json:"would_pass_if"`
	}
	check(t, json.Unmarshal([]byte(explained), &e))
	cure := b.names(d.cure)
	for _, c := range e.Cures {
		at := strings.Index(c, cure)
		if at < 0 {
			continue
		}
		b.command(t, strings.ReplaceAll(c[at:], `"`, ""))
		b.settled()
		check(t, b.wires[1].send(frame))
		if _, err := b.wires[2].receive(within); err != nil {
			t.Errorf("%s doesn't let the packet pass: %v", c[at:], err)
		}
		b.elsewhere()
		return
	}
	t.Errorf("no cure %s: %q", cure, e.Cures)
}
