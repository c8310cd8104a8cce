package ofproto

import (
	"io"
	"net"
	"path/filepath"
	"testing"
	"time"

	"weir/internal/openflow"
)

// dial connects to a listener of the switch.
func (r *rig) dial(path string, v openflow.Version) *peer {
	r.t.Helper()
	c, err := net.Dial("unix", path)
	if err != nil {
		r.t.Fatal(err)
	}
	r.t.Cleanup(func() { _ = c.Close() })
	p := &peer{t: r.t, c: c, p: v.Protocol()}
	p.send(&openflow.Hello{Versions: openflow.Versions(v)})
	if _, ok := p.recv().(*openflow.Hello); !ok {
		r.t.Fatal("no hello")
	}
	return p
}

// ended reports whether the switch ends the connection.
func (p *peer) ended() bool {
	_ = p.c.SetReadDeadline(time.Now().Add(time.Minute))
	for {
		if _, err := readMessage(p.c); err != nil {
			ne, timeout := err.(net.Error)
			return err == io.EOF || !timeout || !ne.Timeout()
		}
	}
}

// Connections that are accepted are probed when they are idle, and end when
// nobody answers.
func TestProbesOfAcceptedConnections(t *testing.T) {
	r := newRig(t)
	b := r.bridge("br0", 0, true)
	path := filepath.Join(r.dir, "br0.service")
	b.SetControllers([]ControllerConfig{{Target: "punix:" + path, Kind: ServiceController, Probe: 2 * time.Second}})
	r.clk.Stop()
	answers, silent := r.dial(path, openflow.V13), r.dial(path, openflow.V13)
	for _, p := range []*peer{answers, silent} {
		ask[*openflow.BarrierReply](p, &openflow.BarrierRequest{})
	}
	r.clk.Warp(2100*time.Millisecond, 100*time.Millisecond)
	if _, ok := answers.recv().(*openflow.EchoRequest); !ok {
		t.Fatal("an idle connection was not probed")
	}
	answers.send(&openflow.EchoReply{})
	ask[*openflow.BarrierReply](answers, &openflow.BarrierRequest{})
	r.clk.Warp(2100*time.Millisecond, 100*time.Millisecond)
	if !silent.ended() {
		t.Error("a connection whose peer doesn't answer stays")
	}
	if _, ok := answers.recv().(*openflow.EchoRequest); !ok {
		t.Error("the other connection was not probed again")
	}
}

// A listener accepts as many connections as it may, and more when others end.
func TestConnectionLimit(t *testing.T) {
	r := newRig(t)
	b := r.bridge("br0", 0, true)
	path := filepath.Join(r.dir, "br0.service")
	b.SetControllers([]ControllerConfig{{Target: "punix:" + path, Kind: ServiceController, MaxConnections: 2}})
	first := r.dial(path, openflow.V13)
	r.dial(path, openflow.V13)
	c, err := net.Dial("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if p := (&peer{t: t, c: c, p: openflow.V13.Protocol()}); !p.ended() {
		t.Error("a third connection was accepted")
	}
	_ = first.c.Close()
	r.eventually("the first session ends", func() bool {
		b.conns.mu.Lock()
		defer b.conns.mu.Unlock()
		return len(b.conns.sessions) == 1
	})
	r.dial(path, openflow.V13)
}

// The status of a target that can't be says why.
func TestStatusOfFailedTargets(t *testing.T) {
	r := newRig(t)
	b := r.bridge("br0", 0, true)
	nowhere := "punix:" + filepath.Join(r.dir, "no", "such", "directory")
	b.SetControllers([]ControllerConfig{{Target: "nonsense:1"}, {Target: nowhere, Kind: ServiceController}})
	st := b.ControllerStatus()
	for _, target := range []string{"nonsense:1", nowhere} {
		if s := st[target]; s.State != "VOID" || s.LastError == "" || s.Connected {
			t.Errorf("%s: %+v", target, s)
		}
	}
}
