package flow

import (
	"errors"
	"math/bits"
)

// TLVMap binds a tunnel option, a TLV by its class and type, to a tun_metadata
// field (ovs-fields(7), "Geneve Fields").
type TLVMap struct {
	Class uint16
	Type  uint8
	Len   uint8 // of the option's body in bytes: a multiple of 4 up to 124, 0 for one that is there or not
	Index uint16
}

// Errors of changes to a TLVTable.
var (
	ErrTLVFull    = errors.New("no space left for the tunnel option")
	ErrTLVMapped  = errors.New("the tun_metadata field is mapped already")
	ErrTLVTwice   = errors.New("the tunnel option is mapped already")
	ErrTLVUnbound = errors.New("no TLV mapping for this field (see add-tlv-map in ovs-ofctl(8))")
)

// TLVTable binds tun_metadata fields to places in a Key. It is immutable: the
// methods that change it return another, in which the fields that both have
// keep their places, so that what was made with the older table stays right.
//
// A bridge has one. Matches that are read where no table is known have one of
// their own each, which takes the length of a field from its value.
type TLVTable struct {
	fields [NumTunMeta]*Field
	maps   [NumTunMeta]TLVMap
	used   [TunMetaBytes / 64]uint64 // bit i: byte i of Key.TunMeta is taken
	own    bool                      // of one match
}

// option is the place of a bound tun_metadata field.
type option struct {
	index  uint8
	masked bool // in a match's own table: a mask was given
	parts  []optionPart
}

// optionPart is a run of bytes in Key.TunMeta.
type optionPart struct{ off, n uint8 }

func (o *option) present(k *Key) bool { return k.TunMetaPresent>>o.index&1 != 0 }
func (o *option) setPresent(k *Key)   { k.TunMetaPresent |= 1 << o.index }

func (o *option) get(k *Key) Value {
	var b [MaxValueLen]byte
	n := 0
	for _, p := range o.parts {
		n += copy(b[n:], k.TunMeta[p.off:][:p.n])
	}
	return ValueFromBytes(b[:n])
}

func (o *option) put(k *Key, v Value) {
	n := 0
	for _, p := range o.parts {
		n += int(p.n)
	}
	var buf [MaxValueLen]byte
	b := buf[:n]
	v.PutBytes(b)
	for _, p := range o.parts {
		b = b[copy(k.TunMeta[p.off:][:p.n], b):]
	}
}

// remove takes the option away.
func (o *option) remove(k *Key) {
	o.put(k, Value{})
	k.TunMetaPresent &^= 1 << o.index
}

// RemoveOption takes a tunnel option from a packet (the delete_field action).
func (f *Field) RemoveOption(k *Key) {
	if f.option != nil {
		f.option.remove(k)
	}
}

// MarkOption has a mask look at all of a tunnel option, and at whether it is there.
func (f *Field) MarkOption(m *Mask) {
	if f.option != nil {
		f.option.put(m, f.exact)
		f.option.setPresent(m)
	}
}

// IsTunMetadata reports whether the field is one of tun_metadata, which mean
// nothing until a TLVTable binds them.
func (f *Field) IsTunMetadata() bool {
	return f.ID >= FieldTunMetadata0 && f.ID < FieldTunMetadata0+NumTunMeta
}

// IsBound reports whether the field has a place in a Key: all but tun_metadata
// have one from the start.
func (f *Field) IsBound() bool { return f.place.kind != placeUnbound }

// HasMask: the option of a match's own table was given with a mask, be it one
// of all the bytes given.
func (f *Field) HasMask() bool { return f.option != nil && f.option.masked }

// Present reports whether a packet has the option (or a mask asks for it).
func (f *Field) Present(k *Key) bool { return f.option != nil && f.option.present(k) }

// Field is the bound field of an index, nil where there is none.
func (t *TLVTable) Field(index int) *Field {
	if t == nil || index < 0 || index >= NumTunMeta {
		return nil
	}
	return t.fields[index]
}

// Bind returns the bound form of a tun_metadata field, any other field as it
// is, and nil for one without a binding.
func (t *TLVTable) Bind(f *Field) *Field {
	if !f.IsTunMetadata() {
		return f
	}
	return t.Field(int(f.ID - FieldTunMetadata0))
}

// Maps are the bindings in the order of the fields.
func (t *TLVTable) Maps() []TLVMap {
	var out []TLVMap
	for i := range t.fields {
		if t.fields[i] != nil {
			out = append(out, t.maps[i])
		}
	}
	return out
}

// AppendBody appends the body of the option that a field is bound to, as packets
// with the key k carry it; false says that they carry none.
func (t *TLVTable) AppendBody(b []byte, index int, k *Key) ([]byte, bool) {
	f := t.Field(index)
	if f == nil || !f.Present(k) {
		return b, false
	}
	for _, p := range f.option.parts {
		b = append(b, k.TunMeta[p.off:][:p.n]...)
	}
	return b, true
}

// PutBody sets the field of an option whose body stands in a packet, if there is
// one of its length.
func (t *TLVTable) PutBody(k *Key, class uint16, typ uint8, body []byte) {
	f := t.bound(class, typ, len(body))
	if f == nil {
		return
	}
	f.option.setPresent(k)
	for _, p := range f.option.parts {
		body = body[copy(k.TunMeta[p.off:][:p.n], body):]
	}
}

// CopyBody copies the bytes of meta, laid out as Key.TunMeta, that belong to an
// option to dst, which is as long as the option's body; nothing if no field of
// that length is bound to it.
func (t *TLVTable) CopyBody(dst []byte, meta *[TunMetaBytes]byte, class uint16, typ uint8) {
	f := t.bound(class, typ, len(dst))
	if f == nil {
		return
	}
	for _, p := range f.option.parts {
		dst = dst[copy(dst, meta[p.off:][:p.n]):]
	}
}

// bound is the field of an option whose body is n bytes long, nil if there is none.
func (t *TLVTable) bound(class uint16, typ uint8, n int) *Field {
	if t == nil {
		return nil
	}
	for i, f := range &t.fields {
		if m := &t.maps[i]; f != nil && m.Type == typ && m.Class == class && int(m.Len) == n {
			return f
		}
	}
	return nil
}

// Space is the number of bytes that the bindings take.
func (t *TLVTable) Space() int {
	n := 0
	for _, w := range t.used {
		n += bits.OnesCount64(w)
	}
	return n
}

// Add returns the table with one more binding.
func (t *TLVTable) Add(m TLVMap) (*TLVTable, error) {
	if t.fields[m.Index] != nil {
		return nil, ErrTLVMapped
	}
	for i := range t.fields {
		if t.fields[i] != nil && t.maps[i].Class == m.Class && t.maps[i].Type == m.Type {
			return nil, ErrTLVTwice
		}
	}
	out := *t
	if !out.bind(int(m.Index), int(m.Len), false) {
		return nil, ErrTLVFull
	}
	out.maps[m.Index] = m
	return &out, nil
}

// Delete returns the table without the binding of an index.
func (t *TLVTable) Delete(index int) *TLVTable {
	out := *t
	out.release(index)
	return &out
}

func (t *TLVTable) release(index int) {
	f := t.fields[index]
	if f == nil {
		return
	}
	for _, p := range f.option.parts {
		for i := p.off; i < p.off+p.n; i++ {
			t.used[i/64] &^= 1 << (i % 64)
		}
	}
	t.fields[index] = nil
}

// bind finds n free bytes, in one run if there is one, for a field.
func (t *TLVTable) bind(index, n int, masked bool) bool {
	if n > MaxValueLen || TunMetaBytes-t.Space() < n {
		return false
	}
	f := Fields[int(FieldTunMetadata0)+index]
	f.place.kind = placeOption
	f.NBytes, f.NBits = n, 8*n
	f.exact = Ones(8 * n)
	f.full = f.exact
	f.option = &option{index: uint8(index), masked: masked, parts: t.take(n)}
	t.fields[index] = &f
	return true
}

func (t *TLVTable) take(n int) []optionPart {
	if n == 0 {
		return nil
	}
	isFree := func(i int) bool { return t.used[i/64]>>(i%64)&1 == 0 }
	var runs []optionPart
	for i := 0; i < TunMetaBytes; {
		start := i
		for i < TunMetaBytes && isFree(i) {
			i++
		}
		if i-start >= n {
			runs = []optionPart{{uint8(start), uint8(n)}}
			break
		}
		if i > start {
			runs = append(runs, optionPart{uint8(start), uint8(i - start)})
		}
		i++
	}
	for i := range runs {
		r := &runs[i]
		r.n = uint8(min(int(r.n), n))
		n -= int(r.n)
		for j := range int(r.n) {
			b := int(r.off) + j
			t.used[b/64] |= 1 << (b % 64)
		}
		if n == 0 {
			return runs[:i+1]
		}
	}
	return runs
}

// BindOption returns the form of a tun_metadata field by which the match can
// hold it. A match made with a bridge's table has the table's; any other gets
// one of n bytes of its own.
func (m *Match) BindOption(f *Field, n int, masked bool) (*Field, error) {
	index := int(f.ID - FieldTunMetadata0)
	if m.TLV != nil && !m.TLV.own {
		if b := m.TLV.fields[index]; b != nil {
			return b, nil
		}
		return nil, ErrTLVUnbound
	}
	own := TLVTable{own: true}
	if m.TLV != nil {
		own = *m.TLV
		if b := own.fields[index]; b != nil {
			if b.NBytes == n && b.option.masked == masked {
				return b, nil
			}
			m.Clear(b)
			own.release(index)
		}
	}
	if !own.bind(index, n, masked) {
		return nil, ErrTLVFull
	}
	m.TLV = &own
	return own.fields[index], nil
}
