package packets

import (
	"encoding/binary"
	"fmt"
	"slices"
	"strings"

	"github.com/gopacket/gopacket"
	"github.com/gopacket/gopacket/layers"
)

// frame is a packet in the terms of gopacket, which makes its bytes. Types and
// protocol numbers of headers that are followed by others are set by build.
type frame struct {
	eth   layers.Ethernet
	snap  bool // 802.3 with LLC and SNAP headers
	tags  []tag
	mpls  []layers.MPLS // outermost first; the bottom is set by build
	arp   *layers.ARP
	ip4   *layers.IPv4
	ip6   *layers.IPv6
	ext   []extension // of IPv6
	frag  *fragment
	l4    layer   // nil: none
	after []layer // what follows l4 before the payload
	data  []byte
	// etherType is for what isn't a layer of gopacket's here; proto likewise.
	etherType layers.EthernetType
	proto     layers.IPProtocol
	badSum    bool // the transport's checksum is one too high
	noSum     bool // UDP: no checksum
	length    int  // cut or padded with zeros to this many bytes; 0: as it is
}

type layer = gopacket.SerializableLayer

// tag is a VLAN tag.
type tag struct {
	tpid layers.EthernetType
	pcp  uint8
	vid  uint16
}

// extension is an IPv6 extension header, whose first byte build sets.
type extension struct {
	proto layers.IPProtocol
	body  []byte
}

// fragment is the part of an IP datagram's payload that a frame carries.
type fragment struct {
	from, to int // bytes
	more     bool
	id       uint32
}

// build is the bytes of the frame, all checksums computed.
func (f *frame) build() []byte {
	b, t := f.network()
	for i := len(f.mpls) - 1; i >= 0; i-- {
		m := f.mpls[i]
		m.StackBottom = i == len(f.mpls)-1
		b = serialize(b, &m)
		t = layers.EthernetTypeMPLSUnicast
	}
	if f.etherType != 0 {
		t = f.etherType
	}
	head := []layer{}
	for _, g := range f.tags {
		head = append(head, &layers.Dot1Q{Priority: g.pcp, VLANIdentifier: g.vid})
	}
	eth := f.eth
	for i, g := range f.tags {
		if i == 0 {
			eth.EthernetType = g.tpid
		} else {
			head[i-1].(*layers.Dot1Q).Type = g.tpid
		}
	}
	if n := len(f.tags); n > 0 {
		head[n-1].(*layers.Dot1Q).Type = t
	} else {
		eth.EthernetType = t
	}
	if f.snap {
		b = serialize(b, &layers.LLC{DSAP: 0xaa, SSAP: 0xaa, Control: 3}, &layers.SNAP{OrganizationalCode: []byte{0, 0, 0}, Type: t})
		eth.EthernetType, eth.Length = layers.EthernetTypeLLC, uint16(len(b))
	}
	b = serialize(b, head...)
	b = slices.Concat(serialize(nil, &eth)[:14], b) // without padding to 60 bytes
	switch {
	case f.length > len(b):
		b = append(b, make([]byte, f.length-len(b))...)
	case f.length > 0:
		b = b[:f.length]
	}
	return b
}

// network is the network layer and what it carries, with its type.
func (f *frame) network() ([]byte, layers.EthernetType) {
	switch {
	case f.arp != nil:
		return serialize(f.data, f.arp), layers.EthernetTypeARP
	case f.ip4 != nil:
		b, proto := f.transport()
		ip := *f.ip4
		ip.Protocol = proto
		if g := f.frag; g != nil {
			b, ip.FragOffset, ip.Id = b[g.from:g.to], uint16(g.from/8), uint16(g.id)
			if g.more {
				ip.Flags |= layers.IPv4MoreFragments
			}
		}
		return serialize(b, &ip), layers.EthernetTypeIPv4
	case f.ip6 != nil:
		b, proto := f.transport()
		if g := f.frag; g != nil {
			h := []byte{byte(proto), 0, 0, 0, 0, 0, 0, 0}
			binary.BigEndian.PutUint16(h[2:], uint16(g.from))
			if g.more {
				h[3] |= 1
			}
			binary.BigEndian.PutUint32(h[4:], g.id)
			b, proto = append(h, b[g.from:g.to]...), layers.IPProtocolIPv6Fragment
		}
		for _, e := range slices.Backward(f.ext) {
			b, proto = slices.Concat([]byte{byte(proto)}, e.body, b), e.proto
		}
		ip := *f.ip6
		ip.NextHeader = proto
		return serialize(b, &ip), layers.EthernetTypeIPv6
	}
	return f.data, f.etherType
}

// transport is the transport layer and what it carries, with its number.
func (f *frame) transport() (b []byte, proto layers.IPProtocol) {
	var ip gopacket.NetworkLayer = f.ip4
	if f.ip6 != nil {
		ip = f.ip6
	}
	at := 0 // of the checksum
	switch t := f.l4.(type) {
	case nil:
		return f.data, f.proto
	case *layers.TCP:
		proto, at = layers.IPProtocolTCP, 16
		must(t.SetNetworkLayerForChecksum(ip))
	case *layers.UDP:
		proto, at = layers.IPProtocolUDP, 6
		must(t.SetNetworkLayerForChecksum(ip))
	case *layers.SCTP:
		proto = layers.IPProtocolSCTP
	case *layers.ICMPv4:
		proto, at = layers.IPProtocolICMPv4, 2
	case *layers.ICMPv6:
		proto, at = layers.IPProtocolICMPv6, 2
		must(t.SetNetworkLayerForChecksum(ip))
	}
	b = serialize(f.data, append([]layer{f.l4}, f.after...)...)
	switch {
	case f.noSum:
		b[6], b[7] = 0, 0
	case f.badSum:
		binary.BigEndian.PutUint16(b[at:], binary.BigEndian.Uint16(b[at:])+1)
	}
	return b, proto
}

func serialize(payload []byte, ls ...layer) []byte {
	buf := gopacket.NewSerializeBuffer()
	must(gopacket.SerializeLayers(buf, gopacket.SerializeOptions{FixLengths: true, ComputeChecksums: true}, append(ls, gopacket.Payload(payload))...))
	return slices.Clone(buf.Bytes())
}

// must is for what only a mistake in a test's table makes fail.
func must(err error) {
	if err != nil {
		panic(err)
	}
}

// describe is a frame with the layers that gopacket sees in it.
func describe(b []byte) string {
	var names []string
	for _, l := range gopacket.NewPacket(b, layers.LayerTypeEthernet, gopacket.Default).Layers() {
		names = append(names, l.LayerType().String())
	}
	return fmt.Sprintf("\n        %x (%d bytes: %s)", b[:min(len(b), 200)], len(b), strings.Join(names, ", "))
}

// difference says where a frame is not as it should be.
func difference(in, got, want []byte) error {
	at := 0
	for at < min(len(got), len(want)) && got[at] == want[at] {
		at++
	}
	return fmt.Errorf("differs from byte %d on%s came out%s should have, after%s came in", at, describe(got), describe(want), describe(in))
}
