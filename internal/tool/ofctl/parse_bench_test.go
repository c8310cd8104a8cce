package ofctl

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"weir/internal/cli"
	"weir/internal/openflow"
)

// BenchmarkReadFlows reads a file of 10,000 exact 5-tuples.
func BenchmarkReadFlows(b *testing.B) {
	const n = 10000
	var text bytes.Buffer
	for i := range n {
		fmt.Fprintf(&text, "table=0,priority=100,tcp,nw_src=10.%d.%d.%d,nw_dst=192.168.%d.%d,tp_src=%d,tp_dst=%d,actions=output:2\n",
			i>>16&255, i>>8&255, i&255, i>>8&255, i*7&255, 1024+i%50000, 80+i%16)
	}
	file := filepath.Join(b.TempDir(), "flows")
	if err := os.WriteFile(file, text.Bytes(), 0o600); err != nil {
		b.Fatal(err)
	}
	t := &tool{env: new(cli.Env)}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := t.readFlows(file, int(openflow.FlowAdd), ""); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(n*b.N), "ns/flow")
}
