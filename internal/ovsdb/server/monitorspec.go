package server

import (
	"slices"
	"strings"
	"sync"
	"unique"

	"weir/internal/json"
	"weir/internal/ovsdb"
	"weir/internal/ovsdb/engine"
)

// monitorVersion says which method started a monitor, and so how its updates
// look.
type monitorVersion uint8

// The versions.
const (
	versionMonitor   monitorVersion = iota // update
	versionCond                            // update2
	versionCondSince                       // update3
)

// selection is a set of the kinds of change that a client wants to hear of.
type selection uint8

// The kinds of change.
const (
	onInitial selection = 1 << iota
	onInsert
	onDelete
	onModify
	onAll = onInitial | onInsert | onDelete | onModify
)

// monitorSpec is what a monitor watches. It is immutable; monitors with equal
// keys share their updates.
type monitorSpec struct {
	version monitorVersion
	tables  []specTable // by Table.Num
	key     unique.Handle[string]
}

// specTable is a monitored table.
type specTable struct {
	table   *engine.Table
	columns []specColumn
	selects selection // of any column, or of the request where there is none
	where   ovsdb.Condition
	cost    *cost // of making updates; not part of the spec
}

type specColumn struct {
	*ovsdb.ColumnSchema
	selects selection
}

// matches reports whether a row, which may be nil, is in the view.
func (t *specTable) matches(row *engine.Row) bool {
	return row != nil && t.where.MatchesAny(row)
}

// find returns the spec's entry for a table, or nil.
func (sp *monitorSpec) find(t *engine.Table) *specTable {
	i, ok := slices.BinarySearchFunc(sp.tables, t.Num, func(st specTable, num int) int { return st.table.Num - num })
	if !ok {
		return nil
	}
	return &sp.tables[i]
}

// parseSpec parses the <monitor-requests> of a monitor request.
func parseSpec(l *engine.Layout, version monitorVersion, raw []byte) (*monitorSpec, error) {
	sp := &monitorSpec{version: version}
	err := eachTable(l, "monitor-requests", raw, func(t *engine.Table, value []byte) error {
		st := specTable{table: t, cost: &cost{}}
		if err := st.parse(version, value); err != nil {
			return err
		}
		sp.tables = append(sp.tables, st)
		return nil
	})
	if err != nil {
		return nil, err
	}
	slices.SortFunc(sp.tables, func(a, b specTable) int { return a.table.Num - b.table.Num })
	sp.setKey()
	return sp, nil
}

// eachTable calls fn for each member of an object that says something, which is
// called what, of tables by their names.
func eachTable(l *engine.Layout, what string, raw []byte, fn func(t *engine.Table, value []byte) error) error {
	s := json.NewScanner(raw)
	if s.Next() != json.ObjectBegin {
		return ovsdb.SyntaxErrorf(raw, "", "%s must be object", what)
	}
	return s.Object(func(name string) error {
		value, err := s.Value()
		if err != nil {
			return err
		}
		t := l.Table(name)
		if t == nil {
			return ovsdb.SyntaxErrorf(nil, "", "no table named %s", name)
		}
		return fn(t, value)
	})
}

// requests returns what is asked of one table: one request, or those of an array.
func requests(raw []byte) [][]byte {
	if raw[0] == '[' {
		return elements(raw)
	}
	return [][]byte{raw}
}

// setKey makes a text that is equal for equal specs.
func (sp *monitorSpec) setKey() {
	b := []byte{byte('0' + sp.version)}
	for i := range sp.tables {
		t := &sp.tables[i]
		b = append(append(b, '\n'), t.table.Name...)
		b = append(b, ' ', byte('A'+t.selects))
		for _, c := range t.columns {
			b = append(append(b, ' ', byte('A'+c.selects)), c.Name...)
		}
		b = t.where.AppendJSON(append(b, ' '))
	}
	sp.key = unique.Make(string(b))
}

// parse parses what is asked of one table.
func (t *specTable) parse(version monitorVersion, raw []byte) error {
	for _, r := range requests(raw) {
		if err := t.parseRequest(version, r); err != nil {
			return err
		}
	}
	slices.SortFunc(t.columns, func(a, b specColumn) int { return strings.Compare(a.Name, b.Name) })
	return nil
}

// monitorRequest is a <monitor-request> taken apart; a member that isn't there is
// nil.
type monitorRequest struct{ columns, selects, where []byte }

// splitRequest takes a request apart. It is called what in errors.
func splitRequest(version monitorVersion, what string, raw []byte) (r monitorRequest, err error) {
	fields := []string{"columns", "select"}
	if version != versionMonitor {
		fields = append(fields, "where")
	}
	s := json.NewScanner(raw)
	s.Next()
	err = ovsdb.Members(s, what, fields, func(name string) error {
		value, err := s.Raw()
		switch {
		case err != nil:
			return err
		case name == "columns":
			r.columns = value
		case name == "select":
			r.selects = value
		default:
			r.where = value
		}
		return nil
	})
	return r, err
}

// parseRequest parses one <monitor-request>.
func (t *specTable) parseRequest(version monitorVersion, raw []byte) error {
	what := "table " + t.table.Name
	mismatch := func(name string) error {
		return ovsdb.SyntaxErrorf(raw, "", "Parsing %s failed: Type mismatch for member '%s'.", what, name)
	}
	r, err := splitRequest(version, what, raw)
	if err != nil {
		return err
	}
	selects := onAll
	if r.selects != nil {
		if r.selects[0] != '{' {
			return mismatch("select")
		}
		if selects, err = parseSelect(what+" select", r.selects); err != nil {
			return err
		}
	}
	t.selects |= selects
	if r.where != nil {
		if r.where[0] != '[' {
			return mismatch("where")
		}
		if err := t.parseWhere(r.where); err != nil {
			return err
		}
	}
	if r.columns != nil {
		return t.parseColumns(r.columns, selects)
	}
	for _, c := range t.table.Columns[ovsdb.VersionColumn:] {
		if err := t.addColumn(c, selects, raw); err != nil {
			return err
		}
	}
	return nil
}

func (t *specTable) parseWhere(raw []byte) error {
	s := json.NewScanner(raw)
	s.Next()
	c, err := ovsdb.ParseCondition(t.table.TableSchema, s, nil)
	t.where = append(t.where, c...)
	return err
}

func (t *specTable) parseColumns(raw []byte, selects selection) error {
	if raw[0] != '[' {
		return ovsdb.SyntaxErrorf(raw, "", "array of column names expected")
	}
	for _, e := range elements(raw) {
		name, ok := text(e)
		if !ok {
			return ovsdb.SyntaxErrorf(raw, "", "array of column names expected")
		}
		c := t.table.Column(name)
		if c == nil {
			return ovsdb.SyntaxErrorf(raw, "", "%s is not a valid column name", name)
		}
		if err := t.addColumn(c, selects, raw); err != nil {
			return err
		}
	}
	return nil
}

func (t *specTable) addColumn(c *ovsdb.ColumnSchema, selects selection, raw []byte) error {
	for i := range t.columns {
		if t.columns[i].ColumnSchema == c {
			return ovsdb.SyntaxErrorf(raw, "", "column name mentioned more than once")
		}
	}
	t.columns = append(t.columns, specColumn{c, selects})
	return nil
}

var selectKinds = []struct {
	name string
	kind selection
}{{"initial", onInitial}, {"insert", onInsert}, {"delete", onDelete}, {"modify", onModify}}

// parseSelect parses a <monitor-select>.
func parseSelect(what string, raw []byte) (selection, error) {
	selects := onAll
	s := json.NewScanner(raw)
	s.Next()
	err := ovsdb.Members(s, what, []string{"initial", "insert", "delete", "modify"}, func(name string) error {
		kind := s.Kind()
		if kind != json.True && kind != json.False {
			return ovsdb.SyntaxErrorf(raw, "", "Parsing %s failed: Type mismatch for member '%s'.", what, name)
		}
		for _, k := range selectKinds {
			if k.name == name && kind == json.False {
				selects &^= k.kind
			}
		}
		return nil
	})
	return selects, err
}

// withConditions returns the spec with the conditions of the tables in raw, a
// <monitor-cond-update-requests>, replaced.
func (sp *monitorSpec) withConditions(l *engine.Layout, raw []byte) (*monitorSpec, error) {
	now := &monitorSpec{version: sp.version, tables: slices.Clone(sp.tables)}
	err := eachTable(l, "monitor-cond-change-requests", raw, func(t *engine.Table, value []byte) error {
		st := now.find(t)
		if st == nil {
			return ovsdb.SyntaxErrorf(nil, "", "no table named %s in monitor session", t.Name)
		}
		st.where, st.cost = nil, &cost{}
		for _, r := range requests(value) {
			if err := st.parseChange(r); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	now.setKey()
	return now, nil
}

// parseChange parses one <monitor-cond-update-request>.
func (t *specTable) parseChange(raw []byte) error {
	what := "table " + t.table.Name
	s := json.NewScanner(raw)
	s.Next()
	return ovsdb.Members(s, what, []string{"columns", "where"}, func(name string) error {
		value, err := s.Raw()
		switch {
		case err != nil:
			return err
		case name == "columns":
			return ovsdb.SyntaxErrorf(nil, "not supported", "changing columns is not supported")
		case value[0] != '[':
			return ovsdb.SyntaxErrorf(raw, "", "Parsing %s failed: Type mismatch for member 'where'.", what)
		}
		return t.parseWhere(value)
	})
}

// updateCache holds the updates that one commit makes for the specs that watch
// it, so that each is made once however many clients there are.
type updateCache struct {
	of *engine.Snapshot // of initial contents

	mu     sync.Mutex
	bySpec map[unique.Handle[string]]*cachedUpdate
}

type cachedUpdate struct {
	once sync.Once
	data update
}

// get returns the update for a spec, which make makes.
func (u *updateCache) get(key unique.Handle[string], build func() update) update {
	u.mu.Lock()
	if u.bySpec == nil {
		u.bySpec = map[unique.Handle[string]]*cachedUpdate{}
	}
	c := u.bySpec[key]
	if c == nil {
		c = &cachedUpdate{}
		u.bySpec[key] = c
	}
	u.mu.Unlock()
	c.once.Do(func() { c.data = build() })
	return c.data
}
