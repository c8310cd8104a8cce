package server

import (
	"time"

	"weir/internal/json"
	"weir/internal/jsonrpc"
	"weir/internal/ovsdb"
	"weir/internal/ovsdb/engine"
)

// task is a message that is ready to be dealt with.
type task struct {
	m   jsonrpc.Message
	db  *Database       // of a transaction
	req *engine.Request // nil for anything but a transaction without faults

	weight int           // for how many messages the time that this one costs stands; 0: none
	spent  time.Duration // so far
}

// bigMessage is from what size on a message is dealt with while the next one is
// being parsed, and the reply to it is not kept back for those of others.
const bigMessage = 4 << 10

// maxTasks is how many messages may have been parsed and wait.
const maxTasks = 8

// parse makes a task of a message. The error is that of malformed JSON.
func (c *session) parse(m *jsonrpc.Message) (task, error) {
	t := task{m: *m}
	if m.Kind == jsonrpc.Request && m.Method == "transact" {
		if db, derr := c.database(m); derr == nil {
			if req, err := engine.ParseRequest(db.Layout(), m.Params); err == nil {
				t.db, t.req = db, req
				return t, nil
			}
		}
	}
	return t, c.conn.Check(m)
}

// handle has a task dealt with after those before it: at once, or, where it is a
// transaction and worth it, beside the reading goroutine.
func (c *session) handle(t *task) {
	if t.req == nil {
		c.rest()
		c.take(t)
		return
	}
	c.tasks.Lock()
	if !c.working && len(t.m.Params) < bigMessage {
		c.tasks.Unlock()
		c.take(t)
		return
	}
	if !c.working {
		c.tasks.Unlock()
		c.settle() // what is owed is the worker's from now on
		c.tasks.Lock()
		c.working = true
		go c.work()
	}
	for len(c.queue) >= maxTasks {
		c.taken.Wait()
	}
	c.queue = append(c.queue, *t)
	c.tasks.Unlock()
}

// work deals with tasks until there are no more.
func (c *session) work() {
	var batch []task
	for {
		c.tasks.Lock()
		batch, c.queue = c.queue, batch[:0]
		c.taken.Broadcast()
		if len(batch) == 0 {
			c.working = false
			c.tasks.Unlock()
			return
		}
		c.tasks.Unlock()
		for i := range batch {
			c.take(&batch[i])
			if len(batch[i].m.Params) >= bigMessage {
				c.settle()
			}
		}
		c.settle()
		clear(batch)
	}
}

// rest waits until the worker has nothing more to do.
func (c *session) rest() {
	c.tasks.Lock()
	defer c.tasks.Unlock()
	for c.working {
		c.taken.Wait()
	}
}

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

// take deals with a task. The reply may have to wait for settle. One goroutine at
// a time calls take and settle: the reading one, or the worker.
func (c *session) take(t *task) {
	if t.weight == 0 {
		c.cost.n.Add(1)
		c.do(t)
		return
	}
	began := time.Now()
	c.do(t)
	c.cost.add(1, (t.spent+time.Since(began))*time.Duration(t.weight), len(t.m.Params))
}

func (c *session) do(t *task) {
	if t.req != nil {
		c.transact(t)
		return
	}
	c.settle()
	switch t.m.Kind {
	case jsonrpc.Request:
		c.request(&t.m)
	case jsonrpc.Notify:
		c.notification(&t.m)
	case jsonrpc.Reply, jsonrpc.Error:
		if string(t.m.ID) != `"echo"` {
			rpcLog.WarnRL(&oddRL, "%s: received unexpected %s message", c.conn.Name, t.m.Kind)
		}
	}
}

// badTransact answers a transaction that can't be run.
func (c *session) badTransact(m *jsonrpc.Message) ([]byte, error) {
	db, derr := c.database(m)
	if derr != nil {
		return nil, derr
	}
	_, err := engine.ParseRequest(db.Layout(), m.Params)
	return nil, err
}

// transact runs a transaction; settle answers it. One whose "wait" is not
// satisfied goes on in a goroutine of its own, so that the client's other
// requests don't wait too.
func (c *session) transact(t *task) {
	env := c.env(t.db)
	if t.db.relay != nil && !t.req.ReadOnly() && env.Refuse == nil {
		c.settle()
		later := t.m // t is used again
		c.forward(t.db.relay, &later)
		return
	}
	if n := len(c.rooms); n > 0 {
		env.Room, c.rooms = c.rooms[n-1], c.rooms[:n-1]
	}
	out, commit := t.db.begin(t.req, env)
	env.Room = nil
	if out.Blocked {
		c.settle()
		c.suspend(&pending{db: t.db, req: t.req, env: env, m: t.m, out: out})
		return
	}
	c.owed = append(c.owed, owed{t.m.ID, out.Result, t.db, commit})
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
	out := c.out[:0]
	for i := range c.owed {
		o := &c.owed[i]
		if o.commit != nil {
			if err := o.db.finish(o.commit); err != nil {
				o.result = failed(err).Result
			}
		}
		out = jsonrpc.AppendReply(out, o.id, o.result)
		if cap(o.result) <= maxRoom && len(c.rooms) < maxOwed {
			c.rooms = append(c.rooms, o.result)
		}
	}
	clear(c.owed)
	c.owed = c.owed[:0]
	c.mu.Lock()
	defer c.mu.Unlock()
	c.flush()
	c.out = nil
	if taken, _ := c.conn.SendNow(out); taken && cap(out) <= maxRoom {
		c.out = out
	}
}

// maxRoom is the largest buffer that a session keeps for later.
const maxRoom = 64 << 10

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
	stop  chan struct{}
	began time.Time
	out   engine.Outcome
}

// suspend has a blocked transaction wait.
func (c *session) suspend(p *pending) {
	p.began = c.srv.clock.Now()
	env := *p.env // whose Elapsed is its own
	p.env = &env
	var ok bool
	if p.stop, ok = c.await(&p.m); ok {
		go c.wait(p)
	}
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
	c.awaited(&p.m, p.stop)
	if cancelled {
		c.replyError(p.m.ID, []byte(`"canceled"`))
		return
	}
	c.reply(p.m.ID, p.out.Result)
}

// forward has a relay's source run a transaction and answers with its reply. As
// long as there is no connection to the source, the transaction waits for one; one
// that was under way when the connection ended has an unknown outcome, and is
// answered as if it had been cancelled.
func (c *session) forward(r *relay, m *jsonrpc.Message) {
	p, ready := r.source()
	if p == nil {
		c.forwardLater(r, m, ready)
		return
	}
	p.send("transact", m.Params, func(reply *jsonrpc.Message) {
		switch {
		case reply == nil:
			c.replyError(m.ID, []byte(`"canceled"`))
		case reply.Kind == jsonrpc.Error:
			c.replyError(m.ID, reply.Err)
		default:
			c.reply(m.ID, reply.Result)
		}
	})
}

// forwardLater forwards a transaction when ready is closed, unless the client
// cancels it first.
func (c *session) forwardLater(r *relay, m *jsonrpc.Message, ready <-chan struct{}) {
	stop, ok := c.await(m)
	if !ok {
		return
	}
	go func() {
		select {
		case <-ready:
		case <-stop:
		case <-c.over:
			return
		}
		if c.awaited(m, stop) {
			c.forward(r, m)
		} else {
			c.replyError(m.ID, []byte(`"canceled"`))
		}
	}()
}

// await makes a transaction one that the client can cancel, by stop. It refuses
// one whose id is another's that waits.
func (c *session) await(m *jsonrpc.Message) (stop chan struct{}, ok bool) {
	key := string(json.Canonical(m.ID))
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.waiting[key] != nil {
		_ = c.conn.Send(jsonrpc.AppendError(nil, m.ID, syntaxError(m, "", "a transaction with this id is outstanding already").AppendJSON(nil)))
		return nil, false
	}
	stop = make(chan struct{})
	c.waiting[key] = stop
	return stop, true
}

// awaited says that a transaction needn't wait any longer, and reports whether it
// had not been cancelled.
func (c *session) awaited(m *jsonrpc.Message, stop chan struct{}) bool {
	key := string(json.Canonical(m.ID))
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.waiting[key] != stop {
		return false
	}
	delete(c.waiting, key)
	return true
}
