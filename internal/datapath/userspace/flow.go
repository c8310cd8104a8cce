package userspace

import (
	"cmp"
	"crypto/sha256"
	"errors"
	"fmt"
	"slices"
	"sync/atomic"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"

	"weir/internal/datapath"
	"weir/internal/flow"
	"weir/internal/vlog"
)

// entry is an installed megaflow. It doesn't change once it is in the
// classifier, but for its actions, dead and the statistics.
type entry struct {
	hash   uint64 // of the masked words
	masked []uint64
	sub    *subtable

	actions atomic.Pointer[program]
	dead    atomic.Bool

	stats []flowStats
	slot  atomic.Uint32 // a MirrorSlot
	maker atomic.Int32  // statistics slot of the worker whose miss made the flow, -1: somebody else
	owner any           // as it was put with; nil: adopter has it
	// adopter is the owner of a flow that was put without one, written with the
	// data path's mutex held.
	adopter atomic.Pointer[any]
	ufid    datapath.UFID
	at      int    // in the data path's list
	seq     uint64 // numbers entries in the order in which they were put
	// options are those of the key, nil if it has none.
	options *[headWord]uint64
	key     headWords // as given, not masked; last, since the garbage collector skips what has no pointers there
}

// keyInto writes the flow's key, as given, to a key whose data path's part is zero.
func (e *entry) keyInto(k *flow.Key) {
	w := keyWords(k)
	if e.options != nil {
		copy(w[:], e.options[:])
	}
	copy(w[headWord:], e.key[:])
}

// flowStats is what one worker counted of one flow; only that worker writes
// it, except that of slot 0, which is shared, and which threads use that were
// made after the flow.
type flowStats struct {
	packets, bytes atomic.Uint64
	used           atomic.Int64 // nanoseconds of the data path's clock, 0 for never
	flags          atomic.Uint32
}

// owned is the owner, nil if there is none.
func (e *entry) owned() any {
	if e.owner != nil {
		return e.owner
	}
	if a := e.adopter.Load(); a != nil {
		return *a
	}
	return nil
}

// matches compares the masked words of k.
func (e *entry) matches(k *words) bool {
	if e.sub == nil {
		return false // a tombstone
	}
	m := &e.sub.mask
	b, v := m.bits, e.masked
	if len(b) != len(v) || len(m.idx) != len(v) {
		return false
	}
	for i, x := range m.idx {
		if k[x]&b[i] != v[i] {
			return false
		}
	}
	return true
}

// sum adds up the statistics.
func (e *entry) sum() datapath.Stats {
	var s datapath.Stats
	var used int64
	for i := range e.stats {
		st := &e.stats[i]
		s.Packets += st.packets.Load()
		s.Bytes += st.bytes.Load()
		s.TCPFlags |= uint16(st.flags.Load())
		used = max(used, st.used.Load())
	}
	if used != 0 {
		s.Used = time.Unix(0, used)
	}
	return s
}

// total is the statistics with those of the mirror.
func (d *DP) total(e *entry) datapath.Stats {
	slot := MirrorSlot(e.slot.Load())
	if slot == NoSlot {
		return e.sum()
	}
	return addStats(e.sum(), d.mirror.Stats(slot))
}

// zero starts the statistics anew.
func (d *DP) zero(e *entry) {
	if slot := MirrorSlot(e.slot.Load()); slot != NoSlot {
		d.mirror.ZeroStats(slot)
	}
	for i := range e.stats {
		st := &e.stats[i]
		st.packets.Store(0)
		st.bytes.Store(0)
		st.used.Store(0)
		st.flags.Store(0)
	}
}

// export is the flow as callers see it.
func (d *DP) export(e *entry) *datapath.Flow {
	f := &datapath.Flow{UFID: e.ufid, Actions: e.actions.Load().actions, Stats: d.total(e), Owner: e.owned(), Layer: "ovs"}
	e.keyInto(&f.Key)
	e.sub.mask.expand(&f.Mask)
	return f
}

// program is an action list with what the executor wants to know of it.
type program struct {
	actions []datapath.Action
	// lastModifier is the index of the last action that changes the packet,
	// -1 if none does: an output after it needs no copy.
	lastModifier int
}

func newProgram(actions []datapath.Action) *program {
	return &program{actions, lastModifier(actions)}
}

func lastModifier(actions []datapath.Action) int {
	for i := len(actions) - 1; i >= 0; i-- {
		if modifies(actions[i]) {
			return i
		}
	}
	return -1
}

// keyUFID names a flow that the caller didn't name.
func keyUFID(masked *words, m *mask) datapath.UFID {
	h := sha256.New()
	h.Write(unsafe.Slice((*byte)(unsafe.Pointer(masked)), unsafe.Sizeof(*masked)))
	if len(m.bits) > 0 {
		h.Write(unsafe.Slice((*byte)(unsafe.Pointer(&m.bits[0])), 8*len(m.bits)))
		h.Write(m.idx)
	}
	return datapath.UFID(h.Sum(nil)[:16])
}

// errOverlap says that another flow already takes packets of the new one.
var errOverlap = errors.New("overlaps another flow")

// FlowPut installs or changes a flow. A new flow whose own key another flow
// matches is refused.
func (d *DP) FlowPut(f *datapath.Flow, mode datapath.PutMode) error {
	_, err := d.put(f, newProgram(f.Actions), mode, 0)
	d.logPut(f, mode, err)
	return err
}

// put installs or changes a flow, and returns the entry of a new one, nil when
// an existing one was changed. seen is the number of flows put before a lookup
// found none for the key, 0 where there was no lookup.
func (d *DP) put(f *datapath.Flow, prog *program, mode datapath.PutMode, seen uint64) (*entry, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if e := d.existing(f.UFID, &f.Key); e != nil {
		if mode&datapath.PutModify == 0 {
			return nil, fmt.Errorf("flow %s: %w", datapath.FormatUFID(e.ufid), errExist)
		}
		old := e.actions.Load()
		e.actions.Store(prog)
		exported := d.export(e)
		logFlow("flow_mod", exported, e, old)
		d.mirrorChange(e, exported)
		if mode&datapath.PutZeroStats != 0 {
			d.zero(e)
		}
		return nil, nil
	}
	if mode&datapath.PutCreate == 0 {
		return nil, fmt.Errorf("flow: %w", errNotExist)
	}
	if f.Mask.InPort != ^uint32(0) {
		log.Err("failed to put flow: in_port is not an exact match")
		return nil, fmt.Errorf("flow: in_port is not an exact match: %w", unix.EINVAL)
	}
	k := keyWords(&f.Key)
	if seen == 0 || seen != d.puts.Load() {
		if e, _ := d.cls.find(d.cls.snapshot.Load(), k); e != nil {
			return nil, fmt.Errorf("flow: %w (%w)", errExist, errOverlap)
		}
	}
	e := d.insert(f, prog, k)
	if f.UFID != e.ufid {
		named := *f
		named.UFID = e.ufid
		f = &named
	}
	e.slot.Store(uint32(d.mirror.Added(f)))
	logFlow("flow_add", f, e, nil)
	return e, nil
}

// numbers makes the masked words and the statistics of a flow, in one piece of
// memory, in which the garbage collector has nothing to look for.
func numbers(words, stats int) ([]uint64, []flowStats) {
	const size = int(unsafe.Sizeof(flowStats{}) / 8)
	mem := make([]uint64, stats*size+words)
	return mem[stats*size:], unsafe.Slice((*flowStats)(unsafe.Pointer(&mem[0])), stats)
}

// insert makes the entry of a flow that overlaps no other.
func (d *DP) insert(f *datapath.Flow, prog *program, k *words) *entry {
	d.puts.Add(1)
	sub := d.cls.subtable(keyWords(&f.Mask))
	m := &sub.mask
	e := &entry{ufid: f.UFID, owner: f.Owner, seq: d.puts.Load(), key: headWords(k[headWord:]), sub: sub}
	if k[0] != 0 {
		e.options = new([headWord]uint64)
		copy(e.options[:], k[:])
	}
	e.masked, e.stats = numbers(len(m.idx), 1+d.slots)
	e.slot.Store(uint32(NoSlot))
	e.maker.Store(-1)
	for i, x := range m.idx {
		e.masked[i] = k[x] & m.bits[i]
	}
	if e.ufid == (datapath.UFID{}) {
		var masked words
		for i, x := range m.idx {
			masked[x] = e.masked[i]
		}
		e.ufid = keyUFID(&masked, m)
	}
	e.actions.Store(prog)
	e.hash = e.sub.mask.hash(k, d.cls.seed)
	e.sub.insert(e)
	e.at = len(d.all)
	d.all = append(d.all, e)
	d.byUFID.add(&e.ufid, e.at, d.all)
	return e
}

// named is the flow of a UFID.
func (d *DP) named(ufid *datapath.UFID) *entry {
	if at := d.byUFID.find(ufid, d.all); at >= 0 {
		return d.all[at]
	}
	return nil
}

// existing finds the flow that a UFID, or without one a key, names.
func (d *DP) existing(ufid datapath.UFID, k *flow.Key) *entry {
	if ufid != (datapath.UFID{}) {
		return d.named(&ufid)
	}
	if k == nil {
		return nil // a UFID of zero names no flow
	}
	e, _ := d.cls.find(d.cls.snapshot.Load(), keyWords(k))
	return e
}

// mirrorChange tells the mirror of new actions; a flow that it refused before
// it may take now, and one whose actions it can't take it must not keep.
func (d *DP) mirrorChange(e *entry, f *datapath.Flow) {
	f = d.mirrored(e, f)
	slot := MirrorSlot(e.slot.Load())
	if slot == NoSlot {
		e.slot.Store(uint32(d.mirror.Added(f)))
		return
	}
	if !d.mirror.Changed(slot, f) {
		e.slot.Store(uint32(NoSlot))
		e.credit(d.mirror.Removed(slot))
	}
}

// credit adds what was counted elsewhere.
func (e *entry) credit(s datapath.Stats) {
	shared := &e.stats[0]
	shared.packets.Add(s.Packets)
	shared.bytes.Add(s.Bytes)
	shared.flags.Or(uint32(s.TCPFlags))
	if !s.Used.IsZero() {
		shared.used.Store(max(shared.used.Load(), s.Used.UnixNano()))
	}
}

// FlowDel removes a flow and returns its last statistics.
func (d *DP) FlowDel(ufid datapath.UFID, key *flow.Key) (datapath.Stats, error) {
	e, stats := d.take(ufid, key)
	if e == nil {
		return stats, fmt.Errorf("flow: %w", errNotExist)
	}
	if dpifLog.Enabled(vlog.Dbg) {
		f := d.export(e)
		dpifLog.Dbg("%s: flow_del %s %s, %s", d.fullName(), datapath.FormatUFID(e.ufid), datapath.FormatKey(&f.Key, nil, false, nil), datapath.FormatStats(&stats, d.now()))
	}
	d.tellRemoved(e.owned(), stats)
	return stats, nil
}

// take finds an entry and takes it out.
func (d *DP) take(ufid datapath.UFID, key *flow.Key) (*entry, datapath.Stats) {
	d.mu.Lock()
	defer d.mu.Unlock()
	e := d.existing(ufid, key)
	if e == nil {
		return nil, datapath.Stats{}
	}
	return e, d.drop(e)
}

// tellRemoved tells the switch that a flow of its own has gone.
func (d *DP) tellRemoved(owner any, stats datapath.Stats) {
	if box := d.handler.Load(); box != nil && owner != nil {
		box.h.Removed(owner, stats)
	}
}

// drop takes an entry out and returns its last statistics.
func (d *DP) drop(e *entry) datapath.Stats {
	e.dead.Store(true)
	d.cls.remove(e)
	d.byUFID.remove(&e.ufid, e.at, d.all)
	last := len(d.all) - 1
	if e.at != last {
		d.byUFID.move(&d.all[last].ufid, last, e.at)
		d.all[e.at], d.all[last].at = d.all[last], e.at
	}
	d.all[last] = nil
	d.all = d.all[:last]
	slot := MirrorSlot(e.slot.Swap(uint32(NoSlot)))
	if slot == NoSlot {
		return e.sum()
	}
	return addStats(e.sum(), d.mirror.Removed(slot))
}

// FlowGet finds a flow.
func (d *DP) FlowGet(ufid datapath.UFID, key *flow.Key) (*datapath.Flow, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	e := d.existing(ufid, key)
	if e == nil {
		return nil, fmt.Errorf("flow: %w", errNotExist)
	}
	return d.export(e), nil
}

// FlowDump yields the flows there were when it began, without holding a lock; in
// synchronous mode in the order in which they were put.
func (d *DP) FlowDump(yield func(*datapath.Flow) bool) {
	for _, e := range d.entries() {
		if e.dead.Load() {
			continue
		}
		f := d.export(e)
		d.logDump(f)
		if !yield(f) {
			return
		}
	}
}

// DumpStats yields the statistics of the flows there were when it began.
func (d *DP) DumpStats(batch []datapath.FlowStats, yield func([]datapath.FlowStats) bool) {
	n := 0
	for _, e := range d.entries() {
		if e.dead.Load() {
			continue
		}
		if dpifLog.Enabled(vlog.Dbg) {
			d.logDump(d.export(e))
		}
		b := &batch[n]
		b.Owner, b.UFID, b.Stats = e.owned(), e.ufid, d.total(e)
		if n++; n == len(batch) {
			if n = 0; !yield(batch) {
				return
			}
		}
	}
	if n > 0 {
		yield(batch[:n])
	}
}

// FlowOwn gives a flow an owner.
func (d *DP) FlowOwn(ufid datapath.UFID, owner any) (*datapath.Flow, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	e := d.named(&ufid)
	if e == nil {
		return nil, fmt.Errorf("flow: %w", errNotExist)
	}
	if e.owned() != nil {
		return nil, fmt.Errorf("owner of flow: %w", errExist)
	}
	e.adopter.Store(&owner)
	return d.export(e), nil
}

// entries are the flows there are, in synchronous mode in the order in which
// they were put.
func (d *DP) entries() []*entry {
	d.mu.Lock()
	defer d.mu.Unlock()
	entries := slices.Clone(d.all)
	if d.cfg.Synchronous {
		slices.SortFunc(entries, func(a, b *entry) int { return cmp.Compare(a.seq, b.seq) })
	}
	return entries
}

// FlowFlush removes all flows.
func (d *DP) FlowFlush() error {
	gone, stats := d.takeAll()
	for i, e := range gone {
		d.tellRemoved(e.owned(), stats[i])
	}
	return nil
}

func (d *DP) takeAll() ([]*entry, []datapath.Stats) {
	d.mu.Lock()
	defer d.mu.Unlock()
	gone := d.all
	stats := make([]datapath.Stats, len(gone))
	for i, e := range gone {
		e.dead.Store(true)
		stats[i] = e.sum()
		if slot := MirrorSlot(e.slot.Swap(uint32(NoSlot))); slot != NoSlot {
			stats[i] = addStats(stats[i], d.mirror.Removed(slot))
		}
	}
	d.byUFID, d.all = ufids{}, nil
	d.cls.publish(nil)
	return gone, stats
}
