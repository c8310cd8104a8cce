package ofctl

import (
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync"

	"weir/internal/openflow"
	"weir/internal/paths"
	"weir/internal/stream"
	"weir/internal/vlog"
)

var vconnLog = vlog.For("vconn")

// conn is an OpenFlow connection to a switch, its version negotiated. One
// goroutine sends and one may receive, which answers echo requests.
type conn struct {
	t       *tool
	c       *stream.Conn
	in      *openflow.Reader
	writing sync.Mutex // over writes to c
	name    string
	version openflow.Version
	proto   openflow.Protocol // the flow format in use
	xid     uint32            // of the last message
	// queued are messages that came while another was waited for.
	queued [][]byte
	names  *openflow.Names // of ports and tables, once they have been shown

	printer openflow.Printer
	text    []byte // memory for what is printed
}

// socketName finds the connection method for what a user calls a switch: a
// bridge's name, a socket's file or a connection method.
func socketName(name, suffix string) (string, error) {
	if strings.Contains(name, ":") && stream.IsActive(name) {
		return name, nil
	}
	bridge := paths.InRunDir(name + "." + suffix)
	if st, err := os.Stat(bridge); err == nil && st.Mode()&os.ModeSocket != 0 {
		return "unix:" + bridge, nil
	}
	if st, err := os.Stat(name); err == nil {
		if st.Mode()&os.ModeSocket == 0 {
			return "", fmt.Errorf("%s: cannot open socket (not a socket)", name)
		}
		abs, err := filepath.Abs(name)
		if err != nil {
			return "", err
		}
		return "unix:" + abs, nil
	}
	if strings.Contains(name, ":") {
		return name, nil
	}
	return "", fmt.Errorf("%s is not a bridge or a socket", name)
}

// open connects to a switch.
func (t *tool) open(name string) (*conn, error) { return t.openSocket(name, "mgmt", t.versions) }

func (t *tool) openSocket(name, suffix string, versions openflow.VersionSet) (*conn, error) {
	method, err := socketName(name, suffix)
	if err != nil {
		return nil, err
	}
	c, err := stream.Dial(t.ctx, method, stream.Options{DefaultPort: stream.OpenFlowPort, RunDir: paths.RunDir(), TLS: t.tls})
	if err != nil {
		return nil, fmt.Errorf("%s: failed to connect to socket (%s)", name, stream.ErrText(err))
	}
	v := &conn{t: t, c: c, in: openflow.NewReader(c), name: method}
	if err := v.negotiate(versions); err != nil {
		_ = c.Close()
		return nil, fmt.Errorf("%s: failed to connect to socket (%s)", name, err)
	}
	return v, nil
}

func (v *conn) close() { _ = v.c.Close() }

var (
	errProto  = errors.New("Protocol error")
	errClosed = errors.New("End of file")
)

// negotiate exchanges hellos and chooses the highest version that both speak.
func (v *conn) negotiate(versions openflow.VersionSet) error {
	b, err := openflow.Encode(openflow.P10, v.nextXid(), &openflow.Hello{Versions: versions})
	if err != nil {
		return err
	}
	v.version = versions.Max()
	if err := v.write(b); err != nil {
		return err
	}
	msg, err := v.read()
	if err != nil {
		if err == io.EOF {
			return errors.New("Connection reset by peer")
		}
		return err
	}
	h, m, err := openflow.Decode(msg, v.t.decodeOptions())
	hello, ok := m.(*openflow.Hello)
	if err != nil || !ok {
		vconnLog.Warn("%s: received message while expecting hello: %s", v.name,
			strings.TrimSpace(openflow.FormatMessage(msg, openflow.PrintOptions{Verbosity: 1})))
		return errProto
	}
	common := versions & hello.Versions
	if h.Version >= openflow.V10 {
		v.version = common.Max()
	}
	if common == 0 {
		vconnLog.Warn("%s: version negotiation failed (we support %s, peer supports %s)", v.name,
			supportText(versions), supportText(hello.Versions))
		return errProto
	}
	v.proto = v.version.Protocol()
	return nil
}

func supportText(s openflow.VersionSet) string {
	if s.Max() == s.Min() {
		return fmt.Sprintf("version 0x%02x", uint8(s.Max()))
	}
	if int(s)>>1&(int(s)>>1+1) == 0 {
		return fmt.Sprintf("version 0x%02x and earlier", uint8(s.Max()))
	}
	var out []string
	for v := openflow.Version(1); v < 32; v++ {
		if s.Has(v) {
			out = append(out, fmt.Sprintf("0x%02x", uint8(v)))
		}
	}
	return "versions " + strings.Join(out, ", ")
}

// nextXid numbers a message. All connections share the numbers, as with the C
// program, whose users may see them.
func (v *conn) nextXid() uint32 {
	v.t.xid++
	v.xid = v.t.xid
	return v.xid
}

// showsBytes is the verbosity from which on flow mods are printed as they are
// sent: at it as a dump, above it as one number.
const showsBytes = 5

// showFlowMod prints a flow mod on its way to the switch.
func (v *conn) showFlowMod(b []byte) {
	switch openflow.Name(b) {
	case "OFPT_FLOW_MOD", "NXT_FLOW_MOD":
	default:
		return
	}
	if v.t.verbosity > showsBytes {
		v.t.printf("0x%s\n", strings.TrimLeft(hex.EncodeToString(b), "0"))
		return
	}
	v.t.printf("%s", openflow.HexDump(b, 0, true))
}

func (v *conn) write(b []byte) error {
	if v.t.verbosity >= showsBytes {
		v.showFlowMod(b)
	}
	if vconnLog.Enabled(vlog.Dbg) {
		vconnLog.Dbg("%s: sent (Success): %s", v.name,
			strings.TrimSuffix(openflow.FormatMessage(b, openflow.PrintOptions{Verbosity: 1}), "\n"))
	}
	v.writing.Lock()
	defer v.writing.Unlock()
	_, err := v.c.Write(b)
	return err
}

// read receives one message, io.EOF when the switch closes.
func (v *conn) read() ([]byte, error) {
	b, err := v.in.Next()
	var length *openflow.LengthError
	switch {
	case errors.As(err, &length):
		return nil, errProto
	case errors.Is(err, io.ErrUnexpectedEOF):
		return nil, io.EOF
	case err != nil:
		return nil, err
	}
	if vconnLog.Enabled(vlog.Dbg) {
		vconnLog.Dbg("%s: received: %s", v.name,
			strings.TrimSuffix(openflow.FormatMessage(b, openflow.PrintOptions{Verbosity: 1}), "\n"))
	}
	return b, nil
}

// recv is read with echo requests answered.
func (v *conn) recv() ([]byte, error) {
	for {
		b, err := v.read()
		if err != nil {
			if err == io.EOF {
				err = errClosed
			}
			return nil, fmt.Errorf("OpenFlow packet receive failed (%s)", stream.ErrText(err))
		}
		if b[1] != 2 {
			return b, nil
		}
		echo, err := openflow.Encode(v.version.Protocol(), binary.BigEndian.Uint32(b[4:]), &openflow.EchoReply{Data: b[8:]})
		if err == nil {
			err = v.write(echo)
		}
		if err != nil {
			return nil, err
		}
	}
}

// send sends a message and returns its transaction id.
func (v *conn) send(m openflow.Message) (uint32, error) {
	xid := v.nextXid()
	msgs, err := openflow.EncodeAll(v.proto, xid, m)
	if err != nil {
		return 0, err
	}
	for _, b := range msgs {
		if err := v.write(b); err != nil {
			return 0, fmt.Errorf("failed to send packet to switch (%s)", stream.ErrText(err))
		}
	}
	return xid, nil
}

// transact sends m and returns the reply as it came.
func (v *conn) transact(m openflow.Message) ([]byte, error) {
	xid, err := v.send(m)
	if err != nil {
		return nil, err
	}
	return v.recvXid(xid)
}

// recvXid receives until the message of a transaction id comes; what comes
// before is queued.
func (v *conn) recvXid(xid uint32) ([]byte, error) {
	for {
		b, err := v.recv()
		if err != nil {
			return nil, err
		}
		if binary.BigEndian.Uint32(b[4:]) == xid {
			return b, nil
		}
		v.queued = append(v.queued, b)
	}
}

// transactNoReply sends a message that is answered at most by an error, and a
// barrier; it returns the error message, nil for none.
func (v *conn) transactNoReply(ms ...openflow.Message) ([]byte, error) {
	var failed []byte
	for _, m := range ms {
		xid, err := v.send(m)
		if err != nil {
			return nil, err
		}
		barrier, err := v.send(&openflow.BarrierRequest{})
		if err != nil {
			return nil, err
		}
		for {
			b, err := v.recv()
			if err != nil {
				return nil, err
			}
			got := binary.BigEndian.Uint32(b[4:])
			if got == barrier {
				break
			}
			if got == xid {
				failed = b
			} else {
				v.queued = append(v.queued, b)
			}
		}
		if failed != nil {
			return failed, nil
		}
	}
	return nil, nil
}

// mustNoReply is transactNoReply; an error message is printed and ends the
// program.
func (v *conn) mustNoReply(ms ...openflow.Message) error {
	failed, err := v.transactNoReply(ms...)
	if err != nil {
		return err
	}
	if failed != nil {
		return v.fatalMessage(failed)
	}
	return nil
}

// fatalMessage prints a message of the switch on standard error.
func (v *conn) fatalMessage(b []byte) error {
	fmt.Fprint(v.t.env.Stderr, openflow.FormatMessage(b, openflow.PrintOptions{Verbosity: v.t.verbosity + 2, Log: v.t.log}))
	return exitStatus(1)
}

// decode decodes a reply that must be of one type; anything else is fatal.
func decode[M openflow.Message](v *conn, b []byte) (M, openflow.MsgHeader, error) {
	h, m, err := openflow.Decode(b, v.t.decodeOptions())
	if err == nil {
		if got, ok := m.(M); ok {
			return got, h, nil
		}
	}
	var zero M
	return zero, h, v.fatalMessage(b)
}

// setProtocol asks the switch for a flow format; false when it refuses.
func (v *conn) setProtocol(want openflow.Protocol) (bool, error) {
	if v.proto == want {
		return true, nil
	}
	if want.Version() != v.version {
		return false, nil
	}
	if nxm := want & openflow.PAnyNXM; (nxm != 0) != (v.proto&openflow.PAnyNXM != 0) {
		failed, err := v.transactNoReply(&openflow.SetFlowFormat{NXM: nxm != 0})
		if err != nil || failed != nil {
			return false, err
		}
	}
	if tid := want & openflow.PTID; (tid != 0) != (v.proto&openflow.PTID != 0) {
		failed, err := v.transactNoReply(&openflow.FlowModTableID{Set: tid != 0})
		if err != nil || failed != nil {
			return false, err
		}
	}
	v.proto = want
	return true, nil
}

// openForFlows connects and settles on a flow format among usable.
func (t *tool) openForFlows(name string, usable openflow.Protocol) (*conn, error) {
	if usable&t.allowed == 0 {
		return nil, fmt.Errorf("none of the usable flow formats (%s) is among the allowed flow formats (%s)",
			openflow.ProtocolsText(usable), openflow.ProtocolsText(t.allowed))
	}
	usable &= t.allowed
	v, err := t.open(name)
	if err != nil {
		return nil, err
	}
	if usable&v.proto != 0 {
		return v, nil
	}
	for i := range 16 {
		p := openflow.Protocol(1 << i)
		if p&usable == 0 || p == v.proto {
			continue
		}
		if ok, err := v.setProtocol(p); err != nil || ok {
			return v, err
		}
	}
	v.close()
	return nil, fmt.Errorf("%s: switch does not support any of the usable flow formats (%s)", name, openflow.ProtocolsText(usable))
}

// dumpOrder is the order in which flow formats are tried for dumps: the most
// expressive first.
var dumpOrder = []openflow.Protocol{
	openflow.P15, openflow.P14, openflow.P13, openflow.P12, openflow.P11, openflow.PNXM, openflow.P10,
}

// setDumpProtocol settles on the flow format for a dump.
func (v *conn) setDumpProtocol(name string, usable openflow.Protocol) error {
	if usable&v.t.allowed == 0 {
		return fmt.Errorf("none of the usable flow formats (%s) is among the allowed flow formats (%s)",
			openflow.ProtocolsText(usable), openflow.ProtocolsText(v.t.allowed))
	}
	usable &= v.t.allowed
	if usable&v.proto != 0 && v.version > openflow.V10 {
		return nil
	}
	for _, p := range dumpOrder {
		if p&usable == 0 {
			// A dump doesn't care for the table id extension.
			if p == openflow.PNXM && usable&openflow.PNXMTID != 0 {
				p = openflow.PNXMTID
			} else if p == openflow.P10 && usable&openflow.P10TID != 0 {
				p = openflow.P10TID
			} else {
				continue
			}
		}
		if ok, err := v.setProtocol(p); err != nil || ok {
			return err
		}
	}
	return fmt.Errorf("%s: switch does not support any of the usable flow formats (%s)", name, openflow.ProtocolsText(usable))
}
