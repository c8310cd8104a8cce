// Package dbctl is what ovs-vsctl, vtep-ctl and their like share: command lines
// with several commands, the database verbs (list, find, get, set, ...), the
// naming of tables, columns and records, and the loop that runs commands as one
// transaction (ovs-vsctl(8), "Database Commands").
package dbctl

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"weir/internal/ovsdb"
	"weir/internal/vlog"
)

var log = vlog.For("db_ctl_base")

// RowID is one way to name a record of a table besides its UUID.
type RowID struct {
	Table  string // where to look for the name
	Column string // the column with the name; "" for the only row, named "."
	Key    string // the key in Column, if that is a map
	Via    string // the column of Table that refers to the record, "" if it is the row itself
}

// ShowTable says how "show" prints a table's rows.
type ShowTable struct {
	Table   string
	Name    string // column with the row's name, "" for its UUID
	Columns []string
	// Weak is a table whose rows refer to this one's by a weak reference in a
	// column, and are shown with it.
	Weak WeakShow
}

// WeakShow is a table shown with the rows that it refers to weakly.
type WeakShow struct {
	Table, Name, Column string
}

// Program is what distinguishes one of the tools.
type Program struct {
	// Schema is the one that the tool was built with; it says which tables and
	// columns there are to be named.
	Schema *ovsdb.DatabaseSchema
	// RowIDs are the names of records, by table.
	RowIDs map[string][]RowID
	// Show are the tables that "show" prints, the first one at the top.
	Show []ShowTable
	// Commands are the tool's own, besides the database verbs.
	Commands []Syntax
	// Begin, if not nil, is called before a transaction's commands.
	Begin func(*Context) error
	// End, if not nil, is called after them.
	End func(*Context) error
	// Prerequisites, if not nil, adds what Begin needs.
	Prerequisites func(*Needs)
}

// Syntax describes a command.
type Syntax struct {
	Name     string
	Min, Max int    // number of arguments
	Args     string // as --commands lists them
	Options  string // "--if-exists,--columns=": with "=" if it takes an argument
	// ReadOnly commands are logged at a lower level.
	ReadOnly bool
	Needs    func(*Needs, *Command) error // says what of the database it needs
	Run      func(*Context) error
	Post     func(*Context) error // after the commit

	writesAny bool // may write any table: what Context.Data derives from them is stale
}

// Unlimited is the Max of a command that takes any number of arguments.
const Unlimited = 1 << 30

// Command is a command as met on the command line.
type Command struct {
	*Syntax
	Argv    []string // its name and arguments
	Options map[string]string
}

// Has reports whether an option ("--if-exists") was given.
func (c *Command) Has(option string) bool {
	_, ok := c.Options[option]
	return ok
}

// normal folds what doesn't count in names: case, and hyphens for underscores.
func normal(s string) string { return strings.ReplaceAll(strings.ToLower(s), "-", "_") }

// matching returns the names of which what is an abbreviation, or only the one
// that it is.
func matching(names []string, what string) []string {
	what = normal(what)
	var out []string
	for _, n := range names {
		if normal(n) == what {
			return []string{n}
		}
		if strings.HasPrefix(normal(n), what) {
			out = append(out, n)
		}
	}
	return out
}

// Table finds a table by its name or an abbreviation.
func (p *Program) Table(name string) (*ovsdb.TableSchema, error) {
	matches := matching(slices.Sorted(maps.Keys(p.Schema.Tables)), name)
	switch len(matches) {
	case 0:
		return nil, fmt.Errorf("unknown table \"%s\"", name)
	case 1:
		return p.Schema.Table(matches[0]), nil
	}
	return nil, fmt.Errorf("\"%s\" matches multiple table names: %s", name, strings.Join(matches, ", "))
}

// column finds a column by its name or an abbreviation.
func column(t *ovsdb.TableSchema, name string) (*ovsdb.ColumnSchema, error) {
	var names []string
	for _, c := range t.Columns {
		if c.Index != ovsdb.VersionColumn {
			names = append(names, c.Name)
		}
	}
	matches := matching(names, name)
	switch len(matches) {
	case 0:
		return nil, fmt.Errorf("%s does not contain a column whose name matches \"%s\"", t.Name, name)
	case 1:
		return t.Column(matches[0]), nil
	}
	return nil, fmt.Errorf("%s contains more than one column whose name matches \"%s\": %s", t.Name, name, strings.Join(matches, ", "))
}

// syntaxes returns all commands: the tool's own and the verbs.
func (p *Program) syntaxes() []*Syntax {
	var out []*Syntax
	for i := range p.Commands {
		out = append(out, &p.Commands[i])
	}
	verbs := p.verbs()
	for i := range verbs {
		out = append(out, &verbs[i])
	}
	return out
}

// RecordHelp is the part of --help on the ways to name records.
func (p *Program) RecordHelp() string {
	var b strings.Builder
	b.WriteString("Records of each table in database commands:\n")
	for _, t := range p.Schema.SortedTables() {
		fmt.Fprintf(&b, "  %s:\n    by UUID\n", t.Name)
		for _, id := range p.RowIDs[t.Name] {
			switch {
			case id.Column == "":
				b.WriteString("    as \".\"\n")
			case id.Via == "" && id.Key == "":
				fmt.Fprintf(&b, "    by \"%s\"\n", id.Column)
			case id.Via == "":
				fmt.Fprintf(&b, "    by \"%s\" in \"%s\"\n", id.Key, id.Column)
			default:
				fmt.Fprintf(&b, "    via \"%s\" of %s with matching \"%s\"\n", id.Via, id.Table, id.Column)
			}
		}
	}
	return b.String()
}
