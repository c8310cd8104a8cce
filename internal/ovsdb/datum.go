package ovsdb

import (
	"encoding/binary"
	"errors"
	"slices"
)

// Datum is the value of a column: a set of atoms or a map from atom to atom, a
// scalar being a set of one (RFC 7047 section 3.2 <value>).  Keys are sorted
// and distinct.  A Datum is immutable and comparable with ==: equal datums of
// one type are ==.  Its atoms are packed in one string each for keys and
// values, so that a cell costs 40 bytes and at most two allocations; small
// integers, booleans and single strings cost none of their own.
type Datum struct {
	kt, vt AtomicType
	n      uint32
	keys   string // packed; see pack
	vals   string // packed; "" unless vt != Void
}

// ErrDuplicate is the error of a set with an element, or a map with a key, that
// comes twice.
var ErrDuplicate = errors.New("duplicate")

// Pair is one element of a map (or of a set, Value being Void).
type Pair struct{ Key, Value Atom }

// EmptyDatum returns the empty set (vt Void) or map of the given types.
func EmptyDatum(kt, vt AtomicType) Datum { return Datum{kt: kt, vt: vt} }

// ScalarDatum returns the set that contains only a.
func ScalarDatum(a Atom) Datum {
	return Datum{kt: a.typ, n: 1, keys: packOne(a)}
}

// SetDatum returns the set of atoms, which are all of type kt and may be in any
// order and come more than once.
func SetDatum(kt AtomicType, atoms []Atom) Datum {
	if !slices.IsSortedFunc(atoms, Atom.Compare) {
		atoms = slices.Clone(atoms)
		slices.SortFunc(atoms, Atom.Compare)
	}
	for i := 1; i < len(atoms); i++ {
		if atoms[i] == atoms[i-1] {
			atoms = slices.Compact(slices.Clone(atoms))
			break
		}
	}
	return Datum{kt: kt, n: uint32(len(atoms)), keys: pack(atoms)}
}

// MapDatum returns the map of pairs, in any order; of those with equal keys the
// first one counts.
func MapDatum(kt, vt AtomicType, pairs []Pair) Datum {
	byKey := func(a, b Pair) int { return a.Key.Compare(b.Key) }
	if !slices.IsSortedFunc(pairs, byKey) {
		pairs = slices.Clone(pairs)
		slices.SortStableFunc(pairs, byKey)
	}
	pairs = slices.CompactFunc(slices.Clone(pairs), func(a, b Pair) bool { return a.Key == b.Key })
	var b builder
	for _, p := range pairs {
		b.keys = append(b.keys, p.Key)
		b.vals = append(b.vals, p.Value)
	}
	return b.datum(kt, vt)
}

// builder collects atoms in ascending order of their keys.
type builder struct{ keys, vals []Atom }

func (b *builder) add(d *Datum, i int) {
	b.keys = append(b.keys, d.Key(i))
	if d.vt != Void {
		b.vals = append(b.vals, d.Value(i))
	}
}

func (b *builder) datum(kt, vt AtomicType) Datum {
	d := Datum{kt: kt, vt: vt, n: uint32(len(b.keys)), keys: pack(b.keys)}
	if vt != Void {
		d.vals = pack(b.vals)
	}
	return d
}

// smallInts holds the packed forms of the integers -1 to 255, which share it.
var smallInts = func() string {
	var b []byte
	for i := int64(-1); i <= 255; i++ {
		b = IntAtom(i).appendPacked(b)
	}
	return string(b)
}()

// packedAlready returns the packed form of an atom that needs no memory of its
// own.
func packedAlready(a Atom) (string, bool) {
	switch a.typ {
	case Integer:
		if v := int64(a.num); v >= -1 && v <= 255 {
			return smallInts[(v+1)*8 : (v+2)*8], true
		}
	case Boolean:
		return "\x00\x01"[a.num : a.num+1], true
	case String, UUIDType:
		return a.str, true
	}
	return "", false
}

func packOne(a Atom) string {
	if s, ok := packedAlready(a); ok {
		return s
	}
	return string(a.appendPacked(nil))
}

// pack packs atoms of one type: those of fixed width one after another; one
// string as itself; several strings as their end offsets (4 bytes each, big
// endian, counted from the end of this table), then their bytes.
func pack(atoms []Atom) string {
	switch len(atoms) {
	case 0:
		return ""
	case 1:
		return packOne(atoms[0])
	}
	return view(appendAtoms(make([]byte, 0, packedSize(atoms)), atoms))
}

// packedSize returns the length of what pack returns for at least one atom.
func packedSize(atoms []Atom) int {
	if w := packedWidth(atoms[0].typ); w > 0 {
		return w * len(atoms)
	}
	if len(atoms) == 1 {
		return len(atoms[0].str)
	}
	n := 4 * len(atoms)
	for i := range atoms {
		n += len(atoms[i].str)
	}
	return n
}

// appendAtoms appends what pack returns.
func appendAtoms(dst []byte, atoms []Atom) []byte {
	if atoms[0].typ != String {
		for i := range atoms {
			dst = atoms[i].appendPacked(dst)
		}
		return dst
	}
	if len(atoms) > 1 {
		end := 0
		for i := range atoms {
			end += len(atoms[i].str)
			dst = binary.BigEndian.AppendUint32(dst, uint32(end))
		}
	}
	for i := range atoms {
		dst = append(dst, atoms[i].str...)
	}
	return dst
}

// packedAt returns the packed form of the i'th of n atoms.
func packedAt(t AtomicType, s string, n, i int) string {
	if w := packedWidth(t); w > 0 {
		return s[i*w : (i+1)*w]
	}
	if n == 1 {
		return s
	}
	start := 0
	if i > 0 {
		start = offsetAt(s, i-1)
	}
	return s[4*n+start : 4*n+offsetAt(s, i)]
}

func offsetAt(s string, i int) int {
	s = s[4*i:]
	return int(s[0])<<24 | int(s[1])<<16 | int(s[2])<<8 | int(s[3])
}

// Len returns the number of elements.
func (d Datum) Len() int { return int(d.n) }

// IsMap reports whether d is a map.
func (d Datum) IsMap() bool { return d.vt != Void }

// KeyType returns the type of a set's elements or a map's keys.
func (d Datum) KeyType() AtomicType { return d.kt }

// ValueType returns the type of a map's values, Void for a set.
func (d Datum) ValueType() AtomicType { return d.vt }

// Key returns the i'th element of a set, or key of a map, in ascending order.
func (d Datum) Key(i int) Atom { return unpackAtom(d.kt, packedAt(d.kt, d.keys, int(d.n), i)) }

// Value returns the value of the i'th key of a map.
func (d Datum) Value(i int) Atom {
	if d.vt == Void {
		return Atom{}
	}
	return unpackAtom(d.vt, packedAt(d.vt, d.vals, int(d.n), i))
}

// Pair returns the i'th element.
func (d Datum) Pair(i int) Pair { return Pair{d.Key(i), d.Value(i)} }

// Find returns the place of key in d, or where it would be inserted.
func (d Datum) Find(key Atom) (int, bool) {
	lo, hi := 0, int(d.n)
	for lo < hi {
		mid := (lo + hi) / 2
		switch c := d.Key(mid).Compare(key); {
		case c == 0:
			return mid, true
		case c < 0:
			lo = mid + 1
		default:
			hi = mid
		}
	}
	return lo, false
}

// Has reports whether a set contains key or a map has it as a key.
func (d Datum) Has(key Atom) bool {
	_, ok := d.Find(key)
	return ok
}

// Get returns the value of key in a map.
func (d Datum) Get(key Atom) (Atom, bool) {
	i, ok := d.Find(key)
	if !ok {
		return Atom{}, false
	}
	return d.Value(i), true
}

// GetString returns the value of key in a map from strings to strings, "" if
// there is none.
func (d Datum) GetString(key string) string {
	v, _ := d.Get(StringAtom(key))
	return v.Str()
}

// Int, Bool, Str, Real and UUID return the only, or first, element of a set, or
// the zero value of an empty one: what is read from scalars and optionals.
func (d Datum) Int() int64 { return d.first().Int() }

// Bool returns the first element; see Int.
func (d Datum) Bool() bool { return d.first().Bool() }

// Str returns the first element; see Int.
func (d Datum) Str() string { return d.first().Str() }

// Real returns the first element; see Int.
func (d Datum) Real() float64 { return d.first().Real() }

// UUID returns the first element; see Int.
func (d Datum) UUID() UUID { return d.first().UUID() }

func (d Datum) first() Atom {
	if d.n == 0 {
		return Atom{}
	}
	return d.Key(0)
}

// Packed returns the bytes of a set's elements, packed: they are equal for equal
// sets of as many elements.
func (d Datum) Packed() string { return d.keys }

// Size returns the bytes that d's packed atoms take, for memory accounting.
func (d Datum) Size() int { return len(d.keys) + len(d.vals) }
