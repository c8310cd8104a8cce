package xlate

import (
	"testing"

	"weir/internal/flow"
)

// Packets of a flow that drops are counted with the flow's other effects.
func TestDropsAreCredited(t *testing.T) {
	cfg := newConfig()
	cfg.Drops = NewDrops()
	b := newBridge(cfg, "br0", 1, 2)
	addFlow(t, b, 0, "in_port=1,tcp", 10, out(1)) // to where it came from
	x := NewTranslator()
	r := x.Translate(&Input{Config: cfg, Bridge: b, Key: parseKey(t, "in_port=1,tcp"), Now: t0})
	if r.Drop.Kind != DropInputPort || r.Drop.Port != "p1" || r.Drop.Rule == nil {
		t.Fatalf("reason %+v", r.Drop)
	}
	effects := append(Effects(nil), r.Effects...)
	effects.Push(Traffic{Packets: 3, Bytes: 300, Used: t0}, t0)
	effects.Push(Traffic{Packets: 2, Bytes: 100, Used: t0}, t0)
	list := cfg.Drops.List()
	if len(list) != 1 || list[0].Packets.Load() != 5 || list[0].Bytes.Load() != 400 || !list[0].Last().Equal(t0) {
		t.Fatalf("drops %+v", list)
	}
	if k := list[0].Example(); k == nil || k.NwProto != protoTCP {
		t.Errorf("example %v", k)
	}
}

// However many reasons there are, the memory is bounded and no packet is lost.
func TestDropsAreBounded(t *testing.T) {
	d := NewDrops()
	for i := range 3 * MaxDrops {
		d.count(DropReason{Kind: DropGroup, Bridge: "br0", Group: uint32(i)}, &flow.Key{}).credit(Traffic{Packets: 1, Used: t0})
	}
	var packets uint64
	list := d.List()
	for _, c := range list {
		packets += c.Packets.Load()
	}
	if len(list) != MaxDrops+1 || packets != 3*MaxDrops {
		t.Errorf("%d reasons with %d packets", len(list), packets)
	}
	d.Clear()
	if n := len(d.List()); n != 0 {
		t.Errorf("%d reasons after Clear", n)
	}
}
