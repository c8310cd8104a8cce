package ofproto

import (
	"cmp"
	"fmt"
	"io/fs"
	"slices"
	"time"

	"weir/internal/datapath"
	"weir/internal/netdev"
	"weir/internal/openflow"
	"weir/internal/packet"
	"weir/internal/tunnel"
	"weir/internal/xlate"
)

// port is one OpenFlow port. The backend's mu owns it.
type port struct {
	conf    PortConfig
	no      openflow.PortNo
	dp      datapath.PortNo // PortNone for a patch port
	patch   bool
	config  openflow.PortConfig // as OpenFlow set it; PortDown follows the device
	desc    openflow.PortDesc   // as controllers know it
	changes uint64              // of the device, when desc was made
	counted *xlate.PortStats    // of a patch or tunnel port
	tunnel  *tunnel.Config      // of a tunnel port, when the snapshot was last built
	bundle  *bundle
	created time.Time
}

// maxPorts is the highest port number that is given out unasked.
const maxPorts = 0xfeff

// allocPort gives the requested number when it is free, or else the next one.
func (b *Bridge) allocPort(request openflow.PortNo) (openflow.PortNo, error) {
	if request != 0 && (request < openflow.PortMax || request == openflow.PortLocal) && b.ports[request] == nil {
		return request, nil
	}
	for range maxPorts {
		if b.nextPort++; b.nextPort > maxPorts {
			b.nextPort = 1
		}
		if b.ports[b.nextPort] == nil {
			return b.nextPort, nil
		}
	}
	return 0, fmt.Errorf("bridge %s: all %d port numbers are in use", b.name, maxPorts)
}

func (b *Bridge) addPort(pc PortConfig) (openflow.PortNo, error) {
	be := b.be
	p := &port{conf: pc, dp: datapath.PortNone, patch: pc.Type == "patch", created: be.clock.Now()}
	be.mu.Lock()
	exists, gone := b.byName[pc.Name] != nil, b.gone
	be.mu.Unlock()
	switch {
	case exists:
		return 0, fmt.Errorf("bridge %s: port %s: %w", b.name, pc.Name, fs.ErrExist)
	case gone:
		return 0, fmt.Errorf("bridge %s: %w", b.name, fs.ErrClosed)
	}
	// Workers of the data path may be waiting for mu, so it isn't held here.
	if err := be.attach(p); err != nil {
		return 0, fmt.Errorf("bridge %s: port %s: %w", b.name, pc.Name, err)
	}
	be.mu.Lock()
	no, err := b.allocPort(pc.Request)
	if err != nil {
		be.mu.Unlock()
		_ = be.detach(p)
		return 0, err
	}
	p.no = no
	p.describe()
	b.ports[no], b.byName[pc.Name] = p, p
	be.invalidate()
	desc := p.desc
	be.mu.Unlock()
	// A port comes up only after it is there.
	first := desc
	first.State &^= openflow.PortLive
	b.conns.portStatus(openflow.PortAdded, &first, nil)
	if first != desc {
		b.conns.portStatus(openflow.PortModified, &desc, &first)
	}
	return no, nil
}

func (b *Bridge) delPort(no openflow.PortNo) error {
	be := b.be
	be.mu.Lock()
	p := b.ports[no]
	if p == nil {
		be.mu.Unlock()
		return fmt.Errorf("bridge %s: port %d: %w", b.name, no, fs.ErrNotExist)
	}
	b.leaveBundle(p)
	delete(b.ports, no)
	delete(b.byName, p.conf.Name)
	be.invalidate()
	desc := p.desc
	be.mu.Unlock()
	b.conns.portStatus(openflow.PortDeleted, &desc, nil)
	return be.detach(p)
}

// attach makes the port's device one of the data path: that of a tunnel port is
// its underlay. A patch port has none.
func (be *Backend) attach(p *port) (err error) {
	if t, ok := p.conf.Device.(netdev.Tunnel); ok {
		p.counted = new(xlate.PortStats)
		return be.attachTunnel(p, t)
	}
	if p.patch {
		p.counted = new(xlate.PortStats)
		return nil
	}
	p.dp, err = be.dp.PortAdd(p.conf.Device, p.conf.Type, datapath.PortNone)
	return err
}

// detach undoes attach.
func (be *Backend) detach(p *port) error {
	switch {
	case p.tunnel != nil:
		return be.detachTunnel(p)
	case p.patch:
		return nil
	}
	return be.dp.PortDel(p.dp)
}

// describe makes the description that controllers see from the device's state.
func (p *port) describe() {
	dev := p.conf.Device
	d := openflow.PortDesc{PortNo: p.no, Name: p.conf.Name, Config: p.config}
	up, running := true, true
	if dev != nil {
		p.changes = dev.Changes()
		d.HWAddr = dev.MAC()
		f := dev.Flags()
		up, running = f&netdev.Up != 0, f&netdev.Running != 0
		d.Curr, d.CurrSpeed = linkFeatures(dev)
	}
	d.Config &^= openflow.PortDown
	if !up {
		d.Config |= openflow.PortDown
	}
	if !running {
		d.State |= openflow.PortLinkDown
	} else {
		d.State |= openflow.PortLive
	}
	p.desc = d
}

// linkFeatures says a device's speed the OpenFlow way, and in kbit/s.
func linkFeatures(dev netdev.Device) (openflow.PortFeatures, uint32) {
	bps, full := dev.Speed()
	modes := map[uint64][2]openflow.PortFeatures{
		10e6:  {openflow.Feature10MbHD, openflow.Feature10MbFD},
		100e6: {openflow.Feature100MbHD, openflow.Feature100MbFD},
		1e9:   {openflow.Feature1GbHD, openflow.Feature1GbFD},
		10e9:  {0, openflow.Feature10GbFD}, 40e9: {0, openflow.Feature40GbFD},
		100e9: {0, openflow.Feature100GbFD}, 1e12: {0, openflow.Feature1TbFD},
	}
	m, ok := modes[bps]
	i := 0
	if full {
		i = 1
	}
	if !ok || m[i] == 0 {
		if bps == 0 {
			return 0, 0
		}
		return openflow.FeatureOther, uint32(bps / 1000)
	}
	return m[i], uint32(bps / 1000)
}

// refreshPorts tells controllers of ports whose devices have changed.
func (b *Bridge) refreshPorts() {
	be := b.be
	type change struct{ is, was openflow.PortDesc }
	var changed []change
	be.mu.Lock()
	for _, p := range b.ports {
		if p.conf.Device == nil || p.conf.Device.Changes() == p.changes {
			continue
		}
		old := p.desc
		if p.tunnel != nil {
			be.invalidate()
		}
		if p.describe(); p.desc != old {
			changed = append(changed, change{p.desc, old})
			be.invalidate()
		}
	}
	be.mu.Unlock()
	slices.SortFunc(changed, func(a, b change) int { return cmp.Compare(a.is.PortNo, b.is.PortNo) })
	for i := range changed {
		b.conns.portStatus(openflow.PortModified, &changed[i].is, &changed[i].was)
	}
}

// sortedPorts lists the ports by number. The caller holds be.mu.
func (b *Bridge) sortedPorts() []*port {
	out := make([]*port, 0, len(b.ports))
	for _, p := range b.ports {
		out = append(out, p)
	}
	slices.SortFunc(out, func(a, b *port) int { return int(int64(a.no) - int64(b.no)) })
	return out
}

func (p *port) stats() (netdev.Stats, error) {
	if p.counted != nil {
		s := unknownStats()
		s.RxPackets, s.RxBytes = p.counted.RxPackets.Load(), p.counted.RxBytes.Load()
		s.TxPackets, s.TxBytes = p.counted.TxPackets.Load(), p.counted.TxBytes.Load()
		return s, nil
	}
	if p.conf.Device == nil {
		return unknownStats(), nil
	}
	return p.conf.Device.Stats()
}

func unknownStats() netdev.Stats {
	const u = ^uint64(0)
	return netdev.Stats{RxErrors: u, TxErrors: u, RxDropped: u, TxDropped: u, Multicast: u, Collisions: u,
		RxOverErr: u, RxCRCErr: u, RxFrameErr: u, RxMissedErrors: u}
}

// checkPortMod says whether a port mod names a port, without doing it.
func (b *Bridge) checkPortMod(m *openflow.PortMod) error {
	b.be.mu.Lock()
	defer b.be.mu.Unlock()
	_, err := b.portOf(m.PortNo, m.HWAddr)
	return err
}

// portOf is the port that a port mod names by both number and address. The
// caller holds be.mu.
func (b *Bridge) portOf(no openflow.PortNo, hw packet.MAC) (*port, error) {
	p := b.ports[no]
	switch {
	case p == nil:
		return nil, openflow.ErrPMFCBadPort.Err()
	case p.desc.HWAddr != hw:
		return nil, openflow.ErrPMFCBadHWAddr.Err()
	}
	return p, nil
}

// setConfig changes the OpenFlow configuration of a port, PortDown by way of
// its device.
func (b *Bridge) setPortConfig(no openflow.PortNo, hw packet.MAC, config, mask openflow.PortConfig) error {
	be := b.be
	be.mu.Lock()
	p, err := b.portOf(no, hw)
	if err != nil {
		be.mu.Unlock()
		return err
	}
	const kept = openflow.PortNoRecv | openflow.PortNoFlood | openflow.PortNoFwd | openflow.PortNoPacketIn | openflow.PortNoSTP | openflow.PortNoRecvSTP
	p.config = p.config&^(mask&kept) | config&mask&kept
	dev, before := p.conf.Device, p.desc
	be.mu.Unlock()
	if mask&openflow.PortDown != 0 && dev != nil {
		if config&openflow.PortDown != 0 {
			err = dev.SetFlags(0, netdev.Up)
		} else {
			err = dev.SetFlags(netdev.Up, 0)
		}
	}
	be.mu.Lock()
	p.describe()
	desc := p.desc
	be.invalidate()
	be.mu.Unlock()
	// First the configuration changes, then the link follows.
	middle := before
	if middle.Config = desc.Config; middle.Config&openflow.PortDown != 0 {
		middle.State &^= openflow.PortLive
	}
	if middle != before {
		b.conns.portStatus(openflow.PortModified, &middle, &before)
	}
	if desc != middle {
		b.conns.portStatus(openflow.PortModified, &desc, &middle)
	}
	return err
}
