package userspace

import (
	"cmp"
	"maps"
	"slices"

	"weir/internal/clock"
	"weir/internal/netdev"
	"weir/internal/numa"
	"weir/internal/vlog"
)

// Tune applies other_config of the Open_vSwitch row.
func (d *DP) Tune(other map[string]string) {
	d.conf.Lock()
	defer d.conf.Unlock()
	was, s := d.set, parseSettings(other)
	d.set = s
	logSettings(&was, &s, !d.tuned)
	d.caching.invert.Store(s.emcInvert)
	d.caching.signatures.Store(s.smc)
	d.txFlush.Store(int64(s.txFlush))
	if was.balance != s.balance || !d.tuned {
		d.balanced = d.now()
	}
	d.tuned = true
	if was.cpuMask != s.cpuMask || was.assign != s.assign || was.isolate != s.isolate {
		d.reconfigure()
		return
	}
	d.tuneThreads()
}

// tuneThreads tells the threads what the settings say to each of them.
func (d *DP) tuneThreads() {
	for _, w := range *d.workers.Load() {
		w.poller.maxSleep.Store(int64(d.set.sleep.of(w.poller.core.ID)))
		switch {
		case !d.set.metrics:
			w.perf.detail.Store(nil)
		case w.perf.detail.Load() == nil:
			w.perf.detail.Store(newDetail(&w.perf))
		}
	}
}

// TunePort applies other_config of the Interface behind a port, and follows a
// change of the number of the device's queues.
func (d *DP) TunePort(name string, other map[string]string) {
	d.conf.Lock()
	defer d.conf.Unlock()
	p := d.ports.Load().byName[name]
	if p == nil {
		return
	}
	p.uncached.Store(other["emc-enable"] == "false")
	p.steered.Store(other["tx-steering"] == "hash")
	if !d.threaded(p) {
		return
	}
	pins, err := ParseAffinity(other["pmd-rxq-affinity"])
	if err != nil {
		log.Err("%s: pmd-rxq-affinity: %v; no queue is pinned", name, err)
	}
	d.pinned += len(pins) - len(p.pins)
	if maps.Equal(pins, p.pins) && len(p.rxqs) == p.dev.NumRxQueues() && p.node == nodeOf(p.dev) {
		return
	}
	p.pins = pins
	d.reconfigure()
}

// Rebalance deals the queues out anew by the load measured so far.
func (d *DP) Rebalance() {
	d.conf.Lock()
	defer d.conf.Unlock()
	d.reconfigure()
}

// wantedCores are the cores that shall have a thread, and whether they are
// asked for by name.
func (d *DP) wantedCores() (cores []numa.Core, named bool) {
	if (d.cfg.Synchronous || d.cfg.OnDemand) && !slices.ContainsFunc(d.ports.Load().list, d.threaded) {
		return nil, false
	}
	top := &d.cfg.Topology
	if d.set.cpuMask != "" {
		cores, err := top.Select(d.set.cpuMask)
		switch {
		case err != nil:
			log.Warn("pmd-cpu-mask: %v; the default is in force", err)
		case len(cores) == 0:
			log.Warn("pmd-cpu-mask %s names no core that there is; the default is in force", d.set.cpuMask)
		default:
			return cores, true
		}
	}
	if d.cfg.Synchronous && len(top.Cores) > 0 {
		return top.FirstOfEach(), false
	}
	for i := range d.cfg.Workers {
		core := numa.Core{ID: i}
		if i < len(top.Cores) {
			core = top.Cores[i]
		}
		cores = append(cores, core)
	}
	return cores, false
}

// resize makes and ends threads, so that each wanted core has one. The caller
// holds the reconfiguration mutex.
func (d *DP) resize() error {
	want, named := d.wantedCores()
	bound := named && d.cfg.Topology.Real
	d.bury()
	changed := false
	var keep []*worker
	for _, w := range *d.workers.Load() {
		if slices.Contains(want, w.poller.core) && w.poller.bound == bound {
			keep = append(keep, w)
			continue
		}
		changed = true
		d.retired = append(d.retired, w)
		log.Info("PMD thread on numa_id: %d, core id: %2d destroyed.", w.poller.core.Node, w.poller.core.ID)
	}
	have := len(keep)
	for _, core := range want {
		if slices.ContainsFunc(keep, func(w *worker) bool { return w.poller.core == core }) {
			continue
		}
		w, err := d.newPoller(core, bound, d.freeStatsSlot(keep))
		if err != nil {
			for _, made := range keep[have:] {
				made.retire()
			}
			return err
		}
		keep = append(keep, w)
		changed = true
		log.Info("PMD thread on numa_id: %d, core id: %2d created.", core.Node, core.ID)
	}
	slices.SortFunc(keep, func(a, b *worker) int { return cmp.Compare(a.poller.core.ID, b.poller.core.ID) })
	d.workers.Store(&keep)
	for _, w := range d.retired {
		w.retire()
	}
	if changed {
		d.logThreads(keep)
	}
	if d.running {
		for _, w := range keep {
			w.start()
		}
		d.tickOn()
	}
	d.tuneThreads()
	return nil
}

func (d *DP) logThreads(ws []*worker) {
	count := map[int]int{}
	for _, w := range ws {
		count[w.poller.core.Node]++
	}
	for _, node := range d.cfg.Topology.Nodes() {
		if count[node] > 0 {
			log.Info("There are %d pmd threads on numa node %d", count[node], node)
		}
	}
}

// bury keeps what threads counted that have ended by now.
func (d *DP) bury() {
	d.retired = slices.DeleteFunc(d.retired, func(w *worker) bool {
		if !w.poller.ended.Load() {
			return false
		}
		d.gone.add(w)
		return true
	})
}

// freeStatsSlot is the lowest place in flows' statistics that none of the
// threads has, nor one that may still run.
func (d *DP) freeStatsSlot(keep []*worker) int {
	slot := 1
	for taken := true; taken; {
		taken = false
		for _, w := range slices.Concat(keep, d.retired) {
			if w.slot == slot {
				slot, taken = slot+1, true
			}
		}
	}
	d.mu.Lock()
	d.slots = max(d.slots, slot)
	d.mu.Unlock()
	return slot
}

// reconfigure makes the threads that are wanted and deals the queues out to
// them. The caller holds the reconfiguration mutex.
func (d *DP) reconfigure() {
	if err := d.resize(); err != nil {
		log.Err("PMD threads: %v", err)
	}
	d.dealt = true
	threads := *d.workers.Load()
	a := d.assignment(threads)
	queues, demands := d.demands()
	if len(threads) > 0 {
		a.run(demands)
	}
	for _, n := range a.notes {
		logNote(n)
	}
	d.hand(threads, a.threads, queues, demands)
}

func logNote(n note) {
	if n.level == vlog.Warn {
		log.Warn("%s", n.text)
		return
	}
	log.Info("%s", n.text)
}

// assignment is one over the threads, none of which has a queue yet.
func (d *DP) assignment(threads []*worker) *assignment {
	a := &assignment{mode: d.set.assign, isolate: d.set.isolate}
	for _, w := range threads {
		a.threads = append(a.threads, &share{core: w.poller.core.ID, node: w.poller.core.Node})
	}
	return a
}

// demands lists the queues that threads poll, as they are and as the
// assignment sees them.
func (d *DP) demands() ([]*rxq, []*demand) {
	var queues []*rxq
	var demands []*demand
	for _, p := range d.ports.Load().list {
		if !d.threaded(p) {
			continue
		}
		p.follow()
		p.node = nodeOf(p.dev)
		for _, q := range p.rxqs {
			pin, ok := p.pins[q.q]
			if !ok {
				pin = -1
			}
			queues = append(queues, q)
			demands = append(demands, &demand{port: p.dev.Name(), queue: q.q, node: p.node, pin: pin, load: q.load.last(intervals)})
		}
	}
	return queues, demands
}

// nodeOf is the memory node of a device, 0 where it isn't known.
func nodeOf(dev netdev.Device) int {
	if t, ok := dev.(netdev.NodeTeller); ok {
		return max(t.Node(), 0)
	}
	return 0
}

// follow makes as many queues as the device has.
func (p *port) follow() {
	n := p.dev.NumRxQueues()
	if n == len(p.rxqs) && !slices.ContainsFunc(p.rxqs, func(q *rxq) bool { return p.dev.RecvFD(q.q) != q.fd }) {
		return
	}
	p.rxqs = slices.Clone(p.rxqs[:min(n, len(p.rxqs))])
	for i := range p.rxqs {
		if fd := p.dev.RecvFD(i); fd != p.rxqs[i].fd {
			p.rxqs[i] = &rxq{port: p, q: i, fd: fd}
		}
	}
	for i := len(p.rxqs); i < n; i++ {
		p.rxqs = append(p.rxqs, &rxq{port: p, q: i, fd: p.dev.RecvFD(i)})
	}
	list := slices.Clone(p.rxqs)
	p.byQueue.Store(&list)
}

// arranged reports whether users arrange queues and threads, or the data path
// has threads for some devices only. Where not, a port that comes or goes
// leaves the queues of the others where they are, so that it costs the same
// however many there are.
func (d *DP) arranged() bool {
	s := &d.set
	return d.cfg.Synchronous || d.cfg.OnDemand || s.cpuMask != "" || s.assign != AssignCycles || d.pinned > 0
}

// takeQueues gives the queues of a new port to the threads that have the fewest.
func (d *DP) takeQueues(p *port) {
	threads := *d.workers.Load()
	if len(threads) == 0 {
		return
	}
	p.follow()
	p.node = nodeOf(p.dev)
	for _, q := range p.rxqs {
		w := slices.MinFunc(threads, func(a, b *worker) int {
			return cmp.Compare(len(*a.poller.queues.Load()), len(*b.poller.queues.Load()))
		})
		w.serve(append(slices.Clone(*w.poller.queues.Load()), q))
	}
	d.dealt = true
}

// releaseQueues takes the queues of a port that has gone from the threads.
func (d *DP) releaseQueues(p *port) {
	for _, q := range p.rxqs {
		if w := q.owner.Swap(nil); w != nil {
			w.serve(slices.DeleteFunc(slices.Clone(*w.poller.queues.Load()), func(x *rxq) bool { return x == q }))
		}
	}
}

// serve gives a thread another list of queues; its load is measured anew.
func (w *worker) serve(list []*rxq) {
	p := w.poller
	for _, q := range list {
		q.owner.Store(w)
	}
	if slices.Equal(list, *p.queues.Load()) {
		return
	}
	p.load, p.elapsed, p.since = usage{}, usage{}, clock.Ticks()
	w.perf.interval.Store(0)
	p.queues.Store(&list)
	p.reload.Store(true)
	w.kick()
}

// hand gives the threads the queues that were assigned to them.
func (d *DP) hand(threads []*worker, shares []*share, queues []*rxq, demands []*demand) {
	for i, w := range threads {
		list := []*rxq{}
		for j, q := range demands {
			if q.core == w.poller.core.ID {
				list = append(list, queues[j])
			}
		}
		w.poller.isolated = shares[i].isolated
		w.serve(list)
	}
	for j, q := range demands {
		if q.core < 0 {
			queues[j].owner.Store(nil)
		}
	}
}
