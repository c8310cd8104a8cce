package flow

// Value is the value or mask of a field of up to 128 bits, right-aligned.
// tun_metadata fields longer than 128 bits are not representable in it.
type Value struct{ Hi, Lo uint64 }

// Field is one row of the table of match fields (ovs-fields(7)).
type Field struct {
	ID      FieldID
	Name    string
	Aliases []string
	NBytes  int // size of the value on the wire
	NBits   int // significant low bits
}

// FieldID numbers the fields in the order of the table.
type FieldID uint16
