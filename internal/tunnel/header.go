package tunnel

import (
	"encoding/binary"
	"errors"
	"fmt"
	"sync/atomic"

	"weir/internal/flow"
	"weir/internal/packet"
)

// MaxHeader is the longest outer header: Ethernet, IPv6, UDP, Geneve with all
// the options that fit.
const MaxHeader = packet.EthLen + packet.IPv6Len + packet.UDPLen + geneveLen + MaxOptions

// MaxShim is the longest header between UDP and the inner packet.
const MaxShim = geneveLen + MaxOptions

// AppendShim appends the header of a kind of tunnel that is UDP's, which follows
// the UDP header.
func (c *Config) AppendShim(b []byte, o *Outer) ([]byte, error) {
	if c.Kind.appendShim == nil || c.Kind.proto != packet.ProtoUDP {
		return nil, ErrNoHeader
	}
	return c.Kind.appendShim(b, c, o)
}

// Outer is what outer headers are made of besides the options of a port.
type Outer struct {
	Src, Dst packet.MAC
	// Tunnel has the addresses, ports, key, TOS and TTL.
	Tunnel *flow.Tunnel
	// PacketType is that of the inner packet, as in flow.Key.
	PacketType uint32
	// Options are those of Geneve as they stand in the header (RFC 8926, 3.5).
	Options []byte
}

// Header is an outer header, from Ethernet up to the inner packet, with zero
// for what depends on the packet: lengths, checksums, the source port. It is
// immutable.
type Header struct {
	Kind  *Kind
	Bytes []byte
	// Seq is the last sequence number of GRE that was used; nil where there are
	// none.
	Seq *atomic.Uint32

	l4 int
	v6 bool
}

// ErrNoHeader says that outer headers of a kind of tunnel can't be made here.
var ErrNoHeader = errors.New("outer headers of this kind of tunnel can't be made in user space")

// NewHeader makes a header of its bytes. It fails where they aren't what
// [Config.Header] makes.
func NewHeader(k *Kind, b []byte) (*Header, error) {
	h := &Header{Kind: k, Bytes: b}
	l3len, proto := packet.IPv4Len, uint8(0)
	switch typ := etherType(b); {
	case typ == packet.EtherTypeIPv4 && len(b) >= packet.EthLen+l3len:
		proto = packet.IPv4(b[packet.EthLen:]).Proto()
	case typ == packet.EtherTypeIPv6 && len(b) >= packet.EthLen+packet.IPv6Len:
		h.v6, l3len = true, packet.IPv6Len
		proto = packet.IPv6(b[packet.EthLen:]).NextHeader()
	default:
		return nil, fmt.Errorf("an outer header of %d bytes has no whole IP header", len(b))
	}
	h.l4 = packet.EthLen + l3len
	shim := h.l4
	if proto == packet.ProtoUDP {
		shim += packet.UDPLen
	}
	if proto != k.proto || len(b) < shim || len(b) < shim+k.shimLen(b[shim:]) || len(b) > MaxHeader {
		return nil, fmt.Errorf("an outer header of %d bytes with protocol %d is none of %s", len(b), proto, k.Type)
	}
	if proto == packet.ProtoGRE && packet.Be16(b[h.l4:])&greSeq != 0 {
		h.Seq = new(atomic.Uint32)
	}
	return h, nil
}

func etherType(b []byte) uint16 {
	if len(b) < packet.EthLen {
		return 0
	}
	return packet.Ethernet(b).Type()
}

// Header makes the outer header of packets that go out by a port.
func (c *Config) Header(o *Outer) (*Header, error) {
	if !c.Kind.Native() {
		return nil, ErrNoHeader
	}
	t := o.Tunnel
	b := make([]byte, 0, 96+len(o.Options))
	b = append(append(b, o.Dst[:]...), o.Src[:]...)
	if t.Dst != 0 {
		b = appendIPv4(b, t, c.Kind.proto)
	} else {
		b = appendIPv6(b, t, c.Kind.proto)
	}
	if c.Kind.proto == packet.ProtoUDP {
		b = append(b, 0, 0, byte(t.TpDst>>8), byte(t.TpDst), 0, 0, 0, 0)
		if t.Flags&flow.TunnelCsum != 0 || t.Dst == 0 { // IPv6 needs it (RFC 8200, 8.1)
			packet.PutBe16(b[len(b)-2:], 0xffff)
		}
	}
	b, err := c.Kind.appendShim(b, c, o)
	if err != nil {
		return nil, err
	}
	h, err := NewHeader(c.Kind, b)
	if err == nil && h.Seq != nil && c.seq != nil {
		h.Seq = c.seq
	}
	return h, err
}

func appendIPv4(b []byte, t *flow.Tunnel, proto uint8) []byte {
	ttl, frag := t.TTL, byte(0)
	if ttl == 0 {
		ttl = DefaultTTL
	}
	if t.Flags&flow.TunnelDF != 0 {
		frag = packet.IPv4DF >> 8
	}
	b = append(b, packet.EtherTypeIPv4>>8, packet.EtherTypeIPv4&0xff)
	b = append(b, 0x45, t.TOS, 0, 0, 0, 0, frag, 0, ttl, proto, 0, 0)
	b = binary.BigEndian.AppendUint32(b, t.Src)
	return binary.BigEndian.AppendUint32(b, t.Dst)
}

func appendIPv6(b []byte, t *flow.Tunnel, proto uint8) []byte {
	ttl := t.TTL
	if ttl == 0 {
		ttl = DefaultTTL
	}
	b = append(b, packet.EtherTypeIPv6>>8, packet.EtherTypeIPv6&0xff)
	b = append(b, 0x60|t.TOS>>4, t.TOS<<4, 0, 0, 0, 0, proto, ttl)
	return append(append(b, t.IPv6Src[:]...), t.IPv6Dst[:]...)
}

// Number is that of the type in the text of tnl_push, where GRE and ERSPAN over
// IPv6 are types of their own.
func (h *Header) Number() uint32 {
	switch {
	case h.v6 && h.Kind.Type == "gre":
		return KindOf("ip6gre").Number
	case h.v6 && h.Kind.Type == "erspan":
		return KindOf("ip6erspan").Number
	}
	return h.Kind.Number
}

// Network is the outer IP header, Transport what follows it.
func (h *Header) Network() []byte { return h.Bytes[packet.EthLen:h.l4] }

// Transport is the outer UDP header, or that of the tunnel itself, with what
// follows.
func (h *Header) Transport() []byte { return h.Bytes[h.l4:] }

// Finish completes the header, a copy of which stands at the beginning of
// frame, before the inner packet: lengths, the source port, an identification
// where the packet may be fragmented, the sequence number, checksums. The inner
// packet must be complete itself, its checksums too, if [Header.Sums].
func (h *Header) Finish(frame []byte, srcPort, id uint16) {
	l4 := frame[h.l4:]
	if h.v6 {
		packet.PutBe16(frame[packet.EthLen+4:], uint16(len(l4)))
	} else {
		ip := packet.IPv4(frame[packet.EthLen:])
		packet.PutBe16(ip[2:], uint16(len(frame)-packet.EthLen))
		if ip.FragOff()&packet.IPv4DF == 0 {
			packet.PutBe16(ip[4:], id)
		}
		ip.SetChecksum(packet.Checksum(ip[:packet.IPv4Len]))
	}
	if h.Kind.proto == packet.ProtoGRE {
		h.finishGRE(l4)
		return
	}
	packet.PutBe16(l4, srcPort)
	packet.PutBe16(l4[4:], uint16(len(l4)))
	if h.Kind.Number == numberGTPU {
		packet.PutBe16(l4[packet.UDPLen+2:], uint16(len(l4)-packet.UDPLen-gtpuLen))
	}
	if !h.Sums() {
		return
	}
	packet.PutBe16(l4[6:], 0)
	c := packet.Fold(packet.Sum(l4, h.pseudo(frame, len(l4))))
	if c == 0 {
		c = 0xffff // 0 would say that there is none (RFC 768)
	}
	packet.PutBe16(l4[6:], c)
}

// Sums reports whether the header has a checksum of all that follows it.
func (h *Header) Sums() bool {
	if h.Kind.proto == packet.ProtoGRE {
		return packet.Be16(h.Bytes[h.l4:])&greCsum != 0
	}
	return packet.Be16(h.Bytes[h.l4+6:]) != 0
}

// Ports reports whether the header has a source port, for the hash of the inner
// packet.
func (h *Header) Ports() bool { return h.Kind.proto == packet.ProtoUDP }

func (h *Header) pseudo(frame []byte, n int) uint64 {
	ip := frame[packet.EthLen:]
	if h.v6 {
		return packet.PseudoIPv6(ip[8:24], ip[24:40], h.Kind.proto, n)
	}
	return packet.PseudoIPv4(packet.Be32(ip[12:]), packet.Be32(ip[16:]), h.Kind.proto, n)
}

// Key is the header as a packet's key, by which the flow tables of the bridge
// that it goes out of see it.
func (h *Header) Key(k *flow.Key) { flow.Extract(h.whole(), k) }

// whole is the header as a packet that is whole by itself, for the parser.
func (h *Header) whole() []byte {
	b := append(make([]byte, 0, len(h.Bytes)), h.Bytes...)
	h2 := *h
	h2.Seq = nil
	h2.Finish(b, 0, 0)
	return b
}
