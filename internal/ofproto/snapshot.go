package ofproto

import (
	"cmp"
	"slices"

	"weir/internal/coverage"
	"weir/internal/datapath"
	"weir/internal/netdev"
	"weir/internal/openflow"
	"weir/internal/xlate"
)

var coverInvalidated = coverage.New("rev_reconfigure")

// invalidate has the snapshot built anew before it is read again, and flows
// looked at again. The caller holds be.mu.
func (be *Backend) invalidate() {
	coverInvalidated.Inc()
	be.dirty.Store(true)
	be.engine.Wake()
}

// Snapshot is what translation reads of the configuration. It is immutable.
func (be *Backend) Snapshot() *xlate.Config {
	if !be.dirty.Load() {
		return be.snapshot.Load()
	}
	be.mu.Lock()
	defer be.mu.Unlock()
	if be.dirty.Load() {
		be.snapshot.Store(be.build())
		be.dirty.Store(false)
	}
	return be.snapshot.Load()
}

// build makes a snapshot. It costs as much as there are ports, however often
// they have changed since the last one.
func (be *Backend) build() *xlate.Config {
	c := &xlate.Config{
		Bridges:  make(map[string]*xlate.Bridge, len(be.bridges)),
		ByDP:     map[datapath.PortNo]*xlate.Port{},
		Hosts:    map[string]*xlate.Port{},
		Features: be.Features(),
		Recircs:  be.recirc,
		Drops:    be.drops,
		Reach:    be.opts.Reach,

		DevicesFirst: be.opts.DevicesFirst,
	}
	c.Listeners = be.listeners()
	c.Tunnels.Share(sharing(c.Listeners))
	patches := map[string]*xlate.Port{}
	peers := map[*xlate.Port]string{}
	for _, b := range be.sorted() {
		xb := b.build()
		c.Bridges[b.name] = xb
		for _, xp := range xb.Order {
			switch {
			case xp.Tunnel != nil:
				c.Tunnels.Add(uint32(xp.DP), xp.Tunnel, xp)
			case xp.Patch:
				patches[xp.Name] = xp
				peers[xp] = b.ports[xp.No].conf.Peer
			default:
				c.ByDP[xp.DP] = xp
			}
			if xp.Host {
				c.Hosts[xp.Name] = xp
			}
		}
	}
	for xp, name := range peers {
		// Both ends must agree, so that a mistyped name joins nothing.
		if peer := patches[name]; peer != nil && peers[peer] == xp.Name {
			xp.Peer = peer
		}
	}
	return c
}

func (b *Bridge) build() *xlate.Bridge {
	xb := &xlate.Bridge{
		Name: b.name, ID: b.id, Pipeline: b.pipe, MACs: b.macs,
		Ports:         make(map[openflow.PortNo]*xlate.Port, len(b.ports)),
		ForwardBPDU:   b.cfg.ForwardBPDU,
		Frags:         b.frags,
		HasController: b.conns.hasControllers(),
		MissSendLen:   0xffff,
		InBand:        b.inBand,
		Fates:         b.fates,
		Miss:          b.conns.tableMiss(),
	}
	if b.meterer() != nil {
		xb.MeterID = b.meterID
	}
	for _, p := range b.sortedPorts() {
		xp := &xlate.Port{
			Bridge: xb, Name: p.conf.Name, No: p.no, DP: p.dp, Patch: p.patch, Host: p.conf.Type == "internal",
			MAC: p.desc.HWAddr, Stats: p.counted, Config: xlatePortConfig(&p.desc),
		}
		if t, ok := p.conf.Device.(netdev.Tunnel); ok {
			p.tunnel = t.Tunnel()
			xp.Tunnel = p.tunnel
			switch {
			case p.tunnel.LegacyL3():
				xp.PacketTypes = xlate.PacketsL3
			case p.tunnel.L3():
				xp.PacketTypes = xlate.PacketsAny
			}
			if u := b.be.underlays[p.tunnel.DeviceName()]; u != nil {
				xp.Carried = u.carries && p.tunnel.Plain()
			}
		}
		xb.Ports[p.no] = xp
		xb.Order = append(xb.Order, xp)
	}
	bundles := make([]*bundle, 0, len(b.bundles))
	for _, bu := range b.bundles {
		bundles = append(bundles, bu)
	}
	slices.SortFunc(bundles, func(x, y *bundle) int { return cmp.Compare(x.seq, y.seq) })
	for _, bu := range bundles {
		xb.Bundles = append(xb.Bundles, bu.build(xb))
	}
	b.buildMirrors(xb)
	return xb
}

func (bu *bundle) build(xb *xlate.Bridge) *xlate.Bundle {
	c := &bu.conf
	out := &xlate.Bundle{
		Bridge: xb, Name: c.Name, VLANMode: c.VLANMode, VLAN: c.VLAN,
		Trunks: xlate.NewVLANSet(c.Trunks), CVLANs: xlate.NewVLANSet(c.CVLANs),
		QinQEthType: c.QinQEthType, PriorityTags: c.PriorityTags,
		Protected: c.Protected, Owner: bu,
	}
	for _, p := range bu.ports {
		xp := xb.Ports[p.no]
		xp.Bundle, xp.DSCP = out, c.QueueDSCP
		out.Ports = append(out.Ports, xp)
	}
	return out
}

func xlatePortConfig(d *openflow.PortDesc) xlate.PortConfig {
	var c xlate.PortConfig
	for _, m := range [...]struct {
		of openflow.PortConfig
		x  xlate.PortConfig
	}{
		{openflow.PortDown, xlate.PortDown}, {openflow.PortNoRecv, xlate.PortNoRecv},
		{openflow.PortNoFlood, xlate.PortNoFlood}, {openflow.PortNoFwd, xlate.PortNoFwd},
		{openflow.PortNoPacketIn, xlate.PortNoPktIn}, {openflow.PortNoSTP, xlate.PortNoSTP},
	} {
		if d.Config&m.of != 0 {
			c |= m.x
		}
	}
	if d.State&openflow.PortLinkDown != 0 {
		c |= xlate.PortLinkDown
	}
	return c
}

// touch is invalidate for those who don't hold be.mu.
func (be *Backend) touch() {
	be.mu.Lock()
	defer be.mu.Unlock()
	be.invalidate()
}
