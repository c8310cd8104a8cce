package pipeline

import (
	"fmt"
	"testing"
	"time"

	"pgregory.net/rapid"

	"weir/internal/flow"
	"weir/internal/openflow"
)

// The flow that is evicted is in one of the largest groups, and there the least
// important, and of these the one that expires first; flows without a timeout
// stay.
func TestEvictionChoice(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		p := New(nil)
		now := time.Unix(1000, 0)
		limit := rapid.IntRange(1, 12).Draw(t, "limit")
		var groups []string
		if rapid.Bool().Draw(t, "groups") {
			groups = []string{"NXM_OF_IN_PORT[]", "no such field", "NXM_OF_ETH_SRC[0..3]"}
		}
		conf := TableConf{Limit: limit, Evict: true, EvictGroups: groups}
		if _, err := p.ConfigureTable(0, conf, now); err != nil {
			t.Fatal(err)
		}
		group := func(r *Rule) string {
			if groups == nil {
				return ""
			}
			return fmt.Sprint(r.Match().Key.InPort, r.Match().Key.EthSrc[5]&15)
		}
		flows := func() []*Rule { return p.Table(0).Rules(p.Version()) }
		for i := range rapid.IntRange(1, 60).Draw(t, "steps") {
			now = now.Add(time.Second)
			before := flows()
			if len(before) > 0 && rapid.Bool().Draw(t, "use") {
				before[rapid.IntRange(0, len(before)-1).Draw(t, "which")].Stats.Credit(1, 1, now)
				continue
			}
			fm := &openflow.FlowMod{OutPort: openflow.PortNone, OutGroup: openflow.GroupAny, Priority: 1}
			m, err := flow.ParseMatch(fmt.Sprintf("in_port=%d,dl_src=00:00:00:00:00:0%x,metadata=%d",
				rapid.IntRange(1, 3).Draw(t, "port"), rapid.IntRange(0, 1).Draw(t, "src"), i), nil)
			if err != nil {
				t.Fatal(err)
			}
			fm.Match = *m
			fm.IdleTimeout = uint16(rapid.SampledFrom([]int{0, 5, 10, 600}).Draw(t, "idle"))
			fm.HardTimeout = uint16(rapid.SampledFrom([]int{0, 0, 60}).Draw(t, "hard"))
			fm.Importance = uint16(rapid.IntRange(0, 1).Draw(t, "importance"))
			sizes, evictable := map[string]int{}, 0
			for _, r := range before {
				if _, ok := r.expiry(); ok {
					sizes[group(r)]++
					evictable++
				}
			}
			events, err := p.FlowMod(fm, now)
			if full := len(before) >= limit; (err != nil) != (full && evictable == 0) {
				t.Fatalf("%d flows of %d, %d with a timeout: %v", len(before), limit, evictable, err)
			}
			for _, e := range events {
				if e.Kind != Deleted {
					continue
				}
				v := e.Rule
				end, ok := v.expiry()
				if !ok || e.Reason != openflow.RemovedEviction {
					t.Fatalf("evicted without a timeout, or for reason %v", e.Reason)
				}
				for g, n := range sizes {
					if n > sizes[group(v)] {
						t.Fatalf("evicted from a group of %d, %s has %d", sizes[group(v)], g, n)
					}
				}
				for _, r := range before {
					if w, ok := r.expiry(); ok && group(r) == group(v) &&
						(r.Importance < v.Importance || r.Importance == v.Importance && w.Before(end)) {
						t.Fatalf("%v should have gone, not %v", r.Match(), v.Match())
					}
				}
			}
			if len(flows()) > limit {
				t.Fatal("above the limit")
			}
		}
	})
}
