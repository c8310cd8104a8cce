package ofproto

import (
	"fmt"
	"strings"
	"time"

	"weir/internal/flow"
	"weir/internal/openflow"
	"weir/internal/pipeline"
)

// DumpFlows lists all flows, hidden ones too, as bridge/dump-flows does; with
// what hardware forwarded of them, which is nothing while none is asked to.
func (b *Bridge) DumpFlows(offloads bool) string {
	var out strings.Builder
	now := b.be.clock.Now()
	for id := range uint8(pipeline.NumTables) {
		for _, r := range b.pipe.Rules(id) {
			m := b.pipe.Match(r)
			if id != 0 {
				fmt.Fprintf(&out, "table_id=%d, ", id)
			}
			fmt.Fprintf(&out, "duration=%ds, n_packets=%d, n_bytes=%d, ",
				now.Sub(r.Created())/time.Second, r.Stats.Packets.Load(), r.Stats.Bytes.Load())
			if offloads {
				out.WriteString("n_offload_packets=0, n_offload_bytes=0, ")
			}
			fmt.Fprintf(&out, "%s,actions=%s\n", m.Format(r.Priority(), nil), openflow.FormatActions(r.Actions(), nil))
		}
	}
	return out.String()
}

// FlowDescription is a flow as JSON shows it.
type FlowDescription struct {
	Table    uint8   `json:"table"`
	Priority int     `json:"priority"`
	Cookie   uint64  `json:"cookie"`
	Origin   string  `json:"installed_by"`
	Duration float64 `json:"seconds"`
	Packets  uint64  `json:"n_packets"`
	Bytes    uint64  `json:"n_bytes"`
	Match    string  `json:"match"`
	Actions  string  `json:"actions"`
}

// DescribeFlows is DumpFlows for JSON.
func (b *Bridge) DescribeFlows() []FlowDescription {
	out := []FlowDescription{}
	now := b.be.clock.Now()
	for id := range uint8(pipeline.NumTables) {
		for _, r := range b.pipe.Rules(id) {
			m := b.pipe.Match(r)
			out = append(out, FlowDescription{
				Table: id, Priority: r.Priority(), Cookie: r.Cookie, Origin: b.pipe.OriginName(r.Origin),
				Duration: now.Sub(r.Created()).Seconds(), Packets: r.Stats.Packets.Load(), Bytes: r.Stats.Bytes.Load(),
				Match: m.Format(flow.DefaultPriority, nil), Actions: openflow.FormatActions(r.Actions(), nil),
			})
		}
	}
	return out
}
