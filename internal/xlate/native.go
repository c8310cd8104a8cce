package xlate

import (
	"net/netip"
	"slices"
	"time"

	"weir/internal/datapath"
	"weir/internal/flow"
	"weir/internal/openflow"
	"weir/internal/packet"
	"weir/internal/tunnel"
	"weir/internal/tunnel/neigh"
	"weir/internal/tunnel/route"
)

// Listener is a port of the data path that gets the packets of tunnels when the
// outer headers are taken off.
type Listener struct {
	DP    datapath.PortNo
	Proto uint8
	Port  uint16 // UDP destination port; 0: the protocol has none
	V4    bool   // outer addresses may be IPv4, too
}

// Solicit is a request for the Ethernet address of a neighbour, to be sent as if the
// host had by one of its ports.
type Solicit struct {
	Port  *Port
	Frame []byte
}

// native reports whether translation builds the outer headers of the port's
// tunnel itself, by r, whose packets the host would send to underlay. Where no
// bridge leads to the other end, the device behind the port does if it can.
func (x *Translator) native(p *Port) (r route.Route, underlay *Port, ok bool) {
	if x.cfg.DevicesFirst && p.Carried {
		return r, nil, false
	}
	if !x.cfg.Features.TNLPush || x.cfg.Reach == nil || !p.Tunnel.Kind.Native() {
		return r, nil, false
	}
	t := &x.flow.Tunnel
	r, ok = x.cfg.Reach.Routes.Lookup(outerAddr(t.Dst, t.IPv6Dst), outerAddr(t.Src, t.IPv6Src), x.flow.PktMark)
	if ok {
		underlay = x.cfg.Hosts[r.Device]
	}
	return r, underlay, underlay != nil || !p.Carried
}

// outerAddr is an outer address as routes know it; none is invalid.
func outerAddr(v4 uint32, v6 [16]byte) netip.Addr {
	switch {
	case v4 != 0:
		return packet.Addr4(v4)
	case v6 != [16]byte{}:
		return netip.AddrFrom16(v6)
	}
	return netip.Addr{}
}

// sendNative puts the outer headers before the packet and has it go on in the
// bridge that leads to the other end, as if the host had sent it by a port of the
// bridge, mostly the local one.
func (x *Translator) sendNative(p *Port, r route.Route, local *Port, trunc uint32, last bool) {
	x.detail("output to native tunnel")
	if local == nil {
		x.warn("native tunnel routing failed")
		x.denyPort(DropTunnelRoute, p.No)
		return
	}
	t := &x.flow.Tunnel
	dst := outerAddr(t.Dst, t.IPv6Dst)
	next := dst
	if r.Gateway.IsValid() {
		next = r.Gateway
	}
	if t.Src == 0 && t.IPv6Src == [16]byte{} {
		t.Src, t.IPv6Src = ends(r.Src)
	}
	b := local.Bridge
	x.detail("tunneling to %s via %s", next, local.Name)
	mac, ok := x.cfg.Reach.Neighbours.Lookup(b.Name, next, x.now())
	if !ok {
		x.solicit(local, next, r.Src)
		x.denyPort(DropTunnelNeighbour, p.No)
		return
	}
	x.detail("tunneling from %s %s to %s %s", local.MAC, outerAddr(t.Src, t.IPv6Src), mac, dst)
	x.res.Effects = append(x.res.Effects, Effect{Kind: EffectNeighbourUsed, Bridge: b, IP: next.As16(), reach: x.cfg.Reach})
	h, err := p.Tunnel.Header(&tunnel.Outer{Src: local.MAC, Dst: mac, Tunnel: t, PacketType: x.flow.PacketType, Options: x.options(p)})
	if err != nil {
		x.warn("native tunnel header build failed")
		x.denyPort(DropTunnelHeader, p.No)
		return
	}
	x.onCopy(last, func() {
		x.commit()
		if trunc != 0 {
			x.emit(&datapath.Trunc{MaxLen: trunc})
		}
		n := len(x.res.Actions)
		x.emit(&datapath.TunnelPush{Port: p.DP, OutPort: local.DP, Header: h})
		x.throughUnderlay(local, h)
		if len(x.res.Actions) == n+1 { // it goes nowhere
			x.res.Actions = x.res.Actions[:n]
			if trunc != 0 {
				x.res.Actions = x.res.Actions[:n-1]
			}
		}
	})
}

// options are the tun_metadata fields of the packet as options of Geneve, nil for
// other kinds of tunnel.
func (x *Translator) options(p *Port) (b []byte) {
	if p.Tunnel.Kind.ShimName() != tunnel.ShimGeneve {
		return nil
	}
	x.markOptions()
	if x.flow.TunMetaPresent == 0 {
		return nil
	}
	table := x.bridge.Pipeline.TLV()
	for _, m := range table.Maps() {
		if body, ok := table.AppendBody(nil, int(m.Index), &x.flow); ok {
			b = tunnel.AppendOption(b, tunnel.Option{Class: m.Class, Type: m.Type, Data: body})
		}
	}
	return b
}

// markOptions marks the options of a tunnel that the packet has as it came with
// them, and that it came without others; those that actions have set have their
// values whatever it came with. A data path that looks at one option looks at
// which there are, so that the others are marked only where nothing else is.
func (x *Translator) markOptions() {
	if !x.asCame || x.in.Key.Tunnel.IsZero() {
		return
	}
	for _, there := range [...]bool{true, false} {
		if !there && x.wc.TunMetaPresent != 0 {
			return
		}
		for i := range flow.NumTunMeta {
			f := x.bridge.Pipeline.TLV().Field(i)
			if f != nil && f.Present(x.in.Key) == there && f.Present(&x.flow) == there && f.Get(&x.flow) == f.Get(x.in.Key) {
				f.MarkOption(x.wc)
			}
		}
	}
}

// onCopy has run act on a copy of the packet if something follows. The caller
// restores the flow.
func (x *Translator) onCopy(last bool, run func()) {
	if !last {
		x.commit()
	}
	p := x.here()
	run()
	if !last {
		x.copySince(p)
	}
}

// unwrapLast has the last of all actions work on the packet itself, if it is a
// copy for a tunnel.
func (x *Translator) unwrapLast() {
	n := len(x.res.Actions)
	if n == 0 {
		return
	}
	c, ok := x.res.Actions[n-1].(*datapath.Clone)
	if !ok || !slices.ContainsFunc(c.Actions, func(a datapath.Action) bool { _, ok := a.(*datapath.TunnelPush); return ok }) {
		return
	}
	x.res.Actions = append(x.res.Actions[:n-1], c.Actions...)
}

// throughUnderlay translates what a header made of the packet in the bridge that
// it leaves by. What is looked at there is the header, which packets of one
// megaflow share, not the packet.
func (x *Translator) throughUnderlay(local *Port, h *tunnel.Header) {
	if !x.mayGoOn() {
		return
	}
	wc := x.wc
	x.wc = new(flow.Mask)
	defer func() { x.wc = wc }()
	o := x.goOutside(local.Bridge)
	x.wasMPLS, x.asCame = false, false
	x.flow = flow.Key{PktMark: o.key.PktMark, SkbPriority: o.key.SkbPriority}
	h.Key(&x.flow)
	x.flow.InPort, x.flow.ActsetOutput = uint32(local.No), uint32(openflow.PortUnset)
	x.base = x.flow
	x.extra += uint32(len(h.Bytes))
	x.enterFrom(&o, local, true) // no action of that bridge follows on the same copy
	x.extra -= uint32(len(h.Bytes))
}

// solicit asks for the Ethernet address of a neighbour, unless somebody has just
// done so.
func (x *Translator) solicit(local *Port, ip, src netip.Addr) {
	b := local.Bridge
	what := "ARP"
	if ip.Is6() {
		what = "ND"
	}
	x.detail("neighbor cache miss for %s on bridge %s, sending %s request", ip, b.Name, what)
	x.res.Effects = append(x.res.Effects, Effect{Kind: EffectNeighbourWanted, Port: local, IP: ip.As16(), reach: x.cfg.Reach})
	x.res.Wants = true
	if x.in.Learn {
		x.res.Solicits = x.cfg.Reach.ask(x.res.Solicits, local, ip, src, x.now())
	}
}

// ask appends the request for a neighbour, by a port of the host, unless there is no
// address to ask by, or somebody has just asked.
func (r *Reach) ask(list []Solicit, local *Port, ip, src netip.Addr, now time.Time) []Solicit {
	if !src.IsValid() || src.Is4() != ip.Is4() || !r.Neighbours.MayAsk(local.Bridge.Name, ip, now) {
		return list
	}
	return append(list, Solicit{local, packet.NeighbourRequest(local.MAC, src, ip)})
}

// Solicits are the requests for neighbours that packets of a flow are dropped for
// want of, where they are due again: a request or its answer may have been lost.
func (es Effects) Solicits(now time.Time) (list []Solicit) {
	for i := range es {
		e := &es[i]
		if e.Kind != EffectNeighbourWanted {
			continue
		}
		ip := netip.AddrFrom16(e.IP).Unmap()
		if r, ok := e.reach.Routes.Lookup(ip, netip.Addr{}, 0); ok {
			list = e.reach.ask(list, e.Port, ip, r.Src, now)
		}
	}
	return list
}

// received is what becomes of a packet for a port of the host with
// addresses: tunnels get theirs, and announcements of neighbours are heard. ok
// is true for a packet of tunnels, which the data path's port dp is to get.
func (x *Translator) received(p *Port) (dp datapath.PortNo, ok bool) {
	if !p.Host || x.cfg.Reach == nil || len(x.cfg.Listeners) == 0 {
		return 0, false
	}
	addrs := x.cfg.Reach.Routes.Addresses(p.Name)
	if len(addrs) == 0 {
		return 0, false
	}
	x.wc.VLANs[0].TCI |= vidMask | flow.VLANPresent
	if x.flow.VLANs[0].TCI != 0 || x.flow.PacketType != 0 {
		return 0, false
	}
	if a, ok := neigh.Announced(&x.flow, x.wc); ok {
		if a.To == a.IP || x.cfg.Reach.Routes.HasAddress(p.Name, a.To) {
			x.res.Effects = append(x.res.Effects, Effect{Kind: EffectNeighbour, Bridge: p.Bridge, IP: a.IP.As16(), MAC: a.MAC, reach: x.cfg.Reach})
			if x.in.Learn {
				x.cfg.Reach.Neighbours.Learn(p.Bridge.Name, a.IP, a.MAC, x.now())
			}
		}
		return 0, false
	}
	if !isIP(x.flow.L3Type()) {
		return 0, false
	}
	for i := range x.wc.EthDst {
		x.wc.EthDst[i] = 0xff
	}
	if x.flow.EthDst != p.MAC || !x.addressed(p.Name) {
		return 0, false
	}
	return x.listener(p)
}

// addressed reports whether the packet is for an address of a device.
func (x *Translator) addressed(device string) bool {
	f, w := &x.flow, x.wc
	var to netip.Addr
	if f.EthType == packet.EtherTypeIPv4 {
		w.IPDst = ^uint32(0)
		to = outerAddr(f.IPDst, [16]byte{})
	} else {
		for i := range w.IPv6Dst {
			w.IPv6Dst[i] = 0xff
		}
		to = netip.AddrFrom16(f.IPv6Dst)
	}
	return to.IsValid() && x.cfg.Reach.Routes.HasAddress(device, to)
}

// listener finds the port that gets a packet for one of the bridge's addresses.
func (x *Translator) listener(p *Port) (datapath.PortNo, bool) {
	f, w := &x.flow, x.wc
	w.NwProto = 0xff
	if f.NwProto != packet.ProtoUDP && f.NwProto != packet.ProtoGRE || f.NwFrag != 0 {
		return 0, false
	}
	if f.NwProto == packet.ProtoUDP {
		w.TpDst = 0xffff
	}
	for _, l := range x.cfg.Listeners {
		if l.Proto != f.NwProto || l.Proto == packet.ProtoUDP && l.Port != f.TpDst || !l.V4 && f.EthType == packet.EtherTypeIPv4 {
			continue
		}
		if from := senderAddr(f); x.in.Learn && from.IsValid() && !f.EthSrc.IsMulticast() {
			// The sender is a neighbour, or behind one that is asked for anyway.
			x.cfg.Reach.Neighbours.Learn(p.Bridge.Name, from, f.EthSrc, x.now())
		}
		return l.DP, true
	}
	return 0, false
}

func senderAddr(f *flow.Key) netip.Addr {
	if f.EthType == packet.EtherTypeIPv4 {
		return outerAddr(f.IPSrc, [16]byte{})
	}
	return netip.AddrFrom16(f.IPv6Src)
}
