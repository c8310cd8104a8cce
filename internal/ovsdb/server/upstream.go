package server

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"weir/internal/json"
	"weir/internal/jsonrpc"
	"weir/internal/ovsdb"
	"weir/internal/ovsdb/engine"
	"weir/internal/stream"
)

// origin says where an upstream connects and how it keeps the connection.
type origin struct {
	targets    string        // connection methods, separated by commas
	probe      time.Duration // inactivity probe; 0: none
	maxBackoff time.Duration // longest wait between attempts; 0: the default
}

// upstream is a connection to another server whose databases this one follows:
// a relay's source, or the active server of a backup. It connects again
// whenever the connection ends.
type upstream struct {
	srv     *Server
	targets []string // tried in turn, in random order
	talk    func(*peer) error
	lost    func() // called when a connection ends
	cancel  context.CancelFunc
	done    chan struct{}

	link *stream.Link
}

// peer is one connection of an upstream.
type peer struct {
	up     *upstream
	conn   *jsonrpc.Conn
	target string

	// update takes the updates that come while waiting for anything else. The
	// goroutine that receives sets and calls it.
	update func(m *jsonrpc.Message) error

	mu      sync.Mutex // owns all below
	nextID  int
	waiting map[string]func(*jsonrpc.Message) // by id; nil when the connection has ended
}

// follow starts to connect. talk sets the connection up: it returns once all
// that is left to do is to take updates. Its error ends the connection, and the
// upstream if it is stream.ErrGiveUp.
func (s *Server) follow(from origin, talk func(*peer) error, lost func()) *upstream {
	ctx, cancel := context.WithCancel(context.Background())
	u := &upstream{srv: s, targets: strings.Split(from.targets, ","), talk: talk, lost: lost, cancel: cancel, done: make(chan struct{})}
	rand.Shuffle(len(u.targets), func(i, j int) { u.targets[i], u.targets[j] = u.targets[j], u.targets[i] })
	u.link = stream.NewLink(u.targets[0], s.clock, reconnectLog)
	u.link.Do(func(f *stream.FSM, _ time.Time) { f.ProbeAfter, f.MaxWait = from.probe, maxWait(from.maxBackoff) })
	go u.run(ctx)
	return u
}

// stop ends the connection, and waits for that.
func (u *upstream) stop() {
	u.cancel()
	<-u.done
}

// setProbe changes the inactivity probe's interval.
func (u *upstream) setProbe(d time.Duration) {
	u.link.Do(func(f *stream.FSM, _ time.Time) { f.ProbeAfter = d })
}

// run keeps connecting to one target after another.
func (u *upstream) run(ctx context.Context) {
	defer close(u.done)
	target := ""
	next := 0
	u.link.Maintain(ctx, stream.Upkeep{
		Next: func() string {
			target = u.targets[next%len(u.targets)]
			next++
			return target
		},
		Dial: func(ctx context.Context) (*stream.Conn, error) {
			return stream.Dial(ctx, target, stream.Options{DefaultPort: stream.OVSDBPort, RunDir: u.srv.runDir, TLS: u.srv.tls})
		},
		Serve: func(ctx context.Context, c *stream.Conn) (string, error) {
			err := u.serve(ctx, c, target)
			return reason(err), err
		},
	})
}

// serve talks until the connection ends.
func (u *upstream) serve(ctx context.Context, c *stream.Conn, target string) error {
	p := &peer{up: u, conn: jsonrpc.NewConn(c), target: target, waiting: map[string]func(*jsonrpc.Message){}}
	defer context.AfterFunc(ctx, p.conn.Close)()
	go p.conn.WriteLoop()
	stop := u.link.Watch(func() { p.send("echo", []byte("[]"), func(*jsonrpc.Message) {}) }, p.conn.Close)
	defer stop()
	err := u.talk(p)
	for err == nil {
		err = p.step()
	}
	p.end()
	u.lost()
	return err
}

// end tells whoever waits for a reply that none will come.
func (p *peer) end() {
	p.conn.Close()
	p.mu.Lock()
	waiting := p.waiting
	p.waiting = nil
	p.mu.Unlock()
	for _, fn := range waiting {
		fn(nil)
	}
}

// send sends a request; fn gets the reply, or nil when the connection ends
// first.
func (p *peer) send(method string, params []byte, fn func(*jsonrpc.Message)) {
	p.mu.Lock()
	if p.waiting == nil {
		p.mu.Unlock()
		fn(nil)
		return
	}
	id := strconv.Itoa(p.nextID)
	p.nextID++
	p.waiting[id] = fn
	p.mu.Unlock()
	_ = p.conn.Send(jsonrpc.AppendRequest(nil, method, params, []byte(id)))
}

// step takes the next message.
func (p *peer) step() error {
	m, err := p.conn.Receive()
	if err != nil {
		return err
	}
	p.up.link.Activity()
	switch m.Kind {
	case jsonrpc.Request:
		if m.Method == "echo" {
			return p.conn.Send(jsonrpc.AppendReply(nil, m.ID, m.Params))
		}
	case jsonrpc.Notify:
		if p.update != nil {
			return p.update(&m)
		}
	default:
		p.mu.Lock()
		fn := p.waiting[string(m.ID)]
		delete(p.waiting, string(m.ID))
		p.mu.Unlock()
		if fn != nil {
			fn(&m)
		}
	}
	return nil
}

// call sends a request and waits for its result, taking updates meanwhile. Only
// the goroutine that receives may call it.
func (p *peer) call(method string, params []byte) ([]byte, error) {
	var reply *jsonrpc.Message
	p.send(method, params, func(m *jsonrpc.Message) { reply = m })
	for reply == nil {
		if err := p.step(); err != nil {
			return nil, err
		}
	}
	if reply.Kind == jsonrpc.Error {
		return nil, fmt.Errorf("%s: %s request failed: %s", p.target, method, reply.Err)
	}
	return reply.Result, nil
}

// followParams builds the params of the monitor request for tables.
func followParams(db string, id string, tables []*engine.Table) []byte {
	p := append(json.AppendString([]byte{'['}, db), ',')
	p = append(json.AppendString(p, id), ",{"...)
	for i, t := range tables {
		if i > 0 {
			p = append(p, ',')
		}
		p = append(json.AppendString(p, t.Name), `:[{"columns":[`...)
		for j, c := range t.Columns[ovsdb.VersionColumn:] {
			if j > 0 {
				p = append(p, ',')
			}
			p = json.AppendString(p, c.Name)
		}
		p = append(p, "]}]"...)
	}
	return append(p, "}]"...)
}

// parseUpdates turns <table-updates> into changes over a snapshot, of which
// only tables are concerned.
func parseUpdates(s *engine.Snapshot, tables []*engine.Table, raw []byte) ([]engine.Change, error) {
	var changes []engine.Change
	seen := map[ovsdb.UUID]*engine.Table{}
	sc := json.NewScanner(raw)
	if sc.Next() != json.ObjectBegin {
		return nil, sc.Errorf("<table-updates> is not an object")
	}
	err := sc.Object(func(name string) error {
		sc.Next()
		i := slices.IndexFunc(tables, func(t *engine.Table) bool { return t.Name == name })
		if i < 0 || sc.Kind() != json.ObjectBegin {
			return sc.Errorf("<table-updates> includes unknown table \"%s\"", name)
		}
		return sc.Object(func(uuid string) error {
			sc.Next()
			id, ok := ovsdb.ParseUUID(uuid)
			if !ok {
				return sc.Errorf("<table-update> contains bad UUID \"%s\"", uuid)
			}
			if seen[id] == tables[i] {
				return sc.Errorf("<table-update> contains row %s twice", id)
			}
			seen[id] = tables[i]
			c, err := parseRowUpdate(s, tables[i], id, sc)
			if err == nil && (c.Old != nil || c.New != nil) {
				changes = append(changes, c)
			}
			return err
		})
	})
	return changes, err
}

// parseRowUpdate reads a <row-update>.
func parseRowUpdate(s *engine.Snapshot, t *engine.Table, id ovsdb.UUID, sc *json.Scanner) (engine.Change, error) {
	c := engine.Change{Table: t, Old: s.Tables[t.Num].Get(id)}
	err := ovsdb.Members(sc, "row update", []string{"old", "new"}, func(name string) error {
		if name == "old" {
			return sc.Skip()
		}
		row := t.DefaultRow()
		if c.Old != nil {
			c.Old.Unpack(t.TableSchema, row)
		}
		err := ovsdb.ParseRow(t.TableSchema, sc, nil, row, func(*ovsdb.ColumnSchema) error { return nil })
		row[ovsdb.UUIDColumn] = ovsdb.ScalarDatum(ovsdb.UUIDAtom(id))
		c.New = ovsdb.Store(t.TableSchema, row)
		return err
	})
	return c, err
}

// resetChanges returns the changes that replace the contents of tables by the
// rows in initial.
func resetChanges(s *engine.Snapshot, tables []*engine.Table, initial []engine.Change) []engine.Change {
	there := map[*engine.Table]map[ovsdb.UUID]bool{}
	var out []engine.Change
	for i := range initial {
		c := &initial[i]
		if c.Old == nil || !c.Old.Equal(c.New) {
			out = append(out, *c)
		}
		if there[c.Table] == nil {
			there[c.Table] = map[ovsdb.UUID]bool{}
		}
		there[c.Table][c.ID()] = true
	}
	for _, t := range tables {
		for row := range s.Tables[t.Num].All() {
			if !there[t][row.ID] {
				out = append(out, engine.Change{Table: t, Old: row})
			}
		}
	}
	slices.SortStableFunc(out, func(a, b engine.Change) int { return a.Table.Num - b.Table.Num })
	return out
}

// Apply commits changes that another server has checked already.
func (db *Database) Apply(comment string, build func(*engine.Snapshot) ([]engine.Change, error)) error {
	c, err := db.beginChanges(comment, build)
	if c == nil {
		return err
	}
	if err := db.finish(c); err != nil {
		return err
	}
	return nil
}

func (db *Database) beginChanges(comment string, build func(*engine.Snapshot) ([]engine.Change, error)) (*commit, error) {
	db.mu.Lock()
	defer db.mu.Unlock()
	if err := db.mayWrite(); err != nil {
		return nil, err
	}
	changes, err := build(db.eng.Head())
	if err != nil || len(changes) == 0 {
		return nil, err
	}
	return db.enqueue(&commit{changes: changes, comment: comment}), nil
}
