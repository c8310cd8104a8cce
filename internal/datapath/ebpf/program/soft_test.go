package program

import (
	"testing"

	"weir/internal/datapath"
	"weir/internal/flow"
)

// What goes to a port that user space alone has, it gets together with what it
// must know of the tunnel.
func TestCompileSoftPorts(t *testing.T) {
	s := new(Set)
	s.cfg.defaults()
	s.SetSoft(5, true)
	for text, at := range map[string]int{
		"5":                                   0,
		"2,5":                                 1,
		"2,set(tunnel(dst=1.1.1.1,ttl=64)),5": 1,
		"clone(2,5)":                          0,
		"2,set(tunnel(dst=1.1.1.1,ttl=64)),4": -1,
	} {
		actions, err := datapath.ParseActions(text, nil)
		if err != nil {
			t.Fatal(text, err)
		}
		code, slow := s.Compile(&flow.Key{}, &flow.Mask{}, actions)
		switch {
		case at < 0 && slow != nil:
			t.Errorf("%s: %v", text, slow)
		case at >= 0 && (slow == nil || slow.Index != at || slow.Why != SlowPort):
			t.Errorf("%s: %v, want index %d", text, slow, at)
		case at >= 0 && code.high != noPort:
			t.Errorf("%s goes out by port %d at once", text, code.high)
		}
	}
	s.SetSoft(5, false)
	if _, slow := s.Compile(&flow.Key{}, &flow.Mask{}, []datapath.Action{&datapath.Output{Port: 5}}); slow != nil {
		t.Error(slow)
	}
}
