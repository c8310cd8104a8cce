package openflow

// Role is the role of a controller.
type Role uint32

// The roles (OpenFlow 1.2, A.3.9). NXT_ROLE_* has "other" instead of equal and
// counts from zero, so RoleNoChange doesn't exist there.
const (
	RoleNoChange Role = iota
	RoleEqual         // "other" in the Nicira extension
	RolePrimary
	RoleSecondary
)

type (
	// RoleRequest asks for a role; NX for NXT_ROLE_REQUEST.
	RoleRequest struct {
		NX             bool
		Role           Role
		HaveGeneration bool
		GenerationID   uint64
	}
	// RoleReply tells the role of a connection.
	RoleReply struct {
		NX             bool
		Role           Role
		HaveGeneration bool
		GenerationID   uint64
	}
	// RoleStatus tells a controller that its role changed (1.4, or ONF 1.3).
	RoleStatus struct {
		Role         Role
		Reason       RoleStatusReason
		GenerationID uint64
	}
)

// RoleStatusReason is the reason of a RoleStatus.
type RoleStatusReason uint8

// The reasons.
const (
	RolePrimaryRequest RoleStatusReason = iota
	RoleConfig
	RoleExperimenter
)

// AsyncType is a kind of asynchronous message.
type AsyncType uint8

// The kinds.
const (
	AsyncPacketIn AsyncType = iota
	AsyncPortStatus
	AsyncFlowRemoved
	AsyncRoleStatus
	AsyncTableStatus
	AsyncRequestForward
	NumAsync
)

// AsyncConfig says by kind which reasons (bitmap of 1<<reason) a controller
// wants: as primary or equal, and as secondary.
type AsyncConfig struct {
	Primary   [NumAsync]uint32
	Secondary [NumAsync]uint32
}

type (
	// GetAsyncRequest asks for GetAsyncReply.
	GetAsyncRequest struct{}
	// GetAsyncReply tells the asynchronous configuration.
	GetAsyncReply struct{ Config AsyncConfig }
	// SetAsync changes it. Set has one bit 1<<AsyncType per kind and role
	// (secondary above bit 16) that the message holds.
	SetAsync struct {
		Config AsyncConfig
		Set    uint32
		NX2    bool // NXT_SET_ASYNC_CONFIG2
	}
)

// BundleCtrlType is the type of a BundleControl.
type BundleCtrlType uint16

// The types.
const (
	BundleOpenRequest BundleCtrlType = iota
	BundleOpenReply
	BundleCloseRequest
	BundleCloseReply
	BundleCommitRequest
	BundleCommitReply
	BundleDiscardRequest
	BundleDiscardReply
)

// Bundle flags.
const (
	BundleAtomic  = 1 << 0
	BundleOrdered = 1 << 1
)

type (
	// BundleControl opens, closes, commits or discards a bundle.
	BundleControl struct {
		ID    uint32
		Type  BundleCtrlType
		Flags uint16
	}
	// BundleAdd puts a message into a bundle. Raw is the whole message.
	BundleAdd struct {
		ID    uint32
		Flags uint16
		Raw   []byte
	}
	// RequestForward carries a group or meter mod of one controller to the
	// others. Raw is the whole message.
	RequestForward struct {
		Raw []byte
	}
)

// FlowMonitorFlags are the flags of a flow monitor request.
type FlowMonitorFlags uint16

// The flags, with the numbers of OpenFlow 1.4.
const (
	MonitorInitial      FlowMonitorFlags = 1 << 0
	MonitorAdd          FlowMonitorFlags = 1 << 1
	MonitorRemoved      FlowMonitorFlags = 1 << 2
	MonitorModify       FlowMonitorFlags = 1 << 3
	MonitorInstructions FlowMonitorFlags = 1 << 4 // actions in updates
	MonitorNoAbbrev     FlowMonitorFlags = 1 << 5
	MonitorOnlyOwn      FlowMonitorFlags = 1 << 6
)

// FlowMonitorCommand is what a flow monitor request does (1.4).
type FlowMonitorCommand uint8

// The commands.
const (
	MonitorCmdAdd FlowMonitorCommand = iota
	MonitorCmdModify
	MonitorCmdDelete
)

type (
	// FlowMonitorRequest starts monitors. One message holds several.
	FlowMonitorRequest struct{ Monitors []FlowMonitor }
	// FlowMonitor is one monitor.
	FlowMonitor struct {
		ID       uint32
		Command  FlowMonitorCommand
		Flags    FlowMonitorFlags
		OutPort  PortNo
		OutGroup uint32
		TableID  uint8
		Match    Match
	}
	// FlowMonitorReply tells what happened to flows.
	FlowMonitorReply struct{ Updates []FlowUpdate }
	// FlowUpdate is one event of a flow monitor.
	FlowUpdate struct {
		Event       FlowUpdateEvent
		Reason      FlowRemovedReason // of a deletion
		Xid         uint32            // of an abbreviation
		IdleTimeout uint16
		HardTimeout uint16
		TableID     uint8
		Priority    uint16
		Cookie      uint64
		Match       Match
		Actions     []Action
	}
	// FlowMonitorCancel ends a monitor.
	FlowMonitorCancel struct{ ID uint32 }
	// FlowMonitorPaused says that updates stop for want of buffers.
	FlowMonitorPaused struct{}
	// FlowMonitorResumed says that they go on.
	FlowMonitorResumed struct{}
)

// FlowUpdateEvent is the kind of a FlowUpdate.
type FlowUpdateEvent uint16

// The events, with the numbers of NXFME_*.
const (
	UpdateAdded FlowUpdateEvent = iota
	UpdateDeleted
	UpdateModified
	UpdateAbbrev
	UpdateInitial
	UpdatePaused
	UpdateResumed
)

func (*RoleRequest) isMessage()        {}
func (*RoleReply) isMessage()          {}
func (*RoleStatus) isMessage()         {}
func (*GetAsyncRequest) isMessage()    {}
func (*GetAsyncReply) isMessage()      {}
func (*SetAsync) isMessage()           {}
func (*BundleControl) isMessage()      {}
func (*BundleAdd) isMessage()          {}
func (*RequestForward) isMessage()     {}
func (*FlowMonitorRequest) isMessage() {}
func (*FlowMonitorReply) isMessage()   {}
func (*FlowMonitorCancel) isMessage()  {}
func (*FlowMonitorPaused) isMessage()  {}
func (*FlowMonitorResumed) isMessage() {}
