package openflow

// TableFeatures says what one table can do (OpenFlow 1.3, A.3.5.5). Command is
// of OpenFlow 1.5 requests.
type TableFeatures struct {
	TableID       uint8
	Command       uint8
	Name          string
	MetadataMatch uint64
	MetadataWrite uint64
	// MissConfig is what becomes of packets that match no flow (1.1, 1.2).
	MissConfig       TableMiss
	SupportsEviction bool
	SupportsVacancy  bool
	MaxEntries       uint32

	// NonMiss holds for flows that match; Miss for the table-miss flow.
	NonMiss, Miss TableInstructions

	// Sets of fields, as OXM headers in wire order. Mask: may be masked.
	Match    FieldSet // may be matched, the maskable among them in Mask
	Mask     FieldSet
	Wildcard FieldSet // may be omitted
	// AnyProps: the message has properties at all.
	AnyProps bool
}

// TableInstructions is what flows of a table may do.
type TableInstructions struct {
	Next         [32]byte // bitmap of tables for goto_table: bit t%8 of byte t/8
	Instructions uint32   // bitmap of 1<<InstKind
	Write, Apply TableActions
}

// TableActions is what an action list or an action set may hold.
type TableActions struct {
	Actions  uint64 // bitmap of 1<<ActionKind (OFPAT_* order of OpenFlow 1.5)
	SetField FieldSet
}

// FieldSet is a set of flow.FieldID.
type FieldSet [4]uint64

// Add puts a field in the set.
func (s *FieldSet) Add(id uint16) {
	if int(id) < 64*len(s) {
		s[id/64] |= 1 << (id % 64)
	}
}

// Has reports whether a field is in the set.
func (s *FieldSet) Has(id uint16) bool {
	return int(id) < 64*len(s) && s[id/64]&(1<<(id%64)) != 0
}

// Empty reports whether the set has no field.
func (s *FieldSet) Empty() bool { return *s == FieldSet{} }
