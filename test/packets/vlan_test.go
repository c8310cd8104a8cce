package packets

import (
	"bytes"
	"fmt"
	"strings"
	"testing"
	"time"
)

// vlanCase is a packet from port 1 to port 2 of a bridge that switches by VLANs
// (ovs-vswitchd.conf.db(5), Port, "VLAN Configuration").
type vlanCase struct {
	in, out  string // columns of ports 1 and 2
	tags     []tag  // of the packet that comes in
	want     []tag  // of the packet that goes out
	dropped  bool   // none does
	priority string // one more column of port 2
}

func one(t tag) []tag { return []tag{t} }

const (
	access      = "tag=10"
	trunk       = "trunks=10,20"
	openTrunk   = "" // carries all VLANs
	native      = "tag=10 vlan_mode=native-untagged"
	nativeTag   = "tag=10 vlan_mode=native-tagged"
	dot1qTunnel = "tag=10 vlan_mode=dot1q-tunnel"
)

var vlanCases = []vlanCase{
	{in: access, out: access},
	{in: access, out: openTrunk, want: one(tag{ctag, 0, 10})},
	{in: access, out: trunk, want: one(tag{ctag, 0, 10})},
	{in: access, out: native},
	{in: access, out: nativeTag, want: one(tag{ctag, 0, 10})},
	{in: access, out: "tag=11", dropped: true},
	{in: access, out: "trunks=20", dropped: true},
	{in: access, out: access, tags: one(tag{ctag, 0, 20}), dropped: true},
	{in: access, out: access, tags: one(tag{ctag, 0, 10}), dropped: true},
	{in: access, out: openTrunk, tags: one(tag{ctag, 3, 0}), want: one(tag{ctag, 3, 10})},
	{in: access, out: access, tags: one(tag{ctag, 3, 0})},
	{in: access, out: access, tags: one(tag{ctag, 3, 0}), want: one(tag{ctag, 3, 0}), priority: "other_config:priority-tags=if-nonzero"},
	{in: access, out: access, want: one(tag{ctag, 0, 0}), priority: "other_config:priority-tags=always"},
	{in: openTrunk, out: openTrunk},
	{in: openTrunk, out: openTrunk, tags: one(tag{ctag, 5, 30}), want: one(tag{ctag, 5, 30})},
	{in: openTrunk, out: trunk, tags: one(tag{ctag, 5, 30}), dropped: true},
	{in: trunk, out: openTrunk, tags: one(tag{ctag, 5, 30}), dropped: true},
	{in: trunk, out: openTrunk, dropped: true},
	{in: trunk, out: access, tags: one(tag{ctag, 5, 10})},
	{in: trunk, out: access, tags: one(tag{ctag, 5, 20}), dropped: true},
	{in: native, out: openTrunk, want: one(tag{ctag, 0, 10})},
	{in: native, out: openTrunk, tags: one(tag{ctag, 1, 20}), want: one(tag{ctag, 1, 20})},
	{in: native, out: nativeTag, tags: one(tag{ctag, 1, 10}), want: one(tag{ctag, 1, 10})},
	{in: nativeTag, out: native, tags: one(tag{ctag, 1, 10})},
	{in: nativeTag, out: openTrunk, want: one(tag{ctag, 0, 10})},
	{in: openTrunk, out: openTrunk, tags: []tag{{stag, 2, 20}, {ctag, 1, 30}}, want: []tag{{stag, 2, 20}, {ctag, 1, 30}}},
	{in: openTrunk, out: "tag=20", tags: []tag{{ctag, 2, 20}, {ctag, 1, 30}}, dropped: true},
	{in: dot1qTunnel, out: openTrunk, want: one(tag{stag, 0, 10})},
	{in: dot1qTunnel, out: openTrunk, tags: one(tag{ctag, 4, 20}), want: []tag{{stag, 0, 10}, {ctag, 4, 20}}},
	{in: dot1qTunnel, out: dot1qTunnel, tags: one(tag{ctag, 4, 20}), want: one(tag{ctag, 4, 20})},
	{in: dot1qTunnel + " other_config:qinq-ethtype=802.1q", out: openTrunk, tags: one(tag{ctag, 4, 20}), want: []tag{{ctag, 0, 10}, {ctag, 4, 20}}},
	{in: dot1qTunnel + " cvlans=21", out: openTrunk, tags: one(tag{ctag, 4, 20}), dropped: true},
	{in: openTrunk, out: dot1qTunnel, tags: []tag{{stag, 2, 10}, {ctag, 1, 30}}, want: one(tag{ctag, 1, 30})},
	{in: openTrunk, out: dot1qTunnel, tags: []tag{{stag, 2, 11}, {ctag, 1, 30}}, dropped: true},
}

// TestVLANs sends packets between ports of every VLAN mode through NORMAL and
// compares the tags of what comes out.
func TestVLANs(t *testing.T) {
	s := start(t)
	s.run("ovs-vsctl", "set", "Open_vSwitch", ".", "other_config:vlan-limit=2")
	for _, datapath := range datapaths {
		t.Run(datapath, func(t *testing.T) { s.bridge(t, datapath).testVLANs(t) })
	}
}

func (b *bridge) testVLANs(t *testing.T) {
	b.flows("OpenFlow13", "actions=NORMAL")
	b.command(t, "ovs-vsctl set port P3 tag=4000 -- set port BR tag=4000")
	for i, c := range vlanCases {
		set := "ovs-vsctl"
		for n, columns := range []string{c.in, c.out + " " + c.priority} {
			set += fmt.Sprintf(" -- clear port P%d tag trunks vlan_mode cvlans other_config -- set port P%d other_config:x=y %s", n+1, n+1, columns)
		}
		b.command(t, set)
		b.settled()
		f := v4(udp())
		f.eth.SrcMAC = source(i)
		in := tagged(f, c.tags...).build()
		want := tagged(f, c.want...).build()
		name := fmt.Sprintf("%v from a port with %q to one with %q %s", c.tags, c.in, c.out, c.priority)
		for range 3 { // the third goes by the data path's flow
			check(t, b.wires[1].send(in))
			if c.dropped {
				if got, err := b.wires[2].receive(20 * time.Millisecond); err == nil {
					t.Errorf("%s: is not dropped:%s", name, describe(got))
				}
				continue
			}
			if got, err := b.wires[2].receive(within); err != nil {
				t.Errorf("%s: doesn't come out: %s", name, strings.TrimSpace(b.run("ovs-appctl", "drops/show", b.name)))
				break
			} else if !bytes.Equal(got, want) {
				t.Errorf("%s: %v", name, difference(in, got, want))
				break
			}
		}
	}
}
