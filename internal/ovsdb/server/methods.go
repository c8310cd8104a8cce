package server

import (
	"strings"
	"time"

	"weir/internal/json"
	"weir/internal/jsonrpc"
	"weir/internal/ovsdb"
	"weir/internal/ovsdb/engine"
)

// request runs a request and answers it, now or later.
func (c *session) request(m *jsonrpc.Message) {
	if m.Method == "transact" {
		c.transact(m)
		return
	}
	result, err := c.dispatch(m)
	switch e := err.(type) {
	case nil:
		if result != nil {
			c.reply(m.ID, result)
		}
	case plainError:
		c.replyError(m.ID, json.AppendString(nil, string(e)))
	default:
		c.replyError(m.ID, ovsdb.AsError(err).AppendJSON(nil))
	}
}

// plainError is an error that goes to the client as a string.
type plainError string

func (e plainError) Error() string { return string(e) }

var emptyObject = []byte("{}")

// dispatch runs a request other than transact. A nil result without an error
// says that the reply was sent already.
func (c *session) dispatch(m *jsonrpc.Message) ([]byte, error) {
	if strings.HasPrefix(m.Method, "monitor_cond") && c.srv.noCond.Load() {
		return nil, plainError("unknown method")
	}
	switch m.Method {
	case "echo":
		return m.Params, nil
	case "list_dbs":
		out := []byte{'['}
		for i, name := range c.srv.Names() {
			if i > 0 {
				out = append(out, ',')
			}
			out = json.AppendString(out, name)
		}
		return append(out, ']'), nil
	case "get_schema":
		db, err := c.database(m)
		if err != nil {
			return nil, err
		}
		return db.Snapshot().Layout.Schema.AppendJSON(nil), nil
	case "get_server_id":
		return json.AppendString(nil, c.srv.id.String()), nil
	case "set_db_change_aware":
		return c.setAware(m)
	case "monitor":
		return c.startMonitor(m, versionMonitor)
	case "monitor_cond":
		return c.startMonitor(m, versionCond)
	case "monitor_cond_since":
		return c.startMonitor(m, versionCondSince)
	case "monitor_cond_change":
		return c.changeMonitor(m)
	case "monitor_cancel":
		return c.cancelMonitor(m)
	case "lock", "steal":
		return c.lock(m)
	case "unlock":
		return c.unlock(m)
	case "convert":
		return c.convert(m)
	}
	return nil, plainError("unknown method")
}

// elements returns the params of a message.
func elements(params []byte) [][]byte {
	s := json.NewScanner(params)
	s.Next()
	var out [][]byte
	_ = s.Array(func(int) error { // valid JSON, as jsonrpc checked
		raw, err := s.Raw()
		out = append(out, raw)
		return err
	})
	return out
}

// text returns the text of a JSON string.
func text(raw []byte) (string, bool) {
	s := json.NewScanner(raw)
	if s.Next() != json.String {
		return "", false
	}
	return s.Str(), true
}

// database returns the database that a request's params begin with.
func (c *session) database(m *jsonrpc.Message) (*Database, *ovsdb.Error) {
	s := json.NewScanner(m.Params)
	if s.Next() != json.ArrayBegin || s.Next() != json.String {
		return nil, syntaxError(m, "", "%s request params must begin with <db-name>", m.Method)
	}
	name := s.Str()
	db := c.srv.Lookup(name)
	if db == nil {
		return nil, syntaxError(m, ovsdb.TagUnknownDatabase, "%s request specifies unknown database %s", m.Method, name)
	}
	if db.unready {
		return nil, syntaxError(m, "database not available", "%s request specifies database %s which is not yet available because it has not completed joining its cluster", m.Method, name)
	}
	return db, nil
}

func (c *session) setAware(m *jsonrpc.Message) ([]byte, error) {
	params := elements(m.Params)
	if len(params) != 1 || params[0][0] != 't' && params[0][0] != 'f' {
		return nil, syntaxError(m, "", "set_db_change_aware: true or false parameter expected")
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.aware = params[0][0] == 't'
	return emptyObject, nil
}

// notification takes what a client sends without wanting an answer.
func (c *session) notification(m *jsonrpc.Message) {
	if m.Method != "cancel" {
		return
	}
	params := elements(m.Params)
	if len(params) != 1 {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if stop := c.waiting[string(json.Canonical(params[0]))]; stop != nil {
		close(stop)
		delete(c.waiting, string(json.Canonical(params[0])))
	}
}

// transact runs a transaction. One whose "wait" is not satisfied goes on in a
// goroutine of its own, so that the client's other requests don't wait too.
func (c *session) transact(m *jsonrpc.Message) {
	db, derr := c.database(m)
	if derr != nil {
		c.replyError(m.ID, derr.AppendJSON(nil))
		return
	}
	changed := db.Changed()
	req, err := engine.ParseRequest(db.Snapshot().Layout, m.Params)
	if err != nil {
		c.replyError(m.ID, ovsdb.AsError(err).AppendJSON(nil))
		return
	}
	env := c.env(db)
	if db.relay != nil && !req.ReadOnly() && env.Refuse == nil {
		c.forward(db.relay, m)
		return
	}
	out := db.Execute(req, env)
	if !out.Blocked {
		c.reply(m.ID, out.Result)
		return
	}
	key := string(json.Canonical(m.ID))
	stop := make(chan struct{})
	c.mu.Lock()
	if c.waiting[key] != nil {
		c.mu.Unlock()
		c.replyError(m.ID, syntaxError(m, "", "a transaction with this id is outstanding already").AppendJSON(nil))
		return
	}
	c.waiting[key] = stop
	c.mu.Unlock()
	go c.wait(&pending{db, req, env, m, key, stop, c.srv.clock.Now(), out, changed})
}

// env is what a client's transactions depend on.
func (c *session) env(db *Database) *engine.Env {
	env := &engine.Env{HoldsLock: func(name string) bool { return c.srv.locks.holds(c, name) }}
	if role := c.remote.options().Role; role != "" {
		env.Access = engine.RoleCheck(db.Snapshot(), role, c.peer())
	}
	switch {
	case db == c.srv.self:
		env.Refuse = func(op, _ string) *ovsdb.Error {
			return ovsdb.Errorf(ovsdb.TagNotAllowed, "%s operation not allowed on table in reserved database %s", op, db.Name)
		}
	case c.refusesWrites(db):
		env.Refuse = func(op, _ string) *ovsdb.Error {
			return ovsdb.Errorf(ovsdb.TagNotAllowed, "%s operation not allowed when database server is in read only mode", op)
		}
	}
	return env
}

func (c *session) refusesWrites(db *Database) bool {
	c.srv.mu.Lock()
	defer c.srv.mu.Unlock()
	h := c.srv.dbs[db.Name]
	return c.srv.readOnly || h != nil && h.backup || c.remote.options().ReadOnly
}

// pending is a transaction that waits for the database to change.
type pending struct {
	db      *Database
	req     *engine.Request
	env     *engine.Env
	m       *jsonrpc.Message
	key     string
	stop    chan struct{}
	began   time.Time
	out     engine.Outcome
	changed <-chan struct{}
}

// wait runs a blocked transaction again each time the database changes or its
// time is over.
func (c *session) wait(p *pending) {
	for p.out.Blocked {
		var late <-chan time.Time
		if p.out.HasLimit {
			late = c.srv.clock.After(p.out.Limit - p.env.Elapsed)
		}
		select {
		case <-p.changed:
			if p.db.isClosed() {
				if c.isAware() { // others are being disconnected
					c.finish(p, true)
				}
				return
			}
		case <-late:
		case <-p.stop:
			c.finish(p, true)
			return
		case <-c.over:
			return
		}
		p.env.Elapsed = c.srv.clock.Since(p.began)
		p.changed = p.db.Changed()
		p.out = p.db.Execute(p.req, p.env)
	}
	c.finish(p, false)
}

func (c *session) finish(p *pending, cancelled bool) {
	c.mu.Lock()
	if c.waiting[p.key] == p.stop {
		delete(c.waiting, p.key)
	}
	c.mu.Unlock()
	if cancelled {
		c.replyError(p.m.ID, []byte(`"canceled"`))
		return
	}
	c.reply(p.m.ID, p.out.Result)
}

// forward has a relay's source run a transaction and answers with its reply.
func (c *session) forward(r *relay, m *jsonrpc.Message) {
	r.forward(m.Params, func(reply *jsonrpc.Message) {
		switch {
		case reply == nil:
			c.replyError(m.ID, ovsdb.Errorf("not connected", "%s: the relay is not connected to its source", r.name).AppendJSON(nil))
		case reply.Kind == jsonrpc.Error:
			c.replyError(m.ID, reply.Err)
		default:
			c.reply(m.ID, reply.Result)
		}
	})
}
