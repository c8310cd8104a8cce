package program

import (
	"errors"
	"fmt"
	"slices"
	"sync/atomic"
	"unsafe"

	"weir/internal/datapath"
	"weir/internal/flow"
)

// Errors of Put.
var (
	// ErrFull: no room for another flow, action list or mask.
	ErrFull = errors.New("the eBPF data path is full")
	// ErrMatch: the flow matches on what the programs don't read.
	ErrMatch = errors.New("the eBPF programs don't read what the flow matches on")
)

// Averages that the regions are dimensioned for, in bytes a flow.
const (
	entryAverage = 128
	codeAverage  = 96
)

// maskBytes is what a mask has of the masks region; number n of the table is
// in use if its words are not all zero.
const maskBytes = keyBytes

// Ref names an installed flow: the place of its entry.
type Ref uint32

// table is the writer's view of the flows.
type table struct {
	s       *Set
	slots   []slot
	units   allocator
	codes   codes
	masks   []maskInfo // by number
	numbers map[words]uint32
	last    uint32   // number of the mask that was asked for last
	dirty   bool     // main doesn't know the masks
	order   []uint32 // numbers of the masks as main tries them
	// ranking counts packets by mask while Rank goes through slots, the next of which
	// is rankNext.
	ranking  []uint64
	rankNext int
	freeIdx  []uint32
	nextIdx  uint32
	count    int
	retired  []func()
}

// maskInfo is a mask in use.
type maskInfo struct {
	mask
	words words
	flows int
	rank  uint64 // packets, for the order
}

func newTable(s *Set) *table {
	t := &table{s: s, slots: view[slot](s.bucketRegion, s.buckets*bucketSlots), numbers: map[words]uint32{}}
	t.masks = make([]maskInfo, s.cfg.MaxMasks)
	t.units.init(1, uint32(len(s.entries.mem)/entryUnit)-uint32(maxEntry/entryUnit))
	t.codes.init(s.codes.mem)
	return t
}

func (t *table) entry(r Ref) *entry {
	return (*entry)(unsafe.Pointer(&t.s.entries.mem[int(r)*entryUnit]))
}

// masked is the masked words of an entry under a mask of n words.
func (t *table) masked(r Ref, n int) []uint64 {
	return unsafe.Slice((*uint64)(unsafe.Pointer(&t.s.entries.mem[int(r)*entryUnit+entryBytes])), n)
}

// entryUnits is the size of an entry with n words.
func entryUnits(n int) uint32 { return uint32((entryBytes + 8*n + entryUnit - 1) / entryUnit) }

// readable are the bits of a key that programs extract; of the others they see
// zeros, which is what they are unless connection tracking or another kind of
// packet sets them.
func unreadable(key, mask *words) bool {
	for w := range key {
		switch {
		case w >= wTunnel+tunnelWords && w < wPrioMark, w >= wCT && w < wEth, w >= wCTIP && w < wNw:
			if key[w]&mask[w] != 0 {
				return true
			}
		case w == wInPort && (key[w]&mask[w])>>32 != 0: // packet type
			return true
		}
	}
	return false
}

// Put installs a flow that isn't there yet. Programs see it at once if others
// of its mask are installed, else after [Set.Commit].
func (s *Set) Put(key *flow.Key, m *flow.Mask, ufid datapath.UFID, code *Code) (Ref, error) {
	t := s.flows
	kw, mw := keyWords(key), keyWords(m)
	if unreadable(kw, mw) {
		return 0, ErrMatch
	}
	number, err := t.mask(mw)
	if err != nil {
		return 0, err
	}
	info := &t.masks[number]
	r, err := t.add(kw, number, ufid, code)
	if err != nil {
		return 0, err
	}
	if info.flows++; info.flows == 1 {
		t.dirty = true
	}
	t.count++
	return r, nil
}

// mask finds or makes the number of a mask.
func (t *table) mask(w *words) (uint32, error) {
	if m := &t.masks[t.last]; m.idx != nil && m.words == *w {
		return t.last, nil
	}
	if n, ok := t.numbers[*w]; ok {
		t.last = n
		return n, nil
	}
	n := slices.IndexFunc(t.masks, func(m maskInfo) bool { return m.flows == 0 && m.idx == nil })
	if n < 0 {
		return 0, fmt.Errorf("%w: %d masks are in use", ErrFull, len(t.masks))
	}
	t.masks[n] = maskInfo{mask: newMask(w), words: *w}
	t.numbers[*w] = uint32(n)
	view[words](t.s.maskRegion, len(t.masks))[n] = *w
	return uint32(n), nil
}

// add writes an entry and then its slot.
func (t *table) add(kw *words, number uint32, ufid datapath.UFID, code *Code) (Ref, error) {
	info := &t.masks[number]
	idx, ok := t.index()
	if !ok {
		return 0, fmt.Errorf("%w: %d flows are in it", ErrFull, t.count)
	}
	place, ok := t.units.alloc(entryUnits(len(info.idx)))
	if !ok {
		t.freeIdx = append(t.freeIdx, idx)
		return 0, fmt.Errorf("%w: no memory for the keys of more than %d flows", ErrFull, t.count)
	}
	action, err := t.codes.get(code)
	if err != nil {
		t.freeIdx = append(t.freeIdx, idx)
		t.units.free(place, entryUnits(len(info.idx)))
		return 0, err
	}
	r := Ref(place)
	*t.entry(r) = entry{mask: number, stats: idx, action: action, ufid: ufid}
	mw := t.masked(r, len(info.idx))
	for i, w := range info.idx {
		mw[i] = kw[w] & info.bits[i]
	}
	t.zero(idx)
	if !t.place(uint64(r), t.hash(r)) {
		t.drop(r)
		return 0, fmt.Errorf("%w: no place in the hash table for one more than %d flows", ErrFull, t.count)
	}
	return r, nil
}

// drop gives back what an entry has, which no program can see.
func (t *table) drop(r Ref) {
	e := t.entry(r)
	t.codes.put(e.action)
	t.freeIdx = append(t.freeIdx, e.stats)
	t.units.free(uint32(r), entryUnits(len(t.masks[e.mask].idx)))
}

// index finds free statistics.
func (t *table) index() (uint32, bool) {
	if n := len(t.freeIdx); n > 0 {
		i := t.freeIdx[n-1]
		t.freeIdx = t.freeIdx[:n-1]
		return i, true
	}
	if int(t.nextIdx) == t.s.cfg.MaxFlows {
		return 0, false
	}
	t.nextIdx++
	return t.nextIdx - 1, true
}

func (t *table) hash(r Ref) uint64 {
	e := t.entry(r)
	mw := t.masked(r, len(t.masks[e.mask].idx))
	return hash(maskSeed(t.s.seed, e.mask), func(i int) uint64 { return mw[i] }, len(mw))
}

// bucket is the slots of one.
func (t *table) bucket(n uint32) []slot { return t.slots[n*bucketSlots : (n+1)*bucketSlots] }

// place stores a slot in one of its two buckets, moving others to their second
// ones if need be: to the new place first, so that programs always find them.
func (t *table) place(place, h uint64) bool {
	mask := uint32(t.s.buckets - 1)
	tag := uint32(h >> 32)
	sl := uint64(tag)<<32 | place
	first := uint32(h) & mask
	pair := [2]uint32{first, altBucket(first, tag, mask)}
	for _, b := range pair {
		for _, have := range t.bucket(b) {
			if have != 0 && uint32(have>>32) == tag {
				return false // programs look at one entry of a tag only
			}
		}
	}
	for _, b := range pair {
		if t.storeFree(b, sl) {
			return true
		}
	}
	return t.makeRoom(first, 0) && t.storeFree(first, sl)
}

// storeFree puts a slot into a free place of a bucket.
func (t *table) storeFree(b uint32, sl slot) bool {
	slots := t.bucket(b)
	for i := range slots {
		if slots[i] == 0 {
			atomic.StoreUint64(&slots[i], sl)
			return true
		}
	}
	return false
}

// makeRoom frees a place in a bucket by moving one of its entries to its other
// bucket, where room is made first.
func (t *table) makeRoom(b uint32, depth int) bool {
	if depth > 6 {
		return false
	}
	mask := uint32(t.s.buckets - 1)
	slots := t.bucket(b)
	for i, sl := range slots {
		other := altBucket(b, uint32(sl>>32), mask)
		if other != b && t.storeFree(other, sl) {
			atomic.StoreUint64(&slots[i], 0)
			return true
		}
	}
	for i, sl := range slots {
		other := altBucket(b, uint32(sl>>32), mask)
		if other != b && t.makeRoom(other, depth+1) && slots[i] == sl && t.storeFree(other, sl) {
			atomic.StoreUint64(&slots[i], 0)
			return true
		}
	}
	return false
}

// find is where the slot of an entry is.
func (t *table) find(r Ref) *slot {
	h := t.hash(r)
	mask := uint32(t.s.buckets - 1)
	first := uint32(h) & mask
	want := h>>32<<32 | uint64(r)
	for _, b := range [2]uint32{first, altBucket(first, uint32(h>>32), mask)} {
		slots := t.bucket(b)
		for i := range slots {
			if slots[i] == want {
				return &slots[i]
			}
		}
	}
	return nil
}

// SetCode changes a flow's actions, at once for the programs.
func (s *Set) SetCode(r Ref, code *Code) error {
	t := s.flows
	action, err := t.codes.get(code)
	if err != nil {
		return err
	}
	e := t.entry(r)
	old := e.action
	atomic.StoreUint64(&e.action, action)
	t.retired = append(t.retired, func() { t.codes.put(old) })
	return nil
}

// Delete removes a flow, at once for the programs, and returns its statistics,
// to which packets in flight may still add. What it used is free after
// [Set.Reclaim].
func (s *Set) Delete(r Ref) Stats {
	t := s.flows
	if sl := t.find(r); sl != nil {
		atomic.StoreUint64(sl, 0)
	}
	stats := s.Stats(r)
	info := &t.masks[t.entry(r).mask]
	if info.flows--; info.flows == 0 {
		t.dirty = true
	}
	t.count--
	t.retired = append(t.retired, func() { t.drop(r) })
	return stats
}

// Flows is how many are installed, and under how many masks.
func (s *Set) Flows() (flows, masks int) {
	for i := range s.flows.masks {
		if s.flows.masks[i].flows > 0 {
			masks++
		}
	}
	return s.flows.count, masks
}

// statsOf is the statistics at an index on a CPU.
func (t *table) statsOf(cpu int, idx uint32) *statsSlot {
	return &view[statsSlot](t.s.stats, t.s.cpus*t.s.cfg.MaxFlows)[cpu*t.s.cfg.MaxFlows+int(idx)]
}

func (t *table) zero(idx uint32) {
	for c := range t.s.cpus {
		p := t.statsOf(c, idx)
		for _, w := range []*uint64{&p.packets, &p.bytes, &p.used, &p.flags} {
			atomic.StoreUint64(w, 0)
		}
	}
}

// Stats of a flow.
func (s *Set) Stats(r Ref) Stats {
	idx := s.flows.entry(r).stats
	var sum Stats
	for c := range s.cpus {
		p := s.flows.statsOf(c, idx)
		sum.Packets += atomic.LoadUint64(&p.packets)
		sum.Bytes += atomic.LoadUint64(&p.bytes)
		sum.Used = max(sum.Used, int64(atomic.LoadUint64(&p.used)))
		sum.TCPFlags |= uint16(atomic.LoadUint64(&p.flags))
	}
	return sum
}

// ZeroStats sets a flow's statistics to zero. Packets that are being counted
// may undo it.
func (s *Set) ZeroStats(r Ref) { s.flows.zero(s.flows.entry(r).stats) }
