package server

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"weir/internal/json"
	"weir/internal/ovsdb"
	"weir/internal/ovsdb/engine"
	"weir/internal/vlog"
)

func itoa(n int) string { return strconv.Itoa(n) }

// source is a parsed db:DB,TABLE,COLUMN.
type source struct {
	db     *Database
	table  *engine.Table
	column *ovsdb.ColumnSchema
	snap   *engine.Snapshot
}

// parseSource finds what db:DB,TABLE,COLUMN names.
func (s *Server) parseSource(name string) (*source, error) {
	words := strings.Split(strings.TrimPrefix(name, "db:"), ",")
	if len(words) != 3 {
		return nil, fmt.Errorf("\"%s\": invalid syntax", name)
	}
	db := s.Lookup(words[0])
	if db == nil {
		return nil, fmt.Errorf("\"%s\": no database named %s", name, words[0])
	}
	src := &source{db: db, snap: db.Snapshot()}
	if src.table = src.snap.Layout.Table(words[1]); src.table == nil {
		return nil, fmt.Errorf("\"%s\": no table named %s", name, words[1])
	}
	if src.column = src.table.Column(words[2]); src.column == nil {
		return nil, fmt.Errorf("\"%s\": table \"%s\" has no column \"%s\"", name, words[1], words[2])
	}
	db.onChange(src.table, s.reconsider)
	if t := src.refTable(); t != nil {
		db.onChange(t, s.reconsider)
	}
	return src, nil
}

// refTable returns the table that the column's references are to, or nil.
func (src *source) refTable() *engine.Table {
	t := &src.column.Type
	if t.IsMap() || !t.Key.IsRef() {
		return nil
	}
	return src.snap.Layout.Table(t.Key.RefTable)
}

// each calls fn with each row that the column refers to.
func (src *source) each(fn func(t *engine.Table, row *engine.Row)) {
	to := src.refTable()
	if to == nil {
		return
	}
	seen := map[ovsdb.UUID]bool{}
	for row := range src.snap.Tables[src.table.Num].All() {
		d := row.Get(src.column)
		for i := range d.Len() {
			id := d.Key(i).UUID()
			if r := src.snap.Tables[to.Num].Get(id); r != nil && !seen[id] {
				seen[id] = true
				fn(to, r)
			}
		}
	}
}

// strings returns the strings in the column, sorted and distinct.
func (src *source) strings() []string {
	var out []string
	if src.column.Type.Key.Type != ovsdb.String {
		return nil
	}
	for row := range src.snap.Tables[src.table.Num].All() {
		d := row.Get(src.column)
		for i := range d.Len() {
			out = append(out, d.Key(i).Str())
		}
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// ReadString returns the first nonempty string in the column that
// db:DB,TABLE,COLUMN names, "" where there is none.
func (s *Server) ReadString(name string) string {
	src, err := s.parseSource(name)
	if err != nil {
		log.WarnRL(&sourceRL, "%v", err)
		return ""
	}
	for _, v := range src.strings() {
		if v != "" {
			return v
		}
	}
	return ""
}

var sourceRL vlog.RateLimit

// readSource adds the remotes that a db: source names to want.
func (s *Server) readSource(name string, want map[string]RemoteOptions) {
	src, err := s.parseSource(name)
	if err != nil {
		log.WarnRL(&sourceRL, "%v", err)
		return
	}
	for _, target := range src.strings() {
		if target != "" {
			want[target] = DefaultOptions
		}
	}
	src.each(func(t *engine.Table, row *engine.Row) {
		target, ok := scalar(t, row, "target", ovsdb.String)
		if !ok || target.Str() == "" {
			return
		}
		opts := DefaultOptions
		if v, ok := scalar(t, row, "max_backoff", ovsdb.Integer); ok {
			opts.MaxBackoff = time.Duration(v.Int()) * time.Millisecond
		}
		if v, ok := scalar(t, row, "inactivity_probe", ovsdb.Integer); ok {
			opts.Probe = time.Duration(v.Int()) * time.Millisecond
		}
		if v, ok := scalar(t, row, "read_only", ovsdb.Boolean); ok {
			opts.ReadOnly = v.Bool()
		}
		if v, ok := scalar(t, row, "role", ovsdb.String); ok {
			opts.Role = v.Str()
		}
		if c := t.Column("other_config"); c != nil && c.Type.IsMap() {
			if n, err := strconv.Atoi(row.Get(c).GetString("dscp")); err == nil && n >= 0 && n <= 63 {
				opts.DSCP = n
			}
		}
		want[target.Str()] = opts
	})
}

// scalar returns the value of a column of that name and type that holds one
// element, or may and does.
func scalar(t *engine.Table, row *engine.Row, name string, typ ovsdb.AtomicType) (ovsdb.Atom, bool) {
	c := t.Column(name)
	if c == nil || c.Type.Key.Type != typ || c.Type.IsMap() {
		return ovsdb.Atom{}, false
	}
	d := row.Get(c)
	if d.Len() == 0 {
		return ovsdb.Atom{}, false
	}
	return d.Key(0), true
}

// writeStatus brings the status columns of the rows behind db: sources up to
// date.
func (s *Server) writeStatus() {
	remotes := s.remotes.list()
	for _, name := range s.Remotes() {
		if !strings.HasPrefix(name, "db:") {
			continue
		}
		src, err := s.parseSource(name)
		if err != nil || src.refTable() == nil {
			continue
		}
		var ops []byte
		src.each(func(t *engine.Table, row *engine.Row) {
			if target, ok := scalar(t, row, "target", ovsdb.String); ok {
				if r := remotes[target.Str()]; r != nil {
					ops = appendStatus(ops, t, row, r.status())
				}
			}
		})
		if ops == nil {
			continue
		}
		params := append(json.AppendString([]byte{'['}, src.db.Name), ops...)
		req, perr := engine.ParseRequest(src.snap.Layout, append(params, ']'))
		if perr == nil {
			if out := src.db.Execute(req, &engine.Env{}); out.Failed != nil {
				perr = out.Failed
			}
		}
		if perr != nil {
			log.ErrRL(&sourceRL, "Failed to update remote status: %v", perr)
		}
	}
}

// appendStatus appends an operation that sets a row's status columns, if they
// are to change.
func appendStatus(dst []byte, t *engine.Table, row *engine.Row, st remoteStatus) []byte {
	connected, status := t.Column("is_connected"), t.Column("status")
	var set []byte
	if connected != nil && !connected.Type.IsMap() && connected.Type.Key.Type == ovsdb.Boolean && row.Get(connected) != ovsdb.ScalarDatum(ovsdb.BoolAtom(st.connected)) {
		set = append(set, fmt.Sprintf(`"is_connected":%v`, st.connected)...)
	}
	if status != nil && status.Type.IsMap() && status.Type.Key.Type == ovsdb.String && status.Type.Value.Type == ovsdb.String {
		var pairs []ovsdb.Pair
		for k, v := range st.pairs {
			pairs = append(pairs, ovsdb.Pair{Key: ovsdb.StringAtom(k), Value: ovsdb.StringAtom(v)})
		}
		if d := ovsdb.MapDatum(ovsdb.String, ovsdb.String, pairs); d != row.Get(status) {
			if set != nil {
				set = append(set, ',')
			}
			set = d.AppendJSON(append(set, `"status":`...))
		}
	}
	if set == nil {
		return dst
	}
	return append(dst, fmt.Sprintf(`,{"op":"update","table":"%s","where":[["_uuid","==",["uuid","%s"]]],"row":{%s}}`, t.Name, row.ID, set)...)
}
