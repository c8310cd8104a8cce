package unixctl

import (
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"weir/internal/clock"
	"weir/internal/version"
)

func serve(t *testing.T) *Server {
	t.Helper()
	s, err := NewServer(filepath.Join(t.TempDir(), "d.ctl"))
	if err != nil {
		t.Fatal(err)
	}
	s.SetProgram("testd")
	s.Register("echo", "[arg]...", 1, 2, func(r *Request) (string, error) { return strings.Join(r.Args, "+"), nil })
	s.Register("fail", "", 0, 0, func(*Request) (string, error) { return "", errors.New("no such luck") })
	s.Register("crash", "", 0, 0, func(*Request) (string, error) { panic("oops") })
	s.Register("both", "", 0, 0, func(r *Request) (string, error) {
		if r.JSON {
			return r.ReplyJSON([]int{1, 2})
		}
		return "1 2", nil
	})
	go s.Serve()
	t.Cleanup(s.Close)
	return s
}

func dial(t *testing.T, s *Server) *Client {
	t.Helper()
	c, err := Dial(s.Path())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}

func TestCommands(t *testing.T) {
	c := dial(t, serve(t))
	for _, tc := range []struct{ command, want string }{
		{"version", version.Line("testd") + "\n"},
		{"echo a b", "a+b\n"},
		{"echo", `error: "echo" command requires at least 1 arguments` + "\n"},
		{"echo a b c", `error: "echo" command takes at most 2 arguments` + "\n"},
		{"nonesuch", `error: "nonesuch" is not a valid command (use "list-commands" to see a list of valid commands)` + "\n"},
		{"fail", "error: no such luck\n"},
		{"crash", "error: crash: internal error: oops\n"},
		{"vlog/set nonesuch", `error: no destination, level, or module "nonesuch"` + "\n"},
		{"coverage/read-counter nonesuch", "error: No such counter\n"},
		{"both", "1 2\n"},
	} {
		words := strings.Fields(tc.command)
		got, remote, err := c.Transact(words[0], words[1:])
		if err != nil {
			t.Fatalf("%s: %v", tc.command, err)
		}
		if remote != nil {
			got = "error: " + remote.Error()
		}
		if got != tc.want {
			t.Errorf("%s: got %q, want %q", tc.command, got, tc.want)
		}
	}
}

func TestJSONSession(t *testing.T) {
	c := dial(t, serve(t))
	if remote, err := c.SetJSON(); remote != nil || err != nil {
		t.Fatal(remote, err)
	}
	for _, tc := range []struct{ command, want string }{
		{"both", "[1,2]"},
		{"version", fmt.Sprintf(`{"reply":"%s","reply-format":"plain"}`, version.Line("testd"))},
	} {
		got, remote, err := c.Transact(tc.command, nil)
		if got != tc.want || remote != nil || err != nil {
			t.Errorf("%s: got %s, %v, %v; want %s", tc.command, got, remote, err, tc.want)
		}
	}
}

func TestBadRequests(t *testing.T) {
	s := serve(t)
	for _, bad := range []string{"nonsense", "[1,2]", `{"id":1}`, "\x00\xff", `{"id":0,"method":7}`} {
		conn, err := net.Dial("unix", s.Path())
		if err != nil {
			t.Fatal(err)
		}
		fmt.Fprintln(conn, bad)
		_ = conn.SetDeadline(time.Now().Add(time.Minute))
		buf := make([]byte, 100)
		if n, err := conn.Read(buf); err == nil {
			t.Errorf("%q was answered with %q", bad, buf[:n])
		}
		conn.Close()
	}
	if got, _, err := dial(t, s).Transact("echo", []string{"alive"}); got != "alive\n" || err != nil {
		t.Errorf("afterwards: %q, %v", got, err)
	}
}

func TestLongSocketName(t *testing.T) {
	dir := t.TempDir()
	for range 4 {
		dir = filepath.Join(dir, strings.Repeat("d", 60))
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	s, err := NewServer(filepath.Join(dir, "long.ctl"))
	if err != nil {
		t.Fatal(err)
	}
	go s.Serve()
	if _, _, err := dial(t, s).Transact("version", nil); err != nil {
		t.Error(err)
	}
	s.Close()
	if _, err := os.Stat(s.Path()); err == nil {
		t.Error("the socket stays after Close")
	}
}

func TestWarpCommand(t *testing.T) {
	s := serve(t)
	c := clock.New()
	s.RegisterTime(c)
	client := dial(t, s)
	ran := false
	c.AfterFunc(time.Second, func() { ran = true })
	for _, command := range [][]string{{"time/stop"}, {"time/warp", "2000", "100"}} {
		if _, remote, err := client.Transact(command[0], command[1:]); remote != nil || err != nil {
			t.Fatal(command, remote, err)
		}
	}
	if !ran {
		t.Error("the warp answered before the timer ran")
	}
}

// TestLongCommands checks that a command learns that its client has gone, that
// clients hear how far it is, and that the server's end ends it.
func TestLongCommands(t *testing.T) {
	s := serve(t)
	ended := make(chan string, 1)
	s.Register("wait", "", 0, 0, func(r *Request) (string, error) {
		r.Progress("here we are")
		for {
			select {
			case <-r.Ctx.Done():
				ended <- "the server ends"
				return "", r.Ctx.Err()
			case <-time.After(time.Millisecond):
			}
			if r.Gone() {
				ended <- "the client has gone"
				return "", nil
			}
		}
	})
	heard := make(chan string, 1)
	c := dial(t, s)
	c.Progress = func(text string) { heard <- text }
	go func() { _, _, _ = c.Transact("wait", nil) }()
	if text := <-heard; text != "here we are" {
		t.Error(text)
	}
	select {
	case why := <-ended:
		t.Fatal(why)
	case <-time.After(20 * time.Millisecond):
	}
	c.Close()
	if why := <-ended; why != "the client has gone" {
		t.Error(why)
	}
	other := dial(t, s)
	other.Progress = func(text string) { heard <- text }
	go func() { _, _, _ = other.Transact("wait", nil) }()
	<-heard
	s.Close()
	if why := <-ended; why != "the server ends" {
		t.Error(why)
	}
}

// A warp of as many steps as one can ask for ends when its client goes, and with the
// server.
func TestEndlessWarp(t *testing.T) {
	s := serve(t)
	c := clock.New()
	c.Stop()
	s.RegisterTime(c)
	var steps atomic.Int64
	c.OnStep(func() { steps.Add(1) })
	warp := func() net.Conn {
		conn, _ := connect(t, s)
		if _, err := io.WriteString(conn, `{"id":1,"method":"time/warp","params":["2147483647","1"]}`); err != nil {
			t.Fatal(err)
		}
		for was := steps.Load(); steps.Load() == was; {
			time.Sleep(time.Millisecond)
		}
		return conn
	}
	_ = warp().Close()
	for end := time.Now().Add(time.Minute); c.Warping(); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("the warp goes on without its client")
		}
	}
	warp()
	s.Close()
}
