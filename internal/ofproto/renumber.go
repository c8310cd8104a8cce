package ofproto

import (
	"errors"
	"fmt"
	"io/fs"

	"weir/internal/datapath"
)

// ErrPortNoInUse says that another port of the data path has a number.
var ErrPortNoInUse = errors.New("port number already in use")

// RenumberPort gives the port of this name another number in the data path; its
// OpenFlow number stays. Its counters begin anew. Errors are ErrPortNoInUse,
// fs.ErrNotExist where no bridge has such a port with a device of its own there,
// and the data path's, after which the port has its old number. It is to be called
// by whoever changes the bridges' ports.
func (be *Backend) RenumberPort(name string, no datapath.PortNo) error {
	p := be.portNamed(name)
	if p == nil {
		return fmt.Errorf("port %s: %w", name, fs.ErrNotExist)
	}
	for _, other := range be.dp.Ports() {
		if other.No == no {
			return ErrPortNoInUse
		}
	}
	if err := be.dp.PortDel(p.dp); err != nil {
		return fmt.Errorf("port %s: %w", name, err)
	}
	got, err := be.dp.PortAdd(p.conf.Device, p.conf.Type, no)
	if err != nil {
		var again error
		got, again = be.dp.PortAdd(p.conf.Device, p.conf.Type, p.dp)
		err = errors.Join(fmt.Errorf("port %s: %w", name, err), again)
	}
	be.mu.Lock()
	defer be.mu.Unlock()
	p.dp = got
	be.invalidate()
	return err
}

// portNamed is the port of this name whose device is in the data path, nil if there
// is none.
func (be *Backend) portNamed(name string) *port {
	be.mu.Lock()
	defer be.mu.Unlock()
	for _, b := range be.bridges {
		if p := b.byName[name]; p != nil && p.dp != datapath.PortNone && p.tunnel == nil {
			return p
		}
	}
	return nil
}
