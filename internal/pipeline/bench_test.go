package pipeline

import (
	"fmt"
	"runtime"
	"testing"
	"time"

	"weir/internal/openflow"
)

const benchFlows = 100_000

// benchMods are exact 5-tuples, as many hosts' connections are.
func benchMods(b *testing.B, n int) []*openflow.FlowMod {
	out := make([]*openflow.FlowMod, n)
	for i := range out {
		fm, _, err := openflow.ParseFlowMod(fmt.Sprintf("priority=100,tcp,nw_src=10.%d.%d.%d,nw_dst=192.168.%d.%d,tp_src=%d,tp_dst=%d,actions=output:2",
			i>>16&255, i>>8&255, i&255, i>>8&255, i*7&255, 1024+i%50000, 80+i%16), int(openflow.FlowAdd), openflow.ParseOptions{})
		if err != nil {
			b.Fatal(err)
		}
		out[i] = fm
	}
	return out
}

// BenchmarkAdd adds 100,000 flows, each by itself, to an empty pipeline, and
// tells how much each keeps.
func BenchmarkAdd(b *testing.B) {
	for _, whole := range []bool{false, true} {
		b.Run(fmt.Sprintf("bundle=%t", whole), func(b *testing.B) {
			mods := benchMods(b, benchFlows)
			b.ReportAllocs()
			var kept, objects uint64
			for b.Loop() {
				var before, after runtime.MemStats
				b.StopTimer()
				runtime.GC()
				runtime.ReadMemStats(&before)
				b.StartTimer()
				p := New(nil)
				addAll(b, p, mods, whole)
				b.StopTimer()
				runtime.GC()
				runtime.ReadMemStats(&after)
				kept, objects = after.HeapAlloc-before.HeapAlloc, after.HeapObjects-before.HeapObjects
				runtime.KeepAlive(p)
				b.StartTimer()
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(benchFlows*b.N), "ns/flow")
			b.ReportMetric(float64(kept)/benchFlows, "kept-B/flow")
			b.ReportMetric(float64(objects)/benchFlows, "objects/flow")
		})
	}
}

func addAll(b *testing.B, p *Pipeline, mods []*openflow.FlowMod, whole bool) {
	now := time.Unix(1e9, 0)
	if !whole {
		for _, fm := range mods {
			if _, err := p.FlowMod(fm, now); err != nil {
				b.Fatal(err)
			}
		}
		return
	}
	if _, _, err := bundle(p, mods); err != nil {
		b.Fatal(err)
	}
}
