package trace

import (
	"fmt"
	"slices"
	"strings"

	"weir/internal/datapath"
	"weir/internal/flow"
	"weir/internal/openflow"
	"weir/internal/pipeline"
	"weir/internal/xlate"
)

// UsageDetrace is the arguments of ofproto/detrace.
const UsageDetrace = "UFID [pmd=PMD-ID] [--names | --no-names]"

// Origins is what a flow of a data path was made of: the OpenFlow flows and
// groups that its packets meet, in their order, and the ports.
type Origins struct {
	UFID    string   `json:"ufid"`
	Parts   []Origin `json:"parts"`
	Input   string   `json:"in_port"`
	Outputs []string `json:"outputs"`
	Error   string   `json:"error,omitempty"` // translation gave up
	// Outdated says that the tables have changed since the flow was installed,
	// so that it is about to be changed as well.
	Outdated bool `json:"outdated,omitempty"`
}

// Origin is one part: a flow, a table in which no flow matched, or a group.
type Origin struct {
	Bridge   string  `json:"bridge"`
	Table    *uint8  `json:"table,omitempty"`
	Cookie   string  `json:"cookie,omitempty"`
	Priority *int    `json:"priority,omitempty"`
	Match    *string `json:"match,omitempty"` // null: no flow of the table matched
	Actions  string  `json:"actions,omitempty"`
	Group    *uint32 `json:"group,omitempty"`
	text     string
}

// String is a line for each part, below the name of its bridge.
func (o *Origins) String() string {
	var b strings.Builder
	bridge := ""
	for _, p := range o.Parts {
		if p.Bridge != bridge {
			bridge = p.Bridge
			fmt.Fprintf(&b, "bridge(\"%s\")\n", bridge)
		}
		b.WriteString(p.text + "\n")
	}
	if o.Error != "" {
		b.WriteString("Translation failed (" + o.Error + ")\n")
	}
	outputs := "none"
	if len(o.Outputs) > 0 {
		outputs = strings.Join(o.Outputs, ",")
	}
	fmt.Fprintf(&b, "in_port: %s\noutputs: %s\n", o.Input, outputs)
	if o.Outdated {
		b.WriteString("The flow tables have changed: the data path's flow is about to be changed, too.\n")
	}
	return b.String()
}

// Detrace finds what a flow of a data path was made of, by translating its key
// once more. dp names the data path's ports; with names, OpenFlow ports are
// named as well.
func Detrace(cfg *xlate.Config, f *datapath.Flow, dp *datapath.Namer, names bool) (*Origins, error) {
	key := f.Key
	b, frozen, ok := cfg.Start(&key)
	if !ok {
		return nil, fmt.Errorf("%s: no bridge has its in_port or recirculation id any more", datapath.FormatUFID(f.UFID))
	}
	x := xlate.NewTranslator()
	defer x.Release()
	res := x.Translate(&xlate.Input{Config: cfg, Bridge: b, Key: &key, Frozen: frozen})
	d := &detracer{cfg: cfg, bridge: b, names: names}
	out := &Origins{UFID: datapath.FormatUFID(f.UFID), Parts: []Origin{}, Outputs: []string{}}
	if !names {
		dp = dp.NumbersOnly()
	}
	out.Input = dpPortText(dp, datapath.PortNo(f.Key.InPort))
	for i := range res.Effects {
		d.effect(&res.Effects[i])
	}
	out.Parts = append(out.Parts, d.parts...)
	for _, no := range outputs(res.Actions) {
		out.Outputs = append(out.Outputs, dpPortText(dp, no))
	}
	if res.Err != xlate.ErrNone {
		out.Error = res.Err.String()
	}
	if res.Slow == 0 && res.Err == xlate.ErrNone {
		out.Outdated = datapath.FormatActions(res.Actions, nil) != datapath.FormatActions(f.Actions, nil)
	}
	return out, nil
}

func dpPortText(dp *datapath.Namer, no datapath.PortNo) string {
	if dp != nil && dp.Name != nil {
		if name, ok := dp.Name(no); ok {
			return name
		}
	}
	return fmt.Sprint(no)
}

// outputs lists the ports that actions send to, each once.
func outputs(actions []datapath.Action) (list []datapath.PortNo) {
	for a := range datapath.All(actions) {
		if out, ok := a.(*datapath.Output); ok && !slices.Contains(list, out.Port) {
			list = append(list, out.Port)
		}
	}
	return list
}

// detracer turns the effects of a translation into parts.
type detracer struct {
	cfg    *xlate.Config
	bridge *xlate.Bridge // whose tables are being looked up
	names  bool
	parts  []Origin
}

func (d *detracer) effect(e *xlate.Effect) {
	switch e.Kind {
	case xlate.EffectMatched:
		d.enter(e.Table)
	case xlate.EffectMissed:
		id := d.enter(e.Table)
		d.add(Origin{Table: &id, text: fmt.Sprintf("table=%d no match", id)})
	case xlate.EffectRule:
		d.rule(e.Rule)
	case xlate.EffectBucket:
		d.group(e.Group, e.Bucket)
	}
}

func (d *detracer) add(o Origin) {
	o.Bridge = d.bridge.Name
	d.parts = append(d.parts, o)
}

// enter finds the bridge that a table belongs to, and its number.
func (d *detracer) enter(t *pipeline.Table) uint8 {
	if id, ok := tableOf(d.bridge, t); ok {
		return id
	}
	for _, b := range d.cfg.Bridges {
		if id, ok := tableOf(b, t); ok {
			d.bridge = b
			return id
		}
	}
	return 0
}

func tableOf(b *xlate.Bridge, t *pipeline.Table) (uint8, bool) {
	for id := range pipeline.NumTables {
		if b.Pipeline.Table(uint8(id)) == t {
			return uint8(id), true
		}
	}
	return 0, false
}

func (d *detracer) openflowNames() *openflow.Names {
	if !d.names {
		return nil
	}
	return &openflow.Names{Ports: portNames{d.bridge}}
}

func (d *detracer) rule(r *pipeline.Rule) {
	if r.TableMiss() {
		return // what becomes of packets that no flow matches
	}
	m := d.bridge.Pipeline.Match(r)
	var names flow.PortNames
	if d.names {
		names = portNames{d.bridge}
	}
	table, priority, match := r.Table, r.Priority(), m.Format(flow.DefaultPriority, names)
	o := Origin{Table: &table, Cookie: fmt.Sprintf("%#x", r.Cookie), Priority: &priority, Match: &match,
		Actions: openflow.FormatActions(r.Actions(), d.openflowNames())}
	what := m.Format(priority, names)
	if what != "" {
		what += ","
	}
	o.text = fmt.Sprintf("cookie=%s, table=%d %sactions=%s", o.Cookie, table, what, o.Actions)
	d.add(o)
}

// group adds a group with the bucket that was chosen, or all of them.
func (d *detracer) group(g *pipeline.Group, chosen *pipeline.Bucket) {
	if chosen != nil && g.Type == openflow.GroupTypeAll {
		return // the group itself has an effect before its buckets
	}
	desc := openflow.GroupDesc{ID: g.ID, Type: g.Type, Props: g.Props}
	for _, b := range g.Buckets {
		if chosen == nil || b == chosen {
			desc.Buckets = append(desc.Buckets, b.Bucket)
		}
	}
	id := g.ID
	d.add(Origin{Group: &id, text: openflow.FormatGroupDesc(&desc, openflow.V15, d.openflowNames())})
}
