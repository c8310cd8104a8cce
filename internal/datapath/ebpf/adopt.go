package ebpf

import (
	"errors"
	"fmt"
	"io/fs"
	"iter"
	"maps"
	"path/filepath"
	"slices"

	"github.com/cilium/ebpf/link"
	"golang.org/x/sys/unix"

	"weir/internal/datapath"
	"weir/internal/datapath/ebpf/program"
	"weir/internal/datapath/userspace"
	"weir/internal/netdev/linux"
)

// adopt takes over the flows and ports of an earlier process. Its ports are
// known by their numbers until devices claim them.
func (d *DP) adopt() {
	for no, p := range d.set.Ports() {
		p.Upcall = uint32(d.tap.ifindex)
		d.adopted[no] = p
		queue, err := d.tap.assign(uint32(no))
		if err == nil {
			if queue >= 0 {
				d.watch(queue)
			}
			err = d.set.SetPort(no, p)
		}
		if err != nil {
			log.Warn("%s: port %d of an earlier process: %v", d.cfg.Name, no, err)
		}
	}
	refused := d.soft.Adopt(d.mirror.all())
	for _, slot := range refused {
		d.mirror.Removed(slot)
	}
	flows, _ := d.set.Flows()
	log.Info("%s: took over %d flows and %d ports", d.cfg.Name, flows, len(d.adopted))
}

// all are the flows in the kernel.
func (m *mirror) all() iter.Seq2[userspace.MirrorSlot, *datapath.Flow] {
	return func(yield func(userspace.MirrorSlot, *datapath.Flow) bool) {
		for ref, f := range m.set.All() {
			if !yield(userspace.MirrorSlot(ref), f) {
				return
			}
		}
	}
}

// Settle says that all ports have been added, and misses are answered: programs
// of an earlier process whose memory could not be adopted, which forwarded until
// now, give way to this one's, and ports that nobody claimed are given up.
func (d *DP) Settle() {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.closed {
		return
	}
	d.takeOver()
	if d.former != nil {
		_ = d.former.Close()
		d.former = nil
	}
	err := d.discardUnclaimed()
	if !d.swept {
		d.swept = true
		err = errors.Join(err, d.sweep())
	}
	if err != nil {
		log.Warn("%s: ports of an earlier process: %v", d.cfg.Name, err)
	}
}

// Owner is whose the devices are that the data path's ports need to have made. It
// has one where the ports outlive the process.
func (d *DP) Owner() linux.Owner {
	if d.pins == "" {
		return ""
	}
	return linux.Owner(filepath.Base(string(d.pins)))
}

// sweep removes devices that an earlier process made and was killed before it had
// attached. The caller holds the mutex.
func (d *DP) sweep() error {
	return d.Owner().Sweep(func(index int) bool {
		for _, p := range d.ports {
			if p.index == index {
				return true
			}
		}
		return false
	})
}

// discardUnclaimed removes the ports of an earlier process that are not this
// one's. The caller holds the mutex.
func (d *DP) discardUnclaimed() error {
	var errs []error
	for _, no := range slices.Sorted(maps.Keys(d.adopted)) {
		p := d.adopted[no]
		delete(d.adopted, no)
		if d.set != nil {
			errs = append(errs, d.set.SetPort(no, program.Port{}))
		}
		if d.tap != nil {
			d.tap.release(uint32(no))
		}
		index := int(p.Ifindex)
		errs = append(errs, d.detachPinned(no), d.pins.unsteer(index), d.pins.remove(steerPin(index)), linux.RemoveOwn(index))
	}
	return errors.Join(errs...)
}

// detachPinned takes the program off the device of an earlier process's port.
func (d *DP) detachPinned(no datapath.PortNo) error {
	if d.pins == "" {
		return nil
	}
	l, err := link.LoadPinnedLink(d.pins.path(d.linkPin(no)), nil)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case err != nil:
		return errors.Join(err, d.pins.remove(d.linkPin(no)))
	}
	return errors.Join(detach(l), d.pins.remove(d.linkPin(no)), l.Close())
}

// detach ends a link at once, and not only some time after its last user has
// closed it. It is no error when its device is gone.
func detach(l link.Link) error {
	if err := l.Detach(); err != nil && !errors.Is(err, unix.ENOLINK) {
		return fmt.Errorf("detach the program: %w", err)
	}
	return nil
}

// Discard removes what an earlier process left of a data path.
func Discard(name, runDir string) error {
	dir, ok := findPinDir(name, runDir)
	if !ok {
		return nil
	}
	lock, err := dir.take()
	if err != nil {
		return err
	}
	defer lock.Close()
	d := &DP{cfg: Config{Name: name, RunDir: runDir}, pins: dir}
	if d.adopted, err = program.PinnedPorts(string(dir)); err == nil {
		err = d.discardUnclaimed()
	}
	return errors.Join(err, d.sweep(), dir.clear())
}
