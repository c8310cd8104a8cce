package ovsdb

import (
	"slices"
	"strconv"
	"unicode/utf8"
	"unsafe"

	"weir/internal/json"
)

func itoa(n int) string { return strconv.Itoa(n) }

// Symbols resolves names of rows that a transaction inserts ("named-uuid").
type Symbols interface {
	// NamedUUID returns the UUID that name stands for, making one up if it is
	// used before it is defined.
	NamedUUID(name string) UUID
}

// ParseJSON parses a <value> of type t (RFC 7047 section 5.1) whose first token
// is s's current one, and checks t's constraints.  Without symbols a
// "named-uuid" is an error.  The error is an *Error, or a *json.SyntaxError
// where the JSON itself is broken.
func (t *ColumnType) ParseJSON(s *json.Scanner, symbols Symbols) (Datum, error) {
	p := Decoder{Symbols: symbols}
	return p.Value(t, s)
}

// ParseJSONUnchecked parses a value of t's atomic types that needn't satisfy
// t's constraints, such as the difference between two values (see Diff).
func (t *ColumnType) ParseJSONUnchecked(s *json.Scanner, symbols Symbols) (Datum, error) {
	p := Decoder{Symbols: symbols}
	return p.Unchecked(t, s)
}

// Decoder reads values.  It keeps scratch space from one to the next, so that
// one costs no allocation but for what its Datum keeps.  One goroutine uses a
// Decoder at a time.
type Decoder struct {
	Symbols Symbols
	// Share says that datums may share memory with the scanner's input and with
	// each other: for those that don't live long, or as long as the input.
	Share bool

	s     *json.Scanner
	lax   bool // don't check constraints
	order columnOrder
	keys  []Atom
	vals  []Atom
	mem   []byte // the rest of a piece of memory that shared datums are packed in
}

// Value parses a <value> of type t; see ColumnType.ParseJSON.
func (p *Decoder) Value(t *ColumnType, s *json.Scanner) (Datum, error) {
	p.s = s
	d, err := p.datum(t)
	if s.Err() != nil {
		return Datum{}, s.Err()
	}
	return d, err
}

// Unchecked parses a value; see ColumnType.ParseJSONUnchecked.
func (p *Decoder) Unchecked(t *ColumnType, s *json.Scanner) (Datum, error) {
	p.lax = true
	d, err := p.Value(t, s)
	p.lax = false
	return d, err
}

// limits returns how many elements a value of type t may have.
func (p *Decoder) limits(t *ColumnType) (least, most uint64) {
	switch {
	case !p.lax:
		return uint64(t.Min), uint64(t.Max)
	case t.Max > 1:
		return 0, Unlimited
	}
	return 0, 1
}

func (p *Decoder) errorf(from int, tag, format string, args ...any) error {
	if p.s.Err() != nil {
		return p.s.Err()
	}
	// The rest of the value belongs to what the message quotes.
	raw := append([]byte(nil), p.s.Data(from, p.s.End())...)
	return SyntaxErrorf(raw, tag, format, args...)
}

// mismatch skips the current value and says that it should have been of another
// kind, quoting it.
func (p *Decoder) mismatch(tag, format string, args ...any) error {
	raw, err := p.s.Raw()
	if err != nil {
		return err
	}
	return SyntaxErrorf(raw, tag, format, args...)
}

// datum reads a set, a map or a single atom.
func (p *Decoder) datum(t *ColumnType) (Datum, error) {
	s := p.s
	if s.Kind() != json.ArrayBegin {
		return p.single(t)
	}
	from := s.Offset()
	if s.Next() == json.String && !s.IsName() {
		isMap := string(s.Bytes()) == "map"
		isSet := string(s.Bytes()) == "set"
		if isMap && t.IsMap() || isSet && !t.IsMap() {
			return p.collection(t, from)
		}
		if !t.IsMap() && !isMap && !isSet {
			return p.singleUUID(t, from)
		}
	}
	return Datum{}, p.restMismatch(t, from)
}

// restMismatch skips the rest of the array that began at from.
func (p *Decoder) restMismatch(t *ColumnType, from int) error {
	if err := p.skipArray(); err != nil {
		return err
	}
	if t.IsMap() {
		return p.errorf(from, "", "expected [\"map\", <array>]")
	}
	return p.errorf(from, "", "expected %s", jsonKindFor(t.Key.Type))
}

// skipArray reads on to the end of the array that holds the current token.
func (p *Decoder) skipArray() error {
	s := p.s
	for s.Kind() != json.ArrayEnd {
		if err := s.Skip(); err != nil {
			return err
		}
		if s.Next() == json.Invalid {
			return s.Err()
		}
	}
	return nil
}

// single reads one atom as a whole set.
func (p *Decoder) single(t *ColumnType) (Datum, error) {
	if t.IsMap() {
		return Datum{}, p.mismatch("", "expected [\"map\", <array>]")
	}
	a, err := p.atom(&t.Key)
	if err != nil {
		return Datum{}, err
	}
	return p.scalar(a), nil
}

// singleUUID reads the rest of ["uuid", "..."] as a whole set.
func (p *Decoder) singleUUID(t *ColumnType, from int) (Datum, error) {
	a, err := p.uuid(&t.Key, from)
	if err != nil {
		return Datum{}, err
	}
	return p.scalar(a), nil
}

// collection reads the rest of ["set", [...]] or ["map", [...]].
func (p *Decoder) collection(t *ColumnType, from int) (Datum, error) {
	s := p.s
	if s.Next() != json.ArrayBegin {
		if err := p.skipArray(); err != nil {
			return Datum{}, err
		}
		return Datum{}, p.errorf(from, "", "expected [\"%s\", <array>]", t.kind())
	}
	p.keys, p.vals = p.keys[:0], p.vals[:0]
	var firstErr error
	err := s.Array(func(int) error {
		if firstErr != nil {
			return s.Skip()
		}
		if t.IsMap() {
			firstErr = p.pair(t)
			return s.Err()
		}
		var a Atom
		if a, firstErr = p.atom(&t.Key); firstErr == nil {
			p.keys = append(p.keys, a)
		}
		return s.Err()
	})
	if err != nil {
		return Datum{}, err
	}
	n := len(p.keys)
	if s.Next() != json.ArrayEnd {
		if err := p.skipArray(); err != nil {
			return Datum{}, err
		}
		return Datum{}, p.errorf(from, "", "expected [\"%s\", <array>]", t.kind())
	}
	if firstErr != nil {
		return Datum{}, firstErr
	}
	if least, most := p.limits(t); uint64(n) < least || uint64(n) > most {
		return Datum{}, p.errorf(from, "", "%s", t.lenText(n))
	}
	return p.finish(t)
}

// finish sorts what was read and refuses duplicates.
func (p *Decoder) finish(t *ColumnType) (Datum, error) {
	if !slices.IsSortedFunc(p.keys, Atom.Compare) {
		p.sort(t.IsMap())
	}
	for i := 1; i < len(p.keys); i++ {
		if p.keys[i] != p.keys[i-1] {
			continue
		}
		if t.IsMap() {
			return Datum{}, Errorf(TagGeneric, "map contains duplicate key")
		}
		return Datum{}, Errorf(TagGeneric, "set contains duplicate")
	}
	d := Datum{kt: t.Key.Type, vt: t.Value.Type, n: uint32(len(p.keys)), keys: p.pack(p.keys)}
	if t.IsMap() {
		d.vals = p.pack(p.vals)
	}
	return d, nil
}

// sort sorts what was read.
func (p *Decoder) sort(isMap bool) {
	if !isMap {
		slices.SortFunc(p.keys, Atom.Compare)
		return
	}
	pairs := make([]Pair, len(p.keys))
	for i := range pairs {
		pairs[i] = Pair{p.keys[i], p.vals[i]}
	}
	slices.SortStableFunc(pairs, func(a, b Pair) int { return a.Key.Compare(b.Key) })
	for i := range pairs {
		p.keys[i], p.vals[i] = pairs[i].Key, pairs[i].Value
	}
}

// scalar is ScalarDatum.
func (p *Decoder) scalar(a Atom) Datum {
	p.keys = append(p.keys[:0], a)
	return Datum{kt: a.typ, n: 1, keys: p.pack(p.keys)}
}

// pack is the function pack, in shared memory where that is allowed.
func (p *Decoder) pack(atoms []Atom) string {
	if !p.Share || len(atoms) == 0 {
		return pack(atoms)
	}
	if len(atoms) == 1 {
		if s, ok := packedAlready(atoms[0]); ok {
			return s
		}
	}
	n := packedSize(atoms)
	dst := p.room(n)
	return view(appendAtoms(dst, atoms))
}

// shareChunk is how much memory for shared datums is allocated at once, at least.
const shareChunk = 2048

// room returns an empty slice with room for n bytes.
func (p *Decoder) room(n int) []byte {
	if len(p.mem) < n {
		p.mem = make([]byte, max(n, shareChunk))
	}
	b := p.mem[:0:n]
	p.mem = p.mem[n:]
	return b
}

// view returns b as a string; b must not change any more.
func view(b []byte) string { return unsafe.String(unsafe.SliceData(b), len(b)) }

// pair reads [key, value].
func (p *Decoder) pair(t *ColumnType) error {
	s := p.s
	from := s.Offset()
	if s.Kind() != json.ArrayBegin {
		return p.mismatch("", "expected 2-element array")
	}
	var firstErr error
	n := 0
	err := s.Array(func(i int) error {
		n++
		base := &t.Key
		if i == 1 {
			base = &t.Value
		}
		if i > 1 || firstErr != nil {
			return s.Skip()
		}
		var a Atom
		a, firstErr = p.atom(base)
		switch {
		case firstErr != nil:
		case i == 0:
			p.keys = append(p.keys, a)
		default:
			p.vals = append(p.vals, a)
		}
		return s.Err()
	})
	if err != nil {
		return err
	}
	if n != 2 {
		return p.errorf(from, "", "expected 2-element array")
	}
	return firstErr
}

// jsonKindFor names the JSON that an atom of type t is written as.
func jsonKindFor(t AtomicType) string {
	switch t {
	case UUIDType:
		return "[\"uuid\", <string>]"
	case Real:
		return "number"
	}
	return t.String()
}

// atom reads an <atom> whose first token is the current one.
func (p *Decoder) atom(b *BaseType) (Atom, error) {
	s := p.s
	var a Atom
	switch k := s.Kind(); {
	case b.Type == Integer && k == json.Integer:
		a = IntAtom(s.Int())
	case b.Type == Real && (k == json.Integer || k == json.Real):
		a = RealAtom(s.Float())
	case b.Type == Boolean && (k == json.True || k == json.False):
		return BoolAtom(k == json.True), nil
	case b.Type == String && k == json.String:
		a = p.stringAtom(b)
	case b.Type == UUIDType && k == json.ArrayBegin:
		from := s.Offset()
		if s.Next() != json.String {
			if err := p.skipArray(); err != nil {
				return a, err
			}
			return a, p.errorf(from, "", "expected %s", jsonKindFor(b.Type))
		}
		return p.uuid(b, from)
	default:
		return a, p.mismatch("", "expected %s", jsonKindFor(b.Type))
	}
	if !p.lax {
		if e := b.Check(a); e != nil {
			return a, e
		}
	}
	return a, nil
}

// stringAtom reads the current string, sharing those of enumerations.
func (p *Decoder) stringAtom(b *BaseType) Atom {
	raw := p.s.Bytes()
	for i := range b.Enum.Len() {
		if k := b.Enum.Key(i); k.str == string(raw) {
			return k
		}
	}
	if p.Share {
		return StringAtom(p.s.View())
	}
	return StringAtom(string(raw))
}

// uuidAtom is UUIDAtom.
func (p *Decoder) uuidAtom(u UUID) Atom {
	if !p.Share {
		return UUIDAtom(u)
	}
	return Atom{typ: UUIDType, str: view(append(p.room(len(u)), u[:]...))}
}

// uuid reads the rest of ["uuid", X] or ["named-uuid", X]; the current token is
// its first string and from the offset of its bracket.
func (p *Decoder) uuid(b *BaseType, from int) (Atom, error) {
	s := p.s
	kind := "uuid"
	if string(s.Bytes()) != kind {
		kind = s.Str()
	}
	ok := s.Next() == json.String
	text := ""
	if ok {
		text = s.View()
		ok = s.Next() == json.ArrayEnd
	}
	if s.Err() != nil {
		return Atom{}, s.Err()
	}
	if !ok {
		if err := p.skipArray(); err != nil {
			return Atom{}, err
		}
	}
	switch {
	case b.Type != UUIDType:
		return Atom{}, p.errorf(from, "", "expected %s", jsonKindFor(b.Type))
	case ok && kind == "uuid":
		if u, good := ParseUUID(text); good {
			return p.uuidAtom(u), nil
		}
		return Atom{}, p.errorf(from, "", "\"%s\" is not a valid UUID", text)
	case ok && kind == "named-uuid" && p.Symbols != nil:
		if !IsID(text) {
			return Atom{}, p.errorf(from, "", "named-uuid string is not a valid <id>")
		}
		return p.uuidAtom(p.Symbols.NamedUUID(text)), nil
	}
	return Atom{}, p.errorf(from, "", "expected %s", jsonKindFor(b.Type))
}

// IsID reports whether s is an <id> (RFC 7047 section 3.1): a letter or
// underscore, then those or digits.
func IsID(s string) bool {
	for i := range len(s) {
		c := s[i]
		if c != '_' && (c|0x20 < 'a' || c|0x20 > 'z') && (i == 0 || c < '0' || c > '9') {
			return false
		}
	}
	return s != "" && utf8.ValidString(s)
}

// ParseJSONText parses text, which holds one <value> of type t and nothing else.
func (t *ColumnType) ParseJSONText(text []byte) (Datum, error) {
	s := json.NewScanner(text)
	s.Next()
	d, err := t.ParseJSON(s, nil)
	if err == nil {
		err = s.Finish()
	}
	return d, err
}
