package ebpf

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"runtime"
	"sync"

	"weir/internal/clock"
	"weir/internal/datapath"
	"weir/internal/datapath/ebpf/program"
	"weir/internal/datapath/userspace"
	"weir/internal/flow"
	"weir/internal/netdev"
	"weir/internal/vlog"
)

var log = vlog.For("dpif_ebpf")

// Config is what a data path is made of.
type Config struct {
	Type string // "system" or "ebpf"
	Name string // "ovs-system"
	// RunDir tells the data paths of several switches on one machine apart.
	RunDir string
	// Clock is what flows' time of use is measured by.
	Clock *clock.Clock
	// Probes knows what the kernel can do.
	Probes *Probes
	// MaxFlows is how many flows fit into the kernel's tables, 0 for the
	// default; memory for them is taken at once. Further flows are served by
	// user space.
	MaxFlows int
	// Temporary keeps nothing for a later process.
	Temporary bool
}

// DP is the data path. Its mutex owns the ports; flows are owned by the data
// path in user space.
type DP struct {
	cfg     Config
	soft    *userspace.DP
	mirror  *mirror
	set     *program.Set
	tap     *missTap
	pins    pinDir   // empty: nothing is pinned
	taken   *os.File // pins' lock, which keeps other processes away
	pollers []*poller
	slow    slowCounters
	life    life

	mu      sync.Mutex
	ports   map[datapath.PortNo]*port
	adopted map[datapath.PortNo]program.Port // of an earlier process, not claimed yet
	former  io.Closer                        // what keeps the programs of an earlier process going, nil: nothing
	swept   bool                             // devices that were left behind are gone
	closed  bool
}

var (
	_ datapath.Datapath = (*DP)(nil)
	_ datapath.Meterer  = (*DP)(nil)
)

// errClosed answers whoever asks a closed data path for something.
var errClosed = fmt.Errorf("the data path is closed: %w", fs.ErrClosed)

// New makes a data path, or takes over the one that an earlier process of the
// same name and directory left: its flows, with their statistics, forward
// without a pause. The error is a *FeatureError where the kernel lacks
// something.
func New(cfg Config) (*DP, error) {
	if cfg.Probes == nil {
		cfg.Probes = new(Probes)
	}
	if err := cfg.Probes.Available(); err != nil {
		return nil, err
	}
	d := &DP{cfg: cfg, life: newLife(), ports: map[datapath.PortNo]*port{}, adopted: map[datapath.PortNo]program.Port{}}
	if err := d.open(); err != nil {
		_ = d.Close()
		return nil, err
	}
	return d, nil
}

func (d *DP) open() (err error) {
	if !d.cfg.Temporary {
		if d.pins, d.taken, err = newPinDir(d.cfg.Name, d.cfg.RunDir); err != nil {
			say := log.Info
			if errors.Is(err, errTaken) {
				say = log.Warn
			}
			say("%s: flows won't outlive this process: %v", d.cfg.Name, err)
		}
	}
	adopted, err := d.openSet()
	if err != nil {
		return err
	}
	d.mirror = newMirror(d.set, d.cfg.Clock)
	d.soft, err = userspace.New(userspace.Config{
		Type: d.cfg.Type, Name: d.cfg.Name, Clock: d.cfg.Clock, Mirror: d.mirror, Meter: d.passMeter,
		Workers: 1, OnDemand: true, // for the ports that no program has
	})
	if err != nil {
		return err
	}
	d.mirror.offer = d.soft.Offer
	d.tap, err = newMissTap(upcallPortOffset)
	if err != nil {
		return err
	}
	if err := d.tap.attach(d.set.Upcall()); err != nil {
		return err
	}
	for range max(1, min(runtime.NumCPU(), maxPollers)) {
		p, err := newPoller(d)
		if err != nil {
			return err
		}
		d.pollers = append(d.pollers, p)
	}
	d.watch(d.tap.queues[0])
	if adopted {
		d.adopt()
	}
	return nil
}

// dimensions are those of the kernel's tables.
func (d *DP) dimensions() program.Config {
	return program.Config{MaxFlows: d.cfg.MaxFlows, VLANLimit: vlanLimit(), Kernel: kernelOf(d.cfg.Probes.All())}
}

// vlanLimit is how many tags programs read.
func vlanLimit() int { return min(flow.VLANLimit(), 2) }

// openSet opens the kernel's tables, those of an earlier process if they fit.
func (d *DP) openSet() (adopted bool, err error) {
	if d.pins != "" {
		d.set, err = program.Open(string(d.pins), d.dimensions())
		if err == nil {
			return true, nil
		}
		if !errors.Is(err, fs.ErrNotExist) {
			log.Info("%s: starting with empty tables: %v", d.cfg.Name, err)
		}
	}
	d.set, err = program.New(d.dimensions())
	if err != nil || d.pins == "" {
		return false, err
	}
	return false, d.replacePins()
}

// replacePins pins the new tables in the place of those of an earlier process,
// whose programs stay at its ports, with its flows, until Settle.
func (d *DP) replacePins() error {
	if ports, err := program.PinnedPorts(string(d.pins)); err == nil {
		d.adopted = ports
	}
	d.former, _ = program.KeepPrograms(string(d.pins))
	if err := program.Unpin(string(d.pins)); err != nil {
		return err
	}
	return d.set.Pin(string(d.pins))
}

// Start lets packets that come up be handled.
func (d *DP) Start() {
	d.soft.Start()
	d.mirror.start()
	for _, p := range d.pollers {
		go p.run()
	}
}

// Type is that of the configuration.
func (d *DP) Type() string { return d.cfg.Type }

// Name is that of the configuration.
func (d *DP) Name() string { return d.cfg.Name }

// Features are all that user space does, by which programs that can't do
// something are helped out.
func (d *DP) Features() datapath.Features { return d.soft.Features() }

// Probed are what the kernel was found to have.
func (d *DP) Probed() []Feature { return d.cfg.Probes.All() }

// Stats sums what programs and user space counted.
func (d *DP) Stats() datapath.DPStats {
	s := d.soft.Stats()
	c := d.counters()
	s.Hit += c.Hits
	s.Lost += c.Lost
	s.MaskHit += c.Probes
	s.CacheHit += c.HintHits
	return s
}

// counters are those of the programs, none of a closed data path.
func (d *DP) counters() program.Counters {
	if !d.life.enter() {
		return program.Counters{}
	}
	defer d.life.leave()
	return d.set.Counters()
}

// PortOpenType is typ itself: a port's device has its own type in the kernel.
func (d *DP) PortOpenType(typ string) string { return typ }

// FlowPut installs or changes a flow.
func (d *DP) FlowPut(f *datapath.Flow, mode datapath.PutMode) error {
	if !d.life.enter() {
		return errClosed
	}
	defer d.life.leave()
	return d.soft.FlowPut(f, mode)
}

// FlowDel removes a flow and returns its last statistics.
func (d *DP) FlowDel(ufid datapath.UFID, key *flow.Key) (datapath.Stats, error) {
	if !d.life.enter() {
		return datapath.Stats{}, errClosed
	}
	defer d.life.leave()
	d.mirror.tick()
	return d.soft.FlowDel(ufid, key)
}

// FlowGet finds a flow.
func (d *DP) FlowGet(ufid datapath.UFID, key *flow.Key) (*datapath.Flow, error) {
	if !d.life.enter() {
		return nil, errClosed
	}
	defer d.life.leave()
	d.mirror.tick()
	return d.soft.FlowGet(ufid, key)
}

// FlowDump yields the flows there were when it began.
func (d *DP) FlowDump(yield func(*datapath.Flow) bool) {
	if !d.life.enter() {
		return
	}
	defer d.life.leave()
	d.mirror.tick()
	d.soft.FlowDump(yield)
}

// DumpStats yields the statistics of the flows there were when it began.
func (d *DP) DumpStats(batch []datapath.FlowStats, yield func([]datapath.FlowStats) bool) {
	if !d.life.enter() {
		return
	}
	defer d.life.leave()
	d.mirror.tick()
	d.soft.DumpStats(batch, yield)
}

// FlowOwn gives a flow an owner.
func (d *DP) FlowOwn(ufid datapath.UFID, owner any) (*datapath.Flow, error) {
	if !d.life.enter() {
		return nil, errClosed
	}
	defer d.life.leave()
	d.mirror.tick()
	return d.soft.FlowOwn(ufid, owner)
}

// FlowFlush removes all flows.
func (d *DP) FlowFlush() error {
	if !d.life.enter() {
		return errClosed
	}
	defer d.life.leave()
	return d.soft.FlowFlush()
}

// Execute runs actions on a packet, which they may change.
func (d *DP) Execute(pkt *netdev.Packet, key *flow.Key, actions []datapath.Action) error {
	if !d.life.enter() {
		return errClosed
	}
	defer d.life.leave()
	return d.soft.Execute(pkt, key, actions)
}

// SetUpcallHandler connects the switch.
func (d *DP) SetUpcallHandler(h datapath.UpcallHandler) { d.soft.SetUpcallHandler(h) }

// Watch shows packets as they pass, of which the programs send up copies.
func (d *DP) Watch(w *datapath.Watch) (stop func()) { return d.soft.Watch(w) }

// Close ends this process's part. What is pinned goes on forwarding; a
// Temporary data path ends whole.
func (d *DP) Close() error { return d.end(d.pins == "") }

// Destroy ends the data path and leaves nothing behind.
func (d *DP) Destroy() error { return d.end(true) }

func (d *DP) end(everything bool) error {
	d.mu.Lock()
	if d.closed {
		d.mu.Unlock()
		return nil
	}
	d.closed = true
	ports := d.ports
	d.ports = nil
	d.mu.Unlock()
	d.life.end()
	for _, p := range d.pollers {
		p.stop()
	}
	if d.mirror != nil {
		d.mirror.detach()
	}
	if d.soft != nil {
		_ = d.soft.Close()
	}
	var errs []error
	if everything {
		errs = append(errs, d.discardUnclaimed())
	}
	for _, p := range ports {
		errs = append(errs, p.leave(d, everything))
	}
	if d.tap != nil {
		d.tap.close()
	}
	if d.set != nil {
		d.set.Close()
	}
	if everything && d.pins != "" {
		errs = append(errs, d.pins.clear())
	}
	if d.taken != nil {
		_ = d.taken.Close()
	}
	return errors.Join(errs...)
}

// upcallPortOffset is where the header of an upcall has the port, in host order.
const upcallPortOffset = 8
