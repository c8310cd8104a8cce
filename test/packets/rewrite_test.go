package packets

import (
	"fmt"
	"strings"
	"testing"
)

// TestRewrite sends packets of many kinds through each action that changes
// them, and compares what comes out with what gopacket makes of the change, byte
// for byte.
func TestRewrite(t *testing.T) {
	s := start(t)
	for _, datapath := range datapaths {
		t.Run(datapath, func(t *testing.T) { s.bridge(t, datapath).testRewrite(t) })
	}
}

// kindOf finds a kind of packet by its name.
func kindOf(t *testing.T, name string) kind {
	t.Helper()
	for _, list := range [][]kind{kinds, damaged} {
		for _, k := range list {
			if k.name == name {
				return k
			}
		}
	}
	t.Fatalf("no kind of packet is called %q", name)
	return kind{}
}

func (b *bridge) testRewrite(t *testing.T) {
	type test struct {
		name string
		in   []byte
		want [][]byte
	}
	var tests []test
	var flows, old []string // old are those that mean something else since OpenFlow 1.1
	for _, r := range rewrites {
		for _, name := range r.on {
			k := kindOf(t, name)
			mac := source(len(tests))
			test := test{name: fmt.Sprintf("%s on %s", r.actions, name)}
			build := func(change func(*frame)) []byte {
				f := k.make()
				f.eth.SrcMAC = mac
				change(f)
				return f.build()
			}
			test.in = build(same)
			for _, change := range r.want {
				test.want = append(test.want, build(change))
			}
			tests = append(tests, test)
			actions, match, _ := strings.Cut(r.actions, "/dl")
			if match != "" {
				match = ",dl" + match
			}
			if !strings.Contains(actions, "output") {
				actions += ",output:2"
			}
			list := &flows
			if strings.HasPrefix(actions, "strip_vlan") || strings.HasPrefix(actions, "mod_vlan_") {
				list = &old
			}
			*list = append(*list, fmt.Sprintf("dl_src=%s,%s%s actions=%s", mac, k.is, match, actions))
		}
	}
	b.flows("OpenFlow15", flows...)
	b.addFlows("OpenFlow10", old...)
	b.rounds(func() bool {
		for _, test := range tests {
			if err := b.passes(test.in, 2, test.want...); err != nil {
				t.Errorf("%s: %v", test.name, err)
			}
		}
		return !t.Failed()
	})
}
