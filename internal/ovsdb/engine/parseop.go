package engine

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"weir/internal/json"
	"weir/internal/ovsdb"
)

// opParser parses a request's operations. Its messages are those of Open
// vSwitch.
type opParser struct {
	layout  *Layout
	symbols symbols
	dec     ovsdb.Decoder
	params  []byte
	ops     json.Scanner // on params

	index   int // of the operation at hand, from 1
	raw     []byte
	members []opMember
	err     *ovsdb.Error // the first error in the operation's own members

	scan json.Scanner
	row  ovsdb.Row // of an insert
	last *Table    // that tableNamed found

	head      []byte // how the last plain insert began, to its row's brace; nil: not so
	headTable *Table // the table it named
}

type opMember struct {
	name string
	raw  []byte
	used bool
}

// begin goes to another operation, at ops' current token.
func (p *opParser) begin(index int) {
	p.index, p.raw, p.members, p.err = index, nil, p.members[:0], nil
}

// total returns how many operations the client sent.
func (p *opParser) total() int {
	n := -1 // the database's name
	s := json.NewValid(p.params)
	s.Next()
	_ = s.Array(func(int) error { n++; return s.Skip() })
	return n
}

// scanner returns a scanner on a part of the operation, at its first token. It
// is valid until the next call.
func (p *opParser) scanner(raw []byte) *json.Scanner {
	p.scan.ResetValid(raw)
	p.scan.Next()
	return &p.scan
}

func (p *opParser) fail(format string, args ...any) {
	if p.err == nil {
		p.err = ovsdb.SyntaxErrorf(p.raw, "", "Parsing ovsdb operation %d of %d failed: %s", p.index, p.total(), fmt.Sprintf(format, args...))
	}
}

// kinds of JSON that a member may have.
const (
	kindString = "\""
	kindID     = "id"
	kindArray  = "["
	kindObject = "{"
	kindBool   = "tf"
	kindNumber = "-0123456789"
)

// get returns the member of that name, which must be of the given kind; nil
// where it is missing, which must be optional.
func (p *opParser) get(name, kind string, optional bool) []byte {
	for i := range p.members {
		m := &p.members[i]
		if m.name != name {
			continue
		}
		m.used = true
		if kind == kindID {
			if m.raw[0] == '"' && ovsdb.IsID(p.scanner(m.raw).View()) {
				return m.raw
			}
		} else {
			for j := range len(kind) {
				if m.raw[0] == kind[j] {
					return m.raw
				}
			}
		}
		p.fail("Type mismatch for member '%s'.", name)
		return nil
	}
	if !optional {
		p.fail("Required '%s' member is missing.", name)
	}
	return nil
}

// str returns a string member's text.
func (p *opParser) str(name, kind string, optional bool) (string, bool) {
	raw := p.get(name, kind, optional)
	if raw == nil {
		return "", false
	}
	return p.scanner(raw).View(), true
}

// finish refuses members that nothing asked for.
func (p *opParser) finish() *ovsdb.Error {
	for i := range p.members {
		if !p.members[i].used {
			p.fail("Member '%s' is present but not allowed here.", p.members[i].name)
		}
	}
	return p.err
}

// split finds the operation's members.
func (p *opParser) split() *ovsdb.Error {
	s := &p.ops
	from := s.Offset()
	if s.Kind() != json.ObjectBegin {
		p.raw, _ = s.Raw()
		return ovsdb.Errorf(ovsdb.TagSyntax, "Parsing ovsdb operation %d of %d failed: Object expected.", p.index, p.total())
	}
	err := s.Members(func([]byte) error {
		name := s.View()
		raw, err := s.Value()
		for i := range p.members {
			if p.members[i].name == name {
				p.members[i].raw = raw
				return err
			}
		}
		p.members = append(p.members, opMember{name: name, raw: raw})
		return err
	})
	p.raw = s.Data(from, s.End())
	return ovsdb.AsError(err)
}

func (p *opParser) parse() (operation, *ovsdb.Error) {
	var op operation
	if err := p.split(); err != nil {
		return op, err
	}
	name, ok := p.str("op", kindString, false)
	if !ok {
		return op, p.err
	}
	op.op = name
	if name != "insert" {
		op.details = &details{}
	}
	var err *ovsdb.Error
	switch name {
	case "insert":
		err = p.insert(&op)
	case "select":
		err = p.selectRows(&op)
	case "update":
		err = p.update(&op)
	case "mutate":
		err = p.mutate(&op)
	case "delete":
		err = p.delete(&op)
	case "wait":
		err = p.wait(&op)
	case "commit":
		raw := p.get("durable", kindBool, false)
		op.equal = len(raw) == 4 // true
		err = p.finish()
	case "abort":
		err = p.finish()
	case "comment":
		op.text, _ = p.str("comment", kindString, false)
		err = p.finish()
	case "assert":
		op.text, _ = p.str("lock", kindID, false)
		err = p.finish()
	default:
		p.fail("No operation \"%s\"", name)
		err = p.err
	}
	return op, err
}

// table looks up the member "table".
func (p *opParser) table(op *operation) {
	name, ok := p.str("table", kindString, false)
	if !ok {
		return
	}
	if op.table = p.layout.Table(name); op.table == nil {
		p.fail("No table named %s.", name)
	}
}

func (p *opParser) condition(op *operation, raw []byte) *ovsdb.Error {
	c, err := p.dec.Condition(op.table.TableSchema, p.scanner(raw))
	op.where = c
	return ovsdb.AsError(err)
}

func (p *opParser) insert(op *operation) *ovsdb.Error {
	p.table(op)
	own, hasOwn := p.str("uuid", kindString, true)
	name, hasName := p.str("uuid-name", kindID, true)
	row := p.get("row", kindObject, false)
	if err := p.finish(); err != nil {
		return err
	}
	id := ovsdb.UUID{}
	if hasOwn {
		var ok bool
		if id, ok = ovsdb.ParseUUID(own); !ok {
			return ovsdb.SyntaxErrorf(json.AppendString(nil, own), "", "bad uuid")
		}
		op.ownUUID = true
	} else {
		id = p.layout.newUUID()
	}
	if hasName {
		var ok bool
		if id, ok = p.symbols.define(name, id, hasOwn); !ok {
			return ovsdb.SyntaxErrorf(json.AppendString(nil, name), ovsdb.TagDuplicateUUIDName, "This \"uuid-name\" appeared on an earlier \"insert\" operation.")
		}
	}
	if err := p.insertRow(op.table, p.scanner(row)); err != nil {
		return err
	}
	op.insert = p.packRow(op.table, id)
	return nil
}

// packRow returns the row that insertRow has read.
func (p *opParser) packRow(t *Table, id ovsdb.UUID) *Row {
	return ovsdb.PackRow(t.TableSchema, id, p.layout.newUUID(), p.row)
}

// insertRow reads an insert's row, at the scanner's current token, into row.
func (p *opParser) insertRow(t *Table, s *json.Scanner) *ovsdb.Error {
	p.row = append(p.row[:0], t.defaults...)
	var given [4]uint64 // the first 256 columns; later ones count as not given
	err := p.dec.Row(t.TableSchema, s, p.row, func(c *ovsdb.ColumnSchema) error {
		if c.Index < 256 {
			given[c.Index/64] |= 1 << (c.Index % 64)
		}
		return nil
	})
	if err != nil {
		return ovsdb.AsError(err)
	}
	for _, c := range t.badDefault {
		if c.Index >= 256 || given[c.Index/64]&(1<<(c.Index%64)) == 0 {
			if err := c.Type.CheckElements(p.row[c.Index]); err != nil {
				return err
			}
		}
	}
	return nil
}

func (p *opParser) selectRows(op *operation) *ovsdb.Error {
	p.table(op)
	where := p.get("where", kindArray, false)
	columns := p.get("columns", kindArray, true)
	sort := p.get("sort", kindArray, true)
	if err := p.finish(); err != nil {
		return err
	}
	if err := p.condition(op, where); err != nil {
		return err
	}
	var err *ovsdb.Error
	if op.columns, err = p.columns(op.table, columns); err == nil {
		op.sort, err = p.columns(op.table, sort)
	}
	if err == nil {
		op.columns = inOrder(op.table, op.columns)
	}
	return err
}

// inOrder returns columns, or all of a table's where nil, by name: how members
// of objects are printed.
func inOrder(t *Table, columns []*ovsdb.ColumnSchema) []*ovsdb.ColumnSchema {
	if columns == nil {
		columns = t.Columns
	}
	columns = slices.Clone(columns)
	slices.SortFunc(columns, func(a, b *ovsdb.ColumnSchema) int { return strings.Compare(a.Name, b.Name) })
	return slices.Compact(columns)
}

// columns parses an array of column names; nil stands for all columns.
func (p *opParser) columns(t *Table, raw []byte) ([]*ovsdb.ColumnSchema, *ovsdb.Error) {
	if raw == nil {
		return nil, nil
	}
	out := []*ovsdb.ColumnSchema{}
	s := p.scanner(raw)
	err := s.Array(func(int) error {
		if s.Kind() != json.String {
			return ovsdb.SyntaxErrorf(raw, "", "array of distinct column names expected")
		}
		name := s.Str()
		c := t.Column(name)
		if c == nil {
			return ovsdb.SyntaxErrorf(raw, "", "%s is not a valid column name", name)
		}
		if slices.Contains(out, c) {
			return ovsdb.SyntaxErrorf(raw, "", "array of distinct column names expected")
		}
		out = append(out, c)
		return nil
	})
	return out, ovsdb.AsError(err)
}

func (p *opParser) update(op *operation) *ovsdb.Error {
	p.table(op)
	where := p.get("where", kindArray, false)
	row := p.get("row", kindObject, false)
	if err := p.finish(); err != nil {
		return err
	}
	t := op.table
	op.row = make(ovsdb.Row, len(t.Columns))
	err := p.dec.Row(t.TableSchema, p.scanner(row), op.row, func(c *ovsdb.ColumnSchema) error {
		op.set = append(op.set, c)
		return nil
	})
	if err != nil {
		return ovsdb.AsError(err)
	}
	for _, c := range op.set {
		if !c.Mutable {
			return ovsdb.SyntaxErrorf(p.raw, ovsdb.TagConstraint, "Cannot update immutable column %s in table %s.", c.Name, t.Name)
		}
	}
	return p.condition(op, where)
}

func (p *opParser) mutate(op *operation) *ovsdb.Error {
	p.table(op)
	where := p.get("where", kindArray, false)
	mutations := p.get("mutations", kindArray, false)
	if err := p.finish(); err != nil {
		return err
	}
	m, err := p.dec.Mutations(op.table.TableSchema, p.scanner(mutations))
	if err != nil {
		return ovsdb.AsError(err)
	}
	op.mutations = m
	return p.condition(op, where)
}

func (p *opParser) delete(op *operation) *ovsdb.Error {
	p.table(op)
	where := p.get("where", kindArray, false)
	if err := p.finish(); err != nil {
		return err
	}
	return p.condition(op, where)
}

func (p *opParser) wait(op *operation) *ovsdb.Error {
	timeout := p.get("timeout", kindNumber, true)
	p.table(op)
	where := p.get("where", kindArray, false)
	columns := p.get("columns", kindArray, true)
	until, _ := p.str("until", kindString, false)
	rows := p.get("rows", kindArray, false)
	if err := p.finish(); err != nil {
		return err
	}
	switch until {
	case "==":
		op.equal = true
	case "!=":
	default:
		return ovsdb.SyntaxErrorf(json.AppendString(nil, until), "", "\"until\" must be \"==\" or \"!=\"")
	}
	if timeout != nil {
		ms := p.scanner(timeout).Float()
		if ms < 0 {
			return ovsdb.SyntaxErrorf(timeout, "", "timeout must be nonnegative")
		}
		op.timeout, op.hasLimit = time.Duration(min(ms, 1e12))*time.Millisecond, true
	}
	if err := p.condition(op, where); err != nil {
		return err
	}
	var err *ovsdb.Error
	if op.columns, err = p.columns(op.table, columns); err != nil {
		return err
	}
	return p.waitRows(op, rows)
}

// waitRows parses the rows that a wait compares with.
func (p *opParser) waitRows(op *operation, raw []byte) *ovsdb.Error {
	op.rows = map[string]bool{}
	s := p.scanner(raw)
	err := s.Array(func(int) error {
		row := append(ovsdb.Row(nil), op.table.defaults...)
		err := p.dec.Row(op.table.TableSchema, s, row, func(*ovsdb.ColumnSchema) error { return nil })
		if err == nil {
			op.rows[keyOf(op.compared(), func(c *ovsdb.ColumnSchema) ovsdb.Datum { return row[c.Index] })] = true
		}
		return err
	})
	return ovsdb.AsError(err)
}

// compared returns the columns that a select shows or a wait compares.
func (op *operation) compared() []*ovsdb.ColumnSchema {
	if op.columns == nil {
		return op.table.Columns
	}
	return op.columns
}
