package xlate

import (
	"reflect"
	"sync"

	"weir/internal/flow"
	"weir/internal/openflow"
)

// State is the frozen state of a packet whose translation goes on later: after
// a recirculation, or at the controller. It is immutable.
type State struct {
	Bridge *Bridge
	Table  uint8
	// Key holds what the data path does not carry: registers, metadata,
	// tunnel and input port.
	Key       flow.Key
	Stack     []flow.Value
	StackLens []uint8
	// Actions are what is left to do, ActionSet what was collected.
	Actions   []openflow.Action
	ActionSet []openflow.Action
	WasMPLS   bool
	// Of packets for a controller.
	RuleCookie uint64
	Userdata   []byte
}

// Recircs gives states numbers that a data path can carry. Equal states share
// a number. It is safe for concurrent use.
type Recircs struct {
	mu   sync.Mutex
	next uint32
	byID map[uint32]*recirc
}

type recirc struct {
	state *State
	refs  int
}

// NewRecircs makes an empty set; numbers start at 1.
func NewRecircs() *Recircs { return &Recircs{byID: map[uint32]*recirc{}} }

// Alloc gives the number of a state, and takes a reference to it.
func (rs *Recircs) Alloc(s *State) uint32 {
	rs.mu.Lock()
	defer rs.mu.Unlock()
	for id, r := range rs.byID {
		if sameState(r.state, s) {
			r.refs++
			return id
		}
	}
	for {
		rs.next++
		if rs.next != 0 && rs.byID[rs.next] == nil {
			break
		}
	}
	rs.byID[rs.next] = &recirc{s, 1}
	return rs.next
}

// Lookup finds the state of a number, nil for none.
func (rs *Recircs) Lookup(id uint32) *State {
	rs.mu.Lock()
	defer rs.mu.Unlock()
	if r := rs.byID[id]; r != nil {
		return r.state
	}
	return nil
}

// Ref takes a reference to a number that is in use.
func (rs *Recircs) Ref(id uint32) {
	rs.mu.Lock()
	defer rs.mu.Unlock()
	if r := rs.byID[id]; r != nil {
		r.refs++
	}
}

// Unref gives a reference back; the last one frees the number.
func (rs *Recircs) Unref(id uint32) {
	rs.mu.Lock()
	defer rs.mu.Unlock()
	if r := rs.byID[id]; r != nil {
		if r.refs--; r.refs <= 0 {
			delete(rs.byID, id)
		}
	}
}

func sameState(a, b *State) bool {
	return a.Bridge.Name == b.Bridge.Name && a.Table == b.Table && a.Key == b.Key &&
		a.RuleCookie == b.RuleCookie && a.WasMPLS == b.WasMPLS &&
		reflect.DeepEqual(a.Stack, b.Stack) && reflect.DeepEqual(a.StackLens, b.StackLens) &&
		reflect.DeepEqual(a.Actions, b.Actions) && reflect.DeepEqual(a.ActionSet, b.ActionSet) &&
		string(a.Userdata) == string(b.Userdata)
}
