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
func (c Condition) Matches(row []Datum) bool {
	for i := range c {
		if !c[i].Matches(row) {
			return false
		}
	}
	return true
}

// MatchesAny reports whether row satisfies any clause, or there are none: how
// monitor_cond takes its conditions.
func (c Condition) MatchesAny(row []Datum) bool {
	for i := range c {
		if c[i].Matches(row) {
			return true
		}
	}
	return len(c) == 0
}

// Matches reports whether row satisfies the clause (RFC 7047 section 5.1).  An
// optional column without a value satisfies no ordering.
func (c *Clause) Matches(row []Datum) bool {
	switch c.Fn {
	case Always:
		return true
	case Never:
		return false
	}
	field := row[c.Column.Index]
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
	if s.Kind() != json.ArrayBegin {
		return nil, quote(s, "", "array expected")
	}
	var c Condition
	err := s.Array(func(int) error {
		clause, err := parseClause(t, s, symbols)
		c = append(c, clause)
		return err
	})
	return c, err
}

// quote skips the current value and returns an error that quotes it.
func quote(s *json.Scanner, tag, format string, args ...any) error {
	raw, err := s.Raw()
	if err != nil {
		return err
	}
	return SyntaxErrorf(raw, tag, format, args...)
}

func parseClause(t *TableSchema, s *json.Scanner, symbols Symbols) (Clause, error) {
	switch s.Kind() {
	case json.True:
		return Clause{Fn: Always}, nil
	case json.False:
		return Clause{Fn: Never}, nil
	}
	raw, err := s.Raw()
	if err != nil {
		return Clause{}, err
	}
	column, op, sub, err := threeElements(t, raw, "Parse error in condition.")
	if err != nil {
		return Clause{}, err
	}
	fn, ok := ParseFunction(op)
	if !ok {
		return Clause{}, SyntaxErrorf(nil, "unknown function", "No function named %s.", op)
	}
	typ := column.Type
	switch fn {
	case Less, LessEqual, GreaterEqual, Greater:
		if typ.IsMap() || typ.Max != 1 || typ.Key.Type != Integer && typ.Key.Type != Real {
			return Clause{}, SyntaxErrorf(raw, "", "Type mismatch: \"%s\" operator may not be applied to column %s of type %s.", op, column.Name, typ.English())
		}
	case Includes, Excludes:
		if !typ.IsScalar() {
			typ.Min = 0
			if fn == Excludes {
				typ.Max = Unlimited
			}
		}
	}
	arg, err := typ.ParseJSON(sub, symbols)
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
