package ovsdb

import (
	"maps"
	"slices"

	"weir/internal/json"
)

// ColumnSchema is one column of a table (RFC 7047 section 3.2 <column-schema>).
type ColumnSchema struct {
	Name       string
	Type       ColumnType
	Mutable    bool
	Persistent bool // false: "ephemeral", kept in memory only
	Index      int  // its place in TableSchema.Columns, and so in rows

	def     Datum  // Type's default, from AddColumn on
	defCell string // the same as Cells have it
	member  string // `"NAME":`
}

// IsDefault reports whether d, of the column's type, is its default.
func (c *ColumnSchema) IsDefault(d Datum) bool { return d == c.def }

// Every table's first two columns are _uuid and _version.
const (
	UUIDColumn    = 0
	VersionColumn = 1
)

// TableSchema is one table (RFC 7047 section 3.2 <table-schema>).
type TableSchema struct {
	Name    string
	Columns []*ColumnSchema // _uuid, _version, then the others by name
	Mutable bool
	IsRoot  bool              // as the schema says; see DatabaseSchema.IsRoot
	MaxRows uint32            // Unlimited
	Indexes [][]*ColumnSchema // sets of columns that no two rows share

	byName map[string]*ColumnSchema
}

// Column returns the column of that name, or nil.
func (t *TableSchema) Column(name string) *ColumnSchema { return t.byName[name] }

// NewTableSchema returns an empty table with _uuid and _version.
func NewTableSchema(name string) *TableSchema {
	t := &TableSchema{Name: name, Mutable: true, MaxRows: Unlimited, byName: map[string]*ColumnSchema{}}
	uuid := ScalarType(NewBaseType(UUIDType))
	t.AddColumn(&ColumnSchema{Name: "_uuid", Type: uuid, Persistent: true})
	t.AddColumn(&ColumnSchema{Name: "_version", Type: uuid})
	return t
}

// AddColumn adds a column and gives it its Index, which may change those of
// columns whose names come later.  Only for a schema that nobody uses yet.
func (t *TableSchema) AddColumn(c *ColumnSchema) {
	t.byName[c.Name] = c
	c.def = c.Type.Default()
	c.defCell = string(c.def.appendCell(nil))
	c.member = string(append(json.AppendString(nil, c.Name), ':'))
	at := len(t.Columns)
	for at > VersionColumn+1 && t.Columns[at-1].Name > c.Name {
		at--
	}
	t.Columns = slices.Insert(t.Columns, at, c)
	for i, c := range t.Columns {
		c.Index = i
	}
}

// DefaultRow returns a row with every column's default.
func (t *TableSchema) DefaultRow() []Datum {
	row := make([]Datum, len(t.Columns))
	for i, c := range t.Columns {
		row[i] = c.def
	}
	return row
}

// DatabaseSchema is a whole schema (RFC 7047 section 3.2 <database-schema>).
type DatabaseSchema struct {
	Name    string
	Version string // "" or x.y.z
	Cksum   string // as the schema file has it; not checked
	Tables  map[string]*TableSchema
}

// Table returns the table of that name, or nil.
func (s *DatabaseSchema) Table(name string) *TableSchema { return s.Tables[name] }

// SortedTables returns the tables by name.
func (s *DatabaseSchema) SortedTables() []*TableSchema {
	out := make([]*TableSchema, 0, len(s.Tables))
	for _, name := range slices.Sorted(maps.Keys(s.Tables)) {
		out = append(out, s.Tables[name])
	}
	return out
}

// HasRootTables reports whether any table says isRoot.  In a schema without
// any, every table's rows stay without being referred to.
func (s *DatabaseSchema) HasRootTables() bool {
	for _, t := range s.Tables {
		if t.IsRoot {
			return true
		}
	}
	return false
}

// IsRoot reports whether t's rows stay although nothing refers to them.
func (s *DatabaseSchema) IsRoot(t *TableSchema) bool { return t.IsRoot || !s.HasRootTables() }
