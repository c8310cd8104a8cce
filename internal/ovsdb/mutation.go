package ovsdb

import (
	"math"

	"weir/internal/json"
)

// Mutator is what a mutation does (RFC 7047 section 5.1 <mutator>).
type Mutator uint8

// The mutators.
const (
	Add Mutator = iota
	Sub
	Mul
	Div
	Mod
	Insert
	Delete
)

var mutatorNames = [...]string{"+=", "-=", "*=", "/=", "%=", "insert", "delete"}

// String returns the mutator's name in JSON.
func (m Mutator) String() string { return mutatorNames[m] }

// ParseMutator is the inverse of String.
func ParseMutator(s string) (Mutator, bool) {
	for m, name := range mutatorNames {
		if name == s {
			return Mutator(m), true
		}
	}
	return 0, false
}

// Mutation is one [<column>, <mutator>, <value>].
type Mutation struct {
	Column *ColumnSchema
	Op     Mutator
	Arg    Datum // for Delete on a map: a map, or a set of keys
}

// Mutations parses an array of <mutation>s of t's rows whose first token is s's
// current one.
func (p *Decoder) Mutations(t *TableSchema, s *json.Scanner) ([]Mutation, error) {
	if s.Kind() != json.ArrayBegin {
		return nil, quote(s, "", "array expected")
	}
	var out []Mutation
	err := s.Array(func(int) error {
		raw, err := s.Raw()
		if err != nil {
			return err
		}
		m, err := p.mutation(t, raw)
		out = append(out, m)
		return err
	})
	return out, err
}

func (p *Decoder) mutation(t *TableSchema, raw []byte) (Mutation, error) {
	column, op, sub, err := threeElements(t, raw, "Parse error in mutation.")
	if err != nil {
		return Mutation{}, err
	}
	if !column.Mutable {
		return Mutation{}, SyntaxErrorf(raw, TagConstraint, "Cannot mutate immutable column %s in table %s.", column.Name, t.Name)
	}
	mutator, ok := ParseMutator(op)
	if !ok {
		return Mutation{}, SyntaxErrorf(nil, "unknown mutator", "No mutator named %s.", op)
	}
	m := Mutation{Column: column, Op: mutator}
	typ := column.Type
	mismatch := func() (Mutation, error) {
		return Mutation{}, SyntaxErrorf(raw, "", "Type mismatch: \"%s\" operator may not be applied to column %s of type %s.", op, column.Name, typ.English())
	}
	switch mutator {
	case Insert, Delete:
		if typ.IsScalar() {
			return mismatch()
		}
		typ.Min = 0
		if mutator == Delete {
			typ.Max = Unlimited
			if typ.IsMap() && argIsSet(sub) {
				typ.Value = NewBaseType(Void)
			}
		}
	default:
		if typ.IsMap() || typ.Key.Type != Integer && typ.Key.Type != Real || mutator == Mod && typ.Key.Type == Real {
			return mismatch()
		}
		typ = ScalarType(NewBaseType(typ.Key.Type)) // the result is checked, not the argument
	}
	m.Arg, err = p.Value(&typ, sub)
	return m, err
}

// argIsSet reports whether the value at s's current token isn't ["map", ...].
func argIsSet(s *json.Scanner) bool {
	if s.Kind() != json.ArrayBegin {
		return true
	}
	rest := json.NewScanner(s.Rest())
	rest.Next()
	return rest.Next() != json.String || string(rest.Bytes()) != "map"
}

// Apply returns d mutated by m, checked against the column's type.
func (m *Mutation) Apply(d Datum) (Datum, *Error) {
	t := &m.Column.Type
	switch m.Op {
	case Insert:
		d = d.Union(m.Arg, false)
	case Delete:
		d = d.Subtract(m.Arg)
	default:
		return m.arithmetic(d)
	}
	if n := d.Len(); n < int(t.Min) || uint64(n) > uint64(t.Max) {
		return d, Errorf(TagConstraint, "Attempted to store %d elements in %s.", n, t.English())
	}
	return d, nil
}

func (m *Mutation) arithmetic(d Datum) (Datum, *Error) {
	t := &m.Column.Type
	atoms := make([]Atom, d.Len())
	for i := range atoms {
		var e *Error
		if t.Key.Type == Integer {
			var v int64
			v, e = m.mutateInt(d.Key(i).Int(), m.Arg.Int())
			atoms[i] = IntAtom(v)
		} else {
			var v float64
			v, e = m.mutateReal(d.Key(i).Real(), m.Arg.Real())
			atoms[i] = RealAtom(v)
		}
		if e == nil {
			e = t.Key.Check(atoms[i])
		}
		if e != nil {
			return d, e
		}
	}
	out := SetDatum(t.Key.Type, atoms)
	if out.Len() != d.Len() {
		return d, Errorf(TagConstraint, "Result of \"%s\" operation contains duplicates.", m.Op)
	}
	return out, nil
}

func (m *Mutation) rangeError() *Error {
	return Errorf(TagRange, "Result of \"%s\" operation is out of range.", m.Op)
}

func (m *Mutation) mutateInt(x, y int64) (int64, *Error) {
	switch m.Op {
	case Add:
		if z := x + y; (z > x) == (y > 0) {
			return z, nil
		}
		return 0, m.rangeError()
	case Sub:
		if z := x - y; (z < x) == (y > 0) {
			return z, nil
		}
		return 0, m.rangeError()
	case Mul:
		if x == 0 || y == 0 {
			return 0, nil
		}
		z := x * y
		if z/y != x || x == -1 && y == math.MinInt64 || y == -1 && x == math.MinInt64 {
			return 0, m.rangeError()
		}
		return z, nil
	}
	switch {
	case y == 0:
		return 0, Errorf(TagDomain, "Division by zero.")
	case y == -1 && x == math.MinInt64:
		if m.Op == Mod {
			return 0, nil
		}
		return 0, m.rangeError()
	case m.Op == Div:
		return x / y, nil
	}
	return x % y, nil
}

func (m *Mutation) mutateReal(x, y float64) (float64, *Error) {
	var z float64
	switch m.Op {
	case Add:
		z = x + y
	case Sub:
		z = x - y
	case Mul:
		z = x * y
	default:
		if y == 0 {
			return 0, Errorf(TagDomain, "Division by zero.")
		}
		z = x / y
	}
	if math.IsInf(z, 0) || math.IsNaN(z) {
		return 0, m.rangeError()
	}
	return z, nil
}
