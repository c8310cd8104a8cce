package xlate

import (
	"weir/internal/flow"
	"weir/internal/openflow"
	"weir/internal/packet"
)

// tag is one VLAN tag as bundles see it: VID 0 without a tag, or with a
// priority tag.
type tag struct {
	tpid uint16
	vid  uint16
	pcp  uint16 // in place: bits 13 to 15
}

// tags are the outer tags of a packet.
type tags [flow.MaxVLANs]tag

const vidMask = 0x0fff

func tagsOf(k *flow.Key) (ts tags) {
	for i := range ts {
		v := k.VLANs[i]
		if !isVLANType(v.TPID) || v.TCI&flow.VLANPresent == 0 {
			break
		}
		ts[i] = tag{v.TPID, v.TCI & vidMask, v.TCI & 0xe000}
	}
	return ts
}

func isVLANType(t uint16) bool {
	return t == packet.EtherTypeVLAN || t == 0x88a8
}

// push puts a tag before the others; the last falls off.
func (ts *tags) push(t tag) {
	copy(ts[1:], ts[:])
	ts[0] = t
}

func (ts *tags) pop() {
	copy(ts[:], ts[1:])
	ts[len(ts)-1] = tag{}
}

// admits reports whether a bundle accepts packets with these tags on the wire.
func (b *Bundle) admits(ts *tags) bool {
	vid := ts[0].vid
	switch b.VLANMode {
	case VLANAccess:
		return vid == 0
	case VLANNativeUntagged, VLANNativeTagged:
		return vid == 0 || b.trunks(vid)
	case VLANDot1qTunnel:
		return b.CVLANs.Has(vid)
	default:
		return b.trunks(vid)
	}
}

// trunks reports whether a trunk carries a VLAN of the bridge. One with a
// native VLAN carries that always, and then never packets without a VLAN.
func (b *Bundle) trunks(vid uint16) bool {
	if b.VLAN > 0 && (b.VLANMode == VLANNativeTagged || b.VLANMode == VLANNativeUntagged) {
		return vid != 0 && (vid == uint16(b.VLAN) || b.Trunks.Has(vid))
	}
	return b.Trunks.Has(vid)
}

// carries reports whether packets of a VLAN of the bridge may leave.
func (b *Bundle) carries(ts *tags) bool {
	switch b.VLANMode {
	case VLANAccess:
		return ts[0].vid == uint16(b.VLAN) && ts[1].vid == 0
	case VLANDot1qTunnel:
		return ts[0].vid == uint16(b.VLAN) && b.CVLANs.Has(ts[1].vid)
	default:
		return b.trunks(ts[0].vid)
	}
}

// inward turns tags on the wire into those within the bridge.
func (b *Bundle) inward(in tags) tags {
	switch b.VLANMode {
	case VLANAccess:
		in[0] = tag{tpid: in[0].tpid, vid: uint16(b.VLAN), pcp: in[0].pcp}
	case VLANNativeUntagged, VLANNativeTagged:
		if in[0].vid == 0 {
			in[0].vid = uint16(b.VLAN)
		}
	case VLANDot1qTunnel:
		in.push(tag{tpid: b.QinQEthType, vid: uint16(b.VLAN)})
	}
	return in
}

// outward turns tags within the bridge into those on the wire.
func (b *Bundle) outward(ts tags) tags {
	switch b.VLANMode {
	case VLANAccess:
		ts[0].vid = 0
	case VLANNativeUntagged:
		if ts[0].vid == uint16(b.VLAN) {
			ts[0].vid = 0
		}
	case VLANDot1qTunnel:
		pcp := ts[0].pcp
		ts.pop()
		if ts[0].vid == 0 && ts[0].pcp == 0 {
			ts[0].pcp = pcp
		}
	}
	return ts
}

// put writes the tags into a key. A tag of VLAN 0 stays a tag only as the
// bundle's priority tags ask.
func (b *Bundle) put(k *flow.Key, ts tags) {
	var out [flow.MaxVLANs]flow.VLAN
	n := 0
	for i, t := range ts {
		tci := t.vid | t.pcp
		outer := i == 0
		present := t.vid != 0
		if outer && !present {
			present = b.PriorityTags == PriorityTagsAlways || b.PriorityTags == PriorityTagsIfNonZero && t.pcp != 0
		}
		if !present && !(i > 0 && t.tpid != 0) {
			continue
		}
		if t.tpid == 0 {
			t.tpid = packet.EtherTypeVLAN
		}
		out[n] = flow.VLAN{TPID: t.tpid, TCI: tci | flow.VLANPresent}
		n++
	}
	k.VLANs = out
}

// noPortBundle takes packets that come from no port (packet-out): a trunk of
// all VLANs.
var noPortBundle = &Bundle{Name: "OFPP_NONE", VLAN: -1}

// normal is the action NORMAL: a learning bridge with VLANs.
func (x *Translator) normal() {
	x.res.HasNormal = true
	w := x.wc
	for i := range w.EthSrc {
		w.EthSrc[i], w.EthDst[i] = 0xff, 0xff
	}
	for i := range w.VLANs {
		w.VLANs[i].TCI |= vidMask | flow.VLANPresent
	}
	inPort, in := x.inputBundle()
	if in == nil {
		x.warn("no input bundle, dropping")
		x.denyPort(DropNoBundle, openflow.PortNo(x.flow.InPort))
		return
	}
	wire := tagsOf(&x.flow)
	if !in.admits(&wire) {
		x.detail("disallowed VLAN VID for this input port, dropping")
		x.denyPort(DropVLAN, openflow.PortNo(x.flow.InPort))
		x.denied.VLAN = wire[0].vid
		return
	}
	if x.reservedForMirrors(in) {
		x.denyPort(DropMirrorPort, openflow.PortNo(x.flow.InPort))
		return
	}
	ts := in.inward(wire)
	vlan := ts[0].vid
	if inPort != nil && !x.bridge.ForwardBPDU && x.flow.EthDst.IsReserved() {
		x.detail("packet has reserved destination MAC, dropping")
		x.deny(DropReserved)
		return
	}
	gratARP := x.isGratuitousARP()
	if inPort != nil {
		x.learnSource(inPort, in, vlan, gratARP)
	}
	e, ok := x.bridge.MACs.Lookup(x.flow.EthDst, vlan)
	if !ok {
		x.detail("no learned MAC for destination, flooding")
		x.flood(in, &ts)
		return
	}
	out := x.bundleOf(e.Owner)
	switch {
	case out == nil:
		x.detail("learned port is unknown, dropping")
	case out == in:
		x.detail("learned port is input port, dropping")
		x.denyPort(DropInputPort, openflow.PortNo(x.flow.InPort))
	case in.Protected && out.Protected:
		x.detail("learned port is protected, dropping")
		x.denyPort(DropProtected, out.Ports[0].No)
	default:
		x.detail("forwarding to learned port")
		x.outputBundle(out, &ts, 0)
	}
}

// inputBundle is the bundle that the packet came in on; the port is nil for
// packets of no port.
func (x *Translator) inputBundle() (*Port, *Bundle) {
	no := openflow.PortNo(x.flow.InPort)
	if p := x.bridge.Ports[no]; p != nil {
		return p, p.Bundle
	}
	if no == openflow.PortNone || no == openflow.PortController {
		return nil, noPortBundle
	}
	x.complain("received packet on unknown port %d", no)
	return nil, nil
}

func (x *Translator) bundleOf(owner any) *Bundle {
	for _, b := range x.bridge.Bundles {
		if b.Owner == owner {
			return b
		}
	}
	return nil
}

// isGratuitousARP tells a host's announcement of its own address.
func (x *Translator) isGratuitousARP() bool {
	f, w := &x.flow, x.wc
	if f.EthType != packet.EtherTypeARP || f.EthDst != packet.Broadcast {
		return false
	}
	w.NwProto = 0xff
	if f.NwProto == 2 {
		return true
	}
	if f.NwProto != 1 {
		return false
	}
	w.IPSrc, w.IPDst = ^uint32(0), ^uint32(0)
	return f.IPSrc == f.IPDst
}

// learnSource notes the source address. The table changes at once only where
// the input lets it; the effect does it for later packets.
func (x *Translator) learnSource(p *Port, b *Bundle, vlan uint16, gratARP bool) {
	m := x.bridge.MACs
	if p.NoLearn || !m.MayLearn(x.flow.EthSrc, vlan) {
		return
	}
	x.res.Effects = append(x.res.Effects, Effect{Kind: EffectMAC, MAC: x.flow.EthSrc, VLAN: vlan, Port: p, Bridge: x.bridge})
	if !x.in.Learn || m.Unchanged(x.flow.EthSrc, vlan, uint32(p.No), b.Owner, x.now()) {
		return
	}
	fromBond := len(b.Ports) > 1
	if m.Learn(x.flow.EthSrc, vlan, uint32(p.No), b.Owner, fromBond, gratARP && fromBond, x.now()) {
		x.detail("learned that %s is on port %s in VLAN %d", x.flow.EthSrc, b.Name, vlan)
	}
}

// flood sends to all bundles of the VLAN but the packet's own.
func (x *Translator) flood(in *Bundle, ts *tags) {
	x.deny(DropNoEgress)
	x.denied.VLAN = ts[0].vid
	for _, b := range x.bridge.Bundles {
		switch {
		case b == in || !b.carries(ts) || !b.floods():
		case in.Protected && b.Protected:
			if len(b.Ports) > 0 {
				x.denyPort(DropProtected, b.Ports[0].No)
			}
		default:
			x.outputBundle(b, ts, 0)
		}
	}
}

// floods reports whether flooded packets may leave: all ports must be willing.
func (b *Bundle) floods() bool {
	for _, p := range b.Ports {
		if p.Config&PortNoFlood != 0 || p.NoForward {
			return false
		}
	}
	return !b.MirrorOut
}

// outputBundle sends the packet out of a bundle, with the tags that it needs
// there, cut to trunc bytes if that is not zero.
func (x *Translator) outputBundle(b *Bundle, ts *tags, trunc uint32) {
	if len(b.Ports) == 0 {
		x.detail("no output port")
		return
	}
	old := x.flow.VLANs
	b.put(&x.flow, b.outward(*ts))
	x.outputPort(b.Ports[0].No, false, trunc)
	x.flow.VLANs = old
}
