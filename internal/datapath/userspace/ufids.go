package userspace

import (
	"encoding/binary"

	"weir/internal/datapath"
)

// ufids finds flows by their UFIDs: an open-addressed hash table of places in a
// list of all flows, with part of the hash beside each, so that a look at a flow
// is only needed where it is most likely the one. It holds no pointers. The
// holder of the data path's mutex owns it.
type ufids struct {
	slots []ufidSlot // length a power of two, or 0
	count int
}

// ufidSlot is part of a hash and a place plus 1; place 0 is an empty slot.
type ufidSlot struct{ tag, place uint32 }

// ufidHash spreads UFIDs that people chose, too.
func ufidHash(u *datapath.UFID) uint64 {
	h := (binary.LittleEndian.Uint64(u[:]) ^ binary.LittleEndian.Uint64(u[8:])) * 0x9e3779b97f4a7c15
	return h ^ h>>32
}

// find is the place in all of the flow of a UFID, -1 if there is none.
func (t *ufids) find(u *datapath.UFID, all []*entry) int {
	if len(t.slots) == 0 {
		return -1
	}
	h, n := ufidHash(u), uint64(len(t.slots)-1)
	for i := h & n; ; i = (i + 1) & n {
		s := t.slots[i]
		if s.place == 0 {
			return -1
		}
		if s.tag == uint32(h>>32) && all[s.place-1].ufid == *u {
			return int(s.place - 1)
		}
	}
}

// add adds a flow that isn't there, at a place of all.
func (t *ufids) add(u *datapath.UFID, place int, all []*entry) {
	if 4*(t.count+1) > 3*len(t.slots) {
		t.grow(all)
	}
	t.put(u, place)
	t.count++
}

func (t *ufids) put(u *datapath.UFID, place int) {
	h, n := ufidHash(u), uint64(len(t.slots)-1)
	i := h & n
	for t.slots[i].place != 0 {
		i = (i + 1) & n
	}
	t.slots[i] = ufidSlot{uint32(h >> 32), uint32(place + 1)}
}

// grow makes a table twice as large.
func (t *ufids) grow(all []*entry) {
	old := t.slots
	t.slots = make([]ufidSlot, max(2*len(old), 64))
	for _, s := range old {
		if s.place != 0 {
			t.put(&all[s.place-1].ufid, int(s.place-1))
		}
	}
}

// slot is where a flow is.
func (t *ufids) slot(u *datapath.UFID, place int) uint64 {
	n := uint64(len(t.slots) - 1)
	for i := ufidHash(u) & n; ; i = (i + 1) & n {
		if t.slots[i].place == uint32(place+1) {
			return i
		}
	}
}

// move says that a flow has another place.
func (t *ufids) move(u *datapath.UFID, from, to int) {
	t.slots[t.slot(u, from)].place = uint32(to + 1)
}

// remove takes a flow out. What stands behind it moves up, so that no slot on
// the way to another flow is empty.
func (t *ufids) remove(u *datapath.UFID, place int, all []*entry) {
	n := uint64(len(t.slots) - 1)
	hole := t.slot(u, place)
	for i := (hole + 1) & n; t.slots[i].place != 0; i = (i + 1) & n {
		home := ufidHash(&all[t.slots[i].place-1].ufid) & n
		if (i-home)&n >= (i-hole)&n {
			t.slots[hole], hole = t.slots[i], i
		}
	}
	t.slots[hole] = ufidSlot{}
	t.count--
}
