package openflow

import "weir/internal/flow"

type (
	// FlowModTableID turns table ids in OpenFlow 1.0 flow mods on or off.
	FlowModTableID struct{ Set bool }
	// SetFlowFormat chooses standard or NXM matches in OpenFlow 1.0.
	SetFlowFormat struct{ NXM bool }
	// SetPacketInFormat chooses how packets come to this controller.
	SetPacketInFormat struct{ Format PacketInFormat }
	// FlowAge asks for idle and hard ages in flow statistics.
	FlowAge struct{}
	// SetControllerID names the connection for controller(id=).
	SetControllerID struct{ ID uint16 }

	// TLVTableMod changes the map from Geneve options to tun_metadata fields.
	TLVTableMod struct {
		Command TLVCommand
		Maps    []TLVMap
	}
	// TLVTableRequest asks for TLVTableReply.
	TLVTableRequest struct{}
	// TLVTableReply tells the map.
	TLVTableReply struct {
		MaxSpace  uint32
		MaxFields uint16
		Maps      []TLVMap
	}
	// TLVMap is one option.
	TLVMap = flow.TLVMap

	// CTFlushZone flushes the connections of a zone.
	CTFlushZone struct{ Zone uint16 }
	// CTFlush flushes connections by tuple (Open vSwitch 3.1).
	CTFlush struct {
		IPProto     uint8
		Zone        uint16
		HaveZone    bool
		Orig, Reply CTTuple
		// Since Open vSwitch 3.3.
		Mark, MarkMask     uint32
		Labels, LabelsMask [16]byte
	}
	// CTTuple is one direction of a connection; unset members match anything.
	CTTuple struct {
		Src, Dst         [16]byte // IPv4 as IPv4-mapped
		SrcPort, DstPort uint16
		ICMPID           uint16
		ICMPType         uint8
		ICMPCode         uint8
		HaveICMPType     bool
		HaveICMPCode     bool
	}

	// IPFIXBridgeStatsRequest asks for IPFIXStatsReply.
	IPFIXBridgeStatsRequest struct{}
	// IPFIXFlowStatsRequest asks for IPFIXStatsReply.
	IPFIXFlowStatsRequest struct{}
	// IPFIXStatsReply counts what IPFIX exporters did.
	IPFIXStatsReply struct {
		Flow  bool // of per-flow sampling
		Stats []IPFIXStats
	}
	// IPFIXStats are the counters of an exporter.
	IPFIXStats struct {
		CollectorSetID                                uint32
		TotalFlows, CurrentFlows                      uint64
		Packets, IPv4Packets, IPv6Packets             uint64
		ErrorPackets, IPv4ErrorPackets, IPv6ErrorPkts uint64
		TxPackets, TxErrors                           uint64
	}
)

// TLVCommand is the command of a TLVTableMod.
type TLVCommand uint16

// The commands.
const (
	TLVAdd TLVCommand = iota
	TLVDelete
	TLVClear
)

func (*FlowModTableID) isMessage()          {}
func (*SetFlowFormat) isMessage()           {}
func (*SetPacketInFormat) isMessage()       {}
func (*FlowAge) isMessage()                 {}
func (*SetControllerID) isMessage()         {}
func (*TLVTableMod) isMessage()             {}
func (*TLVTableRequest) isMessage()         {}
func (*TLVTableReply) isMessage()           {}
func (*CTFlushZone) isMessage()             {}
func (*CTFlush) isMessage()                 {}
func (*IPFIXBridgeStatsRequest) isMessage() {}
func (*IPFIXFlowStatsRequest) isMessage()   {}
func (*IPFIXStatsReply) isMessage()         {}
