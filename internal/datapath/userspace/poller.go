package userspace

import (
	"runtime"
	"slices"
	"sync"
	"sync/atomic"

	"golang.org/x/sys/unix"

	"weir/internal/netdev"
)

// poller is what makes a worker a polling thread: the queues assigned to it
// and the descriptors that say when they have packets.
type poller struct {
	epoll, wake int // epoll and eventfd descriptors
	queues      atomic.Pointer[[]pollQueue]
	reload      atomic.Bool
	stopping    atomic.Bool
	started     atomic.Bool
	stopped     sync.WaitGroup
	once        sync.Once
}

// pollQueue is one receive queue of one port.
type pollQueue struct {
	port *port
	q    int
	fd   int // -1: the device notifies
}

// newPoller makes worker i, not yet running.
func (d *DP) newPoller(i int) (*worker, error) {
	ep, err := unix.EpollCreate1(unix.EPOLL_CLOEXEC)
	if err != nil {
		return nil, err
	}
	wake, err := unix.Eventfd(0, unix.EFD_CLOEXEC|unix.EFD_NONBLOCK)
	if err != nil {
		_ = unix.Close(ep)
		return nil, err
	}
	w := d.newWorker(i+1, netdev.MaxFrame)
	w.poller = &poller{epoll: ep, wake: wake}
	w.poller.queues.Store(&[]pollQueue{})
	w.poller.stopped.Add(1)
	return w, unix.EpollCtl(ep, unix.EPOLL_CTL_ADD, wake, &unix.EpollEvent{Events: unix.EPOLLIN, Fd: -1})
}

func (w *worker) kick() {
	one := [8]byte{1}
	_, _ = unix.Write(w.poller.wake, one[:])
}

func (d *DP) wakeWorkers() {
	for _, w := range d.workers {
		w.kick()
	}
}

// assignQueues deals the receive queues out to the workers in turn. The caller
// holds the data path's mutex.
func (d *DP) assignQueues() {
	if len(d.workers) == 0 {
		return
	}
	lists := make([][]pollQueue, len(d.workers))
	n := 0
	for _, p := range d.ports.Load().list {
		for q := range p.dev.NumRxQueues() {
			lists[n%len(lists)] = append(lists[n%len(lists)], pollQueue{p, q, p.dev.RecvFD(q)})
			n++
		}
	}
	for i, w := range d.workers {
		w.poller.queues.Store(&lists[i])
		w.poller.reload.Store(true)
		w.kick()
	}
}

// stop ends the worker and waits for it.
func (w *worker) stop() {
	p := w.poller
	p.once.Do(func() {
		p.stopping.Store(true)
		w.kick()
		if p.started.Load() {
			p.stopped.Wait()
		}
		_ = unix.Close(p.epoll)
		_ = unix.Close(p.wake)
	})
}

// sweepRounds is how many rounds a busy worker makes before it looks for
// queues that became ready meanwhile.
const sweepRounds = 8

// run polls until stop. While queues bring full batches they are read in turn;
// when none does, the worker sleeps until a descriptor is ready.
func (w *worker) run() {
	p := w.poller
	p.started.Store(true)
	defer p.stopped.Done()
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	var events [64]unix.EpollEvent
	var queues []pollQueue
	var busy []int // queues whose last batch was full
	for round := 0; !p.stopping.Load(); round++ {
		if p.reload.Swap(false) {
			queues = *p.queues.Load()
			w.register(queues)
			busy = busy[:0]
			for _, q := range queues {
				if q.fd < 0 {
					w.drainNotifier(q)
				}
			}
		}
		next := busy[:0]
		for _, i := range busy {
			if w.poll(queues[i].port, queues[i].q) == batchSize {
				next = append(next, i)
			}
		}
		busy = next
		if len(busy) > 0 && round%sweepRounds != 0 {
			continue
		}
		timeout := -1
		if len(busy) > 0 {
			timeout = 0
		}
		n, err := unix.EpollWait(p.epoll, events[:], timeout)
		if err != nil {
			continue // EINTR
		}
		for _, ev := range events[:n] {
			if ev.Fd < 0 {
				w.drainWake(queues)
				continue
			}
			i := int(ev.Fd)
			if i < len(queues) && !slices.Contains(busy, i) && w.poll(queues[i].port, queues[i].q) == batchSize {
				busy = append(busy, i)
			}
		}
	}
}

// register tells epoll about the queues by their index. A descriptor may be
// the reused number of a closed one, so each is added anew.
func (w *worker) register(queues []pollQueue) {
	for i, q := range queues {
		if q.fd < 0 {
			continue
		}
		ev := unix.EpollEvent{Events: unix.EPOLLIN, Fd: int32(i)}
		if unix.EpollCtl(w.poller.epoll, unix.EPOLL_CTL_ADD, q.fd, &ev) == unix.EEXIST {
			_ = unix.EpollCtl(w.poller.epoll, unix.EPOLL_CTL_MOD, q.fd, &ev)
		}
	}
}

// drainWake empties the eventfd and polls the queues that notify.
func (w *worker) drainWake(queues []pollQueue) {
	var buf [8]byte
	_, _ = unix.Read(w.poller.wake, buf[:])
	for _, q := range queues {
		if q.fd < 0 {
			w.drainNotifier(q)
		}
	}
}

func (w *worker) drainNotifier(q pollQueue) {
	for w.poll(q.port, q.q) > 0 {
	}
}
