package openflow

import (
	"bytes"

	"weir/internal/flow"
)

// readPlan remembers how the last match was read: many flows after one another
// have the same fields with the same masks, and values of which the same holds.
type readPlan struct {
	shape  flow.Shape
	length int // of all fields in bytes; 0: there is no plan
	fields []readField
}

// readField is a field of which only the value may differ.
type readField struct {
	field *flow.Field
	head  [4]byte
	n     int // length of the value
	mask  flow.Value
	bits  []byte // the mask as it is in the message, nil for none
}

// read reads a match into m, which is empty. It does nothing and reports false
// for one that differs from the last in more than values.
func (p *readPlan) read(b []byte, m *Match) bool {
	if len(b) != p.length || len(b) == 0 {
		return false
	}
	at := 0
	for i := range p.fields {
		f := &p.fields[i]
		if !bytes.Equal(b[at:at+4], f.head[:]) || !bytes.Equal(b[at+4+f.n:at+4+f.n+len(f.bits)], f.bits) {
			return false
		}
		at += 4 + f.n + len(f.bits)
	}
	at = 0
	for i := range p.fields {
		f := &p.fields[i]
		v := decValue(b[at+4 : at+4+f.n])
		if !validValue(f.field, v) || !v.AndNot(f.mask).IsZero() {
			m.Key = flow.Key{}
			return false
		}
		f.field.SetMasked(&m.Key, v, f.field.Exact())
		at += 4 + f.n + len(f.bits)
	}
	if !p.shape.Fits(m) {
		m.Key = flow.Key{}
		return false
	}
	p.shape.PutMask(m)
	return true
}

// learn makes the plan one for matches like m, which was read from b.
func (p *readPlan) learn(b []byte, m *Match) {
	p.length, p.fields = 0, p.fields[:0]
	c := cursor{b: b}
	for c.left() > 0 {
		at := c.off
		h := c.oxmWire(ErrBMCBadLen)
		f := h.field()
		if c.err != nil || f == nil || h.isCookie() || c.off != at+4 || f.IsTunMetadata() || valueCounts(f) {
			return
		}
		field := readField{field: f, head: [4]byte(b[at : at+4]), n: h.valueLen(), mask: f.Exact()}
		c.skip(field.n)
		if h.hasMask {
			field.bits = bytes.Clone(c.bytes(field.n))
			field.mask = decValue(field.bits)
			if field.mask.IsZero() {
				return
			}
		}
		if c.err != nil {
			return
		}
		p.fields = append(p.fields, field)
	}
	p.shape.Take(m)
	p.length = len(b)
}

// valueCounts reports whether the bits that a match has of a field depend on the
// value.
func valueCounts(f *flow.Field) bool {
	switch f.ID {
	case flow.FieldVLANVID, flow.FieldDLVLAN, flow.FieldVLANTCI, flow.FieldVLANPCP, flow.FieldDLVLANPCP,
		flow.FieldTunERSPANVer, flow.FieldTunERSPANDir, flow.FieldTunERSPANHwid, flow.FieldTunGTPUFlags, flow.FieldTunGTPUMsgType:
		return true
	}
	return false
}
