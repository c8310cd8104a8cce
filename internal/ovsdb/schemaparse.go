package ovsdb

import (
	"fmt"
	"slices"
	"strings"

	"weir/internal/json"
)

// ParseSchema parses a <database-schema>.  The error says where, or which table
// and column.
func ParseSchema(data []byte) (*DatabaseSchema, error) {
	s := json.NewScanner(data)
	s.Next()
	schema, err := ParseSchemaFrom(s)
	if err != nil {
		return nil, err
	}
	return schema, s.Finish()
}

// ParseSchemaFrom parses a <database-schema> whose first token is s's current
// one.
func ParseSchemaFrom(s *json.Scanner) (*DatabaseSchema, error) {
	const what = "database schema"
	out := &DatabaseSchema{Tables: map[string]*TableSchema{}}
	err := Members(s, what, []string{"name!", "version", "cksum", "tables!"}, func(member string) (err error) {
		switch member {
		case "name":
			if out.Name, err = stringMember(s, member); err == nil && !IsID(out.Name) {
				err = BadType(member)
			}
		case "version":
			out.Version, err = stringMember(s, member)
			if err == nil && !IsVersion(out.Version) {
				err = quote(s, "", "schema version \"%s\" not in format x.y.z", out.Version)
			}
		case "cksum":
			out.Cksum, err = stringMember(s, member)
		case "tables":
			err = out.parseTables(s)
		}
		return err
	})
	if s.Err() != nil {
		return nil, s.Err()
	}
	if err != nil {
		return nil, err
	}
	return out, out.checkRefs()
}

func (s *DatabaseSchema) parseTables(sc *json.Scanner) error {
	if sc.Kind() != json.ObjectBegin {
		return BadType("tables")
	}
	return sc.Object(func(name string) error {
		sc.Next()
		if err := checkName(sc, name); err != nil {
			return err
		}
		t, err := parseTable(sc, name)
		if err == nil {
			s.Tables[name] = t
		}
		return err
	})
}

func checkName(s *json.Scanner, name string) error {
	switch {
	case strings.HasPrefix(name, "_"):
		return quote(s, "", "names beginning with \"_\" are reserved")
	case !IsID(name):
		return quote(s, "", "name must be a valid id")
	}
	return nil
}

// checkRefs checks that every reference is to a table that there is.
func (s *DatabaseSchema) checkRefs() error {
	for _, t := range s.SortedTables() {
		for _, c := range t.Columns {
			for i, b := range []*BaseType{&c.Type.Key, &c.Type.Value} {
				if b.IsRef() && s.Tables[b.RefTable] == nil {
					return Errorf(TagSyntax, "Table %s column %s %s refers to undefined table %s",
						t.Name, c.Name, []string{"key", "value"}[i], b.RefTable)
				}
			}
		}
	}
	return nil
}

// IsVersion reports whether s is a <version>: x.y.z in decimal.
func IsVersion(s string) bool {
	parts := strings.Split(s, ".")
	if len(parts) != 3 {
		return false
	}
	for _, p := range parts {
		if p == "" || strings.Trim(p, "0123456789") != "" {
			return false
		}
	}
	return true
}

func parseTable(s *json.Scanner, name string) (*TableSchema, error) {
	what := fmt.Sprintf("table schema for table %s", name)
	t := NewTableSchema(name)
	var indexes []byte
	from, data := s.Offset(), s.Rest()
	err := Members(s, what, []string{"columns!", "mutable", "maxRows", "isRoot", "indexes"}, func(member string) (err error) {
		switch member {
		case "mutable":
			t.Mutable, err = boolMember(s, member)
		case "isRoot":
			t.IsRoot, err = boolMember(s, member)
		case "maxRows":
			if s.Kind() != json.Integer {
				return BadType(member)
			}
			if n := s.Int(); n <= 0 || n >= Unlimited {
				return quote(s, "", "maxRows must be at least 1")
			}
			t.MaxRows = uint32(s.Int())
		case "indexes":
			indexes, err = s.Raw()
		case "columns":
			if s.Kind() != json.ObjectBegin {
				return BadType(member)
			}
			err = s.Object(func(column string) error { return addParsedColumn(t, s, column) })
		}
		return err
	})
	switch {
	case err != nil:
		return nil, err
	case len(t.Columns) <= VersionColumn+1:
		return nil, SyntaxErrorf(data[:s.End()-from], "", "table must have at least one column")
	case indexes != nil:
		err = parseIndexes(t, indexes)
	}
	return t, err
}

func addParsedColumn(t *TableSchema, s *json.Scanner, name string) error {
	s.Next()
	if err := checkName(s, name); err != nil {
		return err
	}
	c, err := parseColumn(s, name)
	if err == nil {
		t.AddColumn(c)
	}
	return err
}

func parseColumn(s *json.Scanner, name string) (*ColumnSchema, error) {
	what := fmt.Sprintf("schema for column %s", name)
	c := &ColumnSchema{Name: name, Mutable: true, Persistent: true}
	err := Members(s, what, []string{"mutable", "ephemeral", "type!"}, func(member string) (err error) {
		switch member {
		case "mutable":
			c.Mutable, err = boolMember(s, member)
		case "ephemeral":
			var ephemeral bool
			ephemeral, err = boolMember(s, member)
			c.Persistent = !ephemeral
		case "type":
			c.Type, err = ParseType(s)
		}
		return err
	})
	return c, err
}

func parseIndexes(t *TableSchema, raw []byte) error {
	s := json.NewScanner(raw)
	if s.Next() != json.ArrayBegin {
		return SyntaxErrorf(raw, "", "array of sets of columns expected")
	}
	return s.Array(func(int) error {
		index, err := parseIndex(t, s)
		t.Indexes = append(t.Indexes, index)
		return err
	})
}

func parseIndex(t *TableSchema, s *json.Scanner) ([]*ColumnSchema, error) {
	const distinct = "array of distinct column names expected"
	if s.Kind() != json.ArrayBegin {
		return nil, quote(s, "", distinct)
	}
	raw, err := s.Raw()
	if err != nil {
		return nil, err
	}
	var index []*ColumnSchema
	sub := json.NewScanner(raw)
	sub.Next()
	err = sub.Array(func(int) error {
		if sub.Kind() != json.String {
			return SyntaxErrorf(raw, "", distinct)
		}
		c := t.Column(sub.Str())
		switch {
		case c == nil:
			return SyntaxErrorf(raw, "", "%s is not a valid column name", sub.Str())
		case slices.Contains(index, c):
			return SyntaxErrorf(raw, "", distinct)
		}
		index = append(index, c)
		return nil
	})
	if err != nil {
		return nil, err
	}
	if len(index) == 0 {
		return nil, SyntaxErrorf(raw, "", "index must have at least one column")
	}
	ephemeral := slices.IndexFunc(index, func(c *ColumnSchema) bool { return !c.Persistent })
	persistent := slices.IndexFunc(index, func(c *ColumnSchema) bool { return c.Persistent })
	if ephemeral >= 0 && persistent >= 0 {
		return nil, SyntaxErrorf(raw, "", "ephemeral columns (such as %s) not allowed to be indexed together with persistent columns (such as %s)",
			index[ephemeral].Name, index[persistent].Name)
	}
	return index, nil
}
