package dpctl

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"

	"weir/internal/datapath"
	"weir/internal/flow"
	"weir/internal/packet"
)

var errActions = errors.New("odp_actions_from_string (Invalid argument)")

// parseActions reads each argument as actions and prints them.
func (l *call) parseActions() error {
	doc := []string{}
	for _, s := range l.args {
		a, err := datapath.ParseActions(s, nil)
		if err != nil {
			return errActions
		}
		doc = append(doc, datapath.FormatActions(a, nil))
		fmt.Fprintln(&l.out, doc[len(doc)-1])
	}
	l.doc = doc
	return nil
}

// tags are the VLAN tags and the labels that a packet has at one point of an
// action list, outermost first.
type tags struct {
	vlans [flow.MaxVLANs]flow.VLAN
	mpls  []uint32
}

func (t tags) String() string {
	var s strings.Builder
	for _, v := range t.vlans {
		switch {
		case v.TCI == 0:
		case v.TPID == packet.EtherTypeVLAN || v.TPID == 0:
			fmt.Fprintf(&s, "vlan(vid=%d,pcp=%d): ", v.TCI&0xfff, v.TCI>>13)
		default:
			fmt.Fprintf(&s, "vlan(tpid=0x%04x,vid=%d,pcp=%d): ", v.TPID, v.TCI&0xfff, v.TCI>>13)
		}
	}
	if s.Len() == 0 {
		s.WriteString("no vlan: ")
	}
	if len(t.mpls) == 0 {
		return s.String() + "no mpls: "
	}
	return s.String() + fmt.Sprintf("mpls(label=%d,tc=%d,ttl=%d,bos=%d): ", t.mpls[0]>>12, t.mpls[0]>>9&7, t.mpls[0]&255, t.mpls[0]>>8&1)
}

// compare orders groups of actions: those without a tag first.
func (t *tags) compare(o *tags) int {
	for i := range t.vlans {
		a, b := t.vlans[i], o.vlans[i]
		if c := cmp.Or(cmp.Compare(a.TPID, b.TPID), cmp.Compare(a.TCI, b.TCI)); c != 0 {
			return c
		}
	}
	return slices.Compare(t.mpls, o.mpls)
}

// sortOutputs sorts outputs that follow each other by port.
func sortOutputs(actions []datapath.Action) {
	for len(actions) > 0 {
		n := 0
		for n < len(actions) {
			if _, ok := actions[n].(*datapath.Output); !ok {
				break
			}
			n++
		}
		slices.SortStableFunc(actions[:n], func(a, b datapath.Action) int {
			return cmp.Compare(a.(*datapath.Output).Port, b.(*datapath.Output).Port)
		})
		actions = actions[min(n+1, len(actions)):]
	}
}

// change pushes or pops a tag, if that is what an action does.
func (t *tags) change(act datapath.Action) bool {
	switch act := act.(type) {
	case *datapath.PushVLAN:
		copy(t.vlans[1:], t.vlans[:])
		t.vlans[0] = flow.VLAN{TPID: act.TPID, TCI: act.TCI | flow.VLANPresent}
	case *datapath.PopVLAN:
		copy(t.vlans[:], t.vlans[1:])
		t.vlans[len(t.vlans)-1] = flow.VLAN{}
	case *datapath.PushMPLS:
		t.mpls = append([]uint32{act.LSE}, t.mpls...)
	case *datapath.PopMPLS:
		if len(t.mpls) > 0 {
			t.mpls = t.mpls[1:]
		}
	default:
		return false
	}
	return true
}

// tagGroup is the actions that see a packet with the same tags.
type tagGroup struct {
	tags    tags
	actions []datapath.Action
}

// groupByTags groups the actions on a packet that has tags at first, sorted by the
// tags.
func groupByTags(cur tags, actions []datapath.Action) []*tagGroup {
	var groups []*tagGroup
	for _, act := range actions {
		if cur.change(act) {
			continue
		}
		i := slices.IndexFunc(groups, func(g *tagGroup) bool { return g.tags.String() == cur.String() })
		if i < 0 {
			i = len(groups)
			groups = append(groups, &tagGroup{tags: cur})
		}
		groups[i].actions = append(groups[i].actions, act)
	}
	slices.SortStableFunc(groups, func(a, b *tagGroup) int { return a.tags.compare(&b.tags) })
	return groups
}

// normalizeActions groups the actions by the tags that the packet has when
// they run, so that lists that push and pop in another order compare equal.
func (l *call) normalizeActions() error {
	k, _, err := datapath.ParseKey(l.args[0], nil)
	if err != nil {
		return fmt.Errorf("odp_flow_key_from_string (%s) (Invalid argument)", err)
	}
	a, err := datapath.ParseActions(l.args[1], nil)
	if err != nil {
		return errActions
	}
	fmt.Fprintf(&l.out, "input flow: %s\n", l.args[0])
	cur := tags{vlans: k.VLANs}
	if k.MPLS[0] != 0 {
		cur.mpls = slices.Clone(k.MPLS[:1])
	}
	type document struct {
		Tags    string `json:"tags"`
		Actions string `json:"actions"`
	}
	docs := []document{}
	for _, g := range groupByTags(cur, a) {
		sortOutputs(g.actions)
		d := document{g.tags.String(), datapath.FormatActions(g.actions, nil)}
		docs = append(docs, d)
		l.out.WriteString(d.Tags + d.Actions)
	}
	l.out.WriteString("\n")
	l.doc = map[string]any{"flow": l.args[0], "groups": docs}
	return nil
}
