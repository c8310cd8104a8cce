package userspace

import (
	"math/rand/v2"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"weir/internal/clock"
	"weir/internal/datapath"
	"weir/internal/flow"
	"weir/internal/netdev"
)

// watch is a Watch in force.
type watch struct {
	*datapath.Watch
	next   atomic.Int64 // when something may be shown again, by clock.Ticks
	wanted words        // bits of the key
	mask   words
	marks  marks
}

// marks are the flows whose copies in a mirror send packets up to be seen. One
// goroutine changes the mirror; mu is for what workers tell it.
type marks struct {
	mu     sync.Mutex
	on     map[*entry]bool // true: a packet of it has been seen since
	next   int             // where in the list of flows the next turn begins
	wake   chan struct{}
	stop   chan struct{}
	ended  sync.WaitGroup
	byUFID map[datapath.UFID]*entry
}

const (
	// mostMarks is how many flows of a mirror send packets up at a time.
	mostMarks = 64
	// markFor is how long one does that has no packets, when others wait.
	markFor = 200 * time.Millisecond
)

// Watch begins to show packets that match; stop ends it. Flows that a mirror
// holds have a copy of their packets sent here, some at a time, each until one
// of its packets was seen, and not again before Every is over.
func (d *DP) Watch(w *datapath.Watch) (stop func()) {
	x := &watch{Watch: w, wanted: *keyWords(&w.Match.Key), mask: *keyWords(&w.Match.Mask)}
	x.next.Store(-1 << 62)
	_, none := d.mirror.(noMirror)
	m := &x.marks
	if !none {
		m.on, m.byUFID = map[*entry]bool{}, map[datapath.UFID]*entry{}
		m.wake, m.stop = make(chan struct{}, 1), make(chan struct{})
	}
	d.changeWatches(func(list []*watch) []*watch { return append(list, x) })
	leave := func() { d.changeWatches(func(list []*watch) []*watch { return without(list, x) }) }
	if none {
		return leave
	}
	m.ended.Add(1)
	go d.mark(x)
	return func() {
		leave()
		close(m.stop)
		m.ended.Wait()
	}
}

func without(list []*watch, x *watch) []*watch {
	return slices.DeleteFunc(list, func(w *watch) bool { return w == x })
}

func (d *DP) changeWatches(change func([]*watch) []*watch) {
	d.mu.Lock()
	defer d.mu.Unlock()
	var list []*watch
	if old := d.watches.Load(); old != nil {
		list = slices.Clone(*old)
	}
	if list = change(list); len(list) == 0 {
		d.watches.Store(nil)
		return
	}
	d.watches.Store(&list)
}

// watched shows a packet that came in, and the flow that it met.
func (w *worker) watched(pkt *netdev.Packet, k *flow.Key, e *entry) {
	var ufid datapath.UFID
	if e != nil {
		ufid = e.ufid
	}
	w.sight(pkt, k, ufid)
}

// sight shows a packet to those that want to see it.
func (w *worker) sight(pkt *netdev.Packet, k *flow.Key, ufid datapath.UFID) {
	list := w.dp.watches.Load()
	if list == nil || k.RecircID != 0 {
		return
	}
	for _, x := range *list {
		x.marks.seen(ufid)
		if x.wants(k) && x.isTime(clock.Ticks()) {
			x.show(w, pkt, k, ufid)
		}
	}
}

func (x *watch) wants(k *flow.Key) bool {
	if x.Ports != nil && !x.Ports[datapath.PortNo(k.InPort)] {
		return false
	}
	w := keyWords(k)
	for i := used(&x.mask); i < dpWords; i++ {
		if (w[i]^x.wanted[i])&x.mask[i] != 0 {
			return false
		}
	}
	return true
}

// isTime takes a turn if it is time for one. The next is after Every to three times
// that, by chance: a fixed interval would show always the same packets of traffic
// that repeats itself with a period of its own.
func (x *watch) isTime(now int64) bool {
	next := x.next.Load()
	return now >= next && x.next.CompareAndSwap(next, now+int64(jittered(x.Every)))
}

// jittered is a time from every to three times that. Were it up to twice, traffic
// whose packets come at every would be in step: always the second would be shown.
func jittered(every time.Duration) time.Duration {
	return every + rand.N(max(2*every, 1))
}

func (x *watch) show(w *worker, pkt *netdev.Packet, k *flow.Key, ufid datapath.UFID) {
	data := pkt.Data()
	s := &datapath.Sighting{
		Frame: slices.Clone(data[:min(len(data), datapath.MaxSighting)]), Len: pkt.Len, Key: *k, UFID: ufid, At: w.dp.cfg.Clock.Wall(),
	}
	select {
	case x.C <- s:
	default:
	}
}

// seen notes that a marked flow had a packet.
func (m *marks) seen(ufid datapath.UFID) {
	if m.on == nil {
		return
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if e := m.byUFID[ufid]; e != nil && !m.on[e] {
		m.on[e] = true
		select {
		case m.wake <- struct{}{}:
		default:
		}
	}
}

// mark has flows of the mirror send their packets here in turn, until stop.
func (d *DP) mark(x *watch) {
	m := &x.marks
	defer m.ended.Done()
	every := max(x.Every, time.Millisecond)
	pace := time.NewTimer(every)
	defer pace.Stop()
	var since time.Time
	for {
		select {
		case <-m.stop:
			d.unmark(m, true)
			return
		case <-m.wake:
			d.unmark(m, false)
			continue
		case <-pace.C:
		}
		pace.Reset(jittered(every))
		m.mu.Lock()
		full := len(m.on) >= mostMarks
		m.mu.Unlock()
		if full && time.Since(since) < markFor {
			continue
		}
		if full {
			d.unmark(m, true)
		}
		since = time.Now()
		d.markSome(x)
	}
}

// unmark restores the flows that a packet was seen of, or all, but for those that
// other watches have marked.
func (d *DP) unmark(m *marks, all bool) {
	m.mu.Lock()
	var done []*entry
	for e, seen := range m.on {
		if seen || all {
			done = append(done, e)
			delete(m.on, e)
			delete(m.byUFID, e.ufid)
		}
	}
	m.mu.Unlock()
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, e := range done {
		if !e.dead.Load() {
			d.mirrorChange(e, d.export(e))
		}
	}
}

// markSome has more flows send their packets here that the watch may want to
// see.
func (d *DP) markSome(x *watch) {
	m := &x.marks
	d.mu.Lock()
	defer d.mu.Unlock()
	for range d.all {
		m.next++
		if m.next >= len(d.all) {
			m.next = 0
		}
		e := d.all[m.next]
		slot := MirrorSlot(e.slot.Load())
		if slot == NoSlot || !x.mayMeet(e) {
			continue
		}
		m.mu.Lock()
		_, on := m.on[e]
		full := len(m.on) >= mostMarks
		if !on && !full {
			m.on[e], m.byUFID[e.ufid] = false, e
		}
		m.mu.Unlock()
		if full {
			return
		}
		if on {
			continue
		}
		d.mirrorChange(e, d.export(e))
	}
}

// mirrored is a flow as the mirror is to have it: with an action that sends a copy
// here as long as a watch has it marked. The caller holds the mutex.
func (d *DP) mirrored(e *entry, f *datapath.Flow) *datapath.Flow {
	list := d.watches.Load()
	if list == nil || !slices.ContainsFunc(*list, func(x *watch) bool { return x.marks.has(e) }) {
		return f
	}
	c := *f
	see := &datapath.Userspace{Cookie: datapath.Cookie{Kind: datapath.CookieWatch, Bridge: e.ufid}}
	c.Actions = append([]datapath.Action{see}, f.Actions...)
	return &c
}

func (m *marks) has(e *entry) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	_, on := m.on[e]
	return on
}

// unseen is an action list without the action that a watch had the mirror put
// before it, which a process that was killed leaves there.
func unseen(actions []datapath.Action) ([]datapath.Action, bool) {
	if len(actions) > 0 {
		if u, ok := actions[0].(*datapath.Userspace); ok && u.Cookie.Kind == datapath.CookieWatch {
			return actions[1:], true
		}
	}
	return actions, false
}

// mayMeet reports whether a flow can meet a packet that the watch wants.
func (x *watch) mayMeet(e *entry) bool {
	var k flow.Key
	e.keyInto(&k)
	if k.RecircID != 0 || x.Ports != nil && !x.Ports[datapath.PortNo(k.InPort)] {
		return false
	}
	m := &e.sub.mask
	for i, at := range m.idx {
		if (e.masked[i]^x.wanted[at])&m.bits[i]&x.mask[at] != 0 {
			return false
		}
	}
	return true
}
