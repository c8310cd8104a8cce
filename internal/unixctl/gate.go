package unixctl

import (
	"errors"
	"sync"
)

// Gate is what the commands `block` and `unblock` of a monitoring program close and
// open: what comes waits before it (ovsdb-client(1), ovs-ofctl(8), "Runtime
// Management Commands"). The zero value is open.
type Gate struct {
	mu     sync.Mutex
	closed bool
	opened chan struct{} // closed as the gate opens
}

// Register adds PREFIX/block and PREFIX/unblock to a control socket.
func (g *Gate) Register(s *Server, prefix string) {
	s.Register(prefix+"/block", "", 0, 0, func(*Request) (string, error) { return "", g.close() })
	s.Register(prefix+"/unblock", "", 0, 0, func(*Request) (string, error) { return "", g.open() })
}

// Wait returns once the gate is open.
func (g *Gate) Wait() {
	for {
		g.mu.Lock()
		closed, opened := g.closed, g.opened
		g.mu.Unlock()
		if !closed {
			return
		}
		<-opened
	}
}

func (g *Gate) close() error {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.closed {
		return errors.New("already blocking")
	}
	g.closed, g.opened = true, make(chan struct{})
	return nil
}

func (g *Gate) open() error {
	g.mu.Lock()
	defer g.mu.Unlock()
	if !g.closed {
		return errors.New("already unblocked")
	}
	g.closed = false
	close(g.opened)
	return nil
}
