package openflow

// GroupModCommand says what a GroupMod does.
type GroupModCommand uint16

// The commands; GroupAddOrMod is Open vSwitch's own.
const (
	GroupAdd          GroupModCommand = 0
	GroupModify       GroupModCommand = 1
	GroupDelete       GroupModCommand = 2
	GroupInsertBucket GroupModCommand = 3
	GroupRemoveBucket GroupModCommand = 5
	GroupAddOrMod     GroupModCommand = 0x8000
)

// GroupType is the kind of a group.
type GroupType uint8

// The kinds.
const (
	GroupTypeAll GroupType = iota
	GroupTypeSelect
	GroupTypeIndirect
	GroupTypeFF
)

// Bucket ids (OpenFlow 1.5).
const (
	BucketMax   = 0xffffff00
	BucketFirst = 0xfffffffd
	BucketLast  = 0xfffffffe
	BucketAll   = 0xffffffff
)

// Bucket is one bucket of a group.
type Bucket struct {
	ID         uint32
	Weight     uint16
	WatchPort  PortNo // PortNone: none
	WatchGroup uint32 // GroupAny: none
	Actions    []Action
}

// GroupMod changes a group.
type GroupMod struct {
	Command         GroupModCommand
	Type            GroupType
	ID              uint32
	CommandBucketID uint32 // of insert and remove
	Buckets         []Bucket
	Props           GroupProps
}

// GroupProps is how a select group chooses (NTR selection method property).
type GroupProps struct {
	SelectionMethod string
	SelectionParam  uint64
	// Fields whose values count in the hash.
	Fields Match
	// FieldSet are the fields named.
	FieldSet FieldSet
}

type (
	// GroupStatsRequest asks for GroupStatsReply of a group or GroupAll.
	GroupStatsRequest struct{ ID uint32 }
	// GroupStatsReply counts what groups did.
	GroupStatsReply struct{ Stats []GroupStats }
	// GroupStats are the counters of a group.
	GroupStats struct {
		ID                        uint32
		RefCount                  uint32
		Packets, Bytes            uint64
		HasDuration               bool
		DurationSec, DurationNsec uint32
		Buckets                   []BucketStats
	}
	// BucketStats are the counters of a bucket; ^0: unknown.
	BucketStats struct{ Packets, Bytes uint64 }

	// GroupDescRequest asks for GroupDescReply (1.5 may name a group).
	GroupDescRequest struct{ ID uint32 }
	// GroupDescReply describes groups.
	GroupDescReply struct{ Groups []GroupDesc }
	// GroupDesc describes a group.
	GroupDesc struct {
		Type    GroupType
		ID      uint32
		Buckets []Bucket
		Props   GroupProps
	}

	// GroupFeaturesRequest asks for GroupFeaturesReply.
	GroupFeaturesRequest struct{}
	// GroupFeaturesReply says what groups can do, by group type.
	GroupFeaturesReply struct {
		Types        uint32
		Capabilities uint32
		MaxGroups    [4]uint32
		// Actions are bitmaps of ActionKind.
		Actions [4]uint64
	}
)

// MeterModCommand says what a MeterMod does.
type MeterModCommand uint16

// The commands.
const (
	MeterAdd MeterModCommand = iota
	MeterModify
	MeterDelete
)

// Meter numbers (OpenFlow 1.3.1, A.3.4.4).
const (
	MeterMax        = 0xffff0000
	MeterSlowpath   = 0xfffffffd
	MeterController = 0xfffffffe
	MeterAll        = 0xffffffff
)

// Meter flags.
const (
	MeterKbps      = 1 << 0
	MeterPktps     = 1 << 1
	MeterBurst     = 1 << 2
	MeterStatsFlag = 1 << 3
)

// Meter band types.
const (
	BandDrop       = 1
	BandDSCPRemark = 2
)

// MeterBand is one band of a meter.
type MeterBand struct {
	Type      uint16
	PrecLevel uint8
	Rate      uint32
	Burst     uint32
}

// MeterConfig is a meter.
type MeterConfig struct {
	ID    uint32
	Flags uint16
	Bands []MeterBand
}

type (
	// MeterMod changes a meter.
	MeterMod struct {
		Command MeterModCommand
		Meter   MeterConfig
	}
	// MeterStatsRequest asks for MeterStatsReply of a meter or MeterAll.
	MeterStatsRequest struct{ ID uint32 }
	// MeterStatsReply counts what meters did.
	MeterStatsReply struct{ Stats []MeterStats }
	// MeterStats are the counters of a meter.
	MeterStats struct {
		ID                        uint32
		FlowCount                 uint32
		PacketIn, ByteIn          uint64
		DurationSec, DurationNsec uint32
		Bands                     []BucketStats
	}
	// MeterConfigRequest asks for MeterConfigReply of a meter or MeterAll.
	MeterConfigRequest struct{ ID uint32 }
	// MeterConfigReply describes meters.
	MeterConfigReply struct{ Meters []MeterConfig }
	// MeterFeaturesRequest asks for MeterFeaturesReply.
	MeterFeaturesRequest struct{}
	// MeterFeaturesReply says what meters can do.
	MeterFeaturesReply struct {
		MaxMeters    uint32
		BandTypes    uint32
		Capabilities uint32
		MaxBands     uint8
		MaxColor     uint8
	}
)

func (*GroupMod) isMessage()             {}
func (*GroupStatsRequest) isMessage()    {}
func (*GroupStatsReply) isMessage()      {}
func (*GroupDescRequest) isMessage()     {}
func (*GroupDescReply) isMessage()       {}
func (*GroupFeaturesRequest) isMessage() {}
func (*GroupFeaturesReply) isMessage()   {}
func (*MeterMod) isMessage()             {}
func (*MeterStatsRequest) isMessage()    {}
func (*MeterStatsReply) isMessage()      {}
func (*MeterConfigRequest) isMessage()   {}
func (*MeterConfigReply) isMessage()     {}
func (*MeterFeaturesRequest) isMessage() {}
func (*MeterFeaturesReply) isMessage()   {}
