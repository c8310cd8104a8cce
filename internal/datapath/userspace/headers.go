package userspace

import (
	"hash/crc32"
	"math/bits"

	"weir/internal/datapath"
	"weir/internal/flow"
	"weir/internal/netdev"
	"weir/internal/packet"
)

// needsCsum is VIRTIO_NET_HDR_F_NEEDS_CSUM: the checksum field holds the sum
// of the pseudo header only, not complemented, and the device completes it.
const needsCsum = 1

// shift moves the places that the offload names by n bytes.
func shift(pkt *netdev.Packet, n int) {
	o := &pkt.Offload
	if o.Flags&needsCsum != 0 {
		o.CsumStart = uint16(int(o.CsumStart) + n)
	}
	if o.HdrLen != 0 {
		o.HdrLen = uint16(int(o.HdrLen) + n)
	}
}

// insert makes n bytes of room at offset at, moving what is before it into the
// headroom.
func insert(pkt *netdev.Packet, at, n int) {
	if pkt.Off < n {
		buf := make([]byte, netdev.Headroom+len(pkt.Buf))
		copy(buf[netdev.Headroom+pkt.Off:], pkt.Data())
		pkt.Buf, pkt.Off = buf, pkt.Off+netdev.Headroom
	}
	b := pkt.Buf[pkt.Off-n:]
	copy(b[:at], b[n:n+at])
	pkt.Off -= n
	pkt.Len += n
	shift(pkt, n)
}

// remove takes n bytes out at offset at.
func remove(pkt *netdev.Packet, at, n int) {
	b := pkt.Data()
	copy(b[n:n+at], b[:at])
	pkt.Off += n
	pkt.Len -= n
	shift(pkt, -n)
}

func pushVLAN(st *state, tpid, tci uint16) {
	if st.pkt.Len < ethLen {
		return
	}
	insert(st.pkt, 12, packet.VLANLen)
	b := st.pkt.Data()
	packet.PutBe16(b[12:], tpid)
	packet.PutBe16(b[14:], tci)
	st.stale = true
}

func popVLAN(st *state) {
	b := st.pkt.Data()
	if len(b) < ethLen+packet.VLANLen {
		return
	}
	if !isTag(packet.Be16(b[12:])) {
		return
	}
	remove(st.pkt, 12, packet.VLANLen)
	st.stale = true
}

// isTag reports whether a VLAN tag follows this type.
func isTag(ethType uint16) bool {
	return ethType == packet.EtherTypeVLAN || ethType == packet.EtherTypeQinQ
}

// networkStart is where the label stack, or without one the network header,
// begins.
func networkStart(st *state) int {
	if st.offs.L25 >= 0 {
		return st.offs.L25
	}
	return st.offs.L3
}

// pushMPLS puts a label stack entry before the network header or the labels
// that are there, behind all tags (OpenFlow 1.5, 7.2.5), also those beyond the
// limit of what extraction looks at.
func pushMPLS(st *state, lse uint32, ethType uint16) {
	at := networkStart(st)
	if at < 0 || st.key.PacketType == 0 && at < ethLen {
		return
	}
	for b := st.pkt.Data(); st.key.PacketType == 0 && at+packet.VLANLen <= len(b) && isTag(packet.Be16(b[at-2:])); {
		at += packet.VLANLen
	}
	insert(st.pkt, at, packet.MPLSLen)
	b := st.pkt.Data()
	packet.PutBe32(b[at:], lse)
	if st.key.PacketType == 0 {
		packet.PutBe16(b[at-2:], ethType)
	} else {
		st.key.PacketType = flow.L3PacketType(ethType)
	}
	st.stale = true
}

func popMPLS(st *state, ethType uint16) {
	at := networkStart(st)
	if st.key.EthType != packet.EtherTypeMPLS && st.key.EthType != packet.EtherTypeMPLSM || at < 0 || at+packet.MPLSLen > st.pkt.Len {
		return
	}
	remove(st.pkt, at, packet.MPLSLen)
	switch {
	case st.key.PacketType == 0 && at >= 2:
		packet.PutBe16(st.pkt.Data()[at-2:], ethType)
	case ethType == packet.EtherTypeTEB:
		st.key.PacketType = 0
	default:
		st.key.PacketType = flow.L3PacketType(ethType)
	}
	st.stale = true
}

func pushEthernet(st *state, a *datapath.PushEthernet) {
	if st.key.PacketType == 0 {
		return
	}
	ethType := uint16(st.key.PacketType)
	insert(st.pkt, 0, ethLen)
	b := st.pkt.Data()
	copy(b, a.Dst[:])
	copy(b[6:], a.Src[:])
	packet.PutBe16(b[12:], ethType)
	st.key.PacketType = 0
	st.stale = true
}

func popEthernet(st *state) {
	at := networkStart(st)
	if st.key.PacketType != 0 || at < ethLen {
		return
	}
	ethType := st.key.EthType
	remove(st.pkt, 0, at)
	st.key.PacketType = flow.L3PacketType(ethType)
	st.stale = true
}

// setField runs one of the Set actions; false is for an action that the data
// path doesn't know.
func setField(st *state, a datapath.Action) bool {
	st.changed = true
	switch a := a.(type) {
	case *datapath.SetEthernet:
		if b := st.pkt.Data(); st.key.PacketType == 0 && len(b) >= ethLen {
			setMAC(b[0:6], a.Dst, a.DstMask)
			setMAC(b[6:12], a.Src, a.SrcMask)
		}
	case *datapath.SetIPv4:
		setIPv4(st, a)
	case *datapath.SetIPv6:
		setIPv6(st, a)
	case *datapath.SetL4:
		setL4(st, a)
	case *datapath.SetARP:
		setARP(st, a)
	case *datapath.SetND:
		setND(st, a)
	case *datapath.SetNDExt:
		setNDExt(st, a)
	case *datapath.SetNSH:
		setNSH(st, a)
	case *datapath.SetMPLS:
		if at := networkStart(st); (st.key.EthType == packet.EtherTypeMPLS || st.key.EthType == packet.EtherTypeMPLSM) && at >= 0 && at+4 <= st.pkt.Len {
			b := st.pkt.Data()[at:]
			packet.PutBe32(b, packet.Be32(b)&^a.Mask|a.LSE&a.Mask)
		}
	default:
		return false
	}
	return true
}

func setMAC(b []byte, v, m packet.MAC) {
	for i := range m {
		b[i] = b[i]&^m[i] | v[i]&m[i]
	}
}

// partial says whether the device completes the checksum at offset at.
func partial(pkt *netdev.Packet, at int) bool {
	return pkt.Offload.Flags&needsCsum != 0 && int(pkt.Offload.CsumStart)+int(pkt.Offload.CsumOff) == at
}

// l4Checksum is the offset of the layer-4 checksum that covers the pseudo
// header, -1 if there is none.
func l4Checksum(st *state) int {
	at := st.offs.L4
	if at < 0 || st.key.NwFrag&flow.FragLater != 0 {
		return -1
	}
	switch st.key.NwProto {
	case packet.ProtoTCP:
		at += 16
	case packet.ProtoUDP:
		at += 6
	case packet.ProtoICMPv6:
		if st.key.EthType != packet.EtherTypeIPv6 {
			return -1
		}
		at += 2
	default:
		return -1
	}
	if at+2 > st.pkt.Len {
		return -1
	}
	return at
}

// pseudoChanged mends the layer-4 checksum after part of the pseudo header
// changed from old to new.
func pseudoChanged(st *state, old, new []byte) {
	at := l4Checksum(st)
	if at < 0 {
		return
	}
	b := st.pkt.Data()[at:]
	c := packet.Be16(b)
	if partial(st.pkt, at) {
		packet.PutBe16(b, ^packet.UpdateBytes(^c, old, new))
		return
	}
	udp := st.key.NwProto == packet.ProtoUDP
	if udp && c == 0 {
		return
	}
	if c = packet.UpdateBytes(c, old, new); udp && c == 0 {
		c = 0xffff
	}
	packet.PutBe16(b, c)
}

func setIPv4(st *state, a *datapath.SetIPv4) {
	at := st.offs.L3
	if st.key.EthType != packet.EtherTypeIPv4 || at < 0 || at+packet.IPv4Len > st.pkt.Len {
		return
	}
	h := st.pkt.Data()[at : at+packet.IPv4Len]
	var old [packet.IPv4Len]byte
	copy(old[:], h)
	h[1] = h[1]&^a.TOSMask | a.TOS&a.TOSMask
	h[8] = h[8]&^a.TTLMask | a.TTL&a.TTLMask
	packet.PutBe32(h[12:], packet.Be32(h[12:])&^a.SrcMask|a.Src&a.SrcMask)
	packet.PutBe32(h[16:], packet.Be32(h[16:])&^a.DstMask|a.Dst&a.DstMask)
	if old == [packet.IPv4Len]byte(h) {
		return
	}
	packet.PutBe16(h[10:], packet.UpdateBytes(packet.Be16(h[10:]), old[:], h))
	if [8]byte(old[12:]) != [8]byte(h[12:]) {
		pseudoChanged(st, old[12:20], h[12:20])
	}
}

func setIPv6(st *state, a *datapath.SetIPv6) {
	at := st.offs.L3
	if st.key.EthType != packet.EtherTypeIPv6 || at < 0 || at+packet.IPv6Len > st.pkt.Len {
		return
	}
	h := st.pkt.Data()[at : at+packet.IPv6Len]
	var old [packet.IPv6Len]byte
	copy(old[:], h)
	set := uint32(a.TClass&a.TClassMask)<<20 | a.Label&a.LabelMask&0xfffff
	clear := uint32(a.TClassMask)<<20 | a.LabelMask&0xfffff
	packet.PutBe32(h, packet.Be32(h)&^clear|set)
	h[7] = h[7]&^a.HlimitMask | a.Hlimit&a.HlimitMask
	for i := range 16 {
		h[8+i] = h[8+i]&^a.SrcMask[i] | a.Src[i]&a.SrcMask[i]
		h[24+i] = h[24+i]&^a.DstMask[i] | a.Dst[i]&a.DstMask[i]
	}
	if [32]byte(old[8:]) != [32]byte(h[8:]) {
		pseudoChanged(st, old[8:40], h[8:40])
	}
}

func setL4(st *state, a *datapath.SetL4) {
	at := st.offs.L4
	if at < 0 || st.key.NwProto != a.Proto || st.key.NwFrag&flow.FragLater != 0 || at+4 > st.pkt.Len {
		return
	}
	b := st.pkt.Data()[at:]
	if a.Proto == packet.ProtoSCTP {
		setSCTP(b[:max(min(st.offs.Len-at, len(b)), 0)], a) // without the frame's padding
		return
	}
	var old [4]byte
	copy(old[:], b)
	n := 4
	if a.Proto == packet.ProtoICMP || a.Proto == packet.ProtoICMPv6 {
		n = 2
		b[0] = b[0]&^byte(a.SrcMask) | byte(a.Src&a.SrcMask)
		b[1] = b[1]&^byte(a.DstMask) | byte(a.Dst&a.DstMask)
	} else {
		packet.PutBe16(b, packet.Be16(b)&^a.SrcMask|a.Src&a.SrcMask)
		packet.PutBe16(b[2:], packet.Be16(b[2:])&^a.DstMask|a.Dst&a.DstMask)
	}
	csum := checksumPlace(a.Proto)
	if at+csum+2 > st.pkt.Len || partial(st.pkt, at+csum) {
		return // the device sums the ports, too
	}
	c := packet.Be16(b[csum:])
	if a.Proto == packet.ProtoUDP && c == 0 {
		return
	}
	if c = packet.UpdateBytes(c, old[:n], b[:n]); a.Proto == packet.ProtoUDP && c == 0 {
		c = 0xffff
	}
	packet.PutBe16(b[csum:], c)
}

// checksumPlace is where the checksum stands in a layer-4 header.
func checksumPlace(proto uint8) int {
	switch proto {
	case packet.ProtoTCP:
		return 16
	case packet.ProtoUDP:
		return 6
	}
	return 2
}

// sctpSum is the CRC32c of an SCTP packet with a zero checksum (RFC 9260, 6.8),
// as it stands in the header.
func sctpSum(b []byte) uint32 {
	castagnoli := crc32.MakeTable(crc32.Castagnoli) // made once, at the first call
	var zero [4]byte
	c := crc32.Update(0, castagnoli, b[:8])
	c = crc32.Update(c, castagnoli, zero[:])
	return bits.ReverseBytes32(crc32.Update(c, castagnoli, b[12:]))
}

// setSCTP keeps a right checksum right and a wrong one wrong.
func setSCTP(b []byte, a *datapath.SetL4) {
	if len(b) < packet.SCTPLen {
		return
	}
	old := packet.Be32(b[8:]) ^ sctpSum(b)
	packet.PutBe16(b, packet.Be16(b)&^a.SrcMask|a.Src&a.SrcMask)
	packet.PutBe16(b[2:], packet.Be16(b[2:])&^a.DstMask|a.Dst&a.DstMask)
	packet.PutBe32(b[8:], old^sctpSum(b))
}

func setARP(st *state, a *datapath.SetARP) {
	at := st.offs.L3
	if st.key.EthType != packet.EtherTypeARP && st.key.EthType != packet.EtherTypeRARP || at < 0 || at+packet.ARPLen > st.pkt.Len {
		return
	}
	b := st.pkt.Data()[at:]
	packet.PutBe16(b[6:], packet.Be16(b[6:])&^a.OpMask|a.Op&a.OpMask)
	setMAC(b[8:14], a.SHA, a.SHAMask)
	packet.PutBe32(b[14:], packet.Be32(b[14:])&^a.SPAMask|a.SPA&a.SPAMask)
	setMAC(b[18:24], a.THA, a.THAMask)
	packet.PutBe32(b[24:], packet.Be32(b[24:])&^a.TPAMask|a.TPA&a.TPAMask)
}

// ndMessage is the ICMPv6 message of a neighbour solicitation or advertisement,
// nil where the packet is none.
func ndMessage(st *state) []byte {
	at := st.offs.L4
	if st.key.EthType != packet.EtherTypeIPv6 || st.key.NwProto != packet.ProtoICMPv6 || at < 0 || at+ndFixed > st.pkt.Len {
		return nil
	}
	b := st.pkt.Data()[at:]
	if b[0] != packet.ICMPv6NeighborSolicit && b[0] != packet.ICMPv6NeighborAdvert {
		return nil
	}
	return b
}

// ndFixed is the length of a message without its options (RFC 4861, 4.3, 4.4).
const ndFixed = 24

// changeSummed changes bits of an ICMP message and its checksum.
func changeSummed(b, f, v, m []byte) {
	var old [16]byte
	copy(old[:], f)
	for i := range f {
		f[i] = f[i]&^m[i] | v[i]&m[i]
	}
	packet.PutBe16(b[2:], packet.UpdateBytes(packet.Be16(b[2:]), old[:len(f)], f))
}

// setNDExt changes what nd_ext matches. The option is the one whose type the key
// has, else the first.
func setNDExt(st *state, a *datapath.SetNDExt) {
	b := ndMessage(st)
	if b == nil {
		return
	}
	var v, m [4]byte
	packet.PutBe32(v[:], a.Reserved)
	packet.PutBe32(m[:], a.ReservedMask)
	changeSummed(b, b[4:8], v[:], m[:])
	if a.OptionsTypeMask == 0 || len(b) < ndFixed+8 {
		return
	}
	option := ndFixed
	for o := ndFixed; o+8 <= len(b) && b[o+1] != 0; o += 8 * int(b[o+1]) {
		if b[o] == st.key.NDOptionsType {
			option = o
			break
		}
	}
	// The checksum is over words: the type is the first byte of one.
	changeSummed(b, b[option:option+2], []byte{a.OptionsType, 0}, []byte{a.OptionsTypeMask, 0})
	st.key.NDReserved = st.key.NDReserved&^a.ReservedMask | a.Reserved&a.ReservedMask
	st.key.NDOptionsType = st.key.NDOptionsType&^a.OptionsTypeMask | a.OptionsType&a.OptionsTypeMask
}

// setND changes the target and the link-layer address options of a neighbour
// solicitation or advertisement (RFC 4861).
func setND(st *state, a *datapath.SetND) {
	b := ndMessage(st)
	if b == nil {
		return
	}
	change := func(f []byte, v, m []byte) { changeSummed(b, f, v, m) }
	change(b[8:24], a.Target[:], a.TargetMask[:])
	for o := ndFixed; o+8 <= len(b) && b[o+1] != 0; o += 8 * int(b[o+1]) {
		switch {
		case b[o] == packet.NDOptSourceLinkAddress && b[o+1] == 1:
			change(b[o+2:o+8], a.SLL[:], a.SLLMask[:])
		case b[o] == packet.NDOptTargetLinkAddress && b[o+1] == 1:
			change(b[o+2:o+8], a.TLL[:], a.TLLMask[:])
		}
	}
}

// packetHash is dp_hash: of addresses, protocol and ports, the same in both
// directions for the symmetric algorithm.
func packetHash(k *flow.Key, a *datapath.Hash) uint32 {
	src, dst := uint64(k.IPSrc), uint64(k.IPDst)
	if k.EthType == packet.EtherTypeIPv6 {
		src = packet.Be64(k.IPv6Src[:]) ^ packet.Be64(k.IPv6Src[8:])
		dst = packet.Be64(k.IPv6Dst[:]) ^ packet.Be64(k.IPv6Dst[8:])
	}
	sp, dp := uint64(k.TpSrc), uint64(k.TpDst)
	if a.Alg == datapath.HashSymL4 {
		smac, dmac := k.EthSrc.Uint64(), k.EthDst.Uint64()
		src, dst, sp, dp = src^dst, smac^dmac, sp^dp, uint64(k.VLANs[0].TCI)
	}
	h := uint64(a.Basis) + 0x9e3779b97f4a7c15
	for _, v := range [...]uint64{src, dst, sp<<32 | dp<<8 | uint64(k.NwProto)} {
		hi, lo := bits.Mul64(h^v, 0xd6e8feb86659fd93)
		h = hi ^ lo
	}
	if r := uint32(h ^ h>>32); r != 0 {
		return r
	}
	return 1
}
