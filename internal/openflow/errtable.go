package openflow

// ErrCode is an error of the specifications or of Open vSwitch, independent of
// the version: what number it has, and whether it has one, differs by version.
type ErrCode uint16

// The errors, by the names of the specifications ("OFPBRC_BAD_LEN" is
// ErrBRCBadLen). Names with NX are Open vSwitch extensions.
const (
	ErrHFCIncompatible ErrCode = iota + 1
	ErrHFCEPerm
	ErrBRCBadVersion
	ErrBRCBadType
	ErrBRCBadStat
	ErrBRCBadVendor
	ErrBRCBadSubtype
	ErrBRCEPerm
	ErrBRCBadLen
	ErrBRCBufferEmpty
	ErrBRCBufferUnknown
	ErrBRCBadTableID
	ErrBRCIsSecondary
	ErrBRCBadPort
	ErrBRCBadPacket
	ErrBRCMultipartBufferOverflow
	ErrBRCMultipartRequestTimeout
	ErrBRCMultipartReplyTimeout
	ErrBRCMultipartBadSched
	ErrBRCPipelineFieldsOnly
	ErrBRCUnknown
	ErrNXBRCNXMInvalid
	ErrNXBRCNXMBadType
	ErrNXBRCMustBeZero
	ErrNXBRCBadReason
	ErrNXBRCFMBadEvent
	ErrNXBRCUnencodableError
	ErrBACBadType
	ErrBACBadLen
	ErrBACBadVendor
	ErrBACBadVendorType
	ErrBACBadOutPort
	ErrBACBadArgument
	ErrBACEPerm
	ErrBACTooMany
	ErrBACBadQueue
	ErrBACBadOutGroup
	ErrBACMatchInconsistent
	ErrBACUnsupportedOrder
	ErrBACBadTag
	ErrBACBadSetType
	ErrBACBadSetLen
	ErrBACBadSetArgument
	ErrBACBadSetMask
	ErrBACBadMeter
	ErrNXBACMustBeZero
	ErrNXBACBadConjunction
	ErrNXBACBadHeaderType
	ErrNXBACUnknownEDProp
	ErrNXBACBadEDProp
	ErrNXBACCTDatapathSupport
	ErrBICUnknownInst
	ErrBICUnsupInst
	ErrBICBadTableID
	ErrBICUnsupMetadata
	ErrBICUnsupMetadataMask
	ErrBICBadExperimenter
	ErrBICBadExpType
	ErrBICBadLen
	ErrBICEPerm
	ErrBICDupInst
	ErrBMCBadType
	ErrBMCBadLen
	ErrBMCBadTag
	ErrBMCBadDLAddrMask
	ErrBMCBadNWAddrMask
	ErrBMCBadWildcards
	ErrBMCBadField
	ErrBMCBadValue
	ErrBMCBadMask
	ErrBMCBadPrereq
	ErrBMCDupField
	ErrBMCEPerm
	ErrNXBMCCTDatapathSupport
	ErrFMFCUnknown
	ErrFMFCTableFull
	ErrFMFCBadTableID
	ErrFMFCOverlap
	ErrFMFCEPerm
	ErrFMFCBadTimeout
	ErrFMFCBadEmergTimeout
	ErrFMFCBadCommand
	ErrFMFCBadFlags
	ErrFMFCCantSync
	ErrFMFCBadPriority
	ErrFMFCIsSync
	ErrFMFCUnsupported
	ErrNXFMFCHardware
	ErrNXFMFCBadTableID
	ErrNXFMFCInvalidTLVField
	ErrGMFCGroupExists
	ErrGMFCInvalidGroup
	ErrGMFCWeightUnsupported
	ErrGMFCOutOfGroups
	ErrGMFCOutOfBuckets
	ErrGMFCChainingUnsupported
	ErrGMFCWatchUnsupported
	ErrGMFCLoop
	ErrGMFCUnknownGroup
	ErrGMFCChainedGroup
	ErrGMFCBadType
	ErrGMFCBadCommand
	ErrGMFCBadBucket
	ErrGMFCBadWatch
	ErrGMFCEPerm
	ErrGMFCUnknownBucket
	ErrGMFCBucketExists
	ErrPMFCBadPort
	ErrPMFCBadHWAddr
	ErrPMFCBadConfig
	ErrPMFCBadAdvertise
	ErrPMFCEPerm
	ErrTMFCBadTable
	ErrTMFCBadConfig
	ErrTMFCEPerm
	ErrQOFCBadPort
	ErrQOFCBadQueue
	ErrQOFCEPerm
	ErrNXQOFCQueueError
	ErrSCFCBadFlags
	ErrSCFCBadLen
	ErrSCFCEPerm
	ErrRRFCStale
	ErrRRFCUnsup
	ErrRRFCBadRole
	ErrRRFCIDUnsup
	ErrRRFCIDInUse
	ErrMMFCUnknown
	ErrMMFCMeterExists
	ErrMMFCInvalidMeter
	ErrMMFCUnknownMeter
	ErrMMFCBadCommand
	ErrMMFCBadFlags
	ErrMMFCBadRate
	ErrMMFCBadBurst
	ErrMMFCBadBand
	ErrMMFCBadBandValue
	ErrMMFCOutOfMeters
	ErrMMFCOutOfBands
	ErrTFFCBadTable
	ErrTFFCBadMetadata
	ErrTFFCEPerm
	ErrTFFCBadCapa
	ErrTFFCBadMaxEnt
	ErrTFFCBadFeatures
	ErrTFFCBadCommand
	ErrTFFCTooMany
	ErrNXTFFCDupTable
	ErrBPCBadType
	ErrBPCBadLen
	ErrBPCBadValue
	ErrBPCTooMany
	ErrBPCDupType
	ErrBPCBadExperimenter
	ErrBPCBadExpType
	ErrBPCBadExpValue
	ErrBPCEPerm
	ErrACFCInvalid
	ErrACFCUnsupported
	ErrACFCEPerm
	ErrBFCUnknown
	ErrBFCEPerm
	ErrBFCBadID
	ErrBFCBundleExist
	ErrBFCBundleClosed
	ErrBFCOutOfBundles
	ErrBFCBadType
	ErrBFCBadFlags
	ErrBFCMsgBadLen
	ErrBFCMsgBadXid
	ErrBFCMsgUnsup
	ErrBFCMsgConflict
	ErrBFCMsgTooMany
	ErrBFCMsgFailed
	ErrBFCTimeout
	ErrBFCBundleInProgress
	ErrBFCSchedNotSupported
	ErrBFCSchedFuture
	ErrBFCSchedPast
	ErrBFCBadVersion
	ErrMOFCUnknown
	ErrMOFCMonitorExists
	ErrMOFCInvalidMonitor
	ErrMOFCUnknownMonitor
	ErrMOFCBadCommand
	ErrMOFCBadFlags
	ErrMOFCBadTableID
	ErrMOFCBadOut
	ErrNXTTMFCBadCommand
	ErrNXTTMFCBadOptLen
	ErrNXTTMFCBadFieldIdx
	ErrNXTTMFCTableFull
	ErrNXTTMFCAlreadyMapped
	ErrNXTTMFCDupEntry
	ErrNXTTMFCInvalidTLVDel
	ErrNXRNotSupported
	ErrNXRStale
	ErrNXSTNotConfigured
	numErrCodes
)

// errWire is how an error is numbered from version min to version max:
// standard (vendor 0) by type and code; of a vendor by type alone from
// OpenFlow 1.2 on, and by type and code inside NXET_VENDOR before.
type errWire struct {
	vendor    uint32
	min, max  Version
	typ, code uint16
}

// errTable holds the name and the numbers of each ErrCode.
var errTable = [numErrCodes]struct {
	name string
	wire []errWire
}{
	ErrHFCIncompatible:            {"OFPHFC_INCOMPATIBLE", []errWire{{0, V10, V15, 0, 0}}},
	ErrHFCEPerm:                   {"OFPHFC_EPERM", []errWire{{0, V10, V15, 0, 1}}},
	ErrBRCBadVersion:              {"OFPBRC_BAD_VERSION", []errWire{{0, V10, V15, 1, 0}}},
	ErrBRCBadType:                 {"OFPBRC_BAD_TYPE", []errWire{{0, V10, V15, 1, 1}}},
	ErrBRCBadStat:                 {"OFPBRC_BAD_STAT", []errWire{{0, V10, V15, 1, 2}}},
	ErrBRCBadVendor:               {"OFPBRC_BAD_VENDOR", []errWire{{0, V10, V15, 1, 3}}},
	ErrBRCBadSubtype:              {"OFPBRC_BAD_SUBTYPE", []errWire{{0, V10, V15, 1, 4}}},
	ErrBRCEPerm:                   {"OFPBRC_EPERM", []errWire{{0, V10, V15, 1, 5}}},
	ErrBRCBadLen:                  {"OFPBRC_BAD_LEN", []errWire{{0, V10, V15, 1, 6}}},
	ErrBRCBufferEmpty:             {"OFPBRC_BUFFER_EMPTY", []errWire{{0, V10, V15, 1, 7}}},
	ErrBRCBufferUnknown:           {"OFPBRC_BUFFER_UNKNOWN", []errWire{{0, V10, V15, 1, 8}}},
	ErrBRCBadTableID:              {"OFPBRC_BAD_TABLE_ID", []errWire{{VendorNicira, V10, V10, 1, 512}, {0, V11, V15, 1, 9}}},
	ErrBRCIsSecondary:             {"OFPBRC_IS_SECONDARY", []errWire{{0, V10, V11, 1, 5}, {0, V12, V15, 1, 10}}},
	ErrBRCBadPort:                 {"OFPBRC_BAD_PORT", []errWire{{VendorNicira, V10, V11, 1, 514}, {0, V12, V15, 1, 11}}},
	ErrBRCBadPacket:               {"OFPBRC_BAD_PACKET", []errWire{{0, V12, V15, 1, 12}}},
	ErrBRCMultipartBufferOverflow: {"OFPBRC_MULTIPART_BUFFER_OVERFLOW", []errWire{{0, V13, V15, 1, 13}}},
	ErrBRCMultipartRequestTimeout: {"OFPBRC_MULTIPART_REQUEST_TIMEOUT", []errWire{{VendorONF, V13, V13, 2640, 0}, {0, V14, V15, 1, 14}}},
	ErrBRCMultipartReplyTimeout:   {"OFPBRC_MULTIPART_REPLY_TIMEOUT", []errWire{{VendorONF, V13, V13, 2641, 0}, {0, V14, V15, 1, 15}}},
	ErrBRCMultipartBadSched:       {"OFPBRC_MULTIPART_BAD_SCHED", []errWire{{0, V15, V15, 1, 16}}},
	ErrBRCPipelineFieldsOnly:      {"OFPBRC_PIPELINE_FIELDS_ONLY", []errWire{{0, V15, V15, 1, 17}}},
	ErrBRCUnknown:                 {"OFPBRC_UNKNOWN", []errWire{{0, V15, V15, 1, 18}}},
	ErrNXBRCNXMInvalid:            {"NXBRC_NXM_INVALID", []errWire{{VendorNicira, V10, V11, 1, 256}, {VendorNicira, V12, V15, 2, 0}}},
	ErrNXBRCNXMBadType:            {"NXBRC_NXM_BAD_TYPE", []errWire{{VendorNicira, V10, V11, 1, 257}, {VendorNicira, V12, V15, 3, 0}}},
	ErrNXBRCMustBeZero:            {"NXBRC_MUST_BE_ZERO", []errWire{{VendorNicira, V10, V11, 1, 515}, {VendorNicira, V12, V15, 4, 0}}},
	ErrNXBRCBadReason:             {"NXBRC_BAD_REASON", []errWire{{VendorNicira, V10, V11, 1, 516}, {VendorNicira, V12, V15, 5, 0}}},
	ErrNXBRCFMBadEvent:            {"NXBRC_FM_BAD_EVENT", []errWire{{VendorNicira, V10, V11, 1, 520}, {VendorNicira, V12, V15, 9, 0}}},
	ErrNXBRCUnencodableError:      {"NXBRC_UNENCODABLE_ERROR", []errWire{{VendorNicira, V10, V11, 1, 521}, {VendorNicira, V12, V15, 10, 0}}},
	ErrBACBadType:                 {"OFPBAC_BAD_TYPE", []errWire{{0, V10, V15, 2, 0}}},
	ErrBACBadLen:                  {"OFPBAC_BAD_LEN", []errWire{{0, V10, V15, 2, 1}}},
	ErrBACBadVendor:               {"OFPBAC_BAD_VENDOR", []errWire{{0, V10, V15, 2, 2}}},
	ErrBACBadVendorType:           {"OFPBAC_BAD_VENDOR_TYPE", []errWire{{0, V10, V15, 2, 3}}},
	ErrBACBadOutPort:              {"OFPBAC_BAD_OUT_PORT", []errWire{{0, V10, V15, 2, 4}}},
	ErrBACBadArgument:             {"OFPBAC_BAD_ARGUMENT", []errWire{{0, V10, V15, 2, 5}}},
	ErrBACEPerm:                   {"OFPBAC_EPERM", []errWire{{0, V10, V15, 2, 6}}},
	ErrBACTooMany:                 {"OFPBAC_TOO_MANY", []errWire{{0, V10, V15, 2, 7}}},
	ErrBACBadQueue:                {"OFPBAC_BAD_QUEUE", []errWire{{0, V10, V15, 2, 8}}},
	ErrBACBadOutGroup:             {"OFPBAC_BAD_OUT_GROUP", []errWire{{VendorNicira, V10, V10, 2, 9}, {0, V11, V15, 2, 9}}},
	ErrBACMatchInconsistent:       {"OFPBAC_MATCH_INCONSISTENT", []errWire{{VendorNicira, V10, V10, 1, 522}, {0, V11, V15, 2, 10}}},
	ErrBACUnsupportedOrder:        {"OFPBAC_UNSUPPORTED_ORDER", []errWire{{0, V11, V15, 2, 11}}},
	ErrBACBadTag:                  {"OFPBAC_BAD_TAG", []errWire{{0, V11, V15, 2, 12}}},
	ErrBACBadSetType:              {"OFPBAC_BAD_SET_TYPE", []errWire{{VendorNicira, V10, V11, 1, 523}, {0, V12, V15, 2, 13}}},
	ErrBACBadSetLen:               {"OFPBAC_BAD_SET_LEN", []errWire{{VendorNicira, V10, V11, 1, 524}, {0, V12, V15, 2, 14}}},
	ErrBACBadSetArgument:          {"OFPBAC_BAD_SET_ARGUMENT", []errWire{{VendorNicira, V10, V11, 1, 525}, {0, V12, V15, 2, 15}}},
	ErrBACBadSetMask:              {"OFPBAC_BAD_SET_MASK", []errWire{{VendorONF, V13, V14, 4250, 0}, {0, V15, V15, 2, 16}}},
	ErrBACBadMeter:                {"OFPBAC_BAD_METER", []errWire{{0, V15, V15, 2, 17}}},
	ErrNXBACMustBeZero:            {"NXBAC_MUST_BE_ZERO", []errWire{{VendorNicira, V10, V11, 2, 256}, {VendorNicira, V12, V15, 11, 0}}},
	ErrNXBACBadConjunction:        {"NXBAC_BAD_CONJUNCTION", []errWire{{VendorNicira, V10, V11, 2, 526}, {VendorNicira, V12, V15, 15, 0}}},
	ErrNXBACBadHeaderType:         {"NXBAC_BAD_HEADER_TYPE", []errWire{{VendorNicira, V13, V15, 39, 0}}},
	ErrNXBACUnknownEDProp:         {"NXBAC_UNKNOWN_ED_PROP", []errWire{{VendorNicira, V13, V15, 40, 0}}},
	ErrNXBACBadEDProp:             {"NXBAC_BAD_ED_PROP", []errWire{{VendorNicira, V13, V15, 41, 0}}},
	ErrNXBACCTDatapathSupport:     {"NXBAC_CT_DATAPATH_SUPPORT", []errWire{{VendorNicira, V10, V11, 1, 265}, {VendorNicira, V12, V15, 42, 0}}},
	ErrBICUnknownInst:             {"OFPBIC_UNKNOWN_INST", []errWire{{0, V11, V15, 3, 0}}},
	ErrBICUnsupInst:               {"OFPBIC_UNSUP_INST", []errWire{{VendorNicira, V10, V10, 2, 257}, {0, V11, V15, 3, 1}}},
	ErrBICBadTableID:              {"OFPBIC_BAD_TABLE_ID", []errWire{{0, V11, V15, 3, 2}}},
	ErrBICUnsupMetadata:           {"OFPBIC_UNSUP_METADATA", []errWire{{0, V11, V15, 3, 3}}},
	ErrBICUnsupMetadataMask:       {"OFPBIC_UNSUP_METADATA_MASK", []errWire{{0, V11, V15, 3, 4}}},
	ErrBICBadExperimenter:         {"OFPBIC_BAD_EXPERIMENTER", []errWire{{0, V11, V15, 3, 5}}},
	ErrBICBadExpType:              {"OFPBIC_BAD_EXP_TYPE", []errWire{{0, V11, V11, 3, 5}, {0, V12, V15, 3, 6}}},
	ErrBICBadLen:                  {"OFPBIC_BAD_LEN", []errWire{{0, V12, V15, 3, 7}}},
	ErrBICEPerm:                   {"OFPBIC_EPERM", []errWire{{0, V12, V15, 3, 8}}},
	ErrBICDupInst:                 {"OFPBIC_DUP_INST", []errWire{{VendorONF, V12, V13, 2600, 0}, {VendorNicira, V11, V11, 3, 256}, {0, V14, V15, 3, 9}}},
	ErrBMCBadType:                 {"OFPBMC_BAD_TYPE", []errWire{{0, V11, V15, 4, 0}}},
	ErrBMCBadLen:                  {"OFPBMC_BAD_LEN", []errWire{{0, V11, V15, 4, 1}}},
	ErrBMCBadTag:                  {"OFPBMC_BAD_TAG", []errWire{{0, V11, V15, 4, 2}}},
	ErrBMCBadDLAddrMask:           {"OFPBMC_BAD_DL_ADDR_MASK", []errWire{{0, V11, V15, 4, 3}}},
	ErrBMCBadNWAddrMask:           {"OFPBMC_BAD_NW_ADDR_MASK", []errWire{{0, V11, V15, 4, 4}}},
	ErrBMCBadWildcards:            {"OFPBMC_BAD_WILDCARDS", []errWire{{VendorNicira, V10, V10, 1, 262}, {0, V11, V15, 4, 5}}},
	ErrBMCBadField:                {"OFPBMC_BAD_FIELD", []errWire{{VendorNicira, V10, V10, 0, 263}, {0, V11, V15, 4, 6}}},
	ErrBMCBadValue:                {"OFPBMC_BAD_VALUE", []errWire{{VendorNicira, V10, V10, 1, 258}, {0, V11, V15, 4, 7}}},
	ErrBMCBadMask:                 {"OFPBMC_BAD_MASK", []errWire{{VendorNicira, V10, V11, 1, 259}, {0, V12, V15, 4, 8}}},
	ErrBMCBadPrereq:               {"OFPBMC_BAD_PREREQ", []errWire{{VendorNicira, V10, V11, 1, 260}, {0, V12, V15, 4, 9}}},
	ErrBMCDupField:                {"OFPBMC_DUP_FIELD", []errWire{{VendorNicira, V10, V11, 1, 261}, {0, V12, V15, 4, 10}}},
	ErrBMCEPerm:                   {"OFPBMC_EPERM", []errWire{{0, V12, V15, 4, 11}}},
	ErrNXBMCCTDatapathSupport:     {"NXBMC_CT_DATAPATH_SUPPORT", []errWire{{VendorNicira, V10, V11, 1, 264}, {VendorNicira, V12, V15, 43, 0}}},
	ErrFMFCUnknown:                {"OFPFMFC_UNKNOWN", []errWire{{0, V11, V15, 5, 0}}},
	ErrFMFCTableFull:              {"OFPFMFC_TABLE_FULL", []errWire{{0, V10, V10, 3, 0}, {0, V11, V15, 5, 1}}},
	ErrFMFCBadTableID:             {"OFPFMFC_BAD_TABLE_ID", []errWire{{0, V11, V15, 5, 2}}},
	ErrFMFCOverlap:                {"OFPFMFC_OVERLAP", []errWire{{0, V10, V10, 3, 1}, {0, V11, V15, 5, 3}}},
	ErrFMFCEPerm:                  {"OFPFMFC_EPERM", []errWire{{0, V10, V10, 3, 2}, {0, V11, V15, 5, 4}}},
	ErrFMFCBadTimeout:             {"OFPFMFC_BAD_TIMEOUT", []errWire{{0, V11, V15, 5, 5}}},
	ErrFMFCBadEmergTimeout:        {"OFPFMFC_BAD_EMERG_TIMEOUT", []errWire{{0, V10, V10, 3, 3}}},
	ErrFMFCBadCommand:             {"OFPFMFC_BAD_COMMAND", []errWire{{0, V10, V10, 3, 4}, {0, V11, V15, 5, 6}}},
	ErrFMFCBadFlags:               {"OFPFMFC_BAD_FLAGS", []errWire{{VendorNicira, V10, V10, 3, 258}, {VendorNicira, V11, V11, 5, 258}, {0, V12, V15, 5, 7}}},
	ErrFMFCCantSync:               {"OFPFMFC_CANT_SYNC", []errWire{{0, V14, V15, 5, 8}}},
	ErrFMFCBadPriority:            {"OFPFMFC_BAD_PRIORITY", []errWire{{VendorONF, V13, V13, 2360, 0}, {0, V14, V15, 5, 9}}},
	ErrFMFCIsSync:                 {"OFPFMFC_IS_SYNC", []errWire{{0, V14, V15, 5, 10}}},
	ErrFMFCUnsupported:            {"OFPFMFC_UNSUPPORTED", []errWire{{0, V10, V10, 3, 5}}},
	ErrNXFMFCHardware:             {"NXFMFC_HARDWARE", []errWire{{VendorNicira, V10, V11, 5, 256}, {VendorNicira, V12, V15, 12, 0}}},
	ErrNXFMFCBadTableID:           {"NXFMFC_BAD_TABLE_ID", []errWire{{VendorNicira, V10, V11, 5, 257}, {VendorNicira, V12, V15, 13, 0}}},
	ErrNXFMFCInvalidTLVField:      {"NXFMFC_INVALID_TLV_FIELD", []errWire{{VendorNicira, V10, V11, 1, 536}, {VendorNicira, V12, V15, 37, 0}}},
	ErrGMFCGroupExists:            {"OFPGMFC_GROUP_EXISTS", []errWire{{VendorNicira, V10, V10, 6, 0}, {0, V11, V15, 6, 0}}},
	ErrGMFCInvalidGroup:           {"OFPGMFC_INVALID_GROUP", []errWire{{VendorNicira, V10, V10, 6, 1}, {0, V11, V15, 6, 1}}},
	ErrGMFCWeightUnsupported:      {"OFPGMFC_WEIGHT_UNSUPPORTED", []errWire{{VendorNicira, V10, V10, 6, 2}, {0, V11, V15, 6, 2}}},
	ErrGMFCOutOfGroups:            {"OFPGMFC_OUT_OF_GROUPS", []errWire{{VendorNicira, V10, V10, 6, 3}, {0, V11, V15, 6, 3}}},
	ErrGMFCOutOfBuckets:           {"OFPGMFC_OUT_OF_BUCKETS", []errWire{{VendorNicira, V10, V10, 6, 4}, {0, V11, V15, 6, 4}}},
	ErrGMFCChainingUnsupported:    {"OFPGMFC_CHAINING_UNSUPPORTED", []errWire{{VendorNicira, V10, V10, 6, 5}, {0, V11, V15, 6, 5}}},
	ErrGMFCWatchUnsupported:       {"OFPGMFC_WATCH_UNSUPPORTED", []errWire{{VendorNicira, V10, V10, 6, 6}, {0, V11, V15, 6, 6}}},
	ErrGMFCLoop:                   {"OFPGMFC_LOOP", []errWire{{VendorNicira, V10, V10, 6, 7}, {0, V11, V15, 6, 7}}},
	ErrGMFCUnknownGroup:           {"OFPGMFC_UNKNOWN_GROUP", []errWire{{VendorNicira, V10, V10, 6, 8}, {0, V11, V15, 6, 8}}},
	ErrGMFCChainedGroup:           {"OFPGMFC_CHAINED_GROUP", []errWire{{VendorNicira, V10, V10, 6, 9}, {0, V12, V15, 6, 9}}},
	ErrGMFCBadType:                {"OFPGMFC_BAD_TYPE", []errWire{{VendorNicira, V10, V10, 6, 10}, {0, V12, V15, 6, 10}}},
	ErrGMFCBadCommand:             {"OFPGMFC_BAD_COMMAND", []errWire{{VendorNicira, V10, V10, 6, 11}, {0, V12, V15, 6, 11}}},
	ErrGMFCBadBucket:              {"OFPGMFC_BAD_BUCKET", []errWire{{VendorNicira, V10, V10, 6, 12}, {0, V12, V15, 6, 12}}},
	ErrGMFCBadWatch:               {"OFPGMFC_BAD_WATCH", []errWire{{VendorNicira, V10, V10, 6, 13}, {0, V12, V15, 6, 13}}},
	ErrGMFCEPerm:                  {"OFPGMFC_EPERM", []errWire{{VendorNicira, V10, V10, 6, 14}, {0, V12, V15, 6, 14}}},
	ErrGMFCUnknownBucket:          {"OFPGMFC_UNKNOWN_BUCKET", []errWire{{VendorNicira, V10, V10, 6, 15}, {0, V15, V15, 6, 15}}},
	ErrGMFCBucketExists:           {"OFPGMFC_BUCKET_EXISTS", []errWire{{VendorNicira, V10, V10, 6, 16}, {0, V15, V15, 6, 16}}},
	ErrPMFCBadPort:                {"OFPPMFC_BAD_PORT", []errWire{{0, V10, V10, 4, 0}, {0, V11, V15, 7, 0}}},
	ErrPMFCBadHWAddr:              {"OFPPMFC_BAD_HW_ADDR", []errWire{{0, V10, V10, 4, 1}, {0, V11, V15, 7, 1}}},
	ErrPMFCBadConfig:              {"OFPPMFC_BAD_CONFIG", []errWire{{0, V11, V15, 7, 2}}},
	ErrPMFCBadAdvertise:           {"OFPPMFC_BAD_ADVERTISE", []errWire{{0, V11, V15, 7, 3}}},
	ErrPMFCEPerm:                  {"OFPPMFC_EPERM", []errWire{{0, V12, V15, 7, 4}}},
	ErrTMFCBadTable:               {"OFPTMFC_BAD_TABLE", []errWire{{0, V11, V15, 8, 0}}},
	ErrTMFCBadConfig:              {"OFPTMFC_BAD_CONFIG", []errWire{{0, V11, V15, 8, 1}}},
	ErrTMFCEPerm:                  {"OFPTMFC_EPERM", []errWire{{0, V12, V15, 8, 2}}},
	ErrQOFCBadPort:                {"OFPQOFC_BAD_PORT", []errWire{{0, V10, V10, 5, 0}, {0, V11, V15, 9, 0}}},
	ErrQOFCBadQueue:               {"OFPQOFC_BAD_QUEUE", []errWire{{0, V10, V10, 5, 1}, {0, V11, V15, 9, 1}}},
	ErrQOFCEPerm:                  {"OFPQOFC_EPERM", []errWire{{0, V10, V10, 5, 2}, {0, V11, V15, 9, 2}}},
	ErrNXQOFCQueueError:           {"NXQOFC_QUEUE_ERROR", []errWire{{VendorNicira, V14, V15, 23, 0}}},
	ErrSCFCBadFlags:               {"OFPSCFC_BAD_FLAGS", []errWire{{0, V11, V15, 10, 0}}},
	ErrSCFCBadLen:                 {"OFPSCFC_BAD_LEN", []errWire{{0, V11, V15, 10, 1}}},
	ErrSCFCEPerm:                  {"OFPSCFC_EPERM", []errWire{{0, V12, V15, 10, 2}}},
	ErrRRFCStale:                  {"OFPRRFC_STALE", []errWire{{0, V12, V15, 11, 0}}},
	ErrRRFCUnsup:                  {"OFPRRFC_UNSUP", []errWire{{0, V12, V15, 11, 1}}},
	ErrRRFCBadRole:                {"OFPRRFC_BAD_ROLE", []errWire{{VendorNicira, V10, V11, 1, 513}, {0, V12, V15, 11, 2}}},
	ErrRRFCIDUnsup:                {"OFPRRFC_ID_UNSUP", []errWire{{0, V15, V15, 11, 3}}},
	ErrRRFCIDInUse:                {"OFPRRFC_ID_IN_USE", []errWire{{0, V15, V15, 11, 4}}},
	ErrMMFCUnknown:                {"OFPMMFC_UNKNOWN", []errWire{{0, V13, V15, 12, 0}}},
	ErrMMFCMeterExists:            {"OFPMMFC_METER_EXISTS", []errWire{{0, V13, V15, 12, 1}}},
	ErrMMFCInvalidMeter:           {"OFPMMFC_INVALID_METER", []errWire{{0, V13, V15, 12, 2}}},
	ErrMMFCUnknownMeter:           {"OFPMMFC_UNKNOWN_METER", []errWire{{0, V13, V15, 12, 3}}},
	ErrMMFCBadCommand:             {"OFPMMFC_BAD_COMMAND", []errWire{{0, V13, V15, 12, 4}}},
	ErrMMFCBadFlags:               {"OFPMMFC_BAD_FLAGS", []errWire{{0, V13, V15, 12, 5}}},
	ErrMMFCBadRate:                {"OFPMMFC_BAD_RATE", []errWire{{0, V13, V15, 12, 6}}},
	ErrMMFCBadBurst:               {"OFPMMFC_BAD_BURST", []errWire{{0, V13, V15, 12, 7}}},
	ErrMMFCBadBand:                {"OFPMMFC_BAD_BAND", []errWire{{0, V13, V15, 12, 8}}},
	ErrMMFCBadBandValue:           {"OFPMMFC_BAD_BAND_VALUE", []errWire{{0, V13, V15, 12, 9}}},
	ErrMMFCOutOfMeters:            {"OFPMMFC_OUT_OF_METERS", []errWire{{0, V13, V15, 12, 10}}},
	ErrMMFCOutOfBands:             {"OFPMMFC_OUT_OF_BANDS", []errWire{{0, V13, V15, 12, 11}}},
	ErrTFFCBadTable:               {"OFPTFFC_BAD_TABLE", []errWire{{0, V13, V15, 13, 0}}},
	ErrTFFCBadMetadata:            {"OFPTFFC_BAD_METADATA", []errWire{{0, V13, V15, 13, 1}}},
	ErrTFFCEPerm:                  {"OFPTFFC_EPERM", []errWire{{0, V13, V15, 13, 5}}},
	ErrTFFCBadCapa:                {"OFPTFFC_BAD_CAPA", []errWire{{0, V15, V15, 13, 6}}},
	ErrTFFCBadMaxEnt:              {"OFPTFFC_BAD_MAX_ENT", []errWire{{0, V15, V15, 13, 7}}},
	ErrTFFCBadFeatures:            {"OFPTFFC_BAD_FEATURES", []errWire{{0, V15, V15, 13, 8}}},
	ErrTFFCBadCommand:             {"OFPTFFC_BAD_COMMAND", []errWire{{0, V15, V15, 13, 9}}},
	ErrTFFCTooMany:                {"OFPTFFC_TOO_MANY", []errWire{{0, V15, V15, 13, 10}}},
	ErrNXTFFCDupTable:             {"NXTFFC_DUP_TABLE", []errWire{{VendorNicira, V13, V15, 44, 0}}},
	ErrBPCBadType:                 {"OFPBPC_BAD_TYPE", []errWire{{VendorNicira, V10, V11, 13, 2}, {VendorNicira, V12, V12, 25, 0}, {0, V13, V13, 13, 2}, {0, V14, V15, 14, 0}}},
	ErrBPCBadLen:                  {"OFPBPC_BAD_LEN", []errWire{{VendorNicira, V10, V11, 13, 3}, {VendorNicira, V12, V12, 26, 0}, {0, V13, V13, 13, 3}, {0, V14, V15, 14, 1}}},
	ErrBPCBadValue:                {"OFPBPC_BAD_VALUE", []errWire{{VendorNicira, V10, V11, 13, 4}, {VendorNicira, V12, V12, 27, 0}, {0, V13, V13, 13, 4}, {0, V14, V15, 14, 2}}},
	ErrBPCTooMany:                 {"OFPBPC_TOO_MANY", []errWire{{VendorONF, V13, V13, 4443, 0}, {VendorNicira, V10, V11, 14, 3}, {VendorNicira, V12, V12, 28, 0}, {0, V14, V15, 14, 3}}},
	ErrBPCDupType:                 {"OFPBPC_DUP_TYPE", []errWire{{VendorONF, V13, V13, 4444, 0}, {VendorNicira, V10, V11, 14, 4}, {VendorNicira, V12, V12, 29, 0}, {0, V14, V15, 14, 4}}},
	ErrBPCBadExperimenter:         {"OFPBPC_BAD_EXPERIMENTER", []errWire{{VendorONF, V13, V13, 4445, 0}, {VendorNicira, V10, V11, 14, 5}, {VendorNicira, V12, V12, 30, 0}, {0, V14, V15, 14, 5}}},
	ErrBPCBadExpType:              {"OFPBPC_BAD_EXP_TYPE", []errWire{{VendorONF, V13, V13, 4446, 0}, {VendorNicira, V10, V11, 14, 6}, {VendorNicira, V12, V12, 31, 0}, {0, V14, V15, 14, 6}}},
	ErrBPCBadExpValue:             {"OFPBPC_BAD_EXP_VALUE", []errWire{{VendorONF, V13, V13, 4447, 0}, {VendorNicira, V10, V11, 14, 7}, {VendorNicira, V12, V12, 32, 0}, {0, V14, V15, 14, 7}}},
	ErrBPCEPerm:                   {"OFPBPC_EPERM", []errWire{{VendorONF, V13, V13, 4448, 0}, {VendorNicira, V10, V11, 14, 8}, {VendorNicira, V12, V12, 33, 0}, {0, V14, V15, 14, 8}}},
	ErrACFCInvalid:                {"OFPACFC_INVALID", []errWire{{VendorONF, V13, V13, 2370, 0}, {0, V14, V15, 15, 0}}},
	ErrACFCUnsupported:            {"OFPACFC_UNSUPPORTED", []errWire{{VendorONF, V13, V13, 2371, 0}, {0, V14, V15, 15, 1}}},
	ErrACFCEPerm:                  {"OFPACFC_EPERM", []errWire{{VendorONF, V13, V13, 2372, 0}, {0, V14, V15, 15, 2}}},
	ErrBFCUnknown:                 {"OFPBFC_UNKNOWN", []errWire{{VendorONF, V13, V13, 2300, 0}, {0, V14, V15, 17, 0}}},
	ErrBFCEPerm:                   {"OFPBFC_EPERM", []errWire{{VendorONF, V13, V13, 2301, 0}, {0, V14, V15, 17, 1}}},
	ErrBFCBadID:                   {"OFPBFC_BAD_ID", []errWire{{VendorONF, V13, V13, 2302, 0}, {0, V14, V15, 17, 2}}},
	ErrBFCBundleExist:             {"OFPBFC_BUNDLE_EXIST", []errWire{{VendorONF, V13, V13, 2303, 0}, {0, V14, V15, 17, 3}}},
	ErrBFCBundleClosed:            {"OFPBFC_BUNDLE_CLOSED", []errWire{{VendorONF, V13, V13, 2304, 0}, {0, V14, V15, 17, 4}}},
	ErrBFCOutOfBundles:            {"OFPBFC_OUT_OF_BUNDLES", []errWire{{VendorONF, V13, V13, 2305, 0}, {0, V14, V15, 17, 5}}},
	ErrBFCBadType:                 {"OFPBFC_BAD_TYPE", []errWire{{VendorONF, V13, V13, 2306, 0}, {0, V14, V15, 17, 6}}},
	ErrBFCBadFlags:                {"OFPBFC_BAD_FLAGS", []errWire{{VendorONF, V13, V13, 2307, 0}, {0, V14, V15, 17, 7}}},
	ErrBFCMsgBadLen:               {"OFPBFC_MSG_BAD_LEN", []errWire{{VendorONF, V13, V13, 2308, 0}, {0, V14, V15, 17, 8}}},
	ErrBFCMsgBadXid:               {"OFPBFC_MSG_BAD_XID", []errWire{{VendorONF, V13, V13, 2309, 0}, {0, V14, V15, 17, 9}}},
	ErrBFCMsgUnsup:                {"OFPBFC_MSG_UNSUP", []errWire{{VendorONF, V13, V13, 2310, 0}, {0, V14, V15, 17, 10}}},
	ErrBFCMsgConflict:             {"OFPBFC_MSG_CONFLICT", []errWire{{VendorONF, V13, V13, 2311, 0}, {0, V14, V15, 17, 11}}},
	ErrBFCMsgTooMany:              {"OFPBFC_MSG_TOO_MANY", []errWire{{VendorONF, V13, V13, 2312, 0}, {0, V14, V15, 17, 12}}},
	ErrBFCMsgFailed:               {"OFPBFC_MSG_FAILED", []errWire{{VendorONF, V13, V13, 2313, 0}, {0, V14, V15, 17, 13}}},
	ErrBFCTimeout:                 {"OFPBFC_TIMEOUT", []errWire{{VendorONF, V13, V13, 2314, 0}, {0, V14, V15, 17, 14}}},
	ErrBFCBundleInProgress:        {"OFPBFC_BUNDLE_IN_PROGRESS", []errWire{{VendorONF, V13, V13, 2315, 0}, {0, V14, V15, 17, 15}}},
	ErrBFCSchedNotSupported:       {"OFPBFC_SCHED_NOT_SUPPORTED", []errWire{{0, V15, V15, 17, 16}}},
	ErrBFCSchedFuture:             {"OFPBFC_SCHED_FUTURE", []errWire{{0, V15, V15, 17, 17}}},
	ErrBFCSchedPast:               {"OFPBFC_SCHED_PAST", []errWire{{0, V15, V15, 17, 18}}},
	ErrBFCBadVersion:              {"OFPBFC_BAD_VERSION", []errWire{{VendorNicira, V14, V15, 22, 0}}},
	ErrMOFCUnknown:                {"OFPMOFC_UNKNOWN", []errWire{{0, V14, V15, 16, 0}}},
	ErrMOFCMonitorExists:          {"OFPMOFC_MONITOR_EXISTS", []errWire{{VendorNicira, V10, V11, 1, 517}, {VendorNicira, V12, V13, 6, 0}, {0, V14, V15, 16, 1}}},
	ErrMOFCInvalidMonitor:         {"OFPMOFC_INVALID_MONITOR", []errWire{{0, V14, V15, 16, 2}}},
	ErrMOFCUnknownMonitor:         {"OFPMOFC_UNKNOWN_MONITOR", []errWire{{VendorNicira, V10, V11, 1, 519}, {VendorNicira, V12, V13, 8, 0}, {0, V14, V15, 16, 3}}},
	ErrMOFCBadCommand:             {"OFPMOFC_BAD_COMMAND", []errWire{{0, V14, V15, 16, 4}}},
	ErrMOFCBadFlags:               {"OFPMOFC_BAD_FLAGS", []errWire{{VendorNicira, V10, V11, 1, 518}, {VendorNicira, V12, V13, 7, 0}, {0, V14, V15, 16, 5}}},
	ErrMOFCBadTableID:             {"OFPMOFC_BAD_TABLE_ID", []errWire{{0, V14, V15, 16, 6}}},
	ErrMOFCBadOut:                 {"OFPMOFC_BAD_OUT", []errWire{{0, V14, V15, 16, 7}}},
	ErrNXTTMFCBadCommand:          {"NXTTMFC_BAD_COMMAND", []errWire{{VendorNicira, V10, V11, 1, 527}, {VendorNicira, V12, V15, 16, 0}}},
	ErrNXTTMFCBadOptLen:           {"NXTTMFC_BAD_OPT_LEN", []errWire{{VendorNicira, V10, V11, 1, 528}, {VendorNicira, V12, V15, 17, 0}}},
	ErrNXTTMFCBadFieldIdx:         {"NXTTMFC_BAD_FIELD_IDX", []errWire{{VendorNicira, V10, V11, 1, 529}, {VendorNicira, V12, V15, 18, 0}}},
	ErrNXTTMFCTableFull:           {"NXTTMFC_TABLE_FULL", []errWire{{VendorNicira, V10, V11, 1, 530}, {VendorNicira, V12, V15, 19, 0}}},
	ErrNXTTMFCAlreadyMapped:       {"NXTTMFC_ALREADY_MAPPED", []errWire{{VendorNicira, V10, V11, 1, 531}, {VendorNicira, V12, V15, 20, 0}}},
	ErrNXTTMFCDupEntry:            {"NXTTMFC_DUP_ENTRY", []errWire{{VendorNicira, V10, V11, 1, 532}, {VendorNicira, V12, V15, 21, 0}}},
	ErrNXTTMFCInvalidTLVDel:       {"NXTTMFC_INVALID_TLV_DEL", []errWire{{VendorNicira, V10, V11, 1, 537}, {VendorNicira, V12, V15, 38, 0}}},
	ErrNXRNotSupported:            {"NXR_NOT_SUPPORTED", []errWire{{VendorNicira, V10, V11, 1, 533}, {VendorNicira, V12, V15, 34, 0}}},
	ErrNXRStale:                   {"NXR_STALE", []errWire{{VendorNicira, V10, V11, 1, 534}, {VendorNicira, V12, V15, 35, 0}}},
	ErrNXSTNotConfigured:          {"NXST_NOT_CONFIGURED", []errWire{{VendorNicira, V10, V11, 1, 535}, {VendorNicira, V12, V15, 36, 0}}},
}
