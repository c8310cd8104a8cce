package ovsdb

import (
	"math"
	"strconv"

	"weir/internal/json"
)

// object prints the members of a JSON object.
type object struct {
	dst   []byte
	first bool
}

func newObject(dst []byte) *object { return &object{append(dst, '{'), true} }

func (o *object) name(name string) {
	if !o.first {
		o.dst = append(o.dst, ',')
	}
	o.first = false
	o.dst = json.AppendString(o.dst, name)
	o.dst = append(o.dst, ':')
}

func (o *object) str(name, value string) {
	o.name(name)
	o.dst = json.AppendString(o.dst, value)
}

func (o *object) num(name string, value int64) {
	o.name(name)
	o.dst = strconv.AppendInt(o.dst, value, 10)
}

func (o *object) boolean(name string, value bool) {
	o.name(name)
	o.dst = strconv.AppendBool(o.dst, value)
}

func (o *object) end() []byte { return append(o.dst, '}') }

// AppendJSON appends the base type, as a string where it has no constraints.
func (b *BaseType) AppendJSON(dst []byte) []byte {
	if !b.hasConstraints() {
		return json.AppendString(dst, b.Type.String())
	}
	o := newObject(dst)
	if b.Enum.Len() > 0 {
		o.name("enum")
		o.dst = b.Enum.appendSetJSON(o.dst)
	}
	b.appendLimits(o)
	o.str("type", b.Type.String())
	return o.end()
}

// appendLimits appends the constraints but for the enumeration.
func (b *BaseType) appendLimits(o *object) {
	switch b.Type {
	case Integer:
		if b.MaxInteger != math.MaxInt64 {
			o.num("maxInteger", b.MaxInteger)
		}
		if b.MinInteger != math.MinInt64 {
			o.num("minInteger", b.MinInteger)
		}
	case Real:
		if !math.IsInf(b.MaxReal, 1) {
			o.name("maxReal")
			o.dst = json.AppendReal(o.dst, b.MaxReal)
		}
		if !math.IsInf(b.MinReal, -1) {
			o.name("minReal")
			o.dst = json.AppendReal(o.dst, b.MinReal)
		}
	case String:
		if b.MaxLength != math.MaxUint32 {
			o.num("maxLength", int64(b.MaxLength))
		}
		if b.MinLength != 0 {
			o.num("minLength", int64(b.MinLength))
		}
	case UUIDType:
		if b.RefTable != "" {
			o.str("refTable", b.RefTable)
			if b.RefType == WeakRef {
				o.str("refType", "weak")
			}
		}
	}
}

// AppendJSON appends the type, members sorted, defaults left out.
func (t *ColumnType) AppendJSON(dst []byte) []byte {
	if t.IsScalar() && !t.Key.hasConstraints() {
		return t.Key.AppendJSON(dst)
	}
	o := newObject(dst)
	o.name("key")
	o.dst = t.Key.AppendJSON(o.dst)
	if t.Max == Unlimited {
		o.str("max", "unlimited")
	} else if t.Max != 1 {
		o.num("max", int64(t.Max))
	}
	if t.Min != 1 {
		o.num("min", int64(t.Min))
	}
	if t.IsMap() {
		o.name("value")
		o.dst = t.Value.AppendJSON(o.dst)
	}
	return o.end()
}

// AppendJSON appends the column's schema.
func (c *ColumnSchema) AppendJSON(dst []byte) []byte {
	o := newObject(dst)
	if !c.Persistent {
		o.boolean("ephemeral", true)
	}
	if !c.Mutable {
		o.boolean("mutable", false)
	}
	o.name("type")
	o.dst = c.Type.AppendJSON(o.dst)
	return o.end()
}

// AppendJSON appends the table's schema.
func (t *TableSchema) AppendJSON(dst []byte) []byte {
	return t.appendJSON(dst, t.IsRoot)
}

func (t *TableSchema) appendJSON(dst []byte, root bool) []byte {
	o := newObject(dst)
	o.name("columns")
	cols := newObject(o.dst)
	for _, c := range t.Columns[VersionColumn+1:] {
		cols.name(c.Name)
		cols.dst = c.AppendJSON(cols.dst)
	}
	o.dst = cols.end()
	if len(t.Indexes) > 0 {
		o.name("indexes")
		o.dst = append(o.dst, '[')
		for i, index := range t.Indexes {
			if i > 0 {
				o.dst = append(o.dst, ',')
			}
			o.dst = appendColumnNames(o.dst, index)
		}
		o.dst = append(o.dst, ']')
	}
	if root {
		o.boolean("isRoot", true)
	}
	if t.MaxRows != Unlimited {
		o.num("maxRows", int64(t.MaxRows))
	}
	if !t.Mutable {
		o.boolean("mutable", false)
	}
	return o.end()
}

func appendColumnNames(dst []byte, columns []*ColumnSchema) []byte {
	dst = append(dst, '[')
	for i, c := range columns {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = json.AppendString(dst, c.Name)
	}
	return append(dst, ']')
}

// AppendJSON appends the schema in compact form, members sorted. Where all tables
// are roots none says so, as none has to.
func (s *DatabaseSchema) AppendJSON(dst []byte) []byte {
	all := true
	for _, t := range s.Tables {
		all = all && t.IsRoot
	}
	o := newObject(dst)
	if s.Cksum != "" {
		o.str("cksum", s.Cksum)
	}
	o.str("name", s.Name)
	o.name("tables")
	tables := newObject(o.dst)
	for _, t := range s.SortedTables() {
		tables.name(t.Name)
		tables.dst = t.appendJSON(tables.dst, t.IsRoot && !all)
	}
	o.dst = tables.end()
	if s.Version != "" {
		o.str("version", s.Version)
	}
	return o.end()
}

// JSON returns the schema's compact JSON.
func (s *DatabaseSchema) JSON() string { return string(s.AppendJSON(nil)) }
