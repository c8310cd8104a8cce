package userspace

import (
	"slices"
	"sync"
	"sync/atomic"
	"unsafe"

	"weir/internal/clock"
	"weir/internal/datapath"
	"weir/internal/flow"
	"weir/internal/netdev"
	"weir/internal/vlog"
)

const (
	batchSize = 32
	// maxDepth bounds recirculation and nested actions of one packet.
	maxDepth = 12
	// sortEvery is how many lookups in the classifier pass until its subtables
	// are sorted again.
	sortEvery = 1 << 14
)

// counters are what a worker counted; only it writes them, except that the
// shared ones of a spare worker are written by whoever uses it.
type counters struct {
	received, recirc                         atomic.Uint64
	cacheHit, signatureHit, megaHit, maskHit atomic.Uint64
	miss, lost                               atomic.Uint64
	outPackets, outBatches                   atomic.Uint64
}

// state is a packet under way through an action list.
type state struct {
	pkt  *netdev.Packet
	key  *flow.Key // metadata always right; headers as extracted
	offs flow.Offsets
	// stale says that headers moved since extraction, changed that a header
	// field did.
	stale, changed bool
	options        []byte // of the tunnel that the packet is to go through
	cut            uint32 // length for the next output, 0 for all of it
	depth          int
	seen           uint64 // flows put before it was looked up
}

// packetCopy is a copy of a packet, with memory for its tunnel's metadata.
type packetCopy struct {
	netdev.Packet
	tunnel netdev.Outer
}

// txQueue is packets waiting to be sent to one port.
type txQueue struct {
	port    *port
	packets []*netdev.Packet
}

// worker is one place where packets are processed: a polling thread, or a
// spare one for Execute and synchronous mode. It belongs to the goroutine that
// runs it.
type worker struct {
	dp   *DP
	slot int // index into flow statistics
	now  int64
	counters
	perf     perf
	baseline WorkerStats // where WorkerStats counts from

	cache      []cacheEntry
	signatures []cacheEntry // smc-enable: a larger cache behind the first, nil without
	lookups    uint
	uncached   bool // of the port whose packets are under way

	batch []netdev.Packet
	keys  [maxDepth + 1]flow.Key
	sts   [maxDepth + 1]state
	ups   [maxDepth + 1]datapath.Upcall
	vers  [maxDepth + 1]datapath.Verdict
	flows [maxDepth + 1]datapath.Flow // to be installed; only the data path's words of key and mask are set

	prog *program // the last one made for a miss

	tx    []txQueue // by port slot
	dirty []int     // slots with packets waiting

	// What steering needs: the queue of each packet, those of one queue, a key.
	steered  []int
	bunch    []*netdev.Packet
	steerKey flow.Key

	// What outer headers need: the identification of the last one, and what cuts
	// super-packets.
	outerID uint16
	seg     netdev.Segmenter
	segHead [netdev.MaxHeaders]byte

	copies  []*packetCopy
	ncopies int
	held    int   // packets kept over the end of their batch (tx-flush-interval)
	due     int64 // when they must go, by clock.Ticks

	// Statistics of the flow that the last packets hit, not yet added.
	hit        *entry
	hitPackets uint64
	hitBytes   uint64
	hitFlags   uint32

	poller *poller
	rng    uint64
}

func (d *DP) newWorker(slot, frame int) *worker {
	w := &worker{dp: d, slot: slot, cache: make([]cacheEntry, cacheSize), rng: uint64(slot)*0x9e3779b97f4a7c15 + 1}
	w.batch = make([]netdev.Packet, batchSize)
	for i := range w.batch {
		w.batch[i] = netdev.NewPacket(frame)
	}
	return w
}

// spareWorkers are workers for goroutines that have none of their own.
type spareWorkers struct {
	mu   sync.Mutex
	all  []*worker
	free []*worker
}

// list is all of them there are.
func (s *spareWorkers) list() []*worker {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.all)
}

// get takes a worker; put gives it back.
func (s *spareWorkers) get(d *DP) *worker {
	s.mu.Lock()
	defer s.mu.Unlock()
	if n := len(s.free); n > 0 {
		w := s.free[n-1]
		s.free = s.free[:n-1]
		return w
	}
	w := d.newWorker(0, netdev.MaxFrame)
	s.all = append(s.all, w)
	return w
}

func (s *spareWorkers) put(w *worker) {
	s.mu.Lock()
	s.free = append(s.free, w)
	s.mu.Unlock()
}

// pollSync works off a queue of a dummy device on the caller's goroutine. When
// another call is at it, or this one came from within it, the packets are left
// to that one.
func (d *DP) pollSync(p *port, q int) {
	if q >= len(p.pending) || p.pending[q].Add(1) != 1 {
		return
	}
	w := d.spare.get(d)
	defer d.spare.put(w)
	for {
		seen := p.pending[q].Load()
		for w.poll(p, q) > 0 {
		}
		if p.pending[q].Add(-seen) == 0 {
			return
		}
	}
}

// Execute runs actions on a packet, which they may change.
func (d *DP) Execute(pkt *netdev.Packet, key *flow.Key, actions []datapath.Action) error {
	if dpifLog.Enabled(vlog.Dbg) {
		dpifLog.Dbg("%s: execute %s on packet %s\n with metadata skb_priority(%d),skb_mark(%d),in_port(%d) mtu 0",
			d.fullName(), datapath.FormatActions(actions, nil), key.String(), key.SkbPriority, key.PktMark, key.InPort)
	}
	w := d.spare.get(d)
	defer d.spare.put(w)
	w.now = d.now().UnixNano()
	st := &w.sts[0]
	w.keys[0] = *key
	*st = state{pkt: pkt, key: &w.keys[0], stale: true}
	w.execute(st, &program{actions, lastModifier(actions)})
	w.flush()
	return nil
}

// poll receives one batch and processes it; it returns how many packets came.
func (w *worker) poll(p *port, q int) int {
	n, err := p.dev.Recv(q, w.batch)
	if n <= 0 {
		if err != nil {
			log.Dbg("%s: receive: %v", p.dev.Name(), err)
		}
		return 0
	}
	w.now = w.dp.now().UnixNano()
	w.uncached = p.uncached.Load()
	for i := range n {
		w.receive(&w.batch[i], p)
	}
	w.flushBatch()
	w.received.Add(uint64(n)) // last: who sees the count sees all that the packets caused
	return n
}

// receive processes a packet that came in on p.
func (w *worker) receive(pkt *netdev.Packet, p *port) {
	if pkt.Len < ethLen {
		dropInvalid.Inc()
		return
	}
	k := &w.keys[0]
	clearKey(k)
	k.InPort = uint32(p.no)
	k.PktMark, k.SkbPriority = pkt.Mark, pkt.Prio
	if pkt.Tunnel != nil {
		k.Tunnel = pkt.Tunnel.Tunnel
		k.SetOptions(pkt.Tunnel.Options)
	}
	w.process(pkt, 0)
}

// process extracts the packet's key into that of depth, whose metadata is
// there already, looks it up and executes what it finds.
func (w *worker) process(pkt *netdev.Packet, depth int) {
	k := &w.keys[depth]
	st := &w.sts[depth]
	*st = state{pkt: pkt, key: k, depth: depth, seen: w.dp.puts.Load()}
	if k.PacketType == 0 {
		st.offs = flow.ExtractOffsets(pkt.Data(), k)
	} else {
		st.offs = flow.ExtractL3(pkt.Data(), k)
	}
	e := w.lookup(keyWords(k))
	if w.dp.watches.Load() != nil && depth == 0 {
		w.watched(pkt, k, e)
	}
	if e != nil {
		w.count(e, pkt, k)
		w.execute(st, e.actions.Load())
		return
	}
	w.missed(st)
}

// count adds a packet to the statistics of its flow; those of consecutive
// packets of a flow are added together.
func (w *worker) count(e *entry, pkt *netdev.Packet, k *flow.Key) {
	if w.hit != e {
		w.settle()
		w.hit = e
	}
	w.hitPackets++
	w.hitBytes += uint64(pkt.Len)
	w.hitFlags |= uint32(k.TCPFlags)
}

// settle adds the collected statistics to their flow.
func (w *worker) settle() {
	if w.hit == nil {
		return
	}
	slot := w.slot
	if slot >= len(w.hit.stats) {
		slot = 0
	}
	s := &w.hit.stats[slot]
	s.packets.Add(w.hitPackets)
	s.bytes.Add(w.hitBytes)
	s.used.Store(w.now)
	if s.flags.Load()|w.hitFlags != s.flags.Load() {
		s.flags.Or(w.hitFlags)
	}
	w.hit, w.hitPackets, w.hitBytes, w.hitFlags = nil, 0, 0, 0
}

// missed asks the switch what to do with a packet that no flow matches.
func (w *worker) missed(st *state) {
	w.miss.Add(1)
	if log.Enabled(vlog.Dbg) {
		w.dp.logUpcall("miss", st.key)
	}
	box := w.dp.handler.Load()
	if box == nil {
		w.lost.Add(1)
		dropUpcall.Inc()
		return
	}
	w.settle()
	u, v := &w.ups[st.depth], &w.vers[st.depth]
	*u = datapath.Upcall{Kind: datapath.UpcallMiss, Packet: st.pkt, Key: st.key}
	begin := clock.Ticks()
	*v = box.h.HandleUpcall(u)
	w.perf.upcalls.Add(1)
	w.perf.upcallTime.Add(uint64(clock.Ticks() - begin))
	prog := w.programOf(v.Actions)
	if !v.Install {
		w.execute(st, prog)
		return
	}
	seen := st.seen
	// The actions change the packet and, by recirculation, the key of deeper
	// levels only: the flow's key is safe until they are done.
	f := &w.flows[st.depth]
	f.UFID, f.Owner, f.Actions = v.UFID, v.Owner, v.Actions
	copyKey(&f.Key, st.key)
	copyKey(&f.Mask, v.Mask)
	w.execute(st, prog)
	e, err := w.dp.put(f, prog, datapath.PutCreate, seen)
	if e != nil {
		e.maker.Store(int32(w.slot))
		w.remember(w.dp.cls.snapshot.Load().union.hash(keyWords(&f.Key), w.dp.cls.seed), e)
	}
	u.Key = &f.Key
	box.h.Installed(u, v, err)
	u.Packet, u.Key, f.Owner, f.Actions = nil, nil, nil, nil
	*v = datapath.Verdict{}
}

// programOf is the program of an action list; flows that are set up one after
// another often share theirs, and then share the program.
func (w *worker) programOf(actions []datapath.Action) *program {
	if p := w.prog; p == nil || len(p.actions) != len(actions) || unsafe.SliceData(p.actions) != unsafe.SliceData(actions) {
		w.prog = newProgram(actions)
	}
	return w.prog
}
