package program

import (
	"encoding/binary"
	"fmt"
	"sync"
	"unsafe"

	"golang.org/x/sys/unix"

	"weir/internal/datapath"
)

// codes is the action lists in the codes region: each is there once, however
// many flows use it. A record is a header, the operations and the text.
type codes struct {
	mem     []byte
	units   allocator
	byPlace map[uint32]*record
	byForm  map[string]*record
	nextID  uint32

	mu   sync.RWMutex // guards what follows
	byID map[uint32]*record
	dead []uint32 // ids that nothing uses, the oldest first
}

// record is an action list in memory.
type record struct {
	id      uint32
	place   uint32 // of the first operation, in units of 8 bytes
	size    uint32 // in units of codeUnit
	users   int
	form    string
	actions []datapath.Action
}

const (
	codeUnit   = 64
	codeHeader = 16
	codeLimit  = 64 << 10 // room after the last record: no operation crosses the end
	maxDead    = 4096     // records that upcalls may still name
)

func (c *codes) init(mem []byte) {
	c.mem = mem
	c.units.init(0, uint32((len(mem)-codeLimit/2)/codeUnit))
	c.byPlace, c.byForm, c.byID = map[uint32]*record{}, map[string]*record{}, map[uint32]*record{}
	c.nextID = 1
}

// formOf identifies a list: operations and text.
func formOf(code *Code) string {
	ops := unsafe.Slice((*byte)(unsafe.Pointer(unsafe.SliceData(code.ops))), 8*len(code.ops))
	return string(ops) + code.text
}

// get finds or writes a list and returns what an entry says of it.
func (c *codes) get(code *Code) (uint64, error) {
	if code.form == "" {
		code.form = formOf(code)
	}
	r := c.byForm[code.form]
	if r == nil {
		var err error
		if r, err = c.write(code, code.form); err != nil {
			return 0, err
		}
	}
	r.users++
	return uint64(code.high)<<32 | uint64(r.place), nil
}

func (c *codes) write(code *Code, form string) (*record, error) {
	bytes := codeHeader + len(form)
	size := uint32((bytes + codeUnit - 1) / codeUnit)
	at, ok := c.units.alloc(size)
	if !ok {
		return nil, fmt.Errorf("%w: no memory for more than %d action lists", ErrFull, len(c.byForm))
	}
	off := int(at) * codeUnit
	r := &record{id: c.nextID, place: uint32(off+codeHeader) / 8, size: size, form: form, actions: code.actions}
	c.nextID++
	h := c.mem[off:]
	binary.LittleEndian.PutUint32(h, r.id)
	binary.LittleEndian.PutUint32(h[4:], uint32(8*len(code.ops)))
	binary.LittleEndian.PutUint32(h[8:], uint32(len(code.text)))
	ops := unsafe.Slice((*uint64)(unsafe.Pointer(&c.mem[off+codeHeader])), len(code.ops))
	copy(ops, code.ops)
	for i := 0; i < len(ops); i += max(int(ops[i]>>8&0xff), 1) {
		if o := opcode(ops[i]); o.names() {
			ops[i+1] |= uint64(r.id)
		}
	}
	copy(h[codeHeader+8*len(ops):], code.text)
	c.add(r)
	return r, nil
}

func (c *codes) add(r *record) {
	c.byPlace[r.place], c.byForm[r.form] = r, r
	c.mu.Lock()
	c.byID[r.id] = r
	c.mu.Unlock()
}

// put ends a use of a list. Programs must have ended theirs.
func (c *codes) put(action uint64) {
	r := c.byPlace[uint32(action)]
	if r.users--; r.users > 0 {
		return
	}
	delete(c.byPlace, r.place)
	delete(c.byForm, r.form)
	c.units.free(r.place*8/codeUnit, r.size)
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.dead = append(c.dead, r.id); len(c.dead) > maxDead {
		delete(c.byID, c.dead[0])
		c.dead = c.dead[1:]
	}
}

// Code is the action list that an upcall names; false if it is long gone: then
// the packet is to be treated as a miss. It may be called from any goroutine.
func (s *Set) Code(id uint32) ([]datapath.Action, bool) {
	c := &s.flows.codes
	c.mu.RLock()
	defer c.mu.RUnlock()
	r := c.byID[id]
	if r == nil {
		return nil, false
	}
	return r.actions, true
}

// Retired is what has been removed and that programs may still see.
type Retired []func()

// Retire hands over what has been removed so far. The caller frees it by
// [Set.Free] after a [Barrier].
func (s *Set) Retire() Retired {
	r := s.flows.retired
	s.flows.retired = nil
	return r
}

// Free makes room of what programs can't see any more.
func (s *Set) Free(r Retired) {
	for _, f := range r {
		f()
	}
}

// Reclaim waits until no program sees what has been removed before the call,
// and frees it. It takes some milliseconds if there is any.
func (s *Set) Reclaim() error {
	r := s.Retire()
	if len(r) == 0 {
		return nil
	}
	if err := Barrier(); err != nil {
		s.flows.retired = append(s.flows.retired, r...)
		return err
	}
	s.Free(r)
	return nil
}

// Barrier waits for a grace period of the kernel's: every program that runs
// when it is called has ended when it returns (membarrier(2),
// MEMBARRIER_CMD_GLOBAL).
func Barrier() error {
	const global = 1
	if _, _, errno := unix.Syscall(unix.SYS_MEMBARRIER, global, 0, 0); errno != 0 {
		return fmt.Errorf("membarrier: %w", errno)
	}
	return nil
}
