// Package datapath is the vocabulary of a data path: ports, flows, actions,
// upcalls and their text form (ovs-dpctl(8)), the Datapath interface that its
// providers implement, and the suite of tests that each provider passes.
package datapath

import (
	"iter"
	"net/netip"

	"weir/internal/flow"
	"weir/internal/packet"
	"weir/internal/tunnel"
)

// PortNo numbers the ports of one data path. Port 0 is the local port of the
// data path itself.
type PortNo uint32

// PortNone is no port at all.
const PortNone PortNo = 0xffffffff

// Action is one data path action, as a pointer to one of the types below.
// Actions are immutable once installed.
type Action interface{ isAction() }

type (
	// Output sends the packet, as it now is, out of a port.
	Output struct{ Port PortNo }
	// Userspace hands the packet to the switch with a cookie: a slow-path
	// flow, or a packet-in to a controller. PID is the Netlink port of a kernel
	// data path, 0 elsewhere. Data is user data that is no known cookie (then
	// Cookie.Kind is 0). WithActions asks that the flow's actions come along,
	// TunOutPort that the tunnel metadata of that port do (0 or PortNone: no).
	Userspace struct {
		PID         uint32
		Cookie      Cookie
		Data        []byte
		WithActions bool
		TunOutPort  PortNo
	}
	// PushVLAN pushes a tag.
	PushVLAN struct {
		TPID uint16
		TCI  uint16 // with flow.VLANPresent
	}
	// PopVLAN pops the outer tag.
	PopVLAN struct{}
	// PushMPLS pushes a label stack entry; the frame's EtherType becomes EthType.
	PushMPLS struct {
		LSE     uint32
		EthType uint16
	}
	// PopMPLS pops the outer label; the EtherType becomes EthType.
	PopMPLS struct{ EthType uint16 }
	// SetEthernet sets the masked bits of the addresses.
	SetEthernet struct{ Src, SrcMask, Dst, DstMask packet.MAC }
	// SetIPv4 sets the masked bits of the header and keeps checksums right.
	SetIPv4 struct {
		Src, SrcMask, Dst, DstMask uint32
		TOS, TOSMask, TTL, TTLMask uint8
	}
	// SetIPv6 sets the masked bits of the header and keeps checksums right.
	SetIPv6 struct {
		Src, SrcMask, Dst, DstMask [16]byte
		Label, LabelMask           uint32
		TClass, TClassMask         uint8
		Hlimit, HlimitMask         uint8
	}
	// SetL4 sets the masked bits of TCP, UDP or SCTP ports, or of ICMP type and
	// code; Proto says which header.
	SetL4 struct {
		Proto                      uint8
		Src, SrcMask, Dst, DstMask uint16
	}
	// SetARP sets the masked bits of an ARP packet.
	SetARP struct {
		SPA, SPAMask, TPA, TPAMask uint32
		Op, OpMask                 uint16
		SHA, SHAMask, THA, THAMask packet.MAC
	}
	// SetND sets the masked bits of a neighbour discovery packet.
	SetND struct {
		Target, TargetMask         [16]byte
		SLL, SLLMask, TLL, TLLMask packet.MAC
	}
	// SetNDExt sets the masked bits of a neighbour discovery packet that nd_ext
	// matches: the flags and reserved bits, and the type of the option that
	// flow.Key.NDOptionsType tells of.
	SetNDExt struct {
		Reserved, ReservedMask       uint32
		OptionsType, OptionsTypeMask uint8
	}
	// SetMPLS sets the masked bits of the outer label stack entry.
	SetMPLS struct{ LSE, Mask uint32 }
	// SetTunnel sets the tunnel metadata for the output that follows.
	SetTunnel struct {
		Tunnel  flow.Tunnel
		Options []byte // of Geneve, as they stand in its header
	}
	// SetPriority sets the packet's queueing priority.
	SetPriority struct{ Priority, Mask uint32 }
	// SetMark sets the packet's mark.
	SetMark struct{ Mark, Mask uint32 }
	// Recirc looks the packet up again with this recirculation id.
	Recirc struct{ ID uint32 }
	// Hash computes dp_hash.
	Hash struct{ Alg, Basis uint32 }
	// Trunc cuts the packet for the next output.
	Trunc struct{ MaxLen uint32 }
	// Sample runs Actions with probability Probability/2^32.
	Sample struct {
		Probability uint32
		Actions     []Action
	}
	// Clone runs Actions on a copy.
	Clone struct{ Actions []Action }
	// Meter applies a meter.
	Meter struct{ ID uint32 }
	// PushEthernet puts an Ethernet header before a layer-3 packet.
	PushEthernet struct{ Src, Dst packet.MAC }
	// PopEthernet takes the Ethernet header off.
	PopEthernet struct{}
	// PushNSH puts a Network Service Header (RFC 8300) before the packet, which
	// becomes its payload. Metadata is what follows the base and path headers
	// where the header's MD type is 2.
	PushNSH struct {
		Header   flow.NSH
		Metadata string
	}
	// PopNSH takes the Network Service Header off.
	PopNSH struct{}
	// SetNSH sets the masked bits of the header.
	SetNSH struct{ Header, Mask flow.NSH }
	// AddMPLS pushes a label stack entry before all of the packet, its Ethernet
	// header too if it has one.
	AddMPLS struct {
		LSE     uint32
		EthType uint16
	}
	// LBOutput sends the packet out of the member of a bond that its hash picks.
	LBOutput struct{ BondID uint32 }
	// TunnelPush puts outer headers before the packet, which then is one of the
	// bridge whose port OutPort they are from. Port is that of the tunnel.
	TunnelPush struct {
		Port, OutPort PortNo
		Header        *tunnel.Header
	}
	// TunnelPop decapsulates the packet and looks it up again on a tunnel port.
	TunnelPop struct{ Port PortNo }
	// CheckPktLen runs Greater on packets longer than Size bytes, else LessEqual.
	CheckPktLen struct {
		Size               uint16
		Greater, LessEqual []Action
	}
	// CT sends the packet through the connection tracker.
	CT struct {
		Commit, Force    bool
		Zone             uint16
		Mark, MarkMask   uint32
		Label, LabelMask [16]byte // network order
		Helper, Timeout  string
		NAT              *NAT
	}
	// CTClear forgets the connection of the packet.
	CTClear struct{}
	// Drop ends the packet with a reason; an empty action list drops silently.
	Drop struct{ Reason uint32 }
)

// Hash algorithms of Hash.Alg.
const (
	HashL4    = 0
	HashSymL4 = 1
)

// NAT is the translation that a CT action asks for. Neither Src nor Dst set
// means: translate only as an existing connection says.
type NAT struct {
	Src, Dst                 bool
	MinAddr, MaxAddr         netip.Addr // invalid: none given
	MinPort, MaxPort         uint16     // 0: none given
	Persistent, Hash, Random bool
}

func (*PushEthernet) isAction() {}
func (*PopEthernet) isAction()  {}
func (*AddMPLS) isAction()      {}
func (*PushNSH) isAction()      {}
func (*PopNSH) isAction()       {}
func (*SetNSH) isAction()       {}
func (*LBOutput) isAction()     {}
func (*TunnelPush) isAction()   {}
func (*TunnelPop) isAction()    {}
func (*CheckPktLen) isAction()  {}
func (*CT) isAction()           {}
func (*CTClear) isAction()      {}
func (*Output) isAction()       {}
func (*Userspace) isAction()    {}
func (*PushVLAN) isAction()     {}
func (*PopVLAN) isAction()      {}
func (*PushMPLS) isAction()     {}
func (*PopMPLS) isAction()      {}
func (*SetEthernet) isAction()  {}
func (*SetIPv4) isAction()      {}
func (*SetIPv6) isAction()      {}
func (*SetL4) isAction()        {}
func (*SetARP) isAction()       {}
func (*SetND) isAction()        {}
func (*SetNDExt) isAction()     {}
func (*SetMPLS) isAction()      {}
func (*SetTunnel) isAction()    {}
func (*SetPriority) isAction()  {}
func (*SetMark) isAction()      {}
func (*Recirc) isAction()       {}
func (*Hash) isAction()         {}
func (*Trunc) isAction()        {}
func (*Sample) isAction()       {}
func (*Clone) isAction()        {}
func (*Meter) isAction()        {}
func (*Drop) isAction()         {}

// All are the actions of a list in their order, and behind those that hold lists,
// whether they run or not, the actions in these.
func All(actions []Action) iter.Seq[Action] {
	return func(yield func(Action) bool) { walk(actions, yield) }
}

func walk(actions []Action, yield func(Action) bool) bool {
	for _, a := range actions {
		more := yield(a)
		switch a := a.(type) {
		case *Clone:
			more = more && walk(a.Actions, yield)
		case *Sample:
			more = more && walk(a.Actions, yield)
		case *CheckPktLen:
			more = more && walk(a.Greater, yield) && walk(a.LessEqual, yield)
		}
		if !more {
			return false
		}
	}
	return true
}

// Sizes of the Network Service Header (RFC 8300), in bytes: without metadata,
// with that of MD type 1, and the most that MD type 2 can have.
const (
	NSHBaseLen     = 8
	NSHType1Len    = 24
	MaxNSHMetadata = 248
)
