package openflow

import (
	"errors"
	"fmt"
	"strconv"
	"strings"

	"weir/internal/flow"
)

// ParseSubfield reads FIELD, FIELD[], FIELD[BIT] or FIELD[FIRST..LAST], the
// field by its name or the name of a header. What follows is an error.
func ParseSubfield(s string) (Subfield, error) {
	sub, rest, err := parseSubfield(s)
	if err == nil && rest != "" {
		err = errors.New("unexpected input following field syntax")
	}
	return sub, err
}

func fieldByAnyName(name string) *flow.Field {
	if f := flow.FieldByName(name); f != nil {
		return f
	}
	f, _, ok := flow.FieldByCodepoint(name)
	if !ok {
		return nil
	}
	return f
}

// parseSubfield reads a subfield at the start of s and returns what follows.
func parseSubfield(s string) (Subfield, string, error) {
	n := strings.IndexAny(s, "[-")
	if n < 0 {
		n = len(s)
	}
	name, rest := s[:n], s[n:]
	f := fieldByAnyName(name)
	if f == nil {
		return Subfield{}, s, fmt.Errorf("%s: unknown field `%s'", s, name)
	}
	if !f.HasCodepoint() {
		return Subfield{}, s, fmt.Errorf("%s: field %s can't be named in actions (it has no OXM or NXM header)", s, name)
	}
	sub := Subfield{Field: f, N: uint16(f.NBits)}
	if !strings.HasPrefix(rest, "[") {
		return sub, rest, nil
	}
	bits, after, ok := strings.Cut(rest[1:], "]")
	if !ok {
		return sub, s, fmt.Errorf("%s: syntax error expecting [] or [<bit>] or [<start>..<end>]", s)
	}
	if bits != "" {
		first, last, isRange := strings.Cut(bits, "..")
		lo, err := strconv.Atoi(first)
		hi := lo
		if err == nil && isRange {
			hi, err = strconv.Atoi(last)
		}
		switch {
		case err != nil || lo < 0:
			return sub, s, fmt.Errorf("%s: syntax error expecting [] or [<bit>] or [<start>..<end>]", s)
		case lo > hi:
			return sub, s, fmt.Errorf("%s: starting bit %d is after ending bit %d", s, lo, hi)
		case lo >= f.NBits:
			return sub, s, fmt.Errorf("%s: starting bit %d is not valid because field is only %d bits wide", s, lo, f.NBits)
		case hi >= f.NBits:
			return sub, s, fmt.Errorf("%s: ending bit %d is not valid because field is only %d bits wide", s, hi, f.NBits)
		}
		sub.Ofs, sub.N = uint16(lo), uint16(hi-lo+1)
	}
	return sub, after, nil
}

// parseBig reads a number of up to the width of the longest field.
func parseBig(s string) (flow.Value, bool) {
	v, fits, ok := flow.ParseNumber(s)
	return v, ok && fits
}

// load reads "VALUE->DST".
func (p *actParser) load(s string) (Action, error) {
	if p.nested == "ct" {
		// Inside ct both forms set the connection's mark or label.
		p.nested = "ct"
	}
	val, dst, ok := strings.Cut(s, "->")
	switch {
	case !ok:
		return nil, fmt.Errorf("%s: missing `->'", s)
	case dst == "":
		return nil, fmt.Errorf("%s: missing field name following `->'", s)
	}
	if field := fieldByAnyName(strings.TrimSuffix(dst, "[]")); field != nil && setterOf(field) != nil {
		return p.setField(val + "->" + field.Name)
	}
	sub, err := ParseSubfield(dst)
	if err != nil {
		return nil, err
	}
	v, ok := parseBig(val)
	if !ok || v.Len() > int(sub.N) {
		if f := sub.Field; !ok && sub.Ofs == 0 && int(sub.N) == f.NBits {
			// A value in the field's own form, an address for one.
			fv, mask, e := f.ParseValue(val, p.names.ports())
			if e == nil && mask.And(f.Exact()) == f.Exact() {
				v, ok = fv, true
			}
		}
		switch {
		case !ok || v.Len() > 8*sub.Field.NBytes:
			return nil, fmt.Errorf("%s: cannot parse integer value", s)
		case v.Len() > int(sub.N):
			return nil, fmt.Errorf("%s: value %s does not fit into %d bits", s,
				sub.Field.FormatValue(v, sub.Field.Exact(), nil), sub.N)
		}
	}
	if text, code := subfieldError(sub, "destination"); code != 0 {
		return nil, fmt.Errorf("%s: %s", s, text)
	}
	return &SetField{Field: sub.Field, Value: v.Shl(int(sub.Ofs)), Mask: flow.Ones(int(sub.N)).Shl(int(sub.Ofs)), FromLoad: true}, nil
}

// setField reads "VALUE[/MASK]->FIELD".
func (p *actParser) setField(s string) (Action, error) {
	i := strings.LastIndex(s, "->")
	if i < 0 {
		return nil, fmt.Errorf("%s: missing `->'", s)
	}
	val, name := s[:i], s[i+2:]
	if name == "" {
		return nil, fmt.Errorf("%s: missing field name following `->'", s)
	}
	f := fieldByAnyName(name)
	switch {
	case f == nil && strings.HasSuffix(name, "[]"):
		f = fieldByAnyName(strings.TrimSuffix(name, "[]"))
		if f == nil {
			return nil, fmt.Errorf("%s is not a valid OXM field name", name)
		}
	case f == nil:
		return nil, fmt.Errorf("%s is not a valid OXM field name", name)
	}
	if !f.Writable {
		return nil, fmt.Errorf("%s is read-only", name)
	}
	if val == "" {
		return nil, fmt.Errorf("%s: bad syntax for %s value", val, f.Name)
	}
	v, mask, err := f.ParseValue(val, p.names.ports())
	if err != nil {
		return nil, err
	}
	if mask.And(f.Exact()) == f.Exact() {
		mask = f.Exact()
	}
	if !validValue(f, v) {
		return nil, fmt.Errorf("%s is not a valid value for field %s", val, name)
	}
	if set := setterOf(f); set != nil {
		if mask != f.Exact() {
			return nil, fmt.Errorf("%s: invalid mask for field %s", val, name)
		}
		return set(v.Lo), nil
	}
	p.usable &= setFieldProtocols(f, mask)
	return &SetField{Field: f, Value: v.And(mask), Mask: mask}, nil
}

// setterOf makes the action that sets a field of OpenFlow 1.0, which has no
// header of its own; nil for others.
func setterOf(f *flow.Field) func(uint64) Action {
	switch f.ID {
	case flow.FieldDLVLAN:
		return func(v uint64) Action { return &SetVLANVID{VID: uint16(v), PushIfNeeded: true} }
	case flow.FieldDLVLANPCP:
		return func(v uint64) Action { return &SetVLANPCP{PCP: uint8(v), PushIfNeeded: true} }
	}
	return nil
}

// setFieldProtocols are the protocols that can match the field with such a mask, which Open
// vSwitch also asks of those that set it.
func setFieldProtocols(f *flow.Field, mask flow.Value) Protocol {
	can := func(s flow.Support) bool {
		return s == flow.SupportBitwise || s != flow.Unsupported && mask == f.Exact()
	}
	p := PAnyNXM | PAnyOXM
	if can(f.In11) {
		p |= P11
	}
	if can(f.In10) {
		p |= PAny10
	}
	return p
}

// move reads "SRC->DST".
func (p *actParser) move(s string) (Action, error) {
	src, rest, err := parseSubfield(s)
	if err != nil {
		return nil, err
	}
	dstText, ok := strings.CutPrefix(rest, "->")
	if !ok {
		return nil, fmt.Errorf("%s: missing `->' following source", s)
	}
	dst, after, err := parseSubfield(dstText)
	switch {
	case err != nil:
		return nil, err
	case after != "":
		return nil, fmt.Errorf("%s: trailing garbage following destination", s)
	case src.N != dst.N:
		return nil, fmt.Errorf("%s: source field is %d bits wide but destination is %d bits wide", s, src.N, dst.N)
	}
	return &Move{Src: src, Dst: dst}, nil
}

func stackSubfield(s string) (Subfield, error) {
	sub, rest, err := parseSubfield(s)
	if err == nil && rest != "" {
		err = fmt.Errorf("%s: trailing garbage following push or pop", rest)
	}
	return sub, err
}

func (p *actParser) push(s string) (Action, error) {
	sub, err := stackSubfield(s)
	return &Push{Src: sub}, err
}

func (p *actParser) pop(s string) (Action, error) {
	sub, err := stackSubfield(s)
	if err == nil && !sub.Field.Writable {
		err = fmt.Errorf("%s is read-only", sub.Field.Name)
	}
	return &Pop{Dst: sub}, err
}

// experimenterClass is the class of OXM fields with an experimenter's number
// (OpenFlow 1.3.1, 7.2.3.3).
const experimenterClass = 0xffff

// plainHeader refuses a field that is an experimenter's: the actions that name
// one in 32 bits have no room for it. whole and part are the texts that it stood in.
func plainHeader(whole, part string, sub Subfield) error {
	if c, ok := sub.Field.Codepoint(uint8(V10)); ok && c.Header.Class() != experimenterClass {
		return nil
	}
	return fmt.Errorf("%s: experimenter OXM field '%s' not supported", whole, part)
}

func (p *actParser) checkPktLarger(s string) (Action, error) {
	n, dst, ok := strings.Cut(s, "->")
	if !ok {
		return nil, fmt.Errorf("%s: missing `->'", s)
	}
	if dst == "" {
		return nil, fmt.Errorf("%s)->: missing field name following `->'", n)
	}
	v, err := parseUint(strings.Trim(n, "()"), 16, "(null)")
	if err != nil {
		return nil, err
	}
	sub, err := ParseSubfield(dst)
	switch {
	case err != nil:
		return nil, err
	case sub.N != 1:
		return nil, fmt.Errorf("Only 1-bit destination field is allowed")
	case !sub.Field.Writable:
		return nil, fmt.Errorf("%s is read-only", sub.Field.Name)
	}
	return &CheckPktLarger{Len: uint16(v), Dst: sub}, nil
}

func (p *actParser) deleteField(s string) (Action, error) {
	f := fieldByAnyName(s)
	if f == nil {
		return nil, fmt.Errorf("unknown field `%s'", s)
	}
	return &DeleteField{Field: f}, nil
}

func (p *actParser) sample(s string) (Action, error) {
	a := &Sample{SamplingPort: PortNone}
	for _, kv := range SplitKeyValues(s) {
		var err error
		var v uint64
		switch kv.Key {
		case "probability":
			if v, err = parseUint(kv.Value, 16, "probability"); err == nil && v == 0 {
				err = fmt.Errorf("invalid probability value %q", kv.Value)
			}
			a.Probability = uint16(v)
		case "collector_set_id":
			v, err = parseUint(kv.Value, 32, "")
			a.CollectorSetID = uint32(v)
		case "obs_domain_id":
			a.ObsDomainID, a.DomainSrc, err = sampleIDArg(kv.Value)
		case "obs_point_id":
			a.ObsPointID, a.PointSrc, err = sampleIDArg(kv.Value)
		case "sampling_port":
			port, ok := p.portArg(kv.Value)
			if !ok {
				return nil, fmt.Errorf("%s: unknown port", kv.Value)
			}
			a.SamplingPort = port
		case "ingress":
			a.Direction = SampleIngress
		case "egress":
			a.Direction = SampleEgress
		default:
			err = fmt.Errorf("invalid key %q in \"sample\" argument", kv.Key)
		}
		if err != nil {
			return nil, err
		}
	}
	if a.Probability == 0 {
		return nil, fmt.Errorf("non-zero \"probability\" must be specified on sample")
	}
	return a, nil
}

func sampleIDArg(s string) (uint32, Subfield, error) {
	v, err := parseUint(s, 32, "")
	if err == nil {
		return uint32(v), Subfield{}, nil
	}
	sub, e := ParseSubfield(s)
	if e != nil {
		return 0, Subfield{}, err
	}
	if err := plainHeader(s, s, sub); err != nil {
		return 0, Subfield{}, err
	}
	if sub.N > 32 {
		return 0, Subfield{}, fmt.Errorf("size of field (%d) exceeds maximum size (32)", sub.N)
	}
	return 0, sub, nil
}
