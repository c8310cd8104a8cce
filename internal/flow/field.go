package flow

import "sync"

// FieldID numbers the fields in the order of the table. Header prerequisites
// come before the fields that need them, so the order serves encoders too.
type FieldID uint16

// Form is the text form of a field's values (ovs-fields(7), "Format").
type Form uint8

// Text forms.
const (
	FormDecimal Form = iota
	FormHex
	FormEthernet
	FormIPv4
	FormIPv6
	FormPort10 // OpenFlow 1.0 port
	FormPort11 // OpenFlow 1.1+ port
	FormFrag
	FormTunFlags
	FormTCPFlags
	FormCTState
	FormPacketType
)

// Support says how a fixed-format match of OpenFlow 1.0 or 1.1 holds a field.
type Support uint8

// Levels of support.
const (
	Unsupported Support = iota
	SupportExact
	SupportCIDR
	SupportBitwise
)

// Wire versions of OpenFlow, as in the header of a message.
const (
	OF10 = 1 + iota
	OF11
	OF12
	OF13
	OF14
	OF15
)

// Header is the header of a field in NXM or OXM form: the class, the field
// number, the length of the value alone, and for class 0xffff the
// experimenter in the low 32 bits. The has-mask bit is not part of it.
type Header uint64

// Classes of headers (ovs-fields(7), "OpenFlow 1.2").
const (
	ClassNXM0         = 0x0000
	ClassNXM1         = 0x0001
	ClassEricsson     = 0x1000
	ClassBasic        = 0x8000
	ClassPacketRegs   = 0x8001
	ClassExperimenter = 0xffff

	ExpNicira = 0x00002320
	ExpNSH    = 0x005ad650
	ExpONF    = 0x4f4e4600
)

// MakeHeader puts a header together; n is the length of the value in bytes.
func MakeHeader(class uint16, exp uint32, field uint8, n int) Header {
	return Header(uint64(class)<<48 | uint64(field)<<41 | uint64(n)<<32 | uint64(exp))
}

// Class is the class, or vendor in NXM's terms.
func (h Header) Class() uint16 { return uint16(h >> 48) }

// Exp is the experimenter, for class 0xffff.
func (h Header) Exp() uint32 { return uint32(h) }

// Number is the field's number within its class and experimenter.
func (h Header) Number() uint8 { return uint8(h>>41) & 0x7f }

// ValueLen is the length of a value in bytes.
func (h Header) ValueLen() int { return int(h>>32) & 0xff }

// id is what remains of the header when the length is taken out.
func (h Header) id() Header { return h &^ (0xff << 32) }

// Codepoint is one header of a field: its name and the OpenFlow version from
// which on it may be used (NXM ones: from 1.0).
type Codepoint struct {
	Header Header
	Name   string
	Since  uint8
}

// Field is one row of the table of match fields (ovs-fields(7)).
type Field struct {
	ID      FieldID
	Name    string
	Aliases []string
	NBytes  int // size of the value on the wire
	NBits   int // significant low bits
	// Maskable: any bitwise mask is allowed; otherwise all or nothing.
	Maskable bool
	Form     Form
	Prereq   Prereq
	Writable bool
	// Codepoints in order of preference for encoding: the last one whose Since
	// is not above the version in use is right.
	Codepoints []Codepoint
	// In10 and In11 say how OpenFlow 1.0 and 1.1 matches hold the field.
	In10, In11 Support

	place  place
	option *option // of a tun_metadata field that a TLV table binds
	exact  Value   // mask of the whole field on the wire
	full   Value   // what Get gives for a mask of all ones
}

// Exact is the mask of the whole field on the wire: its significant bits, and
// for vlan_vid also the bit that says that there is a tag.
func (f *Field) Exact() Value { return f.exact }

// String is the name of the field.
func (f *Field) String() string { return f.Name }

// Codepoint is the header for messages of an OpenFlow version: an OXM one
// where that version has one, else an NXM one. ok is false for fields that
// have no header at all.
func (f *Field) Codepoint(version uint8) (c Codepoint, ok bool) {
	for i := range f.Codepoints {
		if f.Codepoints[i].Since <= version {
			c, ok = f.Codepoints[i], true
		}
	}
	if !ok && len(f.Codepoints) > 0 {
		return f.Codepoints[0], true
	}
	return c, ok
}

// HasCodepoint reports whether the field has a header in some version.
func (f *Field) HasCodepoint() bool { return len(f.Codepoints) > 0 }

// NXM is the header that NXM messages (OpenFlow 1.0 and 1.1) use.
func (f *Field) NXM() (Codepoint, bool) { return f.Codepoint(OF10) }

// Field is the row of the table.
func (id FieldID) Field() *Field { return &Fields[id] }

// FieldByName finds a field by its name or an alias; nil if there is none.
func FieldByName(name string) *Field { return fieldsByName()[name] }

// FieldByHeader finds a field by class, number and experimenter; the length is
// ignored, for the caller must check it anyway. nil if there is none.
func FieldByHeader(h Header) *Field {
	switch h.Class() {
	case ClassNXM0, ClassNXM1:
		return nxmFields[h.Class()][h.Number()]
	case ClassBasic:
		return basicFields[h.Number()]
	}
	return fieldsByHeader()[h.id()]
}

// FieldByCodepoint finds a field and header by a name like NXM_OF_ETH_TYPE.
func FieldByCodepoint(name string) (*Field, Codepoint, bool) {
	c, ok := codepointsByName()[name]
	return c.field, c.point, ok
}

var (
	// Made when they are first needed: most runs of most programs need none.
	fieldsByName     = sync.OnceValue(indexNames)
	fieldsByHeader   = sync.OnceValue(indexHeaders)
	codepointsByName = sync.OnceValue(indexCodepoints)

	// The classes that most headers are of.
	nxmFields   = [2][128]*Field{indexClass(ClassNXM0), indexClass(ClassNXM1)}
	basicFields = indexClass(ClassBasic)
)

func indexNames() map[string]*Field {
	m := map[string]*Field{}
	for i := range Fields {
		f := &Fields[i]
		m[f.Name] = f
		for _, a := range f.Aliases {
			m[a] = f
		}
	}
	return m
}

func indexHeaders() map[Header]*Field {
	m := map[Header]*Field{}
	for i := range Fields {
		for _, c := range Fields[i].Codepoints {
			m[c.Header.id()] = &Fields[i]
		}
	}
	return m
}

func indexClass(class uint16) (byNumber [128]*Field) {
	for i := range Fields {
		for j := range Fields[i].Codepoints {
			if h := Fields[i].Codepoints[j].Header; h.Class() == class {
				byNumber[h.Number()] = &Fields[i]
			}
		}
	}
	return byNumber
}

// named is a codepoint with its field.
type named struct {
	field *Field
	point Codepoint
}

func indexCodepoints() map[string]named {
	m := map[string]named{}
	for i := range Fields {
		for _, c := range Fields[i].Codepoints {
			m[c.Name] = named{&Fields[i], c}
		}
	}
	return m
}
