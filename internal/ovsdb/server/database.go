package server

import (
	"sync"
	"sync/atomic"

	"weir/internal/ovsdb"
	"weir/internal/ovsdb/engine"
	"weir/internal/ovsdb/storage"
	"weir/internal/vlog"
)

// Database is one database that a Server offers. Writers take turns under mu;
// what they commit goes to the storage in batches, outside mu, and is then
// published. Readers use the published snapshot and wait for nobody.
type Database struct {
	Name  string
	clock wallClock

	mu      sync.Mutex // owns eng, queue, writing, pausing, broken
	idle    *sync.Cond // writing or pausing changed
	eng     *engine.DB
	queue   []*commit // applied to eng but not stored yet
	writing bool      // somebody stores commits
	pausing int       // how many wait for writing to end
	broken  error     // why the storage takes no more

	relay   *relay // where the database is another server's
	unready bool   // its schema isn't known yet; such a Database never becomes ready

	store storage.Storage // nil for a database in memory; whoever set writing uses it

	published atomic.Pointer[engine.Snapshot]

	pub     sync.Mutex // owns all below
	recent  []step     // the last commits, oldest first
	subs    map[subscriber]bool
	changed chan struct{} // closed at the next commit
	closed  bool

	logged map[string]bool // tables whose changes go to the log

	initials   *updateCache // first replies of monitors on initialsOf
	initialsOf *engine.Snapshot
}

// step is a published commit.
type step struct {
	snap    *engine.Snapshot
	changes []engine.Change
	cache   *updateCache
}

// maxRecent is how many commits at least are kept for monitors that lag behind;
// one that lags further is brought up to date by comparing snapshots.
const maxRecent = 128

// subscriber is told of each commit. wake must not block.
type subscriber interface{ wake() }

// commit is a transaction on its way to the storage.
type commit struct {
	changes []engine.Change
	snap    *engine.Snapshot
	comment string
	durable bool
	done    chan bool // true: take over the writing; false: over
	err     *ovsdb.Error
}

func newDatabase(name string, snap *engine.Snapshot, store storage.Storage, clock wallClock) *Database {
	db := &Database{Name: name, clock: clock, eng: engine.NewDB(snap), store: store,
		subs: map[subscriber]bool{}, changed: make(chan struct{})}
	db.idle = sync.NewCond(&db.mu)
	db.published.Store(snap)
	return db
}

// Snapshot returns the newest state that is stored.
func (db *Database) Snapshot() *engine.Snapshot { return db.published.Load() }

// Execute runs a request and, unless it fails or is blocked, commits it. It
// returns once the outcome may be told to the client.
func (db *Database) Execute(req *engine.Request, env *engine.Env) engine.Outcome {
	if req.ReadOnly() {
		return req.Read(db.Snapshot(), env)
	}
	db.mu.Lock()
	for db.pausing > 0 {
		db.idle.Wait()
	}
	if db.broken != nil {
		err := db.broken
		db.mu.Unlock()
		return failed(ovsdb.Errorf(ovsdb.TagIO, "%v", err))
	}
	out := req.Execute(db.eng, env)
	if len(out.Changes) == 0 {
		db.mu.Unlock()
		return out
	}
	if err := db.commit(&commit{changes: out.Changes, comment: req.Comment(), durable: req.Durable()}); err != nil {
		return failed(err)
	}
	return out
}

// commit applies a transaction's changes and returns when they are stored and
// published, or failed. mu is held, and given up.
func (db *Database) commit(c *commit) *ovsdb.Error {
	c.done = make(chan bool, 1)
	c.snap = db.eng.Apply(c.changes, ovsdb.UUID{})
	db.queue = append(db.queue, c)
	lead := !db.writing
	db.writing = true
	db.mu.Unlock()
	if !lead {
		lead = <-c.done
	}
	if lead {
		db.write()
	}
	return c.err
}

func failed(err *ovsdb.Error) engine.Outcome {
	return engine.Outcome{Result: append(err.AppendJSON([]byte{'['}), ']'), Failed: err}
}

// write stores all queued commits at once, publishes them, and hands the
// writing on if more have come meanwhile. The caller has set writing, and its
// own commit, if any, is the first in the queue.
func (db *Database) write() {
	db.mu.Lock()
	batch := db.queue
	db.queue = nil
	db.mu.Unlock()
	err := db.storeBatch(batch)
	if err != nil {
		batch = db.fail(batch, err)
	} else {
		db.publish(batch)
	}
	for _, c := range batch[min(1, len(batch)):] {
		c.done <- false
	}
	db.mu.Lock()
	defer db.mu.Unlock()
	if len(db.queue) > 0 {
		db.queue[0].done <- true
		return
	}
	db.writing = false
	db.idle.Broadcast()
}

func (db *Database) storeBatch(batch []*commit) error {
	if db.store == nil {
		return nil
	}
	durable := false
	for i, c := range batch {
		durable = durable || c.durable
		t := storage.Txn{Date: db.clock.Wall(), Comment: c.comment, Changes: make([]storage.Change, len(c.changes))}
		for j := range c.changes {
			ch := &c.changes[j]
			t.Changes[j] = storage.Change{Table: ch.Table.TableSchema, UUID: ch.ID(), Old: cols(ch.Old), New: cols(ch.New)}
		}
		if err := db.store.Commit(&t, durable && i == len(batch)-1); err != nil {
			return err
		}
	}
	return nil
}

func cols(r *engine.Row) ovsdb.Row {
	if r == nil {
		return nil
	}
	return r.Cols
}

// fail undoes the commits of a batch that could not be stored and all that
// build on them. It returns them.
func (db *Database) fail(batch []*commit, err error) []*commit {
	log.Err("%s: transaction not stored (%v)", db.Name, err)
	db.mu.Lock()
	defer db.mu.Unlock()
	batch = append(batch, db.queue...)
	db.queue = nil
	for _, c := range batch {
		c.err = ovsdb.AsError(err)
	}
	db.eng.Reset(db.Snapshot())
	return batch
}

// publish makes commits visible to readers and monitors.
func (db *Database) publish(batch []*commit) {
	if len(batch) == 0 {
		return
	}
	db.pub.Lock()
	defer db.pub.Unlock()
	for _, c := range batch {
		db.recent = append(db.recent, step{c.snap, c.changes, &updateCache{}})
	}
	if n := len(db.recent); n > 2*maxRecent { // seldom, since it copies
		db.recent = append([]step(nil), db.recent[n-maxRecent:]...)
	}
	if len(db.logged) > 0 {
		db.logChanges(batch)
	}
	db.published.Store(batch[len(batch)-1].snap)
	db.announce()
}

// announce wakes whoever waits for changes. pub is held.
func (db *Database) announce() {
	close(db.changed)
	db.changed = make(chan struct{})
	for s := range db.subs {
		s.wake()
	}
}

// Changed returns a channel that is closed at the next commit, or when the
// database goes away.
func (db *Database) Changed() <-chan struct{} {
	db.pub.Lock()
	defer db.pub.Unlock()
	return db.changed
}

// subscribe has s told of each commit until unsubscribe.
func (db *Database) subscribe(s subscriber) {
	db.pub.Lock()
	defer db.pub.Unlock()
	db.subs[s] = true
}

func (db *Database) unsubscribe(s subscriber) {
	db.pub.Lock()
	defer db.pub.Unlock()
	delete(db.subs, s)
}

// stepsAfter returns the commits after the one numbered seq, and whether that
// is all of them.
func (db *Database) stepsAfter(seq uint64) ([]step, bool) {
	db.pub.Lock()
	defer db.pub.Unlock()
	n := int(db.published.Load().Seq - seq)
	if n > len(db.recent) {
		return nil, false
	}
	return db.recent[len(db.recent)-n:], true
}

// exclusive runs fn while nobody executes or stores anything.
func (db *Database) exclusive(fn func() error) error {
	db.mu.Lock()
	defer db.mu.Unlock()
	db.pausing++
	for db.writing {
		db.idle.Wait()
	}
	db.pausing--
	defer db.idle.Broadcast()
	return fn()
}

// Compact rewrites the storage without its history.
func (db *Database) Compact() error {
	return db.exclusive(func() error {
		if db.store == nil {
			return nil
		}
		return db.store.Compact(db.eng.Head().Layout.Schema, rowsOf(db.eng.Head()), storage.Txn{Date: db.clock.Wall(), Comment: "compacting database online"})
	})
}

// rowsOf lists a snapshot's rows for the storage.
func rowsOf(s *engine.Snapshot) storage.Rows {
	return func(yield func(*ovsdb.TableSchema, ovsdb.Row) bool) {
		for _, t := range s.Layout.Tables {
			for row := range s.Tables[t.Num].All() {
				if !yield(t.TableSchema, row.Cols) {
					return
				}
			}
		}
	}
}

// close gives the storage up and wakes whoever waits.
func (db *Database) close() error {
	return db.exclusive(func() error {
		db.broken = errRemoved
		db.pub.Lock()
		db.closed = true
		db.announce()
		db.pub.Unlock()
		if db.store == nil {
			return nil
		}
		return db.store.Close()
	})
}

func (db *Database) isClosed() bool {
	db.pub.Lock()
	defer db.pub.Unlock()
	return db.closed
}

var txnLog = vlog.For("transaction")

var txnRL vlog.RateLimit

// logChanges logs what commits did to the tables chosen by setLogged. pub is
// held.
func (db *Database) logChanges(batch []*commit) {
	for _, c := range batch {
		for i := range c.changes {
			ch := &c.changes[i]
			if !db.logged[ch.Table.Name] {
				continue
			}
			verb, row := "modify", ch.New
			switch {
			case ch.Old == nil:
				verb = "insert"
			case ch.New == nil:
				verb, row = "delete", ch.Old
			}
			txnLog.InfoRL(&txnRL, "table:%s,op:%s,%s", ch.Table.Name, verb,
				ovsdb.AppendRowJSON(nil, ch.Table.TableSchema, row.Cols, nil))
		}
	}
}

// setLogged says whether changes to a table go to the log.
func (db *Database) setLogged(table string, on bool) {
	db.pub.Lock()
	defer db.pub.Unlock()
	if db.logged == nil {
		db.logged = map[string]bool{}
	}
	if on {
		db.logged[table] = true
	} else {
		delete(db.logged, table)
	}
}

func (db *Database) isLogged(table string) bool {
	db.pub.Lock()
	defer db.pub.Unlock()
	return db.logged[table]
}
