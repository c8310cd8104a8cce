package testcontroller

import (
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"weir/internal/openflow"
	"weir/internal/stream"
	"weir/internal/vlog"
)

var (
	log      = vlog.For("testcontroller")
	vconnLog = vlog.For("vconn")
)

// session is the connection to one switch. The goroutine in run owns it.
type session struct {
	c       *stream.Conn
	in      *openflow.Reader
	s       *settings
	version openflow.Version
	proto   openflow.Protocol
	xid     uint32
	learner *learner
}

// run speaks OpenFlow until the connection ends, and says why it did; a peer
// that closes gives nil.
func (x *session) run() error {
	defer x.c.Close()
	if err := x.negotiate(); err != nil {
		return err
	}
	x.learner = newLearner(&x.s.policy)
	if err := x.send(&openflow.FeaturesRequest{}); err != nil {
		return err
	}
	for {
		b, err := x.read()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err == nil && !x.s.mute {
			err = x.receive(b)
		}
		if err != nil {
			return err
		}
	}
}

// negotiate exchanges hellos and settles on the highest version that both know.
func (x *session) negotiate() error {
	x.version = x.s.versions.Max()
	x.proto = x.version.Protocol()
	b, err := openflow.Encode(x.proto, x.nextXid(), &openflow.Hello{Versions: x.s.versions})
	if err != nil {
		return err
	}
	if err := x.write(b); err != nil {
		return err
	}
	if b, err = x.read(); err != nil {
		return err
	}
	_, m, err := openflow.Decode(b, openflow.DecodeOptions{})
	hello, ok := m.(*openflow.Hello)
	if err != nil || !ok {
		return errors.New("the first message is not a hello")
	}
	common := x.s.versions & hello.Versions
	if common == 0 {
		return errors.New("version negotiation failed: no version of OpenFlow that both speak (-O allows more)")
	}
	x.version = common.Max()
	x.proto = x.version.Protocol()
	vconnLog.Dbg("%s: negotiated OpenFlow version 0x%02x", x.c.Name, uint8(x.version))
	return nil
}

func (x *session) nextXid() uint32 {
	x.xid++
	return x.xid
}

func (x *session) read() ([]byte, error) {
	b, err := x.in.Next()
	if err == nil && vconnLog.Enabled(vlog.Dbg) {
		vconnLog.Dbg("%s: received: %s", x.c.Name, messageText(b))
	}
	return b, err
}

func messageText(b []byte) string {
	return strings.TrimSuffix(openflow.FormatMessage(b, openflow.PrintOptions{Verbosity: 1}), "\n")
}

func (x *session) write(b []byte) error {
	if vconnLog.Enabled(vlog.Dbg) {
		vconnLog.Dbg("%s: sent (Success): %s", x.c.Name, messageText(b))
	}
	_, err := x.c.Write(b)
	return err
}

func (x *session) send(m openflow.Message) error {
	b, err := openflow.Encode(x.proto, x.nextXid(), m)
	if err != nil {
		return fmt.Errorf("a message can't be sent in OpenFlow %s: %w", x.version.Dotted(), err)
	}
	return x.write(b)
}

func (x *session) sendAll(ms []openflow.Message) error {
	for _, m := range ms {
		if err := x.send(m); err != nil {
			return err
		}
	}
	return nil
}

// receive answers one message.
func (x *session) receive(b []byte) error {
	h, m, err := openflow.Decode(b, openflow.DecodeOptions{})
	if err != nil {
		log.Warn("%s: received a malformed message: %s", x.c.Name, err)
		return nil
	}
	switch m := m.(type) {
	case *openflow.EchoRequest:
		reply, err := openflow.Encode(x.proto, h.Xid, &openflow.EchoReply{Data: m.Data})
		if err != nil {
			return err
		}
		return x.write(reply)
	case *openflow.FeaturesReply:
		return x.welcome(m)
	case *openflow.PortDescReply:
		for i := range m.Ports {
			x.learner.portName(&m.Ports[i])
		}
	case *openflow.PortStatus:
		x.learner.portName(&m.Desc)
	case *openflow.PacketIn:
		return x.sendAll(x.learner.packetIn(m, time.Now()))
	case *openflow.Error:
		log.Info("%s: switch reports error %s", x.c.Name, m.Code)
	}
	return nil
}

// welcome sets up a switch that has said what it is: its configuration, and the
// flows that --with-flows gives.
func (x *session) welcome(r *openflow.FeaturesReply) error {
	for i := range r.Ports {
		x.learner.portName(&r.Ports[i])
	}
	if err := x.sendAll(setup(x.version)); err != nil {
		return err
	}
	if x.version >= openflow.V13 && len(x.s.portQueues) > 0 {
		if err := x.send(&openflow.PortDescRequest{Port: openflow.PortNone}); err != nil {
			return err
		}
	}
	if len(x.s.flows) == 0 {
		return nil
	}
	if err := x.chooseFormat(); err != nil {
		return err
	}
	for _, fm := range x.s.flows {
		if err := x.send(fm); err != nil {
			return err
		}
	}
	return nil
}

// chooseFormat turns on the extensions of OpenFlow 1.0 that the given flows need.
func (x *session) chooseFormat() error {
	usable := x.s.usable & x.version.Protocols()
	if usable == 0 {
		return fmt.Errorf("the flows of --with-flows can't be said in OpenFlow %s", x.version.Dotted())
	}
	if x.version != openflow.V10 || usable&openflow.P10 != 0 {
		return nil
	}
	if usable&openflow.P10TID == 0 {
		if err := x.send(&openflow.SetFlowFormat{NXM: true}); err != nil {
			return err
		}
		x.proto = openflow.PNXM
	}
	if usable&(openflow.P10|openflow.PNXM) == 0 {
		if err := x.send(&openflow.FlowModTableID{Set: true}); err != nil {
			return err
		}
		x.proto = map[bool]openflow.Protocol{true: openflow.PNXMTID, false: openflow.P10TID}[x.proto == openflow.PNXM]
	}
	return nil
}
