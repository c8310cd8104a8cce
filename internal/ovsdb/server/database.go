package server

import (
	"math/rand/v2"
	"sync"
	"sync/atomic"

	"weir/internal/ovsdb"
	"weir/internal/ovsdb/engine"
	"weir/internal/ovsdb/storage"
)

// Database is one database that a Server offers. Writers take turns under mu;
// what they commit goes to the storage in batches, outside mu, and is then
// published. Readers use an immutable snapshot of what is stored.
type Database struct {
	Name   string
	clock  wallClock
	layout *engine.Layout

	mu      sync.Mutex // owns eng, queue, spare, writing, pausing, undone, broken, watchers
	idle    *sync.Cond // writing or pausing changed
	eng     *engine.DB
	queue   []*commit // applied to eng but not stored yet
	spare   []*commit // room for the next queue
	writing bool      // somebody stores commits
	pausing int       // how many wait for writing to end
	undone  int       // how often commits had to be taken back
	broken  error     // why the storage takes no more
	watched int       // sessions that need a snapshot of each batch

	relay   *relay // where the database is another server's
	unready bool   // its schema isn't known yet; such a Database never becomes ready

	backup atomic.Bool // follows another server, and so refuses writes from clients

	store   storage.Storage // nil for a database in memory; whoever set writing uses it
	txns    []storage.Txn   // room for a batch, as is changes
	changes []storage.Change

	compacting sync.Mutex // one compaction at a time

	run uint32 // of the identifiers of its commits; random

	stored    atomic.Uint64 // Seq of the newest stored state; written under mu
	published atomic.Pointer[engine.Snapshot]

	publication
}

// commit is a transaction on its way to the storage. Its database's mu owns it.
type commit struct {
	changes []engine.Change
	seq     uint64
	txn     ovsdb.UUID // for monitor_cond_since; zero: chosen by enqueue
	comment string
	durable bool
	over    bool          // stored, or err says why not
	done    chan struct{} // where somebody waits: closed when over, or when it is his turn to write
	err     *ovsdb.Error
}

func newDatabase(name string, snap *engine.Snapshot, store storage.Storage, clock wallClock) *Database {
	db := &Database{Name: name, clock: clock, layout: snap.Layout, store: store}
	db.run = rand.Uint32()
	named := *snap
	named.TxnID = db.txnID(snap.Seq)
	snap = &named
	db.eng = engine.NewDB(snap)
	db.idle = sync.NewCond(&db.mu)
	db.stored.Store(snap.Seq)
	db.published.Store(snap)
	db.reset(snap)
	return db
}

// Layout returns the layout of the database's tables.
func (db *Database) Layout() *engine.Layout { return db.layout }

// Snapshot returns the newest state, once it is stored.
func (db *Database) Snapshot() *engine.Snapshot {
	if s := db.published.Load(); s.Seq == db.stored.Load() {
		return s
	}
	db.mu.Lock()
	defer db.mu.Unlock()
	for {
		s, undone := db.eng.Head(), db.undone
		for s.Seq > db.stored.Load() && db.undone == undone {
			db.advance()
		}
		if db.undone == undone {
			if db.published.Load().Seq < s.Seq {
				db.published.Store(s)
			}
			return s
		}
	}
}

// Execute runs a request and, unless it fails or is blocked, commits it. It
// returns once the outcome may be told to the client.
func (db *Database) Execute(req *engine.Request, env *engine.Env) engine.Outcome {
	out, c := db.begin(req, env)
	if c != nil {
		if err := db.finish(c); err != nil {
			return failed(err)
		}
	}
	return out
}

// begin runs a request. Where it changes anything, the commit is on its way,
// later transactions see it, and finish tells what becomes of it.
func (db *Database) begin(req *engine.Request, env *engine.Env) (engine.Outcome, *commit) {
	if req.ReadOnly() {
		return req.Read(db.Snapshot(), env), nil
	}
	db.mu.Lock()
	defer db.mu.Unlock()
	if err := db.mayWrite(); err != nil {
		return failed(ovsdb.Errorf(ovsdb.TagIO, "%v", err)), nil
	}
	out := req.Execute(db.eng, env)
	if len(out.Changes) == 0 {
		return out, nil
	}
	return out, db.enqueue(&commit{changes: out.Changes, comment: req.Comment(), durable: req.Durable()})
}

// mayWrite waits for whoever needs the database for himself. mu is held.
func (db *Database) mayWrite() error {
	for db.pausing > 0 {
		db.idle.Wait()
	}
	return db.broken
}

// enqueue applies a transaction's changes. mu is held.
func (db *Database) enqueue(c *commit) *commit {
	c.seq = db.eng.Seq() + 1
	if c.txn == (ovsdb.UUID{}) {
		c.txn = db.txnID(c.seq)
	}
	db.eng.Apply(c.changes, c.txn)
	db.queue = append(db.queue, c)
	return c
}

// finish returns when a commit is stored and published, or failed.
func (db *Database) finish(c *commit) *ovsdb.Error {
	db.mu.Lock()
	defer db.mu.Unlock()
	for !c.over {
		if !db.writing {
			db.write()
			continue
		}
		if c.done == nil {
			c.done = make(chan struct{})
		}
		done := c.done
		db.mu.Unlock()
		<-done
		db.mu.Lock()
	}
	return c.err
}

func failed(err *ovsdb.Error) engine.Outcome {
	return engine.Outcome{Result: append(err.AppendJSON([]byte{'['}), ']'), Failed: err}
}

// advance waits until some commits, of which there are, have been stored. mu is
// held, and given up meanwhile.
func (db *Database) advance() {
	if db.writing {
		db.idle.Wait()
	} else {
		db.write()
	}
}

// write stores all queued commits at once and publishes them. mu is held, and
// given up meanwhile; nobody else is writing.
func (db *Database) write() {
	db.writing = true
	batch := db.queue
	db.queue = db.spare[:0]
	durable := false
	for _, c := range batch {
		durable = durable || c.durable
	}
	var snap *engine.Snapshot
	if durable || db.watched > 0 {
		snap = db.eng.Head()
	}
	db.mu.Unlock()
	err := db.storeBatch(batch, durable)
	db.mu.Lock()
	if err != nil {
		batch = db.undo(batch, err)
	} else {
		db.stored.Store(batch[len(batch)-1].seq)
		if snap != nil {
			db.published.Store(snap)
		}
		db.publish(batch, snap)
	}
	db.writing = false
	db.settle(batch)
}

// settle tells whoever waits for commits that are over, and hands the writing on
// if more have come meanwhile. mu is held.
func (db *Database) settle(batch []*commit) {
	for _, c := range batch {
		c.over = true
		if c.done != nil {
			close(c.done)
		}
	}
	clear(batch)
	db.spare = batch[:0]
	for _, c := range db.queue {
		if c.done != nil {
			close(c.done)
			c.done = nil
			break
		}
	}
	db.idle.Broadcast()
}

// storeBatch gives a batch to the storage. The caller has set writing.
func (db *Database) storeBatch(batch []*commit, durable bool) error {
	if db.store == nil {
		return nil
	}
	now := db.clock.Wall()
	db.txns, db.changes = db.txns[:0], db.changes[:0]
	for _, c := range batch {
		from := len(db.changes)
		for i := range c.changes {
			ch := &c.changes[i]
			db.changes = append(db.changes, storage.Change{Table: ch.Table.TableSchema, UUID: ch.ID(), Old: ch.Old, New: ch.New})
		}
		db.txns = append(db.txns, storage.Txn{Date: now, Comment: c.comment, Changes: db.changes[from:]})
	}
	err := db.store.Commit(db.txns, durable)
	clear(db.txns)
	clear(db.changes)
	return err
}

// undo takes back the commits of a batch that could not be stored and all that
// build on them. It returns them. mu is held.
func (db *Database) undo(batch []*commit, err error) []*commit {
	log.Err("%s: transaction not stored (%v)", db.Name, err)
	batch = append(batch, db.queue...)
	db.queue = nil
	for i := len(batch) - 1; i >= 0; i-- {
		batch[i].err = ovsdb.AsError(err)
		db.eng.Undo(batch[i].changes, db.txnID(batch[i].seq-1))
	}
	db.undone++
	return batch
}

// exclusive runs fn while nobody executes or stores anything.
func (db *Database) exclusive(fn func() error) error {
	db.mu.Lock()
	defer db.mu.Unlock()
	db.pausing++
	for db.writing || len(db.queue) > 0 {
		db.advance()
	}
	db.pausing--
	defer db.idle.Broadcast()
	return fn()
}

// close gives the storage up and wakes whoever waits.
func (db *Database) close() error {
	return db.exclusive(func() error {
		db.broken = errRemoved
		db.retire()
		if db.store == nil {
			return nil
		}
		return db.store.Close()
	})
}

// watch has a snapshot made of each batch from now on, or no longer.
func (db *Database) watch(on bool) {
	db.mu.Lock()
	defer db.mu.Unlock()
	if !on {
		db.watched--
		return
	}
	db.watched++
	for db.writing {
		db.idle.Wait()
	}
}
