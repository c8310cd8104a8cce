package dpctl

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"

	"weir/internal/datapath"
	"weir/internal/flow"
)

var errActions = errors.New("odp_actions_from_string (Invalid argument)")

// parseActions reads each argument as actions and prints them.
func (l *call) parseActions() error {
	for _, s := range l.args {
		a, err := datapath.ParseActions(s, nil)
		if err != nil {
			return errActions
		}
		fmt.Fprintln(&l.out, datapath.FormatActions(a, nil))
	}
	return nil
}

// tags is the VLAN tag and the label stack that a packet has at one point of
// an action list.
type tags struct {
	vlan flow.VLAN
	mpls []uint32
	mt   uint16
}

func (t tags) String() string {
	s := "no vlan: "
	if t.vlan.TCI != 0 {
		s = fmt.Sprintf("vlan(vid=%d,pcp=%d): ", t.vlan.TCI&0xfff, t.vlan.TCI>>13)
	}
	if len(t.mpls) == 0 {
		return s + "no mpls: "
	}
	return s + fmt.Sprintf("mpls(label=%d,tc=%d,ttl=%d,bos=%d): ", t.mpls[0]>>12, t.mpls[0]>>9&7, t.mpls[0]&255, t.mpls[0]>>8&1)
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
	type group struct {
		tags    tags
		actions []datapath.Action
	}
	var groups []*group
	cur := tags{vlan: k.VLANs[0], mt: k.EthType}
	if k.MPLS[0] != 0 {
		cur.mpls = slices.Clone(k.MPLS[:1])
	}
	for _, act := range a {
		switch act := act.(type) {
		case *datapath.PushVLAN:
			cur.vlan = flow.VLAN{TPID: act.TPID, TCI: act.TCI}
			continue
		case *datapath.PopVLAN:
			cur.vlan = flow.VLAN{}
			continue
		case *datapath.PushMPLS:
			cur.mpls = append([]uint32{act.LSE}, cur.mpls...)
			continue
		case *datapath.PopMPLS:
			if len(cur.mpls) > 0 {
				cur.mpls = cur.mpls[1:]
			}
			continue
		}
		i := slices.IndexFunc(groups, func(g *group) bool { return g.tags.String() == cur.String() })
		if i < 0 {
			i = len(groups)
			groups = append(groups, &group{tags: cur})
		}
		groups[i].actions = append(groups[i].actions, act)
	}
	slices.SortStableFunc(groups, func(a, b *group) int {
		return cmp.Or(cmp.Compare(a.tags.vlan.TCI, b.tags.vlan.TCI), strings.Compare(a.tags.String(), b.tags.String()))
	})
	for _, g := range groups {
		l.out.WriteString(g.tags.String() + datapath.FormatActions(g.actions, nil))
	}
	l.out.WriteString("\n")
	return nil
}
