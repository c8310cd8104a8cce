package server

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"net"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"weir/internal/clock"
	"weir/internal/ovsdb"
	"weir/internal/ovsdb/storage"
	"weir/internal/stream"
)

const testSchema = `{"name":"db","version":"1.0.0","tables":{
"root":{"isRoot":true,"columns":{
 "name":{"type":"string"},
 "i":{"type":"integer"},
 "si":{"type":{"key":"integer","min":0,"max":"unlimited"}},
 "ms":{"type":{"key":"string","value":"string","min":0,"max":"unlimited"}}},
 "indexes":[["name"]]}}}`

// harness is a server on a new database file, listening on a unix socket.
type harness struct {
	*Server
	t    testing.TB
	file string
	sock string
}

func newHarness(t testing.TB) *harness {
	t.Helper()
	dir := t.TempDir()
	schema, err := ovsdb.ParseSchema([]byte(testSchema))
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(dir, "db")
	f, err := storage.CreateFile(file, schema, nil, storage.Txn{})
	if err != nil {
		t.Fatal(err)
	}
	_ = f.Close()
	return startHarness(t, file)
}

func startHarness(t testing.TB, file string) *harness {
	t.Helper()
	dir := filepath.Dir(file)
	h := &harness{Server: New(clock.New(), dir, &stream.TLS{}), t: t, file: file, sock: filepath.Join(dir, "sock")}
	if err := h.AddDB(file); err != nil {
		t.Fatal(err)
	}
	if err := h.AddRemote("punix:sock"); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	go h.Run(ctx)
	t.Cleanup(func() { cancel(); h.Close() })
	return h
}

// client is a connection to a harness.
type client struct {
	net.Conn
	t   testing.TB
	dec *json.Decoder
}

func (h *harness) client() *client {
	h.t.Helper()
	c, err := net.Dial("unix", h.sock)
	if err != nil {
		h.t.Fatal(err)
	}
	h.t.Cleanup(func() { _ = c.Close() })
	return &client{c, h.t, json.NewDecoder(bufio.NewReader(c))}
}

// reply is any message.
type reply struct {
	ID     json.RawMessage `json:"id"`
	Method string          `json:"method"`
	Params json.RawMessage `json:"params"`
	Result json.RawMessage `json:"result"`
	Error  json.RawMessage `json:"error"`
}

// ask is what a fresh connection gets in reply, or why it gets none: a server
// may end the sessions of clients at any time when its databases change.
func (h *harness) ask(method, params string) string {
	c, err := net.Dial("unix", h.sock)
	if err != nil {
		return err.Error()
	}
	defer func() { _ = c.Close() }()
	_ = c.SetDeadline(time.Now().Add(time.Minute))
	if _, err := fmt.Fprintf(c, `{"method":%q,"params":%s,"id":1}`, method, params); err != nil {
		return err.Error()
	}
	var r reply
	if err := json.NewDecoder(c).Decode(&r); err != nil {
		return err.Error()
	}
	return string(r.Result) + string(r.Error)
}

// names asks for the names of all rows.
func (h *harness) names() string { return h.ask("transact", `["db",`+names+`]`) }

func (c *client) send(method, params string) {
	c.t.Helper()
	if _, err := fmt.Fprintf(c, `{"method":%q,"params":%s,"id":1}`, method, params); err != nil {
		c.t.Fatal(err)
	}
}

func (c *client) next() reply {
	c.t.Helper()
	_ = c.SetReadDeadline(time.Now().Add(time.Minute))
	var r reply
	if err := c.dec.Decode(&r); err != nil {
		c.t.Fatal(err)
	}
	return r
}

// call sends a request and returns the reply's result or error, and the methods
// of the notifications before it.
func (c *client) call(method, params string) (result string, before []string) {
	c.t.Helper()
	c.send(method, params)
	for {
		r := c.next()
		if r.Method != "" {
			before = append(before, r.Method+" "+string(r.Params))
			continue
		}
		if r.Result != nil && string(r.Result) != "null" {
			return string(r.Result), before
		}
		return string(r.Error), before
	}
}

func (c *client) transact(ops string) string {
	c.t.Helper()
	result, _ := c.call("transact", `["db",`+ops+`]`)
	return result
}

func insertOp(name string) string {
	return fmt.Sprintf(`{"op":"insert","table":"root","row":{"name":%q,"i":3,"si":["set",[1,2,3]],"ms":["map",[["a","b"],["c","d"]]]}}`, name)
}

// TestUpdatesBeforeReply: a client hears of its own transaction's changes before
// it gets the reply.
func TestUpdatesBeforeReply(t *testing.T) {
	h := newHarness(t)
	c := h.client()
	for _, m := range []string{"monitor", "monitor_cond"} {
		if r, _ := c.call(m, fmt.Sprintf(`["db",%q,{"root":[{"columns":["name"]}]}]`, m)); r != "{}" {
			t.Fatalf("%s: %s", m, r)
		}
	}
	for i := range 20 {
		r, before := c.call("transact", `["db",`+insertOp(fmt.Sprint(i))+`]`)
		if !strings.Contains(r, "uuid") || len(before) != 2 {
			t.Fatalf("%s after %q", r, before)
		}
	}
}

// TestManyWriters: transactions of many clients at once are all executed once
// and all survive a restart.
func TestManyWriters(t *testing.T) {
	h := newHarness(t)
	const writers, each = 8, 50
	var wg sync.WaitGroup
	for w := range writers {
		c := h.client()
		wg.Add(1)
		go func() {
			defer wg.Done()
			for i := range each {
				if r := c.transact(insertOp(fmt.Sprintf("%d-%d", w, i))); !strings.Contains(r, `"uuid"`) {
					t.Errorf("insert: %s", r)
				}
			}
		}()
	}
	wg.Wait()
	h.Close()
	again := startHarness(t, h.file)
	if n := again.Lookup("db").Snapshot().Tables[0].Len(); n != writers*each {
		t.Errorf("%d rows after the restart, want %d", n, writers*each)
	}
}

// TestWait: a transaction that waits is run again when the database changes,
// times out, and can be cancelled, while the client's other requests go on.
func TestWait(t *testing.T) {
	h := newHarness(t)
	c, other := h.client(), h.client()
	wait := func(timeout string) string {
		return `["db",{"op":"wait","table":"root","where":[["name","==","x"]],"columns":["name"],"until":"==","rows":[{"name":"x"}]` + timeout + `}]`
	}
	if r, _ := c.call("transact", wait(`,"timeout":0`)); !strings.Contains(r, "timed out") {
		t.Error(r)
	}
	if r, _ := c.call("transact", wait(`,"timeout":20`)); !strings.Contains(r, "timed out after") {
		t.Error(r)
	}
	fmt.Fprintf(c, `{"method":"transact","params":%s,"id":7}`, wait(""))
	if r, _ := c.call("echo", `["still here"]`); r != `["still here"]` {
		t.Error(r)
	}
	other.transact(insertOp("x"))
	if r := c.next(); string(r.ID) != "7" || string(r.Result) != `[{}]` {
		t.Errorf("%s %s %s", r.ID, r.Result, r.Error)
	}
	fmt.Fprintf(c, `{"method":"transact","params":%s,"id":8}`, strings.ReplaceAll(wait(""), `"x"`, `"y"`))
	fmt.Fprint(c, `{"method":"cancel","params":[8],"id":null}`)
	if r := c.next(); string(r.ID) != "8" || string(r.Error) != `"canceled"` {
		t.Errorf("%s %s %s", r.ID, r.Result, r.Error)
	}
}

// TestSlowClient: a client that doesn't read makes the server neither wait nor
// keep its updates; once it reads, it gets to the newest state.
func TestSlowClient(t *testing.T) {
	h := newHarness(t)
	slow, writer := h.client(), h.client()
	if r, _ := slow.call("monitor", `["db",null,{"root":[{"columns":["name","i"]}]}]`); r != "{}" {
		t.Fatal(r)
	}
	writer.transact(insertOp("x"))
	big := strings.Repeat("z", 1<<16)
	for i := range 200 {
		writer.transact(fmt.Sprintf(`{"op":"update","table":"root","where":[],"row":{"i":%d,"name":"%d%s"}}`, i, i, big))
	}
	var backlog int
	for _, c := range h.allSessions() {
		backlog = max(backlog, c.conn.Backlog())
	}
	if backlog > 4<<20 {
		t.Errorf("%d bytes wait for the slow client", backlog)
	}
	updates := 0
	for {
		r := slow.next()
		updates++
		if strings.Contains(string(r.Params), `"i":199`) {
			break
		}
	}
	if updates > 150 {
		t.Errorf("%d updates sent, none combined", updates)
	}
}

// TestBadInput: malformed messages end the connection they come on, and nothing
// else.
func TestBadInput(t *testing.T) {
	h := newHarness(t)
	good := h.client()
	for _, in := range []string{`{"a":1,}`, `[1]`, `"x"`, "\x00", strings.Repeat("[", 2000), `{"method":3}`,
		`{"method":"transact","params":5,"id":1}`} {
		c := h.client()
		if _, err := c.Write([]byte(in)); err != nil {
			t.Fatal(err)
		}
		_ = c.SetReadDeadline(time.Now().Add(time.Minute))
		if n, err := c.Read(make([]byte, 100)); err == nil || n > 0 || strings.Contains(err.Error(), "timeout") {
			t.Errorf("%.20q: connection goes on: %d, %v", in, n, err)
		}
	}
	for _, params := range []string{`[]`, `[5]`, `["nosuch"]`, `["db",5]`, `["db",{"op":5}]`, `["db",{"op":"insert","table":"root","row":{"i":"x"}}]`,
		`["db",null]`, `["db",[]]`, `["db",{"op":"wait","table":"root","where":[],"until":"==","rows":[{}],"timeout":-1}]`} {
		for _, method := range []string{"transact", "monitor", "monitor_cond", "monitor_cond_since", "monitor_cond_change",
			"monitor_cancel", "lock", "unlock", "convert", "set_db_change_aware", "get_schema"} {
			good.call(method, params)
		}
	}
	if r := good.transact(insertOp("alive")); !strings.Contains(r, "uuid") {
		t.Error(r)
	}
}

// TestLocks: locks pass from owner to waiter, and a thief takes them.
func TestLocks(t *testing.T) {
	h := newHarness(t)
	a, b := h.client(), h.client()
	if r, _ := a.call("lock", `["l"]`); r != `{"locked":true}` {
		t.Error(r)
	}
	if r, _ := b.call("lock", `["l"]`); r != `{"locked":false}` {
		t.Error(r)
	}
	if r := a.transact(`{"op":"assert","lock":"l"}`); r != `[{}]` {
		t.Error(r)
	}
	if r := b.transact(`{"op":"assert","lock":"l"}`); !strings.Contains(r, "not owner") {
		t.Error(r)
	}
	_ = a.Close()
	if r := b.next(); r.Method != "locked" || string(r.Params) != `["l"]` {
		t.Errorf("%+v", r)
	}
	c := h.client()
	if r, _ := c.call("steal", `["l"]`); r != `{"locked":true}` {
		t.Error(r)
	}
	if r := b.next(); r.Method != "stolen" {
		t.Errorf("%+v", r)
	}
}

func BenchmarkTransact(b *testing.B) {
	for _, clients := range []int{1, 8} {
		b.Run(fmt.Sprintf("clients=%d", clients), func(b *testing.B) {
			h := newHarness(b)
			var wg sync.WaitGroup
			for w := range clients {
				c := h.client()
				wg.Add(1)
				go func() {
					defer wg.Done()
					for i := range b.N / clients {
						c.transact(insertOp(fmt.Sprintf("%d-%d", w, i)))
					}
				}()
			}
			wg.Wait()
		})
	}
}
