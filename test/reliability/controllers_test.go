package reliability

import (
	"encoding/binary"
	"io"
	"math/rand/v2"
	"net"
	"sync"
	"testing"
	"time"

	"weir/test/programs"
)

// openFlow is a message of OpenFlow 1.3 with a body, whose length field may claim
// another length than it has.
func openFlow(typ uint8, length int, body []byte) []byte {
	b := append([]byte{4, typ}, binary.BigEndian.AppendUint16(nil, uint16(length))...)
	return append(binary.BigEndian.AppendUint32(b, 1), body...)
}

const (
	hello       = 0
	echoRequest = 2
)

// OpenFlow clients that say nothing, send half a message, rubbish, or ask and never read,
// and more of them than a bridge takes: others are served, and nothing of it is left when
// they have gone.
func TestControllersThatBehaveBadly(t *testing.T) {
	p := newPair(t)
	p.start()
	p.run("ovs-vsctl", "add-br", "br0", "--", "set", "Bridge", "br0", "datapath_type=dummy")
	s := &server{t: t, cmd: p.running[switchName]}
	before := p.descriptors(switchName)
	rng := rand.New(rand.NewPCG(seed(), 1))
	rubbish := make([]byte, 300)
	for i := range rubbish {
		rubbish[i] = byte(rng.Uint32())
	}
	half := openFlow(hello, 8, nil)
	half = append(half, openFlow(echoRequest, 60000, make([]byte, 100))...)
	var conns []net.Conn
	for range 50 {
		for _, first := range [][]byte{nil, half[:5], half, openFlow(hello, 3, nil), rubbish, append(openFlow(hello, 8, nil), rubbish...)} {
			conns = append(conns, p.controller(first))
		}
	}
	flood := openFlow(echoRequest, 60008, make([]byte, 60000))
	var wg sync.WaitGroup
	for range 30 {
		c := p.controller(openFlow(hello, 8, nil))
		conns = append(conns, c)
		wg.Go(func() {
			for sent := 0; sent < 64<<20; sent += len(flood) {
				_ = c.SetWriteDeadline(time.Now().Add(time.Second))
				if _, err := c.Write(flood); err != nil {
					return
				}
			}
			t.Error("requests are read on and on, and no answer is")
		})
	}
	wg.Wait()
	p.run("ovs-ofctl", "dump-flows", p.path("br0.mgmt"))
	if m := s.memory(); m > maxMemory {
		t.Errorf("the switch grew to %d MiB", m)
	}
	for range 1200 {
		conns = append(conns, p.controller(half))
	}
	if !programs.Wait(func() bool { _, err := p.appctl(switchName, "version"); return err == nil }) {
		t.Error("the switch answers no command")
	}
	for _, c := range conns {
		_ = c.Close()
	}
	if !programs.Wait(func() bool { return p.descriptors(switchName) <= before+5 }) {
		t.Errorf("%d descriptors, before there were %d", p.descriptors(switchName), before)
	}
	p.run("ovs-ofctl", "dump-flows", p.path("br0.mgmt"))
	for what, n := range p.goroutines(switchName) {
		if n > 30 {
			t.Errorf("%d goroutines created by %s are left", n, what)
		}
	}
}

// controller connects to br0 and sends something.
func (p *pair) controller(first []byte) net.Conn {
	p.t.Helper()
	c, err := net.Dial("unix", p.path("br0.mgmt"))
	if err != nil {
		p.t.Fatal(err)
	}
	p.t.Cleanup(func() { _ = c.Close() })
	if _, err := c.Write(first); err != nil && len(first) > 0 {
		return c // refused: there are too many
	}
	go func() { _, _ = io.CopyN(io.Discard, c, 8) }() // the hello, and no more
	return c
}
