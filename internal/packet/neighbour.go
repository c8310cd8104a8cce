package packet

import "net/netip"

// NeighbourRequest is the frame by which a host with the addresses mac and src
// asks for the Ethernet address of another on its network: an ARP request
// (RFC 826), or with IPv6 a neighbour solicitation (RFC 4861, section 4.3). Both
// addresses are of one family.
func NeighbourRequest(mac MAC, src, ip netip.Addr) []byte {
	if ip.Is4() {
		return arpRequest(mac, src.As4(), ip.As4())
	}
	return neighbourSolicit(mac, src.As16(), ip.As16())
}

func arpRequest(mac MAC, src, ip [4]byte) []byte {
	b := make([]byte, EthLen+ARPLen)
	eth := Ethernet(b)
	eth.SetDst(Broadcast)
	eth.SetSrc(mac)
	eth.SetType(EtherTypeARP)
	arp := b[EthLen:]
	copy(arp, []byte{0, 1, EtherTypeIPv4 >> 8, EtherTypeIPv4 & 0xff, 6, 4, 0, 1})
	copy(arp[8:], mac[:])
	copy(arp[14:], src[:])
	copy(arp[24:], ip[:])
	return b
}

func neighbourSolicit(mac MAC, src, ip [16]byte) []byte {
	const icmpLen = ICMPLen + 16 + NDOptLen
	b := make([]byte, EthLen+IPv6Len+icmpLen)
	// The solicited-node multicast address (RFC 4291, section 2.7.1).
	dst := [16]byte{0: 0xff, 1: 0x02, 11: 1, 12: 0xff, 13: ip[13], 14: ip[14], 15: ip[15]}
	eth := Ethernet(b)
	eth.SetDst(MAC{0x33, 0x33, dst[12], dst[13], dst[14], dst[15]})
	eth.SetSrc(mac)
	eth.SetType(EtherTypeIPv6)
	h := b[EthLen:]
	h[0], h[5], h[6], h[7] = 0x60, icmpLen, ProtoICMPv6, 255
	copy(h[8:], src[:])
	copy(h[24:], dst[:])
	icmp := h[IPv6Len:]
	icmp[0] = ICMPv6NeighborSolicit
	copy(icmp[8:], ip[:])
	icmp[24], icmp[25] = NDOptSourceLinkAddress, 1
	copy(icmp[26:], mac[:])
	PutBe16(icmp[2:], Fold(Sum(icmp, PseudoIPv6(src[:], dst[:], ProtoICMPv6, icmpLen))))
	return b
}
