package ovsdb

import (
	"fmt"
	"math"
	"unicode/utf8"

	"weir/internal/json"
)

// Check tells whether a satisfies b's constraints; the error, if any, is a
// constraint violation.
func (b *BaseType) Check(a Atom) *Error {
	if b.Enum.Len() > 0 {
		if b.Enum.Has(a) {
			return nil
		}
		return Errorf(TagConstraint, "%s is not one of the allowed values (%s)", a, b.enumText())
	}
	switch b.Type {
	case Integer:
		return b.checkInteger(a.Int())
	case Real:
		return b.checkReal(a.Real())
	case String:
		return b.checkLength(a.Str())
	}
	return nil
}

// enumText prints the allowed values as a set, as the C programs do.
func (b *BaseType) enumText() string {
	return string(b.Enum.AppendText(nil, &ColumnType{Key: NewBaseType(b.Type), Max: Unlimited}))
}

func (b *BaseType) checkInteger(v int64) *Error {
	if v >= b.MinInteger && v <= b.MaxInteger {
		return nil
	}
	switch {
	case b.MinInteger != math.MinInt64 && b.MaxInteger != math.MaxInt64:
		return Errorf(TagConstraint, "%d is not in the valid range %d to %d (inclusive)", v, b.MinInteger, b.MaxInteger)
	case b.MinInteger != math.MinInt64:
		return Errorf(TagConstraint, "%d is less than minimum allowed value %d", v, b.MinInteger)
	}
	return Errorf(TagConstraint, "%d is greater than maximum allowed value %d", v, b.MaxInteger)
}

func realText(v float64) string { return string(json.AppendReal(nil, v)) }

func (b *BaseType) checkReal(v float64) *Error {
	if v >= b.MinReal && v <= b.MaxReal {
		return nil
	}
	switch {
	case !math.IsInf(b.MinReal, -1) && !math.IsInf(b.MaxReal, 1):
		return Errorf(TagConstraint, "%s is not in the valid range %s to %s (inclusive)", realText(v), realText(b.MinReal), realText(b.MaxReal))
	case !math.IsInf(b.MinReal, -1):
		return Errorf(TagConstraint, "%s is less than minimum allowed value %s", realText(v), realText(b.MinReal))
	}
	return Errorf(TagConstraint, "%s is greater than maximum allowed value %s", realText(v), realText(b.MaxReal))
}

func (b *BaseType) checkLength(s string) *Error {
	if b.MinLength == 0 && uint64(len(s)) <= uint64(b.MaxLength) {
		return nil
	}
	n := uint32(utf8.RuneCountInString(s))
	switch {
	case n < b.MinLength:
		return Errorf(TagConstraint, "%q length %d is less than minimum allowed length %d", s, n, b.MinLength)
	case n > b.MaxLength:
		return Errorf(TagConstraint, "%q length %d is greater than maximum allowed length %d", s, n, b.MaxLength)
	}
	return nil
}

// Check tells whether d, of t's atomic types, satisfies t's constraints: the
// number of its elements and those of each.
func (t *ColumnType) Check(d Datum) *Error {
	if e := t.checkLen(d.Len()); e != nil {
		return e
	}
	return t.CheckElements(d)
}

// CheckElements tells whether each element of d satisfies its constraints.
func (t *ColumnType) CheckElements(d Datum) *Error {
	for i := range d.Len() {
		if e := t.Key.Check(d.Key(i)); e != nil {
			return e
		}
		if d.IsMap() {
			if e := t.Value.Check(d.Value(i)); e != nil {
				return e
			}
		}
	}
	return nil
}

func (t *ColumnType) checkLen(n int) *Error {
	if n >= int(t.Min) && uint64(n) <= uint64(t.Max) {
		return nil
	}
	return Errorf(TagConstraint, "%s", t.lenText(n))
}

// lenText says what is wrong with n elements.
func (t *ColumnType) lenText(n int) string {
	return fmt.Sprintf("%s must have %s but %d are present", t.kind(), t.rangeText(), n)
}

func (t *ColumnType) kind() string {
	if t.IsMap() {
		return "map"
	}
	return "set"
}

func (t *ColumnType) rangeText() string {
	switch {
	case t.Min == 1 && t.Max == 1:
		return "exactly one member"
	case t.Max == Unlimited:
		return fmt.Sprintf("%d or more members", t.Min)
	}
	return fmt.Sprintf("%d to %d members", t.Min, t.Max)
}
