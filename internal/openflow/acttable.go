package openflow

import "sync"

// actRow is one form of an action on the wire.
type actRow struct {
	name     string // as it stands in error texts
	vendor   uint32 // 0: standard
	lo, hi   Version
	num      uint16
	min      int // length in bytes, header and padding counted; of variable ones, the least
	variable bool
	dec      func(*actReader) Action
}

const nx = VendorNicira

// Numbers of Nicira actions that code refers to.
const (
	nxastLearn2 = 45
)

// actIndex maps numbers to rows. It is built at the first use, for the
// decoders in the table refer back to it.
type actIndex struct {
	once sync.Once
	m    map[actKey][]*actRow
}

var acts actIndex

func (x *actIndex) lookup(k actKey) []*actRow {
	x.once.Do(func() {
		rows := actRows()
		x.m = map[actKey][]*actRow{}
		for i := range rows {
			r := &rows[i]
			x.m[actKey{r.vendor, r.num}] = append(x.m[actKey{r.vendor, r.num}], r)
		}
	})
	return x.m[k]
}

type actKey struct {
	vendor uint32
	num    uint16
}

// findAct returns the row of an action, or the error that it is unknown with.
func findAct(v Version, vendor uint32, num uint16) (*actRow, ErrCode) {
	for _, r := range acts.lookup(actKey{vendor, num}) {
		if r.lo <= v && v <= r.hi {
			return r, 0
		}
	}
	switch vendor {
	case 0:
		return nil, ErrBACBadType
	case VendorNicira, VendorONF:
		return nil, ErrBACBadVendorType
	}
	return nil, ErrBACBadVendor
}

// actRows is the table of actions on the wire.
func actRows() []actRow {
	return []actRow{
		{"OFPAT_OUTPUT", 0, V10, V10, 0, 8, false, act10Output},
		{"OFPAT_OUTPUT", 0, V11, V15, 0, 16, false, act11Output},
		{"OFPAT_SET_VLAN_VID", 0, V10, V15, 1, 8, false, actSetVLANVID},
		{"OFPAT_SET_VLAN_PCP", 0, V10, V15, 2, 8, false, actSetVLANPCP},
		{"OFPAT_PUSH_VLAN", 0, V11, V15, 17, 8, false, actPushVLAN},
		{"OFPAT_STRIP_VLAN", 0, V10, V10, 3, 8, false, actStripVLAN},
		{"OFPAT_POP_VLAN", 0, V11, V15, 18, 8, false, actStripVLAN},
		{"OFPAT_SET_DL_SRC", 0, V10, V10, 4, 16, false, actSetDLSrc},
		{"OFPAT_SET_DL_SRC", 0, V11, V15, 3, 16, false, actSetDLSrc},
		{"OFPAT_SET_DL_DST", 0, V10, V10, 5, 16, false, actSetDLDst},
		{"OFPAT_SET_DL_DST", 0, V11, V15, 4, 16, false, actSetDLDst},
		{"OFPAT_SET_NW_SRC", 0, V10, V10, 6, 8, false, actSetNwSrc},
		{"OFPAT_SET_NW_SRC", 0, V11, V15, 5, 8, false, actSetNwSrc},
		{"OFPAT_SET_NW_DST", 0, V10, V10, 7, 8, false, actSetNwDst},
		{"OFPAT_SET_NW_DST", 0, V11, V15, 6, 8, false, actSetNwDst},
		{"OFPAT_SET_NW_TOS", 0, V10, V10, 8, 8, false, actSetNwTOS},
		{"OFPAT_SET_NW_TOS", 0, V11, V15, 7, 8, false, actSetNwTOS},
		{"OFPAT_SET_NW_ECN", 0, V11, V15, 8, 8, false, actSetNwECN},
		{"OFPAT_SET_TP_SRC", 0, V10, V15, 9, 8, false, actSetTpSrc},
		{"OFPAT_SET_TP_DST", 0, V10, V15, 10, 8, false, actSetTpDst},
		{"OFPAT_ENQUEUE", 0, V10, V10, 11, 16, false, actEnqueue},
		{"OFPAT_SET_MPLS_LABEL", nx, V10, V10, 30, 16, false, actSetMPLSLabel},
		{"OFPAT_SET_MPLS_LABEL", 0, V11, V15, 13, 8, false, actSetMPLSLabel},
		{"OFPAT_SET_MPLS_TC", nx, V10, V10, 31, 16, false, actSetMPLSTC},
		{"OFPAT_SET_MPLS_TC", 0, V11, V15, 14, 8, false, actSetMPLSTC},
		{"OFPAT_SET_MPLS_TTL", nx, V10, V10, 25, 16, false, actSetMPLSTTL},
		{"OFPAT_SET_MPLS_TTL", 0, V11, V15, 15, 8, false, actSetMPLSTTL},
		{"OFPAT_DEC_MPLS_TTL", nx, V10, V10, 26, 16, false, actDecMPLSTTL},
		{"OFPAT_DEC_MPLS_TTL", 0, V11, V15, 16, 8, false, actDecMPLSTTL},
		{"OFPAT_PUSH_MPLS", nx, V10, V10, 23, 16, false, actPushMPLS},
		{"OFPAT_PUSH_MPLS", 0, V11, V15, 19, 8, false, actPushMPLS},
		{"OFPAT_POP_MPLS", nx, V10, V10, 24, 16, false, actPopMPLS},
		{"OFPAT_POP_MPLS", 0, V11, V15, 20, 8, false, actPopMPLS},
		{"OFPAT_SET_QUEUE", nx, V10, V10, 4, 16, false, actSetQueue},
		{"OFPAT_SET_QUEUE", 0, V11, V15, 21, 8, false, actSetQueue},
		{"OFPAT_GROUP", nx, V10, V10, 40, 16, false, actGroup},
		{"OFPAT_GROUP", 0, V11, V15, 22, 8, false, actGroup},
		{"OFPAT_SET_NW_TTL", 0, V11, V15, 23, 8, false, actSetNwTTL},
		{"OFPAT_DEC_NW_TTL", nx, V10, V10, 18, 16, false, actDecTTL},
		{"OFPAT_DEC_NW_TTL", 0, V11, V15, 24, 8, false, actDecTTL},
		{"NXAST_DEC_TTL_CNT_IDS", nx, V10, V15, 21, 16, true, actDecTTLIDs},
		{"OFPAT_SET_FIELD", 0, V12, V14, 25, 8, true, actSetField12},
		{"OFPAT_SET_FIELD", 0, V15, V15, 25, 8, true, actSetField15},
		{"NXAST_REG_LOAD", nx, V10, V14, 7, 24, false, actRegLoad},
		{"NXAST_REG_LOAD2", nx, V10, V14, 33, 16, true, actRegLoad2},
		{"OFPAT_COPY_FIELD", 0, V15, V15, 28, 16, true, actCopyField},
		{"ONFACT_COPY_FIELD", VendorONF, V13, V14, 3200, 24, true, actCopyField},
		{"NXAST_REG_MOVE", nx, V10, V14, 6, 24, true, actRegMove},
		{"OFPAT_METER", 0, V15, V15, 29, 8, false, actMeter},
		{"NXAST_RESUBMIT", nx, V10, V15, 1, 16, false, actResubmit},
		{"NXAST_RESUBMIT_TABLE", nx, V10, V15, 14, 16, false, actResubmitTable},
		{"NXAST_RESUBMIT_TABLE_CT", nx, V10, V15, 44, 16, false, actResubmitTableCT},
		{"NXAST_SET_TUNNEL", nx, V10, V15, 2, 16, false, actSetTunnel},
		{"NXAST_SET_TUNNEL64", nx, V10, V15, 9, 24, false, actSetTunnel64},
		{"NXAST_POP_QUEUE", nx, V10, V15, 5, 16, false, actPopQueue},
		{"NXAST_NOTE", nx, V10, V15, 8, 16, true, actNote},
		{"NXAST_MULTIPATH", nx, V10, V15, 10, 32, false, actMultipath},
		{"NXAST_BUNDLE", nx, V10, V15, 12, 32, true, actBundle},
		{"NXAST_BUNDLE_LOAD", nx, V10, V15, 13, 32, true, actBundleLoad},
		{"NXAST_OUTPUT_REG", nx, V10, V15, 15, 24, false, actOutputReg},
		{"NXAST_OUTPUT_REG2", nx, V10, V15, 32, 24, false, actOutputReg2},
		{"NXAST_LEARN", nx, V10, V15, 16, 32, true, actLearn},
		{"NXAST_LEARN2", nx, V10, V15, 45, 40, true, actLearn2},
		{"NXAST_EXIT", nx, V10, V15, 17, 16, false, actExit},
		{"NXAST_FIN_TIMEOUT", nx, V10, V15, 19, 16, false, actFinTimeout},
		{"NXAST_CONTROLLER", nx, V10, V15, 20, 16, false, actController},
		{"NXAST_CONTROLLER2", nx, V10, V15, 37, 16, true, actController2},
		{"NXAST_WRITE_METADATA", nx, V10, V15, 22, 32, false, actWriteMetadata},
		{"NXAST_STACK_PUSH", nx, V10, V15, 27, 24, false, actStackPush},
		{"NXAST_STACK_POP", nx, V10, V15, 28, 24, false, actStackPop},
		{"NXAST_SAMPLE", nx, V10, V15, 29, 24, false, actSample},
		{"NXAST_SAMPLE2", nx, V10, V15, 38, 32, false, actSample2},
		{"NXAST_SAMPLE3", nx, V10, V15, 41, 32, false, actSample3},
		{"NXAST_SAMPLE4", nx, V10, V15, 51, 40, false, actSample4},
		{"NXAST_CONJUNCTION", nx, V10, V15, 34, 16, false, actConjunction},
		{"NXAST_CT", nx, V10, V15, 35, 24, true, actCT},
		{"NXAST_NAT", nx, V10, V15, 36, 16, true, actNAT},
		{"NXAST_OUTPUT_TRUNC", nx, V10, V15, 39, 16, false, actOutputTrunc},
		{"NXAST_CLONE", nx, V10, V15, 42, 16, true, actClone},
		{"NXAST_CT_CLEAR", nx, V10, V15, 43, 16, false, actCTClear},
		{"NXAST_ENCAP", nx, V13, V15, 46, 16, true, actEncap},
		{"NXAST_DECAP", nx, V13, V15, 47, 16, false, actDecap},
		{"NXAST_DEC_NSH_TTL", nx, V13, V15, 48, 16, false, actDecNSHTTL},
		{"NXAST_CHECK_PKT_LARGER", nx, V10, V15, 49, 24, false, actCheckPktLarger},
		{"NXAST_DELETE_FIELD", nx, V10, V15, 50, 24, false, actDeleteField},
		{"NXAST_DEBUG_SLOW", nx, V10, V15, 254, 16, false, actDebugSlow},
		{"NXAST_DEBUG_RECIRC", nx, V10, V15, 255, 16, false, actDebugRecirc},
	}
}
