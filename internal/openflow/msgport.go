package openflow

import "weir/internal/packet"

// PortConfig is the administrative configuration of a port.
type PortConfig uint32

// Port configuration bits (OpenFlow 1.0, 5.2.1; 1.1 and later keep four).
const (
	PortDown       PortConfig = 1 << 0
	PortNoSTP      PortConfig = 1 << 1 // 1.0
	PortNoRecv     PortConfig = 1 << 2
	PortNoRecvSTP  PortConfig = 1 << 3 // 1.0
	PortNoFlood    PortConfig = 1 << 4 // 1.0
	PortNoFwd      PortConfig = 1 << 5
	PortNoPacketIn PortConfig = 1 << 6
)

// PortState is the state of a port that only the switch changes.
type PortState uint32

// Port states: link, and blocked/live of 1.1; the STP states of 1.0 in bits 8, 9.
const (
	PortLinkDown   PortState = 1 << 0
	PortBlocked    PortState = 1 << 1
	PortLive       PortState = 1 << 2
	PortSTPListen  PortState = 0 << 8
	PortSTPLearn   PortState = 1 << 8
	PortSTPForward PortState = 2 << 8
	PortSTPBlock   PortState = 3 << 8
	PortSTPMask    PortState = 3 << 8
)

// PortFeatures is a set of link modes (OFPPF_*, numbers of OpenFlow 1.1).
type PortFeatures uint32

// The link modes.
const (
	Feature10MbHD PortFeatures = 1 << iota
	Feature10MbFD
	Feature100MbHD
	Feature100MbFD
	Feature1GbHD
	Feature1GbFD
	Feature10GbFD
	Feature40GbFD
	Feature100GbFD
	Feature1TbFD
	FeatureOther
	FeatureCopper
	FeatureFiber
	FeatureAutoneg
	FeaturePause
	FeaturePauseAsym
)

// PortDesc describes a port (ofp_phy_port, ofp_port).
type PortDesc struct {
	PortNo PortNo
	HWAddr packet.MAC
	Name   string
	Config PortConfig
	State  PortState

	Curr, Advertised, Supported, Peer PortFeatures
	CurrSpeed, MaxSpeed               uint32 // kbps
}

// PortStatusReason says what happened to a port.
type PortStatusReason uint8

// The reasons.
const (
	PortAdded PortStatusReason = iota
	PortDeleted
	PortModified
)

// PortStatus tells a controller of a change of a port.
type PortStatus struct {
	Reason PortStatusReason
	Desc   PortDesc
}

// PortMod changes a port's configuration: the bits of Mask become those of Config.
type PortMod struct {
	PortNo    PortNo
	HWAddr    packet.MAC
	Config    PortConfig
	Mask      PortConfig
	Advertise PortFeatures
}

// PortDescRequest asks for PortDescReply; Port is PortNone for all (1.5 may name one).
type PortDescRequest struct{ Port PortNo }

// PortDescReply describes the ports.
type PortDescReply struct{ Ports []PortDesc }

// PortStatsRequest asks for PortStatsReply; Port is PortNone for all.
type PortStatsRequest struct{ Port PortNo }

// PortStatsReply counts what ports did.
type PortStatsReply struct{ Stats []PortStats }

// PortStats are the counters of one port; a counter of ^0 is unknown.
type PortStats struct {
	PortNo                    PortNo
	RxPackets, TxPackets      uint64
	RxBytes, TxBytes          uint64
	RxDropped, TxDropped      uint64
	RxErrors, TxErrors        uint64
	RxFrameErr, RxOverErr     uint64
	RxCRCErr, Collisions      uint64
	HasDuration               bool
	DurationSec, DurationNsec uint32
	// Custom are counters of the device by name (Open vSwitch extension).
	Custom []CustomCounter
	// Sizes are the RFC 2819 counters (Intel extension of Open vSwitch); nil for none.
	RFC2819 *PortStatsRFC2819
}

// CustomCounter is a named counter.
type CustomCounter struct {
	Name  string
	Value uint64
}

// PortStatsRFC2819 are counts of packets by size.
type PortStatsRFC2819 struct {
	Rx1to64, Rx65to127, Rx128to255, Rx256to511, Rx512to1023, Rx1024to1522, Rx1523toMax uint64
	Tx1to64, Tx65to127, Tx128to255, Tx256to511, Tx512to1023, Tx1024to1522, Tx1523toMax uint64
	TxMulticast, RxBroadcast, TxBroadcast                                              uint64
	RxUndersized, RxOversize, RxFragmented, RxJabber                                   uint64
}

// QueueStatsRequest asks for QueueStatsReply. PortNone and QueueAll stand for all.
type QueueStatsRequest struct {
	Port  PortNo
	Queue uint32
}

// QueueAll is every queue of a port.
const QueueAll = 0xffffffff

// QueueStatsReply counts what queues did.
type QueueStatsReply struct{ Stats []QueueStats }

// QueueStats are the counters of one queue.
type QueueStats struct {
	Port                         PortNo
	Queue                        uint32
	TxBytes, TxPackets, TxErrors uint64
	HasDuration                  bool
	DurationSec, DurationNsec    uint32
}

// QueueConfigRequest asks for the queues of a port
// (queue-get-config up to 1.3, queue-desc after).
type QueueConfigRequest struct {
	Port  PortNo
	Queue uint32 // QueueAll, or 1.4 and later a queue
}

// QueueConfigReply lists the queues of ports.
type QueueConfigReply struct {
	Port   PortNo // the port of queue-get-config replies
	Queues []QueueConfig
}

// QueueConfig is the configuration of one queue; rates are in tenths of a
// percent, 0xffff for none.
type QueueConfig struct {
	Port             PortNo
	Queue            uint32
	MinRate, MaxRate uint16
}

func (*PortStatus) isMessage()         {}
func (*PortMod) isMessage()            {}
func (*PortDescRequest) isMessage()    {}
func (*PortDescReply) isMessage()      {}
func (*PortStatsRequest) isMessage()   {}
func (*PortStatsReply) isMessage()     {}
func (*QueueStatsRequest) isMessage()  {}
func (*QueueStatsReply) isMessage()    {}
func (*QueueConfigRequest) isMessage() {}
func (*QueueConfigReply) isMessage()   {}
