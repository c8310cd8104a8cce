// Package tunnel knows tunnels: what the options of a tunnel port ask for
// (ovs-vswitchd.conf.db(5), Interface, Tunnel Options), which port a packet
// with given outer headers belongs to, and how outer headers are made and read, be
// it for the actions tnl_push and tnl_pop or for sockets. It does
// no I/O.
package tunnel

import (
	"weir/internal/flow"
	"weir/internal/packet"
)

// Kind is what tunnels of one type have in common.
type Kind struct {
	Type string // as in Interface.type
	// Device is the name of the data path's device for it, to which a UDP or TCP
	// destination port is appended where Port is not 0.
	Device     string
	Port       uint16 // the destination port by default; 0: the protocol has none
	L3         bool   // carries packets without Ethernet header unless told otherwise
	Number     uint32 // of the type in tnl_push(header(type=...))
	extensions []string

	// proto is the IP protocol that carries it. appendShim adds what stands
	// between the outer IP or UDP header and the inner packet, popShim reads it;
	// nil where outer headers of the kind can't be made here.
	proto      uint8
	appendShim func(b []byte, c *Config, o *Outer) ([]byte, error)
	popShim    func(b []byte, t *flow.Tunnel) (Popped, error)
}

// Kinds are the types of tunnel that options and translation know. Which of them
// a data path can carry is another matter.
var Kinds = []Kind{
	{Type: "vxlan", Device: "vxlan_sys", Port: 4789, Number: 4, extensions: []string{"gbp", "gpe"},
		proto: packet.ProtoUDP, appendShim: appendVXLAN, popShim: popVXLAN},
	{Type: "geneve", Device: "genev_sys", Port: 6081, Number: 5,
		proto: packet.ProtoUDP, appendShim: appendGeneve, popShim: popGeneve},
	{Type: "gre", Device: "gre_sys", Number: 3,
		proto: packet.ProtoGRE, appendShim: appendGRE, popShim: popAnyGRE},
	{Type: "ip6gre", Device: "ip6gre_sys", Number: 109,
		proto: packet.ProtoGRE, appendShim: appendGRE, popShim: popAnyGRE},
	{Type: "erspan", Device: "erspan_sys", Number: 107,
		proto: packet.ProtoGRE, appendShim: appendERSPAN, popShim: popAnyGRE},
	{Type: "ip6erspan", Device: "ip6erspan_sys", Number: 108,
		proto: packet.ProtoGRE, appendShim: appendERSPAN, popShim: popAnyGRE},
	{Type: "lisp", Device: "lisp_sys", Port: 4341, L3: true},
	{Type: "stt", Device: "stt_sys", Port: 7471},
	{Type: "gtpu", Device: "gtpu_sys", Port: 2152, L3: true, Number: 110,
		proto: packet.ProtoUDP, appendShim: appendGTPU, popShim: popGTPU},
	{Type: "bareudp", Device: "udp_sys", Port: 6635, L3: true, Number: 111},
	{Type: "srv6", Device: "srv6_sys", L3: true},
}

// KindOf finds a type, nil if it isn't one of tunnels.
func KindOf(typ string) *Kind {
	for i := range Kinds {
		if Kinds[i].Type == typ {
			return &Kinds[i]
		}
	}
	return nil
}

// KindOfNumber finds the kind of a number in tnl_push, nil if there is none.
func KindOfNumber(n uint32) *Kind {
	for i := range Kinds {
		if Kinds[i].Number == n && Kinds[i].Native() {
			return &Kinds[i]
		}
	}
	return nil
}

// Native reports whether outer headers of the kind can be pushed and popped
// here, so that no device of the host is needed.
func (k *Kind) Native() bool { return k.appendShim != nil }

// V4 reports whether outer addresses may be IPv4: those of a kind that is named
// after IPv6 may not.
func (k *Kind) V4() bool { return k.Type != "ip6gre" && k.Type != "ip6erspan" }

// Proto is the IP protocol that carries tunnels of the kind.
func (k *Kind) Proto() uint8 { return k.proto }
