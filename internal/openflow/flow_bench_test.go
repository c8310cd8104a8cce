package openflow

import (
	"fmt"
	"testing"
)

// benchLine is the i-th of many exact 5-tuples, as flow files have them.
func benchLine(i int) string {
	return fmt.Sprintf("table=0,priority=100,tcp,nw_src=10.%d.%d.%d,nw_dst=192.168.%d.%d,tp_src=%d,tp_dst=%d,actions=output:2",
		i>>16&255, i>>8&255, i&255, i>>8&255, i*7&255, 1024+i%50000, 80+i%16)
}

func benchFlow(b *testing.B, i int) *FlowMod {
	fm, _, err := ParseFlowMod(benchLine(i), int(FlowAdd), ParseOptions{})
	if err != nil {
		b.Fatal(err)
	}
	return fm
}

func BenchmarkParseFlowMod(b *testing.B) {
	line := benchLine(12345)
	b.ReportAllocs()
	for b.Loop() {
		if _, _, err := ParseFlowMod(line, int(FlowAdd), ParseOptions{}); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkEncodeFlowMod(b *testing.B) {
	for _, p := range []Protocol{P10TID, PNXMTID, P14} {
		b.Run(ProtocolsText(p), func(b *testing.B) {
			fm := benchFlow(b, 12345)
			b.ReportAllocs()
			for b.Loop() {
				if _, err := Encode(p, 1, fm); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkDecodeFlowMod(b *testing.B) {
	for _, p := range []Protocol{P10TID, PNXMTID, P14} {
		b.Run(ProtocolsText(p), func(b *testing.B) {
			raw, err := Encode(p, 1, benchFlow(b, 12345))
			if err != nil {
				b.Fatal(err)
			}
			b.ReportAllocs()
			for b.Loop() {
				if _, _, err := Decode(raw, DecodeOptions{TableID: p&PTID != 0}); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// benchReply is a reply with many flows' statistics.
func benchReply(b *testing.B, n int) *FlowStatsReply {
	r := &FlowStatsReply{}
	for i := range n {
		fm := benchFlow(b, i)
		r.Stats = append(r.Stats, FlowStats{Match: fm.Match, Priority: fm.Priority, Actions: fm.Actions})
	}
	return r
}

func BenchmarkEncodeFlowStats(b *testing.B) {
	r := benchReply(b, 300)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := EncodeAll(P14, 1, r); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(300*b.N), "ns/flow")
}

func BenchmarkFormatFlowStats(b *testing.B) {
	raw, err := Encode(P14, 1, benchReply(b, 300))
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		FormatMessage(raw, PrintOptions{Verbosity: 1})
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(300*b.N), "ns/flow")
}
