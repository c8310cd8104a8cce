package netdev

import (
	"errors"

	"weir/internal/packet"
)

// Values of Offload (struct virtio_net_hdr; virtio 1.2, 5.1.6).
const (
	NeedsCsum  = 1    // Offload.Flags: the checksum is partial
	DataValid  = 2    // Offload.Flags: the checksum was seen to be right
	gsoTCPv4   = 1    // Offload.GSOType
	gsoTCPv6   = 4    //
	GSOUDP     = 5    // datagrams of one flow, all of a size but the last
	gsoECN     = 0x80 // of TCP, with gsoTCPv4 or gsoTCPv6
	maxHeaders = 256
)

// ErrSegment says that a super-packet is of a kind that can't be cut into
// packets here.
var ErrSegment = errors.New("super-packet can't be segmented")

// Segmenter does what the kernel left undone in a packet: it cuts a
// super-packet into packets and completes checksums. The zero value is ready;
// it belongs to one goroutine.
type Segmenter struct {
	pkt            []byte
	o              Offload
	l3, l4         int // offsets of the headers
	headers        int // length of all headers
	at             int // what has been given out of what follows them
	v6             bool
	index          int
	done, verbatim bool
}

// MaxHeaders is the space that Next needs for headers.
const MaxHeaders = maxHeaders

// Start begins with a packet, which must stay as it is until the last Next.
func (s *Segmenter) Start(p *Packet) error { return s.StartType(p, 0) }

// StartType is Start with a packet of a packet type (flow.Key.PacketType).
func (s *Segmenter) StartType(p *Packet, packetType uint32) error {
	*s = Segmenter{pkt: p.Data(), o: p.Offload}
	if s.o.GSOType == 0 {
		if s.o.Flags&NeedsCsum == 0 {
			s.verbatim = true
			return nil
		}
		end := int(s.o.CsumStart) + int(s.o.CsumOff) + 2
		if end > maxHeaders || end > len(s.pkt) {
			return ErrSegment
		}
		s.headers = end
		return nil
	}
	return s.findHeaders(packetType)
}

// findHeaders finds the headers of a super-packet; where its transport header
// is, the offload says.
func (s *Segmenter) findHeaders(packetType uint32) error {
	b := s.pkt
	s.l4 = int(s.o.CsumStart)
	if s.o.Flags&NeedsCsum == 0 || len(b) < packet.EthLen || s.o.GSOSize == 0 {
		return ErrSegment
	}
	ok := s.findIP(packetType)
	if !ok || s.l4 < s.l3+20 || s.v6 && s.l4 < s.l3+40 || len(b) < s.l4+packet.UDPLen {
		return ErrSegment
	}
	switch s.o.GSOType &^ gsoECN {
	case gsoTCPv4, gsoTCPv6:
		if len(b) < s.l4+20 {
			return ErrSegment
		}
		s.headers = s.l4 + packet.TCP(b[s.l4:]).HeaderLen()
	case GSOUDP:
		s.headers = s.l4 + packet.UDPLen
	default:
		return ErrSegment
	}
	if s.headers > maxHeaders || s.headers > len(b) {
		return ErrSegment
	}
	return nil
}

// findIP finds the header of IP that the super-packet is cut under, behind tags,
// labels of MPLS (RFC 3032) and NSH (RFC 8300).
func (s *Segmenter) findIP(packetType uint32) bool {
	b, at, typ := s.pkt, 0, uint16(packetType)
	if packetType == 0 {
		at, typ = packet.EthLen, packet.Be16(b[packet.EthLen-2:])
	}
	for at <= len(b) && at <= s.l4 {
		switch typ {
		case packet.EtherTypeVLAN, packet.EtherTypeQinQ:
			at += packet.VLANLen
		case packet.EtherTypeMPLS, packet.EtherTypeMPLSM:
			for last := false; !last && at+packet.MPLSLen < len(b); at += packet.MPLSLen {
				last = b[at+2]&1 != 0
			}
			s.l3 = at
			s.v6 = at < len(b) && b[at]>>4 == 6
			return s.v6 || at < len(b) && b[at]>>4 == 4
		case packet.EtherTypeNSH:
			const ipv4, ipv6, ethernet = 1, 2, 3 // next protocol
			if at+8 > len(b) {
				return false
			}
			next, length := b[at+3], int(b[at+1]&0x3f)*4
			s.l3, s.v6 = at+length, next == ipv6
			if next == ipv4 || next == ipv6 {
				return true
			}
			if at += length + packet.EthLen; next != ethernet {
				return false
			}
		default:
			s.l3, s.v6 = at, typ == packet.EtherTypeIPv6
			return s.v6 || typ == packet.EtherTypeIPv4
		}
		if at > len(b) {
			return false
		}
		typ = packet.Be16(b[at-2:])
	}
	return false
}

// Next makes the next packet: its headers are the first n bytes of head, which
// has MaxHeaders, the rest is payload. ok is false after the last.
func (s *Segmenter) Next(head []byte) (n int, payload []byte, ok bool) {
	if s.done {
		return 0, nil, false
	}
	if s.verbatim {
		s.done = true
		return 0, s.pkt, true
	}
	n = copy(head, s.pkt[:s.headers])
	if s.o.GSOType == 0 {
		s.done = true
		payload = s.pkt[n:]
		s.complete(head[:n], payload)
		return n, payload, true
	}
	rest := s.pkt[s.headers+s.at:]
	payload = rest[:min(len(rest), int(s.o.GSOSize))]
	s.adjust(head[:n], payload, len(payload) == len(rest))
	s.at += len(payload)
	s.index++
	s.done = len(payload) == len(rest)
	return n, payload, true
}

// complete puts the checksum in whose place the sum of the pseudo header is.
func (s *Segmenter) complete(head, payload []byte) {
	start := int(s.o.CsumStart)
	at := start + int(s.o.CsumOff)
	// A payload at an odd place counts with its bytes swapped.
	sum := uint64(^packet.Fold(packet.Sum(payload, 0)))
	if (len(head)-start)%2 == 1 {
		sum = sum>>8 | sum<<8&0xff00
	}
	c := packet.Fold(packet.Sum(head[start:], sum))
	if c == 0 {
		c = 0xffff
	}
	packet.PutBe16(head[at:], c)
}

// adjust makes the headers those of one segment.
func (s *Segmenter) adjust(head, payload []byte, last bool) {
	length := len(head) + len(payload)
	ip, l4 := head[s.l3:], head[s.l4:]
	proto := uint8(packet.ProtoTCP)
	if s.o.GSOType&^gsoECN == GSOUDP {
		proto = packet.ProtoUDP
		packet.PutBe16(l4[4:], uint16(length-s.l4))
		packet.PutBe16(l4[6:], 0)
	} else {
		s.adjustTCP(l4, last)
	}
	var pseudo uint64
	if s.v6 {
		packet.PutBe16(ip[4:], uint16(length-s.l3-40))
		pseudo = packet.PseudoIPv6(ip[8:24], ip[24:40], proto, length-s.l4)
	} else {
		h := packet.IPv4(ip)
		packet.PutBe16(ip[2:], uint16(length-s.l3))
		packet.PutBe16(ip[4:], h.ID()+uint16(s.index))
		h.SetChecksum(0)
		h.SetChecksum(packet.Checksum(ip[:h.HeaderLen()]))
		pseudo = packet.PseudoIPv4(h.Src(), h.Dst(), proto, length-s.l4)
	}
	at := 16
	if proto == packet.ProtoUDP {
		at = 6
	}
	// The headers of TCP and UDP are of even length.
	c := packet.Fold(packet.Sum(payload, packet.Sum(l4, pseudo)))
	if c == 0 {
		c = 0xffff
	}
	packet.PutBe16(l4[at:], c)
}

// adjustTCP moves the sequence number on; FIN and PSH belong to the last
// segment, CWR to the first.
func (s *Segmenter) adjustTCP(tcp []byte, last bool) {
	const fin, psh, cwr = 0x01, 0x08, 0x80
	packet.PutBe32(tcp[4:], packet.TCP(tcp).Seq()+uint32(s.at))
	if !last {
		tcp[13] &^= fin | psh
	}
	if s.index > 0 && s.o.GSOType&gsoECN != 0 {
		tcp[13] &^= cwr
	}
	packet.PutBe16(tcp[16:], 0)
}
