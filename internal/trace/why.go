package trace

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"weir/internal/datapath"
	"weir/internal/flow"
	"weir/internal/pipeline"
	"weir/internal/xlate"
)

// Cause is why packets are dropped, for people and machines.
type Cause struct {
	// Kind is a short name that does not change: "no-match", "flow", "port" ...
	Kind   string `json:"reason"`
	Bridge string `json:"bridge,omitempty"`
	Text   string `json:"text"`
	Table  *uint8 `json:"table,omitempty"`
	Flow   string `json:"flow,omitempty"`
	Cookie string `json:"cookie,omitempty"`
	Origin string `json:"installed_by,omitempty"`
	Port   string `json:"port,omitempty"`
}

// CauseOf describes a reason. pipe is the tables of its bridge, nil if the
// bridge is gone.
func CauseOf(r *xlate.DropReason, pipe *pipeline.Pipeline) Cause {
	c := Cause{Kind: reasons[r.Kind].name, Bridge: r.Bridge, Port: r.Port, Text: what(r)}
	if r.Kind == xlate.DropOther {
		return c
	}
	c.Table = &r.Table
	if r.Rule == nil {
		return c
	}
	c.Table, c.Flow = &r.Rule.Table, ruleText(r.Rule)
	c.Cookie = fmt.Sprintf("%#x", r.Rule.Cookie)
	if pipe != nil {
		c.Origin = pipe.OriginName(r.Rule.Origin)
	}
	return c
}

// vlanRemedies have a port carry one more VLAN, and otherwise what it does.
func vlanRemedies(r *xlate.DropReason, b *xlate.Bridge) []string {
	bundle := bundleOf(b, r.Port)
	if bundle == nil {
		return nil
	}
	switch bundle.VLANMode {
	case xlate.VLANAccess:
		return []string{
			fmt.Sprintf("send it without a tag: port %s is an access port of VLAN %d", bundle.Name, bundle.VLAN),
			fmt.Sprintf("ovs-vsctl set port %s vlan_mode=native-untagged trunks=%d", bundle.Name, r.VLAN)}
	case xlate.VLANDot1qTunnel:
		return []string{fmt.Sprintf("ovs-vsctl add port %s cvlans %d", bundle.Name, r.VLAN)}
	}
	return []string{fmt.Sprintf("ovs-vsctl add port %s trunks %d", bundle.Name, r.VLAN)}
}

// bundleOf is the bundle of the port of a name, nil if there is none.
func bundleOf(b *xlate.Bridge, port string) *xlate.Bundle {
	if b == nil {
		return nil
	}
	for _, p := range b.Order {
		if p.Name == port {
			return p.Bundle
		}
	}
	return nil
}

// matchText is a flow's match with its priority, as ovs-ofctl takes it.
func matchText(r *pipeline.Rule) string {
	text := fmt.Sprintf("priority=%d", r.Priority())
	if m := r.Match().Format(flow.DefaultPriority, nil); m != "" {
		text += "," + m
	}
	return text
}

func ruleText(r *pipeline.Rule) string { return fmt.Sprintf("table=%d, %s", r.Table, matchText(r)) }

// Bounds of the search for flows that nearly match.
const (
	maxNear     = 3
	maxSearched = 200000
)

// nearMisses are the flows of a table that miss the packet by one field.
func nearMisses(pipe *pipeline.Pipeline, table uint8, key *flow.Key) (out []string) {
	if pipe.Table(table) == nil {
		return nil
	}
	for i, r := range pipe.Rules(table) {
		if i >= maxSearched || len(out) >= maxNear {
			break
		}
		m := r.Match()
		if differing(m, key) > 2 {
			continue
		}
		if f := onlyDifference(m, key); f != nil {
			out = append(out, fmt.Sprintf("flow \"%s\" misses it only by %s, which is %s", matchText(r), f.Name,
				f.FormatValue(f.Get(key), f.Exact(), nil)))
		}
	}
	return out
}

// differing counts the words of a key in which a match misses it.
func differing(m *flow.Match, key *flow.Key) (n int) {
	mk, mm, k := m.Key.Words(), m.Mask.Words(), key.Words()
	for i := range mm {
		if (mk[i]^k[i])&mm[i] != 0 {
			n++
		}
	}
	return n
}

// onlyDifference is the one field by which a match misses a key, nil if there
// are more.
func onlyDifference(m *flow.Match, key *flow.Key) (only *flow.Field) {
	patched := *m
	for id := flow.FieldID(0); id < flow.NumFields; id++ {
		f := id.Field()
		if f.IsWild(&m.Mask) {
			continue
		}
		mask := f.Get(&m.Mask)
		if f.Get(&m.Key).And(mask) == f.Get(key).And(mask) {
			continue
		}
		if only == nil {
			only = f
			f.Unmark(&patched.Mask)
		}
	}
	if only == nil || differing(&patched, key) > 0 {
		return nil
	}
	return only
}

// Explanation is the answer of drops/explain.
type Explanation struct {
	Dropped bool     `json:"dropped"`
	Flow    string   `json:"flow"`
	Actions string   `json:"datapath_actions"`
	Cause   *Cause   `json:"cause,omitempty"`
	Cures   []string `json:"would_pass_if,omitempty"`
	// Doubts are what may drop the packet once it has been forwarded.
	Doubts []string `json:"unless,omitempty"`
}

// ExplainDrop carries out drops/explain: the arguments are those of
// ofproto/trace. It explains the first stage of the packet's way that drops it.
func ExplainDrop(env *Env, args []string) (*Explanation, error) {
	rep, err := Run(env, args)
	if err != nil {
		return nil, err
	}
	defer rep.Release()
	e := &Explanation{Flow: rep.Rounds[0].Key.FormatTraced(rep.ports, rep.tlv)}
	for _, r := range rep.Rounds {
		e.Actions = rep.actions(r)
		reason := r.Result.Drop
		if reason.Bridge == "" {
			e.Doubts = append(e.Doubts, doubts(env.Config, r.Result.Actions)...)
			continue
		}
		b := env.Config.Bridges[reason.Bridge]
		var pipe *pipeline.Pipeline
		if b != nil {
			pipe = b.Pipeline
		}
		cause := CauseOf(&reason, pipe)
		e.Dropped, e.Cause, e.Cures = true, &cause, remedies(&reason, &r.Result.Key, b)
		break
	}
	return e, nil
}

// doubts are what stands in the way of a packet after translation: ports that are
// down, and meters.
func doubts(cfg *xlate.Config, actions []datapath.Action) (out []string) {
	for _, a := range actions {
		switch a := a.(type) {
		case *datapath.Output:
			if p := portOf(cfg, a.Port); p != nil && !p.Up() {
				out = append(out, whyDown(p))
			}
		case *datapath.Meter:
			out = append(out, "a meter may drop it: ovs-ofctl -O OpenFlow13 meter-stats BRIDGE and drops/show count what meters dropped")
		case *datapath.Clone:
			out = append(out, doubts(cfg, a.Actions)...)
		}
	}
	return out
}

func portOf(cfg *xlate.Config, no datapath.PortNo) *xlate.Port {
	for _, name := range slices.Sorted(maps.Keys(cfg.Bridges)) {
		for _, p := range cfg.Bridges[name].Order {
			if p.DP == no {
				return p
			}
		}
	}
	return nil
}

// String is the explanation as text.
func (e *Explanation) String() string {
	var b strings.Builder
	b.WriteString("Flow: " + e.Flow + "\n")
	if !e.Dropped {
		b.WriteString("The packet is not dropped.\nDatapath actions: " + e.Actions + "\n")
		for _, d := range e.Doubts {
			b.WriteString("  but " + d + "\n")
		}
		return b.String()
	}
	b.WriteString("The packet is dropped: " + e.Cause.Text + "\n")
	b.WriteString(e.Cause.details("  "))
	if len(e.Cures) > 0 {
		b.WriteString("What would let it pass:\n")
	}
	for _, c := range e.Cures {
		b.WriteString("  - " + c + "\n")
	}
	return b.String()
}

// details are the lines of a cause below its text.
func (c *Cause) details(indent string) string {
	var b strings.Builder
	if c.Bridge != "" {
		fmt.Fprintf(&b, "%sbridge %s", indent, c.Bridge)
		if c.Table != nil {
			fmt.Fprintf(&b, ", table %d", *c.Table)
		}
		b.WriteByte('\n')
	}
	if c.Flow != "" {
		fmt.Fprintf(&b, "%sflow %s, cookie %s, installed by %s\n", indent, c.Flow, c.Cookie, c.Origin)
	}
	return b.String()
}

// Drops is the answer of drops/show.
type Drops struct {
	Reasons  []DropDocument    `json:"reasons"`
	Meters   []MeterDocument   `json:"meters"`
	Ports    []PortDocument    `json:"ports"`
	Datapath map[string]uint64 `json:"datapath"`
}

// DropDocument is one reason with what was dropped for it.
type DropDocument struct {
	Cause
	Packets uint64  `json:"packets"`
	Bytes   uint64  `json:"bytes"`
	Age     float64 `json:"seconds_since"`
	Example string  `json:"example,omitempty"`
}

// MeterDocument is what a meter of a bridge dropped.
type MeterDocument struct {
	Bridge  string `json:"bridge"`
	Meter   uint32 `json:"meter"`
	Packets uint64 `json:"packets"`
	Bytes   uint64 `json:"bytes"`
}

// AddDrops adds the reasons of one data path's bridges for which packets were
// dropped; bridge limits them to one, "" to none.
func (d *Drops) AddDrops(env *Env, drops *xlate.Drops, bridge string) {
	for _, c := range drops.List() {
		r := &c.Reason
		n := c.Packets.Load()
		if n == 0 || bridge != "" && r.Bridge != bridge {
			continue
		}
		var pipe *pipeline.Pipeline
		if b := env.Config.Bridges[r.Bridge]; b != nil {
			pipe = b.Pipeline
		}
		doc := DropDocument{Cause: CauseOf(r, pipe), Packets: n, Bytes: c.Bytes.Load()}
		if last := c.Last(); !last.IsZero() {
			doc.Age = max(env.Now.Sub(last).Seconds(), 0)
		}
		if k := c.Example(); k != nil {
			doc.Example = k.Format(nil)
		}
		d.Reasons = append(d.Reasons, doc)
	}
}

// String is the drops as text: the reason with the most packets first.
func (d *Drops) String() string {
	var b strings.Builder
	for i := range d.Reasons {
		r := &d.Reasons[i]
		fmt.Fprintf(&b, "%d packets, %d bytes, %.3fs ago: %s\n%s", r.Packets, r.Bytes, r.Age, r.Text, r.details("    "))
		if r.Example != "" {
			fmt.Fprintf(&b, "    example %s\n", r.Example)
		}
	}
	for _, m := range d.Meters {
		fmt.Fprintf(&b, "%d packets, %d bytes: meter %d of bridge %s\n", m.Packets, m.Bytes, m.Meter, m.Bridge)
	}
	for _, p := range d.Ports {
		fmt.Fprintf(&b, "%d packets: could not be sent to port %s of bridge %s\n    %s\n", p.Packets, p.Port, p.Bridge, p.Text)
	}
	for _, name := range slices.Sorted(maps.Keys(d.Datapath)) {
		fmt.Fprintf(&b, "%d packets: %s\n", d.Datapath[name], name)
	}
	if b.Len() == 0 {
		return "no packets were dropped\n"
	}
	return b.String()
}
