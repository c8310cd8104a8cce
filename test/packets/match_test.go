package packets

import (
	"fmt"
	"net"
	"strings"
	"testing"
)

// TestMatch sends each kind of packet to flows that match it by one field at a
// time. A flow for another value of the field stands before it and leads
// elsewhere.
func TestMatch(t *testing.T) {
	s := start(t)
	for _, datapath := range datapaths {
		t.Run(datapath, func(t *testing.T) { s.bridge(t, datapath).testMatch(t) })
	}
}

// source is the Ethernet address that packets of case number n come from: it
// leads them to the flows of their case.
func source(n int) net.HardwareAddr { return net.HardwareAddr{2, 0xca, 0x5e, 0, byte(n >> 8), byte(n)} }

func (b *bridge) testMatch(t *testing.T) {
	type test struct {
		name  string
		frame []byte
	}
	var tests []test
	flows := []string{"priority=0,actions=output:3"}
	for _, k := range kinds {
		if k.memory && b.datapath != "dummy" {
			continue
		}
		for _, field := range k.fields {
			name, values, _ := strings.Cut(field, "=")
			right, wrong, _ := strings.Cut(values, "!")
			right, wrong = name+"="+right, name+"="+wrong
			f := k.make()
			f.eth.SrcMAC = source(len(tests))
			is := fmt.Sprintf("dl_src=%s,", f.eth.SrcMAC)
			if k.is != "" && name != "dl_type" && name != "eth_type" {
				is += k.is + ","
			}
			flows = append(flows, "priority=20,"+is+wrong+",actions=output:3", "priority=10,"+is+right+",actions=output:2")
			tests = append(tests, test{k.name + ": " + right, f.build()})
		}
	}
	b.run("ovs-ofctl", "set-frags", b.name, "nx-match") // ports of first fragments can be matched
	b.flows("OpenFlow15", flows...)
	b.rounds(func() bool {
		for _, test := range tests {
			if err := b.passes(test.frame, 2, test.frame); err != nil {
				t.Errorf("%s: %v", test.name, err)
			}
		}
		return !t.Failed()
	})
}
