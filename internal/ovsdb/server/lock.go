package server

import (
	"slices"
	"sync"

	"weir/internal/json"
	"weir/internal/jsonrpc"
	"weir/internal/ovsdb"
)

// lockTable is the server's locks (RFC 7047 sections 4.1.8 to 4.1.10). Its mutex
// owns all locks and every session's held.
type lockTable struct {
	mu     sync.Mutex
	byName map[string]*lock
}

// lock is one lock: the first of its requests holds it.
type lock struct {
	name  string
	queue []*lockRequest
}

// lockRequest is a session's claim to a lock.
type lockRequest struct {
	session *session
	lock    *lock
	victim  bool // somebody stole the lock from it
}

// holds reports whether a session owns a lock.
func (t *lockTable) holds(c *session, name string) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	r := c.held[name]
	return r != nil && r.lock.queue[0] == r
}

// lockName returns the only parameter of a lock request.
func lockName(m *jsonrpc.Message) (string, *ovsdb.Error) {
	params := elements(m.Params)
	if len(params) == 1 {
		if name, ok := text(params[0]); ok && ovsdb.IsID(name) {
			return name, nil
		}
	}
	return "", syntaxError(m, "", "%s request params must be <id>", m.Method)
}

// lock runs "lock" and "steal".
func (c *session) lock(m *jsonrpc.Message) ([]byte, error) {
	name, err := lockName(m)
	if err != nil {
		return nil, err
	}
	if c.backup() {
		return nil, ovsdb.Errorf(ovsdb.TagNotAllowed, "lock operation not allowed when database server is in read only mode")
	}
	t := &c.srv.locks
	t.mu.Lock()
	defer t.mu.Unlock()
	if c.held[name] != nil {
		return nil, syntaxError(m, "", "must issue \"unlock\" before new \"%s\"", m.Method)
	}
	l := t.byName[name]
	if l == nil {
		l = &lock{name: name}
		t.byName[name] = l
	}
	r := &lockRequest{session: c, lock: l}
	c.held[name] = r
	if m.Method == "steal" {
		var victim *lockRequest
		if len(l.queue) > 0 {
			victim = l.queue[0]
		}
		l.queue = append([]*lockRequest{r}, l.queue...)
		if victim != nil {
			victim.victim = true
			victim.tell("stolen")
		}
	} else {
		l.queue = append(l.queue, r)
	}
	if l.queue[0] == r {
		return []byte(`{"locked":true}`), nil
	}
	return []byte(`{"locked":false}`), nil
}

func (c *session) backup() bool {
	c.srv.mu.Lock()
	defer c.srv.mu.Unlock()
	return c.srv.readOnly.Load()
}

// tell notifies the session of what became of its request.
func (r *lockRequest) tell(method string) {
	r.session.notify(method, append(json.AppendString([]byte{'['}, r.lock.name), ']'))
}

// unlock runs "unlock".
func (c *session) unlock(m *jsonrpc.Message) ([]byte, error) {
	name, err := lockName(m)
	if err != nil {
		return nil, err
	}
	t := &c.srv.locks
	t.mu.Lock()
	defer t.mu.Unlock()
	r := c.held[name]
	if r == nil {
		return nil, syntaxError(m, "", "unlock: \"unlock\" without \"lock\" or \"steal\"")
	}
	t.release(r)
	return emptyObject, nil
}

// release takes a request back and tells the next one in line.
func (t *lockTable) release(r *lockRequest) {
	l := r.lock
	owner := l.queue[0]
	for i := range l.queue {
		if l.queue[i] == r {
			l.queue = append(l.queue[:i:i], l.queue[i+1:]...)
			break
		}
	}
	delete(r.session.held, l.name)
	if len(l.queue) == 0 {
		delete(t.byName, l.name)
	} else if l.queue[0] != owner {
		l.queue[0].victim = false
		l.queue[0].tell("locked")
	}
}

// releaseAll takes all of a session's requests back.
func (t *lockTable) releaseAll(c *session) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, r := range c.held {
		t.release(r)
	}
}

// names returns the locks that a session holds, waits for and was robbed of, for
// a remote's status.
func (t *lockTable) names(c *session) (held, waiting, lost []string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for name, r := range c.held {
		switch {
		case r.lock.queue[0] == r:
			held = append(held, name)
		case r.victim:
			lost = append(lost, name)
		default:
			waiting = append(waiting, name)
		}
	}
	slices.Sort(held)
	slices.Sort(waiting)
	slices.Sort(lost)
	return held, waiting, lost
}
