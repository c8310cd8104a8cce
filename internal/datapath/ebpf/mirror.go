package ebpf

import (
	"errors"
	"maps"
	"slices"
	"sync"
	"sync/atomic"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"

	"weir/internal/clock"
	"weir/internal/datapath"
	"weir/internal/datapath/ebpf/program"
	"weir/internal/datapath/userspace"
	"weir/internal/vlog"
)

// mirror keeps the flows of the user-space data path in the kernel's tables.
// Its mutex makes it their one writer.
type mirror struct {
	clock *clock.Clock
	set   *program.Set
	// offset is what the clock is ahead of the kernel's time since boot.
	offset atomic.Int64
	// offer shows flows again that were refused, from a place on; it is
	// userspace.DP.Offer. offered is where to go on, the keeper's alone.
	offer   func(from int) (next int, end bool)
	offered int
	// kick wakes the keeper, stop ends it.
	kick, stop chan struct{}
	done       sync.WaitGroup

	mu       sync.Mutex
	detached bool
	refused  map[string]uint64 // flows that stay in user space, by reason
	crowded  bool              // some of them for want of room, since all were offered last
	last     compiled
}

// compiled is an action list whose code depends on nothing else.
type compiled struct {
	actions []datapath.Action
	code    *program.Code
}

var _ userspace.Mirror = (*mirror)(nil)

func newMirror(set *program.Set, c *clock.Clock) *mirror {
	m := &mirror{clock: c, set: set, kick: make(chan struct{}, 1), stop: make(chan struct{}), refused: map[string]uint64{}}
	m.tick()
	return m
}

// start begins the background work.
func (m *mirror) start() {
	m.done.Add(1)
	go m.keep()
}

// Times of the keeper's work.
const (
	// commitPause passes after new masks went into the program until the next
	// ones do, so that many come together.
	commitPause = 2 * time.Millisecond
	// reorderEvery is how often masks are ordered by their traffic.
	reorderEvery = 5 * time.Second
	// reclaimEvery is how often what was removed becomes free again.
	reclaimEvery = time.Second
)

// keep does in the background what is too slow for those who install flows: it
// replaces the program when masks came or went, and frees what was removed.
func (m *mirror) keep() {
	defer m.done.Done()
	reclaim := time.NewTicker(reclaimEvery)
	defer reclaim.Stop()
	reorder := time.NewTicker(reorderEvery)
	defer reorder.Stop()
	for {
		select {
		case <-m.stop:
			return
		case <-m.kick:
			m.replace("commit", m.set.Prepare)
			time.Sleep(commitPause)
		case <-reorder.C:
			m.reorder()
		case <-reclaim.C:
			m.reclaim()
			m.fill()
		}
	}
}

func (m *mirror) do(what string, fn func() error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.detached {
		return
	}
	if err := fn(); err != nil {
		log.ErrRL(&keeperRL, "%s: %v", what, err)
	}
}

// reclaim frees what has been removed, once no program sees it any more. The
// wait for that holds nobody up.
func (m *mirror) reclaim() {
	var gone program.Retired
	m.do("reclaim", func() error { gone = m.set.Retire(); return nil })
	if len(gone) == 0 {
		return
	}
	err := program.Barrier()
	m.do("reclaim", func() error {
		if err == nil {
			m.set.Free(gone)
		}
		return err
	})
}

// fill gives room to flows that were refused for want of it. Once all have been
// offered from the first to the last and none found the tables full, those that
// are left can't be matched by programs.
func (m *mirror) fill() {
	m.mu.Lock()
	crowded := m.crowded
	if m.offered == 0 {
		m.crowded = false
	}
	m.mu.Unlock()
	if !crowded {
		return
	}
	next, end := m.offer(m.offered)
	m.offered = next
	if !end {
		m.mu.Lock()
		m.crowded = true
		m.mu.Unlock()
	}
}

var keeperRL, refusedRL vlog.RateLimit

// replace puts a new program in the place of the present one, if prepare has
// one. While the kernel verifies it, flows come and go.
func (m *mirror) replace(what string, prepare func() *program.Main) {
	var next *program.Main
	m.do(what, func() error { next = prepare(); return nil })
	if next == nil {
		return
	}
	err := next.Load()
	m.do(what, func() error {
		if err != nil {
			return err
		}
		return m.set.Replace(next)
	})
}

// reorder has the masks tried in the order of their traffic. Flows come and go while
// it counts that, too.
func (m *mirror) reorder() {
	for done := false; !done; {
		done = true // unless there is more to do
		m.do("reorder", func() error {
			if _, masks := m.set.Flows(); masks > 1 {
				done = m.set.Rank()
			}
			return nil
		})
	}
	m.replace("reorder", m.set.PrepareReordered)
}

// wake has the keeper look for new masks.
func (m *mirror) wake() {
	select {
	case m.kick <- struct{}{}:
	default:
	}
}

// tick relates the kernel's time to the clock's.
func (m *mirror) tick() {
	var ts unix.Timespec
	_ = unix.ClockGettime(unix.CLOCK_MONOTONIC, &ts)
	m.offset.Store(m.clock.Now().UnixNano() - ts.Nano())
}

// detach leaves the kernel's tables as they are from now on.
func (m *mirror) detach() {
	m.mu.Lock()
	was := m.detached
	m.detached = true
	m.mu.Unlock()
	if !was {
		close(m.stop)
		m.done.Wait()
	}
}

// Added installs a flow in the kernel. One that doesn't fit there, or that
// programs can't match, is user space's alone.
func (m *mirror) Added(f *datapath.Flow) userspace.MirrorSlot {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.detached {
		return userspace.NoSlot
	}
	slot, err := m.install(f)
	if err != nil {
		m.refuse(err)
		log.DbgRL(&refusedRL, "flow stays in user space: %v", err)
	}
	return slot
}

// Again installs a flow that was refused before, and has been counted as such.
func (m *mirror) Again(f *datapath.Flow) (slot userspace.MirrorSlot, full bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.detached {
		return userspace.NoSlot, true
	}
	slot, err := m.install(f)
	return slot, errors.Is(err, program.ErrFull)
}

// install puts a flow into the kernel's tables. The caller holds the mutex.
func (m *mirror) install(f *datapath.Flow) (userspace.MirrorSlot, error) {
	if f.Mask.TunMetaPresent != 0 { // packets in the kernel have no options of tunnels
		return userspace.NoSlot, program.ErrMatch
	}
	code := m.compile(f)
	ref, err := m.set.Put(&f.Key, &f.Mask, f.UFID, code)
	if errors.Is(err, program.ErrFull) && m.set.Reclaim() == nil {
		ref, err = m.set.Put(&f.Key, &f.Mask, f.UFID, code)
	}
	if err != nil {
		return userspace.NoSlot, err
	}
	if m.set.Pending() {
		m.wake()
	}
	return userspace.MirrorSlot(ref), nil
}

// compile is the code of a flow's actions. Flows that are set up one after
// another often share one list of outputs.
func (m *mirror) compile(f *datapath.Flow) *program.Code {
	if l := &m.last; l.code != nil && len(l.actions) == len(f.Actions) && unsafe.SliceData(l.actions) == unsafe.SliceData(f.Actions) {
		return l.code
	}
	code, _ := m.set.Compile(&f.Key, &f.Mask, f.Actions)
	if !slices.ContainsFunc(f.Actions, func(a datapath.Action) bool { _, ok := a.(*datapath.Output); return !ok }) {
		m.last = compiled{f.Actions, code}
	}
	return code
}

// refuse counts a flow that stays in user space.
func (m *mirror) refuse(err error) {
	m.crowded = m.crowded || errors.Is(err, program.ErrFull)
	for _, kind := range []error{program.ErrFull, program.ErrMatch} {
		if errors.Is(err, kind) {
			err = kind
		}
	}
	m.refused[err.Error()]++
}

// Changed gives a flow other actions, if there is memory for them.
func (m *mirror) Changed(slot userspace.MirrorSlot, f *datapath.Flow) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.detached {
		return true
	}
	code := m.compile(f)
	err := m.set.SetCode(program.Ref(slot), code)
	if errors.Is(err, program.ErrFull) && m.set.Reclaim() == nil {
		err = m.set.SetCode(program.Ref(slot), code)
	}
	if err != nil {
		m.refuse(err)
		log.DbgRL(&refusedRL, "flow goes back to user space: %v", err)
	}
	return err == nil
}

// Removed takes a flow out.
func (m *mirror) Removed(slot userspace.MirrorSlot) datapath.Stats {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.detached {
		return datapath.Stats{}
	}
	return m.convert(m.set.Delete(program.Ref(slot)))
}

// Stats are those of a flow.
func (m *mirror) Stats(slot userspace.MirrorSlot) datapath.Stats {
	return m.convert(m.set.Stats(program.Ref(slot)))
}

// ZeroStats starts a flow's statistics anew.
func (m *mirror) ZeroStats(slot userspace.MirrorSlot) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if !m.detached {
		m.set.ZeroStats(program.Ref(slot))
	}
}

func (m *mirror) convert(s program.Stats) datapath.Stats {
	out := datapath.Stats{Packets: s.Packets, Bytes: s.Bytes, TCPFlags: s.TCPFlags}
	if s.Used != 0 {
		out.Used = time.Unix(0, s.Used+m.offset.Load())
	}
	return out
}

// Refused is how many flows the kernel did not take, by reason.
func (m *mirror) Refused() map[string]uint64 {
	m.mu.Lock()
	defer m.mu.Unlock()
	return maps.Clone(m.refused)
}
