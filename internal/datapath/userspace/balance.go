package userspace

import (
	"weir/internal/clock"
)

// tickOn starts measuring the load of threads, if there are any. The caller
// holds the reconfiguration mutex.
func (d *DP) tickOn() {
	if d.ticker == nil && len(*d.workers.Load()) > 0 {
		d.balanced = d.now()
		d.ticker = d.cfg.Clock.AfterFunc(intervalLen, d.tick)
	}
}

// tick ends an interval: what was measured in it becomes history.
func (d *DP) tick() {
	d.conf.Lock()
	defer d.conf.Unlock()
	if d.done.Load() {
		return
	}
	now := clock.Ticks()
	for _, w := range *d.workers.Load() {
		p := w.poller
		p.load.push(uint64(w.perf.interval.Swap(0)))
		p.elapsed.push(uint64(now - p.since))
		p.since = now
		for _, q := range *p.queues.Load() {
			q.load.push(uint64(q.busy.Swap(0)))
		}
	}
	d.balance()
	d.ticker.Reset(intervalLen)
}

// balance deals the queues out anew where that pays (pmd-auto-lb). The caller
// holds the reconfiguration mutex.
func (d *DP) balance() {
	s := &d.set.balance
	if !s.on || d.now().Sub(d.balanced) < s.interval {
		return
	}
	d.balanced = d.now()
	threads := *d.workers.Load()
	overloaded := false
	for _, w := range threads {
		overloaded = overloaded || !w.poller.isolated && w.percent(intervals) >= uint64(s.load)
	}
	if overloaded && d.canBalance(threads) && d.pays(threads) {
		log.Info("PMD auto load balance dry run. Requesting datapath reconfigure.")
		d.reconfigure()
	}
}

// percent is the share of the last n intervals that the thread was busy.
func (w *worker) percent(n int) uint64 {
	total := w.poller.elapsed.last(n)
	if total == 0 {
		return 0
	}
	return w.poller.load.last(n) * 100 / total
}

// canBalance reports whether there is anything to be balanced: at least two
// threads that take any queue, of which one has two queues.
func (d *DP) canBalance(threads []*worker) bool {
	changed := d.dealt
	d.dealt = false
	open, crowded := 0, false
	for _, w := range threads {
		n := len(*w.poller.queues.Load())
		if n > 0 && !w.poller.isolated {
			open++
			crowded = crowded || n > 1
		}
	}
	switch {
	case d.set.assign == AssignRoundRobin:
		log.Dbg("PMD auto load balance nothing to do, pmd-rxq-assign=roundrobin assignment type configured.")
	case !changed && d.unprofitable:
		log.Dbg("PMD auto load balance nothing to do, no configuration changes since last check.")
	case open < 2 || !crowded:
		d.unprofitable = true
		log.Dbg("PMD auto load balance nothing to do, not enough non-isolated PMDs or RxQs.")
	default:
		d.unprofitable = false
		return true
	}
	return false
}

// pays tries an assignment, and reports whether on some node it makes the loads
// of the threads so much more equal that it is worth moving queues.
func (d *DP) pays(threads []*worker) bool {
	log.Dbg("PMD auto load balance performing dry run.")
	a := d.assignment(threads)
	_, demands := d.demands()
	a.run(demands)
	nodes := map[int]bool{}
	for _, t := range a.threads {
		nodes[t.node] = true
	}
	for _, q := range demands {
		if len(nodes) > 1 && q.spans {
			log.Dbg("PMD auto load balance detected cross-numa polling with multiple numa nodes. Unable to accurately estimate.")
			return false
		}
	}
	best := uint64(0)
	for _, node := range d.cfg.Topology.Nodes() {
		if nodes[node] {
			best = max(best, d.improvement(node, threads, a))
		}
	}
	ok := best >= uint64(d.set.balance.improvement)
	verdict := "not sufficient"
	if ok {
		verdict = "satisfied"
	}
	log.Dbg("PMD load variance improvement threshold %d%% is %s.", d.set.balance.improvement, verdict)
	return ok
}

// improvement is by how many percent the variance of the loads of a node's
// threads becomes less.
func (d *DP) improvement(node int, threads []*worker, a *assignment) uint64 {
	var now, then []uint64
	for i, w := range threads {
		if w.poller.core.Node != node || w.poller.isolated {
			continue
		}
		total := max(w.poller.elapsed.last(intervals), 1)
		var load uint64
		for _, q := range *w.poller.queues.Load() {
			load += q.load.last(intervals)
		}
		now = append(now, load*100/total)
		then = append(then, a.threads[i].load*100/total)
	}
	current, estimated := spread(now), spread(then)
	var better uint64
	if estimated < current {
		better = (current - estimated) * 100 / current
	}
	log.Dbg("Numa node %d. Current variance %d Estimated variance %d. Variance improvement %d%%.", node, current, estimated, better)
	return better
}

// QueueLoad is a receive queue with the share of its thread's time, in percent;
// -1 where nothing has been measured yet.
type QueueLoad struct {
	Port    string
	Queue   int
	Enabled bool
	Percent int
}

// ThreadLoad is a polling thread with its queues and what else it spent time on
// while it had packets, in percent.
type ThreadLoad struct {
	Core, Node int
	Isolated   bool
	Queues     []QueueLoad
	Overhead   int
	MaxSleep   int64 // ns
}

// Threads are the polling threads by core, with what was measured in the last
// intervals of five seconds, at most twelve.
func (d *DP) Threads(last int) []ThreadLoad {
	d.conf.Lock()
	defer d.conf.Unlock()
	var out []ThreadLoad
	for _, w := range *d.workers.Load() {
		out = append(out, w.loads(min(last, intervals)))
	}
	return out
}

func (w *worker) loads(last int) ThreadLoad {
	p := w.poller
	n := min(last, p.elapsed.n)
	t := ThreadLoad{Core: p.core.ID, Node: p.core.Node, Isolated: p.isolated, Overhead: -1, MaxSleep: p.maxSleep.Load()}
	total := p.elapsed.last(n)
	percent := func(v uint64) int {
		if n == 0 || total == 0 {
			return -1
		}
		return int((v*100 + total/2) / total)
	}
	var sum uint64
	for _, q := range *p.queues.Load() {
		v := q.load.last(n)
		sum += v
		t.Queues = append(t.Queues, QueueLoad{Port: q.port.dev.Name(), Queue: q.q, Enabled: true, Percent: percent(v)})
	}
	if busy := p.load.last(n); busy >= sum {
		t.Overhead = percent(busy - sum)
	} else {
		t.Overhead = percent(0)
	}
	return t
}

// DefaultMaxSleep is how long a thread may sleep for which nothing else is
// said, ns.
func (d *DP) DefaultMaxSleep() int64 {
	d.conf.Lock()
	defer d.conf.Unlock()
	return int64(d.set.sleep.most)
}
