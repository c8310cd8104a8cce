package xlate

import (
	"encoding/binary"
	"hash/fnv"
	"reflect"
	"slices"
	"sync"

	"weir/internal/flow"
	"weir/internal/openflow"
)

// State is the frozen state of a packet whose translation goes on later: after
// a recirculation, or at the controller. It is immutable.
type State struct {
	Bridge *Bridge
	// Table is where translation goes on: with a lookup there if Lookup says so,
	// else with Actions.
	Table  uint8
	Lookup bool
	// Key holds what the data path does not carry: registers, metadata,
	// tunnel and input port.
	Key   flow.Key
	Stack []flow.Value
	// Received says that the options of a tunnel are those that the packet came
	// with, and not in Key.
	Received bool
	// Actions are what is left to do, ActionSet what was collected.
	Actions   []openflow.Action
	ActionSet []openflow.Action
	WasMPLS   bool
	Mirrored  MirrorSet // the mirrors that have had the packet
	// RuleCookie is that of the rule whose actions these are.
	RuleCookie uint64
	// Of packets for a controller: the table that sent it, and the action's data.
	SentTable uint8
	Userdata  []byte
}

// Recircs gives states numbers that a data path can carry. Equal states share
// a number. A number that nobody refers to any more stays known for a while,
// for packets on their way with it. It is safe for concurrent use.
type Recircs struct {
	mu     sync.Mutex
	next   uint32
	byID   map[uint32]*recirc
	byHash map[uint64][]*recirc
	idle   []uint32 // numbers that lost their last reference, oldest first
}

// keepIdle is how many numbers without references stay known.
const keepIdle = 1024

type recirc struct {
	id    uint32
	hash  uint64
	state *State
	refs  int
}

// NewRecircs makes an empty set; numbers start at 1.
func NewRecircs() *Recircs {
	return &Recircs{byID: map[uint32]*recirc{}, byHash: map[uint64][]*recirc{}}
}

// Alloc gives the number of a state, and takes a reference to it.
func (rs *Recircs) Alloc(s *State) uint32 {
	h := s.hash()
	rs.mu.Lock()
	defer rs.mu.Unlock()
	for _, r := range rs.byHash[h] {
		if r.refs > 0 && sameState(r.state, s) {
			r.refs++
			return r.id
		}
	}
	for {
		rs.next++
		if rs.next != 0 && rs.byID[rs.next] == nil {
			break
		}
	}
	r := &recirc{id: rs.next, hash: h, state: s, refs: 1}
	rs.byID[r.id] = r
	rs.byHash[h] = append(rs.byHash[h], r)
	return r.id
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

// Refs is the number of references to a number, for tests and diagnosis.
func (rs *Recircs) Refs(id uint32) int {
	rs.mu.Lock()
	defer rs.mu.Unlock()
	if r := rs.byID[id]; r != nil {
		return r.refs
	}
	return 0
}

// Unref gives a reference back.
func (rs *Recircs) Unref(id uint32) {
	rs.mu.Lock()
	defer rs.mu.Unlock()
	r := rs.byID[id]
	if r == nil || r.refs <= 0 {
		return
	}
	if r.refs--; r.refs > 0 {
		return
	}
	rs.idle = append(rs.idle, id)
	if len(rs.idle) > keepIdle {
		rs.forget(rs.idle[0])
		rs.idle = rs.idle[1:]
	}
}

// forget frees a number, unless it was taken up again.
func (rs *Recircs) forget(id uint32) {
	r := rs.byID[id]
	if r == nil || r.refs > 0 {
		return
	}
	delete(rs.byID, id)
	rs.byHash[r.hash] = slices.DeleteFunc(rs.byHash[r.hash], func(o *recirc) bool { return o == r })
	if len(rs.byHash[r.hash]) == 0 {
		delete(rs.byHash, r.hash)
	}
}

// hash is equal for equal states. Actions don't count in it.
func (s *State) hash() uint64 {
	h := fnv.New64a()
	h.Write([]byte(s.Bridge.Name))
	var b [8]byte
	for _, w := range s.Key.Words() {
		if w != 0 {
			binary.LittleEndian.PutUint64(b[:], w)
			h.Write(b[:])
		}
	}
	binary.LittleEndian.PutUint64(b[:], s.RuleCookie^uint64(s.Table)<<32^uint64(len(s.Actions)))
	h.Write(b[:])
	return h.Sum64()
}

func sameState(a, b *State) bool {
	return a.Bridge.Name == b.Bridge.Name && a.Table == b.Table && a.Lookup == b.Lookup && a.SentTable == b.SentTable && a.Received == b.Received && a.Key == b.Key &&
		a.RuleCookie == b.RuleCookie && a.WasMPLS == b.WasMPLS && a.Mirrored == b.Mirrored && slices.Equal(a.Stack, b.Stack) &&
		string(a.Userdata) == string(b.Userdata) &&
		(len(a.Actions) == 0 && len(b.Actions) == 0 || reflect.DeepEqual(a.Actions, b.Actions)) &&
		(len(a.ActionSet) == 0 && len(b.ActionSet) == 0 || reflect.DeepEqual(a.ActionSet, b.ActionSet))
}
