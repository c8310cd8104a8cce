package server

import (
	"time"

	"weir/internal/json"
	"weir/internal/jsonrpc"
	"weir/internal/ovsdb"
	"weir/internal/ovsdb/engine"
)

// owed is a reply to a transaction that has been run.
type owed struct {
	id     []byte
	result []byte
	db     *Database
	commit *commit // nil where there is nothing to wait for
}

// maxOwed is how many transactions of a client may be run before the first of
// them is answered.
const maxOwed = 64

// transact runs a transaction; settle answers it. One whose "wait" is not
// satisfied goes on in a goroutine of its own, so that the client's other
// requests don't wait too.
func (c *session) transact(m *jsonrpc.Message) {
	db, derr := c.database(m)
	if derr != nil {
		c.settle()
		c.replyError(m.ID, derr.AppendJSON(nil))
		return
	}
	req, err := engine.ParseRequest(db.Layout(), m.Params)
	if err != nil {
		c.settle()
		c.replyError(m.ID, ovsdb.AsError(err).AppendJSON(nil))
		return
	}
	env := c.env(db)
	if db.relay != nil && !req.ReadOnly() && env.Refuse == nil {
		c.settle()
		later := *m // the reading goroutine uses m again
		c.forward(db.relay, &later)
		return
	}
	out, commit := db.begin(req, env)
	if out.Blocked {
		c.settle()
		c.suspend(&pending{db: db, req: req, env: env, m: *m, out: out})
		return
	}
	c.owed = append(c.owed, owed{m.ID, out.Result, db, commit})
	if len(c.owed) >= maxOwed {
		c.settle()
	}
}

// settle sends the replies that are owed, in one write, once what they tell is
// stored.
func (c *session) settle() {
	if len(c.owed) == 0 {
		return
	}
	size := 0
	for i := range c.owed {
		o := &c.owed[i]
		if o.commit != nil {
			if err := o.db.finish(o.commit); err != nil {
				o.result = failed(err).Result
			}
		}
		size += len(o.result) + len(o.id) + 40
	}
	out := make([]byte, 0, size)
	for i := range c.owed {
		out = jsonrpc.AppendReply(out, c.owed[i].id, c.owed[i].result)
	}
	clear(c.owed)
	c.owed = c.owed[:0]
	c.mu.Lock()
	defer c.mu.Unlock()
	c.flush()
	_ = c.conn.Send(out)
}

// env is what a client's transactions depend on. Only the goroutine that reads
// may call it.
func (c *session) env(db *Database) *engine.Env {
	opts := c.remote.options()
	if opts.Role == "" && db != c.srv.self && !c.refusesWrites(db) {
		return &c.plainEnv
	}
	env := c.plainEnv
	if opts.Role != "" {
		env.Access = engine.RoleCheck(db.Snapshot(), opts.Role, c.peer())
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
	return &env
}

func (c *session) refusesWrites(db *Database) bool {
	return c.srv.readOnly.Load() || db.backup.Load() || c.remote.options().ReadOnly
}

// pending is a transaction that waits for the database to change.
type pending struct {
	db    *Database
	req   *engine.Request
	env   *engine.Env
	m     jsonrpc.Message
	key   string // its id, canonical
	stop  chan struct{}
	began time.Time
	out   engine.Outcome
}

// suspend has a blocked transaction wait.
func (c *session) suspend(p *pending) {
	p.key = string(json.Canonical(p.m.ID))
	p.stop = make(chan struct{})
	p.began = c.srv.clock.Now()
	env := *p.env // whose Elapsed is its own
	p.env = &env
	c.mu.Lock()
	if c.waiting[p.key] != nil {
		c.mu.Unlock()
		c.replyError(p.m.ID, syntaxError(&p.m, "", "a transaction with this id is outstanding already").AppendJSON(nil))
		return
	}
	c.waiting[p.key] = p.stop
	c.mu.Unlock()
	go c.wait(p)
}

// wait runs a blocked transaction again each time the database changes or its
// time is over.
func (c *session) wait(p *pending) {
	for {
		changed := p.db.Changed()
		p.out = p.db.Execute(p.req, p.env)
		if !p.out.Blocked {
			c.finish(p, false)
			return
		}
		var late <-chan time.Time
		if p.out.HasLimit {
			late = c.srv.clock.After(p.out.Limit - p.env.Elapsed)
		}
		select {
		case <-changed:
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
	}
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
