package ebpf

import (
	"iter"
	"sync"
	"sync/atomic"
	"time"

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
	// offset is what the clock is ahead of the kernel's time since boot.
	offset atomic.Int64

	mu  sync.Mutex
	set *program.Set // nil once detached

	stats *program.Set // for reading, also after detachment
}

var _ userspace.Mirror = (*mirror)(nil)

func newMirror(set *program.Set, c *clock.Clock) *mirror {
	m := &mirror{clock: c, set: set, stats: set}
	m.tick()
	return m
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
	m.set = nil
	m.mu.Unlock()
}

// Added installs a flow in the kernel. A flow that doesn't fit there, or that
// programs can't do, is user space's alone.
func (m *mirror) Added(f *datapath.Flow) userspace.MirrorSlot {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.set == nil {
		return userspace.NoSlot
	}
	i, err := m.set.Add(f)
	if err != nil {
		log.DbgRL(&refusedRL, "flow stays in user space: %v", err)
		return userspace.NoSlot
	}
	return userspace.MirrorSlot(i)
}

var refusedRL vlog.RateLimit

// Changed gives a flow other actions.
func (m *mirror) Changed(slot userspace.MirrorSlot, f *datapath.Flow) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.set == nil {
		return
	}
	if err := m.set.Modify(uint32(slot), f.Actions); err != nil {
		log.Warn("flow %s can't be changed in the kernel: %v", datapath.FormatUFID(f.UFID), err)
	}
}

// Removed takes a flow out.
func (m *mirror) Removed(slot userspace.MirrorSlot) datapath.Stats {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.set == nil {
		return datapath.Stats{}
	}
	return m.convert(m.set.Delete(uint32(slot)))
}

// Flushed takes all flows out.
func (m *mirror) Flushed() {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.set != nil {
		m.set.Flush()
	}
}

// Stats are those of a flow.
func (m *mirror) Stats(slot userspace.MirrorSlot) datapath.Stats {
	return m.convert(m.stats.Stats(uint32(slot)))
}

// ZeroStats starts a flow's statistics anew.
func (m *mirror) ZeroStats(slot userspace.MirrorSlot) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.set != nil {
		m.set.ZeroStats(uint32(slot))
	}
}

func (m *mirror) convert(s program.Stats) datapath.Stats {
	out := datapath.Stats{Packets: s.Packets, Bytes: s.Bytes, TCPFlags: s.TCPFlags}
	if s.Used != 0 {
		out.Used = time.Unix(0, s.Used+m.offset.Load())
	}
	return out
}

// all are the flows in the kernel, which it counts.
func (m *mirror) all(count *int) iter.Seq2[userspace.MirrorSlot, *datapath.Flow] {
	return func(yield func(userspace.MirrorSlot, *datapath.Flow) bool) {
		for i, f := range m.set.All() {
			*count++
			if !yield(userspace.MirrorSlot(i), f) {
				return
			}
		}
	}
}

// code is the action list that a packet came up with.
func (m *mirror) code(code uint32) []datapath.Action {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.set == nil {
		return nil
	}
	return m.set.Code(code)
}
