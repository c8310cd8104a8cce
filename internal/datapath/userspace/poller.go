package userspace

import (
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"

	"weir/internal/clock"
	"weir/internal/netdev"
	"weir/internal/numa"
)

// poller is what makes a worker a polling thread: its core, the queues assigned
// to it and the descriptors that say when they have packets.
type poller struct {
	core  numa.Core
	bound bool // to its core

	epoll, wake int // epoll and eventfd descriptors
	queues      atomic.Pointer[[]*rxq]
	reload      atomic.Bool
	stopping    atomic.Bool
	started     atomic.Bool
	ended       atomic.Bool // written with ending held, as wake is written to
	ending      sync.Mutex
	stopped     sync.WaitGroup
	maxSleep    atomic.Int64 // ns

	// Of the thread itself.
	events  [64]unix.EpollEvent
	busy    []int // queues whose last batch was full
	mark    int64 // when the time was last charged to something
	packets int   // received in this iteration
	nap     int64 // ns to sleep after an iteration with little to do
	// registered are the descriptors that epoll knows.
	registered map[int]registration

	isolated bool  // owned by the reconfiguration mutex, as are the next two
	load     usage // busy time
	elapsed  usage
	since    int64 // when the interval under way began
}

// newPoller makes a polling thread, not yet running.
func (d *DP) newPoller(core numa.Core, bound bool, slot int) (*worker, error) {
	ep, err := unix.EpollCreate1(unix.EPOLL_CLOEXEC)
	if err != nil {
		return nil, err
	}
	wake, err := unix.Eventfd(0, unix.EFD_CLOEXEC|unix.EFD_NONBLOCK)
	if err != nil {
		_ = unix.Close(ep)
		return nil, err
	}
	if err := unix.EpollCtl(ep, unix.EPOLL_CTL_ADD, wake, &unix.EpollEvent{Events: unix.EPOLLIN, Fd: -1}); err != nil {
		_ = unix.Close(ep)
		_ = unix.Close(wake)
		return nil, err
	}
	w := d.newWorker(slot, netdev.MaxFrame)
	w.poller = &poller{core: core, bound: bound, epoll: ep, wake: wake, since: clock.Ticks(), registered: map[int]registration{}}
	w.poller.queues.Store(&[]*rxq{})
	w.poller.stopped.Add(1)
	return w, nil
}

// kick wakes the thread, unless it has ended.
func (w *worker) kick() {
	p := w.poller
	p.ending.Lock()
	defer p.ending.Unlock()
	if p.ended.Load() {
		return // the descriptor may be somebody else's by now
	}
	one := [8]byte{1}
	_, _ = unix.Write(p.wake, one[:])
}

// start lets a thread run, once.
func (w *worker) start() {
	if !w.poller.started.Swap(true) {
		go w.run()
	}
}

// retire asks the thread to end; it frees what it has when it does.
func (w *worker) retire() {
	w.poller.stopping.Store(true)
	w.kick()
	if !w.poller.started.Swap(true) {
		w.end() // it never ran
	}
}

// stop ends the thread and waits for it.
func (w *worker) stop() {
	w.retire()
	w.poller.stopped.Wait()
}

func (w *worker) end() {
	p := w.poller
	p.ending.Lock()
	p.ended.Store(true)
	_ = unix.Close(p.epoll)
	_ = unix.Close(p.wake)
	p.ending.Unlock()
	p.stopped.Done()
}

// bind ties the calling thread to the core. It stays locked to its goroutine
// and ends with it, since the next goroutine on it would be bound as well.
func (p *poller) bind() {
	runtime.LockOSThread()
	if !p.bound {
		return
	}
	var set unix.CPUSet
	set.Set(p.core.ID)
	if err := unix.SchedSetaffinity(0, &set); err != nil {
		log.Warn("PMD thread can't be bound to core %d: %v", p.core.ID, err)
	}
}

// sweepRounds is how many rounds a busy thread makes before it looks for
// queues that became ready meanwhile.
const sweepRounds = 8

// run polls until it is told to end. While queues bring full batches they are
// read in turn; when none does, the thread sleeps until a descriptor is ready.
func (w *worker) run() {
	p := w.poller
	defer w.end()
	p.bind()
	if !p.bound {
		defer runtime.UnlockOSThread()
	}
	var queues []*rxq
	p.mark = clock.Ticks()
	for round := 0; !p.stopping.Load(); round++ {
		begin, waited := p.mark, int64(0)
		if p.reload.Swap(false) {
			queues = *p.queues.Load()
			w.register(queues)
			w.drainNotifiers(queues)
		}
		w.serveBusy(queues)
		if len(p.busy) == 0 || round%sweepRounds == 0 {
			waited = w.await(queues)
		}
		w.perf.iteration(p.packets, p.mark-begin-waited, waited, w.dp.perfLog.Load())
		w.maybeNap()
	}
	w.flush()
}

// serveBusy reads the queues whose last batch was full.
func (w *worker) serveBusy(queues []*rxq) {
	p := w.poller
	next := p.busy[:0]
	for _, i := range p.busy {
		if n, again := w.service(queues[i]); n == batchSize || again {
			next = append(next, i)
		}
	}
	p.busy = next
}

// await looks which queues are ready, waiting for one if none was busy, and
// reads them. It returns how long it waited.
func (w *worker) await(queues []*rxq) int64 {
	p := w.poller
	timeout := -1
	if len(p.busy) > 0 || p.packets > 0 {
		timeout = 0 // what this round has done is to be counted before a sleep
	} else if w.held > 0 {
		timeout = w.flushHeld()
	}
	n, err := unix.EpollWait(p.epoll, p.events[:], timeout)
	now := clock.Ticks()
	waited := now - p.mark
	p.mark = now
	if err != nil {
		return waited // EINTR
	}
	for _, ev := range p.events[:n] {
		if ev.Fd < 0 {
			var buf [8]byte
			_, _ = unix.Read(p.wake, buf[:])
			w.drainNotifiers(queues)
			continue
		}
		i := int(ev.Fd)
		if i >= len(queues) || slices.Contains(p.busy, i) {
			continue
		}
		if n, _ := w.service(queues[i]); n == batchSize {
			p.busy = append(p.busy, i)
		}
	}
	return waited
}

// registration is a queue at its place in the list.
type registration struct {
	q  *rxq
	at int
}

// register tells epoll about the queues by their index. A descriptor may be
// the reused number of a closed one, which is another queue's then.
func (w *worker) register(queues []*rxq) {
	p := w.poller
	p.busy = p.busy[:0]
	for fd, r := range p.registered {
		if r.at >= len(queues) || queues[r.at] != r.q {
			_ = unix.EpollCtl(p.epoll, unix.EPOLL_CTL_DEL, fd, nil) // fails where it was closed
			delete(p.registered, fd)
		}
	}
	for i, q := range queues {
		if q.fd < 0 || p.registered[q.fd] == (registration{q, i}) {
			continue
		}
		p.registered[q.fd] = registration{q, i}
		ev := unix.EpollEvent{Events: unix.EPOLLIN, Fd: int32(i)}
		if unix.EpollCtl(p.epoll, unix.EPOLL_CTL_ADD, q.fd, &ev) == unix.EEXIST {
			_ = unix.EpollCtl(p.epoll, unix.EPOLL_CTL_MOD, q.fd, &ev)
		}
	}
}

// drainNotifiers polls the queues whose devices notify.
func (w *worker) drainNotifiers(queues []*rxq) {
	for _, q := range queues {
		if q.fd >= 0 {
			continue
		}
		for {
			n, again := w.service(q)
			if again {
				w.kick() // who is at it may have looked before the last packet came
			}
			if n == 0 {
				break
			}
		}
	}
}

// maybeNap sleeps after an iteration with few packets, if other_config:pmd-sleep-max
// allows it: a microsecond longer each time, so that more of them come in one
// batch and the core rests meanwhile.
func (w *worker) maybeNap() {
	p := w.poller
	most := p.maxSleep.Load()
	if most == 0 || p.packets == 0 {
		p.packets = 0
		return
	}
	if p.packets >= batchSize/2 {
		p.nap, p.packets = 0, 0
		return
	}
	p.packets = 0
	p.nap = min(p.nap+int64(time.Microsecond), most)
	ts := unix.NsecToTimespec(p.nap)
	_ = unix.Nanosleep(&ts, nil)
	now := clock.Ticks()
	w.perf.slept(now - p.mark)
	p.mark = now
}
