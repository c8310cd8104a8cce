// Package openflow is the version-neutral model of OpenFlow 1.0 to 1.5 with
// the Nicira extensions: messages, actions and instructions, the codecs that
// put them on the wire of each version, and the text grammar of ovs-ofctl(8),
// ovs-actions(7) and ovs-fields(7).
package openflow

import "weir/internal/flow"

// PortNo is an OpenFlow port in the 32-bit form of OpenFlow 1.1 and later;
// the codec of 1.0 folds the reserved ports to 16 bits.
type PortNo uint32

// Reserved ports (OpenFlow 1.5.1, 7.2.1).
const (
	PortMax        PortNo = 0xffffff00
	PortUnset      PortNo = 0xfffffff7
	PortInPort     PortNo = 0xfffffff8
	PortTable      PortNo = 0xfffffff9
	PortNormal     PortNo = 0xfffffffa
	PortFlood      PortNo = 0xfffffffb
	PortAll        PortNo = 0xfffffffc
	PortController PortNo = 0xfffffffd
	PortLocal      PortNo = 0xfffffffe
	PortNone       PortNo = 0xffffffff // OFPP_ANY
)

// Action is one OpenFlow action or instruction in version-neutral form, as a
// pointer to one of the types of this package. Actions are immutable once
// they are part of a rule, so lookups share them without a lock.
type Action interface{ isAction() }

// Subfield is a range of bits of a field: Ofs is the lowest bit, N the width.
type Subfield struct {
	Field *flow.Field
	Ofs   uint16
	N     uint16
}

type (
	// Output sends the packet to a port. MaxLen is for PortController only:
	// bytes sent to the controller, 0xffff for all.
	Output struct {
		Port   PortNo
		MaxLen uint16
	}
	// OutputReg outputs to the port whose number a subfield holds.
	OutputReg struct {
		Src    Subfield
		MaxLen uint16
	}
	// OutputTrunc outputs at most MaxLen bytes.
	OutputTrunc struct {
		Port   PortNo
		MaxLen uint32
	}
	// Controller sends a packet-in (NXAST_CONTROLLER, NXAST_CONTROLLER2).
	Controller struct {
		MaxLen       uint16
		ControllerID uint16
		Reason       uint8
		Userdata     []byte
		Pause        bool
		MeterID      uint32 // 0: none
		V2           bool   // it came as NXAST_CONTROLLER2
	}
	// Enqueue outputs to Port through Queue (OpenFlow 1.0).
	Enqueue struct {
		Port  PortNo
		Queue uint32
	}
	// SetField sets the masked bits of a field: set_field, load (NXAST_REG_LOAD,
	// then FromLoad), and the mod_* actions whose text form is a field's.
	SetField struct {
		Field    *flow.Field
		Value    flow.Value
		Mask     flow.Value
		FromLoad bool
		// FromLoad2: it came as NXAST_REG_LOAD2.
		FromLoad2 bool
		// HasVLAN: a set of vlan_vid that the flow's match guarantees a tag for.
		HasVLAN bool
	}
	// Move copies a subfield onto another of the same width.
	// ONF: it came as the copy_field of ONF's extension to 1.3.
	Move struct {
		Src, Dst Subfield
		ONF      bool
	}
	// The mod_* actions of OpenFlow 1.0 and 1.1 keep their own types, for they
	// print and encode on their own and act only on packets that have the header.
	SetVLANVID struct {
		VID          uint16
		PushIfNeeded bool
		FlowHasVLAN  bool
	}
	// SetVLANPCP sets the priority of the outer tag.
	SetVLANPCP struct {
		PCP          uint8
		PushIfNeeded bool
		FlowHasVLAN  bool
	}
	// StripVLAN pops the outer tag, if there is one. Pop: it is written pop_vlan.
	StripVLAN struct{ Pop bool }
	// PushVLAN pushes a tag with the given TPID (0x8100, 0x88a8).
	PushVLAN struct{ EthType uint16 }
	// SetEthSrc is mod_dl_src.
	SetEthSrc struct{ MAC [6]byte }
	// SetEthDst is mod_dl_dst.
	SetEthDst struct{ MAC [6]byte }
	// SetIPv4Src is mod_nw_src.
	SetIPv4Src struct{ Addr uint32 }
	// SetIPv4Dst is mod_nw_dst.
	SetIPv4Dst struct{ Addr uint32 }
	// SetIPDSCP is mod_nw_tos; DSCP stands in the high six bits.
	SetIPDSCP struct{ DSCP uint8 }
	// SetIPECN is mod_nw_ecn.
	SetIPECN struct{ ECN uint8 }
	// SetIPTTL is mod_nw_ttl.
	SetIPTTL struct{ TTL uint8 }
	// SetL4SrcPort is mod_tp_src.
	// Proto is the IP protocol that the flow's match demands, 0 if none.
	SetL4SrcPort struct {
		Port  uint16
		Proto uint8
	}
	// SetL4DstPort is mod_tp_dst.
	SetL4DstPort struct {
		Port  uint16
		Proto uint8
	}
	// DecTTL decrements the IP TTL; packets that expire go to the controllers.
	// IDs are the controllers'; FromIDs: it is NXAST_DEC_TTL_CNT_IDS.
	DecTTL struct {
		IDs     []uint16
		FromIDs bool
	}
	// SetMPLSLabel, SetMPLSTC, SetMPLSTTL and DecMPLSTTL act on the outer label.
	SetMPLSLabel struct{ Label uint32 }
	// SetMPLSTC sets the traffic class.
	SetMPLSTC struct{ TC uint8 }
	// SetMPLSTTL sets the TTL of the outer label.
	SetMPLSTTL struct{ TTL uint8 }
	// DecMPLSTTL decrements it.
	DecMPLSTTL struct{}
	// PushMPLS pushes a label with the given EtherType.
	PushMPLS struct{ EthType uint16 }
	// PopMPLS pops a label and sets the EtherType.
	PopMPLS struct{ EthType uint16 }
	// SetTunnelID is set_tunnel and set_tunnel64 (Wide).
	SetTunnelID struct {
		ID   uint64
		Wide bool
	}
	// SetQueue chooses the queue of later outputs.
	SetQueue struct{ Queue uint32 }
	// PopQueue undoes SetQueue.
	PopQueue struct{}
	// Group hands the packet to a group.
	Group struct{ ID uint32 }
	// Resubmit looks the packet up again. Table 0xff is the current table,
	// InPort PortInPort the current port; WithCT uses the ct original tuple.
	Resubmit struct {
		InPort PortNo
		Table  uint8
		WithCT bool
		// FromTable: it came as NXAST_RESUBMIT_TABLE.
		FromTable bool
	}
	// Push pushes a subfield on the stack.
	Push struct{ Src Subfield }
	// Pop pops the stack into a subfield.
	Pop struct{ Dst Subfield }
	// Exit ends translation of the packet.
	Exit struct{}
	// Note does nothing; it carries bytes for people.
	Note struct{ Data []byte }
	// FinTimeout shortens timeouts once TCP ends.
	FinTimeout struct{ Idle, Hard uint16 }
	// Clone runs actions on a copy of the packet and its metadata.
	Clone struct{ Actions []Action }

	// Instructions of OpenFlow 1.1 and later, in the order in which they run.

	// MeterInst is the meter instruction (and the OpenFlow 1.5 action).
	MeterInst struct{ ID uint32 }
	// ClearActions empties the action set.
	ClearActions struct{}
	// WriteActions merges actions into the action set.
	WriteActions struct{ Actions []Action }
	// WriteMetadata sets the masked bits of the metadata.
	WriteMetadata struct{ Value, Mask uint64 }
	// GotoTable continues in a later table.
	GotoTable struct{ Table uint8 }

	// Conjunction says that a match is one clause of a conjunctive match.
	Conjunction struct {
		ID        uint32
		Clause, N uint8
	}
)

func (*Output) isAction()        {}
func (*OutputReg) isAction()     {}
func (*OutputTrunc) isAction()   {}
func (*Controller) isAction()    {}
func (*Enqueue) isAction()       {}
func (*SetField) isAction()      {}
func (*Move) isAction()          {}
func (*SetVLANVID) isAction()    {}
func (*SetVLANPCP) isAction()    {}
func (*StripVLAN) isAction()     {}
func (*PushVLAN) isAction()      {}
func (*SetEthSrc) isAction()     {}
func (*SetEthDst) isAction()     {}
func (*SetIPv4Src) isAction()    {}
func (*SetIPv4Dst) isAction()    {}
func (*SetIPDSCP) isAction()     {}
func (*SetIPECN) isAction()      {}
func (*SetIPTTL) isAction()      {}
func (*SetL4SrcPort) isAction()  {}
func (*SetL4DstPort) isAction()  {}
func (*DecTTL) isAction()        {}
func (*SetMPLSLabel) isAction()  {}
func (*SetMPLSTC) isAction()     {}
func (*SetMPLSTTL) isAction()    {}
func (*DecMPLSTTL) isAction()    {}
func (*PushMPLS) isAction()      {}
func (*PopMPLS) isAction()       {}
func (*SetTunnelID) isAction()   {}
func (*SetQueue) isAction()      {}
func (*PopQueue) isAction()      {}
func (*Group) isAction()         {}
func (*Resubmit) isAction()      {}
func (*Push) isAction()          {}
func (*Pop) isAction()           {}
func (*Exit) isAction()          {}
func (*Note) isAction()          {}
func (*FinTimeout) isAction()    {}
func (*Clone) isAction()         {}
func (*MeterInst) isAction()     {}
func (*ClearActions) isAction()  {}
func (*WriteActions) isAction()  {}
func (*WriteMetadata) isAction() {}
func (*GotoTable) isAction()     {}
func (*Conjunction) isAction()   {}
