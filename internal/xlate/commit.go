package xlate

import (
	"weir/internal/datapath"
	"weir/internal/flow"
	"weir/internal/packet"
)

// commit gives the data path actions that make the packet what the flow
// actions say, so that base equals flow. A set touches only members that
// changed, and of these only bits that the mask has: whatever writes a field
// marks what it writes, so that packets of one megaflow need the same sets.
func (x *Translator) commit() {
	f, b := &x.flow, &x.base
	x.commitOuter()
	x.commitEthernet(f, b)
	x.commitNSH(f, b)
	// L3 actions find their header only when the packet is no longer MPLS.
	mplsFirst := isMPLS(b.L3Type()) && !isMPLS(f.L3Type())
	if mplsFirst {
		x.commitMPLS(f, b)
	}
	x.commitL3(f, b)
	x.commitPorts(f, b)
	x.commitICMP(f, b)
	if !mplsFirst {
		x.commitMPLS(f, b)
	}
	x.commitVLAN(f, b)
	if f.SkbPriority != b.SkbPriority {
		x.emit(&datapath.SetPriority{Priority: f.SkbPriority, Mask: ^uint32(0)})
		x.wc.SkbPriority = ^uint32(0)
		b.SkbPriority = f.SkbPriority
	}
	if f.PktMark != b.PktMark {
		x.emit(&datapath.SetMark{Mark: f.PktMark & x.wc.PktMark, Mask: x.wc.PktMark})
		b.PktMark = f.PktMark
	}
}

func (x *Translator) commitEthernet(f, b *flow.Key) {
	if f.EthSrc == b.EthSrc && f.EthDst == b.EthDst || f.PacketType != 0 {
		return
	}
	a := &datapath.SetEthernet{}
	a.Src, a.SrcMask = changedMAC(f.EthSrc, b.EthSrc, x.wc.EthSrc)
	a.Dst, a.DstMask = changedMAC(f.EthDst, b.EthDst, x.wc.EthDst)
	x.emit(a)
	b.EthSrc, b.EthDst = f.EthSrc, f.EthDst
}

// number is what the members of headers are made of.
type number interface{ ~uint8 | ~uint16 | ~uint32 }

// changed gives the value and mask to set a member from old to v, nothing
// when they are equal.
func changed[T number](v, old, mask T) (T, T) {
	if v == old {
		return 0, 0
	}
	return v & mask, mask
}

func changedMAC(v, old, mask packet.MAC) (packet.MAC, packet.MAC) {
	if v == old {
		return packet.MAC{}, packet.MAC{}
	}
	for i := range v {
		v[i] &= mask[i]
	}
	return v, mask
}

func changed16(v, old, mask [16]byte) ([16]byte, [16]byte) {
	if v == old {
		return [16]byte{}, [16]byte{}
	}
	for i := range v {
		v[i] &= mask[i]
	}
	return v, mask
}

func (x *Translator) commitL3(f, b *flow.Key) {
	// A packet without a protocol has no header worth the name, or it stands
	// behind a label and is not known. That counts only where the actions
	// asked for it: packets of one megaflow need the same.
	if f.NwProto == 0 && (x.wc.NwProto != 0 || b.NwProto != 0) {
		return
	}
	switch b.L3Type() {
	case packet.EtherTypeIPv4:
		x.commitIPv4(f, b)
	case packet.EtherTypeIPv6:
		x.commitIPv6(f, b)
		if b.NwProto == protoICMPv6 {
			x.commitND(f, b)
			x.commitNDExt(f, b)
		}
	case packet.EtherTypeARP:
		x.commitARP(f, b)
	}
}

func (x *Translator) commitIPv4(f, b *flow.Key) {
	if f.L3Type() != b.L3Type() || f.IPSrc == b.IPSrc && f.IPDst == b.IPDst && f.NwTOS == b.NwTOS && f.NwTTL == b.NwTTL {
		return
	}
	w := x.wc
	a := &datapath.SetIPv4{}
	a.Src, a.SrcMask = changed(f.IPSrc, b.IPSrc, w.IPSrc)
	a.Dst, a.DstMask = changed(f.IPDst, b.IPDst, w.IPDst)
	a.TOS, a.TOSMask = changed(f.NwTOS, b.NwTOS, w.NwTOS)
	a.TTL, a.TTLMask = changed(f.NwTTL, b.NwTTL, w.NwTTL)
	x.emit(a)
	b.IPSrc, b.IPDst, b.NwTOS, b.NwTTL = f.IPSrc, f.IPDst, f.NwTOS, f.NwTTL
}

func (x *Translator) commitIPv6(f, b *flow.Key) {
	if f.L3Type() != b.L3Type() || f.IPv6Src == b.IPv6Src && f.IPv6Dst == b.IPv6Dst && f.NwTOS == b.NwTOS && f.NwTTL == b.NwTTL && f.IPv6Label == b.IPv6Label {
		return
	}
	w := x.wc
	a := &datapath.SetIPv6{}
	a.Src, a.SrcMask = changed16(f.IPv6Src, b.IPv6Src, w.IPv6Src)
	a.Dst, a.DstMask = changed16(f.IPv6Dst, b.IPv6Dst, w.IPv6Dst)
	a.Label, a.LabelMask = changed(f.IPv6Label, b.IPv6Label, w.IPv6Label)
	a.TClass, a.TClassMask = changed(f.NwTOS, b.NwTOS, w.NwTOS)
	a.Hlimit, a.HlimitMask = changed(f.NwTTL, b.NwTTL, w.NwTTL)
	x.emit(a)
	b.IPv6Src, b.IPv6Dst, b.IPv6Label, b.NwTOS, b.NwTTL = f.IPv6Src, f.IPv6Dst, f.IPv6Label, f.NwTOS, f.NwTTL
}

// Changes of ARP, neighbour discovery and ICMP are the switch's own work: not
// every data path can do them.

func (x *Translator) commitARP(f, b *flow.Key) {
	if f.L3Type() != b.L3Type() || f.IPSrc == b.IPSrc && f.IPDst == b.IPDst && f.NwProto == b.NwProto && f.ARPSHA == b.ARPSHA && f.ARPTHA == b.ARPTHA {
		return
	}
	w := x.wc
	a := &datapath.SetARP{}
	a.SPA, a.SPAMask = changed(f.IPSrc, b.IPSrc, w.IPSrc)
	a.TPA, a.TPAMask = changed(f.IPDst, b.IPDst, w.IPDst)
	a.Op, a.OpMask = changed(uint16(f.NwProto), uint16(b.NwProto), 0xffff)
	a.SHA, a.SHAMask = changedMAC(f.ARPSHA, b.ARPSHA, w.ARPSHA)
	a.THA, a.THAMask = changedMAC(f.ARPTHA, b.ARPTHA, w.ARPTHA)
	x.emit(a)
	b.IPSrc, b.IPDst, b.NwProto, b.ARPSHA, b.ARPTHA = f.IPSrc, f.IPDst, f.NwProto, f.ARPSHA, f.ARPTHA
	x.res.Slow |= datapath.SlowAction
}

func (x *Translator) commitND(f, b *flow.Key) {
	if f.L3Type() != b.L3Type() || f.NDTarget == b.NDTarget && f.ARPSHA == b.ARPSHA && f.ARPTHA == b.ARPTHA {
		return
	}
	w := x.wc
	a := &datapath.SetND{}
	a.Target, a.TargetMask = changed16(f.NDTarget, b.NDTarget, w.NDTarget)
	a.SLL, a.SLLMask = changedMAC(f.ARPSHA, b.ARPSHA, w.ARPSHA)
	a.TLL, a.TLLMask = changedMAC(f.ARPTHA, b.ARPTHA, w.ARPTHA)
	x.emit(a)
	b.NDTarget, b.ARPSHA, b.ARPTHA = f.NDTarget, f.ARPSHA, f.ARPTHA
	x.res.Slow |= datapath.SlowAction
}

func (x *Translator) commitNDExt(f, b *flow.Key) {
	if f.L3Type() != b.L3Type() || f.NDReserved == b.NDReserved && f.NDOptionsType == b.NDOptionsType {
		return
	}
	if !x.cfg.Features.NDExt {
		x.complain("the data path can't set nd_reserved and nd_options_type")
		return
	}
	a := &datapath.SetNDExt{}
	a.Reserved, a.ReservedMask = changed(f.NDReserved, b.NDReserved, x.wc.NDReserved)
	a.OptionsType, a.OptionsTypeMask = changed(f.NDOptionsType, b.NDOptionsType, x.wc.NDOptionsType)
	x.emit(a)
	b.NDReserved, b.NDOptionsType = f.NDReserved, f.NDOptionsType
	x.res.Slow |= datapath.SlowAction
}

func (x *Translator) commitPorts(f, b *flow.Key) {
	if !hasPorts(b) || !hasPorts(f) || f.TpSrc == b.TpSrc && f.TpDst == b.TpDst {
		return
	}
	a := &datapath.SetL4{Proto: b.NwProto}
	a.Src, a.SrcMask = changed(f.TpSrc, b.TpSrc, x.wc.TpSrc)
	a.Dst, a.DstMask = changed(f.TpDst, b.TpDst, x.wc.TpDst)
	x.emit(a)
	b.TpSrc, b.TpDst = f.TpSrc, f.TpDst
}

func (x *Translator) commitICMP(f, b *flow.Key) {
	if !isICMP(b) || !isICMP(f) || f.TpSrc == b.TpSrc && f.TpDst == b.TpDst {
		return
	}
	x.emit(&datapath.SetL4{Proto: b.NwProto, Src: f.TpSrc, SrcMask: 0xff, Dst: f.TpDst, DstMask: 0xff})
	b.TpSrc, b.TpDst = f.TpSrc, f.TpDst
	x.wc.TpSrc |= 0xff
	x.wc.TpDst |= 0xff
	x.res.Slow |= datapath.SlowAction
}

// numVLANs counts the tags of a key.
func numVLANs(k *flow.Key) int {
	n := 0
	for n < len(k.VLANs) && k.VLANs[n].TCI&flow.VLANPresent != 0 {
		n++
	}
	return n
}

// commitVLAN pops the tags that differ and pushes the wanted ones.
func (x *Translator) commitVLAN(f, b *flow.Key) {
	nf, nb := numVLANs(f), numVLANs(b)
	for nf > 0 && nb > 0 && f.VLANs[nf-1] == b.VLANs[nb-1] {
		nf--
		nb--
	}
	for i := range nb {
		x.emit(&datapath.PopVLAN{})
		x.wc.VLANs[i] = flow.VLAN{TPID: 0xffff, TCI: 0xffff}
	}
	for i := nf - 1; i >= 0; i-- {
		x.emit(&datapath.PushVLAN{TPID: f.VLANs[i].TPID, TCI: f.VLANs[i].TCI})
	}
	b.VLANs = f.VLANs
}
