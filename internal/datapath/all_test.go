package datapath

import (
	"slices"
	"testing"
)

// All goes through nested lists where they stand, and ends when it is told to.
func TestAll(t *testing.T) {
	actions, err := ParseActions("1,clone(2,sample(sample=50%,actions(3))),check_pkt_len(size=200,gt(4),le(clone(5),6)),7", nil)
	if err != nil {
		t.Fatal(err)
	}
	ports := func(until PortNo) (list []PortNo) {
		for a := range All(actions) {
			if out, ok := a.(*Output); ok {
				if list = append(list, out.Port); out.Port == until {
					break
				}
			}
		}
		return list
	}
	if got := ports(PortNone); !slices.Equal(got, []PortNo{1, 2, 3, 4, 5, 6, 7}) {
		t.Errorf("the ports are %v", got)
	}
	if got := ports(5); !slices.Equal(got, []PortNo{1, 2, 3, 4, 5}) {
		t.Errorf("up to port 5 they are %v", got)
	}
}
