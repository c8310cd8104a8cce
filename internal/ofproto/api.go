package ofproto

import (
	"crypto/rand"
	"fmt"
	"io/fs"
	"maps"
	"slices"
	"sync"
	"sync/atomic"

	"weir/internal/clock"
	"weir/internal/datapath"
	"weir/internal/netdev"
	"weir/internal/openflow"
	"weir/internal/pipeline"
	"weir/internal/protocol/maclearn"
	"weir/internal/stream"
	"weir/internal/trace"
	"weir/internal/upcall"
	"weir/internal/vlog"
	"weir/internal/xlate"
)

var log = vlog.For("ofproto")

// Backend is what the bridges of one data path type share: the data path
// itself, the snapshot of configuration that translation reads, and the engine
// that answers upcalls and revalidates flows. All its methods may be called
// from any goroutine but those of the data path's workers.
type Backend struct {
	opts   Options
	dp     datapath.Datapath
	clock  *clock.Clock
	engine *upcall.Engine
	recirc *xlate.Recircs
	drops  *xlate.Drops

	// snapshot is what translation reads; dirty says that it must be built
	// again before anybody may read it.
	snapshot atomic.Pointer[xlate.Config]
	dirty    atomic.Bool

	// features, when not nil, stand in for those of the data path.
	features atomic.Pointer[datapath.Features]

	bundleTimeout atomic.Int64 // a time.Duration; 0: the default

	mu      sync.Mutex // owns all that follows, and the bridges' configuration
	bridges map[string]*Bridge
	byID    map[[16]byte]*Bridge
	timer   *clock.Timer
	closed  bool
	ticking sync.Mutex // held by tick; never taken while mu is held

	meterIDs meterPool
	// underlays are the data path's devices that carry tunnels, by name.
	underlays map[string]*underlay
	tunnels   atomic.Int32 // ports that use them
}

// Options are what a Backend is made of.
type Options struct {
	Datapath datapath.Datapath
	Clock    *clock.Clock
	// Stream is how controllers are reached and where relative socket names lie.
	Stream stream.Options
	// RunDir is where the sockets BRIDGE.mgmt and BRIDGE.snoop are; empty for none.
	RunDir string
	Upcall upcall.Config
	// Router finds the way to remotes of in-band control; nil when the host's
	// routes are not to be used.
	Router Router
	// Reach is how tunnels find their other ends where translation builds the outer
	// headers; nil: devices of the data path do.
	Reach *xlate.Reach
	// DevicesFirst is that of xlate.Config.
	DevicesFirst bool
}

// NewBackend makes a backend without bridges and connects it to the data path.
// Start makes it work.
func NewBackend(o Options) *Backend {
	be := &Backend{
		opts: o, dp: o.Datapath, clock: o.Clock,
		recirc:  xlate.NewRecircs(),
		drops:   xlate.NewDrops(),
		bridges: map[string]*Bridge{},
		byID:    map[[16]byte]*Bridge{},
	}
	be.dirty.Store(true)
	be.engine = upcall.New(upcall.Options{
		Datapath: o.Datapath, Clock: o.Clock, Snapshot: be.Snapshot,
		PacketIn: be.packetIn, Explain: trace.Explain, Config: o.Upcall,
	})
	o.Datapath.SetUpcallHandler(be.engine)
	return be
}

// Start begins revalidation and the expiry of flows and addresses.
func (be *Backend) Start() {
	be.engine.Start()
	be.startTimers()
}

// Datapath is the data path behind the bridges.
func (be *Backend) Datapath() datapath.Datapath { return be.dp }

// Drops are the reasons for which packets of the bridges were dropped.
func (be *Backend) Drops() *xlate.Drops { return be.drops }

// Features are what translation makes use of.
func (be *Backend) Features() datapath.Features {
	if f := be.features.Load(); f != nil {
		return *f
	}
	return be.dp.Features()
}

// SetFeatures has translation make use of other features than those that the
// data path says it has.
func (be *Backend) SetFeatures(f datapath.Features) {
	be.features.Store(&f)
	be.invalidate()
	be.engine.Purge()
}

// Engine answers the upcalls and keeps the megaflows.
func (be *Backend) Engine() *upcall.Engine { return be.engine }

// Close takes down bridges that are left, flows and the engine. The data path
// stays open: it is its opener's. Nothing asks it for anything afterwards.
func (be *Backend) Close() {
	for _, b := range be.Bridges() {
		b.Destroy()
	}
	be.stopTimers()
	be.engine.Close()
	be.dp.SetUpcallHandler(nil)
}

// Leave is Close where the data path forwards on for the next process: its flows,
// ports and meters stay as they are.
func (be *Backend) Leave() {
	be.engine.Hold() // controllers that go are no reason to change a flow
	be.engine.Stop()
	for _, b := range be.Bridges() {
		b.leave()
	}
	be.stopTimers()
	be.dp.SetUpcallHandler(nil)
}

// Bridges lists the bridges by name.
func (be *Backend) Bridges() []*Bridge {
	be.mu.Lock()
	defer be.mu.Unlock()
	return be.sorted()
}

// Unlisten takes the bridges' sockets away for good, as must happen where the
// process dies without closing the bridges.
func (be *Backend) Unlisten() {
	for _, b := range be.Bridges() {
		b.conns.unlisten()
	}
}

func (be *Backend) sorted() []*Bridge {
	out := make([]*Bridge, 0, len(be.bridges))
	for _, b := range be.bridges {
		out = append(out, b)
	}
	slices.SortFunc(out, func(a, b *Bridge) int { return CompareNames(a.name, b.name) })
	return out
}

// Bridge finds a bridge by name, nil for none.
func (be *Backend) Bridge(name string) *Bridge {
	be.mu.Lock()
	defer be.mu.Unlock()
	return be.bridges[name]
}

// Bridge is one bridge: an OpenFlow switch with its ports, tables and
// controllers. The backend's mu owns its configuration; sessions have their own.
type Bridge struct {
	be   *Backend
	name string
	id   [16]byte // in data path cookies
	pipe *pipeline.Pipeline
	macs *maclearn.Table
	// fates are flows of the internal table; they never change.
	fates xlate.Fates

	// Guarded by be.mu.
	cfg      Config
	ports    map[openflow.PortNo]*port
	byName   map[string]*port
	bundles  map[string]*bundle
	nextPort openflow.PortNo
	// nextBundle is the seq of the next bundle.
	nextBundle uint64
	gone       bool
	mirrors    mirrorCounters
	inBand     bool // there are flows of in-band control
	frags      openflow.FragHandling

	conns     *connManager
	vacancies vacancies
	meters    bridgeMeters
}

// NewBridge makes a bridge without ports. It fails with fs.ErrExist when there
// is one of that name. Its .mgmt and .snoop sockets listen from now on.
func (be *Backend) NewBridge(cfg Config) (*Bridge, error) {
	b := &Bridge{
		be: be, name: cfg.Name,
		ports: map[openflow.PortNo]*port{}, byName: map[string]*port{},
		bundles: map[string]*bundle{},
		macs:    maclearn.New(cfg.MACAging, cfg.MACTableSize),
	}
	_, _ = rand.Read(b.id[:])
	b.pipe = pipeline.New(be.engine.Changed)
	b.internalRules()
	b.conns = newConnManager(b)
	be.mu.Lock()
	if be.bridges[cfg.Name] != nil {
		be.mu.Unlock()
		return nil, fmt.Errorf("bridge %s: %w", cfg.Name, fs.ErrExist)
	}
	be.bridges[cfg.Name] = b
	be.byID[b.id] = b
	b.cfg = cfg
	b.configureMirrors(cfg.Mirrors)
	be.invalidate()
	be.mu.Unlock()
	b.configure(cfg)
	b.conns.flowsFlushed()
	return b, nil
}

// Destroy takes the bridge down: its sessions, flows and ports.
func (b *Bridge) Destroy() {
	b.conns.close()
	b.syncMeters(false)
	for _, no := range b.leavePorts() {
		_ = b.DelPort(no)
	}
	b.forget()
}

// leave is Destroy that changes nothing in the data path.
func (b *Bridge) leave() {
	b.conns.close()
	b.leavePorts()
	b.forget()
}

// leavePorts has the bridge take no port any more, and lists those that it has.
func (b *Bridge) leavePorts() []openflow.PortNo {
	b.be.mu.Lock()
	defer b.be.mu.Unlock()
	b.gone = true
	return slices.Collect(maps.Keys(b.ports))
}

// forget has the backend know the bridge no more.
func (b *Bridge) forget() {
	be := b.be
	be.mu.Lock()
	defer be.mu.Unlock()
	delete(be.bridges, b.name)
	delete(be.byID, b.id)
	be.invalidate()
}

// Name is the name of the bridge.
func (b *Bridge) Name() string { return b.name }

// Backend is what the bridge shares with others.
func (b *Bridge) Backend() *Backend { return b.be }

// Pipeline is the bridge's flow tables.
func (b *Bridge) Pipeline() *pipeline.Pipeline { return b.pipe }

// MACs is the table of learned addresses.
func (b *Bridge) MACs() *maclearn.Table { return b.macs }

// DPID is the datapath identifier in force.
func (b *Bridge) DPID() uint64 {
	b.be.mu.Lock()
	defer b.be.mu.Unlock()
	return b.cfg.DPID
}

// Configure applies a configuration. It costs what changed. The error names what of it
// can't be; the rest is in force.
func (b *Bridge) Configure(cfg Config) error {
	b.configure(cfg)
	for _, id := range slices.Sorted(maps.Keys(cfg.Tables)) {
		if err := pipeline.CheckPrefixes(cfg.Tables[id].Prefixes); err != nil {
			return fmt.Errorf("bridge %s: table %d: %w", b.name, id, err)
		}
	}
	return nil
}

func (b *Bridge) configure(cfg Config) {
	be := b.be
	be.mu.Lock()
	old := b.cfg
	b.cfg = cfg
	b.configureMirrors(cfg.Mirrors)
	be.invalidate()
	be.mu.Unlock()
	b.macs.Configure(cfg.MACAging, cfg.MACTableSize, cfg.FloodVLANs)
	b.conns.configure(old, cfg)
	b.updateInBand()
	now := be.clock.Now()
	for id := range uint8(pipeline.NumTables - 1) {
		want := tableConf(b.pipe.Table(id).Conf(), cfg.Tables, id)
		if want == nil {
			continue
		}
		events, _ := b.pipe.ConfigureTable(id, *want, now) // there is that table
		b.flowEvents(events, nil)
	}
}

// tableConf is what the configuration makes of a table, nil when that is how
// it is already.
func tableConf(cur *pipeline.TableConf, conf map[uint8]TableConfig, id uint8) *pipeline.TableConf {
	want := *cur
	tc, ok := conf[id]
	if !ok {
		tc.Limit = -1
	}
	if tc.Name != "" || cur.NameLevel == 2 {
		want.Name, want.NameLevel = tc.Name, 0
		if tc.Name != "" {
			want.NameLevel = 2
		}
	}
	want.Limit, want.Evict, want.EvictGroups, want.Prefixes = tc.Limit, tc.Evict, tc.Groups, tc.Prefixes
	if want.Name == cur.Name && want.NameLevel == cur.NameLevel && want.Limit == cur.Limit && want.Evict == cur.Evict &&
		slices.Equal(want.EvictGroups, cur.EvictGroups) && slices.Equal(want.Prefixes, cur.Prefixes) {
		return nil
	}
	return &want
}

// SetControllers replaces the configured controllers and listeners.
func (b *Bridge) SetControllers(cs []ControllerConfig) {
	b.conns.setControllers(cs)
	b.updateInBand()
}

// ControllerStatus tells how each configured controller does, by target.
func (b *Bridge) ControllerStatus() map[string]ControllerStatus { return b.conns.status() }

// ReconnectControllers drops the connections to the controllers, which then
// are made anew.
func (b *Bridge) ReconnectControllers() { b.conns.reconnect() }

// AddPort attaches a port and returns its number. It fails with fs.ErrExist
// when the bridge has a port of that name.
func (b *Bridge) AddPort(pc PortConfig) (openflow.PortNo, error) { return b.addPort(pc) }

// DelPort detaches a port; its device stays open. It fails with
// fs.ErrNotExist when there is none.
func (b *Bridge) DelPort(no openflow.PortNo) error { return b.delPort(no) }

// SetPeer says which port, by name, is the other end of a patch port.
func (b *Bridge) SetPeer(no openflow.PortNo, peer string) error {
	b.be.mu.Lock()
	defer b.be.mu.Unlock()
	p := b.ports[no]
	if p == nil {
		return fmt.Errorf("bridge %s: port %d: %w", b.name, no, fs.ErrNotExist)
	}
	if p.conf.Peer != peer {
		p.conf.Peer = peer
		b.be.invalidate()
	}
	return nil
}

// SetBundle makes or changes a bundle. Its ports leave the bundles that they
// were in.
func (b *Bridge) SetBundle(bc BundleConfig) error { return b.setBundle(bc) }

// DelBundle removes a bundle; its ports stay, in no bundle.
func (b *Bridge) DelBundle(name string) { b.delBundle(name) }

// PortStats are the counters of a port, as netdev gives them; those of patch
// ports are counted in translation.
func (b *Bridge) PortStats(no openflow.PortNo) (netdev.Stats, error) {
	b.be.mu.Lock()
	p := b.ports[no]
	b.be.mu.Unlock()
	if p == nil {
		return netdev.Stats{}, fmt.Errorf("bridge %s: port %d: %w", b.name, no, fs.ErrNotExist)
	}
	return p.stats()
}

// Refresh looks for changes of the ports' devices and tells controllers.
func (b *Bridge) Refresh() {
	b.refreshPorts()
	b.updateInBand()
}
