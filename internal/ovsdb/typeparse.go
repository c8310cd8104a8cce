package ovsdb

import (
	"math"

	"weir/internal/json"
)

// typeWhat names types in messages.
const typeWhat = "ovsdb type"

// ParseType parses a <type> whose first token is s's current one.
func ParseType(s *json.Scanner) (ColumnType, error) {
	if s.Kind() == json.String {
		b, err := ParseBaseType(s)
		return ScalarType(b), err
	}
	t := ColumnType{Value: NewBaseType(Void), Min: 1, Max: 1}
	if s.Kind() != json.ObjectBegin {
		return t, quote(s, "", "Parsing %s failed: Object expected.", typeWhat)
	}
	from, data := s.Offset(), s.Rest()
	err := Members(s, typeWhat, []string{"key!", "value", "min", "max"}, func(member string) (err error) {
		switch member {
		case "key":
			t.Key, err = ParseBaseType(s)
		case "value":
			t.Value, err = ParseBaseType(s)
		case "min":
			if s.Kind() != json.Integer {
				return BadType(member)
			}
			t.Min = clampUint32(s.Int())
		case "max":
			switch {
			case s.Kind() == json.String && s.Str() == "unlimited":
				t.Max = Unlimited
			case s.Kind() == json.Integer:
				t.Max = clampUint32(s.Int())
			default:
				return BadType(member)
			}
		}
		return err
	})
	if err != nil {
		return t, err
	}
	if t.Min > 1 || t.Max < 1 || t.Min > t.Max {
		return t, SyntaxErrorf(data[:s.End()-from], "", "ovsdb type fails constraint checks")
	}
	return t, nil
}

// clampUint32 maps what is out of range to a number that no check allows.
func clampUint32(v int64) uint32 {
	if v < 0 || v > math.MaxUint32 {
		return math.MaxUint32 - 1
	}
	return uint32(v)
}

// ParseBaseType parses a <base-type> whose first token is s's current one.
func ParseBaseType(s *json.Scanner) (BaseType, error) {
	if s.Kind() == json.String {
		t, ok := ParseAtomicType(s.Str())
		if !ok {
			return BaseType{}, quote(s, "", "\"%s\" is not an atomic-type", s.Str())
		}
		return NewBaseType(t), nil
	}
	if s.Kind() != json.ObjectBegin {
		return BaseType{}, quote(s, "", "Parsing %s failed: Object expected.", typeWhat)
	}
	raw, err := s.Raw()
	if err != nil {
		return BaseType{}, err
	}
	p := baseParser{raw: raw}
	return p.parse()
}

// baseParser parses a base type in object form, in two passes, since the
// meaning of the other members depends on "type".
type baseParser struct {
	raw []byte
	b   BaseType
}

func (p *baseParser) errorf(format string, args ...any) error {
	return SyntaxErrorf(p.raw, "", format, args...)
}

func (p *baseParser) parse() (BaseType, error) {
	var typ AtomicType
	s := json.NewScanner(p.raw)
	s.Next()
	err := s.Object(func(member string) error {
		s.Next()
		if member != "type" {
			return s.Skip()
		}
		var ok bool
		if s.Kind() == json.String {
			typ, ok = ParseAtomicType(s.Str())
		}
		if !ok {
			return quote(s, "", "\"%s\" is not an atomic-type", s.Str())
		}
		return nil
	})
	if err != nil {
		return p.b, err
	}
	p.b = NewBaseType(typ)
	fields := []string{"type!", "enum"}
	switch typ {
	case Integer:
		fields = append(fields, "minInteger", "maxInteger")
	case Real:
		fields = append(fields, "minReal", "maxReal")
	case String:
		fields = append(fields, "minLength", "maxLength")
	case UUIDType:
		fields = append(fields, "refTable", "refType")
	}
	s.Reset(p.raw)
	s.Next()
	if err := Members(s, typeWhat, fields, func(member string) error { return p.member(s, member) }); err != nil {
		return p.b, err
	}
	return p.b, p.check()
}

func (p *baseParser) member(s *json.Scanner, member string) (err error) {
	b := &p.b
	switch member {
	case "enum":
		t := SetType(NewBaseType(b.Type), 1, Unlimited)
		b.Enum, err = t.ParseJSON(s, nil)
	case "minInteger", "maxInteger", "minLength", "maxLength":
		if s.Kind() != json.Integer {
			return BadType(member)
		}
		p.setInt(member, s.Int())
	case "minReal", "maxReal":
		if s.Kind() != json.Integer && s.Kind() != json.Real {
			return BadType(member)
		}
		if member == "minReal" {
			b.MinReal = s.Float()
		} else {
			b.MaxReal = s.Float()
		}
	case "refTable":
		if b.RefTable, err = stringMember(s, member); err == nil && !IsID(b.RefTable) {
			err = BadType(member)
		}
	case "refType":
		var ref string
		ref, err = stringMember(s, member)
		switch {
		case err != nil:
		case ref == "strong":
			b.RefType = StrongRef
		case ref == "weak":
			b.RefType = WeakRef
		default:
			err = p.errorf("refType must be \"strong\" or \"weak\" (not \"%s\")", ref)
		}
	}
	return err
}

func (p *baseParser) setInt(member string, v int64) {
	switch member {
	case "minInteger":
		p.b.MinInteger = v
	case "maxInteger":
		p.b.MaxInteger = v
	case "minLength":
		p.b.MinLength = clampUint32(v)
	case "maxLength":
		p.b.MaxLength = clampUint32(v)
	}
}

func (p *baseParser) check() error {
	b := &p.b
	switch {
	case b.MinInteger > b.MaxInteger:
		return p.errorf("minInteger exceeds maxInteger")
	case b.MinReal > b.MaxReal:
		return p.errorf("minReal exceeds maxReal")
	case b.MinLength > b.MaxLength:
		return p.errorf("minLength exceeds maxLength")
	}
	plain := NewBaseType(b.Type)
	plain.Enum = b.Enum
	if b.Enum.Len() > 0 && *b != plain {
		return p.errorf("enum may not be combined with other constraints")
	}
	return nil
}
