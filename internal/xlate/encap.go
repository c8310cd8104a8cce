package xlate

import (
	"weir/internal/datapath"
	"weir/internal/flow"
	"weir/internal/openflow"
	"weir/internal/packet"
)

// Next protocols of a Network Service Header (RFC 8300, 2.2).
const (
	nshIPv4     = 1
	nshIPv6     = 2
	nshEthernet = 3
	nshNSH      = 4
)

// outerChange is a header that encap has put before the packet, or decap taken
// off, and the data path not yet: commit has it do so, with the values that
// the header has then.
type outerChange struct {
	push     bool
	metadata string          // of a pushed NSH of MD type 2
	pop      datapath.Action // nil: nothing is popped
}

// encap pushes a header; the packet becomes its payload.
func (x *Translator) encap(a *openflow.Encap) {
	x.commit()
	x.wc.EthType = 0xffff
	switch a.PacketType {
	case openflow.PacketTypeEthernet:
		x.encapEthernet()
	case openflow.PacketTypeNSH:
		x.encapNSH(a)
	case openflow.PacketTypeMPLS, openflow.PacketTypeMPLSMC:
		x.encapMPLS(a.PacketType)
	default:
		x.unsupported("Dropping packet as packet type %#x is not supported by encap", a.PacketType)
	}
}

// unsupported drops a packet to which an action can't be applied.
func (x *Translator) unsupported(format string, args ...any) {
	x.res.Err = ErrUnsupportedType
	if x.trace != nil {
		x.trace.add(NodeAction, format, args...)
	}
}

func (x *Translator) encapEthernet() {
	f := &x.flow
	if f.PacketType == 0 {
		x.unsupported("Dropping packet as encap(ethernet) is not supported for packet type ethernet.")
		return
	}
	f.EthType = f.L3Type()
	f.PacketType = 0
	f.EthSrc, f.EthDst = packet.MAC{}, packet.MAC{}
	x.outer = outerChange{push: true}
}

// encapNSH pushes a Network Service Header with the values of a new one
// (ovs-actions(7), "The encap action").
func (x *Translator) encapNSH(a *openflow.Encap) {
	f := &x.flow
	h := flow.NSH{TTL: 63, MDType: 1, PathHdr: 255}
	switch f.PacketType {
	case 0:
		h.NP = nshEthernet
	case flow.L3PacketType(packet.EtherTypeIPv4):
		h.NP = nshIPv4
	case flow.L3PacketType(packet.EtherTypeIPv6):
		h.NP = nshIPv6
	case flow.L3PacketType(packet.EtherTypeNSH):
		h.NP = nshNSH
	default:
		x.unsupported("Dropping packet as encap(nsh) is not supported for packet type (%d,0x%x)", f.PacketType>>16, f.PacketType&0xffff)
		return
	}
	var metadata []byte
	for _, p := range a.Props {
		switch {
		case p.Type == nshPropMDType && len(p.Data) > 0:
			h.MDType = p.Data[0]
		case p.Type == nshPropTLV && len(p.Data) >= 3:
			metadata = append(metadata, p.Data[0], p.Data[1], p.Data[2], byte(len(p.Data)-3))
			metadata = append(metadata, p.Data[3:]...)
			for len(metadata)%4 != 0 {
				metadata = append(metadata, 0)
			}
		}
	}
	if len(metadata) > datapath.MaxNSHMetadata {
		x.unsupported("Dropping packet as the metadata of encap(nsh) is longer than %d bytes", datapath.MaxNSHMetadata)
		return
	}
	clearHeaders(f)
	f.PacketType, f.EthType, f.NSH = flow.L3PacketType(packet.EtherTypeNSH), packet.EtherTypeNSH, h
	x.outer = outerChange{push: true, metadata: string(metadata)}
}

// Types of the properties of encap(nsh) in class 4 (OFPPPC_NSH).
const (
	nshPropMDType = 1
	nshPropTLV    = 2
)

// encapMPLS pushes a label stack entry before the whole packet.
func (x *Translator) encapMPLS(packetType uint32) {
	f := &x.flow
	lse := uint32(lseBOS | 64)
	labels := [flow.MaxMPLSLabels]uint32{}
	if isMPLS(uint16(f.PacketType)) && f.PacketType != 0 {
		if x.tooManyLabels(numLabels(f), "encap MPLS action", false) {
			return
		}
		labels = f.MPLS
		lse = labels[0] &^ lseBOS
	}
	copy(labels[1:], labels[:])
	labels[0] = lse
	clearHeaders(f)
	f.PacketType, f.EthType, f.MPLS = packetType, uint16(packetType), labels
	x.outer = outerChange{push: true}
}

// decap pops the outermost header. What stands behind NSH or the last label
// must be parsed again.
func (x *Translator) decap(a *openflow.Decap) {
	x.commit()
	f := &x.flow
	x.wc.EthType = 0xffff
	switch {
	case f.PacketType == 0:
		x.wc.VLANs[0].TCI |= flow.VLANPresent
		if f.VLANs[0].TCI&flow.VLANPresent != 0 {
			x.unsupported("Dropping packet, cannot decap Ethernet if VLAN is present.")
			return
		}
		f.PacketType = flow.L3PacketType(f.EthType)
		f.EthSrc, f.EthDst = packet.MAC{}, packet.MAC{}
		x.outer = outerChange{pop: &datapath.PopEthernet{}}
	case f.PacketType == flow.L3PacketType(packet.EtherTypeNSH):
		x.decapNSH()
	case isMPLS(uint16(f.PacketType)):
		x.decapMPLS(a.NewPacketType)
	default:
		x.unsupported("Dropping packet as the decap() does not support packet type (%d,0x%x)", f.PacketType>>16, f.PacketType&0xffff)
	}
}

func (x *Translator) decapNSH() {
	f := &x.flow
	x.wc.NSH.NP = 0xff
	var inner uint32
	switch f.NSH.NP {
	case nshEthernet:
	case nshIPv4:
		inner = flow.L3PacketType(packet.EtherTypeIPv4)
	case nshIPv6:
		inner = flow.L3PacketType(packet.EtherTypeIPv6)
	case nshNSH:
		inner = flow.L3PacketType(packet.EtherTypeNSH)
	default:
		x.unsupported("Dropping packet as NSH next protocol %d is not supported", f.NSH.NP)
		return
	}
	f.PacketType = inner
	x.outer = outerChange{pop: &datapath.PopNSH{}}
	x.freezeHere()
}

// decapMPLS pops a label. Its entry doesn't say what it is before, so the
// action does; without that, it is another entry, or after the last an
// Ethernet frame.
func (x *Translator) decapMPLS(next uint32) {
	f := &x.flow
	n := numLabels(f)
	x.markLabels()
	if x.tooManyLabels(n, "MPLS decap", true) {
		return
	}
	if next == openflow.PacketTypeUseNext {
		next = f.PacketType
		if f.MPLS[0]&lseBOS != 0 {
			next = openflow.PacketTypeEthernet
		}
	}
	ethType := uint16(next)
	if next == openflow.PacketTypeEthernet {
		ethType = packet.EtherTypeTEB
	}
	clearHeaders(f)
	f.PacketType, f.EthType = next, ethType
	x.outer = outerChange{pop: &datapath.PopMPLS{EthType: ethType}}
	x.freezeHere()
}

// commitOuter has the data path push or pop the header of the last encap or
// decap. base is then the packet with that header, as far as other actions
// have not changed it.
func (x *Translator) commitOuter() {
	o, f, b := x.outer, &x.flow, &x.base
	if !o.push && o.pop == nil {
		return
	}
	x.outer = outerChange{}
	x.irreversible++
	switch {
	case o.pop != nil:
		x.emit(o.pop)
		if _, ok := o.pop.(*datapath.PopEthernet); ok {
			// What follows the header stays, and may have been changed since.
			b.PacketType, b.EthSrc, b.EthDst = f.PacketType, f.EthSrc, f.EthDst
			return
		}
	case f.PacketType == 0:
		x.emit(&datapath.PushEthernet{Src: f.EthSrc, Dst: f.EthDst})
		b.PacketType, b.EthSrc, b.EthDst, b.EthType = 0, f.EthSrc, f.EthDst, b.L3Type()
		b.VLANs = [flow.MaxVLANs]flow.VLAN{}
		return
	case f.L3Type() == packet.EtherTypeNSH:
		x.emit(&datapath.PushNSH{Header: f.NSH, Metadata: o.metadata})
	default:
		if !x.cfg.Features.AddMPLS {
			x.res.Slow |= datapath.SlowAction
		}
		x.emit(&datapath.AddMPLS{LSE: f.MPLS[0], EthType: f.EthType})
		// The addresses stay, for what an error says of the packet.
		clear(b.Words()[flow.StageStart[2]:])
		b.EthType, b.MPLS, b.VLANs = f.EthType, f.MPLS, [flow.MaxVLANs]flow.VLAN{}
		return
	}
	b.PacketType = f.PacketType
	copy(b.Words()[flow.StageStart[1]:], f.Words()[flow.StageStart[1]:])
}

// decNSHTTL decrements the TTL of a Network Service Header.
func (x *Translator) decNSHTTL() {
	f := &x.flow
	if f.L3Type() != packet.EtherTypeNSH {
		return
	}
	x.wc.NSH.TTL = 0xff
	if f.NSH.TTL > 1 {
		f.NSH.TTL--
		return
	}
	x.warn("NSH decrement TTL exception")
	x.expired(nil)
}

// commitNSH sets what changed of a Network Service Header, and with it all of
// it that the mask has.
func (x *Translator) commitNSH(f, b *flow.Key) {
	if f.L3Type() != packet.EtherTypeNSH || f.NSH == b.NSH {
		return
	}
	a := &datapath.SetNSH{Header: f.NSH, Mask: x.wc.NSH}
	a.Header.MDType, a.Mask.MDType, a.Header.NP, a.Mask.NP = 0, 0, 0, 0
	x.emit(a)
	b.NSH = f.NSH
}

// clearHeaders takes out of a key what was extracted from the packet.
func clearHeaders(k *flow.Key) { clear(k.Words()[flow.StageStart[1]:]) }
