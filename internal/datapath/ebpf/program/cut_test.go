package program

import (
	"testing"

	"weir/internal/datapath"
	"weir/internal/flow"
)

// A cut is for the output that follows it, whatever stands between: outputs
// after that one aren't moved before it, and user space takes over at the cut.
func TestCutKeepsItsOutput(t *testing.T) {
	s := &Set{cfg: Config{MaxPorts: 4096}}
	for text, want := range map[string]string{
		"trunc(100),1,2": "2,trunc(100),1",
		"trunc(100),set(tunnel(tun_id=0x0,dst=1.1.1.1,ttl=0,flags(key))),1,2": "trunc(100),set(tunnel(tun_id=0x0,dst=1.1.1.1,ttl=0,flags(key))),1,2",
		"trunc(100),set(tunnel(tun_id=0x0,dst=1.1.1.1,ttl=0,flags(key))),1":   "trunc(100),set(tunnel(tun_id=0x0,dst=1.1.1.1,ttl=0,flags(key))),1",
		"trunc(100),set(eth(src=02:00:00:00:00:01,dst=02:00:00:00:00:02)),1":  "trunc(100),set(eth(src=02:00:00:00:00:01,dst=02:00:00:00:00:02)),1",
	} {
		actions, err := datapath.ParseActions(text, nil)
		if err != nil {
			t.Fatal(err)
		}
		if got := datapath.FormatActions(reorder(actions), nil); got != want {
			t.Errorf("%s becomes %s, want %s", text, got, want)
		}
		_, slow := s.Compile(&flow.Key{}, &flow.Mask{}, actions)
		if slow != nil && slow.Index != 0 {
			t.Errorf("%s: user space takes over at action %d (%v), want at the cut", text, slow.Index, slow)
		}
	}
}
