package server

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"path/filepath"
	"strings"
	"sync"
	"testing"
)

// since asks for what happened after a transaction; monitor names the monitor.
func (c *client) since(monitor, condition, last string) (found bool, id string, rows string) {
	c.t.Helper()
	got, _ := c.call("monitor_cond_since", fmt.Sprintf(`["db",%q,{"root":[{"columns":["name","i","si"],"where":%s}]},%q]`, monitor, condition, last))
	var parts []json.RawMessage
	if err := json.Unmarshal([]byte(got), &parts); err != nil || len(parts) != 3 {
		c.t.Fatalf("monitor_cond_since: %s", got)
	}
	_ = json.Unmarshal(parts[1], &id)
	var tables map[string]map[string]map[string]json.RawMessage
	if err := json.Unmarshal(parts[2], &tables); err != nil {
		c.t.Fatalf("monitor_cond_since: %s", got)
	}
	for _, row := range tables["root"] {
		for kind, value := range row {
			rows += kind + string(value)
		}
	}
	return string(parts[0]) == "true", id, rows
}

const (
	zeroID = "00000000-0000-0000-0000-000000000000"
	anyID  = "ffffffff-ffff-ffff-ffff-ffffffffffff"
)

// A client that comes back gets what it missed, and only that.
func TestMonitorSince(t *testing.T) {
	h := newHarness(t)
	w := h.client()
	w.transact(insertOp("a"))
	c := h.client()
	for _, id := range []string{zeroID, "11111111-2222-3333-4444-555555555555"} {
		if found, id, _ := h.client().since("m", "[]", id); found || id != zeroID {
			t.Errorf("a client that doesn't know of our identifiers: %v, %s", found, id)
		}
	}
	found, first, rows := c.since("m", "[]", anyID)
	if found || first == zeroID || rows != `initial{"i":3,"name":"a","si":["set",[1,2,3]]}` {
		t.Errorf("at first: %v, %s, %s", found, first, rows)
	}
	if found, again, rows := c.since("n", "[]", first); !found || again != first || rows != "" {
		t.Errorf("nothing happened: %v, %s, %s", found, again, rows)
	}
	_ = c.Close()

	// Nobody watches now. A row that came and went is no news.
	w.transact(insertOp("passing"))
	w.transact(`{"op":"delete","table":"root","where":[["name","==","passing"]]}`)
	w.transact(`{"op":"mutate","table":"root","where":[["name","==","a"]],"mutations":[["si","delete",2]]}`)
	w.transact(`{"op":"mutate","table":"root","where":[["name","==","a"]],"mutations":[["si","insert",7]]}`)
	c = h.client()
	found, second, rows := c.since("m", "[]", first)
	if !found || rows != `modify{"si":["set",[2,7]]}` {
		t.Errorf("after changes: %v, %s", found, rows)
	}
	// The identifier in an update is good for coming back as well.
	w.transact(`{"op":"update","table":"root","where":[],"row":{"i":4}}`)
	var params []json.RawMessage
	_ = json.Unmarshal(c.next().Params, &params)
	third := ""
	_ = json.Unmarshal(params[1], &third)
	if third == second {
		t.Error("two transactions have one identifier")
	}
	for last, want := range map[string]string{first: `modify{"i":4,"si":["set",[2,7]]}`, second: `modify{"i":4}`, third: ""} {
		if found, id, rows := h.client().since("m", "[]", last); !found || id != third || rows != want {
			t.Errorf("since %s: %v, %s, %s, want %s", last, found, id, rows, want)
		}
	}
	// With a condition, a row may have come into the view, or left it.
	if found, _, rows := h.client().since("m", `[["i","==",4]]`, second); !found || rows != `insert{"i":4,"name":"a","si":["set",[1,3,7]]}` {
		t.Errorf("into view: %v, %s", found, rows)
	}
	if found, _, rows := h.client().since("m", `[["i","==",3]]`, second); !found || rows != "deletenull" {
		t.Errorf("out of view: %v, %s", found, rows)
	}
	if found, _, _ := h.client().since("m", "[]", anyID); found {
		t.Error("a transaction of nobody's was found")
	}
	// What happened long ago is forgotten.
	for i := range 3 * maxRecent {
		w.transact(fmt.Sprintf(`{"op":"update","table":"root","where":[],"row":{"i":%d}}`, i))
	}
	if found, _, rows := h.client().since("m", "[]", third); found || rows != fmt.Sprintf(`initial{"i":%d,"name":"a","si":["set",[1,3,7]]}`, 3*maxRecent-1) {
		t.Errorf("long ago: %v, %s", found, rows)
	}
}

// History is bounded by what it keeps, too.
func TestHistoryRows(t *testing.T) {
	h := newHarness(t)
	_, first, _ := h.client().since("m", "[]", anyID)
	w := h.client()
	for range 3 {
		var ops strings.Builder
		for i := range maxRecentRows / 2 {
			fmt.Fprintf(&ops, `,{"op":"insert","table":"root","row":{"name":"%d"}}`, i)
		}
		w.transact(`{"op":"delete","table":"root","where":[]}`)
		w.transact(ops.String()[1:])
	}
	db := h.Lookup("db")
	db.pub.Lock()
	kept := len(db.recent)
	db.pub.Unlock()
	if kept > 2 {
		t.Errorf("%d commits of %d rows are kept", kept, maxRecentRows/2)
	}
	if found, _, _ := h.client().since("m", "[]", first); found {
		t.Error("a transaction that is forgotten was found")
	}
}

// tap is a way to h's socket that notes what h says and can be cut.
type tap struct {
	mu    sync.Mutex
	conns []net.Conn
	said  []*bytes.Buffer // by connection
}

func (h *harness) tap() *tap {
	h.t.Helper()
	l, err := net.Listen("unix", filepath.Join(filepath.Dir(h.sock), "tap"))
	if err != nil {
		h.t.Fatal(err)
	}
	h.t.Cleanup(func() { _ = l.Close() })
	p := &tap{}
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			s, err := net.Dial("unix", h.sock)
			if err != nil {
				_ = c.Close()
				continue
			}
			said := &bytes.Buffer{}
			p.mu.Lock()
			p.conns, p.said = append(p.conns, c, s), append(p.said, said)
			p.mu.Unlock()
			go func() { _, _ = io.Copy(s, c); _ = s.Close() }()
			go func() { _, _ = io.Copy(io.MultiWriter(c, lockedWriter{&p.mu, said}), s); _ = c.Close() }()
		}
	}()
	return p
}

// lockedWriter writes under a mutex.
type lockedWriter struct {
	mu *sync.Mutex
	io.Writer
}

func (w lockedWriter) Write(b []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.Writer.Write(b)
}

// cut ends all connections.
func (p *tap) cut() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, c := range p.conns {
		_ = c.Close()
	}
}

// last is what was said on the newest connection.
func (p *tap) last() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.said) < 2 {
		return ""
	}
	return p.said[len(p.said)-1].String()
}

// A relay and a backup that were cut off fetch only what they missed.
func TestFollowersResume(t *testing.T) {
	for _, kind := range []string{"relay", "backup"} {
		t.Run(kind, func(t *testing.T) {
			h := newHarness(t)
			h.client().transact(insertOp("old"))
			p := h.tap()
			var f *harness
			if kind == "relay" {
				f = h.follower(func(s *Server) error { return s.AddDB("relay:db:unix:tap") })
			} else {
				f = h.backupOf("tap", "")
			}
			until(t, f.names, `"old"`)
			h.client().transact(insertOp("seen"))
			until(t, f.names, `"seen"`)
			p.cut()
			h.client().transact(insertOp("missed") + `,{"op":"delete","table":"root","where":[["name","==","seen"]]}`)
			until(t, f.names, `"old"`, `"missed"`)
			if got := f.names(); strings.Contains(got, "seen") {
				t.Errorf("a deleted row is there: %s", got)
			}
			if got := p.last(); !strings.Contains(got, `"result":[true,`) || strings.Contains(got, `"old"`) {
				t.Errorf("not only what was missed was told: %s", got)
			}
		})
	}
}

// A backup that was active for a while doesn't keep what happened then.
func TestBackupDiverged(t *testing.T) {
	h := newHarness(t)
	h.client().transact(insertOp("a"))
	b := h.backup("")
	until(t, b.names, `"a"`)
	b.replication.stop()
	b.client().transact(insertOp("own"))
	until(t, b.names, `"own"`)
	b.StartSync()
	until(t, func() string {
		if got := b.names(); strings.Contains(got, `"a"`) && !strings.Contains(got, `"own"`) {
			return "gone"
		}
		return ""
	}, "gone")
}
