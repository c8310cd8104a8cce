package stream

import (
	"context"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestParse(t *testing.T) {
	for name, want := range map[string]Target{
		"unix:db.sock":     {Kind: "unix", Path: "/run/db.sock"},
		"punix:/a/b":       {Kind: "unix", Path: "/a/b", Passive: true},
		"tcp:1.2.3.4":      {Kind: "tcp", Host: "1.2.3.4", Port: 6640},
		"tcp:[::1]:1":      {Kind: "tcp", Host: "::1", Port: 1},
		"ssl:host:2":       {Kind: "ssl", Host: "host", Port: 2},
		"ptcp:":            {Kind: "tcp", Passive: true, Port: 6640},
		"ptcp:0:127.0.0.1": {Kind: "tcp", Passive: true, Host: "127.0.0.1"},
		"pssl:7:[::1]":     {Kind: "ssl", Passive: true, Host: "::1", Port: 7},
	} {
		want.Name = name
		got, err := Parse(name, OVSDBPort, "/run")
		if err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s:\n%s", name, diff)
		}
	}
	for _, bad := range []string{"", "tcp", "x:y", "tcp:", "tcp:a:b", "tcp:a:99999", "unix:", "tcp:[::1:5"} {
		if _, err := Parse(bad, OVSDBPort, ""); err == nil {
			t.Errorf("%q was accepted", bad)
		}
	}
}

func TestUnixAndTCP(t *testing.T) {
	dir := t.TempDir()
	long := filepath.Join(dir, strings.Repeat("d", 100))
	if err := os.Mkdir(long, 0o700); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"punix:sock", "punix:" + long + "/sock", "ptcp:0:127.0.0.1", "ptcp:0:[::1]"} {
		opt := Options{DefaultPort: OVSDBPort, RunDir: dir}
		if strings.HasPrefix(name, "punix:sock") {
			// A socket that a dead process left behind must not be in the way.
			l, err := Listen(name, opt)
			if err != nil {
				t.Fatal(err)
			}
			_ = l.l.Close()
		}
		l, err := Listen(name, opt)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		go func() {
			if c, err := l.Accept(); err == nil {
				_, _ = io.Copy(c, c)
				_ = c.Close()
			}
		}()
		active := strings.Replace(name[1:], "tcp:0:", "tcp:", 1)
		if l.Port() != 0 {
			active += ":" + itoa(l.Port())
		}
		c, err := Dial(context.Background(), active, opt)
		if err != nil {
			t.Errorf("%s: %v", active, err)
			continue
		}
		_, _ = c.Write([]byte("hello"))
		b := make([]byte, 5)
		if _, err := io.ReadFull(c, b); err != nil || string(b) != "hello" {
			t.Errorf("%s: %q, %v", active, b, err)
		}
		_ = c.Close()
		_ = l.Close()
		if _, err := Dial(context.Background(), active, opt); err == nil {
			t.Errorf("%s: still accepts", active)
		}
	}
	_, err := Dial(context.Background(), "unix:nosuch", Options{RunDir: dir})
	if got := ErrText(err); got != "No such file or directory" {
		t.Error(got)
	}
}

func itoa(n int) string {
	if n < 10 {
		return string(rune('0' + n))
	}
	return itoa(n/10) + string(rune('0'+n%10))
}

// TestFSM walks a connection through attempts, a probe and its answer, a lost
// peer, and the growth of the wait.
func TestFSM(t *testing.T) {
	now := time.Unix(0, 0)
	f := NewFSM("tcp:x", now, nil)
	f.Enable(now)
	step := func(want State) {
		t.Helper()
		if f.State() != want {
			t.Fatalf("at %v: state %v, want %v", now.Sub(time.Unix(0, 0)), f.State(), want)
		}
	}
	due := func(want Action) {
		t.Helper()
		d, _ := f.Wait(now)
		if d > 0 && f.Run(now) != None {
			t.Fatal("acted early")
		}
		now = now.Add(d)
		if got := f.Run(now); got != want {
			t.Fatalf("action %v, want %v", got, want)
		}
	}
	for _, wait := range []int{0, 1, 2, 4, 8, 8} {
		before := now
		due(Connect)
		if got := now.Sub(before); got != time.Duration(wait)*time.Second {
			t.Errorf("waited %v, want %d s", got, wait)
		}
		f.Connecting(now)
		step(Connecting)
		f.ConnectFailed(now, "Connection refused")
		step(Backoff)
	}
	due(Connect)
	f.Connected(now)
	step(Active)
	due(Probe)
	step(Idle)
	f.Activity(now.Add(time.Second))
	step(Active)
	due(Probe)
	due(Disconnect)
	f.Disconnected(now, "")
	step(Backoff)
	f.Disable(now)
	if _, ok := f.Wait(now); ok || f.Run(now) != None {
		t.Error("a disabled FSM acts")
	}
}

// Whoever stood still for longer than the peer may be silent first reads what it
// sent meanwhile, and drops it only if that was nothing.
func TestFSMStoodStill(t *testing.T) {
	start := time.Unix(0, 0)
	for _, tt := range []struct {
		name    string
		prepare func(f *FSM) (due time.Time) // when the peer is to be dropped
		news    func(f *FSM, now time.Time)  // what is read after the standstill
		want    State
	}{
		{"the answer to a probe", idle, (*FSM).Activity, Active},
		{"an established connection", connecting, (*FSM).Connected, Active},
	} {
		for _, late := range []time.Duration{0, time.Millisecond, time.Second, time.Second + 1, time.Hour} {
			f := NewFSM("tcp:x", start, nil)
			now := tt.prepare(f).Add(late)
			want := Disconnect
			if late > time.Second {
				want = None
			}
			if got := f.Run(now); got != want {
				t.Errorf("%s, read %v late: action %v, want %v", tt.name, late, got, want)
			}
			if want == Disconnect {
				continue
			}
			if wait, ok := f.Wait(now); !ok || wait != time.Second {
				t.Errorf("%s, read %v late: wait of %v %v, want a second", tt.name, late, wait, ok)
			}
			silent := *f
			if got := silent.Run(now.Add(time.Second)); got != Disconnect {
				t.Errorf("%s did not come, noticed %v late: action %v, want to disconnect", tt.name, late, got)
			}
			if tt.news(f, now); f.State() != tt.want || f.Run(now.Add(time.Second)) != None {
				t.Errorf("%s, read %v late: state %v, want %v for a while", tt.name, late, f.State(), tt.want)
			}
		}
	}
}

// idle brings f to where a probe is unanswered.
func idle(f *FSM) time.Time {
	now := time.Unix(0, 0)
	f.Enable(now)
	f.Connected(now)
	now = now.Add(f.ProbeAfter)
	f.Run(now)
	return now.Add(f.ProbeAfter)
}

// connecting brings f to where an attempt is under way.
func connecting(f *FSM) time.Time {
	now := time.Unix(0, 0)
	f.Enable(now)
	f.Connecting(now)
	return now.Add(time.Second)
}
