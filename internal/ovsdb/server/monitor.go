package server

import (
	"slices"
	"strconv"
	"weak"

	"weir/internal/json"
	"weir/internal/jsonrpc"
	"weir/internal/ovsdb"
	"weir/internal/ovsdb/engine"
)

// monitor is one client's view of a database. Its session's mutex owns it.
type monitor struct {
	db       *Database
	id       []byte // the client's <json-value>, canonical
	spec     *monitorSpec
	snap     *engine.Snapshot // what the client has
	named    bool             // the client wants to know transactions' identifiers
	deferred bool             // updates had to wait for the client: they may be combined
}

// push sends updates when something in the way of deliver is gone.
func (c *session) push() {
	for {
		select {
		case <-c.pushes:
		case <-c.over:
			return
		}
		c.mu.Lock()
		c.flushIfTaken()
		c.mu.Unlock()
	}
}

// deliver sends updates as they come. It doesn't wait for anybody.
func (c *session) deliver() {
	if !c.mu.TryLock() {
		c.wake()
		return
	}
	c.flushIfTaken()
	c.mu.Unlock()
}

// deliverLast is deliver for the last time.
func (c *session) deliverLast() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.flushIfTaken()
}

// flushIfTaken sends updates, but no faster than the client takes them. c.mu is
// held.
func (c *session) flushIfTaken() {
	if c.conn.Backlog() == 0 {
		c.sending = nil
		c.flush()
		return
	}
	for _, m := range c.order {
		m.deferred = m.deferred || m.snap.Seq < m.db.stored.Load()
	}
}

// flush sends all updates that the client has not got. c.mu is held.
func (c *session) flush() {
	for _, m := range c.order {
		steps, all := m.db.stepsAfter(m.snap.Seq)
		switch {
		case !all || len(steps) > 1 && m.deferred:
			now := m.db.Snapshot()
			c.sendUpdate(m, m.spec.between(m.snap, now), now.TxnID)
			m.snap = now
		case len(steps) > 0:
			for i := range steps {
				st := &steps[i]
				c.sendUpdate(m, st.cache.get(m.spec.key, func() update { return m.spec.update(st.changes) }), st.txn)
			}
			m.snap = steps[len(steps)-1].snap
		}
		m.deferred = false
	}
}

var closeNotification = []byte("]}")

// sendUpdate sends an update, unless it is none.
func (c *session) sendUpdate(m *monitor, u update, txn ovsdb.UUID) {
	if u == nil {
		return
	}
	head := make([]byte, 0, 128)
	switch m.spec.version {
	case versionMonitor:
		head = append(head, `{"id":null,"method":"update","params":[`...)
		head = append(head, m.id...)
	case versionCond:
		head = append(head, `{"id":null,"method":"update2","params":[`...)
		head = append(head, m.id...)
	default:
		head = append(head, `{"id":null,"method":"update3","params":[`...)
		head = append(head, m.id...)
		head = append(head, `,"`...)
		head = m.told(txn).Append(head)
		head = append(head, '"')
	}
	c.updates.add(1, 0, u.size())
	c.sendAround(append(head, ','), u, closeNotification)
}

// sendAround sends a message that has an update in it.
func (c *session) sendAround(head []byte, u update, tail []byte) {
	var room [4][]byte
	_ = c.conn.Send(append(append(append(room[:0], head), u...), tail)...)
}

// startMonitor runs "monitor", "monitor_cond" and "monitor_cond_since". It
// sends the reply itself, so that no update can come before it.
func (c *session) startMonitor(m *jsonrpc.Message, version monitorVersion) ([]byte, error) {
	db, derr := c.database(m)
	if derr != nil {
		return nil, derr
	}
	params, err := monitorParams(m, version)
	if err != nil {
		return nil, err
	}
	id := json.Canonical(params[1])
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.monitors[string(id)] != nil {
		return nil, ovsdb.SyntaxErrorf(id, "", "duplicate monitor ID")
	}
	spec, err := parseSpec(db.Layout(), version, params[2])
	if err != nil {
		return nil, err
	}
	if c.ended {
		return nil, nil
	}
	if !db.subscribe(c) {
		db.unsubscribe(c)
		return nil, syntaxError(m, ovsdb.TagUnknownDatabase, "%s request specifies unknown database %s", m.Method, db.Name)
	}
	mon := &monitor{db: db, id: id, spec: spec, snap: db.Snapshot()}
	c.monitors[string(id)] = mon
	c.order = append(c.order, mon)
	head := append(append([]byte(`{"id":`), m.ID...), `,"result":`...)
	if version == versionCondSince {
		c.sendSince(mon, txnOf(params[3]), head)
	} else {
		c.sendAround(head, c.initial(db, spec, mon.snap), []byte(`,"error":null}`))
	}
	return nil, nil
}

// monitorParams checks a monitor method's params: the database, the monitor's ID,
// the requests, and for "monitor_cond_since" the last transaction.
func monitorParams(m *jsonrpc.Message, version monitorVersion) ([][]byte, error) {
	params := elements(m.Params)
	want := 3
	if version == versionCondSince {
		want = 4
	}
	if len(params) != want {
		return nil, syntaxError(m, "", "invalid parameters")
	}
	if version == versionCondSince {
		if id, ok := text(params[3]); !ok || !validUUID(id) {
			return nil, ovsdb.SyntaxErrorf(params[3], "", "last-txn-id must be UUID format.")
		}
	}
	return params, nil
}

// sendSince sends the reply to "monitor_cond_since", which head begins: what came
// after the client's last transaction, or all where that isn't known any more. c.mu
// is held.
func (c *session) sendSince(mon *monitor, last ovsdb.UUID, head []byte) {
	mon.named = ours(last)
	u, found := mon.db.since(last, mon.snap, mon.spec)
	if !found {
		u = c.initial(mon.db, mon.spec, mon.snap)
	}
	head = append(strconv.AppendBool(append(head, '['), found), `,"`...)
	head = mon.told(mon.snap.TxnID).Append(head)
	c.sendAround(append(head, `",`...), u, []byte(`],"error":null}`))
}

func validUUID(s string) bool {
	_, ok := ovsdb.ParseUUID(s)
	return ok
}

// maxInitials bounds how many first replies a database keeps for other clients.
const maxInitials = 32

// initial is db's, whose result stays shared until the client has been sent it. c.mu
// is held.
func (c *session) initial(db *Database, spec *monitorSpec, snap *engine.Snapshot) update {
	u, cache := db.initial(spec, snap)
	c.sending = append(c.sending, cache)
	return u
}

// initial returns the spec's view of a snapshot, made once for all clients that
// ask for it before the next commit, as long as one of them holds the cache.
func (db *Database) initial(spec *monitorSpec, snap *engine.Snapshot) (update, *updateCache) {
	db.pub.Lock()
	cache := db.initials.Value()
	if cache == nil || cache.of != snap {
		cache = &updateCache{of: snap}
		db.initials = weak.Make(cache)
	}
	db.pub.Unlock()
	cache.mu.Lock()
	full := len(cache.bySpec) >= maxInitials && cache.bySpec[spec.key] == nil
	cache.mu.Unlock()
	if full {
		return spec.initial(snap), cache
	}
	return cache.get(spec.key, func() update { return spec.initial(snap) }), cache
}

// changeMonitor runs "monitor_cond_change".
func (c *session) changeMonitor(m *jsonrpc.Message) ([]byte, error) {
	params := elements(m.Params)
	if len(params) != 3 {
		return nil, syntaxError(m, "", "invalid parameters")
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	id, now := json.Canonical(params[0]), json.Canonical(params[1])
	mon := c.monitors[string(id)]
	if mon == nil {
		return nil, ovsdb.SyntaxErrorf(id, "", "unknown monitor session")
	}
	if string(id) != string(now) && c.monitors[string(now)] != nil {
		return nil, ovsdb.SyntaxErrorf(now, "", "duplicate monitor ID")
	}
	if mon.spec.version == versionMonitor {
		return nil, ovsdb.SyntaxErrorf(id, "", "monitor session has no conditions to change")
	}
	spec, err := mon.spec.withConditions(mon.snap.Layout, params[2])
	if err != nil {
		return nil, err
	}
	c.flush()
	delete(c.monitors, string(id))
	c.monitors[string(now)] = mon
	mon.id = now
	old := mon.spec
	mon.spec = spec
	c.sendUpdate(mon, spec.changeOf(old, mon.snap), mon.snap.TxnID)
	_ = c.conn.Send(jsonrpc.AppendReply(nil, m.ID, emptyObject))
	return nil, nil
}

// cancelMonitor runs "monitor_cancel".
func (c *session) cancelMonitor(m *jsonrpc.Message) ([]byte, error) {
	params := elements(m.Params)
	if len(params) != 1 {
		return nil, plainError("invalid parameters")
	}
	c.mu.Lock()
	mon := c.monitors[string(json.Canonical(params[0]))]
	if mon == nil {
		c.mu.Unlock()
		return nil, plainError("unknown monitor")
	}
	c.drop(mon)
	c.mu.Unlock()
	mon.db.unsubscribe(c)
	return emptyObject, nil
}

// drop forgets a monitor. c.mu is held.
func (c *session) drop(m *monitor) {
	delete(c.monitors, string(m.id))
	c.order = slices.DeleteFunc(c.order, func(o *monitor) bool { return o == m })
}
