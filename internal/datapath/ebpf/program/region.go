package program

import (
	"fmt"
	"os"
	"path/filepath"
	"unsafe"

	"github.com/cilium/ebpf"
	"golang.org/x/sys/unix"
)

// region is memory that programs and user space share: a BPF array of one
// element, so that programs know its address when they are loaded.
type region struct {
	name string
	m    *ebpf.Map
	mem  []byte
}

// newRegion makes a region of at least size bytes, zeroed.
func newRegion(name string, size int) (*region, error) {
	m, err := ebpf.NewMap(&ebpf.MapSpec{
		Name: "weir_" + name, Type: ebpf.Array, KeySize: 4, ValueSize: uint32(size+7) &^ 7,
		MaxEntries: 1, Flags: unix.BPF_F_MMAPABLE,
	})
	if err != nil {
		return nil, fmt.Errorf("region %s of %d bytes: %w", name, size, err)
	}
	return mapRegion(name, m)
}

// openRegion adopts a pinned region.
func openRegion(dir, name string) (*region, error) {
	m, err := ebpf.LoadPinnedMap(filepath.Join(dir, name), nil)
	if err != nil {
		return nil, fmt.Errorf("region %s: %w", name, err)
	}
	return mapRegion(name, m)
}

func mapRegion(name string, m *ebpf.Map) (*region, error) {
	page := os.Getpagesize()
	n := (int(m.ValueSize()) + page - 1) / page * page
	mem, err := unix.Mmap(m.FD(), 0, n, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED)
	if err != nil {
		m.Close()
		return nil, fmt.Errorf("region %s: mmap: %w", name, err)
	}
	return &region{name, m, mem[:m.ValueSize()]}, nil
}

func (r *region) close() {
	if r == nil {
		return
	}
	unix.Munmap(r.mem[:cap(r.mem)])
	r.m.Close()
}

// view is the region as n values of type T.
func view[T any](r *region, n int) []T {
	var v T
	if uintptr(n)*unsafe.Sizeof(v) > uintptr(len(r.mem)) {
		panic("program: region " + r.name + " is too small")
	}
	return unsafe.Slice((*T)(unsafe.Pointer(&r.mem[0])), n)
}
