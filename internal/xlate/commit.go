package xlate

import (
	"weir/internal/datapath"
	"weir/internal/flow"
	"weir/internal/packet"
)

// commit gives the data path actions that make the packet what the flow
// actions say, so that base equals flow. A set touches only bits that the mask
// has, that is bits which the translation read or wrote; and where it changes
// anything, it makes the mask cover the value that it replaced.
func (x *Translator) commit() {
	f, b := &x.flow, &x.base
	x.commitEthernet(f, b)
	// L3 actions find their header only when the packet is no longer MPLS.
	mplsFirst := isMPLS(b.EthType) && !isMPLS(f.EthType)
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
	if f.EthSrc == b.EthSrc && f.EthDst == b.EthDst {
		return
	}
	w := x.wc
	x.emit(&datapath.SetEthernet{
		Src: andMAC(f.EthSrc, w.EthSrc), SrcMask: w.EthSrc,
		Dst: andMAC(f.EthDst, w.EthDst), DstMask: w.EthDst,
	})
	b.EthSrc, b.EthDst = f.EthSrc, f.EthDst
}

func andMAC(a, m packet.MAC) packet.MAC {
	for i := range a {
		a[i] &= m[i]
	}
	return a
}

func and16(a, m [16]byte) [16]byte {
	for i := range a {
		a[i] &= m[i]
	}
	return a
}

func (x *Translator) commitL3(f, b *flow.Key) {
	// A packet without a protocol has no header worth the name.
	if f.NwProto == 0 {
		return
	}
	switch b.EthType {
	case packet.EtherTypeIPv4:
		x.commitIPv4(f, b)
	case packet.EtherTypeIPv6:
		x.commitIPv6(f, b)
		if b.NwProto == protoICMPv6 {
			x.commitND(f, b)
		}
	case packet.EtherTypeARP:
		x.commitARP(f, b)
	}
}

func (x *Translator) commitIPv4(f, b *flow.Key) {
	if f.IPSrc == b.IPSrc && f.IPDst == b.IPDst && f.NwTOS == b.NwTOS && f.NwTTL == b.NwTTL {
		return
	}
	w := x.wc
	x.emit(&datapath.SetIPv4{
		Src: f.IPSrc & w.IPSrc, SrcMask: w.IPSrc, Dst: f.IPDst & w.IPDst, DstMask: w.IPDst,
		TOS: f.NwTOS & w.NwTOS, TOSMask: w.NwTOS, TTL: f.NwTTL & w.NwTTL, TTLMask: w.NwTTL,
	})
	b.IPSrc, b.IPDst, b.NwTOS, b.NwTTL = f.IPSrc, f.IPDst, f.NwTOS, f.NwTTL
}

func (x *Translator) commitIPv6(f, b *flow.Key) {
	if f.IPv6Src == b.IPv6Src && f.IPv6Dst == b.IPv6Dst && f.NwTOS == b.NwTOS && f.NwTTL == b.NwTTL && f.IPv6Label == b.IPv6Label {
		return
	}
	w := x.wc
	x.emit(&datapath.SetIPv6{
		Src: and16(f.IPv6Src, w.IPv6Src), SrcMask: w.IPv6Src,
		Dst: and16(f.IPv6Dst, w.IPv6Dst), DstMask: w.IPv6Dst,
		Label: f.IPv6Label & w.IPv6Label, LabelMask: w.IPv6Label,
		TClass: f.NwTOS & w.NwTOS, TClassMask: w.NwTOS,
		Hlimit: f.NwTTL & w.NwTTL, HlimitMask: w.NwTTL,
	})
	b.IPv6Src, b.IPv6Dst, b.IPv6Label, b.NwTOS, b.NwTTL = f.IPv6Src, f.IPv6Dst, f.IPv6Label, f.NwTOS, f.NwTTL
}

// Changes of ARP, neighbour discovery and ICMP are the switch's own work: not
// every data path can do them.

func (x *Translator) commitARP(f, b *flow.Key) {
	if f.IPSrc == b.IPSrc && f.IPDst == b.IPDst && f.NwProto == b.NwProto && f.ARPSHA == b.ARPSHA && f.ARPTHA == b.ARPTHA {
		return
	}
	w := x.wc
	opMask := uint16(0)
	if w.NwProto != 0 {
		opMask = 0xffff
	}
	x.emit(&datapath.SetARP{
		SPA: f.IPSrc & w.IPSrc, SPAMask: w.IPSrc, TPA: f.IPDst & w.IPDst, TPAMask: w.IPDst,
		Op: uint16(f.NwProto) & opMask, OpMask: opMask,
		SHA: andMAC(f.ARPSHA, w.ARPSHA), SHAMask: w.ARPSHA,
		THA: andMAC(f.ARPTHA, w.ARPTHA), THAMask: w.ARPTHA,
	})
	b.IPSrc, b.IPDst, b.NwProto, b.ARPSHA, b.ARPTHA = f.IPSrc, f.IPDst, f.NwProto, f.ARPSHA, f.ARPTHA
	x.res.Slow |= datapath.SlowAction
}

func (x *Translator) commitND(f, b *flow.Key) {
	if f.NDTarget == b.NDTarget && f.ARPSHA == b.ARPSHA && f.ARPTHA == b.ARPTHA {
		return
	}
	w := x.wc
	x.emit(&datapath.SetND{
		Target: and16(f.NDTarget, w.NDTarget), TargetMask: w.NDTarget,
		SLL: andMAC(f.ARPSHA, w.ARPSHA), SLLMask: w.ARPSHA,
		TLL: andMAC(f.ARPTHA, w.ARPTHA), TLLMask: w.ARPTHA,
	})
	b.NDTarget, b.ARPSHA, b.ARPTHA = f.NDTarget, f.ARPSHA, f.ARPTHA
	x.res.Slow |= datapath.SlowAction
}

func (x *Translator) commitPorts(f, b *flow.Key) {
	if !hasPorts(b) || f.TpSrc == b.TpSrc && f.TpDst == b.TpDst {
		return
	}
	w := x.wc
	x.emit(&datapath.SetL4{
		Proto: b.NwProto,
		Src:   f.TpSrc & w.TpSrc, SrcMask: w.TpSrc, Dst: f.TpDst & w.TpDst, DstMask: w.TpDst,
	})
	b.TpSrc, b.TpDst = f.TpSrc, f.TpDst
}

func (x *Translator) commitICMP(f, b *flow.Key) {
	if !isICMP(b) || f.TpSrc == b.TpSrc && f.TpDst == b.TpDst {
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
