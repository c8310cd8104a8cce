package neigh

import (
	"net/netip"

	"weir/internal/flow"
	"weir/internal/packet"
)

// Values of headers that announce a neighbour: EtherTypes, ARP's reply (RFC 826),
// ICMPv6's neighbour advertisement (RFC 4861, section 4.4).
const (
	typeARP                = 0x0806
	typeIPv6               = 0x86dd
	arpReply               = 2
	protoICMPv6            = 58
	neighbourAdvertisement = 136
	onLink                 = 255 // the hop limit of what no router has passed on (RFC 4861, section 7.1.2)
)

// Announcement is what a packet says of its sender's address.
type Announcement struct {
	IP  netip.Addr
	MAC packet.MAC
	// To is the address that it was told to: the asker's own, or IP itself where
	// the packet is for everybody (RFC 5227, section 1.1).
	To netip.Addr
}

// Announced reads what the packet k tells of a neighbour: an ARP reply, an ARP
// packet about its sender alone (a gratuitous one), a neighbour advertisement.
// It marks in wc the fields on which the answer depends.
func Announced(k *flow.Key, wc *flow.Mask) (a Announcement, ok bool) {
	switch k.EthType {
	case typeARP:
		return announcedARP(k, wc)
	case typeIPv6:
		return announcedND(k, wc)
	}
	return a, false
}

func announcedARP(k *flow.Key, wc *flow.Mask) (a Announcement, ok bool) {
	wc.NwProto, wc.IPSrc, wc.IPDst, wc.ARPSHA = 0xff, ^uint32(0), ^uint32(0), ones
	if k.NwProto != arpReply && k.IPSrc != k.IPDst || k.IPSrc == 0 || !usable(k.ARPSHA) {
		return a, false
	}
	return Announcement{IP: packet.Addr4(k.IPSrc), MAC: k.ARPSHA, To: packet.Addr4(k.IPDst)}, true
}

func announcedND(k *flow.Key, wc *flow.Mask) (a Announcement, ok bool) {
	wc.NwProto = 0xff
	if k.NwProto != protoICMPv6 {
		return a, false
	}
	wc.TpSrc, wc.TpDst, wc.NwFrag, wc.NwTTL = ^uint16(0), ^uint16(0), 0xff, 0xff
	if k.NwFrag != 0 || k.NwTTL != onLink || k.TpSrc != neighbourAdvertisement || k.TpDst != 0 {
		return a, false
	}
	for i := range wc.NDTarget {
		wc.NDTarget[i], wc.IPv6Dst[i] = 0xff, 0xff
	}
	wc.ARPTHA = ones // where a Key has ND's target link-layer address
	target := netip.AddrFrom16(k.NDTarget)
	if target.IsMulticast() || target.IsUnspecified() || !usable(k.ARPTHA) {
		return a, false
	}
	a = Announcement{IP: target, MAC: k.ARPTHA, To: netip.AddrFrom16(k.IPv6Dst)}
	if a.To.IsMulticast() {
		a.To = a.IP
	}
	return a, true
}

var ones = packet.Broadcast

func usable(m packet.MAC) bool { return !m.IsZero() && !m.IsMulticast() }
