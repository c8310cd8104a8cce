package ovsdb

import (
	"math"
)

// Unlimited is the Max of a column type without an upper limit.
const Unlimited = math.MaxUint32

// RefType says what a reference to a row means for that row (RFC 7047 section
// 3.2, "refType").
type RefType uint8

// The kinds of reference.
const (
	StrongRef RefType = iota // the row may not go away
	WeakRef                  // the reference goes away with the row
)

// BaseType is the type of a set's elements, or of a map's keys or values: an
// atomic type and its constraints (RFC 7047 section 3.2 <base-type>).  Make one
// with NewBaseType, so that limits that aren't given are the widest ones.
type BaseType struct {
	Type AtomicType
	Enum Datum // the set of allowed values; empty: all are

	MinInteger, MaxInteger int64   // for Integer
	MinReal, MaxReal       float64 // for Real; infinite: no limit
	MinLength, MaxLength   uint32  // for String, in characters

	RefTable string // for UUIDType: the table whose rows it refers to, or ""
	RefType  RefType
}

// NewBaseType returns the base type of t without constraints.
func NewBaseType(t AtomicType) BaseType {
	return BaseType{
		Type:       t,
		MinInteger: math.MinInt64, MaxInteger: math.MaxInt64,
		MinReal: math.Inf(-1), MaxReal: math.Inf(1),
		MaxLength: math.MaxUint32,
	}
}

// IsValid reports whether b holds a type (and not Void).
func (b *BaseType) IsValid() bool { return b.Type != Void }

// IsRef reports whether b refers to a table's rows.
func (b *BaseType) IsRef() bool { return b.Type == UUIDType && b.RefTable != "" }

// IsStrongRef reports whether b is a strong reference.
func (b *BaseType) IsStrongRef() bool { return b.IsRef() && b.RefType == StrongRef }

// IsWeakRef reports whether b is a weak reference.
func (b *BaseType) IsWeakRef() bool { return b.IsRef() && b.RefType == WeakRef }

// hasConstraints reports whether b needs more than its type's name.
func (b *BaseType) hasConstraints() bool {
	plain := NewBaseType(b.Type)
	return *b != plain
}

// ColumnType is the type of a column (RFC 7047 section 3.2 <type>).
type ColumnType struct {
	Key   BaseType
	Value BaseType // Type Void unless the column is a map
	Min   uint32   // 0 or 1
	Max   uint32   // at least 1; Unlimited
}

// ScalarType returns the type of exactly one b.
func ScalarType(b BaseType) ColumnType {
	return ColumnType{Key: b, Value: NewBaseType(Void), Min: 1, Max: 1}
}

// SetType returns the type of a set of min to max elements of b.
func SetType(b BaseType, minimum, maximum uint32) ColumnType {
	return ColumnType{Key: b, Value: NewBaseType(Void), Min: minimum, Max: maximum}
}

// MapType returns the type of a map of any size.
func MapType(key, value BaseType) ColumnType {
	return ColumnType{Key: key, Value: value, Max: Unlimited}
}

// IsMap reports whether columns of this type hold maps.
func (t *ColumnType) IsMap() bool { return t.Value.Type != Void }

// IsScalar reports whether they hold exactly one element that isn't a pair.
func (t *ColumnType) IsScalar() bool { return !t.IsMap() && t.Min == 1 && t.Max == 1 }

// IsOptional reports whether they hold one element or none.
func (t *ColumnType) IsOptional() bool { return t.Min == 0 && t.Max == 1 }

// IsComposite reports whether they may hold more than one element or pairs.
func (t *ColumnType) IsComposite() bool { return t.IsMap() || t.Max > 1 }

// IsOptionalScalar reports whether they hold at most one element, no pairs.
func (t *ColumnType) IsOptionalScalar() bool { return !t.IsMap() && t.IsOptional() }

// Default returns the default value: empty where that is allowed, else one
// default element (RFC 7047 section 5.2.1).
func (t *ColumnType) Default() Datum {
	d := Datum{kt: t.Key.Type, vt: t.Value.Type}
	if t.Min > 0 {
		d.n = 1
		d.keys = packOne(DefaultAtom(t.Key.Type))
		if d.vt != Void {
			d.vals = packOne(DefaultAtom(t.Value.Type))
		}
	}
	return d
}

// Empty returns the empty set or map of this type.
func (t *ColumnType) Empty() Datum { return Datum{kt: t.Key.Type, vt: t.Value.Type} }

// Diff returns the difference that turns old into now: now itself where the
// type allows only one element, else old.Diff(now).
func (t *ColumnType) Diff(old, now Datum) Datum {
	if t.Max == 1 {
		return now
	}
	return old.Diff(now)
}

// ApplyDiff undoes Diff.  The error is that of a result with more elements than
// the type allows.
func (t *ColumnType) ApplyDiff(old, diff Datum) (Datum, *Error) {
	if t.Max == 1 {
		return diff, nil
	}
	d := old.Apply(diff)
	if e := t.checkLen(d.Len()); e != nil {
		return Datum{}, e
	}
	return d, nil
}
