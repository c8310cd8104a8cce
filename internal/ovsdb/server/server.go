// Package server is the OVSDB server: databases with their storage, sessions
// with clients, monitors, locks and remotes (RFC 7047; ovsdb-server(1), (5) and
// (7)).
package server

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"weir/internal/clock"
	"weir/internal/ovsdb"
	"weir/internal/ovsdb/engine"
	"weir/internal/ovsdb/storage"
	"weir/internal/stream"
	"weir/internal/vlog"
)

var (
	log    = vlog.For("ovsdb_server")
	rpcLog = vlog.For("ovsdb_jsonrpc_server")
)

// wallClock tells the time of day.
type wallClock interface{ Wall() time.Time }

var (
	errRemoved   = errors.New("database removed from the server")
	errConverted = errors.New("database was converted to another schema meanwhile")
)

// Server is an OVSDB server. Its mutex owns its fields; databases, sessions and
// remotes have their own.
type Server struct {
	clock  *clock.Clock
	id     ovsdb.UUID // of this run, for get_server_id
	runDir string
	tls    *stream.TLS
	self   *Database // _Server

	mu       sync.Mutex
	dbs      map[string]*hosted
	byName   atomic.Pointer[map[string]*Database] // of dbs, for Lookup
	sessions map[*session]bool
	gone     Totals // of the sessions that have ended
	cleared  Totals // at the last perf-counters-clear
	stopped  bool

	onReconfigure func() // set before the first remote is added
	noDiff        bool   // of databases opened from now on

	replication replication             // of all databases, as --sync-from says
	backups     map[string]*replication // of one database each, as a configuration says
	relayProbe  time.Duration           // of the relays' sources

	changing   sync.Mutex  // see Change; taken before all others
	configured atomic.Bool // Configure was called
	configMu   sync.Mutex  // owns config
	config     *Config     // what Configure has brought about

	locks    lockTable
	remotes  remoteSet
	readOnly atomic.Bool   // refuses writes from clients: the backup role
	noCond   atomic.Bool   // pretend to know only RFC 7047's "monitor"
	kick     chan struct{} // asks for a look at db: remotes
}

// hosted is a database that a server offers.
type hosted struct {
	db   *Database
	file string     // as the user named it; "" for _Server
	row  ovsdb.UUID // in _Server's Database table
}

// New returns a server that offers only _Server and listens nowhere. Relative
// socket names are in runDir.
func New(c *clock.Clock, runDir string, tls *stream.TLS) *Server {
	s := &Server{clock: c, id: ovsdb.NewUUID(), runDir: runDir, tls: tls,
		dbs: map[string]*hosted{}, sessions: map[*session]bool{}, backups: map[string]*replication{}, kick: make(chan struct{}, 1)}
	s.locks.byName = map[string]*lock{}
	s.remotes.init(s)
	s.relayProbe = defaultReplicationProbe
	s.replication = replication{srv: s, probe: defaultReplicationProbe}
	schema, err := ovsdb.ParseSchema([]byte(serverSchema))
	if err != nil {
		panic(err) // a constant's
	}
	s.self = newDatabase(schema.Name, engine.NewSnapshot(engine.NewLayout(schema)), nil, c)
	s.dbs[schema.Name] = &hosted{db: s.self}
	s.offer()
	s.describe(s.dbs[schema.Name])
	return s
}

// Lookup returns the database of that name, or nil.
func (s *Server) Lookup(name string) *Database {
	return (*s.byName.Load())[name]
}

// offer has Lookup find what dbs holds now. mu is held.
func (s *Server) offer() {
	now := make(map[string]*Database, len(s.dbs))
	for name, h := range s.dbs {
		now[name] = h.db
	}
	s.byName.Store(&now)
}

// Names returns the names of the databases, sorted, _Server among them.
func (s *Server) Names() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	names := make([]string, 0, len(s.dbs))
	for name := range s.dbs {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

// Files returns the names of the database files, sorted.
func (s *Server) Files() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	var files []string
	for _, h := range s.dbs {
		if h.file != "" {
			files = append(files, h.file)
		}
	}
	slices.Sort(files)
	return files
}

// AddFile opens a database file and offers the database.
func (s *Server) AddFile(name string) error {
	if slices.Contains(s.Files(), name) {
		return fmt.Errorf("ovsdb error: %s: already open", name)
	}
	f, err := storage.OpenFile(name, storage.ReadWrite)
	if err != nil {
		return err
	}
	s.mu.Lock()
	f.Diff = !s.noDiff
	s.mu.Unlock()
	snap, err := load(f)
	if err != nil {
		_ = f.Close()
		return err
	}
	db := newDatabase(f.Schema().Name, snap, f, s.clock)
	if err := s.add(&hosted{db: db, file: name}); err != nil {
		_ = f.Close()
		return err
	}
	return nil
}

// load replays a file's transactions.
func load(f *storage.File) (*engine.Snapshot, error) {
	b := engine.NewBuilder(engine.NewLayout(f.Schema()))
	f.ReplayTolerant(b.Row, func(txn *storage.Txn) error {
		for i := range txn.Changes {
			c := &txn.Changes[i]
			b.Set(c.Table, c.UUID, c.New)
		}
		return nil
	})
	return b.Snapshot(), nil
}

// DisableColumnDiff has the databases opened later written without column
// diffs, for versions of Open vSwitch before 2.15.
func (s *Server) DisableColumnDiff() { s.noDiff = true }

// enableColumnDiff has all databases written with column diffs from now on. It
// takes back DisableColumnDiff, once no older server has to read the files.
func (s *Server) enableColumnDiff() error {
	s.mu.Lock()
	s.noDiff = false
	var dbs []*Database
	for _, h := range s.dbs {
		dbs = append(dbs, h.db)
	}
	s.mu.Unlock()
	for _, db := range dbs {
		f, ok := db.store.(*storage.File)
		if !ok {
			continue
		}
		if err := db.exclusive(func() error { f.Diff = true; return nil }); err != nil {
			return err
		}
	}
	return nil
}

// OnReconfigure has fn called each time before the remotes are brought in line
// with the configuration. It is to be called before the first remote is added.
func (s *Server) OnReconfigure(fn func()) { s.onReconfigure = fn }

func (s *Server) add(h *hosted) error {
	s.mu.Lock()
	if old := s.dbs[h.db.Name]; old != nil {
		s.mu.Unlock()
		return fmt.Errorf("%s: duplicate database name", h.db.Name)
	}
	s.dbs[h.db.Name] = h
	s.offer()
	s.mu.Unlock()
	s.dropUnaware()
	s.describe(h)
	s.reconsider()
	return nil
}

// reconsider asks for a look at the db: remotes.
func (s *Server) reconsider() {
	select {
	case s.kick <- struct{}{}:
	default:
	}
}

// RemoveDB stops offering a database and closes its file.
func (s *Server) RemoveDB(name string) error {
	s.mu.Lock()
	h := s.dbs[name]
	if h == nil || h.file == "" {
		s.mu.Unlock()
		return errors.New("Failed to find the database.")
	}
	delete(s.dbs, name)
	s.offer()
	s.mu.Unlock()
	if h.db.relay != nil {
		h.db.relay.up.stop()
	}
	err := h.db.close()
	for _, c := range s.allSessions() {
		c.databaseGone(h.db)
	}
	s.undescribe(h)
	s.reconsider()
	return err
}

// allSessions lists the sessions.
func (s *Server) allSessions() []*session {
	s.mu.Lock()
	defer s.mu.Unlock()
	out := make([]*session, 0, len(s.sessions))
	for c := range s.sessions {
		out = append(out, c)
	}
	return out
}

// dropUnaware ends the sessions of clients that would not notice otherwise that
// the set of databases, or what they are good for, changed.
func (s *Server) dropUnaware() {
	for _, c := range s.allSessions() {
		if !c.isAware() {
			c.conn.Close()
		}
	}
}

// Reconnect ends all sessions.
func (s *Server) Reconnect() {
	for _, c := range s.allSessions() {
		c.conn.Close()
	}
}

// Close stops listening, has monitors told of what has been committed, as far as
// their clients take it at once, ends all sessions and closes the databases.
func (s *Server) Close() {
	s.mu.Lock()
	s.stopped = true
	var dbs []*Database
	for _, h := range s.dbs {
		dbs = append(dbs, h.db)
	}
	backups := slices.Collect(maps.Values(s.backups))
	s.mu.Unlock()
	s.replication.stop()
	for _, r := range backups {
		r.stop()
	}
	for _, db := range dbs {
		if db.relay != nil {
			db.relay.up.stop()
		}
	}
	for _, c := range s.allSessions() {
		c.deliverLast()
	}
	s.remotes.close()
	s.Reconnect()
	for _, db := range dbs {
		_ = db.close()
	}
}
