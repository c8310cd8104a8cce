package program

import (
	"fmt"
	"slices"

	"github.com/cilium/ebpf"
)

// Main is a main program to come: see [Set.Prepare].
type Main struct {
	set   *Set
	masks []rankedMask // that it tries, in this order
	prog  *ebpf.Program
}

// Commit makes a new main if masks have come or gone since the last.
func (s *Set) Commit() error { return s.replace(s.Prepare()) }

// Reorder makes a new main that tries the masks with the most packets first.
func (s *Set) Reorder() error {
	for !s.Rank() {
	}
	return s.replace(s.PrepareReordered())
}

func (s *Set) replace(m *Main) error {
	if m == nil {
		return nil
	}
	if err := m.Load(); err != nil {
		return err
	}
	return s.Replace(m)
}

// Pending says that masks came or went that main doesn't know of yet.
func (s *Set) Pending() bool { return s.flows.dirty }

// Prepare begins a new main if masks have come or gone since the last, else it
// returns nil. What follows is its Load, which takes milliseconds and needs nothing of
// the Set that changes, and [Set.Replace].
func (s *Set) Prepare() *Main {
	if !s.flows.dirty {
		return nil
	}
	return &Main{set: s, masks: s.flows.ranked()}
}

// PrepareReordered is Prepare also if main would try the masks in another order: as
// [Set.Rank] last found how many packets they have.
func (s *Set) PrepareReordered() *Main {
	m := &Main{set: s, masks: s.flows.ranked()}
	if !s.flows.dirty && slices.EqualFunc(m.masks, s.flows.order, func(r rankedMask, n uint32) bool { return r.number == n }) {
		return nil
	}
	return m
}

// Load has the kernel verify and compile the program. It may be called from any
// goroutine.
func (m *Main) Load() (err error) {
	m.prog, err = m.set.program("main", m.set.assembleMain(m.masks))
	return err
}

// Replace puts a loaded main into the place of the present one, under all ports
// at once.
func (s *Set) Replace(m *Main) error {
	defer m.prog.Close() // the array holds it
	if err := s.programs.Put(uint32(progMain), m.prog); err != nil {
		return fmt.Errorf("program main: %w", err)
	}
	t := s.flows
	t.order = t.order[:0]
	for _, r := range m.masks {
		t.order = append(t.order, r.number)
	}
	t.dirty = false
	for n := range t.masks {
		mask := &t.masks[n]
		known := slices.Contains(t.order, uint32(n))
		switch {
		case mask.flows > 0 && !known:
			t.dirty = true
		case mask.flows == 0 && mask.idx != nil && !known:
			// A mask that main doesn't know any more can be forgotten.
			t.retired = append(t.retired, func() { t.forget(n) })
		case mask.flows == 0 && known:
			t.dirty = true
		}
	}
	return nil
}

// rankPiece is how many flows Rank looks at.
const rankPiece = 4096

// Rank looks, piece by piece, how many packets each mask had, and reports whether it
// has been through all flows. Where these are so many that the order matters less than
// the time that takes, it leaves the order as it is.
func (s *Set) Rank() (done bool) {
	t := s.flows
	if t.count >= 1<<16 {
		t.rankNext = 0
		return true
	}
	if t.rankNext == 0 {
		t.ranking = make([]uint64, len(t.masks))
	}
	for n := 0; n < rankPiece && t.rankNext < len(t.slots); t.rankNext++ {
		if sl := t.slots[t.rankNext]; sl != 0 {
			r := Ref(uint32(sl))
			t.ranking[t.entry(r).mask] += s.Stats(r).Packets
			n++
		}
	}
	if t.rankNext < len(t.slots) {
		return false
	}
	t.rankNext = 0
	for i, packets := range t.ranking {
		t.masks[i].rank = packets
	}
	return true
}

// forget frees the number of a mask, unless it came back to use.
func (t *table) forget(n int) {
	if m := &t.masks[n]; m.flows == 0 && m.idx != nil && !t.dirty {
		delete(t.numbers, m.words)
		view[words](t.s.maskRegion, len(t.masks))[n] = words{}
		*m = maskInfo{}
	}
}

// ranked is the masks in use in the order in which main tries them.
func (t *table) ranked() []rankedMask {
	var r []rankedMask
	for n := range t.masks {
		if t.masks[n].flows > 0 {
			r = append(r, rankedMask{t.masks[n].mask, uint32(n)})
		}
	}
	slices.SortStableFunc(r, func(a, b rankedMask) int {
		x, y := t.masks[a.number].rank, t.masks[b.number].rank
		switch {
		case x > y:
			return -1
		case x < y:
			return 1
		}
		return 0
	})
	return r
}
