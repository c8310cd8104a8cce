package ebpf

import (
	"reflect"
	"sync/atomic"

	"weir/internal/datapath"
	"weir/internal/datapath/ebpf/program"
)

// place is where programs stopped in an action list: its code's number, which is
// never another list's, and the reason with what it says of where.
type place struct {
	code, arg uint32
	reason    program.Reason
}

// step is what user space does for a packet that came up from a place, nothing
// where there is no such action, and the counter of such packets.
type step struct {
	actions []datapath.Action
	count   *atomic.Uint64
}

// maxSteps bounds how many places are remembered.
const maxSteps = 4096

// steps remembers places, so that a packet needs neither a lock nor memory. It
// belongs to one poller.
type steps struct {
	code     func(id uint32) ([]datapath.Action, bool)
	counters *slowCounters
	known    map[place]step
}

// find is the step of a place, false where its list is long gone.
func (s *steps) find(at place) (step, bool) {
	if st, ok := s.known[at]; ok {
		return st, true
	}
	actions, ok := s.code(at.code)
	if !ok {
		return step{}, false
	}
	if len(s.known) >= maxSteps {
		clear(s.known)
	}
	st := s.make(actions, at)
	s.known[at] = st
	return st, true
}

func (s *steps) make(actions []datapath.Action, at place) step {
	if at.reason == program.ReasonAction {
		return step{userAction(actions, int(at.arg)), s.counters.counter("userspace action")}
	}
	if int(at.arg) >= len(actions) {
		return step{}
	}
	actions = actions[at.arg:]
	return step{actions, s.counters.counter(actionName(actions[0]))}
}

// actionName is what an action is called in counters: the name of its type.
func actionName(a datapath.Action) string {
	return "action " + reflect.TypeOf(a).Elem().Name()
}

// userAction is the Userspace action of number n in a list, those nested in others
// counted where they stand, as a list of its own; nil if there is none.
func userAction(actions []datapath.Action, n int) []datapath.Action {
	for a := range datapath.All(actions) {
		if _, ok := a.(*datapath.Userspace); ok {
			if n == 0 {
				return []datapath.Action{a}
			}
			n--
		}
	}
	return nil
}
