package trace

import (
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"weir/internal/datapath"
	"weir/internal/flow"
	"weir/internal/openflow"
	"weir/internal/packet"
	"weir/internal/xlate"
)

// UsageLive is the arguments of ofproto/trace --live.
const UsageLive = "--live [bridge] FILTER [-n COUNT] [--timeout SECONDS] [--names]"

// Live is what ofproto/trace --live asks for: packets as they pass.
type Live struct {
	Bridge  string // empty: packets of all bridges
	Filter  string // in the syntax of flows
	Count   int
	Timeout time.Duration // 0: for ever
	Names   bool
}

// defaultCount and mostCount bound how many packets are explained.
const (
	defaultCount = 1
	mostCount    = 10000
)

// ParseLive reads the arguments; ok is false where they are those of another
// trace.
func ParseLive(args []string) (l *Live, ok bool, err error) {
	l = &Live{Count: defaultCount}
	var words []string
	for i := 0; i < len(args); i++ {
		number := func(most int) (int, error) {
			if i++; i >= len(args) {
				return 0, fmt.Errorf("%s requires a number", args[i-1])
			}
			n, err := strconv.Atoi(args[i])
			if err != nil || n < 1 || n > most {
				return 0, fmt.Errorf("%s: %s is not a number from 1 to %d", args[i-1], args[i], most)
			}
			return n, nil
		}
		switch args[i] {
		case "--live", "-live":
			ok = true
		case "--names":
			l.Names = true
		case "--no-names":
			l.Names = false
		case "-n":
			n, e := number(mostCount)
			l.Count, err = n, errors.Join(err, e)
		case "--timeout":
			n, e := number(86400)
			l.Timeout, err = time.Duration(n)*time.Second, errors.Join(err, e)
		default:
			words = append(words, args[i])
		}
	}
	if !ok || err != nil {
		return nil, ok, err
	}
	switch len(words) {
	case 1:
		l.Filter = words[0]
	case 2:
		l.Bridge, l.Filter = words[0], words[1]
	default:
		if err := foreign(strings.Join(words[min(1, len(words)):], " ")); err != nil {
			return nil, true, err
		}
		return nil, true, fmt.Errorf("usage: ofproto/trace %s; FILTER is a match such as tcp,nw_dst=10.0.0.1", UsageLive)
	}
	return l, true, nil
}

// foreign says that a filter is in another syntax than that of flows: a filter of
// tcpdump(8), a flow of a data path, or a packet. It is nil for others.
func foreign(filter string) error {
	what := ""
	_, notHex := hex.DecodeString(filter)
	switch {
	case notHex == nil && len(filter) >= 2*packet.EthLen:
		what = "a packet; ofproto/trace without --live explains one"
	case strings.Contains(filter, "eth(") || strings.Contains(filter, "ipv4(") || strings.Contains(filter, "ipv6("):
		what = "a flow of a data path"
	case slices.ContainsFunc(strings.Fields(filter), func(w string) bool {
		return slices.Contains([]string{"host", "net", "port", "portrange", "src", "dst", "ether", "proto", "and", "or", "not", "less", "greater", "&&", "||"}, w)
	}):
		what = "a filter of tcpdump(8)"
	default:
		return nil
	}
	return fmt.Errorf("%s: this is %s; a filter here is a match as of flows (ovs-fields(7)): tcp,nw_src=10.0.0.1,tp_dst=80", filter, what)
}

// Watch is what a data path whose configuration is cfg is to be asked for. nil
// says that it has no packet that is wanted.
func (l *Live) Watch(cfg *xlate.Config) (*datapath.Watch, error) {
	w := &datapath.Watch{}
	var names flow.PortNames
	b := cfg.Bridges[l.Bridge]
	if l.Bridge != "" {
		if b == nil {
			return nil, nil
		}
		names = portNames{b}
		w.Ports = map[datapath.PortNo]bool{}
		for _, p := range b.Order {
			if p.DP != datapath.PortNone {
				w.Ports[p.DP] = true
			}
		}
	}
	if err := foreign(l.Filter); err != nil {
		return nil, err
	}
	m, err := flow.ParseMatch(l.Filter, names)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", l.Filter, err)
	}
	if err := l.checkMatch(m); err != nil {
		return nil, err
	}
	if m.Mask.InPort != 0 {
		if b == nil {
			return nil, errors.New("in_port needs a bridge before the filter, for ports of several bridges may have one number")
		}
		p := b.Ports[openflow.PortNo(m.Key.InPort)]
		if p == nil || p.DP == datapath.PortNone {
			return nil, fmt.Errorf("in_port: bridge %s has no port %d that packets come in by", l.Bridge, m.Key.InPort)
		}
		w.Ports = map[datapath.PortNo]bool{p.DP: true}
		m.Key.InPort, m.Mask.InPort = 0, 0
	}
	w.Match = m
	return w, nil
}

// checkMatch refuses fields that no packet has when it comes in.
func (l *Live) checkMatch(m *flow.Match) error {
	k, mask := m.Key, m.Mask
	for _, v := range mask.Words()[:flow.FirstDatapathWord] {
		if v != 0 {
			return fmt.Errorf("%s: only fields of packets can be filtered by, not metadata, registers and what else flow tables set", l.Filter)
		}
	}
	if mask.RecircID != 0 && k.RecircID != 0 {
		return fmt.Errorf("%s: packets are shown as they come in, with recirc_id 0", l.Filter)
	}
	return nil
}

// Seen is a packet that passed, and what the flow tables make of it.
type Seen struct {
	Number, Of int
	packet     *datapath.Sighting
	port       string
	// The report of the trace; of a packet whose port has gone there is none.
	text     string
	document any
}

// Explain translates a packet that was seen, without any effect.
func (l *Live) Explain(env *Env, dp *datapath.Namer, s *datapath.Sighting, number int) *Seen {
	seen := &Seen{Number: number, Of: l.Count, packet: s, port: dpPortText(dp, datapath.PortNo(s.Key.InPort))}
	rep := newReport()
	defer rep.Release()
	r := &rep.req
	*r = request{key: s.Key, frame: s.Frame, names: l.Names, dry: true, dp: dp}
	b, frozen, ok := env.Config.Start(&r.key)
	if !ok {
		return seen // its port has gone meanwhile
	}
	r.bridge, r.frozen = b, frozen
	rep.run(env)
	seen.text, seen.document = rep.String(), rep.Document()
	return seen
}

// String is a heading above the report of the trace.
func (s *Seen) String() string {
	met := "met no flow of the data path"
	if s.packet.UFID != (datapath.UFID{}) {
		met = "met " + datapath.FormatUFID(s.packet.UFID)
	}
	var b strings.Builder
	fmt.Fprintf(&b, "Packet %d of %d: %s, %d bytes, came in on %s, %s\n", s.Number, s.Of,
		s.packet.At.UTC().Format("15:04:05.000000"), s.packet.Len, s.port, met)
	if s.document == nil {
		b.WriteString("The port has gone since.\n")
		return b.String()
	}
	b.WriteString(strings.TrimRight(s.text, "\n") + "\n")
	return b.String()
}

// SeenDocument is a Seen for machines.
type SeenDocument struct {
	Time   string  `json:"time"`
	Length int     `json:"length"`
	InPort string  `json:"in_port"`
	UFID   *string `json:"ufid"` // null: it met no flow of the data path
	Frame  string  `json:"frame"`
	Trace  any     `json:"trace"`
}

// Document is the packet with its report.
func (s *Seen) Document() any {
	d := SeenDocument{Trace: s.document, Time: s.packet.At.UTC().Format(time.RFC3339Nano), Length: s.packet.Len, InPort: s.port, Frame: hex.EncodeToString(s.packet.Frame)}
	if s.packet.UFID != (datapath.UFID{}) {
		u := datapath.FormatUFID(s.packet.UFID)
		d.UFID = &u
	}
	return d
}
