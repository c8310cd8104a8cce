package ofctl

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strconv"
	"strings"
	"sync"
	"time"

	"weir/internal/openflow"
	"weir/internal/unixctl"
)

// monitor is a running monitor or snoop. mu owns out, waiting and the numbering of what is sent.
type monitor struct {
	t *tool
	v *conn
	// resume answers paused packets.
	resume bool

	gate unixctl.Gate // what comes waits at it

	mu      sync.Mutex
	out     io.Writer
	waiting map[uint32]chan struct{} // barriers
	stop    func()
}

func snoop(t *tool, args []string) error {
	v, err := t.openSocket(args[0], "snoop", openflow.AllVersions)
	if err != nil {
		return err
	}
	return t.monitorConn(v, func() error { return nil }, false)
}

func monitorCmd(t *tool, args []string) error {
	v, err := t.open(args[0])
	if err != nil {
		return err
	}
	w, err := parseMonitor(args[1:])
	if err != nil {
		return err
	}
	setup := func() error {
		if err := v.monitorConfig(w.missLen, w.invalidTTL); err != nil {
			return err
		}
		if err := v.watch(w.watches); err != nil {
			return err
		}
		return v.setPacketInFormat()
	}
	return t.monitorConn(v, setup, w.resume)
}

// monitored is what a monitor is to show.
type monitored struct {
	missLen            *uint16 // how much of packets; nil: as it is
	invalidTTL, resume bool
	watches            []string // of flow monitors
}

// parseMonitor reads the arguments of monitor.
func parseMonitor(args []string) (w monitored, err error) {
	for _, a := range args {
		switch {
		case len(a) > 0 && a[0] >= '0' && a[0] <= '9':
			n, err := strconv.ParseUint(a, 0, 16)
			if err != nil {
				return w, fmt.Errorf("%s: not a valid miss_len", a)
			}
			m := uint16(n)
			w.missLen = &m
		case a == "invalid_ttl":
			w.invalidTTL = true
		case strings.HasPrefix(a, "watch:"):
			w.watches = append(w.watches, a[len("watch:"):])
		case a == "resume":
			// A service controller gets no packets before it says how much of them
			// it wants; to send them on takes all.
			all := uint16(0xffff)
			w.missLen, w.resume = &all, true
		default:
			return w, fmt.Errorf("%s: unsupported \"monitor\" argument", a)
		}
	}
	return w, nil
}

// setPacketInFormat asks for what -P says, by default the richest format that
// the switch has.
func (v *conn) setPacketInFormat() error {
	if v.t.packetIn >= 0 {
		failed, err := v.transactNoReply(&openflow.SetPacketInFormat{Format: openflow.PacketInFormat(v.t.packetIn)})
		if err == nil && failed != nil {
			err = fmt.Errorf("%s: switch does not support packet_in format %s", v.name, openflow.PacketInFormat(v.t.packetIn))
		}
		return err
	}
	for _, format := range []openflow.PacketInFormat{openflow.PacketInNXT2, openflow.PacketInNXT} {
		failed, err := v.transactNoReply(&openflow.SetPacketInFormat{Format: format})
		if err != nil || failed == nil {
			return err
		}
	}
	return nil
}

func (v *conn) watch(specs []string) error {
	if len(specs) == 0 {
		return nil
	}
	req := &openflow.FlowMonitorRequest{}
	usable := openflow.PAny
	names := v.t.namesFor2(v.name)
	for i, s := range specs {
		m, u, err := openflow.ParseFlowMonitor(s, uint32(i+1), v.t.parseOptions(names))
		if err != nil {
			return err
		}
		usable &= u
		req.Monitors = append(req.Monitors, *m)
	}
	if v.version == openflow.V10 {
		if err := v.setDumpProtocol(v.name, usable); err != nil {
			return err
		}
	}
	_, err := v.send(req)
	if err == nil {
		err = v.printReplies(v.xid)
	}
	return err
}

// printReplies prints the multipart replies of a transaction.
func (v *conn) printReplies(xid uint32) error {
	for {
		b, err := v.recv()
		if err != nil {
			return err
		}
		v.t.print(b, v.t.verbosity+1)
		if binary.BigEndian.Uint32(b[4:]) == xid {
			if h, _, err := openflow.Decode(b, openflow.DecodeOptions{}); err != nil || !h.More {
				return nil
			}
		}
	}
}

// monitorConfig sets miss_send_len so that packets come at all.
func (v *conn) monitorConfig(missLen *uint16, invalidTTL bool) error {
	if missLen == nil && !invalidTTL {
		return nil
	}
	b, err := v.transact(&openflow.GetConfigRequest{})
	if err != nil {
		return err
	}
	c, _, err := decode[*openflow.GetConfigReply](v, b)
	if err != nil {
		return err
	}
	if missLen != nil {
		c.MissSendLen = *missLen
	}
	c.InvalidTTLToController = c.InvalidTTLToController || invalidTTL
	return v.mustNoReply(&openflow.SetConfig{SwitchConfig: c.SwitchConfig})
}

// monitorConn becomes a daemon where that is asked for, sets the connection up,
// and prints what comes until it ends.
func (t *tool) monitorConn(v *conn, setup func() error, resume bool) error {
	p, status := t.daemon.Start(t.env)
	if p == nil {
		return exitStatus(status)
	}
	defer p.Close()
	m := &monitor{t: t, v: v, out: t.env.Stderr, waiting: map[uint32]chan struct{}{}, resume: resume}
	m.stop = func() { p.LeavePidfile(); p.Stop() }
	if err := setup(); err != nil {
		return err
	}
	// The C program prints the monitored messages on standard error.
	t.out = t.env.Stderr
	s, err := p.Control(t.env.Name, t.unixctl)
	if err != nil {
		return exitStatus(1) // the log has told it
	}
	m.register(s)
	go s.Serve()
	p.Ready()
	done := make(chan error, 1)
	go func() { done <- m.receive() }()
	select {
	case err := <-done:
		return err
	case <-p.Context().Done():
		return nil
	}
}

func (m *monitor) receive() error {
	for {
		m.gate.Wait()
		b, err := m.v.read()
		if err != nil {
			if errors.Is(err, net.ErrClosed) {
				return nil
			}
			text := "End of file"
			if err != io.EOF {
				text = err.Error()
			}
			return fmt.Errorf("vconn_recv (%s)", text)
		}
		m.handle(b)
	}
}

func (m *monitor) handle(b []byte) {
	m.mu.Lock()
	defer m.mu.Unlock()
	xid := binary.BigEndian.Uint32(b[4:])
	if ch := m.waiting[xid]; ch != nil && (b[1] == 19 || b[1] == 21) {
		delete(m.waiting, xid)
		m.print(b)
		close(ch)
		return
	}
	switch b[1] {
	case 2: // echo request
		if echo, err := openflow.Encode(openflow.Version(b[0]).Protocol(), xid, &openflow.EchoReply{Data: b[8:]}); err == nil {
			_ = m.v.write(echo)
		}
		return
	}
	m.print(b)
	if m.resume {
		m.continuePacket(b)
	}
}

// continuePacket sends a paused packet back.
func (m *monitor) continuePacket(b []byte) {
	_, msg, err := openflow.Decode(b, openflow.DecodeOptions{})
	in, ok := msg.(*openflow.PacketIn)
	if err != nil || !ok || in.Continuation == nil {
		return
	}
	if b, err := openflow.Encode(m.v.proto, m.v.nextXid(), &openflow.Resume{PacketIn: *in}); err == nil {
		m.printSent(b)
		_ = m.v.write(b)
	}
}

// printSent shows a message that the monitor sends.
func (m *monitor) printSent(b []byte) {
	fmt.Fprint(m.out, "send: "+openflow.FormatMessage(b, openflow.PrintOptions{Verbosity: m.t.verbosity + 2, Log: m.t.log}))
}

func (m *monitor) print(b []byte) {
	if m.t.timestamp {
		fmt.Fprint(m.out, stamp())
	}
	fmt.Fprint(m.out, openflow.FormatMessage(b, openflow.PrintOptions{Verbosity: m.t.verbosity + 2, Log: m.t.log}))
}

// register adds the commands of ofctl(8), "RUNTIME MANAGEMENT COMMANDS".
func (m *monitor) register(s *unixctl.Server) {
	s.Register("exit", "", 0, 0, func(*unixctl.Request) (string, error) {
		m.stop()
		return "", nil
	})
	s.Register("ofctl/send", "OFMSG...", 1, -1, m.sendCmd)
	s.Register("ofctl/packet-out", "\"in_port=<port> packet=<hex data> actions=...\"", 1, 1, m.packetOutCmd)
	s.Register("ofctl/barrier", "", 0, 0, m.barrier)
	s.Register("ofctl/set-output-file", "FILE", 1, 1, m.setOutput)
	m.gate.Register(s, "ofctl")
}

func (m *monitor) sendCmd(r *unixctl.Request) (string, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	var reply strings.Builder
	ok := true
	for _, a := range r.Args {
		b, err := hexArg(a)
		if err != nil {
			fmt.Fprintf(&reply, "%v\n", err)
			ok = false
			continue
		}
		fmt.Fprint(m.out, "send: "+openflow.FormatMessage(b, openflow.PrintOptions{Verbosity: m.t.verbosity, Log: m.t.log}))
		if err := m.v.write(b); err != nil {
			fmt.Fprintf(&reply, "%v\n", err)
			ok = false
			continue
		}
		reply.WriteString("sent\n")
	}
	if !ok {
		return "", errors.New(reply.String())
	}
	return reply.String(), nil
}

func (m *monitor) packetOutCmd(r *unixctl.Request) (string, error) {
	po, _, err := openflow.ParsePacketOut(r.Args[0], m.t.parseOptions(nil))
	if err != nil {
		return "", err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	b, err := openflow.Encode(m.v.version.Protocol(), m.v.nextXid(), po)
	if err != nil {
		return "", err
	}
	fmt.Fprint(m.out, openflow.FormatMessage(b, openflow.PrintOptions{Verbosity: m.t.verbosity, Log: m.t.log}))
	return "", m.v.write(b)
}

func (m *monitor) barrier(*unixctl.Request) (string, error) {
	m.mu.Lock()
	ch := make(chan struct{})
	xid, err := m.v.send(&openflow.BarrierRequest{})
	if err == nil {
		m.waiting[xid] = ch
	}
	m.mu.Unlock()
	if err != nil {
		return "", err
	}
	select {
	case <-ch:
		return "", nil
	case <-time.After(60 * time.Second):
		return "", errors.New("no barrier reply within 60 seconds")
	}
}

func (m *monitor) setOutput(r *unixctl.Request) (string, error) {
	f, err := os.OpenFile(r.Args[0], os.O_CREATE|os.O_TRUNC|os.O_WRONLY|os.O_APPEND, 0o666)
	if err != nil {
		return "", err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if c, ok := m.out.(*os.File); ok && c != os.Stderr {
		_ = c.Close()
	}
	m.out = f
	m.t.env.Stderr = f // what ends the program is said there too
	return "", nil
}
