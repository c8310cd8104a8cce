package ovsdb

import (
	"cmp"
	"encoding/binary"
	"math"
	"strings"
)

// AtomicType is one of the <atomic-type>s of RFC 7047 section 3.2.
type AtomicType uint8

// The atomic types.  Void is that of the values of a type that isn't a map.
const (
	Void AtomicType = iota
	Integer
	Real
	Boolean
	String
	UUIDType
)

var atomicTypeNames = [...]string{"void", "integer", "real", "boolean", "string", "uuid"}

// String returns the name that schemas use.
func (t AtomicType) String() string {
	if int(t) < len(atomicTypeNames) {
		return atomicTypeNames[t]
	}
	return "invalid"
}

// ParseAtomicType is the inverse of String.
func ParseAtomicType(s string) (AtomicType, bool) {
	for t := Integer; t <= UUIDType; t++ {
		if atomicTypeNames[t] == s {
			return t, true
		}
	}
	return Void, false
}

// Atom is a value of an atomic type.  Atoms are immutable and comparable with
// ==; the zero Atom is Void.
type Atom struct {
	typ AtomicType
	num uint64 // integer (int64), real (float bits), boolean
	str string // string, or the 16 bytes of a UUID
}

// IntAtom, RealAtom, BoolAtom, StringAtom and UUIDAtom make atoms.
func IntAtom(v int64) Atom { return Atom{typ: Integer, num: uint64(v)} }

// RealAtom makes a real atom; minus zero becomes zero, since they are equal.
func RealAtom(v float64) Atom {
	if v == 0 {
		v = 0
	}
	return Atom{typ: Real, num: math.Float64bits(v + 0)}
}

// BoolAtom makes a boolean atom.
func BoolAtom(v bool) Atom {
	if v {
		return Atom{typ: Boolean, num: 1}
	}
	return Atom{typ: Boolean}
}

// StringAtom makes a string atom.
func StringAtom(v string) Atom { return Atom{typ: String, str: v} }

const zeroUUID = "\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00"

// UUIDAtom makes a UUID atom.
func UUIDAtom(v UUID) Atom {
	if v.IsZero() {
		return Atom{typ: UUIDType, str: zeroUUID}
	}
	return Atom{typ: UUIDType, str: string(v[:])}
}

// DefaultAtom returns the default of t: 0, 0.0, false, "" or the zero UUID
// (RFC 7047 section 5.2.1).
func DefaultAtom(t AtomicType) Atom {
	if t == UUIDType {
		return UUIDAtom(UUID{})
	}
	return Atom{typ: t}
}

// Type returns the atom's type.
func (a Atom) Type() AtomicType { return a.typ }

// Int returns an integer atom's value, else 0.
func (a Atom) Int() int64 {
	if a.typ != Integer {
		return 0
	}
	return int64(a.num)
}

// Real returns a real atom's value, else 0.
func (a Atom) Real() float64 {
	if a.typ != Real {
		return 0
	}
	return math.Float64frombits(a.num)
}

// Bool returns a boolean atom's value, else false.
func (a Atom) Bool() bool { return a.typ == Boolean && a.num != 0 }

// Str returns a string atom's value, else "".
func (a Atom) Str() string {
	if a.typ != String {
		return ""
	}
	return a.str
}

// UUID returns a UUID atom's value, else zero.
func (a Atom) UUID() UUID {
	var u UUID
	if a.typ == UUIDType {
		copy(u[:], a.str)
	}
	return u
}

// IsDefault reports whether a is its type's default.
func (a Atom) IsDefault() bool { return a == DefaultAtom(a.typ) }

// Compare orders atoms of one type: numbers by size, false before true, strings
// and UUIDs by their bytes.  Atoms of different types are ordered by type.
func (a Atom) Compare(b Atom) int {
	if a.typ != b.typ {
		return cmp.Compare(a.typ, b.typ)
	}
	switch a.typ {
	case Integer:
		return cmp.Compare(int64(a.num), int64(b.num))
	case Real:
		return cmp.Compare(a.Real(), b.Real())
	case Boolean:
		return cmp.Compare(a.num, b.num)
	}
	return strings.Compare(a.str, b.str)
}

// packedWidth is the number of bytes of a packed atom of type t, 0 if it varies.
// Packed atoms compare as bytes the way Atom.Compare compares atoms.
func packedWidth(t AtomicType) int {
	switch t {
	case Integer, Real:
		return 8
	case Boolean:
		return 1
	case UUIDType:
		return 16
	}
	return 0
}

const signBit = 1 << 63

// appendPacked appends a's packed form.
func (a Atom) appendPacked(dst []byte) []byte {
	switch a.typ {
	case Integer:
		return binary.BigEndian.AppendUint64(dst, a.num^signBit)
	case Real:
		bits := a.num
		if bits&signBit != 0 {
			bits = ^bits
		} else {
			bits |= signBit
		}
		return binary.BigEndian.AppendUint64(dst, bits)
	case Boolean:
		return append(dst, byte(a.num))
	}
	return append(dst, a.str...)
}

// unpackAtom is the inverse of appendPacked.
func unpackAtom(t AtomicType, s string) Atom {
	switch t {
	case Integer:
		return Atom{typ: t, num: unpack64(s) ^ signBit}
	case Real:
		bits := unpack64(s)
		if bits&signBit != 0 {
			bits ^= signBit
		} else {
			bits = ^bits
		}
		return Atom{typ: t, num: bits}
	case Boolean:
		return Atom{typ: t, num: uint64(s[0])}
	case Void:
		return Atom{}
	}
	return Atom{typ: t, str: s}
}

func unpack64(s string) uint64 {
	_ = s[7]
	return uint64(s[0])<<56 | uint64(s[1])<<48 | uint64(s[2])<<40 | uint64(s[3])<<32 |
		uint64(s[4])<<24 | uint64(s[5])<<16 | uint64(s[6])<<8 | uint64(s[7])
}
