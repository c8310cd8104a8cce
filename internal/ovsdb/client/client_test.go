package client

import (
	"context"
	"errors"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"weir/internal/clock"
	"weir/internal/ovsdb"
)

// peerServer starts Debian's ovsdb-server on a small database and returns the
// connection method. The test is skipped where that program isn't installed.
func peerServer(t *testing.T) string {
	t.Helper()
	tool, err1 := exec.LookPath("ovsdb-tool")
	server, err2 := exec.LookPath("ovsdb-server")
	if err1 != nil || err2 != nil {
		t.Skip("needs ovsdb-tool and ovsdb-server (Debian: openvswitch-common)")
	}
	dir, err := os.MkdirTemp("", "ovsdb-client")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	schema := filepath.Join(dir, "schema")
	if err := os.WriteFile(schema, []byte(testSchema), 0o600); err != nil {
		t.Fatal(err)
	}
	if out, err := exec.Command(tool, "create", filepath.Join(dir, "db"), schema).CombinedOutput(); err != nil {
		t.Fatalf("ovsdb-tool: %v: %s", err, out)
	}
	sock := filepath.Join(dir, "sock")
	cmd := exec.Command(server, "--remote=punix:"+sock, "--unixctl="+filepath.Join(dir, "ctl"), filepath.Join(dir, "db"))
	cmd.Env = append(os.Environ(), "OVS_RUNDIR="+dir, "OVS_SYSLOG_METHOD=null")
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = cmd.Process.Kill(); _ = cmd.Wait() })
	for end := time.Now().Add(time.Minute); ; time.Sleep(10 * time.Millisecond) {
		conn, err := net.Dial("unix", sock) // the file is there before the server listens
		if err == nil {
			_ = conn.Close()
			return "unix:" + sock
		}
		if time.Now().After(end) {
			t.Fatalf("ovsdb-server does not listen: %v", err)
		}
	}
}

const testSchema = `{"name":"Test","version":"1.0.0","tables":{
 "Root":{"isRoot":true,"columns":{
  "n":{"type":"integer"},
  "m":{"type":{"key":"string","value":"string","min":0,"max":"unlimited"}},
  "kids":{"type":{"key":{"type":"uuid","refTable":"Kid"},"min":0,"max":"unlimited"}}}},
 "Kid":{"columns":{"name":{"type":"string"},"opt":{"type":{"key":"boolean","min":0}}}}}}`

func start(t *testing.T, cfg Config) (*Client, context.Context) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	c := New(cfg)
	end := make(chan struct{})
	go func() { _ = c.Run(ctx); close(end) }()
	t.Cleanup(func() { cancel(); <-end })
	return c, ctx
}

func strings2(kv ...string) ovsdb.Datum {
	var pairs []ovsdb.Pair
	for i := 0; i < len(kv); i += 2 {
		pairs = append(pairs, ovsdb.Pair{Key: ovsdb.StringAtom(kv[i]), Value: ovsdb.StringAtom(kv[i+1])})
	}
	return ovsdb.MapDatum(ovsdb.String, ovsdb.String, pairs)
}

func TestPeerServer(t *testing.T) {
	remote := peerServer(t)
	c, ctx := start(t, Config{Remote: remote, Database: "Test", Quiet: true})
	snap, err := c.WaitFor(ctx, func(*Snapshot) bool { return true })
	if err != nil {
		t.Fatal(err)
	}
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}

	tx := NewTxn(snap)
	root, err := tx.Insert("Root")
	must(err)
	kid, err := tx.Insert("Kid")
	must(err)
	must(tx.Set("Kid", kid, "name", ovsdb.ScalarDatum(ovsdb.StringAtom(`a "kid"`))))
	must(tx.AddElements("Root", root, "kids", ovsdb.ScalarDatum(ovsdb.UUIDAtom(kid))))
	must(tx.Set("Root", root, "m", strings2("k", "v")))
	tx.Increment("Root", root, "n")
	tx.Comment("first")
	res, err := c.Commit(ctx, tx)
	must(err)
	if res.Increment != 1 {
		t.Errorf("increment gave %d, want 1", res.Increment)
	}
	s1 := c.Snapshot()
	r := s1.Row("Root", res.UUID(root))
	if r == nil {
		t.Fatal("the snapshot after Commit lacks the inserted row")
	}
	if got := r.Refs("kids"); len(got) != 1 || got[0] != res.UUID(kid) {
		t.Errorf("kids = %v, want %v", got, res.UUID(kid))
	}
	if got := s1.Row("Kid", res.UUID(kid)).String("name"); got != `a "kid"` {
		t.Errorf("name = %q", got)
	}

	// Two clients change the same map without undoing one another.
	stale := c.Snapshot()
	for _, kv := range [][2]string{{"x", "1"}, {"y", "2"}, {"k", "w"}} {
		tx := NewTxn(stale)
		must(tx.SetKeys("Root", r.UUID(), "m", strings2(kv[0], kv[1])))
		_, err := c.Commit(ctx, tx)
		must(err)
	}
	if got, want := c.Snapshot().Row("Root", r.UUID()).Datum("m"), strings2("k", "w", "x", "1", "y", "2"); got != want {
		t.Errorf("m = %v, want %v", got.JSON(), want.JSON())
	}

	// A verified column that changed meanwhile.
	tx = NewTxn(stale)
	must(tx.Verify("Root", r.UUID(), "m"))
	must(tx.Set("Root", r.UUID(), "n", ovsdb.ScalarDatum(ovsdb.IntAtom(9))))
	if _, err := c.Commit(ctx, tx); !errors.Is(err, ErrTryAgain) {
		t.Errorf("overtaken transaction: %v, want ErrTryAgain", err)
	}
	if n, _ := c.Snapshot().Row("Root", r.UUID()).Int("n"); n != 1 {
		t.Errorf("n = %d after a failed transaction, want 1", n)
	}

	// Deleting the reference deletes the kid.
	before := c.Snapshot()
	tx = NewTxn(before)
	must(tx.RemoveElements("Root", r.UUID(), "kids", ovsdb.ScalarDatum(ovsdb.UUIDAtom(res.UUID(kid)))))
	_, err = c.Commit(ctx, tx)
	must(err)
	var gone []ovsdb.UUID
	for ch := range Diff(before, c.Snapshot(), "Kid") {
		if ch.New == nil {
			gone = append(gone, ch.Old.UUID())
		}
	}
	if len(gone) != 1 || gone[0] != res.UUID(kid) {
		t.Errorf("deleted kids: %v, want %v", gone, res.UUID(kid))
	}
}

func TestLock(t *testing.T) {
	remote := peerServer(t)
	a, ctx := start(t, Config{Remote: remote, Database: "Test", Lock: "L", Quiet: true})
	wait := func(c *Client, ok func(Status) bool) {
		t.Helper()
		for !ok(c.Status()) {
			ch := c.Changed()
			if ok(c.Status()) {
				return
			}
			select {
			case <-ch:
			case <-ctx.Done():
				t.Fatal("timed out waiting for the lock")
			}
		}
	}
	wait(a, func(s Status) bool { return s.HasLock })
	b, _ := start(t, Config{Remote: remote, Database: "Test", Lock: "L", Quiet: true})
	wait(b, func(s Status) bool { return s.Contended })
	tx := NewTxn(b.Snapshot())
	if _, err := tx.Insert("Root"); err != nil {
		t.Fatal(err)
	}
	if _, err := b.Commit(ctx, tx); !errors.Is(err, ErrNotLocked) {
		t.Errorf("commit without the lock: %v", err)
	}
	if _, err := a.Commit(ctx, tx); err != nil {
		t.Errorf("commit with the lock: %v", err)
	}
}

func TestOnce(t *testing.T) {
	c := New(Config{Remote: "unix:/nonexistent/sock", Database: "Test", Once: true, Quiet: true})
	if err := c.Run(context.Background()); err == nil || !errors.Is(err, os.ErrNotExist) {
		t.Errorf("Run = %v, want no such file", err)
	}
	if _, err := c.WaitFor(context.Background(), func(*Snapshot) bool { return true }); err == nil {
		t.Error("WaitFor succeeded")
	}
}

// Each remote gets its turn, at once.
func TestOnceSeveral(t *testing.T) {
	remote := peerServer(t)
	still := clock.New()
	still.Stop() // who waits for a time waits for ever
	c, ctx := start(t, Config{Remote: "unix:/nonexistent/a,unix:/nonexistent/b," + remote, Database: "Test", Once: true, Quiet: true, Clock: still})
	if _, err := c.WaitFor(ctx, func(*Snapshot) bool { return true }); err != nil {
		t.Fatal(err)
	}
	c = New(Config{Remote: "unix:/nonexistent/a,unix:/nonexistent/b", Database: "Test", Once: true, Quiet: true, Shuffle: true})
	if err := c.Run(context.Background()); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("Run = %v, want no such file", err)
	}
}

// A process that stands still for seconds while it connects to a peer that listens on
// this machine is connected none the less.
func TestOnceStalled(t *testing.T) {
	remote := peerServer(t)
	for range 20 {
		clk := clock.New()
		clk.Stop()
		c, ctx := start(t, Config{Remote: remote, Database: "Test", Once: true, Quiet: true, Clock: clk})
		done := make(chan struct{})
		go func() {
			defer close(done)
			for c.Snapshot() == nil && ctx.Err() == nil {
				clk.Warp(5*time.Second, time.Second)
			}
		}()
		_, err := c.WaitFor(ctx, func(*Snapshot) bool { return true })
		if err != nil {
			t.Error(err)
			return
		}
		<-done
	}
}

func TestReconnect(t *testing.T) {
	remote := peerServer(t)
	c, ctx := start(t, Config{Remote: remote, Database: "Test", Quiet: true})
	s, err := c.WaitFor(ctx, func(*Snapshot) bool { return true })
	if err != nil {
		t.Fatal(err)
	}
	tx := NewTxn(s)
	id, _ := tx.Insert("Root")
	res, err := c.Commit(ctx, tx)
	if err != nil {
		t.Fatal(err)
	}
	was := c.Snapshot()
	c.ForceReconnect()
	now, err := c.WaitFor(ctx, func(s *Snapshot) bool { return s.Seq() > was.Seq() })
	if err != nil {
		t.Fatal(err)
	}
	if was.Row("Root", res.UUID(id)) != now.Row("Root", res.UUID(id)) {
		t.Error("an unchanged row is another one after reconnection")
	}
}

// Conditions choose rows, and columns that aren't kept can be changed.
func TestWhere(t *testing.T) {
	remote := peerServer(t)
	all, ctx := start(t, Config{Remote: remote, Database: "Test", Quiet: true})
	snap, err := all.WaitFor(ctx, func(*Snapshot) bool { return true })
	if err != nil {
		t.Fatal(err)
	}
	tx := NewTxn(snap)
	root, _ := tx.Insert("Root")
	for _, name := range []string{"a", "b"} {
		kid, _ := tx.Insert("Kid")
		_ = tx.Set("Kid", kid, "name", ovsdb.ScalarDatum(ovsdb.StringAtom(name)))
		_ = tx.AddElements("Root", root, "kids", ovsdb.ScalarDatum(ovsdb.UUIDAtom(kid)))
	}
	if _, err := all.Commit(ctx, tx); err != nil {
		t.Fatal(err)
	}

	part, ctx := start(t, Config{Remote: remote, Database: "Test", Quiet: true,
		Tables: map[string][]string{"Root": {"n"}, "Kid": {"name"}},
		Where:  map[string]string{"Kid": `[["name","==","b"],["name","==","c"]]`}})
	if snap, err = part.WaitFor(ctx, func(*Snapshot) bool { return true }); err != nil {
		t.Fatal(err)
	}
	names := func(s *Snapshot) (out string) {
		for row := range s.Rows("Kid") {
			out += row.String("name")
		}
		return out
	}
	if got := names(snap); got != "b" {
		t.Errorf("kids are %q, want b alone", got)
	}
	tx = NewTxn(snap)
	for row := range snap.Rows("Root") {
		kid, _ := tx.Insert("Kid")
		_ = tx.Set("Kid", kid, "name", ovsdb.ScalarDatum(ovsdb.StringAtom("c")))
		if err := tx.AddElements("Root", row.UUID(), "kids", ovsdb.ScalarDatum(ovsdb.UUIDAtom(kid))); err != nil {
			t.Fatal(err)
		}
		if err := tx.AddElements("Root", row.UUID(), "none", ovsdb.ScalarDatum(ovsdb.UUIDAtom(kid))); err == nil {
			t.Error("a column that the schema hasn't got was changed")
		}
	}
	if _, err := part.Commit(ctx, tx); err != nil {
		t.Fatal(err)
	}
	if got := part.Snapshot().Len("Kid"); got != 2 {
		t.Errorf("%d kids after the insertion, want b and c", got)
	}
	whole, err := all.WaitFor(ctx, func(s *Snapshot) bool { return s.Len("Kid") == 3 })
	if err != nil {
		t.Fatal(err)
	}
	for row := range whole.Rows("Root") {
		if got := len(row.Refs("kids")); got != 3 {
			t.Errorf("root has %d kids, want 3", got)
		}
	}
}
