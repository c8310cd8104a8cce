package ofproto

import (
	"fmt"
	"io"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"weir/internal/coverage"
	"weir/internal/openflow"
	"weir/internal/pipeline"
	"weir/internal/stream"
	"weir/internal/vlog"
)

var (
	vconnLog = vlog.For("vconn")
	flowLog  = vlog.For("ofp_flow")
)

// session is one OpenFlow connection. Its reading goroutine, the one in run,
// handles requests one after another; a second goroutine writes. mu guards
// what both, and the senders of asynchronous messages, look at.
type session struct {
	m      *connManager
	conn   *stream.Conn
	kind   ControllerKind
	of     *target      // whose connection this is
	link   *stream.Link // watches over it
	origin uint16       // what the pipeline knows it by
	nextID uint32       // xid of the next message that is not an answer

	dropped atomic.Bool // by us: its end is no news
	mods    modCount

	mu        sync.Mutex
	cond      *sync.Cond // the queue or closed changed
	queue     []queued
	unsent    int // bytes in the queue, or being written
	packetIns packetQueue
	updates   updateQueue
	closed    bool
	flushed   bool // the writer has nothing more to do
	ver       openflow.Version
	proto     openflow.Protocol
	role      openflow.Role
	async     openflow.AsyncConfig
	missLen   uint16
	pinFormat openflow.PacketInFormat
	ctlID     uint16

	bundleMu sync.Mutex // guards bundles
	bundles  map[uint32]*msgBundle

	// Only the reading goroutine's. request is the xid of the request that it
	// works on.
	in        *openflow.Reader
	dec       openflow.Decoder
	prepare   pipeline.Preparer
	additions []addition // that wait to be applied together
	request   uint32
	tables    []openflow.TableFeatures // of a request whose other parts are to come
	monitors  map[uint32]*openflow.FlowMonitor
}

// queued is an encoded message that waits to be written.
type queued struct {
	b    []byte
	kind queuedKind
}

// queuedKind is a kind of message of which not too many may wait.
type queuedKind uint8

const (
	otherMessage queuedKind = iota
	packetInMsg
	updateMsg // of flow monitors
)

// newSession begins to serve a connection, nil when the bridge is closing.
func (t *target) newSession(c *stream.Conn, link *stream.Link) *session {
	m, conf := t.m, t.config()
	s := &session{
		m: m, conn: c, kind: conf.Kind, of: t, link: link, origin: m.b.pipe.Origin(conf.Target), in: openflow.NewReader(c),
		role: openflow.RoleEqual, bundles: map[uint32]*msgBundle{}, monitors: map[uint32]*openflow.FlowMonitor{},
	}
	s.cond = sync.NewCond(&s.mu)
	if conf.Kind == PrimaryController && !conf.NoAsync {
		s.missLen = 128
	}
	s.limit(&conf)
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.closed {
		return nil
	}
	m.sessions[s] = struct{}{}
	return s
}

// each calls f for every session that has agreed on a version.
func (m *connManager) each(f func(*session)) {
	m.mu.Lock()
	all := make([]*session, 0, len(m.sessions))
	for s := range m.sessions {
		all = append(all, s)
	}
	m.mu.Unlock()
	for _, s := range all {
		if s.version() != 0 {
			f(s)
		}
	}
}

// version is the version agreed on, 0 before that.
func (s *session) version() openflow.Version {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.ver
}

// close ends the session at once.
func (s *session) close() {
	s.m.mu.Lock()
	_, was := s.m.sessions[s]
	delete(s.m.sessions, s)
	s.m.mu.Unlock()
	s.mu.Lock()
	s.closed = true
	s.packetIns.stop()
	s.cond.Broadcast()
	s.mu.Unlock()
	_ = s.conn.Close()
	if was {
		s.of.sessionEnded()
		s.m.missesChanged()
	}
}

// wantsMisses reports whether the session speaks a version in which packets
// that match no flow go to the controller.
func (s *session) wantsMisses() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.ctlID == 0 && s.ver < openflow.V13
}

// missesChanged has translation look again at where misses go, if that may
// have changed.
func (m *connManager) missesChanged() {
	if now := m.tableMiss(); now != openflow.TableMiss(m.lastMiss.Swap(uint32(now))) {
		m.b.be.touch()
	}
}

// watch probes a silent peer, and drops one that stays silent
// (ovs-vswitchd.conf.db(5), Controller, inactivity_probe), until stop is called.
func (s *session) watch() (stop func()) {
	return s.link.Watch(s.probe, func() {
		s.dropped.Store(true)
		s.close()
	})
}

// begin agrees with the peer on a version.
func (s *session) begin() error {
	go s.write()
	if err := s.negotiate(); err != nil {
		return err
	}
	s.m.missesChanged()
	return nil
}

// converse handles what the peer sends until the connection ends, and says why it
// did, as [stream.FSM.Disconnected] has it.
func (s *session) converse() string {
	defer func() { s.logMods(s.mods.end(s.now())) }()
	for {
		b, err := s.read()
		if err != nil {
			s.applyAdditions()
			s.drain()
			if err == io.EOF || s.dropped.Load() {
				return ""
			}
			return stream.ErrText(err)
		}
		s.link.Activity()
		if s.kind != SnoopController {
			s.m.snoop(b)
			s.receive(b)
			s.awaitRoom()
		}
	}
}

func (s *session) now() time.Time { return s.m.b.be.clock.Now() }

// Messages of connections to controllers and others, by the names that the
// original has for them: it counts below and above its queue.
var (
	coverReceived  = coverage.New("vconn_received")
	coverVconnSent = coverage.New("vconn_sent")
	coverQueued    = coverage.New("rconn_queued")
	coverSent      = coverage.New("rconn_sent")
	coverDiscarded = coverage.New("rconn_discarded")
	coverRequest   = coverage.New("ofproto_recv_openflow")
	coverPacketOut = coverage.New("ofproto_packet_out")
)

// read reads one message.
func (s *session) read() ([]byte, error) {
	b, err := s.in.Next()
	if err != nil {
		return nil, err
	}
	coverReceived.Inc()
	if vconnLog.Enabled(vlog.Dbg) {
		vconnLog.Dbg("%s: received: %s", s.conn.Name, s.format(b))
	}
	return b, nil
}

// format describes a message for the log.
func (s *session) format(b []byte) string {
	return strings.TrimSuffix(openflow.FormatMessage(b, openflow.PrintOptions{}), "\n")
}

// write sends what is queued until the session is closed.
func (s *session) write() {
	for {
		batch := s.nextBatch()
		if batch == nil {
			return
		}
		if err := s.writeBatch(batch); err != nil {
			coverDiscarded.Add(uint64(len(batch)))
			s.close()
			return
		}
		coverSent.Add(uint64(len(batch)))
		coverVconnSent.Add(uint64(len(batch)))
		s.written(batch)
	}
}

// nextBatch waits for messages to be written; nil says that the session is closed.
func (s *session) nextBatch() []queued {
	s.mu.Lock()
	defer s.mu.Unlock()
	for len(s.queue) == 0 && !s.closed {
		s.flushed = true
		s.cond.Broadcast()
		s.cond.Wait()
	}
	if s.closed {
		s.flushed = true
		s.cond.Broadcast()
		return nil
	}
	batch := s.queue
	s.queue, s.flushed = nil, false
	return batch
}

// written notes that messages have left.
func (s *session) written(batch []queued) {
	total, packetIns, updates := 0, 0, 0
	for i := range batch {
		total += len(batch[i].b)
		switch batch[i].kind {
		case packetInMsg:
			packetIns++
		case updateMsg:
			updates += len(batch[i].b)
		}
	}
	s.mu.Lock()
	s.unsent -= total
	s.packetIns.waiting -= packetIns
	s.cond.Broadcast()
	s.mu.Unlock()
	s.updatesWritten(updates)
}

// gathered is up to how many bytes of small messages go out in one write.
const gathered = 16 << 10

// writeBatch writes messages, small ones together.
func (s *session) writeBatch(batch []queued) error {
	var out []byte
	flush := func() error {
		if len(out) == 0 {
			return nil
		}
		_, err := s.conn.Write(out)
		out = out[:0]
		return err
	}
	for i := range batch {
		b := batch[i].b
		if len(out)+len(b) > gathered {
			if err := flush(); err != nil {
				return err
			}
			if len(b) > gathered {
				if _, err := s.conn.Write(b); err != nil {
					return err
				}
				continue
			}
		}
		if len(batch) == 1 {
			_, err := s.conn.Write(b)
			return err
		}
		out = append(out, b...)
	}
	return flush()
}

// drain waits until what is queued has been sent.
func (s *session) drain() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for !s.flushed && !s.closed {
		s.cond.Wait()
	}
}

const (
	// maxUnsent is how many bytes of answers wait for a client that is slow, or asks on
	// and doesn't read: no more is answered, nor read, until it has taken some. It leaves
	// room for the errors of clients that read only after they have sent everything.
	maxUnsent = 1 << 20
	// maxBacklog is how many bytes may wait in all, with those that nobody asked
	// for. A connection on which more do has failed: its client must begin anew,
	// since it won't hear of everything.
	maxBacklog = 32 << 20
)

// awaitRoom waits until no more than maxUnsent bytes wait for the client.
func (s *session) awaitRoom() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for s.unsent > maxUnsent && !s.closed {
		s.cond.Wait()
	}
}

// sendRaw queues an encoded message.
func (s *session) sendRaw(b []byte) { s.enqueue(queued{b: b}) }

func (s *session) enqueue(q queued) {
	b := q.b
	coverQueued.Inc()
	if vconnLog.Enabled(vlog.Dbg) {
		vconnLog.Dbg("%s: sent (Success): %s", s.conn.Name, s.format(b))
	}
	if !s.append(q) {
		coverDiscarded.Inc()
		return
	}
	if s.kind == PrimaryController {
		s.m.snoop(b)
	}
}

// append puts a message into the queue; false says that the session is closed, or is
// so now, since its client reads too little.
func (s *session) append(q queued) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return false
	}
	s.flushed = false
	defer s.cond.Broadcast()
	if s.unsent+len(q.b) <= maxBacklog {
		s.queue = append(s.queue, q)
		s.unsent += len(q.b)
		return true
	}
	rconnLog.WarnRL(&backlogRL, "%s<->%s: %d bytes wait for the peer, which doesn't read; closing the connection", s.m.b.name, s.conn.Name, s.unsent)
	s.closed, s.queue = true, nil
	_ = s.conn.Close() // and the reading goroutine does the rest
	return false
}

var backlogRL vlog.RateLimit

// send encodes and queues a message, in several when it is too long for one.
func (s *session) send(xid uint32, msg openflow.Message) error {
	s.mu.Lock()
	p := s.proto
	s.mu.Unlock()
	return s.sendAs(p, xid, msg)
}

// sendAs is send in a protocol of the session's version.
func (s *session) sendAs(p openflow.Protocol, xid uint32, msg openflow.Message) error {
	all, dropped, err := openflow.EncodeParts(p, xid, msg)
	if err != nil {
		return err
	}
	logDropped(dropped)
	for _, b := range all {
		s.sendRaw(b)
	}
	return nil
}

// asynchronous sends a message that answers nothing.
func (s *session) asynchronous(msg openflow.Message) {
	if err := s.send(0, msg); err != nil {
		log.Dbg("%s: %T: %s", s.conn.Name, msg, err)
	}
}

// xid numbers a message that the switch begins.
func (s *session) xid() uint32 {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.nextID++
	return s.nextID
}

// probe asks the peer for a sign of life.
func (s *session) probe() { _ = s.send(0, &openflow.EchoRequest{}) }

// allowed is the set of versions that the bridge speaks.
func (m *connManager) allowed() openflow.VersionSet {
	m.b.be.mu.Lock()
	defer m.b.be.mu.Unlock()
	if len(m.b.cfg.Versions) == 0 {
		return openflow.AllVersions
	}
	var set openflow.VersionSet
	for _, v := range m.b.cfg.Versions {
		set |= 1 << v
	}
	return set
}

// negotiate agrees on a version (OpenFlow 1.3.1, 6.3.1).
func (s *session) negotiate() error {
	ours := s.m.allowed()
	s.mu.Lock()
	s.proto = ours.Max().Protocol()
	s.mu.Unlock()
	if err := s.send(s.xid(), &openflow.Hello{Versions: ours}); err != nil {
		return err
	}
	b, err := s.read()
	if err != nil {
		return err
	}
	_, msg, err := openflow.Decode(b, openflow.DecodeOptions{})
	if err != nil {
		return err
	}
	hello, ok := msg.(*openflow.Hello)
	if !ok {
		vconnLog.Warn("%s: received message that isn't a hello while expecting one", s.conn.Name)
		return io.ErrUnexpectedEOF
	}
	ver := (ours & hello.Versions).Max()
	if ver == 0 {
		vconnLog.Warn("%s: version negotiation failed (we support %s, peer supports %s)",
			s.conn.Name, describeVersions(ours), describeVersions(hello.Versions))
		s.mu.Lock()
		s.proto = ours.Max().Protocol()
		s.mu.Unlock()
		text := fmt.Sprintf("We support %s, you support %s, no common versions.", describeVersions(ours), describeVersions(hello.Versions))
		_ = s.send(s.xid(), &openflow.Error{Code: openflow.ErrHFCIncompatible, Data: []byte(text)})
		s.drain()
		return io.ErrUnexpectedEOF
	}
	vconnLog.Dbg("%s: negotiated OpenFlow version 0x%02x (we support %s, peer supports %s)",
		s.conn.Name, uint8(ver), describeVersions(ours), describeVersions(hello.Versions))
	s.mu.Lock()
	s.ver, s.proto = ver, ver.Protocol()
	if s.kind != PrimaryController || !s.of.config().NoAsync {
		s.async = defaultAsync(ver)
	}
	s.mu.Unlock()
	s.link.Do((*stream.FSM).Connected)
	s.m.checkFailOpen()
	return nil
}

// describeVersions names a set of versions as log messages do.
func describeVersions(set openflow.VersionSet) string {
	var all []string
	for v := openflow.Version(1); v < 32; v++ {
		if set.Has(v) {
			all = append(all, fmt.Sprintf("0x%02x", uint8(v)))
		}
	}
	switch {
	case len(all) == 1:
		return "version " + all[0]
	case len(all) == int(set.Max()):
		return "version " + all[len(all)-1] + " and earlier"
	}
	return "versions " + strings.Join(all, ", ")
}

// snoop copies a message to those who look on.
func (m *connManager) snoop(b []byte) {
	m.mu.Lock()
	var to []*session
	for s := range m.sessions {
		if s.kind == SnoopController && s.ver != 0 {
			to = append(to, s)
		}
	}
	m.mu.Unlock()
	for _, s := range to {
		s.sendRaw(b)
	}
}
