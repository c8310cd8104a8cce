package xlate

import (
	"math/bits"
	"sync/atomic"

	"weir/internal/flow"
	"weir/internal/openflow"
)

// MaxMirrors is how many mirrors a bridge can have.
const MaxMirrors = 32

// MirrorSet is a set of a bridge's mirrors, by their places in Bridge.Mirrors.
type MirrorSet uint32

// Mirror copies packets that enter or leave the bridge to a port (SPAN) or a
// VLAN (RSPAN); see ovs-vswitchd.conf.db(5), Mirror. Which bundles it watches
// the bundles know.
type Mirror struct {
	Name string
	// VLANs are those whose packets are selected; nil: all.
	VLANs *VLANSet
	// Filter is what selected packets match besides; nil: anything.
	Filter *flow.Match
	// Out is where copies go; nil: to all bundles of OutVLAN.
	Out     *Bundle
	OutVLAN uint16
	// Snaplen cuts copies to a number of bytes; 0: whole packets.
	Snaplen uint32
	// Same are the mirrors, this one too, whose copies go to the same place: a
	// packet goes there once.
	Same  MirrorSet
	Stats *MirrorStats
}

// MirrorStats counts what a mirror selected.
type MirrorStats struct {
	Packets, Bytes atomic.Uint64
}

// mirrorIn copies a packet that has just come in on a port.
func (x *Translator) mirrorIn(p *Port) {
	if p != nil && p.Bundle != nil && p.Bundle.MirrorSrc != 0 {
		x.mirror(p.Bundle, p.Bundle.MirrorSrc)
	}
}

// mirrorOut copies a packet, as it now is, that leaves through a port.
func (x *Translator) mirrorOut(p *Port) {
	if p.Bundle != nil && p.Bundle.MirrorDst != 0 {
		x.mirror(p.Bundle, p.Bundle.MirrorDst)
	}
}

// mirror copies the packet on its way through bundle b by those mirrors of set
// that select it and have not had it before.
func (x *Translator) mirror(b *Bundle, set MirrorSet) {
	set &^= x.mirrored
	if set == 0 {
		return
	}
	wire := tagsOf(&x.flow)
	if !b.admits(&wire) {
		x.wc.VLANs[0].TCI |= vidMask | flow.VLANPresent
		return
	}
	ts := b.inward(wire)
	for ; set != 0; set &^= x.mirrored {
		i := bits.TrailingZeros32(uint32(set))
		m := x.bridge.Mirrors[i]
		set &^= 1 << i
		if !x.selects(m, ts[0].vid) {
			continue
		}
		x.mirrored |= m.Same
		x.effect(Effect{Kind: EffectMirror, Mirror: m.Stats})
		x.copyTo(m, ts)
	}
}

// selects reports whether a mirror wants the packet, which is in a VLAN of the
// bridge.
func (x *Translator) selects(m *Mirror, vid uint16) bool {
	if m.VLANs != nil {
		x.wc.VLANs[0].TCI |= vidMask | flow.VLANPresent
		if !m.VLANs.Has(vid) {
			return false
		}
	}
	if m.Filter == nil {
		return true
	}
	// From the lower layers up, so that fields of a layer that the packet hasn't
	// got stay out of the mask.
	k, w := x.flow.Words(), x.wc.Words()
	want, mask := m.Filter.Key.Words(), m.Filter.Mask.Words()
	for i := range w {
		w[i] |= mask[i]
		if (k[i]^want[i])&mask[i] != 0 {
			return false
		}
	}
	return true
}

// copyTo sends the copy, with tags ts within the bridge, to where it goes.
func (x *Translator) copyTo(m *Mirror, ts tags) {
	if m.Out != nil {
		x.outputBundle(m.Out, &ts, m.Snaplen)
		return
	}
	x.wc.VLANs[0].TCI |= vidMask | flow.VLANPresent
	for i := range x.wc.EthDst {
		x.wc.EthDst[i] = 0xff
	}
	if ts[0].vid == m.OutVLAN || x.flow.EthDst.IsReserved() {
		return
	}
	ts[0].vid = m.OutVLAN
	for _, b := range x.bridge.Bundles {
		if b.carriesVLAN(m.OutVLAN) && !b.MirrorOut {
			x.outputBundle(b, &ts, m.Snaplen)
		}
	}
}

// carriesVLAN reports whether packets of a VLAN of the bridge may leave,
// whatever tags they have besides.
func (b *Bundle) carriesVLAN(vid uint16) bool {
	switch b.VLANMode {
	case VLANAccess, VLANDot1qTunnel:
		return vid == uint16(b.VLAN)
	}
	return b.trunks(vid)
}

// reservedForMirrors reports whether the packet came in on a port that only
// mirrors may use.
func (x *Translator) reservedForMirrors(in *Bundle) bool {
	if !in.MirrorOut {
		return false
	}
	if x.trace != nil {
		port := x.bridge.Ports[openflow.PortNo(x.flow.InPort)]
		x.detail("dropping packet received on port %s, which is reserved exclusively for mirroring", port.Name)
	}
	return true
}
