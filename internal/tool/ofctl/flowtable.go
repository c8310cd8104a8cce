package ofctl

import (
	"encoding/binary"
	"os"
	"slices"
	"strings"

	"weir/internal/flow"
	"weir/internal/openflow"
)

// flowTable is the flows of two sides, of which each may be there on either:
// what replace-flows and diff-flows compare.
type flowTable struct {
	rows  []flowPair
	index map[flowKey]int32
	// alike has what was found of pairs of lists of actions, by their first
	// elements: many flows share a list.
	alike map[[2]*openflow.Action]bool
}

// flowKey says which flow it is.
type flowKey struct {
	match    flow.PackedMatch
	priority uint16
	table    uint8
}

// flowPair is a flow as either side has it; nil where it doesn't.
type flowPair [2]*openflow.PackedFlowMod

func newFlowTable() *flowTable {
	return &flowTable{index: map[flowKey]int32{}, alike: map[[2]*openflow.Action]bool{}}
}

// add enters flows of a side, which stay the table's; the last of several with
// one key counts.
func (ft *flowTable) add(side int, flows []openflow.PackedFlowMod) {
	for i := range flows {
		fm := &flows[i]
		if fm.TableID == openflow.TableAny {
			fm.TableID = 0
		}
		key := flowKey{fm.Identity(), fm.Priority, fm.TableID}
		at, ok := ft.index[key]
		if !ok {
			at = int32(len(ft.rows))
			ft.index[key] = at
			ft.rows = append(ft.rows, flowPair{})
		}
		ft.rows[at][side] = fm
	}
}

// has reports whether a side has the flow.
func (p *flowPair) has(side int) bool { return p[side] != nil }

// same reports whether both sides have the flow and it does the same.
func (ft *flowTable) same(p *flowPair) bool {
	a, b := p[0], p[1]
	return a != nil && b != nil && a.SameEffect(b) && ft.sameActions(a.Actions, b.Actions)
}

func (ft *flowTable) sameActions(a, b []openflow.Action) bool {
	if len(a) == 0 || len(b) == 0 {
		return len(a) == len(b)
	}
	lists := [2]*openflow.Action{&a[0], &b[0]}
	same, known := ft.alike[lists]
	if !known {
		same = openflow.FormatActions(a, nil) == openflow.FormatActions(b, nil)
		if len(ft.alike) < maxAlike {
			ft.alike[lists] = same
		}
	}
	return same
}

// maxAlike bounds what a flowTable remembers of actions.
const maxAlike = 4096

// differing lists the flows that are not the same on both sides, by table, then
// by falling priority, then by match.
func (ft *flowTable) differing(all bool) []*flowPair {
	type keyed struct {
		key  string
		pair *flowPair
	}
	var out []keyed
	var fm openflow.FlowMod
	for i := range ft.rows {
		p := &ft.rows[i]
		if !all && ft.same(p) {
			continue
		}
		if p.has(0) {
			p[0].Unpack(&fm)
		} else {
			p[1].Unpack(&fm)
		}
		key := append(make([]byte, 0, 64), fm.TableID)
		key = binary.BigEndian.AppendUint16(key, ^fm.Priority)
		out = append(out, keyed{string(append(key, fm.Match.Format(flow.DefaultPriority, nil)...)), p})
	}
	slices.SortFunc(out, func(a, b keyed) int { return strings.Compare(a.key, b.key) })
	pairs := make([]*flowPair, len(out))
	for i := range out {
		pairs[i] = out[i].pair
	}
	return pairs
}

// addFile enters the flows of a file.
func (t *tool) addFile(ft *flowTable, side int, file, remote string) (openflow.Protocol, error) {
	f, err := t.readFlows(file, int(openflow.FlowAdd), remote)
	if err != nil {
		return 0, err
	}
	n := 0
	for _, p := range f.parts {
		n += len(p.flows)
	}
	if len(ft.rows) == 0 {
		ft.rows, ft.index = make([]flowPair, 0, n), make(map[flowKey]int32, n)
	}
	for _, p := range f.parts {
		ft.add(side, p.flows)
	}
	return f.usable, nil
}

// addSwitch enters the flows of a switch.
func (v *conn) addSwitch(ft *flowTable, side int) error {
	const together = 1024
	fm := openflow.FlowMod{
		Command: openflow.FlowAdd, BufferID: openflow.NoBuffer, OutPort: openflow.PortNone, OutGroup: openflow.GroupAny,
	}
	var pack openflow.Packer
	n := 0
	err := v.eachFlow(&openflow.FlowStatsRequest{
		TableID: openflow.TableAny, OutPort: openflow.PortNone, OutGroup: openflow.GroupAny,
	}, func(s *openflow.FlowStats) {
		fm.Match, fm.Priority, fm.NewCookie, fm.TableID = s.Match, s.Priority, s.Cookie, s.TableID
		fm.IdleTimeout, fm.HardTimeout, fm.Importance = s.IdleTimeout, s.HardTimeout, s.Importance
		fm.Flags, fm.Actions = s.Flags, s.Actions
		pack.Add(&fm)
		if n++; n%together == 0 {
			ft.add(side, pack.Take())
		}
	})
	ft.add(side, pack.Take())
	return err
}

func replaceFlows(t *tool, args []string) error {
	const inFile, inSwitch = 0, 1
	ft := newFlowTable()
	usable, err := t.addFile(ft, inFile, args[1], args[0])
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
	if err := v.nameTables(usable); err != nil {
		return err
	}
	if err := v.addSwitch(ft, inSwitch); err != nil {
		return err
	}
	var dels, adds []openflow.PackedFlowMod
	for _, p := range ft.differing(t.readd) {
		if p.has(inFile) {
			adds = append(adds, *p[inFile])
			continue
		}
		var d openflow.FlowMod
		p[inSwitch].Unpack(&d)
		d.Command, d.Actions, d.NewCookie = openflow.FlowDeleteStrict, nil, 0
		dels = append(dels, d.Pack())
	}
	return v.sendOrBundle(v.encodeFlows(append(dels, adds...)))
}

// nameTables has the table of each flow said in OpenFlow 1.0, where the switch
// can.
func (v *conn) nameTables(usable openflow.Protocol) error {
	if v.version != openflow.V10 {
		return nil
	}
	for _, p := range []openflow.Protocol{openflow.PNXMTID, openflow.P10TID} {
		if p&usable&v.t.allowed == 0 {
			continue
		}
		if ok, err := v.setProtocol(p); ok || err != nil {
			return err
		}
	}
	return nil
}

func diffFlows(t *tool, args []string) error {
	ft := newFlowTable()
	for i, a := range args[:2] {
		if st, err := os.Stat(a); err == nil && st.Mode().IsRegular() || a == "-" {
			if _, err := t.addFile(ft, i, a, ""); err != nil {
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
		err = v.addSwitch(ft, i)
		v.close()
		if err != nil {
			return err
		}
	}
	var fm openflow.FlowMod
	differ := ft.differing(false)
	for _, p := range differ {
		for i, sign := range []string{"-", "+"} {
			if p.has(i) {
				p[i].Unpack(&fm)
				t.printf("%s%s\n", sign, flowLine(&fm))
			}
		}
	}
	if len(differ) > 0 {
		return exitStatus(2)
	}
	return nil
}
