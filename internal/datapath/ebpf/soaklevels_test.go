package ebpf

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/link"
)

// levels is how much of everything a soaked data path has at some moment.
type levels struct {
	Maps, Programs, Links int // distinct ones that this process has open
	Pins, Descriptors     int
	HeapMB, ResidentMB    int
}

// level measures.
func (s *soak) level() (l levels) {
	s.t.Helper()
	for o := range openObjects(s.t) {
		switch o.kind {
		case "map":
			l.Maps++
		case "prog":
			l.Programs++
		case "link":
			l.Links++
		}
	}
	pins, err := os.ReadDir(string(s.d.pins))
	if err != nil {
		s.t.Error(err)
	}
	l.Pins, l.Descriptors, l.HeapMB = len(pins), len(descriptors(s.t)), int(heapSize()>>20)
	status, _ := os.ReadFile("/proc/self/status")
	if _, rest, ok := strings.Cut(string(status), "VmRSS:"); ok {
		kb, _ := strconv.Atoi(strings.Fields(rest)[0])
		l.ResidentMB = kb >> 10
	}
	return l
}

// check fails where there is more than ports account for or, of what else
// varies, than at the first time, which first has; zero: this is the first time.
func (l levels) check(t *testing.T, first levels, s *soak) levels {
	t.Helper()
	ports := len(s.cables) + len(s.tunnels)
	// Each port has one, so does the device of misses, and so the far ends of
	// cables, whose packets the test keeps from the host.
	if links := ports + 1 + len(s.cables); l.Links != links {
		t.Errorf("%d links, want %d for %d ports: %+v", l.Links, links, ports, l)
	}
	if first == (levels{}) {
		first = l
		first.Pins -= ports
	}
	const perPort = 4 // sockets, and the link
	if l.Maps != first.Maps || l.Pins != first.Pins+ports || l.Programs > first.Programs+2*(soakPorts+soakTunnels) ||
		l.Descriptors > first.Descriptors+perPort*(soakPorts+soakTunnels) ||
		l.HeapMB > 2*first.HeapMB+32 || l.ResidentMB > 2*first.ResidentMB+64 {
		t.Errorf("with %d ports there are %+v, at first (but for ports' pins) %+v", ports, l, first)
	}
	return first
}

// object is a map, program or link of the kernel's.
type object struct {
	kind string // "map", "prog", "link"
	id   uint32
}

// openObjects are those that descriptors of this process stand for, and the
// programs of links.
func openObjects(t *testing.T) map[object]bool {
	t.Helper()
	out := map[object]bool{}
	names, err := os.ReadDir("/proc/self/fdinfo")
	if err != nil {
		t.Fatal(err)
	}
	for _, n := range names {
		text, err := os.ReadFile("/proc/self/fdinfo/" + n.Name())
		if err != nil {
			continue // closed meanwhile
		}
		for line := range strings.Lines(string(text)) {
			name, value, _ := strings.Cut(line, ":")
			kind, ok := strings.CutSuffix(name, "_id")
			id, err := strconv.ParseUint(strings.TrimSpace(value), 10, 32)
			if ok && err == nil && id != 0 && (kind == "map" || kind == "prog" || kind == "link") {
				out[object{kind, uint32(id)}] = true
			}
		}
	}
	return out
}

// kernelObjects remembers those that were seen, but for earlier ones.
type kernelObjects struct{ earlier, seen map[object]bool }

func newKernelObjects(t *testing.T) *kernelObjects {
	return &kernelObjects{earlier: openObjects(t), seen: map[object]bool{}}
}

func (k *kernelObjects) note(t *testing.T) {
	t.Helper()
	for o := range openObjects(t) {
		if !k.earlier[o] {
			k.seen[o] = true
		}
	}
}

// gone fails for those that are still there some seconds after the last user
// has let go.
func (k *kernelObjects) gone(t *testing.T) {
	t.Helper()
	if len(k.seen) == 0 {
		t.Error("no map, program or link was seen")
	}
	for end := time.Now().Add(soakWaitCount * time.Second); ; time.Sleep(50 * time.Millisecond) {
		left := []string{}
		for o := range k.seen {
			if err := o.find(); !errors.Is(err, fs.ErrNotExist) {
				left = append(left, fmt.Sprintf("%s %d (%v)", o.kind, o.id, err))
			}
		}
		if len(left) == 0 {
			return
		}
		if time.Now().After(end) {
			t.Errorf("of %d objects these are left: %s", len(k.seen), strings.Join(left, ", "))
			return
		}
	}
}

// find says whether the kernel has the object: fs.ErrNotExist if not. It only
// asks for numbers: one who opens a program array that is about to go keeps the
// kernel from ever freeing it (Linux 6.18).
func (o object) find() error {
	var next uint32
	var err error
	switch o.kind {
	case "map":
		id, e := ebpf.MapGetNextID(ebpf.MapID(o.id - 1))
		next, err = uint32(id), e
	case "prog":
		id, e := ebpf.ProgramGetNextID(ebpf.ProgramID(o.id - 1))
		next, err = uint32(id), e
	default:
		it := new(link.Iterator)
		it.ID = link.ID(o.id - 1)
		defer it.Close()
		if it.Next() {
			next = uint32(it.ID)
		}
		err = it.Err()
	}
	if err == nil && next != o.id {
		err = fs.ErrNotExist
	}
	return err
}
