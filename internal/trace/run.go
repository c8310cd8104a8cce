package trace

import (
	"encoding/hex"
	"fmt"
	"strconv"
	"strings"
	"time"

	"weir/internal/datapath"
	"weir/internal/flow"
	"weir/internal/openflow"
	"weir/internal/packet"
	"weir/internal/xlate"
)

// Env is the switch that is traced.
type Env struct {
	Config *xlate.Config
	// Datapaths holds the port names of each data path, by the name that a user
	// gives: "netdev@ovs-netdev" or "ovs-netdev".
	Datapaths map[string]*datapath.Namer
	Now       time.Time
}

// Usage is the arguments of ofproto/trace, in the notation of list-commands.
const Usage = "{[dp_name] odp_flow | bridge br_flow} [OPTIONS...] [-generate|packet]"

// request is what the arguments ask for.
type request struct {
	bridge     *xlate.Bridge
	key        flow.Key
	frozen     *xlate.State // where translation goes on; nil: at table 0
	frame      []byte
	names      bool
	consistent bool
	nextCT     []uint8
	dp         *datapath.Namer
	actions    []openflow.Action // of trace-packet-out; nil: look tables up
}

// UsagePacketOut is the arguments of ofproto/trace-packet-out.
const UsagePacketOut = "[-consistent] {[dp_name] odp_flow | bridge br_flow} [-generate|packet] actions"

// RunPacketOut carries out ofproto/trace-packet-out: what becomes of a packet
// that a controller sends with actions.
func RunPacketOut(env *Env, args []string) (string, error) {
	if len(args) < 2 {
		return "", fmt.Errorf("Must specify bridge name, flow and actions")
	}
	req, err := parse(env, args[:len(args)-1])
	if err != nil {
		return "", err
	}
	text := args[len(args)-1]
	req.actions, _, err = openflow.ParseActions(text, &openflow.Names{Ports: portNames{req.bridge}})
	if err != nil {
		return "", fmt.Errorf("Bad openflow actions syntax: %w", err)
	}
	if req.actions == nil {
		req.actions = []openflow.Action{}
	}
	return req.text(env), nil
}

// Run carries out ofproto/trace and returns its text. Its errors are those
// that users of the peer know.
func Run(env *Env, args []string) (string, error) {
	req, err := parse(env, args)
	if err != nil {
		return "", err
	}
	return req.text(env), nil
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

func parse(env *Env, args []string) (*request, error) {
	r := &request{}
	var l7 []byte
	generate := false
	var rest []string
	for i := 0; i < len(args); i++ {
		needs := func() (string, error) {
			if i++; i >= len(args) {
				return "", fmt.Errorf("Missing argument for option %s", args[i-1])
			}
			return args[i], nil
		}
		switch a := args[i]; a {
		case "-generate", "--generate":
			generate = true
		case "-consistent", "--consistent":
			r.consistent = true
		case "--names":
			r.names = true
		case "--no-names":
			r.names = false
		case "--ct-next":
			v, err := needs()
			if err != nil {
				return nil, err
			}
			flags, _, err := flow.ParseFlags(v, flow.CTStateNames(), 0xff, "ct_state")
			if err != nil {
				return nil, err
			}
			r.nextCT = append(r.nextCT, uint8(flags))
		case "--l7":
			v, err := needs()
			if err != nil {
				return nil, err
			}
			if l7, err = hex.DecodeString(v); err != nil {
				return nil, fmt.Errorf("Invalid hex string in --l7 option")
			}
		case "--l7-len":
			v, err := needs()
			if err != nil {
				return nil, err
			}
			n, err := strconv.Atoi(v)
			if err != nil || n < 0 || n > 64000 {
				return nil, fmt.Errorf("%s: invalid --l7-len", v)
			}
			l7 = make([]byte, n)
			for j := range l7 {
				l7[j] = byte(j)
			}
		default:
			rest = append(rest, a)
		}
	}
	if err := r.target(env, rest, generate); err != nil {
		return nil, err
	}
	if generate {
		r.frame = flow.Compose(&r.key, l7)
	}
	return r, nil
}

// target finds the bridge and the flow: [dp] odp_flow [packet] or bridge
// br_flow [packet].
func (r *request) target(env *Env, args []string, generate bool) error {
	if !generate && len(args) > 1 {
		if frame, err := hex.DecodeString(strings.ReplaceAll(args[len(args)-1], " ", "")); err == nil && len(frame) >= 14 {
			r.frame = frame
			args = args[:len(args)-1]
		}
	}
	if len(args) > 2 {
		return fmt.Errorf("Trailing garbage in packet data")
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
	key, err := flow.ParseKey(args[1], portNames{b}, b.Pipeline.TLV())
	if err != nil {
		return fmt.Errorf("Bad openflow flow syntax: %w", err)
	}
	r.bridge, r.key = b, *key
	for _, d := range env.Datapaths {
		r.dp = d
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
	if !strings.Contains(text, "(") || len(args) == 2 && env.Config.Bridges[args[0]] != nil {
		return false, nil
	}
	var namer *datapath.Namer
	if len(args) == 2 {
		namer = env.Datapaths[args[0]]
		if namer == nil {
			return true, fmt.Errorf("Cannot find the datapath")
		}
	} else if len(env.Datapaths) == 0 {
		return true, fmt.Errorf("Please specify one of the datapath")
	} else {
		for _, d := range env.Datapaths {
			namer = d
		}
	}
	key, _, err := datapath.ParseKey(text, namer)
	if err != nil {
		return true, fmt.Errorf("Bad datapath flow syntax: %w", err)
	}
	key.LimitVLANs()
	r.dp, r.key = namer, *key
	dpPort := r.key.InPort
	b, frozen, found := env.Config.Start(&r.key)
	switch {
	case !found && r.key.RecircID != 0:
		return true, fmt.Errorf("no packet waits for recirculation id %#x", r.key.RecircID)
	case !found:
		return true, fmt.Errorf("no OpenFlow port for datapath port %d", dpPort)
	}
	r.bridge, r.frozen = b, frozen
	if r.frame != nil {
		r.extract()
	}
	return true, nil
}

// extract takes the packet's own fields from the frame; metadata stay.
func (r *request) extract() {
	var k flow.Key
	flow.Extract(r.frame, &k)
	kw, rw := k.Words(), r.key.Words()
	first := flow.StageStart[1]
	copy(rw[first:], kw[first:])
	_ = packet.MAC{}
}

// text runs the translation, and those of the recirculations that it asks for.
func (r *request) text(env *Env) string {
	var b strings.Builder
	o := &printing{dp: r.dp.NumbersOnly(), tlv: r.bridge.Pipeline.TLV()}
	if r.names {
		o.ports, o.dp = portNames{r.bridge}, r.dp
	}
	key := r.key
	frozen := r.frozen
	pending := []uint32{}
	x := xlate.NewTranslator()
	defer x.Release()
	bridge := r.bridge
	for round := 0; ; round++ {
		b.WriteString("Flow: " + key.FormatOptions(o.ports, o.tlv) + "\n")
		t := &xlate.Trace{PortNames: o.ports}
		res := x.Translate(&xlate.Input{
			Config: env.Config, Bridge: bridge, Key: &key, Packet: r.frame, Frozen: frozen,
			Now: env.Now, Actions: r.actions, Learn: r.frame != nil || r.consistent, Trace: t,
		})
		writeNodes(&b, t.Roots, 0)
		writeResult(&b, &key, res, o)
		for _, id := range recircs(res.Actions) {
			env.Config.Recircs.Ref(id)
			defer env.Config.Recircs.Unref(id)
			pending = append(pending, id)
		}
		if len(pending) == 0 || round > maxRounds {
			return b.String()
		}
		id := pending[0]
		pending = pending[1:]
		if frozen = env.Config.Recircs.Lookup(id); frozen == nil {
			return b.String()
		}
		r.announce(&b, id)
		key = res.Key
		key.RecircID = id
		bridge = frozen.Bridge
	}
}

func (r *request) announce(b *strings.Builder, id uint32) {
	line := strings.Repeat("=", 79)
	fmt.Fprintf(b, "\n\n%s\nrecirc(%#x)\n%s\n\n", line, id, line)
}

// maxRounds bounds the recirculations that one trace follows.
const maxRounds = 64

// recircs lists the recirculations after connection tracking that actions ask
// for. Others only let the data path do its part: what follows them depends on
// what it finds there.
func recircs(actions []datapath.Action) (ids []uint32) {
	tracked := false
	for _, a := range actions {
		was := tracked
		tracked = false
		switch a := a.(type) {
		case *datapath.CT:
			tracked = true
		case *datapath.Recirc:
			if was {
				ids = append(ids, a.ID)
			}
		case *datapath.Clone:
			ids = append(ids, recircs(a.Actions)...)
		case *datapath.Sample:
			ids = append(ids, recircs(a.Actions)...)
		case *datapath.CheckPktLen:
			ids = append(append(ids, recircs(a.Greater)...), recircs(a.LessEqual)...)
		}
	}
	return ids
}
