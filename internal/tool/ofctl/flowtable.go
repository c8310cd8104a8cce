package ofctl

import (
	"cmp"
	"encoding/binary"
	"hash/maphash"
	"os"
	"slices"
	"strings"

	"weir/internal/flow"
	"weir/internal/openflow"
)

// flowTable is the flows of two sides, of which each may be there on either:
// what replace-flows and diff-flows compare.
type flowTable struct {
	rows []flowRow
	// slots is an open hash table of the rows: numbers of rows from 1 on, 0 where
	// there is none. Its length is a power of two.
	slots []int32
	seed  maphash.Seed
	// alike has what was found of pairs of lists of actions, by their first
	// elements: many flows share a list.
	alike map[[2]*openflow.Action]bool
	// noFlags: flags make no difference, for not each version of OpenFlow tells them.
	noFlags bool
}

// flowRow is a flow with what says which it is.
type flowRow struct {
	match    flow.PackedMatch
	hash     uint32
	priority uint16
	table    uint8
	pair     flowPair
}

// flowPair is a flow as either side has it; nil where it doesn't.
type flowPair [2]*openflow.PackedFlowMod

func newFlowTable() *flowTable {
	return &flowTable{seed: maphash.MakeSeed(), alike: map[[2]*openflow.Action]bool{}}
}

// grow makes room for n more flows.
func (ft *flowTable) grow(n int) {
	ft.rows = slices.Grow(ft.rows, n)
	size := 1024
	for size < 2*(len(ft.rows)+n) {
		size *= 2
	}
	if size <= len(ft.slots) {
		return
	}
	ft.slots = make([]int32, size)
	for i := range ft.rows {
		at := ft.rows[i].hash & uint32(size-1)
		for ft.slots[at] != 0 {
			at = (at + 1) & uint32(size-1)
		}
		ft.slots[at] = int32(i + 1)
	}
}

// row finds the row of a flow, or makes it.
func (ft *flowTable) row(match flow.PackedMatch, priority uint16, table uint8) *flowRow {
	bits := uint32(len(ft.slots) - 1)
	hash := uint32(maphash.String(ft.seed, string(match))) ^ uint32(priority)<<8 ^ uint32(table)
	for at := hash & bits; ; at = (at + 1) & bits {
		i := ft.slots[at]
		if i == 0 {
			ft.rows = append(ft.rows, flowRow{match: match, hash: hash, priority: priority, table: table})
			ft.slots[at] = int32(len(ft.rows))
			return &ft.rows[len(ft.rows)-1]
		}
		if r := &ft.rows[i-1]; r.hash == hash && r.priority == priority && r.table == table && r.match == match {
			return r
		}
	}
}

// add enters flows of a side, which stay the table's; the last of several with
// one key counts.
func (ft *flowTable) add(side int, flows []openflow.PackedFlowMod) {
	if 3*(len(ft.rows)+len(flows)) > 2*len(ft.slots) {
		ft.grow(len(flows))
	}
	for i := range flows {
		fm := &flows[i]
		if fm.TableID == openflow.TableAny {
			fm.TableID = 0
		}
		ft.row(fm.Identity(), fm.Priority, fm.TableID).pair[side] = fm
	}
}

// has reports whether a side has the flow.
func (p *flowPair) has(side int) bool { return p[side] != nil }

// any is the flow as one of the sides has it.
func (p *flowPair) any() *openflow.PackedFlowMod { return cmp.Or(p[0], p[1]) }

// same reports whether both sides have the flow and it does the same.
func (ft *flowTable) same(p *flowPair) bool {
	a, b := p[0], p[1]
	return a != nil && b != nil && a.SameEffect(b, !ft.noFlags) && ft.sameActions(a.Actions, b.Actions)
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

// differing lists the flows that are not the same on both sides, or all of them,
// in the order in which they were entered.
func (ft *flowTable) differing(all bool) []*flowPair {
	var out []*flowPair
	for i := range ft.rows {
		if p := &ft.rows[i].pair; all || !ft.same(p) {
			out = append(out, p)
		}
	}
	return out
}

// sortPairs orders flows by table, then by falling priority, then by match.
func sortPairs(pairs []*flowPair) {
	type keyed struct {
		key  string
		pair *flowPair
	}
	all := make([]keyed, len(pairs))
	var fm openflow.FlowMod
	for i, p := range pairs {
		p.any().Unpack(&fm)
		key := append(make([]byte, 0, 64), fm.TableID)
		key = binary.BigEndian.AppendUint16(key, ^fm.Priority)
		all[i] = keyed{string(append(key, fm.Match.Format(flow.DefaultPriority, nil)...)), p}
	}
	slices.SortFunc(all, func(a, b keyed) int { return strings.Compare(a.key, b.key) })
	for i := range all {
		pairs[i] = all[i].pair
	}
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
	ft.grow(n)
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
			pack.Grow(together)
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
	differ := ft.differing(t.readd)
	// Table by table, as the peer does; what goes makes room for what comes.
	slices.SortStableFunc(differ, func(a, b *flowPair) int {
		return cmp.Or(cmp.Compare(a.any().TableID, b.any().TableID), cmp.Compare(b2i(a.has(inFile)), b2i(b.has(inFile))))
	})
	mods := make([]openflow.PackedFlowMod, 0, len(differ))
	var d openflow.FlowMod
	for _, p := range differ {
		if p.has(inFile) {
			mods = append(mods, *p[inFile])
			continue
		}
		p[inSwitch].Unpack(&d)
		d.Command, d.Actions, d.NewCookie = openflow.FlowDeleteStrict, nil, 0
		mods = append(mods, d.Pack())
	}
	return v.sendOrBundle(v.encodeFlows(mods))
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
	ft.noFlags = true
	for i, a := range args[:2] {
		if st, err := os.Stat(a); err == nil && st.Mode()&(os.ModeSocket|os.ModeDir) == 0 || a == "-" {
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
	sortPairs(differ)
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
