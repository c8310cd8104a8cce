package xlate

import (
	"math/bits"

	"weir/internal/flow"
	"weir/internal/openflow"
)

// hashFields hashes what multipath and bundle actions name (ovs-actions(7)),
// and marks it.
func (x *Translator) hashFields(set openflow.HashFields, basis uint16) uint32 {
	f, w := &x.flow, x.wc
	h := uint64(basis)
	addresses := func() {
		switch {
		case f.L3Type() == 0x0800:
			w.IPSrc, w.IPDst = ^uint32(0), ^uint32(0)
			h = mix(h, uint64(f.IPSrc^f.IPDst))
		case f.L3Type() == 0x86dd:
			for i := range w.IPv6Src {
				w.IPv6Src[i], w.IPv6Dst[i] = 0xff, 0xff
				h = mix(h, uint64(f.IPv6Src[i]^f.IPv6Dst[i]))
			}
		}
	}
	ports := func(udp bool) {
		if !isIP(f.L3Type()) {
			return
		}
		w.NwProto = 0xff
		h = mix(h, uint64(f.NwProto))
		if f.NwProto == protoTCP || f.NwProto == protoSCTP || udp && f.NwProto == protoUDP {
			w.TpSrc, w.TpDst = 0xffff, 0xffff
			h = mix(h, uint64(f.TpSrc^f.TpDst))
		}
	}
	switch set {
	case openflow.HashEthSrc:
		for i := range w.EthSrc {
			w.EthSrc[i] = 0xff
		}
		h = mix(h, f.EthSrc.Uint64())
	case openflow.HashSymmetricL4:
		for i := range w.EthSrc {
			w.EthSrc[i], w.EthDst[i] = 0xff, 0xff
		}
		w.VLANs[0].TCI |= vidMask | flow.VLANPresent
		h = mix(mix(h, f.EthSrc.Uint64()^f.EthDst.Uint64()), uint64(f.VLANs[0].TCI&vidMask))
		h = mix(h, uint64(f.EthType))
		addresses()
		ports(false)
	case openflow.HashSymmetricL3L4, openflow.HashSymmetricL3L4UDP:
		addresses()
		ports(set == openflow.HashSymmetricL3L4UDP)
	case openflow.HashSymmetricL3:
		addresses()
	case openflow.HashNwSrc:
		h = x.hashAddress(h, true)
	case openflow.HashNwDst:
		h = x.hashAddress(h, false)
	}
	return uint32(mix(h, 1))
}

func (x *Translator) hashAddress(h uint64, src bool) uint64 {
	f := flow.FieldIPv4Dst
	switch {
	case x.flow.L3Type() == 0x86dd && src:
		f = flow.FieldIPv6Src
	case x.flow.L3Type() == 0x86dd:
		f = flow.FieldIPv6Dst
	case src:
		f = flow.FieldIPv4Src
	}
	fld := f.Field()
	if !fld.Applies(&x.flow) {
		return h
	}
	fld.Mark(x.wc, fld.Exact())
	v := fld.Get(&x.flow)
	return mix(mix(h, v.Hi), v.Lo)
}

// multipath stores the number of the link that the packet's hash picks.
func (x *Translator) multipath(a *openflow.Multipath) {
	h := x.hashFields(a.Fields, a.Basis)
	n := uint32(a.MaxLink) + 1
	var link uint32
	switch a.Algorithm {
	case openflow.MultipathModuloN:
		link = h % n
	case openflow.MultipathHashThreshold:
		link = uint32(uint64(h) * uint64(n) >> 32)
	case openflow.MultipathHRW:
		link = highest(h, int(n), nil)
	case openflow.MultipathIterHash:
		link = iterate(h, n, a.Arg)
	}
	x.mark(a.Dst)
	x.set(a.Dst, flow.V(uint64(link)))
	x.detailSubfield(a.Dst)
}

// highest is highest random weight (draft-ietf-..., RFC 2991): the link whose
// own hash with the packet's is greatest, among those that ok admits.
func highest(h uint32, n int, ok func(int) bool) uint32 {
	best, top := uint32(0xffffffff), uint64(0)
	for i := range n {
		if ok != nil && !ok(i) {
			continue
		}
		if w := mix(uint64(h), uint64(i)); best == 0xffffffff || w > top {
			best, top = uint32(i), w
		}
	}
	return best
}

// iterate hashes again until the link is one of n (RFC 2992 calls it the same
// as hash-threshold; ovs-actions(7), "iter_hash").
func iterate(h, n, arg uint32) uint32 {
	m := uint32(1) << bits.Len32(max(n, arg)-1)
	for i := range uint64(1 << 16) {
		if link := uint32(mix(uint64(h), i)) & (m - 1); link < n {
			return link
		}
	}
	return h % n
}

// bundle outputs to the member that the packet's hash picks among those that
// are up, or stores its number.
func (x *Translator) bundle(a *openflow.Bundle, last bool) {
	up := func(i int) bool {
		p := x.bridge.Ports[a.Members[i]]
		return p != nil && p.Up()
	}
	port := openflow.PortNone
	if a.Algorithm == openflow.BundleActiveBackup {
		for i := range a.Members {
			if up(i) {
				port = a.Members[i]
				break
			}
		}
	} else if i := highest(x.hashFields(a.Fields, a.Basis), len(a.Members), up); i != 0xffffffff {
		port = a.Members[i]
	}
	if a.Dst.Field == nil {
		x.output(port, 0, last)
		return
	}
	x.mark(a.Dst)
	v := uint64(port)
	if port == openflow.PortNone {
		v = 0xffff
	}
	x.set(a.Dst, flow.V(v))
	x.detailSubfield(a.Dst)
}
