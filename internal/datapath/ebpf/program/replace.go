package program

import (
	"fmt"
	"slices"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/asm"
)

// Main is a main program to come: see [Set.Prepare].
type Main struct {
	set   *Set
	insns asm.Instructions
	known []uint32 // the masks that it tries, by number
	prog  *ebpf.Program
}

// Commit makes a new main if masks have come or gone since the last.
func (s *Set) Commit() error { return s.replace(s.Prepare()) }

// Reorder makes a new main that tries the masks with the most packets first.
func (s *Set) Reorder() error { return s.replace(s.PrepareReordered()) }

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

// Prepare assembles a new main if masks have come or gone since the last, else
// it returns nil. What follows is its Load, which takes the kernel milliseconds
// and needs nothing of the Set, and [Set.Replace].
func (s *Set) Prepare() *Main {
	if !s.flows.dirty {
		return nil
	}
	return s.PrepareReordered()
}

// PrepareReordered is Prepare even if no mask has come or gone: it puts those
// with the most packets first.
func (s *Set) PrepareReordered() *Main {
	t := s.flows
	t.rank()
	masks := t.ranked()
	m := &Main{set: s, insns: s.assembleMain(masks)}
	for i := range masks {
		m.known = append(m.known, masks[i].number)
	}
	return m
}

// Load has the kernel verify and compile the program. It may be called from any
// goroutine.
func (m *Main) Load() (err error) {
	m.prog, err = m.set.program("main", m.insns)
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
	slices.Sort(m.known)
	t.dirty = false
	for n := range t.masks {
		mask := &t.masks[n]
		_, known := slices.BinarySearch(m.known, uint32(n))
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

// rank brings up to date how many packets each mask had, unless the flows are
// so many that the order matters less than the time that takes.
func (t *table) rank() {
	for i := range t.masks {
		t.masks[i].rank = 0
	}
	if t.count >= 1<<16 {
		return
	}
	for _, sl := range t.slots {
		if sl != 0 {
			r := Ref(uint32(sl))
			t.masks[t.entry(r).mask].rank += t.s.Stats(r).Packets
		}
	}
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
