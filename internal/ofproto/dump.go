package ofproto

import (
	"fmt"
	"strings"
	"time"

	"weir/internal/openflow"
	"weir/internal/pipeline"
)

// DumpFlows lists all flows, hidden ones too, as bridge/dump-flows does.
func (b *Bridge) DumpFlows() string {
	var out strings.Builder
	now := b.be.clock.Now()
	for id := range uint8(pipeline.NumTables) {
		t := b.pipe.Table(id)
		for _, r := range t.Rules(b.pipe.Version()) {
			m := b.pipe.Match(r)
			if id != 0 {
				fmt.Fprintf(&out, "table_id=%d, ", id)
			}
			fmt.Fprintf(&out, "duration=%ds, n_packets=%d, n_bytes=%d, %s,actions=%s\n",
				now.Sub(r.Created())/time.Second, r.Stats.Packets.Load(), r.Stats.Bytes.Load(),
				m.Format(r.Priority(), nil), openflow.FormatActions(r.Actions(), nil))
		}
	}
	return out.String()
}
