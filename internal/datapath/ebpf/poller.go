package ebpf

import (
	"runtime"
	"sync"
	"sync/atomic"

	"golang.org/x/sys/unix"

	"weir/internal/datapath/ebpf/program"
	"weir/internal/datapath/userspace"
	"weir/internal/flow"
	"weir/internal/netdev"
)

const (
	// maxPollers bounds the threads that handle what comes up.
	maxPollers = 4
	// batchSize is how many packets of one queue are handled before it is the
	// next queue's turn.
	batchSize = 32
)

// poller is a thread that handles packets that came up: it reads the queues
// that have some in turn, a batch of each.
type poller struct {
	d           *DP
	epoll, wake int
	stopping    atomic.Bool
	started     atomic.Bool
	done        sync.WaitGroup
	once        sync.Once

	served atomic.Uint64 // packets done
	in     *userspace.Entrance
	batch  []netdev.Packet
	steps  steps
	odd    *atomic.Uint64 // packets with headers that the programs don't read
}

func newPoller(d *DP) (*poller, error) {
	ep, err := unix.EpollCreate1(unix.EPOLL_CLOEXEC)
	if err != nil {
		return nil, err
	}
	wake, err := unix.Eventfd(0, unix.EFD_CLOEXEC|unix.EFD_NONBLOCK)
	if err != nil {
		_ = unix.Close(ep)
		return nil, err
	}
	p := &poller{d: d, epoll: ep, wake: wake, in: d.soft.NewEntrance(), batch: make([]netdev.Packet, batchSize)}
	p.steps = steps{code: d.set.Code, counters: &d.slow, known: map[place]step{}}
	p.odd = d.slow.counter(program.ReasonOdd.String())
	for i := range p.batch {
		p.batch[i] = netdev.NewPacket(netdev.MaxFrame + program.UpcallLen)
	}
	p.done.Add(1)
	return p, unix.EpollCtl(ep, unix.EPOLL_CTL_ADD, wake, &unix.EpollEvent{Events: unix.EPOLLIN, Fd: -1})
}

// watch has a poller read a queue.
func (d *DP) watch(queue int) {
	p := d.pollers[queue%len(d.pollers)]
	if err := unix.EpollCtl(p.epoll, unix.EPOLL_CTL_ADD, queue, &unix.EpollEvent{Events: unix.EPOLLIN, Fd: int32(queue)}); err != nil {
		log.Err("queue for misses: %v", err)
	}
}

func (p *poller) run() {
	p.started.Store(true)
	defer p.done.Done()
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	var events [64]unix.EpollEvent
	for !p.stopping.Load() {
		n, err := unix.EpollWait(p.epoll, events[:], -1)
		if err != nil {
			continue // EINTR
		}
		for _, ev := range events[:n] {
			if ev.Fd >= 0 {
				p.serve(int(ev.Fd))
			}
		}
	}
}

// stop ends the thread and waits for it.
func (p *poller) stop() {
	p.once.Do(func() {
		p.stopping.Store(true)
		one := [8]byte{1}
		_, _ = unix.Write(p.wake, one[:])
		if p.started.Load() {
			p.done.Wait()
		}
		_ = unix.Close(p.epoll)
		_ = unix.Close(p.wake)
		p.in.Close()
	})
}

// serve handles a batch of one queue.
func (p *poller) serve(fd int) {
	n := 0
	for n < len(p.batch) && readTap(fd, &p.batch[n], netdev.Headroom-program.UpcallLen) {
		p.handle(&p.batch[n])
		n++
	}
	p.in.Flush()
	p.served.Add(uint64(n)) // last: who sees the count sees all that the packets caused
}

// handle does for one packet what the programs could not.
func (p *poller) handle(pkt *netdev.Packet) {
	var u program.Upcall
	off, err := program.ParseUpcall(pkt.Data(), &u)
	if err != nil {
		return // the host's own, on the tap
	}
	strip(pkt, off)
	var key flow.Key
	key.InPort, key.RecircID, key.DPHash = u.InPort, u.RecircID, u.DPHash
	key.PktMark, key.SkbPriority, key.Tunnel = u.Mark, u.Priority, u.Tunnel
	pkt.Mark, pkt.Prio = u.Mark, u.Priority
	switch u.Reason {
	case program.ReasonResume, program.ReasonAction:
		p.resume(pkt, &key, &u)
	default:
		if u.Reason != program.ReasonMiss {
			p.odd.Add(1)
		}
		p.in.Process(pkt, &key)
	}
}

// strip takes the header before the frame off, and moves the places that the
// offload names.
func strip(pkt *netdev.Packet, off int) {
	pkt.Off += off
	pkt.Len -= off
	o := &pkt.Offload
	if o.Flags&unix.VIRTIO_NET_HDR_F_NEEDS_CSUM != 0 {
		o.CsumStart -= uint16(off)
	}
	if o.HdrLen != 0 {
		o.HdrLen -= uint16(off)
	}
}

// resume goes on with an action list where the programs stopped.
func (p *poller) resume(pkt *netdev.Packet, key *flow.Key, u *program.Upcall) {
	st, ok := p.steps.find(place{u.Code, u.Arg, u.Reason})
	if !ok {
		p.in.Process(pkt, key)
		return
	}
	if len(st.actions) > 0 {
		st.count.Add(1)
		p.in.Resume(pkt, key, st.actions)
	}
}
