package openflow

import (
	"strings"
	"sync"
)

// msgKind is the numbering space that a row of msgTable belongs to.
type msgKind uint8

const (
	kindOFPT  msgKind = iota // standard message types
	kindOFPST                // multipart types
	kindNXT                  // Nicira vendor messages
	kindNXST                 // Nicira vendor multipart
	kindONFT                 // ONF vendor messages
	kindONFST                // ONF vendor multipart
)

// msgSender says who may send a message.
type msgSender uint8

const (
	byAnyone msgSender = iota
	byController
	byPrimary // a controller that hasn't the secondary role (OpenFlow 1.3.1, 6.3.4)
	bySwitch
)

// msgRow is one form of a message on the wire. Its body, what comes after the
// headers, has size bytes and, unless unit is 0, units of unit bytes more.
type msgRow struct {
	full       string // name with the version of the form: "OFPT11_FLOW_MOD"
	kind       msgKind
	by         msgSender
	min, max   Version
	num        uint32
	size, unit int
	dec        func(*decoder) Message
}

// fits reports whether a body can have n bytes.
func (r *msgRow) fits(n int) bool {
	if r.unit == 0 {
		return n == r.size
	}
	return n >= r.size && (n-r.size)%r.unit == 0
}

// lengths says which lengths messages have whose headers take head bytes.
func (r *msgRow) lengths(head int) string {
	n := head + r.size
	switch r.unit {
	case 0:
		return sprintf("expected length %d", n)
	case 1:
		return sprintf("expected length at least %d bytes", n)
	}
	return sprintf("must be exactly %d bytes or longer by an integer multiple of %d bytes", n, r.unit)
}

// name drops the version from the full name: "OFPT_FLOW_MOD".
func (r *msgRow) name() string {
	i := strings.IndexByte(r.full, '_')
	return strings.TrimRight(r.full[:i], "0123456789") + r.full[i:]
}

// is reports whether name is the name without the version.
func (r *msgRow) is(name string) bool {
	i, j := strings.IndexByte(r.full, '_'), strings.IndexByte(name, '_')
	return r.full[i:] == name[j:] && strings.TrimRight(r.full[:i], "0123456789") == name[:j]
}

// title is the name as it is printed: "OFPST_FLOW reply".
func (r *msgRow) title() string {
	n := r.name()
	if r.isStats() {
		if s, ok := strings.CutSuffix(n, "_REPLY"); ok {
			return s + " reply"
		}
		return strings.TrimSuffix(n, "_REQUEST") + " request"
	}
	return n
}

func (r *msgRow) isStats() bool {
	return r.kind == kindOFPST || r.kind == kindNXST || r.kind == kindONFST
}

func (r *msgRow) isReply() bool { return strings.HasSuffix(r.full, "_REPLY") }

// isFlowReply: the statistics of flows, in either form.
func (r *msgRow) isFlowReply() bool {
	return r.isStats() && (r.full == "NXST_FLOW_REPLY" || r.kind == kindOFPST && strings.HasSuffix(r.full, "_FLOW_REPLY"))
}

func (r *msgRow) vendor() uint32 {
	switch r.kind {
	case kindNXT, kindNXST:
		return VendorNicira
	case kindONFT, kindONFST:
		return VendorONF
	}
	return 0
}

// msgIndex finds rows. Decoders reach it through their decoder, never through
// msgTable, which refers to them.
type msgIndex struct {
	byNum  map[msgKey][]*msgRow
	byName map[string][]*msgRow
}

type msgKey struct {
	kind  msgKind
	reply bool
	num   uint32
}

// msgTable is the index of msgRows, built once.
var msgTable = sync.OnceValue(func() *msgIndex {
	t := &msgIndex{map[msgKey][]*msgRow{}, map[string][]*msgRow{}}
	for i := range msgRows {
		r := &msgRows[i]
		k := msgKey{r.kind, r.isStats() && r.isReply(), r.num}
		t.byNum[k] = append(t.byNum[k], r)
		t.byName[r.name()] = append(t.byName[r.name()], r)
	}
	return t
})

// find returns the row of a number in version v, nil when there is none.
func (t *msgIndex) find(k msgKey, v Version) *msgRow {
	for _, r := range t.byNum[k] {
		if r.min <= v && v <= r.max {
			return r
		}
	}
	return nil
}

// named returns the row of a name (without version) in version v, or nil.
func (t *msgIndex) named(name string, v Version) *msgRow {
	for _, r := range t.byName[name] {
		if r.min <= v && v <= r.max {
			return r
		}
	}
	return nil
}

// msgRows holds every form of every message, each once.
var msgRows = []msgRow{
	{"OFPT_HELLO", kindOFPT, byAnyone, 1, 0xff, 0, 0, 1, decHello},
	{"OFPT_ERROR", kindOFPT, byAnyone, 1, 0xff, 1, 4, 1, decError},
	{"OFPT_ECHO_REQUEST", kindOFPT, byAnyone, 1, 0xff, 2, 0, 1, decEchoRequest},
	{"OFPT_ECHO_REPLY", kindOFPT, byAnyone, 1, 0xff, 3, 0, 1, decEchoReply},
	{"OFPT_FEATURES_REQUEST", kindOFPT, byController, V10, V15, 5, 0, 0, decEmpty[FeaturesRequest]},
	{"OFPT10_FEATURES_REPLY", kindOFPT, bySwitch, V10, V10, 6, 24, 48, decFeaturesReply},
	{"OFPT11_FEATURES_REPLY", kindOFPT, bySwitch, V11, V12, 6, 24, 64, decFeaturesReply},
	{"OFPT13_FEATURES_REPLY", kindOFPT, bySwitch, V13, V15, 6, 24, 0, decFeaturesReply},
	{"OFPT_GET_CONFIG_REQUEST", kindOFPT, byController, V10, V15, 7, 0, 0, decEmpty[GetConfigRequest]},
	{"OFPT_GET_CONFIG_REPLY", kindOFPT, bySwitch, V10, V15, 8, 4, 0, decGetConfigReply},
	{"OFPT_SET_CONFIG", kindOFPT, byController, V10, V15, 9, 4, 0, decSetConfig},
	{"OFPT10_PACKET_IN", kindOFPT, bySwitch, V10, V10, 10, 10, 1, decPacketIn},
	{"OFPT11_PACKET_IN", kindOFPT, bySwitch, V11, V11, 10, 16, 1, decPacketIn},
	{"OFPT12_PACKET_IN", kindOFPT, bySwitch, V12, V12, 10, 8, 1, decPacketIn},
	{"OFPT13_PACKET_IN", kindOFPT, bySwitch, V13, V15, 10, 16, 1, decPacketIn},
	{"NXT_PACKET_IN", kindNXT, bySwitch, V10, V15, 17, 24, 1, decNXPacketIn},
	{"NXT_PACKET_IN2", kindNXT, bySwitch, V10, V15, 30, 0, 8, decPacketIn2},
	{"OFPT10_FLOW_REMOVED", kindOFPT, bySwitch, V10, V10, 11, 80, 0, decFlowRemoved},
	{"OFPT11_FLOW_REMOVED", kindOFPT, bySwitch, V11, V14, 11, 40, 8, decFlowRemoved},
	{"OFPT15_FLOW_REMOVED", kindOFPT, bySwitch, V15, V15, 11, 16, 8, decFlowRemoved},
	{"NXT_FLOW_REMOVED", kindNXT, bySwitch, V10, V15, 14, 40, 8, decNXFlowRemoved},
	{"OFPT10_PORT_STATUS", kindOFPT, bySwitch, V10, V10, 12, 56, 0, decPortStatus},
	{"OFPT11_PORT_STATUS", kindOFPT, bySwitch, V11, V13, 12, 72, 0, decPortStatus},
	{"OFPT14_PORT_STATUS", kindOFPT, bySwitch, V14, V15, 12, 48, 8, decPortStatus},
	{"OFPT10_PACKET_OUT", kindOFPT, byPrimary, V10, V10, 13, 8, 1, decPacketOut},
	{"OFPT11_PACKET_OUT", kindOFPT, byPrimary, V11, V14, 13, 16, 1, decPacketOut},
	{"OFPT15_PACKET_OUT", kindOFPT, byPrimary, V15, V15, 13, 8, 1, decPacketOut},
	{"OFPT10_FLOW_MOD", kindOFPT, byPrimary, V10, V10, 14, 64, 8, decFlowMod},
	{"OFPT11_FLOW_MOD", kindOFPT, byPrimary, V11, V15, 14, 40, 8, decFlowMod},
	{"NXT_FLOW_MOD", kindNXT, byPrimary, V10, V15, 13, 32, 8, decNXFlowMod},
	{"NXT_GROUP_MOD", kindNXT, byPrimary, V10, V10, 31, 16, 8, decGroupMod},
	{"OFPT11_GROUP_MOD", kindOFPT, byPrimary, V11, V14, 15, 8, 8, decGroupMod},
	{"OFPT15_GROUP_MOD", kindOFPT, byPrimary, V15, V15, 15, 16, 8, decGroupMod},
	{"OFPT10_PORT_MOD", kindOFPT, byPrimary, V10, V10, 15, 24, 0, decPortMod},
	{"OFPT11_PORT_MOD", kindOFPT, byPrimary, V11, V13, 16, 32, 0, decPortMod},
	{"OFPT14_PORT_MOD", kindOFPT, byPrimary, V14, V15, 16, 24, 8, decPortMod},
	{"OFPT11_TABLE_MOD", kindOFPT, byPrimary, V11, V13, 17, 8, 0, decTableMod},
	{"OFPT14_TABLE_MOD", kindOFPT, byPrimary, V14, V15, 17, 8, 8, decTableMod},
	{"OFPT10_BARRIER_REQUEST", kindOFPT, byController, V10, V10, 18, 0, 0, decEmpty[BarrierRequest]},
	{"OFPT11_BARRIER_REQUEST", kindOFPT, byController, V11, V15, 20, 0, 0, decEmpty[BarrierRequest]},
	{"OFPT10_BARRIER_REPLY", kindOFPT, bySwitch, V10, V10, 19, 0, 0, decEmpty[BarrierReply]},
	{"OFPT11_BARRIER_REPLY", kindOFPT, bySwitch, V11, V15, 21, 0, 0, decEmpty[BarrierReply]},
	{"OFPT10_QUEUE_GET_CONFIG_REQUEST", kindOFPT, byController, V10, V10, 20, 4, 0, decQueueConfigRequest},
	{"OFPT11_QUEUE_GET_CONFIG_REQUEST", kindOFPT, byController, V11, V13, 22, 8, 0, decQueueConfigRequest},
	{"OFPT10_QUEUE_GET_CONFIG_REPLY", kindOFPT, bySwitch, V10, V10, 21, 8, 8, decQueueConfigReply},
	{"OFPT11_QUEUE_GET_CONFIG_REPLY", kindOFPT, bySwitch, V11, V13, 23, 8, 8, decQueueConfigReply},
	{"OFPT12_ROLE_REQUEST", kindOFPT, byController, V12, V15, 24, 16, 0, decRoleRequest},
	{"NXT_ROLE_REQUEST", kindNXT, byController, V10, V15, 10, 4, 0, decNXRoleRequest},
	{"OFPT12_ROLE_REPLY", kindOFPT, bySwitch, V12, V15, 25, 16, 0, decRoleReply},
	{"NXT_ROLE_REPLY", kindNXT, bySwitch, V10, V15, 11, 4, 0, decNXRoleReply},
	{"OFPT13_GET_ASYNC_REQUEST", kindOFPT, byController, V13, V13, 26, 0, 0, decEmpty[GetAsyncRequest]},
	{"OFPT14_GET_ASYNC_REQUEST", kindOFPT, byController, V14, V15, 26, 0, 0, decEmpty[GetAsyncRequest]},
	{"OFPT13_GET_ASYNC_REPLY", kindOFPT, bySwitch, V13, V13, 27, 24, 0, decGetAsyncReply},
	{"OFPT14_GET_ASYNC_REPLY", kindOFPT, bySwitch, V14, V15, 27, 0, 8, decGetAsyncReply},
	{"OFPT13_SET_ASYNC", kindOFPT, byController, V13, V13, 28, 24, 0, decSetAsync},
	{"NXT_SET_ASYNC_CONFIG", kindNXT, byController, V10, V15, 19, 24, 0, decSetAsync},
	{"NXT_SET_ASYNC_CONFIG2", kindNXT, byController, V10, V13, 27, 0, 8, decSetAsync},
	{"OFPT14_SET_ASYNC", kindOFPT, byController, V14, V15, 28, 0, 8, decSetAsync},
	{"OFPT13_METER_MOD", kindOFPT, byPrimary, V13, V15, 29, 8, 8, decMeterMod},
	{"ONFT13_ROLE_STATUS", kindONFT, bySwitch, V13, V13, 1911, 16, 8, decRoleStatus},
	{"OFPT14_ROLE_STATUS", kindOFPT, bySwitch, V14, V15, 30, 16, 8, decRoleStatus},
	{"OFPT14_TABLE_STATUS", kindOFPT, bySwitch, V14, V15, 31, 8, 8, decTableStatus},
	{"NXT_REQUESTFORWARD", kindNXT, bySwitch, V10, V12, 132, 8, 8, decRequestForward},
	{"ONFT13_REQUESTFORWARD", kindONFT, bySwitch, V13, V13, 2350, 8, 8, decRequestForward},
	{"OFPT14_REQUESTFORWARD", kindOFPT, bySwitch, V14, V15, 32, 8, 8, decRequestForward},
	{"OFPT14_BUNDLE_CONTROL", kindOFPT, byPrimary, V14, V15, 33, 8, 8, decBundleControl},
	{"ONFT13_BUNDLE_CONTROL", kindONFT, byPrimary, V13, V13, 2300, 8, 8, decBundleControl},
	{"OFPT14_BUNDLE_ADD_MESSAGE", kindOFPT, byPrimary, V14, V15, 34, 8, 1, decBundleAdd},
	{"ONFT13_BUNDLE_ADD_MESSAGE", kindONFT, byPrimary, V13, V13, 2301, 8, 1, decBundleAdd},
	{"OFPST_DESC_REQUEST", kindOFPST, byController, V10, V15, 0, 0, 0, decEmpty[DescRequest]},
	{"OFPST_DESC_REPLY", kindOFPST, bySwitch, V10, V15, 0, 1056, 0, decDescReply},
	{"OFPST10_FLOW_REQUEST", kindOFPST, byController, V10, V10, 1, 44, 0, decFlowStatsRequest},
	{"OFPST11_FLOW_REQUEST", kindOFPST, byController, V11, V15, 1, 32, 8, decFlowStatsRequest},
	{"NXST_FLOW_REQUEST", kindNXST, byController, V10, V10, 0, 8, 8, decFlowStatsRequest},
	{"OFPST10_FLOW_REPLY", kindOFPST, bySwitch, V10, V10, 1, 0, 1, decFlowStatsReply},
	{"OFPST11_FLOW_REPLY", kindOFPST, bySwitch, V11, V12, 1, 0, 1, decFlowStatsReply},
	{"OFPST13_FLOW_REPLY", kindOFPST, bySwitch, V13, V14, 1, 0, 1, decFlowStatsReply},
	{"OFPST15_FLOW_REPLY", kindOFPST, bySwitch, V15, V15, 1, 0, 1, decFlowStatsReply},
	{"NXST_FLOW_REPLY", kindNXST, bySwitch, V10, V10, 0, 0, 1, decFlowStatsReply},
	{"OFPST10_AGGREGATE_REQUEST", kindOFPST, byController, V10, V10, 2, 44, 0, decAggregateRequest},
	{"OFPST11_AGGREGATE_REQUEST", kindOFPST, byController, V11, V14, 2, 32, 8, decAggregateRequest},
	{"OFPST15_AGGREGATE_REQUEST", kindOFPST, byController, V15, V15, 2, 32, 8, decAggregateRequest},
	{"NXST_AGGREGATE_REQUEST", kindNXST, byController, V10, V10, 1, 8, 8, decAggregateRequest},
	{"OFPST_AGGREGATE_REPLY", kindOFPST, bySwitch, V10, V14, 2, 24, 0, decAggregateReply},
	{"OFPST15_AGGREGATE_REPLY", kindOFPST, bySwitch, V15, V15, 2, 0, 1, decAggregateReply},
	{"NXST_AGGREGATE_REPLY", kindNXST, bySwitch, V10, V10, 1, 24, 0, decAggregateReply},
	{"OFPST_TABLE_REQUEST", kindOFPST, byController, V10, V15, 3, 0, 0, decEmpty[TableStatsRequest]},
	{"OFPST10_TABLE_REPLY", kindOFPST, bySwitch, V10, V10, 3, 0, 64, decTableStatsReply},
	{"OFPST11_TABLE_REPLY", kindOFPST, bySwitch, V11, V11, 3, 0, 88, decTableStatsReply},
	{"OFPST12_TABLE_REPLY", kindOFPST, bySwitch, V12, V12, 3, 0, 128, decTableStatsReply},
	{"OFPST13_TABLE_REPLY", kindOFPST, bySwitch, V13, V15, 3, 0, 24, decTableStatsReply},
	{"OFPST10_PORT_REQUEST", kindOFPST, byController, V10, V10, 4, 8, 0, decPortStatsRequest},
	{"OFPST11_PORT_REQUEST", kindOFPST, byController, V11, V15, 4, 8, 0, decPortStatsRequest},
	{"OFPST10_PORT_REPLY", kindOFPST, bySwitch, V10, V10, 4, 0, 104, decPortStatsReply},
	{"OFPST11_PORT_REPLY", kindOFPST, bySwitch, V11, V12, 4, 0, 104, decPortStatsReply},
	{"OFPST13_PORT_REPLY", kindOFPST, bySwitch, V13, V13, 4, 0, 112, decPortStatsReply},
	{"OFPST14_PORT_REPLY", kindOFPST, bySwitch, V14, V15, 4, 0, 8, decPortStatsReply},
	{"OFPST10_QUEUE_REQUEST", kindOFPST, byController, V10, V10, 5, 8, 0, decQueueStatsRequest},
	{"OFPST11_QUEUE_REQUEST", kindOFPST, byController, V11, V15, 5, 8, 0, decQueueStatsRequest},
	{"OFPST10_QUEUE_REPLY", kindOFPST, bySwitch, V10, V10, 5, 0, 32, decQueueStatsReply},
	{"OFPST11_QUEUE_REPLY", kindOFPST, bySwitch, V11, V12, 5, 0, 32, decQueueStatsReply},
	{"OFPST13_QUEUE_REPLY", kindOFPST, bySwitch, V13, V13, 5, 0, 40, decQueueStatsReply},
	{"OFPST14_QUEUE_REPLY", kindOFPST, bySwitch, V14, V15, 5, 0, 8, decQueueStatsReply},
	{"NXST_GROUP_REQUEST", kindNXST, byController, V10, V10, 7, 8, 0, decGroupStatsRequest},
	{"OFPST11_GROUP_REQUEST", kindOFPST, byController, V11, V15, 6, 8, 0, decGroupStatsRequest},
	{"NXST_GROUP_REPLY", kindNXST, bySwitch, V10, V10, 7, 0, 8, decGroupStatsReply},
	{"OFPST11_GROUP_REPLY", kindOFPST, bySwitch, V11, V12, 6, 0, 8, decGroupStatsReply},
	{"OFPST13_GROUP_REPLY", kindOFPST, bySwitch, V13, V15, 6, 0, 8, decGroupStatsReply},
	{"NXST_GROUP_DESC_REQUEST", kindNXST, byController, V10, V10, 8, 8, 0, decGroupDescRequest},
	{"OFPST11_GROUP_DESC_REQUEST", kindOFPST, byController, V11, V14, 7, 0, 0, decGroupDescRequest},
	{"OFPST15_GROUP_DESC_REQUEST", kindOFPST, byController, V15, V15, 7, 8, 0, decGroupDescRequest},
	{"NXST_GROUP_DESC_REPLY", kindNXST, bySwitch, V10, V10, 8, 0, 8, decGroupDescReply},
	{"OFPST11_GROUP_DESC_REPLY", kindOFPST, bySwitch, V11, V15, 7, 0, 8, decGroupDescReply},
	{"NXST_GROUP_FEATURES_REQUEST", kindNXST, byController, V10, V11, 9, 0, 0, decEmpty[GroupFeaturesRequest]},
	{"OFPST12_GROUP_FEATURES_REQUEST", kindOFPST, byController, V12, V15, 8, 0, 0, decEmpty[GroupFeaturesRequest]},
	{"NXST_GROUP_FEATURES_REPLY", kindNXST, bySwitch, V10, V11, 9, 40, 0, decGroupFeaturesReply},
	{"OFPST12_GROUP_FEATURES_REPLY", kindOFPST, bySwitch, V12, V15, 8, 40, 0, decGroupFeaturesReply},
	{"OFPST13_METER_REQUEST", kindOFPST, byController, V13, V15, 9, 8, 0, decMeterStatsRequest},
	{"OFPST13_METER_REPLY", kindOFPST, bySwitch, V13, V15, 9, 0, 8, decMeterStatsReply},
	{"OFPST13_METER_CONFIG_REQUEST", kindOFPST, byController, V13, V15, 10, 8, 0, decMeterConfigRequest},
	{"OFPST13_METER_CONFIG_REPLY", kindOFPST, bySwitch, V13, V15, 10, 0, 8, decMeterConfigReply},
	{"OFPST13_METER_FEATURES_REQUEST", kindOFPST, byController, V13, V15, 11, 0, 0, decEmpty[MeterFeaturesRequest]},
	{"OFPST13_METER_FEATURES_REPLY", kindOFPST, bySwitch, V13, V15, 11, 16, 0, decMeterFeaturesReply},
	{"OFPST13_TABLE_FEATURES_REQUEST", kindOFPST, byController, V13, V15, 12, 0, 8, decTableFeaturesRequest},
	{"OFPST13_TABLE_FEATURES_REPLY", kindOFPST, bySwitch, V13, V15, 12, 64, 8, decTableFeaturesReply},
	{"OFPST14_TABLE_DESC_REQUEST", kindOFPST, byController, V14, V15, 14, 0, 0, decEmpty[TableDescRequest]},
	{"OFPST14_TABLE_DESC_REPLY", kindOFPST, bySwitch, V14, V15, 14, 8, 8, decTableDescReply},
	{"OFPST10_PORT_DESC_REQUEST", kindOFPST, byController, V10, V14, 13, 0, 0, decPortDescRequest},
	{"OFPST15_PORT_DESC_REQUEST", kindOFPST, byController, V15, V15, 13, 8, 0, decPortDescRequest},
	{"OFPST10_PORT_DESC_REPLY", kindOFPST, bySwitch, V10, V10, 13, 0, 48, decPortDescReply},
	{"OFPST11_PORT_DESC_REPLY", kindOFPST, bySwitch, V11, V13, 13, 0, 64, decPortDescReply},
	{"OFPST14_PORT_DESC_REPLY", kindOFPST, bySwitch, V14, V15, 13, 0, 8, decPortDescReply},
	{"OFPST14_QUEUE_DESC_REQUEST", kindOFPST, byController, V14, V15, 15, 8, 0, decQueueConfigRequest},
	{"OFPST14_QUEUE_DESC_REPLY", kindOFPST, bySwitch, V14, V15, 15, 0, 8, decQueueConfigReply},
	{"OFPST14_FLOW_MONITOR_REQUEST", kindOFPST, byController, V14, V15, 16, 0, 8, decFlowMonitorRequest},
	{"ONFST13_FLOW_MONITOR_REQUEST", kindONFST, byController, V13, V13, 1870, 0, 8, decFlowMonitorRequest},
	{"NXST_FLOW_MONITOR_REQUEST", kindNXST, byController, V10, V12, 2, 0, 8, decFlowMonitorRequest},
	{"OFPST14_FLOW_MONITOR_REPLY", kindOFPST, bySwitch, V14, V15, 16, 0, 8, decFlowMonitorReply},
	{"ONFST13_FLOW_MONITOR_REPLY", kindONFST, bySwitch, V13, V13, 1870, 0, 8, decFlowMonitorReply},
	{"NXST_FLOW_MONITOR_REPLY", kindNXST, bySwitch, V10, V12, 2, 0, 8, decFlowMonitorReply},
	{"ONFT13_FLOW_MONITOR_CANCEL", kindONFT, byController, V13, V13, 1870, 4, 0, decFlowMonitorCancel},
	{"NXT_FLOW_MONITOR_CANCEL", kindNXT, byController, V10, V12, 21, 4, 0, decFlowMonitorCancel},
	{"ONFT13_FLOW_MONITOR_PAUSED", kindONFT, bySwitch, V13, V13, 1871, 0, 0, decEmpty[FlowMonitorPaused]},
	{"NXT_FLOW_MONITOR_PAUSED", kindNXT, bySwitch, V10, V12, 22, 0, 0, decEmpty[FlowMonitorPaused]},
	{"ONFT13_FLOW_MONITOR_RESUMED", kindONFT, bySwitch, V13, V13, 1872, 0, 0, decEmpty[FlowMonitorResumed]},
	{"NXT_FLOW_MONITOR_RESUMED", kindNXT, bySwitch, V10, V12, 23, 0, 0, decEmpty[FlowMonitorResumed]},
	{"NXT_SET_FLOW_FORMAT", kindNXT, byController, V10, V10, 12, 4, 0, decSetFlowFormat},
	{"NXT_FLOW_MOD_TABLE_ID", kindNXT, byController, V10, V15, 15, 8, 0, decFlowModTableID},
	{"NXT_SET_PACKET_IN_FORMAT", kindNXT, byController, V10, V15, 16, 4, 0, decSetPacketInFormat},
	{"NXT_FLOW_AGE", kindNXT, byController, V10, V15, 18, 0, 0, decEmpty[FlowAge]},
	{"NXT_SET_CONTROLLER_ID", kindNXT, byController, V10, V15, 20, 8, 0, decSetControllerID},
	{"NXT_TLV_TABLE_MOD", kindNXT, byPrimary, V10, V15, 24, 8, 8, decTLVTableMod},
	{"NXT_TLV_TABLE_REQUEST", kindNXT, byController, V10, V15, 25, 0, 0, decEmpty[TLVTableRequest]},
	{"NXT_TLV_TABLE_REPLY", kindNXT, bySwitch, V10, V15, 26, 16, 8, decTLVTableReply},
	{"NXT_RESUME", kindNXT, byController, V10, V15, 28, 0, 8, decResume},
	{"NXT_CT_FLUSH_ZONE", kindNXT, byController, V10, V15, 29, 8, 0, decCTFlushZone},
	{"NXT_CT_FLUSH", kindNXT, byController, V10, V15, 32, 8, 8, decCTFlush},
	{"NXST_IPFIX_BRIDGE_REQUEST", kindNXST, byController, V10, V15, 3, 0, 0, decEmpty[IPFIXBridgeStatsRequest]},
	{"NXST_IPFIX_BRIDGE_REPLY", kindNXST, bySwitch, V10, V15, 3, 88, 0, decIPFIXReply},
	{"NXST_IPFIX_FLOW_REQUEST", kindNXST, byController, V10, V15, 4, 0, 0, decEmpty[IPFIXFlowStatsRequest]},
	{"NXST_IPFIX_FLOW_REPLY", kindNXST, bySwitch, V10, V15, 4, 0, 88, decIPFIXReply},
}
