package ovsdb

import (
	"weir/internal/json"
)

// Function is what a condition's clause does (RFC 7047 section 5.1 <function>).
type Function uint8

// The functions.  Always and Never are the booleans that ovsdb-server(7) allows
// in the place of a clause.
const (
	Less Function = iota
	LessEqual
	Equal
	NotEqual
	GreaterEqual
	Greater
	Includes
	Excludes
	Never
	Always
)

var functionNames = [...]string{"<", "<=", "==", "!=", ">=", ">", "includes", "excludes", "false", "true"}

// String returns the function's name in JSON.
func (f Function) String() string { return functionNames[f] }

// ParseFunction is the inverse of String for the functions of a clause.
func ParseFunction(s string) (Function, bool) {
	for f := Less; f <= Excludes; f++ {
		if functionNames[f] == s {
			return f, true
		}
	}
	return 0, false
}

// Clause is one [<column>, <function>, <value>] of a condition.
type Clause struct {
	Column *ColumnSchema // nil for Always and Never
	Fn     Function
	Arg    Datum
}

// Condition is a <condition>: a row matches when it matches all its clauses.
type Condition []Clause

// Matches reports whether row satisfies all clauses; an empty condition is
// satisfied by every row.
func (c Condition) Matches(row *StoredRow) bool {
	for i := range c {
		if !c[i].Matches(row) {
			return false
		}
	}
	return true
}

// MatchesAny reports whether row satisfies any clause, or there are none: how
// monitor_cond takes its conditions.
func (c Condition) MatchesAny(row *StoredRow) bool {
	for i := range c {
		if c[i].Matches(row) {
			return true
		}
	}
	return len(c) == 0
}

// Matches reports whether row satisfies the clause (RFC 7047 section 5.1).  An
// optional column without a value satisfies no ordering.
func (c *Clause) Matches(row *StoredRow) bool {
	switch c.Fn {
	case Always:
		return true
	case Never:
		return false
	}
	field := row.Get(c.Column)
	switch c.Fn {
	case Equal:
		return field == c.Arg
	case NotEqual:
		return field != c.Arg
	case Includes:
		return field.IncludesAll(c.Arg)
	case Excludes:
		return field.ExcludesAll(c.Arg)
	}
	if field.Len() == 0 || c.Arg.Len() == 0 {
		return false
	}
	cmp := field.Key(0).Compare(c.Arg.Key(0))
	switch c.Fn {
	case Less:
		return cmp < 0
	case LessEqual:
		return cmp <= 0
	case GreaterEqual:
		return cmp >= 0
	}
	return cmp > 0
}

// UUIDEquals returns the UUID that rows must have to satisfy c, if c says so:
// so that the row is looked up instead of searched.
func (c Condition) UUIDEquals() (UUID, bool) {
	for i := range c {
		if c[i].Column != nil && c[i].Column.Index == UUIDColumn && (c[i].Fn == Equal || c[i].Fn == Includes) && c[i].Arg.Len() == 1 {
			return c[i].Arg.UUID(), true
		}
	}
	return UUID{}, false
}

// ParseCondition parses a <condition> on t's rows whose first token is s's
// current one.
func ParseCondition(t *TableSchema, s *json.Scanner, symbols Symbols) (Condition, error) {
	p := Decoder{Symbols: symbols}
	return p.Condition(t, s)
}

// Condition parses a <condition>; see ParseCondition.
func (p *Decoder) Condition(t *TableSchema, s *json.Scanner) (Condition, error) {
	if s.Kind() != json.ArrayBegin {
		return nil, quote(s, "", "array expected")
	}
	var c Condition
	for s.Next() != json.ArrayEnd {
		if s.Err() != nil {
			return c, s.Err()
		}
		clause, err := p.clause(t, s)
		if err != nil {
			return c, err
		}
		c = append(c, clause)
	}
	return c, nil
}

// quote skips the current value and returns an error that quotes it.
func quote(s *json.Scanner, tag, format string, args ...any) error {
	raw, err := s.Raw()
	if err != nil {
		return err
	}
	return SyntaxErrorf(raw, tag, format, args...)
}

// clause parses one clause, whose first token is the current one.
func (p *Decoder) clause(t *TableSchema, s *json.Scanner) (Clause, error) {
	switch s.Kind() {
	case json.True:
		return Clause{Fn: Always}, nil
	case json.False:
		return Clause{Fn: Never}, nil
	}
	from := s.Offset()
	if c, ok := p.goodClause(t, s); ok {
		return c, nil
	}
	if s.Err() != nil {
		return Clause{}, s.Err()
	}
	// What is wrong with it is for those who read messages: from the beginning.
	s = json.NewScanner(s.From(from))
	s.Next()
	raw, err := s.Raw()
	if err != nil {
		return Clause{}, err
	}
	return p.badClause(t, raw)
}

// goodClause parses a clause, unless anything is wrong with it.
func (p *Decoder) goodClause(t *TableSchema, s *json.Scanner) (Clause, bool) {
	if s.Kind() != json.ArrayBegin || s.Next() != json.String {
		return Clause{}, false
	}
	column := t.byName[string(s.Bytes())]
	if column == nil || s.Next() != json.String {
		return Clause{}, false
	}
	fn, ok := ParseFunction(s.View())
	if !ok {
		return Clause{}, false
	}
	typ, ok := argType(column, fn)
	if !ok {
		return Clause{}, false
	}
	if k := s.Next(); k == json.ArrayEnd || k == json.Invalid {
		return Clause{}, false
	}
	arg, err := p.Value(typ, s)
	if err != nil || s.Next() != json.ArrayEnd {
		return Clause{}, false
	}
	return Clause{column, fn, arg}, true
}

// argType returns the type of the value that fn compares column with; false
// where fn isn't for columns of that type.
func argType(column *ColumnSchema, fn Function) (*ColumnType, bool) {
	t := &column.Type
	switch fn {
	case Less, LessEqual, GreaterEqual, Greater:
		if t.IsMap() || t.Max != 1 || t.Key.Type != Integer && t.Key.Type != Real {
			return nil, false
		}
	case Includes, Excludes:
		if !t.IsScalar() {
			loose := *t
			loose.Min = 0
			if fn == Excludes {
				loose.Max = Unlimited
			}
			return &loose, true
		}
	}
	return t, true
}

// badClause returns the error of a clause with which something is wrong.
func (p *Decoder) badClause(t *TableSchema, raw []byte) (Clause, error) {
	column, op, sub, err := threeElements(t, raw, "Parse error in condition.")
	if err != nil {
		return Clause{}, err
	}
	fn, ok := ParseFunction(op)
	if !ok {
		return Clause{}, SyntaxErrorf(nil, "unknown function", "No function named %s.", op)
	}
	typ, ok := argType(column, fn)
	if !ok {
		return Clause{}, SyntaxErrorf(raw, "", "Type mismatch: \"%s\" operator may not be applied to column %s of type %s.", op, column.Name, column.Type.English())
	}
	arg, err := p.Value(typ, sub)
	return Clause{column, fn, arg}, err
}

// threeElements takes [<column>, <op>, <value>] apart; the scanner it returns
// stands on the value's first token.
func threeElements(t *TableSchema, raw []byte, msg string) (*ColumnSchema, string, *json.Scanner, error) {
	sub := json.NewScanner(raw)
	bad := func() error { return SyntaxErrorf(raw, "", "%s", msg) }
	if sub.Next() != json.ArrayBegin || sub.Next() != json.String || sub.IsName() {
		return nil, "", nil, bad()
	}
	name := sub.Str()
	if sub.Next() != json.String {
		return nil, "", nil, bad()
	}
	op := sub.Str()
	if k := sub.Next(); k == json.ArrayEnd || k == json.Invalid {
		return nil, "", nil, bad()
	}
	count := json.NewScanner(raw)
	n := 0
	count.Next()
	_ = count.Array(func(int) error { n++; return count.Skip() })
	if n != 3 {
		return nil, "", nil, bad()
	}
	column := t.Column(name)
	if column == nil {
		return nil, "", nil, SyntaxErrorf(raw, TagUnknownColumn, "No column %s in table %s.", name, t.Name)
	}
	return column, op, sub, nil
}

// AppendJSON appends the condition.
func (c Condition) AppendJSON(dst []byte) []byte {
	dst = append(dst, '[')
	for i := range c {
		if i > 0 {
			dst = append(dst, ',')
		}
		if c[i].Column == nil {
			dst = append(dst, c[i].Fn.String()...)
			continue
		}
		dst = append(dst, '[')
		dst = json.AppendString(dst, c[i].Column.Name)
		dst = append(dst, ',')
		dst = json.AppendString(dst, c[i].Fn.String())
		dst = append(dst, ',')
		dst = c[i].Arg.AppendJSON(dst)
		dst = append(dst, ']')
	}
	return append(dst, ']')
}
