package differential

import (
	"encoding/binary"
	"math/rand/v2"
	"slices"

	"golang.org/x/sys/unix"

	"weir/internal/netdev"
	"weir/internal/packet"
)

// Values that frames and flows have in common, so that flows match.
var (
	macs = []packet.MAC{{2, 0, 0, 0, 0, 1}, {2, 0, 0, 0, 0, 2}, {2, 0, 0, 0, 0, 3}, {2, 0, 0, 0, 0, 4}, {2, 0, 0, 0, 0, 9}, {0xff, 0xff, 0xff, 0xff, 0xff, 0xff}, {1, 0, 0x5e, 0, 0, 1}}
	vids = []uint16{5, 6, 0, 100}
	ip4s = []uint32{0x0a000001, 0x0a000002, 0x0a000103, 0xc0a80005, 0xe0000001}
	ip6s = [][16]byte{
		{0xfe, 0x80, 15: 1}, {0xfe, 0x80, 15: 2}, {0x20, 0x01, 0x0d, 0xb8, 15: 1}, {0x20, 0x01, 0x0d, 0xb8, 7: 1, 15: 9}, {0xff, 2, 15: 1},
	}
	ports = []uint16{80, 53, 1234, 40000, 0, 65535}
)

// udpSegments is VIRTIO_NET_HDR_GSO_UDP_L4.
const udpSegments = 5

// maker makes random frames.
type maker struct{ *rand.Rand }

func pick[T any](r *rand.Rand, list []T) T { return list[r.IntN(len(list))] }

// one in n.
func (m maker) one(n int) bool { return m.IntN(n) == 0 }

func (m maker) fill(n int) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(m.Uint32())
	}
	return b
}

var be = binary.BigEndian

// frame makes one, of up to max bytes if it isn't a super-packet.
func (m maker) frame(max int) frame {
	var f frame
	dst, src := pick(m.Rand, macs), pick(m.Rand, macs[:5])
	b := append(append([]byte{}, dst[:]...), src[:]...)
	for n := pick(m.Rand, []int{0, 0, 0, 1, 1, 2, 3}); n > 0; n-- {
		typ := uint16(packet.EtherTypeVLAN)
		if m.one(4) || n > 1 && m.one(2) {
			typ = packet.EtherTypeQinQ
		}
		b = be.AppendUint16(b, typ)
		b = be.AppendUint16(b, pick(m.Rand, vids)|uint16(m.IntN(8))<<13)
	}
	room := max - len(b) - 2
	switch m.IntN(20) {
	case 0, 1:
		b = append(be.AppendUint16(b, packet.EtherTypeARP), m.arp()...)
	case 2, 3:
		b = append(be.AppendUint16(b, pick(m.Rand, []uint16{packet.EtherTypeMPLS, packet.EtherTypeMPLSM})), m.mpls(room)...)
	case 4:
		b = append(be.AppendUint16(b, 0x894f), m.nsh()...)
	case 5:
		b = be.AppendUint16(b, pick(m.Rand, []uint16{0x1234, 46, 0x0806, 0x0800, 0x86dd, 0x8847, 0x8100}))
		b = append(b, m.fill(4+m.IntN(60))...) // a device's driver drops half a tag
	case 6, 7, 8, 9, 10, 11:
		b = be.AppendUint16(b, packet.EtherTypeIPv6)
		return m.ip(b, room, 6)
	default:
		b = be.AppendUint16(b, packet.EtherTypeIPv4)
		return m.ip(b, room, 4)
	}
	for len(b) < 60 && !m.one(4) {
		b = append(b, 0)
	}
	f.bytes = b
	return f
}

func (m maker) arp() []byte {
	b := []byte{0, 1, 8, 0, 6, 4, 0, byte(1 + m.IntN(3))}
	sha, tha := pick(m.Rand, macs), pick(m.Rand, macs)
	b = append(b, sha[:]...)
	b = be.AppendUint32(b, pick(m.Rand, ip4s))
	b = append(b, tha[:]...)
	return be.AppendUint32(b, pick(m.Rand, ip4s))
}

func (m maker) mpls(room int) (b []byte) {
	for n := 1 + m.IntN(3); n > 0; n-- {
		lse := pick(m.Rand, []uint32{16, 17, 100})<<12 | m.Uint32()&0xe00 | pick(m.Rand, []uint32{0, 1, 2, 64, 255})
		if n == 1 {
			lse |= 1 << 8
		}
		b = be.AppendUint32(b, lse)
	}
	if m.one(3) {
		return append(b, m.fill(m.IntN(80))...)
	}
	return m.inner(b, room-12, pick(m.Rand, []int{4, 6}))
}

// inner is ip without offloads.
func (m maker) inner(b []byte, room, version int) []byte {
	for {
		if f := m.ip(slices.Clip(b), room, version); f.off == (netdev.Offload{}) {
			return f.bytes
		}
	}
}

// nsh is an NSH header of metadata type 1 (RFC 8300) and what it carries.
func (m maker) nsh() []byte {
	ttl := uint16(pick(m.Rand, []int{0, 1, 2, 63}))
	b := be.AppendUint16(nil, ttl<<6|6)
	next := pick(m.Rand, []byte{1, 3})
	b = append(b, 1, next)
	b = be.AppendUint32(b, uint32(0x1234)<<8|uint32(pick(m.Rand, []int{0, 1, 255})))
	b = append(b, m.fill(16)...)
	if next == 1 {
		return m.inner(b, 200, 4)
	}
	inner := append(append([]byte{}, macs[0][:]...), macs[1][:]...)
	return append(b, m.inner(append(inner, 8, 0), 200, 4)...)
}

// ip appends an IP packet to what there is of a frame.
func (m maker) ip(b []byte, room, version int) frame {
	at := len(b)
	proto := pick(m.Rand, []byte{6, 6, 6, 17, 17, 17, 1, 58, 132, 2, 47})
	if version == 4 && proto == 58 || version == 6 && proto == 1 {
		proto = 59 - proto
	}
	frag := m.one(12)
	if version == 4 {
		b = m.ipv4(b, proto, frag)
	} else {
		b = m.ipv6(b, proto, frag)
	}
	super := !frag && (proto == 6 || proto == 17) && m.one(4)
	partial := super || !frag && (proto == 6 || proto == 17) && m.one(3)
	head := map[byte]int{6: 20, 17: 8, 132: 12}[proto]
	length := m.IntN(max(1, min(pick(m.Rand, []int{20, 200, 1500, 9000}), room-(len(b)-at)-head-4)))
	segment := pick(m.Rand, []int{200, 536, 1300, 1400})
	if super {
		length = segment + 1 + m.IntN(min(8000, segment*20))
	}
	l4 := len(b)
	b = m.transport(b, proto, length)
	m.lengths(b[at:], version)
	f := frame{bytes: b}
	m.sums(&f, at, l4, version, proto, frag, partial)
	if partial {
		f.off.Flags, f.off.CsumStart, f.off.CsumOff = unix.VIRTIO_NET_HDR_F_NEEDS_CSUM, uint16(l4), 16
		if proto == 17 {
			f.off.CsumOff = 6
		}
	}
	if super {
		m.super(&f, l4, segment, version, proto)
	}
	return f
}

func (m maker) super(f *frame, l4, segment, version int, proto byte) {
	f.off.GSOSize = uint16(segment)
	switch {
	case proto == 17:
		f.off.GSOType, f.off.HdrLen = udpSegments, uint16(l4+8)
		return
	case version == 4:
		f.off.GSOType = unix.VIRTIO_NET_HDR_GSO_TCPV4
	default:
		f.off.GSOType = unix.VIRTIO_NET_HDR_GSO_TCPV6
	}
	f.off.HdrLen = uint16(l4 + int(f.bytes[l4+12]>>4)*4)
	if f.bytes[l4+13]&0x80 != 0 {
		f.off.GSOType |= unix.VIRTIO_NET_HDR_GSO_ECN
	}
}

func (m maker) ipv4(b []byte, proto byte, frag bool) []byte {
	at := len(b)
	b = append(b, 0x45, m.tos(), 0, 0)
	b = be.AppendUint16(b, uint16(m.Uint32()))
	off := uint16(0x4000)
	if frag {
		off = pick(m.Rand, []uint16{0x2000, 0x2010, 0x0010})
	}
	b = be.AppendUint16(b, off)
	b = append(b, pick(m.Rand, []byte{0, 1, 2, 64, 255}), proto, 0, 0)
	b = be.AppendUint32(b, pick(m.Rand, ip4s))
	b = be.AppendUint32(b, pick(m.Rand, ip4s))
	if m.one(10) {
		b = append(b, 1, 1, 1, 0)
		b[at]++
	}
	return b
}

func (m maker) tos() byte { return pick(m.Rand, []byte{0, 0, 1, 2, 3, 0xb8, 0xbb}) }

func (m maker) ipv6(b []byte, proto byte, frag bool) []byte {
	b = be.AppendUint32(b, 6<<28|uint32(m.tos())<<20|pick(m.Rand, []uint32{0, 1, 0xabcde}))
	next := []byte{proto}
	if frag {
		next = append([]byte{44}, next...)
	}
	if m.one(8) {
		next = append([]byte{pick(m.Rand, []byte{0, 60, 43})}, next...)
	}
	b = append(b, 0, 0, next[0], pick(m.Rand, []byte{0, 1, 2, 64, 255}))
	src, dst := pick(m.Rand, ip6s), pick(m.Rand, ip6s)
	b = append(append(b, src[:]...), dst[:]...)
	for i, n := range next[:len(next)-1] {
		b = append(b, next[i+1], 0)
		if n == 44 {
			b = be.AppendUint16(b, pick(m.Rand, []uint16{0, 1, 8, 9}))
			b = append(b, 1, 2, 3, 4)
		} else {
			b = append(b, 1, 4, 0, 0, 0, 0) // padding, or a routing header used up
		}
	}
	return b
}

func (m maker) transport(b []byte, proto byte, length int) []byte {
	b2 := func(v uint16) { b = be.AppendUint16(b, v) }
	switch proto {
	case 6:
		b2(pick(m.Rand, ports))
		b2(pick(m.Rand, ports))
		b = append(b, m.fill(8)...)
		b2(5<<12 | pick(m.Rand, []uint16{0x02, 0x12, 0x10, 0x18, 0x11, 0x04, 0xd0, 0x90, 0x110}))
		b = append(b, 255, 255, 0, 0, 0, 0)
	case 17:
		b2(pick(m.Rand, ports))
		b2(pick(m.Rand, ports))
		b = append(b, 0, 0, 0, 0)
	case 132:
		b2(pick(m.Rand, ports))
		b2(pick(m.Rand, ports))
		b = append(b, 1, 2, 3, 4, 0, 0, 0, 0)
	case 1:
		return append(append(b, pick(m.Rand, []byte{0, 8, 3}), byte(m.IntN(2)), 0, 0, 1, 2, 3, 4), m.fill(length)...)
	case 58:
		return m.icmp6(b, length)
	}
	return append(b, m.fill(length)...)
}

func (m maker) icmp6(b []byte, length int) []byte {
	typ := pick(m.Rand, []byte{128, 129, 135, 135, 136, 136})
	b = append(b, typ, byte(m.IntN(8)/7), 0, 0, 0, 0, 0, 0)
	if typ < 130 {
		return append(b, m.fill(length)...)
	}
	target := pick(m.Rand, ip6s)
	b = append(b, target[:]...)
	for n := m.IntN(3); n > 0; n-- {
		b = append(b, byte(1+m.IntN(3)), byte(1-m.IntN(8)/7))
		mac := pick(m.Rand, macs)
		b = append(b, mac[:]...)
	}
	return b
}

// lengths completes the length of an IP packet that is all of b.
func (m maker) lengths(b []byte, version int) {
	if version == 4 {
		be.PutUint16(b[2:], uint16(len(b)))
		be.PutUint16(b[10:], 0)
		be.PutUint16(b[10:], packet.Checksum(b[:int(b[0]&15)*4]))
	} else {
		be.PutUint16(b[4:], uint16(len(b)-40))
	}
}

// sums completes the transport's length and checksum, which covers the pseudo
// header only if it is partial. One in twenty is wrong or, of UDP, missing.
func (m maker) sums(f *frame, ip, l4, version int, proto byte, frag, partial bool) {
	b := f.bytes
	at, ok := map[byte]int{6: 16, 17: 6, 1: 2, 58: 2}[proto]
	if proto == 17 {
		be.PutUint16(b[l4+4:], uint16(len(b)-l4))
	}
	if proto == 132 {
		be.PutUint32(b[l4+8:], sctpSum(b[l4:]))
	}
	if !ok || l4+at+2 > len(b) {
		return
	}
	var sum uint64
	switch {
	case proto == 1:
	case version == 4:
		sum = packet.PseudoIPv4(be.Uint32(b[ip+12:]), be.Uint32(b[ip+16:]), proto, len(b)-l4)
	default:
		sum = packet.PseudoIPv6(b[ip+8:ip+24], b[ip+24:ip+40], proto, len(b)-l4)
	}
	switch {
	case partial:
		be.PutUint16(b[l4+at:], ^packet.Fold(sum))
	case m.one(20) && proto == 17 && version == 4:
	case m.one(20):
		be.PutUint16(b[l4+at:], uint16(m.Uint32()))
	default:
		c := packet.Fold(packet.Sum(b[l4:], sum))
		if proto == 17 && c == 0 {
			c = 0xffff
		}
		be.PutUint16(b[l4+at:], c)
	}
	_ = frag
}
