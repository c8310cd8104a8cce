package ebpf

import (
	"errors"
	"fmt"
	"io/fs"
	"os"

	"github.com/vishvananda/netlink"

	"weir/internal/datapath"
	"weir/internal/netdev/linux"
)

var _ datapath.Tuner = (*DP)(nil)

// CPUsKey is the key in other_config of an Interface: a list of the CPUs over
// which the kernel spreads by flow what the port receives, and which then do the
// work of forwarding it.
const CPUsKey = "rps-cpus"

// Tune does nothing: there are no threads to arrange.
func (d *DP) Tune(map[string]string) {}

// TunePort has the port's packets handled on the CPUs that other_config asks
// for. What the device's steering was before comes back when it no longer asks,
// and with the port's removal.
func (d *DP) TunePort(name string, other map[string]string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, q := range d.soft.Ports() {
		if p := d.ports[q.No]; p != nil && q.Name == name {
			p.steer(d.pins, name, other[CPUsKey])
		}
	}
}

// steer changes the port's steering to a list of CPUs, empty for what there was
// before this process, or an earlier one, changed it.
func (p *port) steer(pins pinDir, name, cpus string) {
	if cpus == p.cpus && p.tuned {
		return
	}
	p.unsteer(pins, name)
	if p.cpus, p.tuned = cpus, true; cpus == "" {
		return
	}
	s, err := pins.steering(p.index)
	if err == nil {
		if err = s.Spread(cpus); err == nil {
			p.steering = s
			return
		}
		err = errors.Join(err, s.Undo(), pins.remove(steerPin(p.index)))
	}
	log.Warn("port %s: other_config:%s=%s: %v", name, CPUsKey, cpus, err)
}

// unsteer puts back what there was before steer.
func (p *port) unsteer(pins pinDir, name string) {
	err := error(nil)
	if p.steering != nil {
		err = p.steering.Undo()
		p.steering, p.cpus = nil, ""
	} else if !p.tuned {
		err = pins.unsteer(p.index)
	}
	if err = errors.Join(err, pins.remove(steerPin(p.index))); err != nil {
		log.Warn("port %s: putting receive packet steering back: %v", name, err)
	}
}

// steerPin names what a device's steering was before: a symbolic link in the bpf
// file system, which is gone when the devices are. Its target is the text.
func steerPin(index int) string { return fmt.Sprint("steer-", index) }

// steering is that of a device, with what it was before the first process of this
// data path changed it noted down.
func (d pinDir) steering(index int) (*linux.Steering, error) {
	l, err := netlink.LinkByIndex(index)
	if err != nil {
		return nil, err
	}
	s, err := linux.OpenSteering(l.Attrs().Name)
	if err != nil || d == "" {
		return s, err
	}
	pin := d.path(steerPin(index))
	was, err := os.Readlink(pin)
	if err == nil {
		s.SetWas(was)
	} else if errors.Is(err, fs.ErrNotExist) {
		err = os.Symlink(s.Was(), pin)
	}
	if err != nil {
		log.Warn("steering of device %s won't be put back by a later process: %v", l.Attrs().Name, err)
	}
	return s, nil
}

// unsteer puts back what an earlier process noted down of a device.
func (d pinDir) unsteer(index int) error {
	if d == "" {
		return nil
	}
	if _, err := os.Readlink(d.path(steerPin(index))); err != nil {
		return nil // it was not changed
	}
	s, err := d.steering(index)
	if err != nil {
		return nil // the device is gone
	}
	return s.Undo()
}
