package openflow

import "weir/internal/flow"

// Match is flow.Match.
type Match = flow.Match

// Message is an OpenFlow message in version-neutral form, as a pointer to one
// of the message types of this package.
type Message interface{ isMessage() }

// MsgHeader is what every message starts with.
type MsgHeader struct {
	Version Version
	Type    uint8
	Length  int
	Xid     uint32
	// More: this multipart message is followed by another of the same xid.
	More bool
}

type (
	// Hello opens a connection. Versions is what the sender speaks; from a
	// hello without a bitmap it is every version up to that of the header.
	Hello struct {
		Versions VersionSet
		Unknown  bool // the message held more than was understood
	}

	// EchoRequest asks for an EchoReply with the same data.
	EchoRequest struct{ Data []byte }
	// EchoReply answers an EchoRequest.
	EchoReply struct{ Data []byte }

	// FeaturesRequest asks for FeaturesReply.
	FeaturesRequest struct{}
	// FeaturesReply describes the switch. Ports are in it up to OpenFlow 1.2
	// (later versions use PortDescRequest); HasPorts says whether they all are.
	FeaturesReply struct {
		DatapathID   uint64
		NumBuffers   uint32
		NumTables    uint8
		AuxiliaryID  uint8
		Capabilities Capabilities
		Actions      uint32 // OpenFlow 1.0: bitmap of OFPAT10_*
		Ports        []PortDesc
	}

	// GetConfigRequest asks for GetConfigReply.
	GetConfigRequest struct{}
	// GetConfigReply is the switch's configuration.
	GetConfigReply struct{ SwitchConfig }
	// SetConfig changes it.
	SetConfig struct{ SwitchConfig }

	// BarrierRequest asks that everything sent before be done first.
	BarrierRequest struct{}
	// BarrierReply says that it is.
	BarrierReply struct{}
)

// SwitchConfig is the fragment handling and miss_send_len of a switch.
type SwitchConfig struct {
	Frags FragHandling
	// InvalidTTLToController: send packets whose TTL expired to controllers
	// (OpenFlow 1.1 and 1.2).
	InvalidTTLToController bool
	MissSendLen            uint16
}

// FragHandling is how a switch treats IP fragments.
type FragHandling uint8

// The ways to handle fragments (ovs-ofctl set-frags).
const (
	FragNormal FragHandling = iota
	FragDrop
	FragReassemble
	FragNXMatch
)

// Capabilities is the version-neutral set of capabilities of FeaturesReply.
type Capabilities uint32

// The capabilities.
const (
	CapFlowStats   Capabilities = 1 << 0
	CapTableStats  Capabilities = 1 << 1
	CapPortStats   Capabilities = 1 << 2
	CapSTP         Capabilities = 1 << 3 // OpenFlow 1.0
	CapGroupStats  Capabilities = 1 << 3 << 16
	CapIPReasm     Capabilities = 1 << 5
	CapQueueStats  Capabilities = 1 << 6
	CapARPMatchIP  Capabilities = 1 << 7 // OpenFlow 1.0 and 1.1
	CapPortBlocked Capabilities = 1 << 8 // OpenFlow 1.2 and later
	CapBundles     Capabilities = 1 << 9 // OpenFlow 1.5
	CapFlowMonitor Capabilities = 1 << 10
)

// FlowModCommand says what a FlowMod does.
type FlowModCommand uint8

// Flow mod commands (OpenFlow 1.0, 5.3.3).
const (
	FlowAdd FlowModCommand = iota
	FlowModify
	FlowModifyStrict
	FlowDelete
	FlowDeleteStrict
)

// FlowFlags are the flags of a flow and of a flow mod.
type FlowFlags uint16

// Flow flags: those of OpenFlow 1.5 and, above, that of 1.0 alone and those
// that the switch keeps for itself.
const (
	FlowSendRem      FlowFlags = 1 << 0
	FlowCheckOverlap FlowFlags = 1 << 1
	FlowResetCounts  FlowFlags = 1 << 2
	FlowNoPktCounts  FlowFlags = 1 << 3
	FlowNoBytCounts  FlowFlags = 1 << 4
	FlowEmerg        FlowFlags = 1 << 8 // OpenFlow 1.0: emergency flow, unsupported
	FlowHiddenFields FlowFlags = 1 << 9 // internal: may match and set hidden fields
	FlowNoReadonly   FlowFlags = 1 << 10
)

// TableAny is the table id that means "every table" or "choose one".
const TableAny = 0xff

// Group numbers (OpenFlow 1.1, A.2.1).
const (
	GroupMax = 0xffffff00
	GroupAll = 0xfffffffc
	GroupAny = 0xffffffff
)

// NoBuffer is the buffer id of a packet that is not buffered.
const NoBuffer = 0xffffffff

// FlowMod adds, modifies or deletes flows.
type FlowMod struct {
	Match    Match
	Priority uint16
	// Cookie is matched under CookieMask on modify and delete. NewCookie is the
	// cookie to set on add, and on modify when ModifyCookie.
	Cookie, CookieMask uint64
	NewCookie          uint64
	ModifyCookie       bool
	TableID            uint8 // TableAny when the message has none
	Command            FlowModCommand
	IdleTimeout        uint16 // seconds, 0: never
	HardTimeout        uint16 // seconds, 0: never
	BufferID           uint32
	OutPort            PortNo // PortNone: any
	OutGroup           uint32 // GroupAny: any
	Flags              FlowFlags
	Importance         uint16
	// Origin is who sends it, as a number that the receiver gives; not on the wire.
	Origin  uint16
	Actions []Action
}

// PacketInReason says why a packet came to the controller.
type PacketInReason uint8

// The reasons, with the numbers of OpenFlow 1.4 and, above, those of Open vSwitch.
const (
	ReasonNoMatch     PacketInReason = 0
	ReasonAction      PacketInReason = 1
	ReasonInvalidTTL  PacketInReason = 2
	ReasonActionSet   PacketInReason = 3
	ReasonGroup       PacketInReason = 4
	ReasonPacketOut   PacketInReason = 5
	ReasonExplicit    PacketInReason = 6 // the table-miss flow; ReasonAction on the wire before 1.3, then ReasonNoMatch
	ReasonImplicit    PacketInReason = 7 // no flow at all; ReasonNoMatch on the wire
	NumPacketInReason                = 8
)

// PacketInFormat is the message that carries packets to a controller.
type PacketInFormat uint8

// The formats, by their numbers in NXT_SET_PACKET_IN_FORMAT.
const (
	PacketInStd  PacketInFormat = 0
	PacketInNXT  PacketInFormat = 1
	PacketInNXT2 PacketInFormat = 2
)

// PacketIn carries a packet to a controller.
type PacketIn struct {
	Format   PacketInFormat
	BufferID uint32
	TotalLen int // length of the packet before truncation to len(Data)
	Reason   PacketInReason
	TableID  uint8
	Cookie   uint64 // ^0 when the format or version has none
	// Metadata is the packet's pipeline metadata: in_port at least.
	Metadata Match
	Data     []byte
	// NXT_PACKET_IN2 only.
	Userdata     []byte
	Continuation *Continuation // the rest of a paused translation, nil for none
}

// Continuation is the frozen state of a packet paused by
// controller(pause): properties of NXCPT_* that NXT_RESUME sends back as they are.
type Continuation struct {
	// Raw is the encoded properties (after the header of the property
	// NXPINT_CONTINUATION), opaque to controllers.
	Raw []byte
}

// PacketOut sends a packet.
type PacketOut struct {
	BufferID uint32
	Metadata Match // in_port at least
	Actions  []Action
	Data     []byte
}

// Resume continues a packet that NXT_PACKET_IN2 paused (NXT_RESUME).
type Resume struct{ PacketIn }

// FlowRemovedReason says why a flow went away.
type FlowRemovedReason uint8

// The reasons (OpenFlow 1.5.1, 7.4.2; eviction as 1.4's number).
const (
	RemovedIdle FlowRemovedReason = iota
	RemovedHard
	RemovedDelete
	RemovedGroupDelete
	RemovedMeterDelete
	RemovedEviction
)

// FlowRemoved tells a controller that a flow ended.
type FlowRemoved struct {
	NXM          bool // NXT_FLOW_REMOVED (OpenFlow 1.0)
	Match        Match
	Priority     uint16
	Cookie       uint64
	Reason       FlowRemovedReason
	TableID      uint8 // TableAny when the message has none
	DurationSec  uint32
	DurationNsec uint32
	IdleTimeout  uint16
	HardTimeout  uint16
	Packets      uint64 // ^0: unknown
	Bytes        uint64
}

func (*Hello) isMessage()            {}
func (*EchoRequest) isMessage()      {}
func (*EchoReply) isMessage()        {}
func (*FeaturesRequest) isMessage()  {}
func (*FeaturesReply) isMessage()    {}
func (*GetConfigRequest) isMessage() {}
func (*GetConfigReply) isMessage()   {}
func (*SetConfig) isMessage()        {}
func (*BarrierRequest) isMessage()   {}
func (*BarrierReply) isMessage()     {}
func (*FlowMod) isMessage()          {}
func (*PacketIn) isMessage()         {}
func (*PacketOut) isMessage()        {}
func (*Resume) isMessage()           {}
func (*FlowRemoved) isMessage()      {}
