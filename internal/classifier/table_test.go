package classifier

import (
	"testing"

	"pgregory.net/rapid"

	"weir/internal/flow"
)

// TestTableWithCollisions holds a table against a map, with so few hashes that tags
// are the same and buckets overflow.
func TestTableWithCollisions(t *testing.T) {
	mask := &flow.Mask{Metadata: ^uint64(0)}
	m := newSparseMask(mask)
	rapid.Check(t, func(t *rapid.T) {
		var tab ruleTable[uint64]
		spread := rapid.SampledFrom([]uint32{1, 3, 40, 1 << 30}).Draw(t, "hashes")
		shift := rapid.SampledFrom([]uint32{1, 0x9e3779b1, 1 << 27}).Draw(t, "factor")
		hash := func(v uint64) uint32 { return max(uint32(v)%spread*shift, 1) }
		here := map[uint64]*Rule[uint64]{}
		for range rapid.IntRange(0, 300).Draw(t, "ops") {
			v := uint64(rapid.IntRange(1, 150).Draw(t, "value"))
			old := here[v]
			if old != nil && rapid.IntRange(0, 2).Draw(t, "op") > 0 {
				tab.forget(old)
				tab.drop(old)
				delete(here, v)
				continue
			}
			r := NewRule(&flow.Key{Metadata: v}, mask, 1, nil, v)
			r.mask = m
			r.line.Load().hash = hash(v)
			tab.add(r, 1)
			if old != nil {
				tab.replace(old, r)
				tab.drop(old)
			} else {
				tab.enter(r)
			}
			here[v] = r
		}
		for v := uint64(1); v <= 150; v++ {
			l, r := tab.findKey(hash(v), m, (&flow.Key{Metadata: v}).Words())
			if r != here[v] || r != nil && (l != r.line.Load() || r.vals()[0] != v) {
				t.Fatalf("value %d: found %v, want %v", v, r, here[v])
			}
			if r := tab.findVals(hash(v), []uint64{v}); r != here[v] {
				t.Fatalf("value %d: the writer found %v, want %v", v, r, here[v])
			}
		}
		seen := 0
		if s := tab.state.Load(); s != nil {
			s.each(func(r *Rule[uint64]) bool {
				seen++
				return here[r.Value] == r
			})
		}
		if seen != len(here) || tab.keys != len(here) || tab.rules != len(here) {
			t.Fatalf("%d rules seen, %d keys and %d rules counted, of %d", seen, tab.keys, tab.rules, len(here))
		}
	})
}

// TestTableKeepsOrderAndRoom adds many rules and removes most: what is left stands
// in the order in which it came, in memory for no more than it needs.
func TestTableKeepsOrderAndRoom(t *testing.T) {
	const n = 20 * chunkLines
	c := New[int]()
	mask := &flow.Mask{Metadata: ^uint64(0)}
	var rules []*Rule[int]
	for i := range n {
		r := NewRule(&flow.Key{Metadata: uint64(i)}, mask, 1, nil, i)
		c.Insert(r, 1)
		rules = append(rules, r)
	}
	for i, r := range rules {
		if i%100 != 0 {
			c.Remove(r)
		}
	}
	last := -1
	c.Each(func(r *Rule[int]) bool {
		if r.Value <= last {
			t.Fatalf("rule %d after %d", r.Value, last)
		}
		last = r.Value
		return true
	})
	s := rules[0].st.rules.state.Load()
	if len(s.chunks) > 2 || len(s.index) > n/100 {
		t.Errorf("%d chunks and %d buckets for %d rules", len(s.chunks), len(s.index), c.Len())
	}
	for i := 0; i < n; i += 100 {
		key := flow.Key{Metadata: uint64(i)}
		if r := c.Lookup(1, &key, nil, new(Scratch[int])); r != rules[i] {
			t.Fatalf("rule %d: %v", i, r)
		}
	}
}
