package ovsdb

import (
	"cmp"
	"maps"
	"math"
	"slices"
	"testing"

	"pgregory.net/rapid"
)

var atomTypes = []AtomicType{Integer, Real, Boolean, String, UUIDType}

func drawAtom(t *rapid.T, typ AtomicType, label string) Atom {
	switch typ {
	case Integer:
		if rapid.Bool().Draw(t, label+"small") {
			return IntAtom(rapid.Int64Range(-3, 300).Draw(t, label))
		}
		return IntAtom(rapid.Int64().Draw(t, label))
	case Real:
		return RealAtom(rapid.SampledFrom([]float64{0, math.Copysign(0, -1), 1, -1, 1.5, -2.25, 1e300, -1e-300, math.MaxFloat64}).Draw(t, label))
	case Boolean:
		return BoolAtom(rapid.Bool().Draw(t, label))
	case String:
		return StringAtom(rapid.SampledFrom([]string{"", "a", "ab", "b", "é", "\n", "true", "\"", "550e8400-e29b-41d4-a716-446655440000", "x y", "1-5"}).Draw(t, label))
	}
	var u UUID
	u[0] = rapid.Byte().Draw(t, label)
	u[15] = rapid.ByteRange(0, 3).Draw(t, label)
	return UUIDAtom(u)
}

// oracle is a set or map as Go has it.
type oracle map[Atom]Atom

func drawOracle(t *rapid.T, kt, vt AtomicType, label string) oracle {
	o := oracle{}
	for range rapid.IntRange(0, 5).Draw(t, label) {
		var v Atom
		if vt != Void {
			v = drawAtom(t, vt, label+"v")
		}
		o[drawAtom(t, kt, label+"k")] = v
	}
	return o
}

func (o oracle) datum(kt, vt AtomicType) Datum {
	if vt == Void {
		return SetDatum(kt, slices.Collect(maps.Keys(o)))
	}
	var pairs []Pair
	for k, v := range o {
		pairs = append(pairs, Pair{k, v})
	}
	return MapDatum(kt, vt, pairs)
}

func drawTypes(t *rapid.T) (kt, vt AtomicType) {
	kt = rapid.SampledFrom(atomTypes).Draw(t, "kt")
	if rapid.Bool().Draw(t, "map") {
		vt = rapid.SampledFrom(atomTypes).Draw(t, "vt")
	}
	return kt, vt
}

// check compares every way to read d with the oracle, and d's identity with a
// datum made of the oracle.
func (o oracle) check(t *rapid.T, what string, d Datum, kt, vt AtomicType) {
	if d != o.datum(kt, vt) {
		t.Fatalf("%s: got %v, want %v", what, d.JSON(), o.datum(kt, vt).JSON())
	}
	if d.Len() != len(o) {
		t.Fatalf("%s: %d elements, want %d", what, d.Len(), len(o))
	}
	for i := range d.Len() {
		if i > 0 && d.Key(i-1).Compare(d.Key(i)) >= 0 {
			t.Fatalf("%s: keys not ascending: %v", what, d.JSON())
		}
		if v, ok := o[d.Key(i)]; !ok || v != d.Value(i) {
			t.Fatalf("%s: element %v=%v", what, d.Key(i), d.Value(i))
		}
		if at, ok := d.Find(d.Key(i)); !ok || at != i {
			t.Fatalf("%s: Find(%v) = %d, %v", what, d.Key(i), at, ok)
		}
	}
}

// TestOperationsProperty compares the operations on datums with those on Go maps.
func TestOperationsProperty(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		kt, vt := drawTypes(t)
		a, b := drawOracle(t, kt, vt, "a"), drawOracle(t, kt, vt, "b")
		da, db := a.datum(kt, vt), b.datum(kt, vt)
		a.check(t, "construction", da, kt, vt)

		union, kept, rest, diff := maps.Clone(a), maps.Clone(a), maps.Clone(a), oracle{}
		includes, excludes := true, true
		for k, v := range b {
			old, ok := a[k]
			if !ok {
				kept[k] = v
			}
			union[k] = v
			if ok && old == v {
				delete(rest, k)
			} else {
				diff[k] = v
			}
			includes = includes && ok && old == v
			excludes = excludes && !(ok && old == v)
		}
		for k, v := range a {
			if _, ok := b[k]; !ok {
				diff[k] = v
			}
		}
		union.check(t, "union", da.Union(db, true), kt, vt)
		kept.check(t, "union without replacing", da.Union(db, false), kt, vt)
		rest.check(t, "difference", da.Subtract(db), kt, vt)
		diff.check(t, "diff", da.Diff(db), kt, vt)
		b.check(t, "diff applied", da.Apply(da.Diff(db)), kt, vt)
		if da.IncludesAll(db) != includes || da.ExcludesAll(db) != excludes {
			t.Fatalf("%v includes %v: %v, excludes: %v", da.JSON(), db.JSON(), da.IncludesAll(db), da.ExcludesAll(db))
		}
		if (da.Compare(db) == 0) != (da == db) || da.Compare(db) != -db.Compare(da) {
			t.Fatalf("%v compares with %v as %d", da.JSON(), db.JSON(), da.Compare(db))
		}
	})
}

// TestRoundTripProperty: JSON and text read back as the same datum.
func TestRoundTripProperty(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		kt, vt := drawTypes(t)
		d := drawOracle(t, kt, vt, "d").datum(kt, vt)
		typ := ColumnType{Key: NewBaseType(kt), Value: NewBaseType(vt), Max: Unlimited}
		back, err := typ.ParseJSONText(d.AppendJSON(nil))
		if err != nil || back != d {
			t.Fatalf("%s: read back as %s, %v", d.JSON(), back.JSON(), err)
		}
		text := d.Text(&typ)
		parsed, e := typ.ParseText(text, nil)
		if e != nil || parsed != d {
			t.Fatalf("%s: read back as %s, %v", text, parsed.JSON(), e)
		}
		if d.Len() == 1 && vt == Void {
			scalar := ScalarType(NewBaseType(kt))
			if parsed, e := scalar.ParseText(d.Text(&scalar), nil); e != nil || parsed != d {
				t.Fatalf("%s: read back as %s, %v", d.Text(&scalar), parsed.JSON(), e)
			}
		}
	})
}

// TestAtomOrderProperty: packed atoms are ordered as the atoms are.
func TestAtomOrderProperty(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		typ := rapid.SampledFrom(atomTypes).Draw(t, "type")
		a, b := drawAtom(t, typ, "a"), drawAtom(t, typ, "b")
		packed := cmp.Compare(string(a.appendPacked(nil)), string(b.appendPacked(nil)))
		if got := a.Compare(b); got != packed || (got == 0) != (a == b) {
			t.Fatalf("%v compares with %v as %d, packed as %d", a, b, got, packed)
		}
		if back := unpackAtom(typ, string(a.appendPacked(nil))); back != a {
			t.Fatalf("%v unpacks as %v", a, back)
		}
	})
}

func TestSmallValuesShareMemory(t *testing.T) {
	uuid := NewUUID()
	_ = uuid
	for name, fn := range map[string]func() Datum{
		"integer": func() Datum { return ScalarDatum(IntAtom(17)) },
		"boolean": func() Datum { return ScalarDatum(BoolAtom(true)) },
		"string":  func() Datum { return ScalarDatum(StringAtom("br0")) },
		"zero":    func() Datum { return ScalarDatum(UUIDAtom(UUID{})) },
		"empty":   func() Datum { return EmptyDatum(String, String) },
	} {
		var d Datum
		if n := testing.AllocsPerRun(100, func() { d = fn() }); n != 0 {
			t.Errorf("%s: %v allocations", name, n)
		}
		_ = d
	}
	d := SetDatum(String, []Atom{StringAtom("x"), StringAtom("yy"), StringAtom("z")})
	if n := testing.AllocsPerRun(100, func() {
		for i := range d.Len() {
			if d.Key(i).Str() == "" {
				t.Error("empty")
			}
		}
	}); n != 0 {
		t.Errorf("reading a set: %v allocations", n)
	}
}

// BenchmarkGrowSet adds the 1,001st element to a set of references.
func BenchmarkGrowSet(b *testing.B) {
	atoms := make([]Atom, 1000)
	for i := range atoms {
		atoms[i] = UUIDAtom(NewUUID())
	}
	d := SetDatum(UUIDType, atoms)
	e := ScalarDatum(UUIDAtom(NewUUID()))
	b.ReportAllocs()
	for b.Loop() {
		if d.Union(e, false).Subtract(e) != d {
			b.Fatal("not the same")
		}
	}
}

func TestUUIDText(t *testing.T) {
	u := NewUUID()
	if back, ok := ParseUUID(u.String()); !ok || back != u {
		t.Errorf("%v reads back as %v, %v", u, back, ok)
	}
	for s, n := range map[string]int{"": 0, "550e8400": 8, "550e8400-e29b-41d4-a716-446655440000": 36, "550e8400-e29b-41d4-a716-446655440000x": 36, "g": 0, "550e84000": 8} {
		if got := UUIDPrefixLen(s); got != n {
			t.Errorf("UUIDPrefixLen(%q) = %d, want %d", s, got, n)
		}
	}
	if _, ok := ParseUUID("550e8400-e29b-41d4-a716-44665544000g"); ok {
		t.Error("g is no digit")
	}
}
