// Package userspace is the data path that forwards in this process: workers
// read packets from devices in batches, look them up in an exact-match cache
// and then among the megaflows, and execute actions on them. Lookups take no
// lock: the single writer of each structure publishes what readers see by
// atomic pointers.
//
// With Config.Synchronous there are no workers: a packet is processed, to its
// end, on the goroutine that brought it to a dummy device. That is the "dummy"
// data path of the tests. Devices that only threads may read (netdev.BusyPolled)
// have workers there, too.
//
// Workers are what users know as PMD threads: each has a core and a list of
// receive queues (rxq), which assignment deals out by the load that was
// measured, and balance deals out anew when it pays (pmd-auto-lb). Other than
// the original's they sleep when there is nothing to do.
package userspace

import (
	"fmt"
	"io/fs"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"weir/internal/clock"
	"weir/internal/datapath"
	"weir/internal/flow"
	"weir/internal/netdev"
	"weir/internal/numa"
	"weir/internal/tunnel"
	"weir/internal/vlog"
)

var log = vlog.For("dpif_netdev")

// Config is what a data path is made of.
type Config struct {
	Type string // "netdev" or "dummy"
	Name string // "ovs-netdev"
	// Clock is what flows' time of use is measured by.
	Clock *clock.Clock
	// Synchronous processes packets where they come in, without workers, and
	// numbers ports by the digits of their names.
	Synchronous bool
	// Workers is the number of threads that poll devices, where nobody asks for
	// certain cores; 0 for none.
	Workers int
	// OnDemand has threads only while a port has queues for them to poll.
	OnDemand bool
	// Topology is the cores there are; without any, threads are numbered.
	Topology numa.Topology
	// Local, when not nil, becomes port 0.
	Local netdev.Device
	// Mirror, when not nil, holds the flows as well.
	Mirror Mirror
	// Meter, when not nil, has the meters: it takes a packet's cost out of those
	// of a number and says whether the packet may go on. The methods about meters
	// are then of no use.
	Meter func(id uint32, bytes int) bool
	// Egress is the range of source ports of tunnels; nil: the usual one.
	Egress *tunnel.EgressPorts
}

// DP is a data path. Its mutex mu owns the flow and port tables as their only
// writer; packets are processed without it. The mutex conf, which is taken
// before mu, owns threads and their queues.
type DP struct {
	cfg     Config
	handler atomic.Pointer[handlerBox]
	ports   atomic.Pointer[portTable]
	meters  atomic.Pointer[map[uint32]*meter]
	cls     classifier
	mirror  Mirror
	workers atomic.Pointer[[]*worker] // polling threads, by core
	spare   spareWorkers
	egress  *tunnel.EgressPorts
	done    atomic.Bool
	caching caching
	txFlush atomic.Int64             // ns
	watches atomic.Pointer[[]*watch] // nil: nobody watches
	perfLog atomic.Pointer[PerfLog]

	conf         sync.Mutex
	running      bool // threads may run
	set          settings
	tuned        bool // set is what somebody wanted
	retired      []*worker
	gone         WorkerStats // of threads that have ended
	ticker       *clock.Timer
	pinned       int       // queues with a core of their own
	balanced     time.Time // when the automatic balancing last looked
	mainBaseline WorkerStats
	dealt        bool // queues were dealt out since the last look
	unprofitable bool // and then there was nothing to be balanced

	mu     sync.Mutex
	slots  int // of statistics that a new flow gets, besides the shared one
	byUFID ufids
	// all has every flow, mostly in the order in which they were put: so they
	// lie in memory, and a walk over many is quick.
	all  []*entry
	puts atomic.Uint64 // entries made so far, plus 1
}

// handlerBox lets an interface be swapped atomically.
type handlerBox struct{ h datapath.UpcallHandler }

var (
	_ datapath.Datapath = (*DP)(nil)
	_ datapath.Meterer  = (*DP)(nil)
	_ datapath.Tuner    = (*DP)(nil)
	_ datapath.Watcher  = (*DP)(nil)
)

// New makes a data path; its workers start with Start.
func New(cfg Config) (*DP, error) {
	d := &DP{cfg: cfg, mirror: cfg.Mirror}
	if d.mirror == nil {
		d.mirror = noMirror{}
	}
	if d.egress = cfg.Egress; d.egress == nil {
		d.egress = new(tunnel.EgressPorts)
	}
	d.ports.Store(newPortTable(nil, 0))
	d.meters.Store(&map[uint32]*meter{})
	d.cls.init()
	d.puts.Store(1)
	d.workers.Store(&[]*worker{})
	d.set = parseSettings(nil)
	d.caching.invert.Store(d.set.emcInvert)
	d.conf.Lock()
	err := d.resize()
	d.conf.Unlock()
	if err != nil {
		return nil, err
	}
	if cfg.Local != nil {
		if _, err := d.PortAdd(cfg.Local, cfg.Local.Type(), 0); err != nil {
			d.closeWorkers()
			return nil, err
		}
	}
	return d, nil
}

// Start lets the workers run.
func (d *DP) Start() {
	d.conf.Lock()
	defer d.conf.Unlock()
	d.running = true
	for _, w := range *d.workers.Load() {
		w.start()
	}
	d.tickOn()
}

// Type is that of the configuration.
func (d *DP) Type() string { return d.cfg.Type }

// Name is that of the configuration.
func (d *DP) Name() string { return d.cfg.Name }

// Features are all that the executor does.
func (d *DP) Features() datapath.Features {
	return datapath.Features{
		MaxVLANs:      flow.VLANLimit(),
		MaxMPLSLabels: flow.MaxMPLSLabels,
		Recirc:        true,
		Clone:         true,
		Trunc:         true,
		SampleNesting: 10,
		MaskedSet:     true,
		UFID:          true,
		CheckPktLen:   true,
		DropAction:    true,
		AddMPLS:       true,
		NDExt:         true,
		TNLPush:       true,
		MaxHashAlg:    datapath.HashSymL4,
	}
}

// Stats sums what the workers counted.
func (d *DP) Stats() datapath.DPStats {
	var s datapath.DPStats
	d.eachWorker(func(w *worker) {
		c := &w.counters
		s.Hit += c.cacheHit.Load() + c.signatureHit.Load() + c.megaHit.Load()
		s.Missed += c.miss.Load()
		s.Lost += c.lost.Load()
		s.MaskHit += c.maskHit.Load()
		s.CacheHit += c.cacheHit.Load()
	})
	d.conf.Lock()
	s.Hit += d.gone.CacheHits + d.gone.SignatureHits + d.gone.MegaflowHits
	s.Missed += d.gone.Missed
	s.Lost += d.gone.Lost
	s.MaskHit += d.gone.MaskHits
	s.CacheHit += d.gone.CacheHits
	d.conf.Unlock()
	d.mu.Lock()
	s.Flows = uint64(len(d.all))
	d.mu.Unlock()
	s.Masks = uint32(len(d.cls.snapshot.Load().tables))
	return s
}

// eachWorker calls fn for the workers, those that are about to end, and the
// shared ones of what runs outside of workers.
func (d *DP) eachWorker(fn func(*worker)) {
	d.conf.Lock()
	all := slices.Concat(*d.workers.Load(), d.retired)
	d.conf.Unlock()
	for _, w := range slices.Concat(all, d.spare.list()) {
		fn(w)
	}
}

// SetUpcallHandler connects the switch.
func (d *DP) SetUpcallHandler(h datapath.UpcallHandler) {
	if h == nil {
		d.handler.Store(nil)
		return
	}
	d.handler.Store(&handlerBox{h})
}

// Close stops the workers. Devices stay their owner's to close.
func (d *DP) Close() error {
	if d.done.Swap(true) {
		return nil
	}
	for _, p := range d.ports.Load().list {
		if n, ok := p.dev.(netdev.Notifier); ok {
			n.SetNotify(nil)
		}
	}
	d.closeWorkers()
	return nil
}

func (d *DP) closeWorkers() {
	d.conf.Lock()
	if d.ticker != nil {
		d.ticker.Stop()
	}
	all := slices.Concat(*d.workers.Load(), d.retired)
	d.conf.Unlock()
	for _, w := range all {
		w.stop()
	}
}

// now is the time that flows are stamped with.
func (d *DP) now() time.Time { return d.cfg.Clock.Now() }

func portError(no datapath.PortNo, err error) error {
	return fmt.Errorf("port %d: %w", no, err)
}

var (
	errExist    = fs.ErrExist
	errNotExist = fs.ErrNotExist
)
