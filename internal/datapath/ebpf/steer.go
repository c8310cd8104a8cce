package ebpf

import (
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
			p.steer(name, other[CPUsKey])
		}
	}
}

// steer changes the port's steering to a list of CPUs, empty for what there was.
func (p *port) steer(name, cpus string) {
	if cpus == p.cpus {
		return
	}
	p.unsteer(name)
	if p.cpus = cpus; cpus == "" {
		return
	}
	l, err := netlink.LinkByIndex(p.index)
	if err == nil {
		p.steering, err = linux.Steer(l.Attrs().Name, cpus)
	}
	if err != nil {
		log.Warn("port %s: other_config:%s=%s: %v", name, CPUsKey, cpus, err)
	}
}

func (p *port) unsteer(name string) {
	if p.steering == nil {
		return
	}
	if err := p.steering.Undo(); err != nil {
		log.Warn("port %s: putting receive packet steering back: %v", name, err)
	}
	p.steering, p.cpus = nil, ""
}
