package server

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"weir/internal/json"
	"weir/internal/jsonrpc"
	"weir/internal/ovsdb"
	"weir/internal/ovsdb/engine"
	"weir/internal/stream"
	"weir/internal/vlog"
)

var replicationLog = vlog.For("replication")

// replication is the active-backup service model: as a backup the server
// follows the databases of an active one (ovsdb-server(1), "Active-Backup
// Options"). Its mutex owns its fields.
type replication struct {
	srv        *Server
	only       string        // the only database to follow; "": all that both have
	maxBackoff time.Duration // between attempts to connect; 0: the default

	mu       sync.Mutex
	target   string              // the active server
	excluded map[string][]string // tables by database
	probe    time.Duration
	up       *upstream            // nil while active
	dbs      []string             // being replicated; nil until the active server was asked
	before   map[string]*followed // what was replicated at the last connection since start
}

const defaultReplicationProbe = 60 * time.Second

// parseExcluded parses DB:TABLE[,DB:TABLE]...
func parseExcluded(list string) (map[string][]string, error) {
	out := map[string][]string{}
	for _, word := range strings.FieldsFunc(list, func(r rune) bool { return r == ',' || r == ' ' }) {
		db, table, ok := strings.Cut(word, ":")
		if !ok || table == "" {
			return nil, fmt.Errorf("%s: missing or empty table name", word)
		}
		if !slices.Contains(out[db], table) {
			out[db] = append(out[db], table)
		}
	}
	return out, nil
}

// SetSync configures replication: the active server and the tables to leave out.
func (s *Server) SetSync(target, exclude string) error {
	r := &s.replication
	excluded, err := parseExcluded(exclude)
	if err != nil {
		return err
	}
	r.mu.Lock()
	r.target, r.excluded = target, excluded
	r.mu.Unlock()
	return nil
}

// StartSync makes the server a backup of the one that SetSync named, if it named
// one.
func (s *Server) StartSync() {
	if target, _, _ := s.Sync(); target != "" {
		s.replication.start()
	}
}

// start makes the server a backup.
func (r *replication) start() {
	r.stop()
	r.setReadOnly(true)
	r.mu.Lock()
	defer r.mu.Unlock()
	r.dbs, r.before = nil, nil // what clients did as long as this was an active server is to go
	r.up = r.srv.follow(origin{r.target, r.probe, r.maxBackoff}, r.talk, func() {
		r.mu.Lock()
		r.dbs = nil
		r.mu.Unlock()
	})
}

// stop makes the server active, and reports whether it was not.
func (r *replication) stop() bool {
	r.mu.Lock()
	up := r.up
	r.up, r.dbs = nil, nil
	r.mu.Unlock()
	if up == nil {
		return false
	}
	up.stop()
	r.setReadOnly(false)
	return true
}

// giveUp makes the server active because there is nothing it could follow. The
// upstream ends by itself.
func (r *replication) giveUp() error {
	r.mu.Lock()
	r.up, r.dbs = nil, nil
	r.mu.Unlock()
	r.setReadOnly(false)
	return stream.ErrGiveUp
}

// setReadOnly says whether clients may change what is replicated.
func (r *replication) setReadOnly(on bool) {
	s := r.srv
	s.mu.Lock()
	flag := &s.readOnly
	if r.only != "" {
		flag = new(atomic.Bool)
		if h := s.dbs[r.only]; h != nil {
			flag = &h.db.backup
		}
	}
	changed := flag.Swap(on) != on
	s.mu.Unlock()
	if changed {
		s.dropUnaware()
	}
}

// talk asks the active server for what there is to replicate, and begins.
func (r *replication) talk(p *peer) error {
	id, err := p.call("get_server_id", []byte("[]"))
	if err != nil {
		return err
	}
	if own, _ := text(id); own == r.srv.id.String() {
		replicationLog.Err("Server ID check failed: Self replicating is not allowed")
		return r.giveUp()
	}
	sets, err := r.choose(p)
	if err != nil {
		return err
	}
	if len(sets) == 0 {
		replicationLog.Warn("Nothing to replicate.")
		return r.giveUp()
	}
	names := slices.Sorted(maps.Keys(sets))
	p.update = func(m *jsonrpc.Message) error {
		if params := elements(m.Params); len(params) > 1 {
			if name, _ := text(params[0]); sets[name] != nil {
				return sets[name].update(m)
			}
		}
		return nil
	}
	for _, name := range names {
		resumed, err := sets[name].begin(p)
		if err != nil {
			return err
		}
		if resumed {
			replicationLog.Info("Monitor request received. Going on from the last transaction")
		} else {
			replicationLog.Info("Monitor request received. Resetting the database")
		}
	}
	r.mu.Lock()
	r.dbs, r.before = names, sets
	r.mu.Unlock()
	return nil
}

// choose returns the databases, by name, that both servers have and that can be
// replicated.
func (r *replication) choose(p *peer) (map[string]*followed, error) {
	list, err := p.call("list_dbs", []byte("[]"))
	if err != nil {
		return nil, err
	}
	r.mu.Lock()
	before := r.before
	r.mu.Unlock()
	sets := map[string]*followed{}
	for _, raw := range elements(list) {
		name, _ := text(raw)
		db := r.srv.Lookup(name)
		if db == nil || strings.HasPrefix(name, "_") || r.only != "" && r.only != name {
			continue
		}
		f, err := r.compare(p, db)
		if err != nil {
			return nil, err
		}
		if f != nil {
			f.resume(before[name])
			sets[name] = f
		}
	}
	return sets, nil
}

// compare reports whether a database can be replicated: nil if not.
func (r *replication) compare(p *peer, db *Database) (*followed, error) {
	raw, err := p.call("get_schema", append(json.AppendString([]byte{'['}, db.Name), ']'))
	if err != nil {
		return nil, err
	}
	theirs, err := ovsdb.ParseSchema(raw)
	if err != nil {
		return nil, err
	}
	r.mu.Lock()
	excluded := r.excluded[db.Name]
	r.mu.Unlock()
	layout := db.Layout()
	f := &followed{db: db}
	for _, t := range layout.Tables {
		if !slices.Contains(excluded, t.Name) && theirs.Table(t.Name) != nil {
			f.tables = append(f.tables, t)
		}
	}
	f.part = len(f.tables) < len(layout.Tables)
	if layout.Schema.JSON() == theirs.JSON() {
		return f, nil
	}
	f.part = true
	replicationLog.Info("Schema version mismatch, checking if %s can still be replicated or not.", db.Name)
	if !holds(layout, theirs, excluded) {
		replicationLog.Info("%s cannot be replicated.", db.Name)
		return nil, nil
	}
	replicationLog.Info("%s can be replicated.", db.Name)
	f.narrow(theirs)
	return f, nil
}

// holds reports whether a database has all tables and columns of another's schema,
// but for the excluded tables.
func holds(mine *engine.Layout, theirs *ovsdb.DatabaseSchema, excluded []string) bool {
	for _, t := range theirs.SortedTables() {
		if slices.Contains(excluded, t.Name) {
			continue
		}
		own := mine.Table(t.Name)
		if own == nil {
			replicationLog.Info("Table %s not present in the local db schema", t.Name)
			return false
		}
		for _, c := range t.Columns {
			if own.Column(c.Name) == nil {
				replicationLog.Info("Column %s not present in the local db schema table %s.", c.Name, t.Name)
				return false
			}
		}
	}
	return true
}

// narrow leaves the columns that the active server lacks out of what is asked
// of it.
func (f *followed) narrow(theirs *ovsdb.DatabaseSchema) {
	for i, t := range f.tables {
		ts := *t.TableSchema
		ts.Columns = slices.DeleteFunc(slices.Clone(ts.Columns), func(c *ovsdb.ColumnSchema) bool {
			return theirs.Table(t.Name).Column(c.Name) == nil
		})
		shown := *t
		shown.TableSchema = &ts
		f.tables[i] = &shown
	}
}

// excludedText prints the excluded tables, sorted.
func (r *replication) excludedText() string {
	var out []string
	for db, tables := range r.excluded {
		for _, t := range tables {
			out = append(out, db+":"+t)
		}
	}
	slices.Sort(out)
	return strings.Join(out, ",")
}

// syncStatus is what ovsdb-server/sync-status shows of one replication.
type syncStatus struct {
	State       string   `json:"state"`
	Connecting  string   `json:"connecting,omitempty"`
	Replicating string   `json:"replicating,omitempty"`
	Databases   []string `json:"databases,omitempty"`
	Exclude     string   `json:"exclude,omitempty"`
}

func (r *replication) status() syncStatus {
	r.mu.Lock()
	defer r.mu.Unlock()
	switch {
	case r.up == nil:
		return syncStatus{State: "active"}
	case r.dbs == nil:
		return syncStatus{State: "backup", Connecting: r.target}
	}
	return syncStatus{State: "backup", Replicating: r.target, Databases: r.dbs, Exclude: r.excludedText()}
}

// String is a line for each that there is.
func (s syncStatus) String() string {
	var b strings.Builder
	line := func(key, value string) {
		if value != "" {
			fmt.Fprintf(&b, "%s: %s\n", key, value)
		}
	}
	line("state", s.State)
	line("connecting", s.Connecting)
	line("replicating", s.Replicating)
	if len(s.Databases) == 1 {
		line("database", s.Databases[0])
	} else {
		line("databases", strings.Join(s.Databases, ", "))
	}
	line("exclude", s.Exclude)
	return b.String()
}

// syncStatuses are those of all replications.
type syncStatuses []syncStatus

// String is one after the other.
func (l syncStatuses) String() (out string) {
	for _, s := range l {
		out += s.String()
	}
	return out
}

func (r *replication) setProbe(d time.Duration) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.probe = d
	if r.up != nil {
		r.up.setProbe(d)
	}
}

// Sync returns what SetSync and the commands configured, for a restart.
func (s *Server) Sync() (target, exclude string, active bool) {
	r := &s.replication
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.target, r.excludedText(), r.up == nil
}
