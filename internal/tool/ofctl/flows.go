package ofctl

import (
	"cmp"
	"encoding/binary"
	"fmt"
	"slices"
	"strings"

	"weir/internal/flow"
	"weir/internal/openflow"
)

func optArg(args []string, i int) string {
	if i < len(args) {
		return args[i]
	}
	return ""
}

func dumpFlows(t *tool, args []string) error {
	t.out = t.flowWriter()
	if len(t.sort) == 0 && !t.noStats && (t.json != nil || !t.showNames()) {
		return t.dumpFlowsRaw(args, false)
	}
	v, fsr, names, err := t.openForDump(args, false)
	if err != nil {
		return err
	}
	defer v.close()
	if len(t.sort) == 0 && t.json == nil {
		return v.printFlows(fsr, names)
	}
	flows, err := v.collectFlows(fsr)
	if err != nil {
		return err
	}
	t.sortFlows(flows)
	if t.json != nil {
		t.json.add(jsonMessage{v.xid, "OFPST_FLOW reply", openflow.MsgHeader{Version: v.version}, &openflow.FlowStatsReply{Stats: flows}, names})
		return nil
	}
	for i := range flows {
		t.printf(" %s\n", openflow.FormatFlowStats(&flows[i], !t.noStats, names))
	}
	return nil
}

func dumpAggregate(t *tool, args []string) error { return t.dumpFlowsRaw(args, true) }

func (t *tool) dumpFlowsRaw(args []string, aggregate bool) error {
	v, fsr, _, err := t.openForDump(args, aggregate)
	if err != nil {
		return err
	}
	defer v.close()
	return v.dumpStats(fsr)
}

// openForDump connects and reads the flow argument of a dump.
func (t *tool) openForDump(args []string, aggregate bool) (*conn, *openflow.FlowStatsRequest, *openflow.Names, error) {
	v, err := t.open(args[0])
	if err != nil {
		return nil, nil, nil, err
	}
	names := t.namesFor(args[0], optArg(args, 1))
	fsr, usable, err := openflow.ParseFlowRequest(optArg(args, 1), aggregate, t.parseOptions(names))
	if err == nil {
		err = v.setDumpProtocol(args[0], usable)
	}
	if err != nil {
		v.close()
		return nil, nil, nil, err
	}
	if !t.showNames() {
		names = nil
	}
	return v, fsr, names, nil
}

// dumpStats sends a multipart request and prints the replies as they come.
func (v *conn) dumpStats(m openflow.Message) error {
	xid, err := v.send(m)
	if err != nil {
		return err
	}
	for {
		b, err := v.recv()
		if err != nil {
			return err
		}
		if binary.BigEndian.Uint32(b[4:]) != xid {
			v.t.printf("unexpected reply:\n")
			v.t.print(b, v.t.verbosity+1)
			continue
		}
		if err := v.reply(b); err != nil {
			return err
		}
		if b[1] == 1 {
			return nil // an error message
		}
		if h, err := openflow.DecodePart(b); err != nil || !h.More {
			return nil
		}
	}
}

// dumpOne sends a request and prints the reply.
func (v *conn) dumpOne(m openflow.Message) error {
	b, err := v.transact(m)
	if err != nil {
		return err
	}
	return v.reply(b)
}

// collectFlows asks for flows and gathers the replies.
func (v *conn) collectFlows(fsr *openflow.FlowStatsRequest) (out []openflow.FlowStats, err error) {
	err = v.eachFlow(fsr, func(s *openflow.FlowStats) { out = append(out, *s) })
	return out, err
}

// printFlows asks for flows and prints them as the replies come.
func (v *conn) printFlows(fsr *openflow.FlowStatsRequest, names *openflow.Names) error {
	const enough = 64 << 10
	var out []byte
	var failed error
	flush := func() {
		if _, err := v.t.out.Write(out); err != nil && failed == nil {
			failed = err
		}
		out = out[:0]
	}
	err := v.eachFlow(fsr, func(s *openflow.FlowStats) {
		out = openflow.AppendFlowStats(append(out, ' '), s, !v.t.noStats, names)
		if out = append(out, '\n'); len(out) >= enough {
			flush()
		}
	})
	flush()
	return cmp.Or(err, failed)
}

// eachFlow asks for flows and visits them as the replies come; what it visits
// is valid until the next.
func (v *conn) eachFlow(fsr *openflow.FlowStatsRequest, visit func(*openflow.FlowStats)) error {
	xid, err := v.send(fsr)
	if err != nil {
		return err
	}
	var dec openflow.Decoder
	for {
		b, err := v.recvXid(xid)
		if err != nil {
			return err
		}
		h, err := dec.FlowStats(b, v.t.decodeOptions(), visit)
		if err != nil {
			return v.fatalMessage(b)
		}
		if !h.More {
			return nil
		}
	}
}

func (t *tool) sortFlows(flows []openflow.FlowStats) {
	if len(t.sort) == 0 {
		return
	}
	slices.SortStableFunc(flows, func(a, b openflow.FlowStats) int {
		for _, c := range t.sort {
			if n := c.compare(&a, &b); n != 0 {
				if c.desc {
					return -n
				}
				return n
			}
		}
		return 0
	})
}

func (c criterion) compare(a, b *openflow.FlowStats) int {
	if c.field == nil {
		return cmp.Compare(a.Priority, b.Priority)
	}
	fa, fb := a.Match.TLV.Bind(c.field), b.Match.TLV.Bind(c.field)
	in := func(f *flow.Field, m *flow.Match) bool { return f != nil && !f.IsWild(&m.Mask) && f.AppliesTo(m) }
	x, y := in(fa, &a.Match), in(fb, &b.Match)
	if !x || !y {
		// Flows that don't match on the field come last, whatever the order.
		n := cmp.Compare(b2i(y), b2i(x))
		if c.desc {
			n = -n
		}
		return n
	}
	va, vb := fa.Get(&a.Match.Key), fb.Get(&b.Match.Key)
	return cmp.Or(cmp.Compare(va.Hi, vb.Hi), cmp.Compare(va.Lo, vb.Lo))
}

func b2i(b bool) int {
	if b {
		return 1
	}
	return 0
}

func addFlow(t *tool, args []string) error { return t.flowModArg(args, openflow.FlowAdd) }
func addFlows(t *tool, args []string) error {
	return t.flowModFile(args[0], args[1], int(openflow.FlowAdd)-1)
}

func modFlows(t *tool, args []string) error {
	if t.strict {
		return t.flowModArg(args, openflow.FlowModifyStrict)
	}
	return t.flowModArg(args, openflow.FlowModify)
}

func delFlows(t *tool, args []string) error {
	if len(args) == 1 {
		args = append(args, "")
	}
	if t.strict {
		return t.flowModArg(args, openflow.FlowDeleteStrict)
	}
	return t.flowModArg(args, openflow.FlowDelete)
}

// flowModArg sends the flow mod that an argument says, or those of standard
// input for "-".
func (t *tool) flowModArg(args []string, command openflow.FlowModCommand) error {
	if len(args) > 1 && args[1] == "-" {
		c := int(command)
		if command == openflow.FlowAdd {
			c = -1
		}
		return t.flowModFile(args[0], "-", c)
	}
	s := optArg(args, 1)
	names := t.namesFor(args[0], s)
	fm, usable, err := openflow.ParseFlowMod(s, int(command), t.parseOptions(names))
	if err != nil {
		return err
	}
	v, err := t.openForMods(args[0], usable)
	if err != nil {
		return err
	}
	defer v.close()
	return v.sendOrBundle(v.encodeFlows([]openflow.PackedFlowMod{fm.Pack()}))
}

// flowModFile sends the flow mods of a file. They are encoded as they are
// parsed, in the protocol that the connection will most likely settle on.
func (t *tool) flowModFile(remote, file string, command int) error {
	p := &flowFileParser{name: file, command: command, remote: remote, encoder: t.newFlowEncoder()}
	f, err := t.parseFile(p)
	if err != nil {
		return err
	}
	v, err := t.openForMods(remote, f.usable)
	if err != nil {
		return err
	}
	defer v.close()
	f.settle(p, v.proto)
	return v.sendOrBundle(f)
}

// openForMods is openForFlows, for a bundle if that was asked for.
func (t *tool) openForMods(remote string, usable openflow.Protocol) (*conn, error) {
	if t.bundle {
		usable &= openflow.P13 | openflow.P14 | openflow.P15
	}
	return t.openForFlows(remote, usable)
}

// flowLine prints a flow as diff-flows does.
func flowLine(fm *openflow.FlowMod) string {
	var b strings.Builder
	if fm.TableID != 0 {
		fmt.Fprintf(&b, "table=%d ", fm.TableID)
	}
	b.WriteString(fm.Match.Format(int(fm.Priority), nil) + " ")
	if fm.NewCookie != 0 {
		fmt.Fprintf(&b, "cookie=0x%x ", fm.NewCookie)
	}
	if fm.IdleTimeout != 0 {
		fmt.Fprintf(&b, "idle_timeout=%d ", fm.IdleTimeout)
	}
	if fm.HardTimeout != 0 {
		fmt.Fprintf(&b, "hard_timeout=%d ", fm.HardTimeout)
	}
	if fm.Importance != 0 {
		fmt.Fprintf(&b, "importance=%d ", fm.Importance)
	}
	b.WriteString(fm.Flags.Text())
	b.WriteString("actions=" + openflow.FormatActions(fm.Actions, nil))
	return b.String()
}
