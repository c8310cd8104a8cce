package pipeline

import (
	"sync"
	"testing"
	"time"

	"weir/internal/classifier"
	"weir/internal/flow"
	"weir/internal/openflow"
)

var t0 = time.Unix(1000, 0)

func inPort(n uint32) flow.Match {
	return flow.Match{Key: flow.Key{InPort: n}, Mask: flow.Mask{InPort: ^uint32(0)}}
}

func flowMod(cmd openflow.FlowModCommand, m flow.Match, prio uint16, out openflow.PortNo) *openflow.FlowMod {
	return &openflow.FlowMod{Command: cmd, Match: m, Priority: prio, TableID: openflow.TableAny,
		OutPort: openflow.PortNone, OutGroup: openflow.GroupAny, Actions: []openflow.Action{&openflow.Output{Port: out}}}
}

func lookup(p *Pipeline, v classifier.Version, port uint32) *Rule {
	var s classifier.Scratch[*Rule]
	return p.Table(0).Lookup(v, &flow.Key{InPort: port}, nil, &s)
}

func mustApply(t *testing.T, p *Pipeline, fm *openflow.FlowMod) []Event {
	t.Helper()
	ev, err := p.FlowMod(fm, t0)
	if err != nil {
		t.Fatal(err)
	}
	return ev
}

func outPort(r *Rule) openflow.PortNo {
	if r == nil {
		return openflow.PortNone
	}
	return r.Actions()[0].(*openflow.Output).Port
}

func TestModifyKeepsCountersAndVersions(t *testing.T) {
	p := New(nil)
	mustApply(t, p, flowMod(openflow.FlowAdd, inPort(1), 5, 2))
	p.Enter(0)
	defer p.Leave(0)
	before := p.Version()
	lookup(p, before, 1).Stats.Credit(3, 180, t0)
	ev := mustApply(t, p, flowMod(openflow.FlowModify, flow.Match{}, 0, 3))
	if len(ev) != 1 || ev[0].Kind != Modified || !ev[0].ActionsChanged {
		t.Fatalf("events %+v", ev)
	}
	if got := outPort(lookup(p, before, 1)); got != 2 {
		t.Errorf("the older version outputs to %d", got)
	}
	r := lookup(p, p.Version(), 1)
	if outPort(r) != 3 || r.Stats.Packets.Load() != 3 || r.Priority() != 5 {
		t.Errorf("the newer version: port %d, %d packets", outPort(r), r.Stats.Packets.Load())
	}
}

func TestModifyThatMatchesNothing(t *testing.T) {
	p := New(nil)
	fm := flowMod(openflow.FlowModify, inPort(1), 5, 2)
	fm.NewCookie = ^uint64(0)
	if ev := mustApply(t, p, fm); ev != nil {
		t.Error("added a flow without a new cookie")
	}
	fm.NewCookie, fm.CookieMask = 1, 1
	if ev := mustApply(t, p, fm); ev != nil {
		t.Error("added a flow for a request that matches a cookie")
	}
	fm.CookieMask = 0
	if ev := mustApply(t, p, fm); len(ev) != 1 || ev[0].Kind != Added {
		t.Errorf("OpenFlow 1.0 adds: %+v", ev)
	}
}

func TestDeleteFilters(t *testing.T) {
	p := New(nil)
	for i := range uint32(4) {
		fm := flowMod(openflow.FlowAdd, inPort(i), 5, openflow.PortNo(i%2))
		fm.NewCookie = uint64(i)
		mustApply(t, p, fm)
	}
	fm := flowMod(openflow.FlowDelete, flow.Match{}, 0, 0)
	fm.OutPort = 1
	fm.Cookie, fm.CookieMask = 1, ^uint64(0)
	if ev := mustApply(t, p, fm); len(ev) != 1 || ev[0].Rule.Cookie != 1 {
		t.Errorf("by cookie and port: %+v", ev)
	}
	fm.CookieMask = 0
	if ev := mustApply(t, p, fm); len(ev) != 1 || ev[0].Rule.Cookie != 3 {
		t.Errorf("by port: %+v", ev)
	}
	strict := flowMod(openflow.FlowDeleteStrict, inPort(0), 4, 0)
	if ev := mustApply(t, p, strict); len(ev) != 0 {
		t.Error("strict delete ignores the priority")
	}
	if n := p.Active(0); n != 2 {
		t.Errorf("%d flows left", n)
	}
}

func TestErrors(t *testing.T) {
	p := New(nil)
	if _, err := p.ConfigureTable(0, TableConf{Limit: 2}, t0); err != nil {
		t.Fatal(err)
	}
	mustApply(t, p, flowMod(openflow.FlowAdd, inPort(1), 5, 2))
	overlap := flowMod(openflow.FlowAdd, flow.Match{}, 5, 2)
	overlap.Flags = openflow.FlowCheckOverlap
	badTable := flowMod(openflow.FlowAdd, inPort(1), 5, 2)
	badTable.TableID = TableInternal
	noGroup := flowMod(openflow.FlowAdd, inPort(3), 5, 2)
	noGroup.Actions = []openflow.Action{&openflow.Group{ID: 9}}
	mustApply(t, p, flowMod(openflow.FlowAdd, inPort(2), 5, 2))
	for _, c := range []struct {
		fm   *openflow.FlowMod
		want openflow.ErrCode
	}{
		{overlap, openflow.ErrFMFCOverlap},
		{badTable, openflow.ErrFMFCEPerm},
		{noGroup, openflow.ErrBACBadOutGroup},
		{flowMod(openflow.FlowAdd, inPort(3), 5, 2), openflow.ErrFMFCTableFull},
	} {
		if _, err := p.FlowMod(c.fm, t0); openflow.CodeOf(err) != c.want {
			t.Errorf("got %v, want %v", err, c.want)
		}
	}
	if n := p.Active(0); n != 2 {
		t.Errorf("%d flows after failures", n)
	}
}

// bundle applies flow mods in one transaction, those that add as additions.
func bundle(p *Pipeline, fms []*openflow.FlowMod) (events []Event, failed int, err error) {
	var prepare Preparer
	x := p.Begin(t0)
	defer x.Abort()
	for i, fm := range fms {
		if fm.Command != openflow.FlowAdd {
			err = x.FlowMod(fm)
		} else if a, bad := prepare.Prepare(fm); bad != nil {
			err = bad
		} else {
			err = x.Add(a)
		}
		if err != nil {
			return nil, i, err
		}
	}
	return x.Commit(), -1, nil
}

func TestBundleIsAllOrNothing(t *testing.T) {
	p := New(nil)
	mustApply(t, p, flowMod(openflow.FlowAdd, inPort(1), 5, 2))
	before := p.Version()
	bad := flowMod(openflow.FlowAdd, inPort(3), 5, 2)
	bad.Actions = []openflow.Action{&openflow.Group{ID: 9}}
	msgs := []*openflow.FlowMod{
		flowMod(openflow.FlowDelete, flow.Match{}, 0, 0),
		flowMod(openflow.FlowAdd, inPort(1), 5, 7),
		flowMod(openflow.FlowAdd, inPort(2), 5, 8),
		bad,
	}
	if _, failed, err := bundle(p, msgs); err == nil || failed != 3 {
		t.Fatalf("failed at %d: %v", failed, err)
	}
	if p.Version() != before || outPort(lookup(p, before, 1)) != 2 || lookup(p, before, 2) != nil || p.Active(0) != 1 {
		t.Fatal("a failed bundle changed something")
	}
	ev, _, err := bundle(p, msgs[:3])
	if err != nil || len(ev) != 3 {
		t.Fatalf("%v %+v", err, ev)
	}
	if outPort(lookup(p, p.Version(), 1)) != 7 || p.Version() != before+1 || p.Active(0) != 2 {
		t.Fatal("the bundle did not apply as one version")
	}
}

func TestExpiry(t *testing.T) {
	p := New(nil)
	idle := flowMod(openflow.FlowAdd, inPort(1), 5, 2)
	idle.IdleTimeout = 10
	hard := flowMod(openflow.FlowAdd, inPort(2), 5, 2)
	hard.HardTimeout = 15
	mustApply(t, p, idle)
	mustApply(t, p, hard)
	lookup(p, p.Version(), 1).Stats.Credit(1, 60, t0.Add(8*time.Second))
	if ev := p.Expire(t0.Add(15 * time.Second)); len(ev) != 0 {
		t.Errorf("too early: %+v", ev)
	}
	if ev := p.Expire(t0.Add(16 * time.Second)); len(ev) != 1 || ev[0].Reason != openflow.RemovedHard {
		t.Errorf("hard: %+v", ev)
	}
	if ev := p.Expire(t0.Add(19 * time.Second)); len(ev) != 1 || ev[0].Reason != openflow.RemovedIdle {
		t.Errorf("idle: %+v", ev)
	}
}

func TestGroupDeletionDeletesFlows(t *testing.T) {
	p := New(nil)
	gm := &openflow.GroupMod{Command: openflow.GroupAdd, ID: 1, Buckets: []openflow.Bucket{{ID: 0}}}
	if _, err := p.GroupMod(gm, t0); err != nil {
		t.Fatal(err)
	}
	fm := flowMod(openflow.FlowAdd, inPort(1), 5, 2)
	fm.Actions = []openflow.Action{&openflow.WriteActions{Actions: []openflow.Action{&openflow.Group{ID: 1}}}}
	mustApply(t, p, fm)
	if p.RefCount(1) != 1 {
		t.Error("the flow is not counted")
	}
	ev, err := p.GroupMod(&openflow.GroupMod{Command: openflow.GroupDelete, ID: openflow.GroupAll}, t0)
	if err != nil || len(ev) != 1 || ev[0].Reason != openflow.RemovedGroupDelete || p.Active(0) != 0 || p.Group(1) != nil {
		t.Errorf("%v %+v", err, ev)
	}
}

// Lookups in the version before a commit keep working while the writer goes on.
func TestGarbageIsCollected(t *testing.T) {
	p := New(nil)
	for range 100 {
		mustApply(t, p, flowMod(openflow.FlowAdd, inPort(1), 5, 2))
	}
	if n := p.tables[0].cls.Len(); n > 6 {
		t.Errorf("%d rules kept for one flow", n)
	}
}

// Flows that are gone don't lead lookups to look at more than they need, unless
// somebody still reads them.
func TestDeletedFlowsWidenNoMask(t *testing.T) {
	p := New(nil)
	mustApply(t, p, flowMod(openflow.FlowAdd, flow.Match{}, 1, 2))
	var narrow flow.Match
	narrow.Key = flow.Key{EthType: 0x800, IPSrc: 0x0a000080}
	narrow.Mask = flow.Mask{EthType: 0xffff, IPSrc: 0xffffff80}
	mask := func() (wc flow.Mask) {
		var s classifier.Scratch[*Rule]
		p.Table(0).Lookup(p.Version(), &flow.Key{InPort: 1, EthType: 0x800, IPSrc: 0x0a000001}, &wc, &s)
		return wc
	}
	want := mask()
	mustApply(t, p, flowMod(openflow.FlowAdd, narrow, 5, 2))
	if mask() == want {
		t.Fatal("the flow makes no difference")
	}
	mustApply(t, p, flowMod(openflow.FlowDelete, narrow, 0, 2))
	if got := mask(); got != want {
		t.Errorf("got mask of nw_src %#x", got.IPSrc)
	}

	mustApply(t, p, flowMod(openflow.FlowAdd, narrow, 5, 2))
	p.Enter(3)
	v := p.Version()
	mustApply(t, p, flowMod(openflow.FlowDelete, narrow, 0, 2))
	if n := len(p.Table(0).Rules(v)); n != 2 || !p.Keeps(v) {
		t.Errorf("who reads sees %d flows, and that they are all: %v", n, p.Keeps(v))
	}
	p.Leave(3)
	mustApply(t, p, flowMod(openflow.FlowAdd, inPort(7), 5, 2))
	if got := mask(); got.IPSrc != 0 || p.Keeps(v) {
		t.Errorf("nobody reads, and there is a mask of nw_src %#x, %v", got.IPSrc, p.Keeps(v))
	}
}

// Who reads a version for so long that commits overtake it is told, and lists
// of flows have each once nevertheless.
func TestReadersThatAreOvertaken(t *testing.T) {
	p := New(nil)
	mustApply(t, p, flowMod(openflow.FlowAdd, inPort(1), 5, 2))
	old := p.Version()
	if !p.Keeps(old) {
		t.Error("the newest version is not whole")
	}
	for i := range 4 {
		mustApply(t, p, flowMod(openflow.FlowModify, flow.Match{}, 0, openflow.PortNo(3+i)))
	}
	if lookup(p, old, 1) == nil && p.Keeps(old) {
		t.Error("a rule is missing from a version that is said to be whole")
	}

	const flows = 20
	for i := range uint32(flows) {
		mustApply(t, p, flowMod(openflow.FlowAdd, inPort(i), 5, 2))
	}
	done := make(chan struct{})
	var writer sync.WaitGroup
	writer.Go(func() {
		for out := openflow.PortNo(1); ; out = out%9 + 1 {
			select {
			case <-done:
				return
			default:
				_, _ = p.FlowMod(flowMod(openflow.FlowModify, flow.Match{}, 0, out), t0)
			}
		}
	})
	for range 300 {
		rules, err := p.Select(&Selection{Table: openflow.TableAny, OutPort: openflow.PortNone, OutGroup: openflow.GroupAny})
		if listed := p.Rules(0); err != nil || len(rules) != flows || len(listed) != flows {
			t.Errorf("%d and %d flows, want %d (%v)", len(rules), len(listed), flows, err)
			break
		}
	}
	close(done)
	writer.Wait()
}
