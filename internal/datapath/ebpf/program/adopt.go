package program

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"iter"
	"maps"
	"path/filepath"
	"slices"
	"sync/atomic"
	"unsafe"

	"github.com/cilium/ebpf"

	"weir/internal/datapath"
)

// ErrLayout says that pinned memory is of another version or other dimensions.
var ErrLayout = errors.New("pinned memory of another layout")

// Open adopts the data path that is pinned in dir, whose programs go on
// forwarding meanwhile, and replaces them by those of this process. The flows
// in it ([Set.All]) and ports ([Set.Ports]) are as they were. The error is
// ErrLayout where the memory can't be adopted, and satisfies os.ErrNotExist
// where there is none.
func Open(dir string, cfg Config) (*Set, error) {
	cfg.defaults()
	cpus, err := ebpf.PossibleCPU()
	if err != nil {
		return nil, err
	}
	s := &Set{cfg: cfg, cpus: cpus}
	if err := s.adopt(dir); err != nil {
		_ = s.Close()
		return nil, err
	}
	return s, nil
}

func (s *Set) adopt(dir string) error {
	for _, d := range s.dimensions() {
		r, err := openRegion(dir, d.name)
		if err != nil {
			return err
		}
		*d.to = r
		if len(r.mem) != (d.size+7)&^7 {
			return fmt.Errorf("%w: %s has %d bytes, not %d", ErrLayout, d.name, len(r.mem), d.size)
		}
	}
	h := view[headerRegion](s.header, 1)[0]
	want := s.newHeader()
	want.Seed = h.Seed
	if h != want {
		return fmt.Errorf("%w: %+v, not %+v", ErrLayout, h, want)
	}
	s.seed = h.Seed
	var err error
	if s.programs, err = ebpf.LoadPinnedMap(filepath.Join(dir, pinPrograms), nil); err != nil {
		return fmt.Errorf("program array: %w", err)
	}
	if s.programs.MaxEntries() != numPrograms {
		return fmt.Errorf("%w: %d programs, not %d", ErrLayout, s.programs.MaxEntries(), numPrograms)
	}
	s.flows = newTable(s)
	s.flows.adopt()
	return s.load()
}

// PinnedPorts are the ports of the data path that is pinned in dir.
func PinnedPorts(dir string) (map[datapath.PortNo]Port, error) {
	r, err := openRegion(dir, pinPorts)
	if err != nil {
		return nil, err
	}
	defer r.close()
	return portsIn(r), nil
}

// KeepPrograms lets the programs of the data path that is pinned in dir go on,
// unpinned or not, until the closer is closed.
func KeepPrograms(dir string) (io.Closer, error) {
	return ebpf.LoadPinnedMap(filepath.Join(dir, pinPrograms), nil)
}

// Ports are the ports that have a device.
func (s *Set) Ports() map[datapath.PortNo]Port { return portsIn(s.ports) }

func portsIn(r *region) map[datapath.PortNo]Port {
	ports := map[datapath.PortNo]Port{}
	for no, p := range view[Port](r, len(r.mem)/int(unsafe.Sizeof(Port{}))) {
		if p.Ifindex != 0 {
			ports[datapath.PortNo(no)] = p
		}
	}
	return ports
}

// All are the flows, as they were installed but for bits of the keys that
// their masks leave out. Statistics are not among it.
func (s *Set) All() iter.Seq2[Ref, *datapath.Flow] {
	t := s.flows
	return func(yield func(Ref, *datapath.Flow) bool) {
		for _, sl := range t.slots {
			if sl == 0 {
				continue
			}
			r := Ref(uint32(sl))
			e := t.entry(r)
			info := &t.masks[e.mask]
			f := &datapath.Flow{UFID: e.ufid, Actions: t.codes.byPlace[uint32(e.action)].actions}
			kw, mw := keyWords(&f.Key), keyWords(&f.Mask)
			*mw = info.words
			for i, v := range t.masked(r, len(info.idx)) {
				kw[info.idx[i]] = v
			}
			if !yield(r, f) {
				return
			}
		}
	}
}

// adopt learns what is in the memory, and takes out what an end in the middle
// of a change has left.
func (t *table) adopt() {
	for n, w := range view[words](t.s.maskRegion, len(t.masks)) {
		if w != (words{}) {
			t.masks[n] = maskInfo{mask: newMask(&w), words: w}
			t.numbers[w] = uint32(n)
		}
	}
	seen := map[Ref]bool{}
	indexes := map[uint32]bool{}
	var entries []run
	for i, sl := range t.slots {
		r := Ref(uint32(sl))
		if sl == 0 {
			continue
		}
		if seen[r] || !t.sound(r, indexes) {
			atomic.StoreUint64(&t.slots[i], 0)
			continue
		}
		seen[r] = true
		e := t.entry(r)
		indexes[e.stats] = true
		info := &t.masks[e.mask]
		info.flows++
		t.count++
		entries = append(entries, run{uint32(r), entryUnits(len(info.idx))})
	}
	t.units.adopt(entries)
	t.codes.adopted()
	for idx := range indexes {
		t.nextIdx = max(t.nextIdx, idx+1)
	}
	for idx := range t.nextIdx {
		if !indexes[idx] {
			t.freeIdx = append(t.freeIdx, idx)
		}
	}
	for n := range t.masks {
		if m := &t.masks[n]; m.idx != nil && m.flows == 0 {
			delete(t.numbers, m.words)
			view[words](t.s.maskRegion, len(t.masks))[n] = words{}
			*m = maskInfo{}
		}
	}
}

// sound reports whether an entry is whole, and takes its code over.
func (t *table) sound(r Ref, indexes map[uint32]bool) bool {
	if uint32(r) == 0 || uint32(r) > t.s.lastUnit {
		return false
	}
	e := t.entry(r)
	if int(e.mask) >= len(t.masks) || t.masks[e.mask].idx == nil || int(e.stats) >= t.s.cfg.MaxFlows || indexes[e.stats] {
		return false
	}
	return t.codes.take(e.action)
}

// run is a number of units in a row.
type run struct{ at, size uint32 }

// maxSpare is the longest run of free units that is kept as one after adoption.
const maxSpare = 64

// adopt marks runs as used and the gaps between them as free.
func (a *allocator) adopt(used []run) {
	slices.SortFunc(used, func(x, y run) int { return int(int64(x.at) - int64(y.at)) })
	for _, u := range used {
		for gap := a.next; gap < u.at; gap += maxSpare {
			a.free(gap, min(maxSpare, u.at-gap))
		}
		a.next = max(a.next, u.at+u.size)
	}
}

// take counts one more user of the list that an entry's action names, which it
// reads from memory for the first; false: there is no sound list.
func (c *codes) take(action uint64) bool {
	place := uint32(action)
	r := c.byPlace[place]
	if r == nil {
		var err error
		if r, err = c.read(place); err != nil {
			return false
		}
		c.add(r)
	}
	r.users++
	return true
}

// read parses the record whose operations are at a place.
func (c *codes) read(place uint32) (*record, error) {
	at := int(place) * 8
	if at < codeHeader || at > len(c.mem) || (at-codeHeader)%codeUnit != 0 {
		return nil, fmt.Errorf("no action list at %d", place)
	}
	h := c.mem[at-codeHeader:]
	id, ops, text := binary.LittleEndian.Uint32(h), int(binary.LittleEndian.Uint32(h[4:])), int(binary.LittleEndian.Uint32(h[8:]))
	if ops%8 != 0 || ops > 8*maxOps || text > codeLimit || codeHeader+ops+text > len(h) {
		return nil, fmt.Errorf("action list at %d is damaged", place)
	}
	r := &record{id: id, place: place, size: uint32((codeHeader + ops + text + codeUnit - 1) / codeUnit)}
	said := string(h[codeHeader+ops : codeHeader+ops+text])
	var err error
	if r.actions, err = datapath.ParseActions(said, nil); err != nil {
		return nil, fmt.Errorf("action list at %d: %w", place, err)
	}
	r.form = formOf(&Code{ops: withoutID(h[codeHeader:codeHeader+ops], id), text: said})
	c.nextID = max(c.nextID, id+1)
	return r, nil
}

// withoutID is the operations as they were compiled, before they got the
// number of their list.
func withoutID(mem []byte, id uint32) []uint64 {
	ops := make([]uint64, len(mem)/8)
	for i := range ops {
		ops[i] = binary.LittleEndian.Uint64(mem[8*i:])
	}
	for i := 0; i < len(ops); i += max(int(ops[i]>>8&0xff), 1) {
		if o := opcode(ops[i]); o.names() && i+1 < len(ops) && uint32(ops[i+1]) == id {
			ops[i+1] &^= 1<<32 - 1
		}
	}
	return ops
}

// adopted marks the memory of the lists taken as used.
func (c *codes) adopted() {
	var used []run
	for r := range maps.Values(c.byPlace) {
		used = append(used, run{(r.place*8 - codeHeader) / codeUnit, r.size})
	}
	c.units.adopt(used)
}
