package userspace

import (
	"iter"

	"weir/internal/datapath"
)

// MirrorSlot names a flow to a Mirror; NoSlot is none.
type MirrorSlot uint32

// NoSlot says that the mirror doesn't have the flow.
const NoSlot MirrorSlot = ^MirrorSlot(0)

// Mirror holds a copy of the flows in another place, which handles packets by
// itself and counts what it handled. All but Stats are called with the data
// path's mutex held, in the order in which the flows change.
type Mirror interface {
	// Added takes a new flow; the mirror may refuse it by NoSlot. The Flow is
	// the caller's again afterwards, its actions are immutable.
	Added(f *datapath.Flow) MirrorSlot
	// Again takes a flow that it refused before, if it can; full says that it
	// has no room for any.
	Again(f *datapath.Flow) (slot MirrorSlot, full bool)
	// Changed gives the flow of a slot new actions. False says that the mirror
	// can't take them: the flow is then removed from it.
	Changed(slot MirrorSlot, f *datapath.Flow) bool
	// Removed takes a flow out and returns what it counted to the last.
	Removed(slot MirrorSlot) datapath.Stats
	// Stats are those of a slot, ZeroStats starts them from zero.
	Stats(slot MirrorSlot) datapath.Stats
	ZeroStats(slot MirrorSlot)
}

// noMirror is the Mirror of a data path without one.
type noMirror struct{}

func (noMirror) Added(*datapath.Flow) MirrorSlot         { return NoSlot }
func (noMirror) Again(*datapath.Flow) (MirrorSlot, bool) { return NoSlot, true }
func (noMirror) Changed(MirrorSlot, *datapath.Flow) bool { return true }
func (noMirror) Removed(MirrorSlot) datapath.Stats       { return datapath.Stats{} }
func (noMirror) Stats(MirrorSlot) datapath.Stats         { return datapath.Stats{} }
func (noMirror) ZeroStats(MirrorSlot)                    {}

// Most that [DP.Offer] looks at and offers in one call, during which no flow
// changes.
const (
	offerLook = 8192
	offerMost = 1024
)

// Offer shows the mirror flows again that it refused, from the one at a place in
// the list of all flows on, until it is full. It returns the place to go on at
// when there is room again, and whether the end of the list was reached: then
// the place is the first. The mirror calls it, with no lock of its own held.
func (d *DP) Offer(from int) (next int, end bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	offered := 0
	for at := from; at < len(d.all); at++ {
		if at-from == offerLook || offered == offerMost {
			return at, false
		}
		e := d.all[at]
		if MirrorSlot(e.slot.Load()) != NoSlot {
			continue
		}
		slot, full := d.mirror.Again(d.mirrored(e, d.export(e)))
		if full {
			return at + 1, false // another one may find a place where this one doesn't
		}
		e.slot.Store(uint32(slot))
		offered++
	}
	return 0, true
}

// addStats adds what two places counted of one flow.
func addStats(a, b datapath.Stats) datapath.Stats {
	a.Packets += b.Packets
	a.Bytes += b.Bytes
	a.TCPFlags |= b.TCPFlags
	if b.Used.After(a.Used) {
		a.Used = b.Used
	}
	return a
}

// Adopt takes over flows that the mirror has already, with their slots. Those
// that overlap one that is there are refused, and returned by their slots.
func (d *DP) Adopt(flows iter.Seq2[MirrorSlot, *datapath.Flow]) (refused []MirrorSlot) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for slot, f := range flows {
		k := keyWords(&f.Key)
		if e, _ := d.cls.find(d.cls.snapshot.Load(), k); e != nil {
			refused = append(refused, slot)
			continue
		}
		actions, watched := unseen(f.Actions)
		f.Actions = actions
		e := d.insert(f, newProgram(actions), k)
		e.slot.Store(uint32(slot))
		if watched {
			d.mirrorChange(e, f)
		}
	}
	return refused
}
