package dbctl

import (
	"fmt"
	"slices"
	"strings"

	"weir/internal/ovsdb"
)

// showFilter is what "show --filter" lets through: by table, texts of which one
// must stand in what "show" prints of a row itself. A row that has none is left
// out with all below it, and so is one that could have rows of a filtered table
// below it and has none that passed.
type showFilter map[string][]string

// parseFilter parses TABLE(TEXT[|TEXT]...)[,TABLE(...)]...; names of tables may
// be abbreviated.
func (p *Program) parseFilter(s string) (showFilter, error) {
	f := showFilter{}
	for rest := s; rest != ""; {
		name, after, ok := strings.Cut(rest, "(")
		texts, tail, closed := strings.Cut(after, ")")
		if !ok || !closed || tail != "" && tail[0] != ',' && tail[0] != ' ' {
			return nil, fmt.Errorf("--filter=%s: \"%s\" is not of the form TABLE(TEXT|TEXT...)", s, rest)
		}
		t, err := p.Table(strings.TrimSpace(name))
		if err != nil {
			return nil, fmt.Errorf("--filter=%s: %w", s, err)
		}
		if p.showTable(t.Name) == nil {
			return nil, fmt.Errorf("--filter=%s: \"show\" prints nothing of table %s", s, t.Name)
		}
		f[t.Name] = append(f[t.Name], strings.Split(texts, "|")...)
		rest = strings.TrimLeft(tail, ", ")
	}
	return f, nil
}

// passes reports whether a row of a table, of which own is printed, may be shown.
func (f showFilter) passes(table, own string) bool {
	texts, filtered := f[table]
	return !filtered || slices.ContainsFunc(texts, func(t string) bool { return strings.Contains(own, t) })
}

// reaches reports whether filtered tables lie below a table in what "show"
// prints.
func (f showFilter) reaches(p *Program, table string, seen map[string]bool) bool {
	show := p.showTable(table)
	if show == nil || seen[table] {
		return false
	}
	seen[table] = true
	for _, name := range show.Columns {
		col := p.Schema.Table(table).Column(name)
		if col == nil {
			continue
		}
		for _, base := range []*ovsdb.BaseType{&col.Type.Key, &col.Type.Value} {
			if _, filtered := f[base.RefTable]; base.IsRef() && (filtered || f.reaches(p, base.RefTable, seen)) {
				return true
			}
		}
	}
	return false
}
