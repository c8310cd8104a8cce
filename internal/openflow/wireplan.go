package openflow

import "weir/internal/flow"

// wirePlan remembers how a match is written: many flows after one another have
// matches of one shape, and their fields, headers and masks are the same.
type wirePlan struct {
	shape   flow.Shape
	version Version
	typeToo bool
	fields  []plannedField
	odd     bool // the match has something that is written in a way of its own
}

// plannedField is a field of which only the value differs.
type plannedField struct {
	field *flow.Field
	head  uint32 // its header
	n     int    // length of the value
	mask  flow.Value
	exact bool // no mask
}

// is reports whether the plan is one for the match.
func (p *wirePlan) is(w *buf, m *Match, v Version) bool {
	return p.version == v && p.typeToo == w.typeToo && p.shape.Is(m)
}

// prepare makes the plan one for matches like m; see [buf.writeFields], of which
// it does the common cases.
func (p *wirePlan) prepare(w *buf, m *Match, v Version) {
	p.shape.Take(m)
	p.version, p.typeToo, p.odd, p.fields = v, w.typeToo, false, p.fields[:0]
	if m.Mask.TunMetaPresent != 0 || m.Mask.PacketType != 0 && (!m.HasDefaultPacketType() || w.typeToo) {
		p.odd = true
		return
	}
	var room [24]*flow.Field
	for _, f := range fieldsOnWire(&m.Mask, room[:0]) {
		switch {
		case f.ID == flow.FieldPacketType:
			continue
		case f.ID == flow.FieldVLANTCI && v >= V12, f.ID == flow.FieldIPDSCP && v < V12,
			v >= V15 && f.ID >= flow.FieldReg0 && f.ID < flow.FieldReg0+flow.NumRegs:
			p.odd = true
			return
		case f.ID == flow.FieldInPort && v >= V12:
			f = flow.FieldInPortOXM.Field()
		}
		if !f.IsSaid(m) {
			continue
		}
		c, ok := f.Codepoint(uint8(v))
		if !ok {
			continue
		}
		if c.Header.Class() == flow.ClassExperimenter {
			p.odd = true
			return
		}
		p.add(f, c.Header, &m.Mask)
	}
}

func (p *wirePlan) add(f *flow.Field, h flow.Header, m *flow.Mask) {
	mask := f.Get(m)
	if f.IsExact(m) {
		mask = f.Exact()
	}
	field := plannedField{field: f, n: f.NBytes, mask: mask, exact: exactOnWire(f, mask)}
	var head buf
	head.oxmHeaderOf(h, f.NBytes, !field.exact)
	c := cursor{b: head.b}
	field.head = c.u32()
	p.fields = append(p.fields, field)
}

// write writes a match of the plan's shape.
func (p *wirePlan) write(w *buf, m *Match) {
	for i := range p.fields {
		f := &p.fields[i]
		w.u32(f.head)
		w.value(f.field.Get(&m.Key), f.n)
		if !f.exact {
			w.value(f.mask, f.n)
		}
	}
}

// Encoder encodes messages one after another and remembers what their matches
// have in common. It belongs to one goroutine; its zero value is ready to use.
type Encoder struct {
	e    encoder
	plan wirePlan
}

// Append encodes m as one message and appends it to dst.
func (x *Encoder) Append(dst []byte, p Protocol, xid uint32, m Message) ([]byte, error) {
	x.e = encoder{proto: p, v: p.Version(), xid: xid, t: msgTable(), buf: buf{b: dst[len(dst):], plan: &x.plan}}
	return x.e.appendTo(dst, m)
}
