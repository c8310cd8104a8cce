package openflow

import "weir/internal/flow"

// HashFields is what a multipath or bundle action hashes.
type HashFields uint16

// The field sets, by their numbers on the wire.
const (
	HashEthSrc HashFields = iota
	HashSymmetricL4
	HashSymmetricL3L4
	HashSymmetricL3L4UDP
	HashNwSrc
	HashNwDst
	HashSymmetricL3
)

// Algorithms of Multipath, by their numbers on the wire.
const (
	MultipathModuloN = iota
	MultipathHashThreshold
	MultipathHRW
	MultipathIterHash
)

// Algorithms of Bundle.
const (
	BundleActiveBackup = iota
	BundleHRW
)

type (
	// Multipath hashes the packet and stores the chosen link in Dst.
	Multipath struct {
		Fields    HashFields
		Basis     uint16
		Algorithm uint16
		MaxLink   uint16 // the highest link
		Arg       uint32
		Dst       Subfield
	}
	// Bundle outputs to one of its members, or stores it in Dst (bundle_load,
	// when Dst.Field is set).
	Bundle struct {
		Fields    HashFields
		Basis     uint16
		Algorithm uint16
		Members   []PortNo
		Dst       Subfield
	}
	// Learn adds a flow made from the packet (ovs-actions(7)).
	Learn struct {
		IdleTimeout, HardTimeout       uint16
		FinIdleTimeout, FinHardTimeout uint16
		Priority                       uint16
		Cookie                         uint64
		TableID                        uint8
		Flags                          LearnFlags
		Limit                          uint32 // NX_LEARN2 only; 0 none
		V2                             bool   // it came as NX_LEARN2
		ResultDst                      Subfield
		Specs                          []LearnSpec
	}
	// LearnSpec is one part of the flow that Learn makes.
	LearnSpec struct {
		Dst     LearnDst
		DstSub  Subfield // of match and load
		FromImm bool
		Src     Subfield   // when not FromImm; for output, the port
		Imm     flow.Value // when FromImm
		NBits   uint16
	}

	// CT sends the packet through connection tracking.
	CT struct {
		Flags   CTFlags
		ZoneImm uint16
		ZoneSrc Subfield // the zone, when its Field is set
		Table   uint8    // CTNoTable: none
		ALG     uint16   // CTALGFTP, CTALGTFTP, 0: none
		Actions []Action // NAT and, inside exec(), SetField and Move
	}
	// NAT translates addresses; it stands inside CT.
	NAT struct {
		Flags            NATFlags
		IPv6             bool
		AddrMin, AddrMax [16]byte // IPv4 in the first four bytes; zero AddrMin: none
		HasAddr          bool
		ProtoMin         uint16
		ProtoMax         uint16
	}
	// CTClear forgets the connection tracking state of the packet.
	CTClear struct{}

	// Sample sends a sample of the packets to IPFIX collectors.
	Sample struct {
		Probability    uint16
		CollectorSetID uint32
		ObsDomainID    uint32
		ObsPointID     uint32
		DomainSrc      Subfield // instead of ObsDomainID, when its Field is set
		PointSrc       Subfield
		SamplingPort   PortNo // PortNone: none
		Direction      uint8  // SampleDefault, SampleIngress, SampleEgress
		Raw            uint8  // the form it came in: 0 or 2 to 4
	}
	// Encap pushes a header.
	Encap struct {
		PacketType uint32
		HdrSize    uint16
		Props      []EncapProp
	}
	// EncapProp is a property of Encap (NSH metadata).
	EncapProp struct {
		Class uint16
		Type  uint8
		Data  []byte
	}
	// Decap pops the outermost header.
	Decap struct{ NewPacketType uint32 }
	// DecNSHTTL decrements the TTL of NSH.
	DecNSHTTL struct{}
	// CheckPktLarger stores in Dst whether the packet is longer than Len bytes.
	CheckPktLarger struct {
		Len uint16
		Dst Subfield
	}
	// DeleteField removes a tun_metadata field.
	DeleteField struct{ Field *flow.Field }
	// DebugSlow sends the packet through the slow path.
	DebugSlow struct{}
	// DebugRecirc recirculates the packet.
	DebugRecirc struct{}
	// UnrollXlate says where the actions after it stand, in lists that the switch
	// puts together of the actions of several rules. It never comes or goes on
	// the wire.
	UnrollXlate struct {
		Table  uint8
		Cookie uint64
	}
)

// LearnDst is what a LearnSpec does with its value.
type LearnDst uint8

// The destinations, by their numbers on the wire.
const (
	LearnMatch LearnDst = iota
	LearnLoad
	LearnOutput
)

// LearnFlags are the flags of Learn.
type LearnFlags uint16

// The flags.
const (
	LearnSendFlowRem   LearnFlags = 1 << 0
	LearnDeleteLearned LearnFlags = 1 << 1
	LearnWriteResult   LearnFlags = 1 << 2
)

// CTFlags are the flags of CT.
type CTFlags uint16

// The flags.
const (
	CTCommit CTFlags = 1 << 0
	CTForce  CTFlags = 1 << 1
)

// Constants of CT.
const (
	CTNoTable = 0xff
	CTALGFTP  = 21
	CTALGTFTP = 69
)

// NATFlags are the flags of NAT.
type NATFlags uint16

// The flags.
const (
	NATSrc         NATFlags = 1 << 0
	NATDst         NATFlags = 1 << 1
	NATPersistent  NATFlags = 1 << 2
	NATProtoHash   NATFlags = 1 << 3
	NATProtoRandom NATFlags = 1 << 4
)

// Directions of Sample.
const (
	SampleDefault = iota
	SampleIngress
	SampleEgress
)

// Packet types of Encap (ovs-actions(7), "The encap action").
const (
	PacketTypeEthernet = 0
	PacketTypeNSH      = 0x1894f
	PacketTypeMPLS     = 0x18847
	PacketTypeMPLSMC   = 0x18848
	// PacketTypeUseNext lets decap find the type of the inner packet.
	PacketTypeUseNext = 0xfffe
)

func (*Multipath) isAction()      {}
func (*Bundle) isAction()         {}
func (*Learn) isAction()          {}
func (*CT) isAction()             {}
func (*NAT) isAction()            {}
func (*CTClear) isAction()        {}
func (*Sample) isAction()         {}
func (*Encap) isAction()          {}
func (*Decap) isAction()          {}
func (*DecNSHTTL) isAction()      {}
func (*CheckPktLarger) isAction() {}
func (*DeleteField) isAction()    {}
func (*DebugSlow) isAction()      {}
func (*DebugRecirc) isAction()    {}
func (*UnrollXlate) isAction()    {}
