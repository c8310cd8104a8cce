package trace

import (
	"encoding/hex"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"weir/internal/datapath"
	"weir/internal/flow"
	"weir/internal/openflow"
	"weir/internal/packet"
	"weir/internal/xlate"
)

// request is what the arguments ask for.
type request struct {
	bridge     *xlate.Bridge
	key        flow.Key
	frozen     *xlate.State // where translation goes on; nil: at table 0
	frame      []byte
	names      bool
	consistent bool
	dry        bool // nothing is learned, though there is a packet
	nextCT     []uint8
	dp         *datapath.Namer   // see namer
	actions    []openflow.Action // of trace-packet-out; nil: look tables up
}

// portNames names the ports of a bridge for flow text.
type portNames struct{ b *xlate.Bridge }

// PortName is the name of a port.
func (p portNames) PortName(no uint32) (string, bool) {
	if port := p.b.Ports[openflow.PortNo(no)]; port != nil {
		return port.Name, true
	}
	return "", false
}

// PortNumber is the number of a port.
func (p portNames) PortNumber(name string) (uint32, bool) {
	for no, port := range p.b.Ports {
		if port.Name == name {
			return uint32(no), true
		}
	}
	return 0, false
}

// words are the arguments as they are taken apart.
type words struct {
	generate bool
	l7       []byte // of the packet that is generated
	room     [3]string
	n        int // how many operands room has
}

// parse reads the arguments into r, which is zero; those of a packet-out end
// before its actions.
func (r *request) parse(env *Env, args []string, packetOut bool) error {
	var w words
	for len(args) > 0 {
		a := args[0]
		args = args[1:]
		switch {
		case packetOut && (a == "-consistent" || a == "--consistent"):
			r.consistent = true
		case a == "--ct-next", a == "--l7", a == "--l7-len":
			if len(args) == 0 {
				return fmt.Errorf("Missing argument for option %s", a)
			}
			if err := r.setting(&w, a, args[0]); err != nil {
				return err
			}
			args = args[1:]
		case strings.HasPrefix(a, "-"):
			if !r.flag(&w, a) {
				return fmt.Errorf("%s: unknown option", a)
			}
		case w.n == len(w.room):
			return errors.New("too many arguments")
		default:
			w.room[w.n] = a
			w.n++
		}
	}
	if err := r.target(env, w.room[:w.n], w.generate); err != nil {
		return err
	}
	if w.generate {
		r.frame = flow.Compose(&r.key, w.l7)
	}
	return nil
}

// flag reads an option without an argument, if it is one.
func (r *request) flag(w *words, option string) bool {
	switch option {
	case "-generate", "--generate":
		w.generate = true
	case "--names":
		r.names = true
	case "--no-names":
		r.names = false
	default:
		return false
	}
	return true
}

// setting reads an option with its argument.
func (r *request) setting(w *words, option, v string) (err error) {
	switch option {
	case "--ct-next":
		state, err := parseCTState(v)
		if err != nil {
			return err
		}
		r.nextCT = append(r.nextCT, state)
	case "--l7":
		if w.l7, err = hex.DecodeString(strings.ReplaceAll(v, " ", "")); err != nil {
			return errTrailing
		}
	case "--l7-len":
		n, err := strconv.Atoi(v)
		if err != nil {
			return fmt.Errorf("%s: invalid --l7-len", v)
		} else if n < 0 || n > 64000 {
			return fmt.Errorf("%s: too much L7 data", v)
		}
		w.l7 = make([]byte, n)
		for i := range w.l7 {
			w.l7[i] = byte(i)
		}
	}
	return nil
}

var errTrailing = errors.New("Trailing garbage in packet data")

// target finds the bridge and the flow: [dp] odp_flow [packet] or bridge
// br_flow [packet].
func (r *request) target(env *Env, args []string, generate bool) error {
	if !generate && len(args) > 1 {
		frame, ok := parseFrame(args[len(args)-1])
		switch {
		case ok && len(frame) >= packet.EthLen:
			r.frame = frame
			args = args[:len(args)-1]
		case ok && len(args) > 2:
			return errors.New("Packet data too short for Ethernet")
		}
	}
	if len(args) > 2 {
		if generate {
			return errors.New("Syntax error")
		}
		return errTrailing
	}
	if len(args) == 0 {
		return fmt.Errorf("Must specify bridge name and a flow, or a data path flow")
	}
	if ok, err := r.dpTarget(env, args); ok || err != nil {
		return err
	}
	if len(args) == 1 {
		return fmt.Errorf("syntax error at %s (or the bridge name was omitted)", args[0])
	}
	b := env.Config.Bridges[args[0]]
	if b == nil {
		return fmt.Errorf("%s: unknown bridge", args[0])
	}
	if err := r.key.Parse(args[1], portNames{b}, b.Pipeline.TLV()); err != nil {
		return fmt.Errorf("Bad openflow flow syntax: %w", err)
	}
	r.bridge = b
	if r.key.RecircID != 0 {
		r.frozen = env.Config.Recircs.Lookup(r.key.RecircID)
	}
	if r.frame != nil {
		r.extract()
	}
	return nil
}

// dpTarget tries the arguments as a flow of a data path; ok is false when the
// flow is not in that syntax.
func (r *request) dpTarget(env *Env, args []string) (ok bool, err error) {
	text := args[len(args)-1]
	if strings.HasPrefix(text, "ufid:") {
		if i := strings.IndexAny(text, ", "); i > 0 {
			text = strings.TrimLeft(text[i:], ", ")
		}
	}
	if !strings.Contains(strings.ReplaceAll(text, "packet_type=(", ""), "(") {
		return false, nil
	}
	switch {
	case env.Datapath == nil:
		return true, fmt.Errorf("Please specify one of the datapath")
	case len(args) == 2 && !named(env.Datapath, args[0]):
		return true, fmt.Errorf("Cannot find the datapath")
	}
	key, _, err := datapath.ParseKey(text, r.namer(env))
	if err != nil {
		return true, fmt.Errorf("Bad datapath flow syntax: %w", err)
	}
	key.LimitVLANs()
	r.key = *key
	dpPort := r.key.InPort
	b, frozen, found := env.Config.Start(&r.key)
	switch {
	case !found && r.key.RecircID != 0:
		return true, fmt.Errorf("no recirculation data for recirc_id %#x", r.key.RecircID)
	case !found && !r.key.Tunnel.IsZero():
		return true, errors.New("no OpenFlow tunnel port for this packet")
	case !found:
		return true, fmt.Errorf("no OpenFlow port for datapath port %d", dpPort)
	}
	r.bridge, r.frozen = b, frozen
	if r.frame != nil {
		r.extract()
	}
	return true, nil
}

// namer is what names the data path's ports, nil where it isn't known.
func (r *request) namer(env *Env) *datapath.Namer {
	if r.dp == nil && env.Datapath != nil {
		r.dp = env.Datapath.Namer()
	}
	return r.dp
}

// parseFrame reads a frame in hexadecimal, with spaces or without.
func parseFrame(s string) (frame []byte, ok bool) {
	for _, c := range []byte(s) {
		if lower := c | 0x20; c != ' ' && (c < '0' || c > '9') && (lower < 'a' || lower > 'f') {
			return nil, false
		}
	}
	frame, err := hex.DecodeString(strings.ReplaceAll(s, " ", ""))
	return frame, err == nil
}

// extract takes the packet's own fields from the frame; metadata stay.
func (r *request) extract() {
	var k flow.Key
	flow.Extract(r.frame, &k)
	kw, rw := k.Words(), r.key.Words()
	first := flow.StageStart[1]
	copy(rw[first:], kw[first:])
}

// parseCTState reads the flags of --ct-next, separated by commas or spaces.
func parseCTState(s string) (uint8, error) {
	var state uint32
	for _, name := range strings.FieldsFunc(s, func(r rune) bool { return r == ',' || r == ' ' }) {
		bit, _, err := flow.ParseFlags(name, flow.CTStateNames(), 0xff, "ct_state")
		if err != nil || strings.ContainsAny(name, "|+-") {
			return 0, fmt.Errorf("%s: unknown connection tracking state flag", name)
		}
		state |= bit
	}
	var wrong []string
	if state != 0 && state&flow.CTTrk == 0 {
		wrong = append(wrong, `If "trk" is unset, no other flags are set`)
	}
	if state&flow.CTInv != 0 && state&^(flow.CTTrk|flow.CTInv) != 0 {
		wrong = append(wrong, `when "inv" is set, only "trk" may also be set`)
	}
	if state&flow.CTNew != 0 && state&flow.CTEst != 0 {
		wrong = append(wrong, `"new" and "est" are mutually exclusive`)
	}
	if state&flow.CTNew != 0 && state&flow.CTRpl != 0 {
		wrong = append(wrong, `"new" and "rpy" are mutually exclusive`)
	}
	for i, w := range wrong {
		wrong[i] = flow.FormatCTState(uint8(state)) + ": invalid connection state: " + w
	}
	if len(wrong) > 0 {
		return 0, fmt.Errorf("%s", strings.Join(wrong, "\n"))
	}
	return uint8(state), nil
}
