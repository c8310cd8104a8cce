package xlate

import "testing"

func TestRecircsShareAndForget(t *testing.T) {
	rs, b := NewRecircs(), &Bridge{Name: "br0"}
	state := func(cookie uint64) *State { return &State{Bridge: b, RuleCookie: cookie} }
	id := rs.Alloc(state(1))
	if rs.Alloc(state(1)) != id || rs.Alloc(state(2)) == id {
		t.Fatal("equal states share a number, others don't")
	}
	rs.Unref(id)
	rs.Unref(id)
	if rs.Lookup(id) == nil {
		t.Error("a packet on its way with the number is lost")
	}
	rs.Unref(id) // one too many must not matter
	for i := range uint64(keepIdle + 1) {
		rs.Unref(rs.Alloc(state(10 + i)))
	}
	if rs.Lookup(id) != nil || len(rs.byID) > keepIdle+2 {
		t.Errorf("%d numbers kept", len(rs.byID))
	}
}

// Translations that end give their numbers back.
func TestTranslatorReleases(t *testing.T) {
	cfg := newConfig()
	b := newBridge(cfg, "br0", 1, 2)
	addFlow(t, b, 0, "", 0, out(0xfffffffd))
	x := NewTranslator()
	in := &Input{Config: cfg, Bridge: b, Key: parseKey(t, "in_port=1"), Now: t0}
	first := x.Translate(in).Recircs[0]
	if again := x.Translate(in).Recircs[0]; again == 0 {
		t.Fatal("no number")
	}
	x.Release()
	for id, r := range cfg.Recircs.byID {
		if r.refs != 0 {
			t.Errorf("number %d (first %d) has %d references left", id, first, r.refs)
		}
	}
}
