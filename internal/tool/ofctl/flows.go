package ofctl

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"fmt"
	"os"
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
		h, _, err := openflow.Decode(b, openflow.DecodeOptions{})
		if err != nil || !h.More {
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
func (v *conn) collectFlows(fsr *openflow.FlowStatsRequest) ([]openflow.FlowStats, error) {
	xid, err := v.send(fsr)
	if err != nil {
		return nil, err
	}
	var out []openflow.FlowStats
	for {
		b, err := v.recvXid(xid)
		if err != nil {
			return nil, err
		}
		r, h, err := decode[*openflow.FlowStatsReply](v, b)
		if err != nil {
			return nil, err
		}
		out = append(out, r.Stats...)
		if !h.More {
			return out, nil
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
	return t.sendFlowMods(args[0], []*openflow.FlowMod{fm}, usable)
}

func (t *tool) flowModFile(remote, file string, command int) error {
	names := t.namesForFile(remote, file)
	fms, usable, err := t.readFlows(file, command, names)
	if err != nil {
		return err
	}
	return t.sendFlowMods(remote, fms, usable)
}

func (t *tool) sendFlowMods(remote string, fms []*openflow.FlowMod, usable openflow.Protocol) error {
	if t.bundle {
		usable &= openflow.P13 | openflow.P14 | openflow.P15
	}
	v, err := t.openForFlows(remote, usable)
	if err != nil {
		return err
	}
	defer v.close()
	if t.bundle {
		ms := make([]openflow.Message, len(fms))
		for i, fm := range fms {
			ms[i] = fm
		}
		return v.bundle(ms)
	}
	if len(fms) == 1 {
		return v.mustNoReply(fms[0])
	}
	return v.sendMany(fms)
}

// sendMany sends flow mods without waiting for each, and one barrier. The first
// error message ends it.
func (v *conn) sendMany(fms []*openflow.FlowMod) error {
	const batch = 64
	for len(fms) > 0 {
		n := min(batch, len(fms))
		var all bytes.Buffer
		for _, fm := range fms[:n] {
			b, err := openflow.Encode(v.proto, v.nextXid(), fm)
			if err != nil {
				return err
			}
			all.Write(b)
		}
		fms = fms[n:]
		if err := v.write2(all.Bytes()); err != nil {
			return err
		}
		barrier, err := v.send(&openflow.BarrierRequest{})
		if err != nil {
			return err
		}
		for {
			b, err := v.recv()
			if err != nil {
				return err
			}
			if b[1] == 1 {
				return v.fatalMessage(b)
			}
			if binary.BigEndian.Uint32(b[4:]) == barrier {
				break
			}
		}
	}
	return nil
}

// write2 writes several messages at once, each logged.
func (v *conn) write2(b []byte) error {
	for len(b) >= openflow.HeaderLen {
		n := int(binary.BigEndian.Uint16(b[2:]))
		if err := v.write(b[:n]); err != nil {
			return err
		}
		b = b[n:]
	}
	return nil
}

// bundle sends messages in a bundle and commits it.
func (v *conn) bundle(ms []openflow.Message) error {
	const id = 0
	flags := uint16(openflow.BundleOrdered | openflow.BundleAtomic)
	control := func(typ openflow.BundleCtrlType) error {
		b, err := v.transact(&openflow.BundleControl{ID: id, Type: typ, Flags: flags})
		if err != nil {
			return err
		}
		if b[1] == 1 {
			return v.bundleError(b, nil)
		}
		_, _, err = decode[*openflow.BundleControl](v, b)
		return err
	}
	if err := control(openflow.BundleOpenRequest); err != nil {
		return err
	}
	for _, m := range ms {
		raw, err := openflow.Encode(v.proto, 0, m)
		if err != nil {
			return err
		}
		if _, err := v.send(&openflow.BundleAdd{ID: id, Flags: flags, Raw: raw}); err != nil {
			return err
		}
	}
	return control(openflow.BundleCommitRequest)
}

// bundleError prints the errors of a bundle that failed.
func (v *conn) bundleError(b []byte, _ []openflow.Message) error {
	for _, q := range v.queued {
		if q[1] != 1 {
			continue
		}
		if _, m, err := openflow.Decode(q, openflow.DecodeOptions{}); err == nil {
			if e, ok := m.(*openflow.Error); ok {
				fmt.Fprintf(v.t.env.Stderr, "Error %s for: %s", e.Code, openflow.FormatMessage(e.Data, openflow.PrintOptions{}))
			}
		}
	}
	return v.fatalMessage(b)
}

// table of flows for replace-flows and diff-flows: two versions of each.
type flowTable struct {
	order []string
	rows  map[string]*flowPair
}

type flowPair struct {
	key string
	fm  [2]*openflow.FlowMod
}

func (ft *flowTable) add(which int, fm *openflow.FlowMod) {
	table := fm.TableID
	if table == openflow.TableAny {
		table = 0
	}
	fm.TableID = table
	key := fmt.Sprintf("%03d %05d %s", table, 65535-int(fm.Priority), fm.Match.Format(flow.DefaultPriority, nil))
	p := ft.rows[key]
	if p == nil {
		p = &flowPair{key: key}
		ft.rows[key] = p
		ft.order = append(ft.order, key)
	}
	p.fm[which] = fm
}

// same reports whether both sides do the same.
func (p *flowPair) same() bool {
	a, b := p.fm[0], p.fm[1]
	return a.NewCookie == b.NewCookie && a.IdleTimeout == b.IdleTimeout && a.HardTimeout == b.HardTimeout &&
		a.Importance == b.Importance && a.Flags == b.Flags &&
		openflow.FormatActions(a.Actions, nil) == openflow.FormatActions(b.Actions, nil)
}

func flowModOf(s *openflow.FlowStats) *openflow.FlowMod {
	return &openflow.FlowMod{
		Match: s.Match, Priority: s.Priority, NewCookie: s.Cookie, TableID: s.TableID, Command: openflow.FlowAdd,
		IdleTimeout: s.IdleTimeout, HardTimeout: s.HardTimeout, Importance: s.Importance, Flags: s.Flags,
		BufferID: openflow.NoBuffer, OutPort: openflow.PortNone, OutGroup: openflow.GroupAny, Actions: s.Actions,
	}
}

func (t *tool) fileTable(ft *flowTable, which int, file string, names *openflow.Names) (openflow.Protocol, error) {
	fms, usable, err := t.readFlows(file, int(openflow.FlowAdd), names)
	if err != nil {
		return 0, err
	}
	for _, fm := range fms {
		ft.add(which, fm)
	}
	return usable, nil
}

func (v *conn) switchTable(ft *flowTable, which int) error {
	flows, err := v.collectFlows(&openflow.FlowStatsRequest{
		TableID: openflow.TableAny, OutPort: openflow.PortNone, OutGroup: openflow.GroupAny,
	})
	if err != nil {
		return err
	}
	for i := range flows {
		ft.add(which, flowModOf(&flows[i]))
	}
	return nil
}

func replaceFlows(t *tool, args []string) error {
	const inFile, inSwitch = 0, 1
	ft := &flowTable{rows: map[string]*flowPair{}}
	usable, err := t.fileTable(ft, inFile, args[1], t.namesForFile(args[0], args[1]))
	if err != nil {
		return err
	}
	if t.bundle {
		usable &= openflow.P13 | openflow.P14 | openflow.P15
	}
	v, err := t.openForFlows(args[0], usable)
	if err != nil {
		return err
	}
	defer v.close()
	if v.version == openflow.V10 {
		// The table of each flow must be said.
		for _, p := range []openflow.Protocol{openflow.PNXMTID, openflow.P10TID} {
			if p&usable&t.allowed == 0 {
				continue
			}
			if ok, err := v.setProtocol(p); err != nil {
				return err
			} else if ok {
				break
			}
		}
	}
	if err := v.switchTable(ft, inSwitch); err != nil {
		return err
	}
	var dels, adds []openflow.Message
	slices.Sort(ft.order)
	for _, key := range ft.order {
		p := ft.rows[key]
		switch {
		case p.fm[inFile] == nil:
			d := *p.fm[inSwitch]
			d.Command, d.Actions, d.NewCookie = openflow.FlowDeleteStrict, nil, 0
			dels = append(dels, &d)
		case p.fm[inSwitch] == nil || t.readd || !p.same():
			adds = append(adds, p.fm[inFile])
		}
	}
	all := append(dels, adds...)
	if t.bundle {
		return v.bundle(all)
	}
	var fms []*openflow.FlowMod
	for _, m := range all {
		fms = append(fms, m.(*openflow.FlowMod))
	}
	return v.sendMany(fms)
}

func diffFlows(t *tool, args []string) error {
	ft := &flowTable{rows: map[string]*flowPair{}}
	for i, a := range args[:2] {
		if st, err := os.Stat(a); err == nil && st.Mode().IsRegular() || a == "-" {
			if _, err := t.fileTable(ft, i, a, nil); err != nil {
				return err
			}
			continue
		}
		v, err := t.open(a)
		if err != nil {
			return err
		}
		if err := v.setDumpProtocol(a, openflow.PAny); err != nil {
			return err
		}
		err = v.switchTable(ft, i)
		v.close()
		if err != nil {
			return err
		}
	}
	slices.Sort(ft.order)
	differ := false
	for _, key := range ft.order {
		p := ft.rows[key]
		if p.fm[0] != nil && p.fm[1] != nil && p.same() {
			continue
		}
		for i, sign := range []string{"-", "+"} {
			if p.fm[i] != nil {
				t.printf("%s%s\n", sign, flowLine(p.fm[i]))
				differ = true
			}
		}
	}
	if differ {
		return exitStatus(2)
	}
	return nil
}

// flowLine prints a flow as diff-flows does.
func flowLine(fm *openflow.FlowMod) string {
	var b strings.Builder
	if fm.TableID != 0 {
		fmt.Fprintf(&b, "table=%d ", fm.TableID)
	}
	if m := fm.Match.Format(int(fm.Priority), nil); m != "" {
		b.WriteString(m + " ")
	}
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
