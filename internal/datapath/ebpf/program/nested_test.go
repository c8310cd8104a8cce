package program

import (
	"testing"

	"weir/internal/datapath"
	"weir/internal/flow"
	"weir/internal/packet"
)

// Where a program may find out that it can't go on, user space begins again with
// the action of the list that it is in. Nothing may have been done by then that
// can't be done twice.
func TestNothingTwice(t *testing.T) {
	var key flow.Key
	var mask flow.Mask
	key.EthType, mask.EthType = packet.EtherTypeMPLS, 0xffff
	out := &datapath.Output{Port: 1}
	pop := &datapath.PopMPLS{EthType: packet.EtherTypeIPv4}
	list := func(a ...datapath.Action) []datapath.Action { return a }
	long := func(greater, less []datapath.Action) datapath.Action {
		return &datapath.CheckPktLen{Size: 700, Greater: greater, LessEqual: less}
	}
	s := &Set{cfg: Config{MaxPorts: 16}}
	for _, c := range []struct {
		name    string
		actions []datapath.Action
		slow    bool
	}{
		{"pop after an output", list(out, pop, out), false},
		{"pop in a branch", list(long(list(pop, out), list(out))), false},
		{"pop after an output in a branch", list(long(list(out, pop, out), nil)), true},
		{"pop after an output in the other branch", list(long(list(out), list(pop, out))), false},
		{"pop after a branch with an output", list(&datapath.Clone{Actions: list(long(list(out), nil), pop, out)}), true},
		{"pop after a tag in a clone", list(&datapath.Clone{Actions: list(&datapath.PopVLAN{}, pop, out)}), true},
		{"pop after a meter in a clone", list(&datapath.Clone{Actions: list(&datapath.Meter{ID: 1}, pop, out)}), true},
		{"two pops in a clone", list(&datapath.Clone{Actions: list(pop, &datapath.PushMPLS{EthType: packet.EtherTypeMPLS}, out)}), true},
		{"a random pop", list(&datapath.Sample{Probability: 1 << 31, Actions: list(pop, out)}), true},
		{"a certain pop", list(&datapath.Sample{Probability: 1<<32 - 1, Actions: list(pop, out)}), false},
		{"a cut after an output in a clone", list(&datapath.Clone{Actions: list(out, &datapath.Trunc{MaxLen: 64}, out)}), true},
		{"a cut in a clone", list(&datapath.Clone{Actions: list(&datapath.Trunc{MaxLen: 64}, out)}), false},
	} {
		if _, slow := s.Compile(&key, &mask, c.actions); (slow != nil) != c.slow {
			t.Errorf("%s: left to user space: %v, want %v", c.name, slow, c.slow)
		}
	}
}

// What one branch does to the packet, the other doesn't know of.
func TestBranchesApart(t *testing.T) {
	var key flow.Key
	var mask flow.Mask
	key.EthType, mask.EthType = packet.EtherTypeMPLS, 0xffff
	branch := func() []datapath.Action {
		return []datapath.Action{&datapath.PopMPLS{EthType: packet.EtherTypeIPv4}, &datapath.Output{Port: 1}}
	}
	s := &Set{cfg: Config{MaxPorts: 16}}
	code, slow := s.Compile(&key, &mask, []datapath.Action{&datapath.CheckPktLen{Size: 700, Greater: branch(), LessEqual: branch()}})
	pops := 0
	for i := 0; i < len(code.ops); i += int(code.ops[i] >> 8 & 0xff) {
		if opcode(code.ops[i]) == opPopMPLS {
			pops++
		}
	}
	if pops != 2 || slow != nil {
		t.Errorf("%d branches pop the label, want 2 (%v)", pops, slow)
	}
}
