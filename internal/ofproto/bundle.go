package ofproto

import (
	"fmt"
	"io/fs"
	"slices"
	"sync/atomic"

	"weir/internal/openflow"
)

// bundle is a Port of the database. The backend's mu owns it; the MAC table
// knows addresses by its pointer.
type bundle struct {
	conf  BundleConfig
	ports []*port
	// seq counts a bridge's bundles, by which they are flooded: the order in
	// which they came.
	seq  uint64
	left atomic.Bool // it is gone
}

// Left says that nothing is learned on the bundle any more.
func (bu *bundle) Left() bool { return bu.left.Load() }

func (b *Bridge) setBundle(bc BundleConfig) error {
	be := b.be
	be.mu.Lock()
	defer be.mu.Unlock()
	var ports []*port
	for _, no := range bc.Ports {
		p := b.ports[no]
		if p == nil {
			return fmt.Errorf("bridge %s: port %s: OpenFlow port %d: %w", b.name, bc.Name, no, fs.ErrNotExist)
		}
		ports = append(ports, p)
	}
	bu := b.bundles[bc.Name]
	if bu == nil {
		bu = &bundle{seq: b.nextBundle}
		b.nextBundle++
		b.bundles[bc.Name] = bu
	}
	for _, p := range slices.Clone(bu.ports) {
		if !slices.Contains(ports, p) {
			b.leaveBundle(p)
			b.bundles[bc.Name] = bu
		}
	}
	for _, p := range ports {
		if p.bundle != bu {
			b.leaveBundle(p)
			p.bundle = bu
		}
	}
	vlansChanged := bu.conf.VLANMode != bc.VLANMode || bu.conf.VLAN != bc.VLAN ||
		!slices.Equal(bu.conf.Trunks, bc.Trunks) || !slices.Equal(bu.conf.CVLANs, bc.CVLANs)
	if vlansChanged && bu.ports != nil {
		b.macs.FlushOwner(bu)
	}
	bu.conf, bu.ports = bc, ports
	bu.left.Store(false) // its last port may have left before others came
	be.invalidate()
	return nil
}

func (b *Bridge) delBundle(name string) {
	be := b.be
	be.mu.Lock()
	defer be.mu.Unlock()
	bu := b.bundles[name]
	if bu == nil {
		return
	}
	for _, p := range slices.Clone(bu.ports) {
		b.leaveBundle(p)
	}
	b.flushEverywhere(bu)
	delete(b.bundles, name)
	be.invalidate()
}

// leaveBundle takes a port out of its bundle, which goes when it was the last.
func (b *Bridge) leaveBundle(p *port) {
	bu := p.bundle
	if bu == nil {
		return
	}
	p.bundle = nil
	bu.ports = slices.DeleteFunc(bu.ports, func(q *port) bool { return q == p })
	bu.conf.Ports = slices.DeleteFunc(bu.conf.Ports, func(no openflow.PortNo) bool { return no == p.no })
	if len(bu.ports) == 0 {
		b.flushEverywhere(bu)
		delete(b.bundles, bu.conf.Name)
		return
	}
	b.macs.FlushOwner(bu)
}

// flushEverywhere forgets the addresses of a bundle that goes away, in every
// bridge: what was behind it may be behind another bridge's port that leads
// there, and must be found anew. The caller holds be.mu.
func (b *Bridge) flushEverywhere(bu *bundle) {
	bu.left.Store(true)
	for _, e := range b.macs.Owned(bu) {
		for _, other := range b.be.bridges {
			if other != b {
				other.macs.Forget(e.MAC, e.VLAN)
			}
		}
	}
	b.macs.FlushOwner(bu)
}
