package userspace

import (
	"testing"

	"weir/internal/clock"
	"weir/internal/datapath"
	"weir/internal/flow"
)

// fullMirror takes flows, but no new actions for them.
type fullMirror struct {
	noMirror
	removed int
}

func (m *fullMirror) Added(*datapath.Flow) MirrorSlot         { return 7 }
func (m *fullMirror) Changed(MirrorSlot, *datapath.Flow) bool { return false }
func (m *fullMirror) Stats(MirrorSlot) datapath.Stats         { return datapath.Stats{Packets: 5, Bytes: 500} }
func (m *fullMirror) Removed(s MirrorSlot) datapath.Stats     { m.removed++; return m.Stats(s) }

// A mirror that can't take new actions loses the flow rather than keeping the
// old ones, and what it counted stays counted.
func TestMirrorThatCannotTakeActions(t *testing.T) {
	m := &fullMirror{}
	d, err := New(Config{Name: "test", Clock: clock.New(), Mirror: m})
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	f := &datapath.Flow{UFID: datapath.UFID{1}, Key: flow.Key{InPort: 1}, Mask: flow.Mask{InPort: ^uint32(0)}, Actions: []datapath.Action{&datapath.Output{Port: 1}}}
	if err := d.FlowPut(f, datapath.PutCreate); err != nil {
		t.Fatal(err)
	}
	f.Actions = []datapath.Action{&datapath.Output{Port: 2}}
	if err := d.FlowPut(f, datapath.PutModify); err != nil {
		t.Fatal(err)
	}
	got, err := d.FlowGet(f.UFID, &f.Key)
	if err != nil {
		t.Fatal(err)
	}
	if m.removed != 1 || got.Stats.Packets != 5 || got.Stats.Bytes != 500 {
		t.Errorf("removed %d times, statistics %+v", m.removed, got.Stats)
	}
	if text := datapath.FormatActions(got.Actions, nil); text != "2" {
		t.Errorf("actions %s", text)
	}
}
