package packets

import (
	"net"
	"strings"

	"github.com/gopacket/gopacket/layers"
)

// kind is a kind of packet, and what flows can match in it. make gives a frame
// of its own at each call.
type kind struct {
	name string
	make func() *frame
	// is is a match of all packets of the kind; empty: any packet. fields are
	// "FIELD=VALUE!OTHER": the packet has VALUE, and OTHER is another.
	is     string
	fields []string
	// memory: only devices in memory carry it; the kernel throws it away.
	memory bool
}

// Parts of several kinds' fields.
const (
	ether4 = "dl_dst=02:00:00:00:00:0b!02:00:00:00:00:0c eth_type=0x800!0x86dd vlan_tci=0!0x1005/0x1000"
	ether6 = "dl_dst=02:00:00:00:00:0b!03:00:00:00:00:0b eth_type=0x86dd!0x800 vlan_tci=0!0x1005/0x1000"
	ipv4   = "nw_src=10.1.0.1!10.1.0.0 nw_dst=10.2.0.2!138.2.0.2 ip_dscp=11!43 ip_ecn=2!3 nw_tos=44!172 nw_ttl=64!65 nw_src=10.1.0.0/16!10.0.0.0/16"
	ipv6   = "ipv6_src=fd00:1::1!fd00:1::8000:0:1 ipv6_dst=fd00:2::2!7d00:2::2 ipv6_label=0x12345!0x12344 ip_dscp=11!9 ip_ecn=2!0 nw_ttl=64!192 ipv6_dst=fd00:2::/32!fd00:3::/32"
	whole  = " nw_frag=no!first"
)

// fields joins parts.
func fields(parts ...string) []string { return strings.Fields(strings.Join(parts, " ")) }

func mac(last byte) net.HardwareAddr { return net.HardwareAddr{2, 0, 0, 0, 0, last} }

func ethernet() layers.Ethernet { return layers.Ethernet{SrcMAC: mac(0xa), DstMAC: mac(0xb)} }

// data is n bytes that differ.
func data(n int) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(i*7 + 1)
	}
	return b
}

func v4(l4 layer) *frame {
	return &frame{eth: ethernet(), l4: l4, data: data(40), ip4: &layers.IPv4{Version: 4, TOS: 11<<2 | 2, TTL: 64, Id: 0x1234,
		Flags: layers.IPv4DontFragment, SrcIP: net.IPv4(10, 1, 0, 1), DstIP: net.IPv4(10, 2, 0, 2)}}
}

func v6(l4 layer) *frame {
	return &frame{eth: ethernet(), l4: l4, data: data(40), ip6: &layers.IPv6{Version: 6, TrafficClass: 11<<2 | 2, FlowLabel: 0x12345,
		HopLimit: 64, SrcIP: net.ParseIP("fd00:1::1"), DstIP: net.ParseIP("fd00:2::2")}}
}

func tcp() layer {
	return &layers.TCP{SrcPort: 1000, DstPort: 2000, Seq: 0x01020304, Ack: 0x05060708, ACK: true, PSH: true, Window: 500}
}
func udp() layer  { return &layers.UDP{SrcPort: 1001, DstPort: 2001} }
func sctp() layer { return &layers.SCTP{SrcPort: 1002, DstPort: 2002, VerificationTag: 0xdeadbeef} }
func echo() layer {
	return &layers.ICMPv4{TypeCode: layers.CreateICMPv4TypeCode(8, 0), Id: 7, Seq: 9}
}

// with changes a frame.
func with(f *frame, change func(*frame)) *frame {
	change(f)
	return f
}

// tagged puts tags before what the frame holds.
func tagged(f *frame, tags ...tag) *frame {
	f.tags = tags
	return f
}

// piece is one fragment of the frame's datagram.
func piece(f *frame, from, to int, more bool) *frame {
	f.frag = &fragment{from: from, to: to, more: more, id: 0x4321}
	if f.ip4 != nil {
		f.ip4.Flags = 0
	}
	return f
}

func options4(f *frame) *frame {
	f.ip4.Options = []layers.IPv4Option{{OptionType: 7, OptionLength: 7, OptionData: []byte{4, 0, 0, 0, 0}}, {OptionType: 1}}
	return f
}

func extended(f *frame) *frame {
	f.ext = []extension{
		{layers.IPProtocolIPv6HopByHop, []byte{0, 5, 2, 0, 0, 1, 0}},
		{layers.IPProtocolIPv6Routing, append([]byte{2, 4, 0, 0, 0, 0, 0}, net.ParseIP("fd00:9::9").To16()...)},
		{layers.IPProtocolIPv6Destination, []byte{0, 1, 4, 0, 0, 0, 0}},
	}
	return f
}

func icmp6(typ, code uint8, after ...layer) *frame {
	f := v6(&layers.ICMPv6{TypeCode: layers.CreateICMPv6TypeCode(typ, code)})
	f.after, f.data = after, nil
	return f
}

func solicit() *frame {
	f := icmp6(135, 0, &layers.ICMPv6NeighborSolicitation{TargetAddress: net.ParseIP("fd00:2::2"),
		Options: layers.ICMPv6Options{{Type: layers.ICMPv6OptSourceAddress, Data: mac(0x51)}}})
	f.ip6.HopLimit = 255
	return f
}

func advert() *frame {
	f := icmp6(136, 0, &layers.ICMPv6NeighborAdvertisement{Flags: 0x60, TargetAddress: net.ParseIP("fd00:1::1"),
		Options: layers.ICMPv6Options{{Type: layers.ICMPv6OptTargetAddress, Data: mac(0x52)}}})
	f.ip6.HopLimit = 255
	return f
}

func arp(op uint16, t layers.EthernetType) *frame {
	return &frame{eth: ethernet(), etherType: t, arp: &layers.ARP{AddrType: 1, Protocol: layers.EthernetTypeIPv4, HwAddressSize: 6, ProtAddressSize: 4,
		Operation: op, SourceHwAddress: mac(0x31), SourceProtAddress: []byte{10, 1, 0, 1}, DstHwAddress: mac(0x32), DstProtAddress: []byte{10, 2, 0, 2}}}
}

const arpFields = "arp_op=2!1 arp_spa=10.1.0.1!10.1.0.3 arp_tpa=10.2.0.2!10.2.0.0 arp_sha=02:00:00:00:00:31!02:00:00:00:00:30 arp_tha=02:00:00:00:00:32!82:00:00:00:00:32"

// labelled puts MPLS labels before what the frame holds; ttl of the first is 61.
func labelled(f *frame, n int) *frame {
	for i := range uint32(n) {
		f.mpls = append(f.mpls, layers.MPLS{Label: 16000 + i, TrafficClass: uint8(5 - i), TTL: uint8(61 + i)})
	}
	return f
}

const (
	ctag = layers.EthernetTypeDot1Q
	stag = layers.EthernetTypeQinQ
)

// nsh is a network service header with metadata of type 1 (RFC 8300, section 2)
// before an Ethernet frame.
func nsh() *frame {
	head := []byte{0x0f, 0xc6, 1, 3, 0, 0, 5, 4, 0, 0, 0, 0x11, 0, 0, 0, 0x22, 0, 0, 0, 0x33, 0, 0, 0, 0x44}
	return &frame{eth: ethernet(), etherType: 0x894f, data: append(head, v4(tcp()).build()...)}
}

// kinds is every kind of packet that the switch tells apart.
var kinds = []kind{
	{"TCP", func() *frame { return v4(tcp()) }, "tcp", fields(ether4, ipv4, whole, "tp_src=1000!1001 tp_dst=2000!34768 tcp_flags=+psh+ack!+syn tcp_src=0x3e0/0xfff0!0x3d0/0xfff0"), false},
	{"UDP", func() *frame { return v4(udp()) }, "udp", fields(ether4, ipv4, whole, "udp_src=1001!1000 udp_dst=2001!2000"), false},
	{"UDP without checksum", func() *frame { return with(v4(udp()), func(f *frame) { f.noSum = true }) }, "udp", fields("udp_src=1001!1000"), false},
	{"SCTP", func() *frame { return v4(sctp()) }, "sctp", fields(ether4, ipv4, whole, "sctp_src=1002!1000 sctp_dst=2002!2000"), false},
	{"ICMP", func() *frame { return v4(echo()) }, "icmp", fields(ether4, ipv4, whole, "icmp_type=8!0 icmp_code=0!1"), false},
	{"ICMP unreachable", func() *frame {
		return v4(&layers.ICMPv4{TypeCode: layers.CreateICMPv4TypeCode(3, 3)})
	}, "icmp", fields("icmp_type=3!8 icmp_code=3!1"), false},
	{"IGMP", func() *frame {
		return with(v4(nil), func(f *frame) { f.proto, f.data = 2, []byte{0x11, 20, 0xee, 0xeb, 0, 0, 0, 0} })
	}, "ip", fields(ipv4, "nw_proto=2!1"), false},
	{"OSPF", func() *frame { return with(v4(nil), func(f *frame) { f.proto = 89 }) }, "ip", fields(ipv4, "nw_proto=89!88"), false},
	{"TCP behind options", func() *frame { return options4(v4(tcp())) }, "tcp", fields(ipv4, whole, "tp_src=1000!1001 tp_dst=2000!2001 tcp_flags=0x18!0x10"), false},
	{"TCP with options", func() *frame {
		return with(v4(tcp()), func(f *frame) {
			f.l4.(*layers.TCP).Options = []layers.TCPOption{{OptionType: 2, OptionLength: 4, OptionData: []byte{5, 0xb4}}, {OptionType: 1}}
		})
	}, "tcp", fields("tp_src=1000!1001 tcp_flags=0x18!0x10"), false},
	{"UDP, first fragment", func() *frame { return piece(v4(udp()), 0, 24, true) }, "udp", fields(ipv4, "nw_frag=first!later nw_frag=yes!no nw_frag=not_later!later udp_src=1001!0 udp_dst=2001!0"), false},
	{"UDP, later fragment", func() *frame { return piece(v4(udp()), 24, 48, false) }, "udp", fields(ipv4, "nw_frag=later!first nw_frag=yes!not_later udp_src=0!1001"), false},
	{"TCP, first fragment", func() *frame { return piece(v4(tcp()), 0, 24, true) }, "tcp", fields("nw_frag=first!no tcp_src=1000!0 tcp_flags=0x18!0"), false},
	{"TCP over IPv6", func() *frame { return v6(tcp()) }, "tcp6", fields(ether6, ipv6, whole, "tp_src=1000!1001 tp_dst=2000!2001 tcp_flags=0x18!0x10"), false},
	{"UDP over IPv6", func() *frame { return v6(udp()) }, "udp6", fields(ether6, ipv6, whole, "udp_src=1001!1000 udp_dst=2001!2000"), false},
	{"SCTP over IPv6", func() *frame { return v6(sctp()) }, "sctp6", fields(ipv6, whole, "sctp_src=1002!1000 sctp_dst=2002!2000"), false},
	{"UDP behind extension headers", func() *frame { return extended(v6(udp())) }, "udp6", fields(ipv6, whole, "udp_src=1001!1000 udp_dst=2001!2000"), false},
	{"TCP behind extension headers, first fragment", func() *frame { return piece(extended(v6(tcp())), 0, 32, true) }, "tcp6", fields(ipv6, "nw_frag=first!no tp_src=1000!0 tcp_flags=0x18!0"), false},
	{"UDP over IPv6, later fragment", func() *frame { return piece(v6(udp()), 24, 48, false) }, "ipv6,nw_proto=44", fields(ipv6, "nw_frag=later!no"), false},
	{"IPv6 without next header", func() *frame { return with(v6(nil), func(f *frame) { f.proto, f.data = 59, nil }) }, "ipv6", fields(ipv6, "nw_proto=59!17"), false},
	{"ICMPv6", func() *frame { return icmp6(128, 0, &layers.ICMPv6Echo{Identifier: 3, SeqNumber: 4}) }, "icmp6", fields(ether6, ipv6, whole, "icmpv6_type=128!129 icmpv6_code=0!1"), false},
	{"neighbour solicitation", solicit, "icmp6,icmpv6_type=135,icmpv6_code=0", fields("nd_target=fd00:2::2!fd00:2::3 nd_sll=02:00:00:00:00:51!02:00:00:00:00:52 nw_ttl=255!64"), false},
	{"neighbour advertisement", advert, "icmp6,icmpv6_type=136,icmpv6_code=0", fields("nd_target=fd00:1::1!fd00:1::3 nd_tll=02:00:00:00:00:52!02:00:00:00:00:51 nd_reserved=0x60000000!0x40000000 nd_options_type=2!1"), false},
	{"ARP", func() *frame { return arp(2, layers.EthernetTypeARP) }, "arp", fields(arpFields), false},
	{"RARP", func() *frame { return arp(3, 0x8035) }, "rarp", fields(strings.Replace(arpFields, "arp_op=2!1", "arp_op=3!4", 1)), false},
	{"VLAN", func() *frame { return tagged(v4(tcp()), tag{ctag, 3, 100}) }, "tcp", fields("dl_vlan=100!101 dl_vlan_pcp=3!2 vlan_vid=0x1064!0x1065 vlan_pcp=3!7 vlan_tci=0x7064!0x7065 tp_dst=2000!2001 nw_ttl=64!65"), false},
	{"priority tag", func() *frame { return tagged(v4(tcp()), tag{ctag, 3, 0}) }, "tcp", fields("dl_vlan=0!1 dl_vlan_pcp=3!2 vlan_tci=0x7000!0x6000"), false},
	{"service VLAN", func() *frame { return tagged(v6(udp()), tag{stag, 3, 100}) }, "udp6", fields("dl_vlan=100!101 dl_vlan_pcp=3!2 udp_dst=2001!2000"), false},
	{"two VLANs", func() *frame { return tagged(v4(tcp()), tag{stag, 5, 200}, tag{ctag, 3, 100}) }, "", fields("dl_vlan=200!100 dl_vlan_pcp=5!3 dl_type=0x8100!0x800"), false},
	{"MPLS", func() *frame { return labelled(v4(tcp()), 1) }, "mpls", fields("mpls_label=16000!16001 mpls_tc=5!4 mpls_bos=1!0 mpls_ttl=61!64"), false},
	{"MPLS, 2 labels", func() *frame { return labelled(v4(tcp()), 2) }, "mpls", fields("mpls_label=16000!16001 mpls_tc=5!4 mpls_bos=0!1 mpls_ttl=61!62"), false},
	{"MPLS multicast, 3 labels behind a VLAN", func() *frame {
		return with(labelled(tagged(v4(tcp()), tag{ctag, 1, 7}), 3), func(f *frame) { f.etherType = layers.EthernetTypeMPLSMulticast })
	}, "mplsm", fields("mpls_label=16000!16001 mpls_bos=0!1 dl_vlan=7!8"), false},
	{"NSH", nsh, "dl_type=0x894f", fields("nsh_mdtype=1!2 nsh_np=3!1 nsh_spi=5!4 nsh_si=4!5 nsh_c1=0x11!0x10 nsh_c2=0x22!0x20 nsh_c3=0x33!0x30 nsh_c4=0x44!0x40 nsh_ttl=63!62 nsh_flags=0!1"), false},
	{"VXLAN's outer headers", func() *frame {
		return with(v4(&layers.UDP{SrcPort: 50000, DstPort: 4789}), func(f *frame) {
			f.after, f.data = []layer{&layers.VXLAN{ValidIDFlag: true, VNI: 77}}, v4(tcp()).build()
		})
	}, "udp", fields("udp_src=50000!50001 udp_dst=4789!4790 nw_src=10.1.0.1!10.1.0.2"), false},
	{"802.3 with SNAP", func() *frame { return with(v4(tcp()), func(f *frame) { f.snap = true }) }, "tcp", fields("nw_src=10.1.0.1!10.1.0.2 tp_dst=2000!2001"), false},
	{"802.3 without SNAP", func() *frame {
		return &frame{eth: layers.Ethernet{SrcMAC: mac(0xa), DstMAC: mac(0xb), Length: 40}, etherType: layers.EthernetTypeLLC, data: data(40)}
	}, "", fields("dl_type=0x5ff!0x600 dl_dst=02:00:00:00:00:0b!02:00:00:00:00:0c"), false},
	{"unknown type", func() *frame { return &frame{eth: ethernet(), etherType: 0x88b5, data: data(50)} }, "", fields("dl_type=0x88b5!0x88b6"), false},
	{"padded to 60 bytes", func() *frame { return with(v4(udp()), func(f *frame) { f.data, f.length = data(1), 60 }) }, "udp", fields("nw_src=10.1.0.1!10.1.0.2 udp_dst=2001!2000"), false},
	{"nothing but an Ethernet header", func() *frame { return &frame{eth: ethernet(), etherType: 0x88b5} }, "", fields("dl_type=0x88b5!0x88b6"), false},
	{"jumbo", func() *frame { return with(v4(udp()), func(f *frame) { f.data = data(8900) }) }, "udp", fields("nw_dst=10.2.0.2!10.2.0.3 udp_dst=2001!2000"), false},
	{"wrong IPv4 length", func() *frame { return with(v4(tcp()), func(f *frame) { f.length = 60 }) }, "ip", fields("nw_src=0.0.0.0!10.1.0.1 nw_proto=0!6"), false},
	{"IPv4 header cut", func() *frame { return with(v4(tcp()), func(f *frame) { f.length = 30 }) }, "ip", fields("nw_src=0.0.0.0!10.1.0.1 nw_proto=0!6"), false},
	{"TCP header cut", func() *frame { return with(v4(nil), func(f *frame) { f.proto, f.data = 6, data(12) }) }, "tcp", fields("nw_src=10.1.0.1!10.1.0.2 tp_src=0!264 tp_dst=0!3862"), false},
	{"IPv6 header cut", func() *frame { return with(v6(tcp()), func(f *frame) { f.length = 50 }) }, "ipv6", fields("ipv6_src=::!fd00:1::1 nw_proto=0!6"), false},
	{"ARP cut", func() *frame { return with(arp(2, layers.EthernetTypeARP), func(f *frame) { f.length = 40 }) }, "arp", fields("arp_op=0!2 arp_spa=0.0.0.0!10.1.0.1"), false},
	{"label cut", func() *frame { return with(labelled(v4(tcp()), 1), func(f *frame) { f.length = 16 }) }, "dl_type=0x8847", fields("dl_dst=02:00:00:00:00:0b!02:00:00:00:00:0c"), false},
	{"tag cut", func() *frame { return with(tagged(v4(tcp()), tag{ctag, 3, 100}), func(f *frame) { f.length = 16 }) }, "", fields("dl_dst=02:00:00:00:00:0b!02:00:00:00:00:0c"), true},
}
