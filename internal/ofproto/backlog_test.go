package ofproto

import (
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"

	"weir/internal/openflow"
)

// A client that asks and never reads is not read from any more, once enough answers
// wait for it: it takes no more memory, however much it sends.
func TestClientThatAsksAndNeverReads(t *testing.T) {
	r := newRig(t)
	r.bridge("br0", 0, true)
	p := r.dial(filepath.Join(r.dir, "br0.mgmt"), openflow.V13)
	b, err := openflow.Encode(p.p, 1, &openflow.EchoRequest{Data: make([]byte, 60000)})
	if err != nil {
		t.Fatal(err)
	}
	const most = 16 * maxUnsent
	sent := 0
	for sent < most {
		_ = p.c.SetWriteDeadline(time.Now().Add(time.Second))
		n, err := p.c.Write(b)
		sent += n
		if errors.Is(err, os.ErrDeadlineExceeded) {
			return
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	t.Errorf("%d bytes of requests were read, and no answer was", sent)
}

// One that is told of what others do, and never reads, loses its connection before it
// has cost too much.
func TestClientThatIsToldAndNeverReads(t *testing.T) {
	r := newRig(t)
	b := r.bridge("br0", 0, true)
	r.dial(filepath.Join(r.dir, "br0.snoop"), openflow.V13)
	p := r.dial(filepath.Join(r.dir, "br0.mgmt"), openflow.V13)
	sessions := func() int {
		b.conns.mu.Lock()
		defer b.conns.mu.Unlock()
		return len(b.conns.sessions)
	}
	data := make([]byte, 60000)
	for range 2 * maxBacklog / len(data) {
		ask[*openflow.EchoReply](p, &openflow.EchoRequest{Data: data})
	}
	r.eventually("the connection stays", func() bool { return sessions() == 1 })
}

// A listener whose connections can't stay gives way to another at the same address.
func TestListenerThatChanges(t *testing.T) {
	r := newRig(t)
	b := r.bridge("br0", 0, true)
	path := filepath.Join(r.dir, "br0.x")
	for dscp := range 5 {
		b.SetControllers([]ControllerConfig{{Target: "punix:" + path, Kind: ServiceController, DSCP: dscp}})
		p := r.dial(path, openflow.V13)
		ask[*openflow.BarrierReply](p, &openflow.BarrierRequest{})
	}
}
