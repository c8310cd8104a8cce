package vswitchd

import (
	"fmt"
	"runtime"
	"slices"
	"sync"

	"golang.org/x/sys/unix"

	"weir/internal/datapath"
	"weir/internal/datapath/userspace"
	"weir/internal/dpctl"
	"weir/internal/unixctl"
)

// extraDatapaths are those that dpctl/add-dp made, beside the bridges'. The
// mutex owns the list.
type extraDatapaths struct {
	mu   sync.Mutex
	list []*userspace.DP
}

// registerDPCtl adds the dpctl/ commands.
func (c *composer) registerDPCtl(srv *unixctl.Server) {
	extra := &extraDatapaths{}
	(&dpctl.Commands{
		Program: "ovs-vswitchd",
		Now:     c.opts.Clock.Now,
		Devices: c.devices("dummy"),
		List: func() []datapath.Datapath {
			var out []datapath.Datapath
			for _, p := range c.sw.providers() {
				out = append(out, watchedDP{p.dp, c.sw})
			}
			extra.mu.Lock()
			defer extra.mu.Unlock()
			for _, d := range extra.list {
				out = append(out, d)
			}
			return out
		},
		Create: func(typ, name string) error { return c.createDatapath(extra, typ, name) },
		Remove: extra.remove,
	}).Register(srv)
}

// createDatapath makes a data path that no bridge uses.
func (c *composer) createDatapath(extra *extraDatapaths, typ, name string) error {
	conf := userspace.Config{Type: typ, Name: name, Clock: c.opts.Clock, Workers: runtime.NumCPU(), Topology: c.providers.Topology, Egress: c.egress()}
	switch {
	case c.isDummy(typ):
		dev, err := c.dummies.Provider("dummy-internal").Open(name, nil)
		if err != nil {
			return err
		}
		conf.Synchronous, conf.Local = true, dev
	case typ != "netdev" || c.host == nil:
		return fmt.Errorf("data path type %q: %w", typ, unix.EAFNOSUPPORT)
	}
	dp, err := userspace.New(conf)
	if err != nil {
		return err
	}
	dp.Start()
	extra.mu.Lock()
	defer extra.mu.Unlock()
	extra.list = append(extra.list, dp)
	return nil
}

func (x *extraDatapaths) remove(typ, name string) error {
	x.mu.Lock()
	defer x.mu.Unlock()
	for i, d := range x.list {
		if d.Type() == typ && d.Name() == name {
			x.list = slices.Delete(x.list, i, i+1)
			ports := d.Ports()
			err := d.Close()
			for _, p := range ports {
				_ = p.Device.Close()
			}
			return err
		}
	}
	return fmt.Errorf("data path %s@%s is in use by a bridge: %w", typ, name, unix.EBUSY)
}

// watchedDP is a bridges' data path as dpctl commands see it: what they take
// away, the switch is told of.
type watchedDP struct {
	datapath.Datapath
	sw *Switch
}

// Unwrap is the data path itself.
func (w watchedDP) Unwrap() datapath.Datapath { return w.Datapath }

// PortDel removes a port, and its interface from the bridge that had it.
func (w watchedDP) PortDel(no datapath.PortNo) error {
	if err := w.Datapath.PortDel(no); err != nil {
		return err
	}
	w.sw.loop.Call(w.sw.checkPorts)
	return nil
}

// checkPorts takes the interfaces out of bridges whose ports the data path no
// longer has. The next change of configuration makes them anew.
func (s *Switch) checkPorts() {
	for _, be := range s.backends {
		p, ok := be.Backend.(*provider)
		if !ok {
			continue
		}
		there := map[string]bool{}
		for _, port := range p.dp.Ports() {
			there[port.Name] = true
		}
		for name, i := range s.ifaces {
			if i.dev != nil && i.port.bridge.backend == be && !there[name] && i.dev.Type() != "patch" {
				s.closeInterface(i)
				s.configureBundle(i.port)
				s.failInterface(i, "")
			}
		}
	}
	s.followDevices()
	s.writer.flush()
}
