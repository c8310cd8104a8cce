package openflow

type (
	// DescRequest asks for DescReply.
	DescRequest struct{}
	// DescReply says what the switch is.
	DescReply struct{ Manufacturer, Hardware, Software, Serial, Datapath string }

	// FlowStatsRequest asks for the flows within Match; with Aggregate only
	// for their sums (AggregateStatsReply).
	FlowStatsRequest struct {
		Aggregate          bool
		NXM                bool // NXST_FLOW or NXST_AGGREGATE (OpenFlow 1.0), which are answered in kind
		Match              Match
		Cookie, CookieMask uint64
		OutPort            PortNo // PortNone: any
		OutGroup           uint32 // GroupAny: any
		TableID            uint8  // TableAny: all
	}
	// FlowStatsReply lists flows.
	FlowStatsReply struct{ Stats []FlowStats }
	// FlowStats is one flow and its counters.
	FlowStats struct {
		Match        Match
		Cookie       uint64
		TableID      uint8
		Priority     uint16
		DurationSec  uint32
		DurationNsec uint32
		IdleTimeout  uint16
		HardTimeout  uint16
		IdleAge      int    // seconds, -1: unknown
		HardAge      int    // seconds, -1: unknown
		Packets      uint64 // ^0: unknown
		Bytes        uint64 // ^0: unknown
		Flags        FlowFlags
		Importance   uint16
		Actions      []Action
	}
	// AggregateStatsReply sums up flows.
	AggregateStatsReply struct {
		Packets, Bytes uint64 // ^0: unknown
		Flows          uint32
	}

	// TableStatsRequest asks for TableStatsReply.
	TableStatsRequest struct{}
	// TableStatsReply counts lookups per table. Features describes the same
	// tables in the versions whose reply holds features too (1.0 to 1.2).
	TableStatsReply struct {
		Stats    []TableStats
		Features []TableFeatures
	}
	// TableStats are the counters of a table.
	TableStats struct {
		TableID         uint8
		Active          uint32
		Lookup, Matched uint64
	}

	// TableDescRequest asks for TableDescReply (1.4).
	TableDescRequest struct{}
	// TableDescReply describes the configuration of tables.
	TableDescReply struct{ Tables []TableDesc }
	// TableDesc is the configuration of a table.
	TableDesc struct {
		TableID       uint8
		Miss          TableMiss
		Eviction      int8 // 1 on, 0 off, -1 unspecified
		EvictionFlags uint32
		Vacancy       int8 // 1 on, 0 off, -1 unspecified
		VacancyDown   uint8
		VacancyUp     uint8
		VacancyNow    uint8 // percent free, in descriptions only
	}
	// TableMod changes a table's configuration.
	TableMod struct {
		TableID       uint8
		Miss          TableMiss
		Eviction      int8
		EvictionFlags uint32 // ^0: unspecified
		Vacancy       int8
		VacancyDown   uint8
		VacancyUp     uint8
	}
	// TableStatus tells of a change of a table's vacancy (1.4).
	TableStatus struct {
		Reason TableStatusReason
		Desc   TableDesc
	}

	// TableFeaturesRequest asks for TableFeaturesReply, or sets the features
	// when Tables has any (Open vSwitch accepts names then).
	TableFeaturesRequest struct{ Tables []TableFeatures }
	// TableFeaturesReply describes what tables can do.
	TableFeaturesReply struct{ Tables []TableFeatures }
)

// TableMiss is what happens to a packet that matches no flow of a table.
type TableMiss uint8

// The configurations (OpenFlow 1.1, 1.2; "default" is that of the version).
const (
	MissDefault TableMiss = iota
	MissController
	MissContinue
	MissDrop
)

// TableStatusReason is the reason of a TableStatus.
type TableStatusReason uint8

// The reasons.
const (
	VacancyDownEvent TableStatusReason = 3
	VacancyUpEvent   TableStatusReason = 4
)

// EvictionFlags bits (1.4).
const (
	EvictOther      = 1 << 0
	EvictImportance = 1 << 1
	EvictLifetime   = 1 << 2
)

func (*DescRequest) isMessage()          {}
func (*DescReply) isMessage()            {}
func (*FlowStatsRequest) isMessage()     {}
func (*FlowStatsReply) isMessage()       {}
func (*AggregateStatsReply) isMessage()  {}
func (*TableStatsRequest) isMessage()    {}
func (*TableStatsReply) isMessage()      {}
func (*TableDescRequest) isMessage()     {}
func (*TableDescReply) isMessage()       {}
func (*TableMod) isMessage()             {}
func (*TableStatus) isMessage()          {}
func (*TableFeaturesRequest) isMessage() {}
func (*TableFeaturesReply) isMessage()   {}
