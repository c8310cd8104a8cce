// Package upcall answers what a data path asks of the switch: it translates
// packets that matched no flow, keeps a record of every megaflow it had
// installed with the effects that its packets have, and revalidates them:
// their statistics go back to the OpenFlow flows that they stand for, and
// flows that idle or that the tables no longer justify go away.
package upcall

import (
	"encoding/binary"
	"hash/maphash"
	"sync"
	"sync/atomic"
	"time"
	"unsafe"

	"weir/internal/clock"
	"weir/internal/coverage"
	"weir/internal/datapath"
	"weir/internal/flow"
	"weir/internal/openflow"
	"weir/internal/vlog"
	"weir/internal/xlate"
)

var (
	log        = vlog.For("ofproto_dpif_upcall")
	xlateLog   = vlog.For("ofproto_dpif_xlate")
	complaints vlog.RateLimit
	explained  vlog.RateLimit
)

var (
	coverRevalidate = coverage.New("dumped_new_flow")
	coverFlowLimit  = coverage.New("upcall_flow_limit_hit")
	coverLimitKill  = coverage.New("upcall_flow_limit_kill")
	// Why flows of the data path are looked at again.
	coverFlowTable = coverage.New("rev_flow_table")
	coverMACs      = coverage.New("rev_mac_learning")
)

// Config are the limits of Open_vSwitch.other_config that the engine obeys
// (ovs-vswitchd.conf.db(5)). Zero members mean the defaults.
type Config struct {
	FlowLimit int           // flow-limit, 200000
	MaxIdle   time.Duration // max-idle, 10 s
	// MaxRevalidate is the longest time between two passes, 500 ms.
	MaxRevalidate time.Duration
	// MinPPS is how many packets per second a flow must have to be translated
	// again, once a pass takes longer than half of MaxRevalidate: slower ones are
	// removed instead (min-revalidate-pps, 5).
	MinPPS int
}

func (c Config) filled() Config {
	if c.FlowLimit <= 0 {
		c.FlowLimit = 200000
	}
	if c.MaxIdle <= 0 {
		c.MaxIdle = 10 * time.Second
	}
	if c.MaxRevalidate <= 0 {
		c.MaxRevalidate = 500 * time.Millisecond
	}
	if c.MinPPS <= 0 {
		c.MinPPS = 5
	}
	return c
}

// PacketIn is a packet on its way to controllers.
type PacketIn struct {
	Bridge *xlate.Bridge
	Port   openflow.PortNo
	Cookie datapath.Cookie
	State  *xlate.State // as translation left it; nil when it was lost
	Packet []byte
	Key    *flow.Key // with a data path port
}

// Options are what an Engine is made of.
type Options struct {
	Datapath datapath.Datapath
	Clock    *clock.Clock
	// Snapshot gives the newest configuration. It may be called from any
	// goroutine, also those of the data path's workers.
	Snapshot func() *xlate.Config
	// PacketIn delivers packets to controllers; it must not block.
	PacketIn func(*PacketIn)
	// Explain tells every step of a translation, for the log; nil: nothing does.
	Explain func(*xlate.Input) string
	Config  Config
}

// megaflow is the record of a flow in the data path, which keeps it beside the
// flow. mu guards what follows it up to stale; what is from mask on never
// changes. A record is known to others from when it first joined an outcome,
// which may be before the data path has its flow.
type megaflow struct {
	mu     sync.Mutex
	out    *outcome // written with the index locked too, and first with that alone
	pushed pushed
	gen    uint64 // of the tables that out was right for
	gone   bool

	// stale says that the tables changed since: the index has it looked at.
	stale atomic.Bool
	// there says that the data path has the flow. Until then, one that it has of
	// that name is another's, and the record can't be mended.
	there atomic.Bool
	at    int32 // among the records that share out; guarded by the index

	mask    *sharedMask
	created int64 // nanoseconds of the clock
	ufid    datapath.UFID
	options *options // nil: the key has none
	key     dpKey    // last, as the garbage collector skips what has no pointers there
}

// pushed are the statistics of a flow that had their effects.
type pushed struct {
	packets, bytes uint64
	flags          uint16
}

// Engine is the datapath.UpcallHandler of a data path, and its revalidator.
// passMu is held during a pass; the rest is atomic or has its own lock. Records
// belong to the flows of the data path.
type Engine struct {
	opts    Options
	dp      datapath.Datapath
	clock   *clock.Clock
	pool    sync.Pool // of *translator
	masks   maskPool
	index   index
	seeds   [2]maphash.Seed
	conf    atomic.Pointer[Config]
	count   atomic.Int64
	limit   atomic.Int64 // flows allowed now, at most conf.FlowLimit
	highest atomic.Int64
	gen     atomic.Uint64 // moves when every flow may have become wrong
	due     atomic.Bool   // a pass over all flows
	wake    chan struct{}
	stop    chan struct{}
	stopped sync.WaitGroup

	noMegaflows atomic.Bool
	noUFID      atomic.Bool
	paused      atomic.Bool
	held        atomic.Bool

	average  atomic.Int64 // flows that passes saw
	duration atomic.Int64 // nanoseconds of the last pass

	passMu  sync.Mutex
	macGens map[string]uint64
	passed  int64 // when the last pass began, ns

	mu     sync.Mutex // guards what Start and Close touch
	timer  *clock.Timer
	unhook func()
	closed bool
}

// New makes an engine; it answers upcalls at once, and revalidates after Start.
func New(o Options) *Engine {
	e := &Engine{index: newIndex(), opts: o, dp: o.Datapath, clock: o.Clock, wake: make(chan struct{}, 1), stop: make(chan struct{}), macGens: map[string]uint64{}}
	e.pool.New = func() any { return &translator{Translator: xlate.NewTranslator()} }
	e.seeds = [2]maphash.Seed{maphash.MakeSeed(), maphash.MakeSeed()}
	e.Configure(o.Config)
	e.limit.Store(min(int64(e.conf.Load().FlowLimit), 10000))
	return e
}

// Configure changes the limits.
func (e *Engine) Configure(c Config) {
	c = c.filled()
	e.conf.Store(&c)
	e.limit.Store(min(e.limit.Load(), int64(c.FlowLimit)))
	e.Wake()
}

// Start begins revalidation: when something changed, and at least every
// MaxRevalidate of the clock's time.
func (e *Engine) Start() {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.unhook = e.clock.OnStep(e.Revalidate)
	e.timer = e.clock.AfterFunc(e.conf.Load().MaxRevalidate, e.tick)
	e.stopped.Add(1)
	go e.run()
}

func (e *Engine) tick() {
	e.due.Store(true)
	e.poke()
	e.mu.Lock()
	defer e.mu.Unlock()
	if !e.closed {
		e.timer.Reset(e.conf.Load().MaxRevalidate)
	}
}

func (e *Engine) run() {
	defer e.stopped.Done()
	for {
		select {
		case <-e.stop:
			return
		case <-e.wake:
			e.Settle()
		}
	}
}

// Settle brings the flows of the data path in line with the tables as they are
// when it is called: what changed before has its effect when it returns, unless
// revalidation is paused or held.
func (e *Engine) Settle() {
	e.passMu.Lock()
	defer e.passMu.Unlock()
	switch {
	case e.paused.Load() || e.held.Load():
	case e.due.Swap(false): // with the mutex, so that nobody else's pass has yet to begin
		e.pass()
	default:
		e.mend()
	}
}

// Wake says that tables or configuration changed, so that every flow must be
// looked at again. It doesn't wait.
func (e *Engine) Wake() {
	e.gen.Add(1)
	e.due.Store(true)
	e.poke()
}

func (e *Engine) poke() {
	select {
	case e.wake <- struct{}{}:
	default:
	}
}

// Hold leaves the flows of the data path as they are, and misses unanswered,
// until Release: while ports and tables that they depend on are not there yet.
func (e *Engine) Hold() { e.held.Store(true) }

// Release ends what Hold began.
func (e *Engine) Release() {
	if e.held.Swap(false) {
		e.Wake()
	}
}

// Close ends revalidation and removes all flows.
func (e *Engine) Close() {
	if e.Stop() {
		e.Purge()
	}
}

// Stop ends revalidation and leaves the flows; false says that it had ended
// already.
func (e *Engine) Stop() bool {
	e.mu.Lock()
	if e.closed {
		e.mu.Unlock()
		return false
	}
	e.closed = true
	if e.timer != nil {
		e.timer.Stop()
		e.unhook()
	}
	e.mu.Unlock()
	close(e.stop)
	e.stopped.Wait()
	return true
}

// enter counts a new record and has it share what its translation found. From
// then on the record may be mended, and share something else.
func (e *Engine) enter(m *megaflow, f *findings, seq uint64) *outcome {
	if n := e.count.Add(1); n > e.highest.Load() {
		e.highest.Store(n)
	}
	return e.join(m, f, seq)
}

// join makes a record share what a translation found. Its mutex is held, or
// nobody else knows it yet.
func (e *Engine) join(m *megaflow, f *findings, seq uint64) *outcome {
	o, fresh := e.index.join(m, f, seq)
	if fresh {
		e.ref(o.recircs)
	}
	return o
}

// drop gives back what a record held whose flow has gone.
func (e *Engine) drop(m *megaflow) {
	m.mu.Lock()
	m.gone = true
	out := m.out
	m.mu.Unlock()
	e.count.Add(-1)
	e.leave(m, out)
	e.masks.put(m.mask)
}

// leave ends that a record shares an outcome.
func (e *Engine) leave(m *megaflow, o *outcome) {
	if e.index.leave(m, o) {
		e.unref(o.recircs)
	}
}

// translator is a Translator with room for what it translates.
type translator struct {
	*xlate.Translator
	in    xlate.Input
	key   flow.Key // as in belongs to: with an OpenFlow port
	found findings
	mask  *sharedMask // of the last flow; it may be of none any more
}

// translator lends a translator until it is given back with release.
func (e *Engine) translator() *translator { return e.pool.Get().(*translator) }

// release gives a translator back. The pool may forget it, so it keeps no
// reference to a recirculation number.
func (e *Engine) release(tr *translator) {
	tr.Release()
	tr.in, tr.found = xlate.Input{}, findings{}
	e.pool.Put(tr)
}

func (e *Engine) ref(ids []uint32) {
	for _, id := range ids {
		e.opts.Snapshot().Recircs.Ref(id)
	}
}

func (e *Engine) unref(ids []uint32) {
	for _, id := range ids {
		e.opts.Snapshot().Recircs.Unref(id)
	}
}

// ufid names a flow by what it matches.
func (e *Engine) ufid(key *flow.Key, mask *flow.Mask) datapath.UFID {
	const most = flow.NumWords - flow.FirstOptionWord
	var what [2 * most]uint64
	n := 0
	k, m := key.Words(), mask.Words()
	for i := firstWord(mask); i < flow.NumWords; i++ {
		what[n], what[n+1] = k[i]&m[i], m[i]
		n += 2
	}
	var u datapath.UFID
	for i, seed := range e.seeds {
		h := maphash.Bytes(seed, unsafe.Slice((*byte)(unsafe.Pointer(&what)), 8*n))
		binary.LittleEndian.PutUint64(u[8*i:], h)
	}
	return u
}
