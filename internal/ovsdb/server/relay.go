package server

import (
	"fmt"
	"strings"
	"sync"

	"weir/internal/json"
	"weir/internal/jsonrpc"
	"weir/internal/ovsdb"
	"weir/internal/ovsdb/engine"
	"weir/internal/stream"
	"weir/internal/vlog"
)

var relayLog = vlog.For("relay")

// relay serves a copy of another server's database: reads here, writes there
// (ovsdb(7), "Relay Service Model"). Its mutex owns its fields.
type relay struct {
	srv  *Server
	name string
	up   *upstream

	before *followed // of the last connection; the goroutine of up owns it

	mu    sync.Mutex
	peer  *peer         // nil while not connected
	ready chan struct{} // closed when peer is set; nil: nobody waits
}

// parseRelay takes relay:DB:REMOTE[,REMOTE]... apart.
func parseRelay(arg string) (name, remotes string, ok bool) {
	rest, ok := strings.CutPrefix(arg, "relay:")
	if !ok {
		return "", "", false
	}
	name, remotes, ok = strings.Cut(rest, ":")
	return name, remotes, ok && name != "" && remotes != ""
}

// addRelayArg offers the relay database that relay:DB:REMOTE names.
func (s *Server) addRelayArg(arg string) error {
	name, remotes, ok := parseRelay(arg)
	if !ok || !ovsdb.IsID(name) {
		return fmt.Errorf("ovsdb error: %s: invalid syntax (expected relay:DATABASE:REMOTE)", arg)
	}
	return s.addRelay(name, remotes, nil)
}

// addRelay offers a relay database. It becomes usable once its source told the
// schema.
func (s *Server) addRelay(name, remotes string, options *RemoteConfig) error {
	schema := &ovsdb.DatabaseSchema{Name: name, Tables: map[string]*ovsdb.TableSchema{}}
	db := newDatabase(name, engine.NewSnapshot(engine.NewLayout(schema)), nil, s.clock)
	r := &relay{srv: s, name: name}
	db.relay = r
	db.unready = true
	if err := s.add(&hosted{db: db, file: "relay:" + name + ":" + remotes}); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	r.up = s.follow(origin{remotes, options.probe(s.relayProbe), options.backoff()}, r.talk, r.lost)
	return nil
}

// talk fetches the source's database and follows it.
func (r *relay) talk(p *peer) error {
	if _, err := p.call("set_db_change_aware", []byte("[true]")); err != nil {
		return err
	}
	raw, err := r.schema(p)
	if err != nil {
		return err
	}
	schema, err := ovsdb.ParseSchema(raw)
	if err != nil {
		return err
	}
	db := r.srv.Lookup(r.name)
	if db == nil {
		return stream.ErrGiveUp // removed meanwhile
	}
	// A change of schema is a new database.
	if db.unready || db.Layout().Schema.JSON() != schema.JSON() {
		db = r.srv.replaceRelay(r, schema)
	}
	f := &followed{db: db, tables: db.Layout().Tables}
	f.resume(r.before)
	p.update = func(m *jsonrpc.Message) error { return r.update(f, m) }
	resumed, err := f.begin(p)
	if err != nil {
		return err
	}
	r.before = f
	relayLog.Dbg("%s: resumed: %v", r.name, resumed)
	r.mu.Lock()
	r.peer = p
	if r.ready != nil {
		close(r.ready)
		r.ready = nil
	}
	r.mu.Unlock()
	r.srv.setConnected(r.name, true)
	return nil
}

// schema fetches the database's schema. A source that has the database but not
// its schema yet, being a relay itself, is waited for.
func (r *relay) schema(p *peer) ([]byte, error) {
	changed := false
	p.update = func(*jsonrpc.Message) error { changed = true; return nil }
	if _, err := p.call("monitor", []byte(`["_Server","_Server",{"Database":[{"columns":["name","connected","schema"]}]}]`)); err != nil {
		return nil, err
	}
	for {
		raw, err := p.call("get_schema", append(json.AppendString([]byte{'['}, r.name), ']'))
		if err == nil {
			_, err = p.call("monitor_cancel", []byte(`["_Server"]`))
			return raw, err
		}
		if !strings.Contains(err.Error(), "not available") {
			return nil, err
		}
		for changed = false; !changed; {
			if err := p.step(); err != nil {
				return nil, err
			}
		}
	}
}

// update takes an update from the source.
func (r *relay) update(f *followed, m *jsonrpc.Message) error {
	if m.Method == "monitor_canceled" {
		return fmt.Errorf("database %s was removed or converted at the source", r.name)
	}
	return f.update(m)
}

// lost notes the end of the connection to the source.
func (r *relay) lost() {
	r.mu.Lock()
	was := r.peer != nil
	r.peer = nil
	r.mu.Unlock()
	if was {
		r.srv.setConnected(r.name, false)
	}
}

// source returns the connection to the source, or else a channel that is closed
// once there is one.
func (r *relay) source() (*peer, <-chan struct{}) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.peer == nil && r.ready == nil {
		r.ready = make(chan struct{})
	}
	return r.peer, r.ready
}

// replaceRelay puts a database of another schema, empty yet, in the place of a
// relay's.
func (s *Server) replaceRelay(r *relay, schema *ovsdb.DatabaseSchema) *Database {
	now := newDatabase(r.name, engine.NewSnapshot(engine.NewLayout(schema)), nil, s.clock)
	now.relay = r
	s.mu.Lock()
	h := s.dbs[r.name]
	old := h.db
	s.dbs[r.name] = &hosted{db: now, file: h.file, row: h.row}
	s.offer()
	s.mu.Unlock()
	old.retire()
	s.update(fmt.Sprintf(`{"op":"update","table":"Database","where":[["name","==","%s"]],"row":{"schema":%s}}`,
		r.name, json.AppendString(nil, schema.JSON())))
	for _, c := range s.allSessions() {
		c.databaseGone(old)
	}
	s.reconsider()
	return now
}

// setConnected says in _Server whether a relay is connected to its source.
func (s *Server) setConnected(name string, on bool) {
	relayLog.Dbg("%s: connected: %v", name, on)
	s.update(fmt.Sprintf(`{"op":"update","table":"Database","where":[["name","==","%s"]],"row":{"connected":%v}}`, name, on))
}
