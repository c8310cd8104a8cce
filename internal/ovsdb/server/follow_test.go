package server

import (
	"context"
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"weir/internal/clock"
	"weir/internal/ovsdb"
	"weir/internal/ovsdb/engine"
	"weir/internal/ovsdb/storage"
	"weir/internal/stream"
)

// follower starts a second server beside h, whose socket is "follower" in h's
// directory.
func (h *harness) follower(setUp func(*Server) error) *harness {
	h.t.Helper()
	dir := filepath.Dir(h.sock)
	f := &harness{Server: New(clock.New(), dir, &stream.TLS{}), t: h.t, sock: filepath.Join(dir, "follower")}
	if err := setUp(f.Server); err != nil {
		h.t.Fatal(err)
	}
	if err := f.AddRemote("punix:follower"); err != nil {
		h.t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	go f.Run(ctx)
	h.t.Cleanup(func() { cancel(); f.Close() })
	return f
}

// until asks again until the answer holds all of parts.
func until(t *testing.T, ask func() string, parts ...string) {
	t.Helper()
	got := ""
	for end := time.Now().Add(time.Minute); time.Now().Before(end); time.Sleep(5 * time.Millisecond) {
		got = ask()
		missing := false
		for _, p := range parts {
			missing = missing || !strings.Contains(got, p)
		}
		if !missing {
			return
		}
	}
	t.Fatalf("never %v: %s", parts, got)
}

const names = `{"op":"select","table":"root","where":[],"columns":["name"]}`

func TestRelay(t *testing.T) {
	h := newHarness(t)
	source := h.client()
	source.transact(insertOp("a"))
	relay := h.follower(func(s *Server) error { return s.AddDB("relay:db:unix:sock") })
	server := func() string {
		return relay.ask("transact", `["_Server",{"op":"select","table":"Database","where":[["name","==","db"]],"columns":["connected","model"]}]`)
	}
	until(t, server, `"connected":true`, `"model":"relay"`)
	c := relay.client()
	if got := c.transact(names); got != `[{"rows":[{"name":"a"}]}]` {
		t.Errorf("at first: %s", got)
	}

	// Writes go to the source, errors come back, and what is committed arrives.
	if got := c.transact(insertOp("b")); !strings.Contains(got, `"uuid"`) {
		t.Errorf("insert: %s", got)
	}
	if got := c.transact(insertOp("b")); !strings.Contains(got, "constraint violation") {
		t.Errorf("second insert: %s", got)
	}
	until(t, func() string { return c.transact(names) }, `"a"`, `"b"`)
	if got := source.transact(names); !strings.Contains(got, `"b"`) {
		t.Errorf("the source has %s", got)
	}

	// Without its source it serves what it has; writes wait.
	if err := h.RemoveRemote("punix:sock"); err != nil {
		t.Fatal(err)
	}
	until(t, server, `"connected":false`)
	c = relay.client()
	if got := c.transact(names); !strings.Contains(got, `"b"`) {
		t.Errorf("alone: %s", got)
	}
	c.send("transact", `["db",`+insertOp("x")+`]`)
	if _, err := fmt.Fprint(c, `{"method":"cancel","params":[1],"id":null}`); err != nil {
		t.Fatal(err)
	}
	if got := string(c.next().Error); got != `"canceled"` {
		t.Errorf("cancelled while waiting for the source: %s", got)
	}
	c.send("transact", `["db",`+insertOp("y")+`]`)

	// What changed meanwhile is there once the source is back.
	if err := h.AddRemote("punix:sock"); err != nil {
		t.Fatal(err)
	}
	h.client().transact(`{"op":"delete","table":"root","where":[["name","==","a"]]},` + insertOp("c"))
	until(t, server, `"connected":true`)
	until(t, relay.names, `"b"`, `"c"`, `"y"`)
	if got := string(c.next().Result); !strings.Contains(got, `"uuid"`) {
		t.Errorf("insert that had to wait: %s", got)
	}
	if got := relay.client().transact(names); strings.Contains(got, `"a"`) {
		t.Errorf("a deleted row is there: %s", got)
	}
}

// backup returns a server with a copy of h's schema that follows h.
func (h *harness) backup(exclude string) *harness { return h.backupOf("sock", exclude) }

// backupOf is backup by way of a socket.
func (h *harness) backupOf(sock, exclude string) *harness {
	h.t.Helper()
	schema, err := ovsdb.ParseSchema([]byte(testSchema))
	if err != nil {
		h.t.Fatal(err)
	}
	file := filepath.Join(filepath.Dir(h.sock), "backup")
	f, err := storage.CreateFile(file, schema, nil, storage.Txn{})
	if err != nil {
		h.t.Fatal(err)
	}
	_ = f.Close()
	return h.follower(func(s *Server) error {
		if err := s.AddDB(file); err != nil {
			return err
		}
		if err := s.SetSync("unix:"+sock, exclude); err != nil {
			return err
		}
		s.StartSync()
		return nil
	})
}

func TestBackup(t *testing.T) {
	h := newHarness(t)
	h.client().transact(insertOp("a"))
	b := h.backup("")
	until(t, b.names, `"a"`)
	until(t, b.syncText, "state: backup", "replicating: unix:sock", "database: db")
	for _, ask := range []string{insertOp("x"), `{"op":"delete","table":"root","where":[]}`} {
		if got := b.client().transact(ask); !strings.Contains(got, "not allowed when database server is in read only mode") {
			t.Errorf("%s: %s", ask, got)
		}
	}
	if got, _ := b.client().call("lock", `["l"]`); !strings.Contains(got, "not allowed") {
		t.Errorf("lock: %s", got)
	}
	h.client().transact(`{"op":"update","table":"root","where":[],"row":{"name":"b"}}`)
	until(t, b.names, `"b"`)

	b.replication.stop()
	until(t, b.syncText, "state: active")
	if got := b.client().transact(insertOp("x")); !strings.Contains(got, `"uuid"`) {
		t.Errorf("insert after taking over: %s", got)
	}
	if got := h.client().transact(names); strings.Contains(got, `"x"`) {
		t.Errorf("the old active server has %s", got)
	}
}

func TestBackupExcludes(t *testing.T) {
	h := newHarness(t)
	h.client().transact(insertOp("a"))
	b := h.backup("db:root")
	until(t, b.syncText, "replicating: unix:sock", "exclude: db:root")
	if got := b.client().transact(names); got != `[{"rows":[]}]` {
		t.Errorf("an excluded table holds %s", got)
	}
	for _, bad := range []string{"db", "db:", ":"} {
		if _, err := parseExcluded(bad); err == nil {
			t.Errorf("%q was accepted", bad)
		}
	}
}

// A server that is told to follow itself, or one that has none of its databases,
// stays active.
func TestBackupOfNothing(t *testing.T) {
	h := newHarness(t)
	if err := h.SetSync("unix:sock", ""); err != nil {
		t.Fatal(err)
	}
	h.StartSync()
	until(t, h.syncText, "state: active")
	if got := h.client().transact(insertOp("a")); !strings.Contains(got, `"uuid"`) {
		t.Errorf("insert: %s", got)
	}
	empty := h.follower(func(s *Server) error {
		if err := s.SetSync("unix:sock", ""); err != nil {
			return err
		}
		s.StartSync()
		return nil
	})
	until(t, empty.syncText, "state: active")
}

// FuzzUpdates reads what a source might send as updates.
func FuzzUpdates(f *testing.F) {
	schema, err := ovsdb.ParseSchema([]byte(testSchema))
	if err != nil {
		f.Fatal(err)
	}
	snap := engine.NewSnapshot(engine.NewLayout(schema))
	const id = "f81d4fae-7dec-11d0-a765-00a0c91e6bf6"
	for _, row := range []string{
		`{"new":{"name":"x","i":5,"si":["set",[1,2]],"ms":["map",[["a","b"]]]}}`, `{"old":{"name":"x"}}`, `{"old":{},"new":{"i":1}}`, `{}`, `null`, `{"new":{"i":"x"}}`,
		`{"initial":{"name":"x","si":["set",[1,2]]}}`, `{"insert":{}}`, `{"modify":{"si":["set",[2,3]]}}`, `{"delete":null}`, `{"modify":null}`,
	} {
		f.Add([]byte(fmt.Sprintf(`{"root":{"%s":%s}}`, id, row)))
	}
	f.Add([]byte(`{"other":{}}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		for _, row := range []rowParser{parseRowUpdate, parseRowUpdate2} {
			changes, err := parseUpdates(snap, snap.Layout.Tables, data, row)
			if err != nil {
				continue
			}
			for i := range changes {
				if changes[i].Old == nil && changes[i].New == nil {
					t.Errorf("a change of nothing: %s", data)
				}
			}
		}
	})
}

// FuzzConfig reads configuration files.
func FuzzConfig(f *testing.F) {
	for _, seed := range []string{
		`{"remotes":{"punix:db.sock":{"inactivity-probe":5000,"max-backoff":8000,"read-only":true,"role":"x","dscp":8},"db:a,b,c":null}}`,
		`{"databases":{"a":{"service-model":"relay","source":{"tcp:1.2.3.4:5":{}}},"b":null,"c":{"service-model":"active-backup","backup":true,"source":{"x":null},"exclude-tables":["t"]}}}`,
		`{"databases":{"a":{"service-model":"clustered"}}}`, `{}`, `null`, `{"remotes":[]}`, `{} {}`,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		c, err := ParseConfig("file", data)
		if err != nil {
			if !strings.HasPrefix(err.Error(), "file: ") {
				t.Errorf("an error without the file's name: %v", err)
			}
			return
		}
		for name, d := range c.Databases {
			if d == nil || (d.Model == modelRelay || d.Model == modelActiveBackup) != (len(d.Source) == 1) {
				t.Errorf("%s: %+v", name, d)
			}
		}
	})
}

func (s *Server) syncText() string { return s.syncStatus().String() }
