package datapath

import (
	"time"

	"weir/internal/flow"
	"weir/internal/netdev"
)

// SlowReason is a set of reasons for which a flow's packets must be handled
// by the switch itself, as bits. Their names stand in dumps: slow_path(cfm).
type SlowReason uint32

// Reasons, in the order of their bits.
const (
	SlowCFM SlowReason = 1 << iota
	SlowBFD
	SlowLACP
	SlowSTP
	SlowLLDP
	SlowAction // actions that the data path can't do
	SlowMatch  // a match that the data path can't do
)

// CookieKind says what a Userspace action wants of the switch.
type CookieKind uint8

// Kinds of cookie.
const (
	CookieSlowPath   CookieKind = iota + 1 // translate the packet and execute the result
	CookieController                       // send a packet-in
	CookieSFlow
	CookieFlowSample
	CookieIPFIX
	// CookieWatch shows the packet to those that watch (Watcher); Bridge is the
	// UFID of its flow. It never reaches the switch.
	CookieWatch
)

// Cookie travels with a packet from a Userspace action to the switch. It is
// comparable and holds no pointer, so that every provider can carry it.
type Cookie struct {
	Kind CookieKind
	// Slow path.
	Slow   SlowReason
	InPort uint32 // OpenFlow input port
	Bridge [16]byte
	// Controller.
	RecircID     uint32
	RuleCookie   uint64
	ControllerID uint16
	MaxLen       uint16
	Reason       uint8
	DontSend     bool
	Continuation bool
	// SFlow.
	VLANTCI uint16
	Output  uint32 // also the output port of CookieFlowSample and CookieIPFIX
	// FlowSample.
	Probability         uint16
	CollectorSet        uint32
	ObsDomain, ObsPoint uint32
	SampleDirection     uint8 // SampleIngress, SampleEgress or 0
}

// Values of Cookie.SampleDirection.
const (
	SampleIngress = 1
	SampleEgress  = 2
)

// UFID names a flow within a data path. A zero UFID is none: the key names the flow.
type UFID [16]byte

// Stats of a flow. Used is zero when the flow was never used.
type Stats struct {
	Packets  uint64
	Bytes    uint64
	Used     time.Time
	TCPFlags uint16
}

// Flow is a megaflow as a provider holds it. Only the words from
// flow.FirstDatapathWord on count in Key and Mask; InPort is a data path port.
type Flow struct {
	UFID    UFID
	Key     flow.Key
	Mask    flow.Mask
	Actions []Action
	Stats   Stats
	// Owner is what the switch keeps of the flow, nil for a flow that somebody
	// else installed. A data path keeps it beside the flow and gives it back.
	Owner any
	// Where the flow lives: "ovs" for a software data path, "tc" and so on.
	Layer string
}

// UpcallKind says why a packet comes up.
type UpcallKind uint8

// Kinds of upcall.
const (
	UpcallMiss   UpcallKind = iota + 1 // no flow matched
	UpcallAction                       // a Userspace action
)

// Upcall is a packet that a data path hands to the switch. Packet belongs to
// the data path and is valid only until the handler returns.
type Upcall struct {
	Kind   UpcallKind
	Packet *netdev.Packet
	Key    *flow.Key // as extracted; InPort is a data path port
	Cookie Cookie    // of a UpcallAction
	// UserActions are the actions of the Userspace action, if it had any.
	UserActions []Action
}

// Verdict is the handler's answer to a miss: run Actions on the packet, and if
// Install is set, keep them for every packet that matches Mask. The slices and
// masks pass to the data path, which must not change them.
type Verdict struct {
	Actions []Action
	Mask    *flow.Mask
	UFID    UFID
	Owner   any
	Install bool
}

// UpcallHandler translates a miss, or acts on an upcall of a Userspace action
// (for which the Verdict is ignored). Workers of a data path call it
// concurrently; it must not block on one of them.
type UpcallHandler interface {
	HandleUpcall(u *Upcall) Verdict
	// Installed tells the outcome of an installation that a Verdict asked for.
	Installed(u *Upcall, v *Verdict, err error)
	// Removed tells that a flow with an owner has gone, by whatever call, and
	// what it has counted in all. It is called once for each, with no lock of
	// the data path held.
	Removed(owner any, stats Stats)
}

// Port is a device attached to a data path.
type Port struct {
	No     PortNo
	Name   string
	Type   string // as in Interface.type, "system" for the empty type
	Device netdev.Device
}

// PutMode says what FlowPut may do.
type PutMode uint8

// Bits of PutMode.
const (
	PutCreate PutMode = 1 << iota
	PutModify
	PutZeroStats
)

// DPStats counts lookups since the data path was made.
type DPStats struct {
	Hit, Missed, Lost uint64
	Flows             uint64
	MaskHit           uint64
	Masks             uint32
	CacheHit          uint64
}

// FlowStats is what a dump of statistics shows of a flow.
type FlowStats struct {
	Owner any
	UFID  UFID
	Stats Stats
}

// Datapath forwards packets between its ports by flows that the switch
// installs. Every method may be called from any goroutine. Errors are
// fs.ErrExist and fs.ErrNotExist where a port or flow is there already or
// isn't, and say which.
type Datapath interface {
	// Type is the provider ("netdev", "system", "ebpf", "dummy"), Name the
	// data path's own ("ovs-netdev").
	Type() string
	Name() string
	Features() Features
	Stats() DPStats

	// PortOpenType is the type of device to open for a port of type typ:
	// "internal" is a tap in user space and dummy-internal in tests.
	PortOpenType(typ string) string
	// PortAdd attaches an open device; no is a wish, PortNone for any. The
	// device stays the caller's to close, after PortDel.
	PortAdd(dev netdev.Device, typ string, no PortNo) (PortNo, error)
	PortDel(no PortNo) error
	Ports() []Port
	// Namer names the ports that there are now. It costs nothing to ask for.
	Namer() *Namer

	FlowPut(f *Flow, mode PutMode) error
	FlowDel(ufid UFID, key *flow.Key) (Stats, error)
	FlowGet(ufid UFID, key *flow.Key) (*Flow, error)
	// FlowDump calls yield for every flow until it returns false. Flows that
	// come and go meanwhile may or may not be seen; none is seen twice.
	FlowDump(yield func(*Flow) bool)
	// DumpStats is FlowDump of the statistics alone, in batches: it fills batch
	// and calls yield with what is in it, which is valid only until yield returns.
	DumpStats(batch []FlowStats, yield func([]FlowStats) bool)
	// FlowOwn gives a flow that has no owner one, and returns the flow.
	FlowOwn(ufid UFID, owner any) (*Flow, error)
	FlowFlush() error

	// Execute runs actions on a packet as if it had come in on key.InPort.
	// needsHelp actions the provider lacks are the caller's to do.
	Execute(pkt *netdev.Packet, key *flow.Key, actions []Action) error

	// SetUpcallHandler connects the switch; nil drops misses.
	SetUpcallHandler(h UpcallHandler)
	// Close stops the workers and frees all that the data path holds.
	Close() error
}
