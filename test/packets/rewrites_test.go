package packets

import (
	"encoding/binary"
	"net"

	"github.com/gopacket/gopacket/layers"
)

// rewrite is an action list, the kinds of packet that it is carried out on, and
// what it makes of them.
type rewrite struct {
	// actions before output:2, unless they output themselves; after "/" what the
	// flow must match besides the kind of packet.
	actions string
	on      []string
	// want changes a frame as the actions do; several are for as many outputs.
	want []func(*frame)
}

func to(changes ...func(*frame)) []func(*frame) { return changes }

func on(kinds ...string) []string { return kinds }

// Groups of kinds that a field is set in.
var (
	anyFrame = on("TCP", "UDP over IPv6", "VLAN", "two VLANs", "MPLS", "ARP", "802.3 with SNAP", "802.3 without SNAP", "unknown type", "nothing but an Ethernet header", "jumbo", "IPv4 header cut", "TCP header cut")
	anyIPv4  = on("TCP", "UDP", "UDP without checksum", "SCTP", "ICMP", "ICMP unreachable", "IGMP", "OSPF", "TCP behind options", "TCP with options",
		"UDP, first fragment", "UDP, later fragment", "TCP, first fragment", "VLAN", "priority tag", "VXLAN's outer headers", "802.3 with SNAP", "padded to 60 bytes",
		"jumbo", "TCP header cut", "TCP with a wrong checksum", "UDP with a wrong checksum", "UDP whose checksum becomes zero")
	anyIPv6 = on("TCP over IPv6", "UDP over IPv6", "SCTP over IPv6", "UDP behind extension headers", "TCP behind extension headers, first fragment",
		"UDP over IPv6, later fragment", "IPv6 without next header", "ICMPv6", "neighbour solicitation", "neighbour advertisement", "service VLAN", "TCP over IPv6 with a wrong checksum")
	anyTCP  = on("TCP", "TCP behind options", "TCP with options", "TCP over IPv6", "VLAN", "802.3 with SNAP", "TCP with a wrong checksum")
	anyUDP  = on("UDP", "UDP without checksum", "UDP over IPv6", "UDP behind extension headers", "service VLAN", "VXLAN's outer headers", "padded to 60 bytes", "jumbo", "UDP with a wrong checksum")
	anySCTP = on("SCTP", "SCTP over IPv6")
	anyMPLS = on("MPLS", "MPLS, 2 labels", "MPLS multicast, 3 labels behind a VLAN")
)

// damaged are more kinds, on which actions must not mend what is wrong.
var damaged = []kind{
	{"TCP with a wrong checksum", func() *frame { return with(v4(tcp()), func(f *frame) { f.badSum = true }) }, "tcp", nil, false},
	{"UDP with a wrong checksum", func() *frame { return with(v4(udp()), func(f *frame) { f.badSum = true }) }, "udp", nil, false},
	{"TCP over IPv6 with a wrong checksum", func() *frame { return with(v6(tcp()), func(f *frame) { f.badSum = true }) }, "tcp6", nil, false},
	// Zero would say that there is no checksum: it becomes 0xffff (RFC 768).
	{"UDP whose checksum becomes zero", func() *frame {
		f := v4(udp())
		f.ip4.SrcIP = net.IPv4(10, 99, 88, 77)
		l4, _ := f.transport()
		sum := uint32(binary.BigEndian.Uint16(l4[6:])) + uint32(binary.BigEndian.Uint16(f.data))
		binary.BigEndian.PutUint16(f.data, uint16(sum+sum>>16))
		f.ip4.SrcIP = net.IPv4(10, 1, 0, 1)
		return f
	}, "udp", nil, false},
}

func label(n int, change func(*layers.MPLS)) func(*frame) {
	return func(f *frame) { change(&f.mpls[n]) }
}

func ports(src, dst uint16) func(*frame) {
	return func(f *frame) {
		switch t := f.l4.(type) {
		case *layers.TCP:
			t.SrcPort, t.DstPort = layers.TCPPort(src), layers.TCPPort(dst)
		case *layers.UDP:
			t.SrcPort, t.DstPort = layers.UDPPort(src), layers.UDPPort(dst)
		case *layers.SCTP:
			t.SrcPort, t.DstPort = layers.SCTPPort(src), layers.SCTPPort(dst)
		}
	}
}

// outerTag puts a tag before the others.
func outerTag(g tag) func(*frame) { return func(f *frame) { f.tags = append([]tag{g}, f.tags...) } }

// firstTag changes the outermost tag, which is made where there is none.
func firstTag(change func(*tag)) func(*frame) {
	return func(f *frame) {
		if len(f.tags) == 0 {
			f.tags = []tag{{tpid: ctag}}
		}
		change(&f.tags[0])
	}
}

func same(*frame) {}

var noLabel = func(f *frame) { f.mpls = f.mpls[1:] }

// pushed is a label before the others.
func pushed(m layers.MPLS) func(*frame) {
	return func(f *frame) { f.mpls = append([]layers.MPLS{m}, f.mpls...) }
}

// rewrites is what actions do to packets.
var rewrites = []rewrite{
	{"output:2", append(append(append(on(), anyFrame...), anyIPv4...), anyIPv6...), to(same)},
	// Ethernet and VLANs.
	{"mod_dl_src:02:11:11:11:11:11", anyFrame, to(func(f *frame) { f.eth.SrcMAC = net.HardwareAddr{2, 0x11, 0x11, 0x11, 0x11, 0x11} })},
	{"set_field:02:22:22:22:22:22->eth_dst", anyFrame, to(func(f *frame) { f.eth.DstMAC = net.HardwareAddr{2, 0x22, 0x22, 0x22, 0x22, 0x22} })},
	{"set_field:00:00:33:00:00:00/00:00:ff:00:00:00->eth_dst", on("TCP"), to(func(f *frame) { f.eth.DstMAC[2] = 0x33 })},
	{"push_vlan:0x8100,set_field:0x1007->vlan_vid,set_field:4->vlan_pcp", on("TCP", "UDP over IPv6", "ARP", "MPLS", "unknown type", "VLAN"), to(outerTag(tag{ctag, 4, 7}))},
	{"push_vlan:0x88a8,set_field:0x1007->vlan_vid,set_field:4->vlan_pcp", on("TCP", "UDP over IPv6", "VLAN"), to(outerTag(tag{stag, 4, 7}))},
	{"push_vlan:0x8100", on("TCP", "VLAN"), to(outerTag(tag{ctag, 0, 0}))},
	{"mod_vlan_vid:9", on("TCP", "UDP over IPv6", "VLAN", "priority tag", "service VLAN", "two VLANs", "ARP"), to(firstTag(func(g *tag) { g.vid = 9 }))},
	{"mod_vlan_pcp:6", on("TCP", "VLAN", "priority tag", "two VLANs"), to(firstTag(func(g *tag) { g.pcp = 6 }))},
	{"set_field:0xb009->vlan_tci", on("TCP", "VLAN", "priority tag"), to(firstTag(func(g *tag) { g.vid, g.pcp = 9, 5 }))},
	{"load:9->NXM_OF_VLAN_TCI[0..11]", on("VLAN", "two VLANs", "service VLAN"), to(firstTag(func(g *tag) { g.vid = 9 }))},
	{"load:0->NXM_OF_VLAN_TCI[]", on("TCP", "VLAN", "service VLAN"), to(func(f *frame) { f.tags = nil })},
	{"load:0x1009->NXM_OF_VLAN_TCI[]", on("TCP", "UDP over IPv6", "ARP", "MPLS"), to(outerTag(tag{ctag, 0, 9}))},
	{"strip_vlan", on("TCP", "VLAN", "priority tag", "service VLAN", "two VLANs", "ARP"), to(func(f *frame) {
		if len(f.tags) > 0 {
			f.tags = f.tags[1:]
		}
	})},
	{"pop_vlan,set_field:10.9.9.9->ip_dst/dl_vlan=100", on("VLAN"), to(func(f *frame) { f.tags, f.ip4.DstIP = nil, net.IPv4(10, 9, 9, 9) })},
	// IPv4.
	{"mod_nw_src:10.99.88.77", anyIPv4, to(func(f *frame) { f.ip4.SrcIP = net.IPv4(10, 99, 88, 77) })},
	{"set_field:192.168.255.254->ip_dst", anyIPv4, to(func(f *frame) { f.ip4.DstIP = net.IPv4(192, 168, 255, 254) })},
	{"mod_nw_src:0.0.0.0,mod_nw_dst:255.255.255.255", anyIPv4, to(func(f *frame) { f.ip4.SrcIP, f.ip4.DstIP = net.IPv4zero, net.IPv4bcast })},
	{"mod_nw_tos:252", anyIPv4, to(func(f *frame) { f.ip4.TOS = 252 | 2 })},
	{"mod_nw_ecn:3", anyIPv4, to(func(f *frame) { f.ip4.TOS |= 3 })},
	{"mod_nw_ttl:1", anyIPv4, to(func(f *frame) { f.ip4.TTL = 1 })},
	{"dec_ttl", anyIPv4, to(func(f *frame) { f.ip4.TTL-- })},
	{"move:NXM_OF_IP_SRC[]->NXM_OF_IP_DST[]", anyIPv4, to(func(f *frame) { f.ip4.DstIP = f.ip4.SrcIP })},
	{"push:NXM_OF_IP_SRC[],push:NXM_OF_IP_DST[],pop:NXM_OF_IP_SRC[],pop:NXM_OF_IP_DST[]", on("TCP", "ICMP"), to(func(f *frame) { f.ip4.SrcIP, f.ip4.DstIP = f.ip4.DstIP, f.ip4.SrcIP })},
	// IPv6.
	{"set_field:fd99::ffff->ipv6_src", anyIPv6, to(func(f *frame) { f.ip6.SrcIP = net.ParseIP("fd99::ffff") })},
	{"set_field:fd98:1:2:3:4:5:6:7->ipv6_dst", anyIPv6, to(func(f *frame) { f.ip6.DstIP = net.ParseIP("fd98:1:2:3:4:5:6:7") })},
	{"set_field:0xabcde->ipv6_label", anyIPv6, to(func(f *frame) { f.ip6.FlowLabel = 0xabcde })},
	{"set_field:63->ip_dscp", anyIPv6, to(func(f *frame) { f.ip6.TrafficClass = 63<<2 | 2 })},
	{"set_field:1->ip_ecn", anyIPv6, to(func(f *frame) { f.ip6.TrafficClass = 11<<2 | 1 })},
	{"set_field:200->nw_ttl", anyIPv6, to(func(f *frame) { f.ip6.HopLimit = 200 })},
	{"dec_ttl", anyIPv6, to(func(f *frame) { f.ip6.HopLimit-- })},
	// Transport.
	{"set_field:65535->tcp_src,set_field:1->tcp_dst", anyTCP, to(ports(65535, 1))},
	{"mod_tp_src:65535,mod_tp_dst:1", anyUDP, to(ports(65535, 1))},
	{"set_field:65535->sctp_src,set_field:1->sctp_dst", anySCTP, to(ports(65535, 1))},
	{"mod_nw_src:10.99.88.77,set_field:80->tcp_dst,dec_ttl", on("TCP", "TCP behind options", "VLAN", "TCP with a wrong checksum"), to(func(f *frame) {
		f.ip4.SrcIP, f.ip4.TTL, f.l4.(*layers.TCP).DstPort = net.IPv4(10, 99, 88, 77), f.ip4.TTL-1, 80
	})},
	{"set_field:3->icmp_type,set_field:1->icmp_code", on("ICMP"), to(func(f *frame) { f.l4.(*layers.ICMPv4).TypeCode = layers.CreateICMPv4TypeCode(3, 1) })},
	{"set_field:129->icmpv6_type,set_field:7->icmpv6_code", on("ICMPv6"), to(func(f *frame) { f.l4.(*layers.ICMPv6).TypeCode = layers.CreateICMPv6TypeCode(129, 7) })},
	// Neighbours.
	{"set_field:fd77::7->nd_target,set_field:02:00:00:00:00:77->nd_sll", on("neighbour solicitation"), to(func(f *frame) {
		n := f.after[0].(*layers.ICMPv6NeighborSolicitation)
		n.TargetAddress, n.Options[0].Data = net.ParseIP("fd77::7"), mac(0x77)
	})},
	{"set_field:fd77::7->nd_target", on("neighbour advertisement"), to(func(f *frame) {
		f.after[0].(*layers.ICMPv6NeighborAdvertisement).TargetAddress = net.ParseIP("fd77::7")
	})},
	{"set_field:02:00:00:00:00:77->nd_tll", on("neighbour advertisement"), to(func(f *frame) {
		f.after[0].(*layers.ICMPv6NeighborAdvertisement).Options[0].Data = mac(0x77)
	})},
	{"set_field:0xa0000000->nd_reserved", on("neighbour advertisement"), to(func(f *frame) { f.after[0].(*layers.ICMPv6NeighborAdvertisement).Flags = 0xa0 })},
	{"set_field:2->nd_options_type", on("neighbour solicitation"), to(func(f *frame) {
		f.after[0].(*layers.ICMPv6NeighborSolicitation).Options[0].Type = layers.ICMPv6OptTargetAddress
	})},
	{"set_field:1->arp_op,set_field:02:00:00:00:00:77->arp_sha,set_field:02:00:00:00:00:78->arp_tha,set_field:10.7.7.7->arp_spa,set_field:10.8.8.8->arp_tpa", on("ARP"), to(func(f *frame) {
		f.arp.Operation, f.arp.SourceHwAddress, f.arp.DstHwAddress = 1, mac(0x77), mac(0x78)
		f.arp.SourceProtAddress, f.arp.DstProtAddress = []byte{10, 7, 7, 7}, []byte{10, 8, 8, 8}
	})},
	// MPLS (ovs-actions(7): a label that is pushed takes over label, class and TTL of the one below, or TTL and three bits of the
	// DSCP of IP).
	{"set_field:77777->mpls_label,set_field:2->mpls_tc", anyMPLS, to(label(0, func(m *layers.MPLS) { m.Label, m.TrafficClass = 77777, 2 }))},
	{"set_mpls_ttl:9", anyMPLS, to(label(0, func(m *layers.MPLS) { m.TTL = 9 }))},
	{"dec_mpls_ttl", anyMPLS, to(label(0, func(m *layers.MPLS) { m.TTL-- }))},
	{"push_mpls:0x8847,set_field:500->mpls_label", on("MPLS", "MPLS, 2 labels"), to(func(f *frame) {
		m := f.mpls[0]
		m.Label = 500
		pushed(m)(f)
	})},
	{"push_mpls:0x8847,set_field:500->mpls_label", on("TCP", "VLAN", "TCP over IPv6", "UDP, later fragment"), to(pushed(layers.MPLS{Label: 500, TrafficClass: 11 & 7, TTL: 64}))},
	{"push_mpls:0x8848,set_field:500->mpls_label,push_mpls:0x8848,set_field:600->mpls_label", on("UDP"), to(func(f *frame) {
		f.mpls, f.etherType = []layers.MPLS{{Label: 600, TrafficClass: 11 & 7, TTL: 64}, {Label: 500, TrafficClass: 11 & 7, TTL: 64}}, layers.EthernetTypeMPLSMulticast
	})},
	{"pop_mpls:0x0800", on("MPLS"), to(noLabel)},
	{"pop_mpls:0x8847", on("MPLS, 2 labels"), to(noLabel)},
	{"pop_mpls:0x8848", on("MPLS multicast, 3 labels behind a VLAN"), to(noLabel)},
	{"pop_mpls:0x0800,dec_ttl", on("MPLS"), to(func(f *frame) {
		noLabel(f)
		f.ip4.TTL--
	})},
	// Copies stay what they were; cut packets.
	{"output:2,mod_nw_dst:10.9.9.9,output:2,push_vlan:0x8100,set_field:0x1007->vlan_vid,output:2", on("TCP", "UDP", "ICMP"), to(same,
		func(f *frame) { f.ip4.DstIP = net.IPv4(10, 9, 9, 9) },
		func(f *frame) { f.ip4.DstIP, f.tags = net.IPv4(10, 9, 9, 9), []tag{{ctag, 0, 7}} })},
	{"clone(mod_nw_dst:10.9.9.9,output:2),output:2", on("TCP", "UDP"), to(func(f *frame) { f.ip4.DstIP = net.IPv4(10, 9, 9, 9) }, same)},
	{"output(port=2,max_len=50),output:2", on("TCP", "UDP over IPv6", "jumbo"), to(func(f *frame) { f.length = 50 }, same)},
	{"mod_nw_tos:0,write_actions(output:2,dec_ttl)", on("TCP"), to(func(f *frame) { f.ip4.TTL, f.ip4.TOS = 63, 2 })},
}
