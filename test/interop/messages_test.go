package interop

import (
	"encoding/binary"
	"fmt"
	"maps"
	"net"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"weir/internal/openflow"
)

// talker is a connection to a bridge.
type talker struct {
	t  *testing.T
	c  net.Conn
	in *openflow.Reader
	v  openflow.Version
	// answers came with the id of a request, news without; both in order.
	answers, news []byte
	paused        *openflow.PacketIn // the last that NXT_RESUME can send on
	dead          bool
}

func (s *stack) talk(t *testing.T, bridge string, v openflow.Version) *talker {
	t.Helper()
	c, err := net.Dial("unix", s.path(bridge+".mgmt"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	_ = c.SetDeadline(time.Now().Add(patience))
	x := &talker{t: t, c: c, in: openflow.NewReader(c), v: v}
	x.write(&openflow.Hello{Versions: 1 << v})
	if _, err := x.in.Next(); err != nil {
		t.Fatal(err)
	}
	return x
}

func (x *talker) write(m openflow.Message) {
	x.t.Helper()
	b, err := openflow.Encode(x.v.Protocol(), 0, m)
	if err != nil {
		x.t.Fatal(err)
	}
	x.send(b)
}

func (x *talker) send(b []byte) {
	if _, err := x.c.Write(b); err != nil {
		x.dead = true
	}
}

// monitorRequest is the name of requests of flow monitors.
func monitorRequest(v openflow.Version) string {
	switch {
	case v < openflow.V13:
		return "NXST_FLOW_MONITOR request"
	case v == openflow.V13:
		return "ONFST_FLOW_MONITOR request"
	}
	return "OFPST_FLOW_MONITOR request"
}

// settle collects what comes of a request until the answers to a barrier and an echo request
// that have the id.
func (x *talker) settle(request []byte, id uint32) {
	barrier, _ := openflow.Encode(x.v.Protocol(), id, &openflow.BarrierRequest{})
	echo, _ := openflow.Encode(x.v.Protocol(), id, &openflow.EchoRequest{Data: []byte("that is all")})
	x.send(append(barrier, echo...))
	for !x.dead {
		b, err := x.in.Next()
		if err != nil {
			x.dead = true
			return
		}
		h, m, err := openflow.Decode(b, openflow.DecodeOptions{})
		_, failed := m.(*openflow.Error)
		switch {
		case failed && openflow.Name(request) == monitorRequest(x.v):
			// The original quotes other memory than the request, and its id from there.
			// Its version, too, is from there, so that codes may make no sense.
			b, _ = openflow.Encode(x.v.Protocol(), id, &openflow.Error{Code: openflow.ErrMOFCBadFlags})
			x.answers = append(x.answers, b...)
		case err != nil || h.Xid != 0:
			x.answers = append(x.answers, b...)
			if h.Xid == id && h.Type == 3 {
				return
			}
		default:
			if _, late := m.(*openflow.FlowRemoved); late && request != nil {
				break // the original sends them when it comes to it, by the settings of then
			}
			in, ok := m.(*openflow.PacketIn)
			if ok && len(in.Data) < 14 {
				break // too short for the original
			}
			if ok && in.Continuation != nil {
				x.paused = in
			}
			x.news = append(x.news, b...)
		}
	}
}

// messages are sent to a bridge of each switch, the same to both.
type messages struct {
	*generator
	sides [2]*stack
	talk  [2]*talker
	watch [2]*talker // in OpenFlow 1.4, told of everything
	sent  [][]byte
	// damaged says it of each that was sent.
	damaged []bool
	number  uint32 // of the next message
}

// next sends a message, or resumes a packet, and collects what comes of it.
func (m *messages) next() {
	b, damaged := m.message()
	resume := m.n(12) == 0
	m.sent, m.damaged = append(m.sent, b), append(m.damaged, damaged)
	for _, x := range m.talk {
		if resume && x.paused != nil {
			b, _ = openflow.Encode(x.v.Protocol(), m.number, &openflow.Resume{PacketIn: *x.paused})
			x.paused = nil
		}
		binary.BigEndian.PutUint32(b[4:], m.number)
		x.send(b)
	}
	m.settle(b)
}

// settle collects what comes of a request, for the one who made it and for the
// other.
func (m *messages) settle(request []byte) {
	for i, x := range m.talk {
		x.settle(request, m.number)
		m.watch[i].settle(nil, m.number)
	}
	m.number++
}

// hidden is what differs between two runs of the same switch, and what the
// switches are called.
var hidden = regexp.MustCompile(`idle_age=[0-9]+, (hard_age=[0-9]+, )?|idle[0-9]+ |lookup=[0-9]+, matched=[0-9]+|(table_id=[0-9]+ )?(cookie=0x[0-9a-f]+ )?total_len|vacancy=[0-9]+%|(ADD|MOD|ADD_OR_MOD) group_id|ref_count=[0-9]+,packet_count=[0-9]+,byte_count=[0-9]+|duration[:=]?[0-9.]+s|(ROLE|TABLE)_STATUS: .*|(Manufacturer|Hardware|Software|Serial Num|DP Description): .*|addr:[0-9a-f:]+`)

// text has Debian's ovs-ofctl tell messages, in the exchanges that [talker.settle]
// ends.
func (m *messages) text(b []byte) []string {
	s := m.sides[0]
	if err := os.WriteFile(s.path("messages"), b, 0o600); err != nil {
		s.t.Fatal(err)
	}
	out, _ := s.try(theirs, "ovs-ofctl", "ofp-parse", s.path("messages"))
	return strings.Split(hidden.ReplaceAllString(out, "..."), "that is all")
}

// difference is the lines that only one of two texts has, in whatever order.
func difference(ours, theirs string) string {
	count := map[string]int{}
	for line := range strings.Lines(ours) {
		count[line]++
	}
	for line := range strings.Lines(theirs) {
		count[line]--
	}
	var out strings.Builder
	for _, line := range slices.Sorted(maps.Keys(count)) {
		if n := count[line]; n != 0 {
			fmt.Fprintf(&out, "%+d %s", n, line)
		}
	}
	return out.String()
}

// excused reports whether a difference is one that docs/compatibility.md tells of:
// errors of ours where the original has none, or, of a damaged message, another.
func excused(d string, damaged bool) bool {
	ours, theirs := "", ""
	for line := range strings.Lines(d) {
		code := line[strings.LastIndexByte(line, ' ')+1:]
		switch {
		case !strings.Contains(line, "OFPT_ERROR"):
		case line[0] == '+':
			ours = strings.TrimSpace(code)
		default:
			theirs = strings.TrimSpace(code)
		}
	}
	switch {
	case damaged && ours != "" && theirs != "":
		return true // several things may be wrong with it
	case strings.Contains(d, "***decode error") && theirs == "":
		return true // the original says what its own tool can't read
	case ours == "OFPBAC_BAD_OUT_GROUP", ours == "OFPMMFC_INVALID_METER":
		return theirs == "" // of modifications of no flow
	}
	return ours == "OFPBRC_EPERM" // for the switch's own table, whatever else is wrong
}

// compare reports the first exchange that differs, and whether none does: lines
// that ours has more of are counted with a plus.
func (m *messages) compare(t *testing.T, what string, ours, theirs []byte) bool {
	t.Helper()
	a, b := m.text(ours), m.text(theirs)
	for i := range min(len(a), len(b)) {
		if d := difference(a[i], b[i]); d != "" && !excused(d, i < len(m.damaged) && m.damaged[i]) {
			if len(a) > 1 && i < len(m.sent) {
				what += fmt.Sprintf(" %d: %x %s", i, m.sent[i], m.text(m.sent[i]))
			}
			t.Errorf("%s\n%s", what, d)
			return false
		}
	}
	if len(a) != len(b) {
		t.Errorf("%s: %d answers of ours, %d of theirs", what, len(a), len(b))
	}
	return len(a) == len(b)
}

// Whatever a controller says, well-formed or not, the original's switch and ours
// answer the same, tell others the same, and the connection lives.
func TestMessages(t *testing.T) {
	seed, rounds := number("WEIR_SEED", 1), number("WEIR_ROUNDS", 2)
	var sides [2]*stack
	for i, of := range []side{ours, theirs} {
		sides[i] = newStack(t, ours)
		sides[i].startSwitch(of, ours)
	}
	for round := seed; round < seed+rounds; round++ {
		for v := openflow.V10; v <= openflow.V15; v++ {
			t.Run(fmt.Sprintf("%s, seed %d", v, round), func(t *testing.T) {
				messagesRound(t, sides, v, round)
			})
		}
	}
}

func number(variable string, otherwise uint64) uint64 {
	if n, err := strconv.ParseUint(os.Getenv(variable), 0, 64); err == nil {
		return n
	}
	return otherwise
}

func messagesRound(t *testing.T, sides [2]*stack, v openflow.Version, seed uint64) {
	m := &messages{generator: newGenerator(seed, v), sides: sides, number: 1}
	bridge := fmt.Sprintf("m%d-%d", v, seed)
	for i, s := range sides {
		args := []string{"add-br", bridge, "--", "set", "Bridge", bridge, "datapath-type=dummy", "fail-mode=secure",
			"other-config:datapath-id=1", "other-config:hwaddr=aa:55:aa:55:00:00"}
		for p := 1; p <= 3; p++ {
			name := fmt.Sprintf("%s.%d", bridge, p)
			args = append(args, "--", "add-port", bridge, name, "--", "set", "Interface", name, "type=dummy", fmt.Sprint("ofport_request=", p))
		}
		s.run(ours, "ovs-vsctl", args...)
		m.talk[i], m.watch[i] = s.talk(t, bridge, v), s.talk(t, bridge, openflow.V14)
		for _, x := range []*talker{m.talk[i], m.watch[i]} {
			x.write(&openflow.SetConfig{SwitchConfig: openflow.SwitchConfig{MissSendLen: 0xffff}})
		}
		m.watch[i].write(everything())
		m.watch[i].write(&openflow.FlowMonitorRequest{Monitors: []openflow.FlowMonitor{{ID: 1, Flags: 0x1f,
			OutPort: openflow.PortNone, OutGroup: openflow.GroupAny, TableID: openflow.TableAny}}})
	}
	m.settle(nil)
	for _, x := range m.talk {
		x.answers = nil
	}
	defer sides[0].run(ours, "ovs-vsctl", "del-br", bridge)
	defer sides[1].run(ours, "ovs-vsctl", "del-br", bridge)
	for range 300 {
		m.next()
		if m.talk[1].dead {
			break
		}
	}
	for range 20 { // the original tells late that flows went
		if len(m.watch[0].news) == len(m.watch[1].news) || m.talk[1].dead {
			break
		}
		time.Sleep(50 * time.Millisecond)
		m.settle(nil)
	}
	if m.talk[0].dead != m.talk[1].dead {
		t.Errorf("ours ended the connection: %t, theirs: %t, after %x", m.talk[0].dead, m.talk[1].dead, m.sent[len(m.sent)-1])
	}
	_ = m.compare(t, "answer to message", m.talk[0].answers, m.talk[1].answers) &&
		m.compare(t, "news", m.talk[0].news, m.talk[1].news) && m.compare(t, "told others", m.watch[0].news, m.watch[1].news)
}

// everything asks for all asynchronous messages.
func everything() *openflow.SetAsync {
	a := &openflow.SetAsync{Set: 1<<openflow.NumAsync - 1}
	for i := range a.Config.Primary {
		a.Config.Primary[i] = 0x3f
	}
	a.Config.Primary[openflow.AsyncTableStatus] = 3 << 3
	a.Config.Primary[openflow.AsyncRequestForward] = 3
	return a
}
