package server

import (
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"weak"

	"weir/internal/ovsdb"
	"weir/internal/ovsdb/engine"
	"weir/internal/vlog"
)

// publication is how commits become known to monitors and to whoever waits.
type publication struct {
	pub     sync.Mutex       // owns all below
	recent  []step           // the last commits, oldest first
	base    ovsdb.UUID       // the commit before those
	keeps   bool             // recent goes on without sessions: clients may come back
	last    uint64           // Seq of the newest one
	subs    map[*session]int // sessions with monitors, and how many
	list    []*session       // the same; nil when they changed
	changed chan struct{}    // closed at the next commit; nil: nobody waits
	closed  bool
	fanning bool // a goroutine is delivering
	again   bool // and there is more for it to deliver

	writes  []uint64                 // rows changed, by Table.Num
	sources map[*engine.Table]func() // told when a commit changes the table
	logged  map[string]bool          // tables whose changes go to the log

	initials weak.Pointer[updateCache] // first replies of monitors, while some session is sending one
}

// step is a published commit.
type step struct {
	seq     uint64
	txn     ovsdb.UUID
	snap    *engine.Snapshot // after the last commit of the batch; nil where nobody watched
	changes []engine.Change
	cache   *updateCache // nil where nobody watched
}

// maxRecent is how many commits at least are kept for monitors that lag behind;
// one that lags further is brought up to date by comparing snapshots.
const maxRecent = 128

// maxRecentRows is how many changes of rows the recent commits may have
// altogether: that many old rows are kept from being forgotten.
const maxRecentRows = 50_000

func (p *publication) reset(snap *engine.Snapshot) {
	p.subs = map[*session]int{}
	p.last, p.base = snap.Seq, snap.TxnID
}

// publish makes commits known. mu is held as well.
func (p *publication) publish(batch []*commit, snap *engine.Snapshot) {
	p.pub.Lock()
	defer p.pub.Unlock()
	p.remember(batch, snap)
	p.last = batch[len(batch)-1].seq
	p.countWrites(batch)
	if len(p.logged) > 0 {
		p.logChanges(batch)
	}
	p.notifySources(batch)
	p.announce()
}

// remember adds a batch to the recent commits, and forgets the oldest ones. pub is
// held.
func (p *publication) remember(batch []*commit, snap *engine.Snapshot) {
	if len(p.subs) == 0 && !p.keeps {
		p.recent, p.base = nil, batch[len(batch)-1].txn
		return
	}
	for _, c := range batch {
		st := step{seq: c.seq, txn: c.txn, snap: snap, changes: c.changes}
		if len(p.subs) > 0 {
			st.cache = &updateCache{}
		}
		p.recent = append(p.recent, st)
	}
	drop := 0
	if n := len(p.recent); n > 2*maxRecent { // seldom, since it copies
		drop = n - maxRecent
	}
	rows := 0
	for i := len(p.recent) - 1; i >= drop; i-- {
		if rows += len(p.recent[i].changes); rows > maxRecentRows {
			drop = i + 1
		}
	}
	if drop > 0 {
		p.base = p.recent[drop-1].txn
		p.recent = slices.Clone(p.recent[drop:])
	}
}

// countWrites counts the rows that commits changed. pub is held.
func (p *publication) countWrites(batch []*commit) {
	for _, c := range batch {
		for i := range c.changes {
			n := c.changes[i].Table.Num
			for n >= len(p.writes) {
				p.writes = append(p.writes, 0)
			}
			p.writes[n]++
		}
	}
}

// notifySources tells those who read tables that changed. pub is held.
func (p *publication) notifySources(batch []*commit) {
	if len(p.sources) == 0 {
		return
	}
	for _, c := range batch {
		for i := range c.changes {
			if fn := p.sources[c.changes[i].Table]; fn != nil {
				fn()
				return
			}
		}
	}
}

// onChange has fn called, which must not wait, after commits that change a
// table. Only one function at a time can be told of a table.
func (p *publication) onChange(t *engine.Table, fn func()) {
	p.pub.Lock()
	defer p.pub.Unlock()
	if p.sources == nil {
		p.sources = map[*engine.Table]func(){}
	}
	p.sources[t] = fn
}

// announce wakes whoever waits for changes. pub is held.
func (p *publication) announce() {
	if p.changed != nil {
		close(p.changed)
		p.changed = nil
	}
	if len(p.subs) == 0 {
		return
	}
	if p.fanning {
		p.again = true
		return
	}
	p.fanning = true
	go p.fanOut()
}

// Changed returns a channel that is closed at the next commit, or when the
// database goes away.
func (p *publication) Changed() <-chan struct{} {
	p.pub.Lock()
	defer p.pub.Unlock()
	if p.closed {
		done := make(chan struct{})
		close(done)
		return done
	}
	if p.changed == nil {
		p.changed = make(chan struct{})
	}
	return p.changed
}

// fanOut has sessions send what was committed, until they have got all of it.
func (p *publication) fanOut() {
	for {
		p.pub.Lock()
		if p.list == nil {
			for s := range p.subs {
				p.list = append(p.list, s)
			}
		}
		list := p.list
		p.again = false
		p.pub.Unlock()
		deliver(list)
		p.pub.Lock()
		if !p.again {
			p.fanning = false
			p.pub.Unlock()
			return
		}
		p.pub.Unlock()
	}
}

// perCore is for how many sessions another core is worth its while.
const perCore = 32

// deliver has all sessions send what they have to, on several cores.
func deliver(list []*session) {
	var next atomic.Int64
	some := func() {
		for {
			i := int(next.Add(1)) - 1
			if i >= len(list) {
				return
			}
			list[i].deliver()
		}
	}
	var wg sync.WaitGroup
	for range min(runtime.GOMAXPROCS(0)-1, len(list)/perCore) {
		wg.Go(some)
	}
	some()
	wg.Wait()
}

// subscribe has a session told of each commit, until it unsubscribes as often.
// It reports whether the database is still in use.
func (db *Database) subscribe(s *session) bool {
	db.watch(true)
	db.pub.Lock()
	defer db.pub.Unlock()
	db.subs[s]++
	db.list = nil
	return !db.closed
}

func (db *Database) unsubscribe(s *session) {
	db.watch(false)
	db.pub.Lock()
	defer db.pub.Unlock()
	if db.subs[s]--; db.subs[s] <= 0 {
		delete(db.subs, s)
		db.list = nil
	}
}

// stepsAfter returns the commits after the one numbered seq, and whether that
// is all of them.
func (p *publication) stepsAfter(seq uint64) ([]step, bool) {
	p.pub.Lock()
	defer p.pub.Unlock()
	if seq >= p.last {
		return nil, true
	}
	n := int(p.last - seq)
	if n > len(p.recent) {
		return nil, false
	}
	return p.recent[len(p.recent)-n:], true
}

// retire wakes whoever waits for a database that is no longer in use.
func (p *publication) retire() {
	p.pub.Lock()
	defer p.pub.Unlock()
	p.closed = true
	p.announce()
}

func (p *publication) isClosed() bool {
	p.pub.Lock()
	defer p.pub.Unlock()
	return p.closed
}

var txnLog = vlog.For("transaction")

var txnRL vlog.RateLimit

// logChanges logs what commits did to the tables chosen by setLogged. pub is
// held.
func (p *publication) logChanges(batch []*commit) {
	for _, c := range batch {
		for i := range c.changes {
			ch := &c.changes[i]
			if !p.logged[ch.Table.Name] {
				continue
			}
			verb, row := "modify", ch.New
			switch {
			case ch.Old == nil:
				verb = "insert"
			case ch.New == nil:
				verb, row = "delete", ch.Old
			}
			txnLog.InfoRL(&txnRL, "table:%s,op:%s,%s", ch.Table.Name, verb, row.AppendJSON(nil, ch.Table.Columns))
		}
	}
}

// setLogged says whether changes to a table go to the log.
func (p *publication) setLogged(table string, on bool) {
	p.pub.Lock()
	defer p.pub.Unlock()
	if p.logged == nil {
		p.logged = map[string]bool{}
	}
	if on {
		p.logged[table] = true
	} else {
		delete(p.logged, table)
	}
}

func (p *publication) isLogged(table string) bool {
	p.pub.Lock()
	defer p.pub.Unlock()
	return p.logged[table]
}
