package client

import (
	"errors"
	"fmt"
	"strconv"
	"strings"

	"weir/internal/json"
	"weir/internal/jsonrpc"
	"weir/internal/ovsdb"
)

// session is the protocol of one connection as a pure machine: messages in,
// messages out, no I/O and no time. The client's mutex owns it.
//
// The order of things: look into _Server for the model of the database (a
// server older than that hasn't got it), get the schema, monitor by the newest
// method that the server knows, ask for the lock.
type session struct {
	cfg     *Config
	out     []outgoing
	nextID  int64
	pending map[int64]func(result []byte, rpcErr []byte) error

	server    *replica // _Server, nil where the server has none
	schemaRaw string   // as the replica was built from
	db        *replica // nil until the schema is known
	asked     bool     // the monitor of db was asked for
	synced    bool     // db has its contents
	lastTxn   string   // for monitor_cond_since
	changed   bool     // db changed since it was last published

	locked    bool
	contended bool

	// Outcomes of transactions: what to call if the connection is lost, and what
	// is to be called once the client's mutex is free.
	waiting map[int64]func()
	after   []func()
}

// outgoing is a message to send. A nil id makes it a notification.
type outgoing struct {
	id     int64
	method string
	params []byte
}

// resume carries what outlives a connection.
type resume struct {
	schemaRaw string
	db        *replica
	lastTxn   string
}

// zeroTxn is the identifier of no transaction. Servers answer it for a standalone
// database; ours tells a client that asks with anyTxn, which isn't one either,
// the real one. That is for clients that may come back.
const (
	zeroTxn = "00000000-0000-0000-0000-000000000000"
	anyTxn  = "ffffffff-ffff-ffff-ffff-ffffffffffff"
)

// noTxn is what to ask with at first.
func noTxn(cfg *Config) string {
	if cfg.Once {
		return zeroTxn
	}
	return anyTxn
}

func newSession(cfg *Config, from resume) *session {
	s := &session{cfg: cfg, pending: map[int64]func([]byte, []byte) error{},
		waiting: map[int64]func(){}, lastTxn: noTxn(cfg)}
	if from.db != nil {
		s.schemaRaw, s.db, s.lastTxn = from.schemaRaw, from.db, from.lastTxn
	}
	if cfg.Database == serverDB {
		s.getSchema()
	} else {
		// The second request doesn't wait for the answer to the first: it asks for
		// the columns that all servers since Open vSwitch 2.10 have.
		s.request("get_schema", []byte(`["`+serverDB+`"]`), s.gotServerSchema)
		s.request("monitor_cond", []byte(`["`+serverDB+`",`+serverMonitor+`,{"Database":[{"columns":["`+
			strings.Join(serverColumns, `","`)+`"]}]}]`), s.gotServer)
	}
	return s
}

const serverDB = "_Server"

// The identifiers of our monitors.
const (
	serverMonitor = `["monid","_Server"]`
	dbMonitor     = `["monid","db"]`
)

func (s *session) request(method string, params []byte, done func(result, rpcErr []byte) error) int64 {
	s.nextID++
	s.pending[s.nextID] = done
	s.out = append(s.out, outgoing{s.nextID, method, params})
	return s.nextID
}

// transact sends a transact request; done is called, without the client's
// mutex, with the reply or, if the connection is lost, with nothing.
func (s *session) transact(params []byte, done func(result, rpcErr []byte)) {
	var id int64
	id = s.request("transact", params, func(result, rpcErr []byte) error {
		delete(s.waiting, id)
		s.after = append(s.after, func() { done(result, rpcErr) })
		return nil
	})
	s.waiting[id] = func() { done(nil, nil) }
}

func (s *session) lockState() [2]bool { return [2]bool{s.locked, s.contended} }

// handle takes a reply or notification in. An error ends the connection.
func (s *session) handle(m *jsonrpc.Message) error {
	if m.Kind == jsonrpc.Reply || m.Kind == jsonrpc.Error {
		id, _ := strconv.ParseInt(string(m.ID), 10, 64)
		done := s.pending[id]
		if done == nil {
			return nil // a reply to something cancelled
		}
		delete(s.pending, id)
		if m.Kind == jsonrpc.Error {
			return done(nil, m.Err)
		}
		return done(m.Result, nil)
	}
	switch m.Method {
	case "update":
		return s.update(m.Params, updates1, 1)
	case "update2":
		return s.update(m.Params, updates2, 1)
	case "update3":
		return s.update(m.Params, updates2, 2)
	case "locked", "stolen":
		s.locked = m.Method == "locked"
		s.contended = !s.locked
	}
	return nil // other notifications aren't ours
}

func (s *session) gotServerSchema(result, rpcErr []byte) error {
	if rpcErr != nil {
		s.getSchema()
		return nil
	}
	schema, err := ovsdb.ParseSchema(result)
	if err != nil {
		return fmt.Errorf("schema of %s: %w", serverDB, err)
	}
	s.server = newReplica(schema, map[string][]string{"Database": serverColumns})
	return nil
}

// serverColumns are the columns of _Server's table Database, ovsdb-server(5).
var serverColumns = []string{"cid", "connected", "index", "leader", "model", "name", "schema", "sid"}

// gotServer takes the contents of _Server.
func (s *session) gotServer(result, rpcErr []byte) error {
	if s.server == nil {
		return nil // there is none
	}
	if rpcErr != nil {
		s.server = nil
		s.getSchema()
		return nil
	}
	if err := applyTo(s.server, result, updates2, true); err != nil {
		return err
	}
	s.request("set_db_change_aware", []byte(`[true]`), func(_, _ []byte) error { return nil })
	return s.serverChanged()
}

// errNotUsable makes the client try its next remote.
type errNotUsable struct{ why string }

func (e errNotUsable) Error() string { return e.why }

// serverChanged looks at the row of our database in _Server.
func (s *session) serverChanged() error {
	var row *Row
	for r := range s.server.snapshot().Rows("Database") {
		if r.String("name") == s.cfg.Database || s.cfg.Database == "" {
			row = r
		}
	}
	if row == nil {
		return nil // it may yet be added
	}
	connected, _ := row.Bool("connected")
	leader, _ := row.Bool("leader")
	switch model := row.String("model"); {
	case model != "standalone" && !connected:
		return errNotUsable{"database is disconnected from its cluster or source"}
	case model == "clustered" && s.cfg.LeaderOnly && !leader:
		return errNotUsable{"server is not the leader of the cluster"}
	case model == "relay" && s.cfg.LeaderOnly:
		return errNotUsable{"a relay can't be the leader of a cluster"}
	}
	raw := row.String("schema")
	switch {
	case raw == "" || s.schemaRaw == raw && s.synced:
		return nil
	case s.synced:
		return errors.New("schema changed") // a new connection sorts everything out
	case s.asked:
		return nil
	}
	return s.useSchema([]byte(raw))
}

func (s *session) getSchema() {
	s.request("get_schema", append(json.AppendString([]byte{'['}, s.cfg.Database), ']'),
		func(result, rpcErr []byte) error {
			if rpcErr != nil {
				return fmt.Errorf("database %s: %s", s.cfg.Database, errorText(rpcErr))
			}
			return s.useSchema(result)
		})
}

// useSchema takes the schema in and asks for the contents. A replica of an
// earlier connection is kept if the schema is the same.
func (s *session) useSchema(raw []byte) error {
	if known := s.cfg.Known; s.db == nil && known != nil && known.JSON() == string(raw) {
		s.db, s.lastTxn = newReplica(known, s.cfg.Tables), noTxn(s.cfg)
	} else if s.db == nil || s.schemaRaw != string(raw) && s.schemaRaw != string(json.Canonical(raw)) {
		schema, err := ovsdb.ParseSchema(raw)
		if err != nil {
			return fmt.Errorf("schema of %s: %w", s.cfg.Database, err)
		}
		s.db, s.lastTxn = newReplica(schema, s.cfg.Tables), noTxn(s.cfg)
	}
	s.schemaRaw = string(raw)
	s.asked = true
	s.monitorSince()
	return nil
}

// monitorParams are the parameters of the methods that monitor, those that
// know conditions if cond is set.
func (s *session) monitorParams(cond bool) []byte {
	p := json.AppendString([]byte{'['}, s.db.schema.Name)
	p = append(p, `,`+dbMonitor+`,`...)
	if !cond {
		return s.db.appendRequests(p, nil)
	}
	return s.db.appendRequests(p, s.cfg.Where)
}

func (s *session) monitorSince() {
	params := append(s.monitorParams(true), `,"`+s.lastTxn+`"]`...)
	s.request("monitor_cond_since", params, func(result, rpcErr []byte) error {
		if rpcErr != nil {
			s.monitorPlain("monitor_cond", updates2)
			return nil
		}
		var found bool
		return eachParam(result, func(sc *json.Scanner, i int) error {
			switch i {
			case 0:
				found = sc.Kind() == json.True
			case 1:
				s.reached(sc.Str())
			case 2:
				return s.contents(s.db.apply(sc, updates2, !found))
			}
			return sc.Skip()
		})
	})
}

func (s *session) monitorPlain(method string, format updateFormat) {
	s.request(method, append(s.monitorParams(method != "monitor"), ']'), func(result, rpcErr []byte) error {
		switch {
		case rpcErr == nil:
			return s.contents(applyTo(s.db, result, format, true))
		case method == "monitor_cond":
			s.monitorPlain("monitor", updates1)
			return nil
		}
		return fmt.Errorf("monitor of database %s: %s", s.cfg.Database, errorText(rpcErr))
	})
}

// reached notes the transaction that the replica has got to, where the server
// tells.
func (s *session) reached(txn string) {
	if txn != "" && txn != zeroTxn {
		s.lastTxn = txn
	}
}

// contents notes that the replica has its contents and asks for the lock.
func (s *session) contents(err error) error {
	if err != nil {
		return err
	}
	s.synced, s.changed = true, true
	if s.cfg.Lock == "" {
		return nil
	}
	s.request("lock", append(json.AppendString([]byte{'['}, s.cfg.Lock), ']'), func(result, rpcErr []byte) error {
		if rpcErr != nil {
			return fmt.Errorf("lock %s: %s", s.cfg.Lock, errorText(rpcErr))
		}
		s.locked = strings.Contains(string(json.Canonical(result)), `"locked":true`)
		s.contended = !s.locked
		s.changed = true
		return nil
	})
	return nil
}

// update takes an update notification in; at is where the updates stand.
func (s *session) update(params []byte, format updateFormat, at int) error {
	var monitor, txn string
	changedServer := false
	err := eachParam(params, func(sc *json.Scanner, i int) error {
		switch {
		case i == 0:
			raw, err := sc.Raw()
			monitor = string(json.Canonical(raw))
			return err
		case i == at && monitor == serverMonitor && s.server != nil:
			changedServer = true
			return s.server.apply(sc, format, false)
		case i == at && monitor == dbMonitor && s.synced:
			s.reached(txn)
			s.changed = true
			return s.db.apply(sc, format, false)
		case i == 1:
			txn = sc.Str()
		}
		return sc.Skip()
	})
	if err == nil && changedServer {
		err = s.serverChanged()
	}
	return err
}

// applyTo applies updates in raw form.
func applyTo(r *replica, raw []byte, format updateFormat, fresh bool) error {
	sc := json.NewScanner(raw)
	sc.Next()
	return r.apply(sc, format, fresh)
}

// eachParam walks the elements of a raw array.
func eachParam(raw []byte, f func(sc *json.Scanner, i int) error) error {
	sc := json.NewScanner(raw)
	sc.Next()
	return sc.Array(func(i int) error { return f(sc, i) })
}

// errorText is the error of a reply for people.
func errorText(raw []byte) string {
	if e := parseError(raw); e != nil {
		return e.Error()
	}
	return string(raw)
}

// parseError reads an <error> object, nil if it isn't one.
func parseError(raw []byte) *ovsdb.Error {
	sc := json.NewScanner(raw)
	var e ovsdb.Error
	sc.Next()
	err := sc.Object(func(name string) error {
		sc.Next()
		switch name {
		case "error":
			e.Tag = sc.Str()
		case "details":
			e.Details = sc.Str()
		case "syntax":
			e.Syntax = sc.Str()
		}
		return sc.Skip()
	})
	if err != nil || e.Tag == "" {
		return nil
	}
	return &e
}
